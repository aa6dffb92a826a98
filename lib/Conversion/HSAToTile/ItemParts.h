// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- ItemParts.h - What long lists add to their chunk ---------*- C++ -*-===//
//
// Where sums of a chunk are to be the same bits each time, one program adds to
// them in the chunk's own place. A chunk that many queries select would keep it
// busy when all others are done, so a program takes no more than `most` entries
// of a list, whole items:
//
//     entries of the chunk   0 .. most    most .. 2 most   2 most .. 3 most
//     added to               the sums     part p           part p + 1
//
// and one more launch adds the parts of a chunk, in their order, to its sums.
// Programs of chunks whose lists are not longer have nothing to do there.
//
// A part is as large as what its chunk has of an array, which the array of the
// parts has in the chunk's place:
//
//     sums   [B, N, H, D]                 parts   [sequences, P * S, H, D]
//            [B, C, H, D]                         [sequences, P, H, D]
//
// for the sequences of a launch. Which part is whose follows from the place in
// the list: a part that begins at entry e is number e / most - 1. No two have
// the same, since what begins between two multiples of `most` is the first of
// its list or follows on `most` others; and P = W * K / most are enough.
//
// A part that is written at once needs no zeros before. To others the program
// adds at each visit; they begin with zeros, which the last launch leaves
// behind.
//
//===----------------------------------------------------------------------===//

#ifndef RAMIFY_LIB_CONVERSION_HSATOTILE_ITEMPARTS_H
#define RAMIFY_LIB_CONVERSION_HSATOTILE_ITEMPARTS_H

#include "Schedule.h"

namespace ramify {

class ItemParts {
public:
  /// The parts of what `op` adds to the chunks that it visits, S keys each.
  ItemParts(hsa::ProgramOp program, const Parameters &parameters,
            const TileShape &shape, hsa::ReduceOp op);

  bool empty() const { return sums.empty(); }
  /// Entries that a program takes at least: enough rows that a part costs
  /// little beside them.
  int64_t getLeastEntries() const;

  /// Arguments of a kernel: the arrays, and how many entries a program takes.
  void addArguments(llvm::SmallVectorImpl<KernelArgument> &arguments) const;
  size_t getArgumentCount() const { return sums.size() + 1; }

  // In the plan, whose results are `targets`.
  /// Bytes of one part, of all heads of one sequence: an index.
  mlir::Value getBytes(TileBuilder &b, mlir::ValueRange targets) const;
  /// Workspaces for so many sequences and parts, indices.
  llvm::SmallVector<mlir::Value> createArrays(TileBuilder &b,
                                              mlir::ValueRange targets,
                                              mlir::Value sequences,
                                              mlir::Value parts) const;

  /// Lets `emitter` add to these arrays, in a kernel whose last arguments are
  /// the program's results.
  void setArrays(BodyEmitter &emitter, tile::KernelOp kernel,
                 mlir::ValueRange arrays) const;

  // The launch that adds the parts.
  /// Programs that share what a chunk has.
  int64_t countPieces() const;
  /// Where the parts of a chunk are, and its own sums.
  struct Chunk {
    mlir::Value sequence, batch;    ///< index: of the launch, of all
    mlir::Value number;             ///< i32
    mlir::Value firstKey, end;      ///< i32: its keys
    mlir::Value firstHead, keyHead; ///< index
    mlir::Value firstPart, behind;  ///< i32
  };
  /// Adds piece number `piece`, an index.
  void emitPiece(TileBuilder &b, tile::KernelOp kernel, mlir::ValueRange arrays,
                 const Chunk &chunk, mlir::Value piece) const;

private:
  struct Sum {
    unsigned result; ///< of the program
    mlir::Type role;
    mlir::MemRefType type;
    int64_t axis;  ///< of the array: that of the keys or chunks
    bool hasBatch; ///< the array's first axis is that
    bool isKeyed;  ///< the axis is that of the keys
    bool hasHeads; ///< the array has the query heads
    bool isWrittenOnce;
    int64_t columns = 1; ///< of a last dim axis
  };
  static std::optional<Sum> getSum(mlir::Type role);
  int64_t countElements(const Sum &sum) const;
  int64_t countPieces(const Sum &sum) const;
  /// Elements of a program.
  int64_t getSize() const;
  /// Where those of a piece are in a chunk, and whether they are there: i32 and
  /// i1 vectors; one head may be an index for all.
  struct Elements {
    mlir::Value key, head, column, inside;
  };
  Elements emitElements(TileBuilder &b, const Sum &sum, const Chunk &chunk,
                        mlir::Value piece) const;
  /// A chunk's place in an array: its number or where its keys begin.
  llvm::SmallVector<mlir::Value> getIndices(TileBuilder &b, const Sum &sum,
                                            const Elements &elements,
                                            mlir::Value batch,
                                            mlir::Value first) const;
  mlir::Value addParts(TileBuilder &b, const Sum &sum, mlir::Value total,
                       mlir::Value array, const Chunk &chunk,
                       const Elements &elements, mlir::Value first) const;
  void emitSum(TileBuilder &b, const Sum &sum, mlir::Value own,
               mlir::Value array, const Chunk &chunk, mlir::Value piece) const;
  mlir::Value getOwn(tile::KernelOp kernel, const Sum &sum) const;

  const TileShape &shape;
  unsigned results; ///< of the program
  int64_t keys;     ///< S
  llvm::SmallVector<Sum> sums;
};

} // namespace ramify

#endif // RAMIFY_LIB_CONVERSION_HSATOTILE_ITEMPARTS_H
