// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- VerifyBankConflicts.h - Shared accesses, bank by bank ----*- C++ -*-===//
//
// Shared memory serves 32 banks of four bytes at a time; lanes that want
// different words of one bank wait for each other. Which lane touches which
// byte follows from the layouts alone (`Layout.h`), so this pass counts the
// conflicts of every access that a placed kernel will make, in each warp, and
// fails on the first that has any:
//
//   copy_async    each cp.async: the bytes that the lanes write at once
//   load_shared   each 8 x 8 matrix of ldmatrix, or each word of plain loads
//
//   %ring = tile.alloc_shared : memref<1x16x64xbf16, #tile.shared<swizzle = 0,
//   pad = 0>> %k = tile.load_shared %ring[%c0] : ... -> tensor<16x64xbf16,
//   #rhs>
//   // error: 'tile.load_shared' op reads [0, 0] with 7 bank conflicts
//
// Left out are copies of arrays whose rows are aligned to less than four bytes,
// which go through registers element by element, and what TMA and wgmma do.
// It is a test of the passes before it, and no part of the pipeline.
//
//===----------------------------------------------------------------------===//

#ifndef RAMIFY_DIALECTS_TILE_TRANSFORMS_VERIFYBANKCONFLICTS_H
#define RAMIFY_DIALECTS_TILE_TRANSFORMS_VERIFYBANKCONFLICTS_H

#include "mlir/Pass/Pass.h"

namespace ramify::tile {

/// `tile-verify-bank-conflicts`, on every tile.kernel of the placed stage.
std::unique_ptr<mlir::Pass> createVerifyBankConflictsPass();
void registerVerifyBankConflictsPass();

} // namespace ramify::tile

#endif // RAMIFY_DIALECTS_TILE_TRANSFORMS_VERIFYBANKCONFLICTS_H
