// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- InsertBarriers.h - Threads that wait for each other ------*- C++ -*-===//
//
// In the portable stage a kernel is one thread's program: what it has written
// it reads. Placed, other threads may read, so a barrier must stand between.
// This pass puts one before each access that conflicts with an access since the
// last barrier: a read of what was written, a write of what was read or
// written. Additions to one array (tile.reduce_into) commute. It looks at
// arrays, scratch, and the shared buffers that tile.store_shared writes; copies
// into rings have barriers of their own, which count here too. A tile.wgmma may
// read until its tile.wgmma_wait; in kernels that have one, each barrier also
// shows it what threads have written (Expander::meet).
//
//   tile.store_shared %p into %buffer[%c0]
//   %t = tile.load_shared transposed %buffer[%c0]
// becomes
//   tile.store_shared %p into %buffer[%c0]
//   tile.barrier
//   %t = tile.load_shared transposed %buffer[%c0]
//
// and, in a loop, a second barrier goes before the store, unless the loop has
// one between. Before, reads of operands go down to their products, so that the
// barriers are right for where lowerings read. Conditions and bounds are
// scalars, the same for all threads of a program, so that all of them come to a
// barrier or none.
//
//===----------------------------------------------------------------------===//

#ifndef RAMIFY_DIALECTS_TILE_TRANSFORMS_INSERTBARRIERS_H
#define RAMIFY_DIALECTS_TILE_TRANSFORMS_INSERTBARRIERS_H

#include "mlir/Pass/Pass.h"

namespace ramify::tile {

/// `tile-insert-barriers`, on every tile.kernel.
std::unique_ptr<mlir::Pass> createInsertBarriersPass();
void registerInsertBarriersPass();

} // namespace ramify::tile

#endif // RAMIFY_DIALECTS_TILE_TRANSFORMS_INSERTBARRIERS_H
