// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- ChunkVisits.h - A program owns one chunk -----------------*- C++ -*-===//
//
// The launch of chunk_major that visits: program (x, y, z) takes item x of its
// region from the inverse index, some entries of one chunk, loads what belongs
// to the chunk once, and walks over the entries in tiles of rows. Row r of a
// tile is row r % R of entry r / R, where R = pos x head rows belong to an
// entry:
//
//     %kc, %vc = the chunk's keys and values
//     scf.for %at = begin to end step T {
//       %entry = tile.lookup %entries[..., %at + r / R] where %at + r / R < end
//       %slot = %entry % K     %row = %entry / K + the window's first
//       %q = tile.gather ...
//       the body of the reduction, from empty accumulators
//       tile.scatter into the parts of %row, head and %slot
//     }
//
// Sums that belong to the chunk, gradients of its keys and values say, are
// carried through the loop and added to memory once, behind it. Where their
// order is to be the same each time, the program of a chunk's first item walks
// over all of its entries, and programs that share a key head take turns: a
// launch each.
//
//===----------------------------------------------------------------------===//

#ifndef RAMIFY_LIB_CONVERSION_HSATOTILE_CHUNKVISITS_H
#define RAMIFY_LIB_CONVERSION_HSATOTILE_CHUNKVISITS_H

#include "InverseIndex.h"
#include "SlotParts.h"

namespace ramify {

/// The scalars behind the arrays among the arguments of chunk_major's kernels:
/// i32, all of one window.
struct WindowArguments {
  mlir::Value number;   ///< of the window in the index
  mlir::Value firstRow; ///< of the selection
  mlir::Value sequence; ///< the first one
  mlir::Value turn;     ///< of programs that share a key head; 0 if all are one
};
void addWindowArguments(llvm::SmallVectorImpl<KernelArgument> &arguments,
                        mlir::MLIRContext *context);
WindowArguments takeWindowArguments(mlir::ValueRange &arguments);

/// Whether the program adds to sums over all blocks. Then all of its kernels
/// have its results as their last arguments.
bool hasSums(hsa::ProgramOp program);

/// Launches one after the other in which programs that share a key head take
/// turns: 1 if they may run at once.
int64_t countTurns(hsa::ProgramOp program, const TileShape &shape,
                   bool deterministic);

/// Writes the kernel `name`, which visits the chunks of `op`.
mlir::LogicalResult createVisitKernel(hsa::ProgramOp program,
                                      const Parameters &parameters,
                                      const TileShape &shape, hsa::ReduceOp op,
                                      SlotParts &parts, llvm::StringRef name,
                                      bool deterministic, bool imported);

} // namespace ramify

#endif // RAMIFY_LIB_CONVERSION_HSATOTILE_CHUNKVISITS_H
