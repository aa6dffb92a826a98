// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- Adjoints.h - One block, backwards ------------------------*- C++ -*-===//
//
// A sweep goes through the operations of a block of the program from the last
// to the first. Of each value it keeps the cotangent, the derivative of the
// results, weighted by their gradients, with respect to the value: an f32
// tensor of the value's axes. The adjoint of an operation takes the cotangent
// of its result and adds to those of its operands:
//
//     %c = arith.mulf %a, %b        da += dc * b,   db += dc * a
//
// Wherever an adjoint needs a value of the program itself it asks for its
// primal, which is computed again, or was saved.
//
// Cotangents are zero at keys that are not valid in the visited chunk: what
// reduces over keys masks what it sends back.
//
//===----------------------------------------------------------------------===//

#ifndef RAMIFY_LIB_HSA_TRANSFORMS_ADJOINTS_H
#define RAMIFY_LIB_HSA_TRANSFORMS_ADJOINTS_H

#include "Activity.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "llvm/ADT/MapVector.h"

namespace ramify::hsa {

/// Gradients of what was read from a softmax state, for each row. With them the
/// cotangent of one score is p (dP - delta), where p is its share exp(s - lse)
/// and dP = dvalue . v.
struct Reading {
  mlir::Value lse;    ///< 0 where it is -inf: shares are then 0
  mlir::Value dvalue; ///< null if nobody read the value
  mlir::Value delta;  ///< dvalue . value - dlse
};

/// The picks that were saved: an indices parameter of the gradient.
struct Picks {
  mlir::Value indices;
  std::string name;
};

class Sweep {
public:
  /// Emits at the end of the block that `b` is in. `chunk` is the visited chunk
  /// there, or null outside of a reduction.
  Sweep(mlir::ImplicitLocOpBuilder &b, const Activity &activity,
        mlir::IRMapping &primals, mlir::Value chunk)
      : b(b), activity(activity), primals(primals), chunk(chunk) {}

  /// Goes backwards through `block`; an operation that has no gradient but
  /// needs one is an error at its place.
  mlir::LogicalResult run(mlir::Block &block);
  /// The same, for some operations of a block in their order.
  mlir::LogicalResult run(llvm::ArrayRef<mlir::Operation *> operations);

  /// Whether a cotangent of `value` is of use.
  bool wants(mlir::Value value) const { return activity.contains(value); }
  mlir::Value getPrimal(mlir::Value value) const {
    return primals.lookupOrDefault(value);
  }
  /// The primal as f32.
  mlir::Value getWide(mlir::Value value);
  /// Null where nothing has been added.
  mlir::Value getCotangent(mlir::Value value) const {
    return cotangents.lookup(value);
  }
  /// Adds to the cotangent of `value`, if it is wanted.
  void add(mlir::Value value, mlir::Value cotangent);
  /// Adds to what the block, or the visit, adds to a parameter's gradient.
  void addToParameter(mlir::Value parameter, mlir::Value part);
  /// Outside of reductions: what a reduction says of `owner`, a value or a
  /// parameter. Of a value over slots it says sums.
  void addFromVisits(mlir::Value owner, mlir::Value result);
  /// Outside of reductions: the sums of a parameter's gradient so far.
  mlir::Value getSums(mlir::Value parameter);
  /// Adds to what was read from a state.
  void addValue(mlir::Value state, mlir::Value dvalue);
  void addLse(mlir::Value state, mlir::Value dlse);
  /// All readings of a state and of what was made from it.
  llvm::SmallVector<Reading> takeReadings(mlir::Value state);
  void passReadings(mlir::Value state, llvm::ArrayRef<Reading> readings);
  /// Adds to the cotangents of scores with their values: [key] and [key, dim],
  /// or one for each row.
  void addScores(mlir::Value scores, mlir::Value values,
                 llvm::ArrayRef<Reading> readings);

  // Building: f32, with the axes as they come.
  mlir::Value fill(double number, mlir::Type type);
  mlir::Value spread(mlir::Value x, mlir::Type type);
  mlir::Value mul(mlir::Value x, mlir::Value y);
  mlir::Value sub(mlir::Value x, mlir::Value y);
  mlir::Value exp(mlir::Value x);
  /// `x` where it is masked by a chunk's valid keys.
  mlir::Value mask(mlir::Value x);
  mlir::Value sum(mlir::Value x, llvm::ArrayRef<Axis> over);
  /// The sum of x * y over the axes that `type` does not have.
  mlir::Value contract(mlir::Value x, mlir::Value y, mlir::Type type);
  mlir::Value choose(mlir::arith::CmpFPredicate predicate, mlir::Value x,
                     mlir::Value y, mlir::Value yes, mlir::Value no);

  mlir::ImplicitLocOpBuilder &b;
  const Activity &activity;
  mlir::IRMapping &primals;
  mlir::Value chunk;
  Picks picks; ///< where something was taken at slots
  /// Whether what was taken at slots goes back to the stream as one, since
  /// other gradients come from all of the stream; else the picks are visited.
  bool walksBack = false;
  llvm::MapVector<mlir::Value, mlir::Value> cotangents;
  /// Of parameters that belong to query blocks: the block's whole gradient. Of
  /// those that belong to chunks and slots, in a visit: what it adds.
  llvm::MapVector<mlir::Value, mlir::Value> parameters;
  /// Outside of reductions, what all of them add, as `!hsa.sums`.
  llvm::MapVector<mlir::Value, mlir::Value> sums;

private:
  mlir::Value readBack(mlir::Value sums, mlir::Type type);

  llvm::MapVector<mlir::Value, mlir::Value> dvalues, dlses;
  llvm::MapVector<mlir::Value, llvm::SmallVector<Reading>> passed;
};

/// The adjoint of an operation; its result has a cotangent, or is a state.
using Adjoint = mlir::LogicalResult (*)(mlir::Operation *, Sweep &);

class AdjointTable {
public:
  AdjointTable();
  Adjoint find(mlir::Operation *op) const {
    return table.lookup(op->getName().getStringRef());
  }
  template <typename Op>
  void add(mlir::LogicalResult (*adjoint)(mlir::Operation *, Sweep &)) {
    table[Op::getOperationName()] = adjoint;
  }

private:
  llvm::DenseMap<llvm::StringRef, Adjoint> table;
};

void addAdjointsOfArith(AdjointTable &table);
void addAdjointsOfContractions(AdjointTable &table);
void addAdjointsOfSelection(AdjointTable &table);
void addAdjointsOfStates(AdjointTable &table);
mlir::LogicalResult differentiateReduce(mlir::Operation *op, Sweep &sweep);

/// The role of weights that have an element for each of a value over slots.
WeightsType getWeightsOf(mlir::Type type, llvm::StringRef picks);

/// Whether a parameter's elements belong to chunks or slots, and not to query
/// blocks.
bool belongsToVisits(mlir::Type role);

/// The type with f32 elements.
mlir::Type toF32(mlir::Type type);

} // namespace ramify::hsa

#endif // RAMIFY_LIB_HSA_TRANSFORMS_ADJOINTS_H
