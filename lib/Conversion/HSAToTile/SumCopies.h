// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- SumCopies.h - Sums that several programs add to ----------*- C++ -*-===//
//
// Where the same bits are asked for, what is added to elements that no program
// owns must come in an order that does not depend on who is first: the keys of
// a window, landmarks of which all query blocks read all, a number that all
// heads share. A schedule says `order slots` of such sums, and here they get
// what that promises: copies of the array, and a launch that adds them.
//
// Programs that may meet are numbered, u = 0, 1, ... below U, and are launched
// in turns of J. Program i of a turn adds to copy i, which is its own:
//
//     tile.launch @f grid(X, Y, Z) (..., %sums)
//   becomes
//     %copies = tile.workspace shape(J, ...) zero
//     tile.plan_for %turn below ceil(U / J) {
//       tile.launch @f grid(min(J, U - J turn), ...) (..., %sums, %copies, ...)
//     }
//     tile.launch @f_copies (%copies, %sums)      sums += each copy in turn
//
// Each copy thus gets its terms in the order of the turns, and the sums get the
// copies in theirs. Programs whose elements differ anyway, those of other
// sequences or key heads say, stay side by side and share a copy.
//
//===----------------------------------------------------------------------===//

#ifndef RAMIFY_LIB_CONVERSION_HSATOTILE_SUMCOPIES_H
#define RAMIFY_LIB_CONVERSION_HSATOTILE_SUMCOPIES_H

#include "Schedule.h"

namespace ramify {

/// Gives each sum of the plan's kernels that is added to in the order of slots
/// its copies.
void createSumCopies(tile::PlanOp plan, const TileLimits &limits);

/// A kernel that adds the copies in `from`, its first axis, to the array `to`;
/// its grid is that of a conversion to `to`.
tile::KernelOp createCopySums(TileBuilder &b, llvm::StringRef name,
                              mlir::Type from, mlir::Type to);

} // namespace ramify

#endif // RAMIFY_LIB_CONVERSION_HSATOTILE_SUMCOPIES_H
