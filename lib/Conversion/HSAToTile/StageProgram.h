// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- StageProgram.h - One of the programs of a function -------*- C++ -*-===//

#ifndef RAMIFY_LIB_CONVERSION_HSATOTILE_STAGEPROGRAM_H
#define RAMIFY_LIB_CONVERSION_HSATOTILE_STAGEPROGRAM_H

#include "dialects/HSA/IR/HSA.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/SetVector.h"

namespace ramify {

/// The stage that each value of a program is made in. Even stages are of
/// streams and slots, odd ones of reductions over chunks.
class Stages {
public:
  /// With `headsApart`, streams of single heads are read at the picks of all in
  /// a later stage than these are made.
  Stages(hsa::ProgramOp program, bool headsApart);

  /// Made of parameters only, in whichever stage.
  static constexpr int kFree = -1;

  int of(mlir::Value value) const;
  /// Whether the operation's result is made again rather than handed on.
  bool isMadeAgain(mlir::Operation *op) const;
  /// Whether the operation computes with numbers of heads and slots only, which
  /// even stages rather compute again than read from memory.
  static bool isOfNumbers(mlir::Operation *op);
  bool contains(int stage) const {
    return llvm::any_of(stages,
                        [&](auto &entry) { return entry.second == stage; });
  }
  int count = 0;

private:
  llvm::DenseMap<mlir::Value, int> stages;
};

/// The program of one stage, with the parameters that it needs.
class StageProgram {
public:
  StageProgram(hsa::ProgramOp whole, const Stages &stages, int stage,
               llvm::SmallVector<mlir::Value> outputs)
      : outputs(std::move(outputs)), whole(whole), stages(&stages),
        stage(stage) {}

  mlir::LogicalResult build();

  /// What it takes from earlier stages, and all that it takes.
  llvm::ArrayRef<mlir::Value> getCrossing() const {
    return crossing.getArrayRef();
  }
  llvm::ArrayRef<mlir::Value> getInputs() const { return inputs; }

  llvm::SmallVector<mlir::Value> outputs; ///< of the whole program
  hsa::ProgramOp program = nullptr;

private:
  void collect(mlir::Value value);
  void collect(mlir::Operation *op);
  void collectSlots();
  void addParameters();
  bool isImplied(unsigned index) const;
  mlir::LogicalResult refuse(mlir::Value value);
  mlir::Type getRoleOfRows(mlir::Value value);
  mlir::FailureOr<mlir::Type> getRole(mlir::Value value);
  std::string getName(mlir::Value value);
  mlir::LogicalResult addCrossing();
  void createProgram();
  void mapCrossing(mlir::OpBuilder &b);
  void cloneBody(mlir::OpBuilder &b);
  void replaceAt(mlir::OpBuilder &b, hsa::AtOp at);

  hsa::ProgramOp whole;
  const Stages *stages;
  int stage;
  llvm::SetVector<mlir::Operation *> ops;  ///< that are copied
  llvm::SetVector<mlir::Value> crossing;   ///< from earlier stages
  llvm::SetVector<mlir::Value> parameters; ///< of the whole
  llvm::SmallVector<mlir::Value> inputs;
  llvm::SmallVector<mlir::Type> types;
  llvm::SmallVector<std::string> names;
  mlir::IRMapping mapping;
};

} // namespace ramify

#endif // RAMIFY_LIB_CONVERSION_HSATOTILE_STAGEPROGRAM_H
