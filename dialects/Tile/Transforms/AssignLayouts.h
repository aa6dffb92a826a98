// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- AssignLayouts.h - From portable to placed tiles ----------*- C++ -*-===//
//
// Gives every tensor of a kernel a layout (`Layout.h`): the step from the
// portable to the placed stage. It runs after the gathers that deserve it have
// become copies to shared memory, and before the lowering to threads.
//
// Work is dealt by rows: a program of R query rows has R / 16 warps
// (`tile.warps`), and each does the mathematics of its 16 rows alone. Layouts
// start where an instruction fixes them:
//
//   dot result, accumulator   the accumulator fragment of mma
//   dot lhs                   the same (16-bit), or the A fragment of tf32
//   dot rhs                   the B fragment; held by each warp, or dealt by
//                             columns where those of the result are
//   loop-carried, scf.if      as the value that is yielded
//   copy_async                rows in 16-byte pieces, for coalesced accesses
//
// and everything else is made in whatever layout its user wants, if need be
// more than once: index vectors, masks, constants, elementwise arithmetic,
// loads. Only values that are costly to make twice (products, reductions,
// values that leave a region) are converted.
//
// An accumulator of f32 that is too wide for the registers of one warp is dealt
// to two: columns 0 to 7 to the first, 8 to 15 to the second, and so on. What
// has the shape of scores both warps have, and compute.
// Warps share the columns of a tile in the same way where it has fewer rows
// than they have together (HomeLayouts.h).
//
//   %r = tile.iota : tensor<16xi32>
//   %q = tile.gather %Q[%r] : ... -> tensor<16x64xbf16>
//   %s = tile.dot %q, transposed %k, %zero : ... -> tensor<16x64xf32>
// becomes
//   %r = tile.iota : tensor<16xi32, #rows>
//   %q = tile.gather %Q[%r] : ... -> tensor<16x64xbf16, #acc>
//   %s = tile.dot %q, transposed %k, %zero : ... -> tensor<16x64xf32, #acc>
//
//===----------------------------------------------------------------------===//

#ifndef RAMIFY_DIALECTS_TILE_TRANSFORMS_ASSIGNLAYOUTS_H
#define RAMIFY_DIALECTS_TILE_TRANSFORMS_ASSIGNLAYOUTS_H

#include "dialects/Tile/IR/Tile.h"

#include "mlir/Pass/Pass.h"

namespace ramify::tile {

/// The kernel attribute with the warps of a program.
inline constexpr const char kWarpsAttrName[] = "tile.warps";
/// The attribute of a kernel, or of one of its arguments, with the bytes to
/// which the start and the strides of every array, or of that one, are aligned;
/// 16 if absent.
inline constexpr const char kAlignmentAttrName[] = "tile.alignment";
/// What these attributes say of `array`, an argument or something else.
int64_t getAlignment(KernelOp kernel, mlir::Value array);

/// Where 16 rows have more columns of sums of f32 products than this, two warps
/// have half of them each: one thread has not the registers.
inline constexpr int64_t kWideColumns = 128;
inline constexpr int64_t kColumnWarps = 2;

/// `tile-assign-layouts`, on every tile.kernel.
std::unique_ptr<mlir::Pass> createAssignLayoutsPass();
void registerAssignLayoutsPass();

} // namespace ramify::tile

#endif // RAMIFY_DIALECTS_TILE_TRANSFORMS_ASSIGNLAYOUTS_H
