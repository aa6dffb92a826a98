// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- HSAToTile.h - From hsa programs to portable tile ---------*- C++ -*-===//
//
// An hsa program says what one query block computes; a schedule says which
// programs of a grid compute it, and in what order they visit the chunks. Here
// a schedule is chosen and written out as tile kernels with a plan.
//
//     hsa.program @f(%q, %k, ...)     ->    tile.kernel @f(...)
//                                           tile.plan @f_plan(...)
//
//===----------------------------------------------------------------------===//

#ifndef RAMIFY_CONVERSION_HSATOTILE_H
#define RAMIFY_CONVERSION_HSATOTILE_H

#include "mlir/Pass/Pass.h"

namespace ramify {

/// The attribute of a plan with the tiles of its visits, in words.
inline constexpr const char kTilesAttrName[] = "tile.tiles";

/// The attribute of a plan with the programs that it runs, one a line: name,
/// schedule and tiles, with tabs between them.
inline constexpr const char kStepsAttrName[] = "tile.steps";

/// The attribute of a plan that one launch was asked for: "one", or "several",
/// a tab and why.
inline constexpr const char kLaunchesAttrName[] = "tile.launches";

#define GEN_PASS_DECL
#include "lib/Conversion/HSAToTile/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "lib/Conversion/HSAToTile/Passes.h.inc"

} // namespace ramify

#endif // RAMIFY_CONVERSION_HSATOTILE_H
