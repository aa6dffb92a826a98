// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- ChooseResidency.h - How many programs an SM should hold --*- C++ -*-===//
//
// ptxas chooses how many registers a thread gets. Told nothing, it saves
// registers, if need be by spilling, for programs that would find no shared
// memory beside each other anyway; told that one program is enough, it takes
// more than leaves room for others. This pass tells it: `tile.min_ctas` becomes
// the number of programs that an SM of the target holds by their warps, their
// shared memory and the registers that they need.
//
//   tile.kernel @k(...) attributes {tile.warps = 1 : i32} {
//     %ring = tile.alloc_shared : memref<2x64x256xbf16, ...>    // 64 KiB
//     ...
//     %s = tile.dot ...
// becomes, for an SM with 164 KiB,
//   tile.kernel @k(...) attributes {tile.min_ctas = 2 : i32, tile.warps = ...
//
// Registers are estimated from the layouts, hence on the placed stage: the
// accumulators and left operands of products, and a lump for the rest. A kernel
// without products, or one that says how many programs it wants, stays as it
// is. One that only walks over chunks and scores them needs little, and gets 0:
// ptxas is told nothing.
//
//===----------------------------------------------------------------------===//

#ifndef RAMIFY_CONVERSION_CHOOSERESIDENCY_H
#define RAMIFY_CONVERSION_CHOOSERESIDENCY_H

#include "ramify/Target/KnownTargets.h"

#include "mlir/Pass/Pass.h"

namespace ramify {

/// `tile-choose-residency{target=sm_90a}`, on every tile.kernel.
std::unique_ptr<mlir::Pass> createChooseResidencyPass(const GPUTarget &target);
void registerChooseResidencyPass();

} // namespace ramify

#endif // RAMIFY_CONVERSION_CHOOSERESIDENCY_H
