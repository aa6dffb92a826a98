// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- UseWgmma.h - Products of a warpgroup ---------------------*- C++ -*-===//
//
// Four warps that multiply 64 rows by mma.sync each load the whole right
// operand from shared memory, and that is what such kernels wait for. wgmma
// reads it once for all four, and a left operand that is in shared memory too.
// Its accumulator is held as that of mma.sync is, so only the product changes:
//
//   %q = tile.load_shared %ring[%stage]
//   %k = tile.load_shared %keys[%c0]
//   %s = tile.dot %q, transposed %k, %zero
// becomes
//   %t = tile.wgmma %ring[%stage], transposed %keys[%c0], %zero
//   %s = tile.wgmma_wait 0 %t
//
// Programs of exactly four warps do so, for tiles of 64 rows.
//
// The wait goes down to the first that needs the product, and lets those that
// were started since go on: the next may start before it.
//
//===----------------------------------------------------------------------===//

#ifndef RAMIFY_DIALECTS_TILE_TRANSFORMS_USEWGMMA_H
#define RAMIFY_DIALECTS_TILE_TRANSFORMS_USEWGMMA_H

#include "mlir/Pass/Pass.h"

namespace ramify::tile {

/// `tile-use-wgmma`, on every tile.kernel whose tiles have layouts; before
/// barriers are inserted.
std::unique_ptr<mlir::Pass> createUseWgmmaPass();
void registerUseWgmmaPass();

} // namespace ramify::tile

#endif // RAMIFY_DIALECTS_TILE_TRANSFORMS_USEWGMMA_H
