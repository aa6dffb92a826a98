// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- SharedBuffers.h - Buffers of a kernel, shared in time ----*- C++ -*-===//

#ifndef RAMIFY_DIALECTS_TILE_TRANSFORMS_SHAREDBUFFERS_H
#define RAMIFY_DIALECTS_TILE_TRANSFORMS_SHAREDBUFFERS_H

#include "dialects/Tile/IR/Tile.h"

#include "mlir/IR/Builders.h"

namespace ramify::tile {

/// Hands out shared buffers at the top of a kernel. Owners that never run at
/// the same time (loops of which none contains another) get the same ones.
class SharedBuffers {
public:
  explicit SharedBuffers(KernelOp kernel) : kernel(kernel) {}

  /// A ring of `stages` tiles that `owner` alone uses while it runs.
  mlir::Value get(mlir::RankedTensorType tile, int64_t stages,
                  mlir::Operation *owner);

  /// For a tile that is written by rows of a product and read by columns:
  /// four lanes that are neighbours in one are in different rows in the other.
  mlir::Value getForTranspose(mlir::RankedTensorType tile,
                              mlir::Operation *owner);

  /// Bytes of one tile in shared memory.
  static int64_t getBytes(mlir::RankedTensorType tile);

  /// Whether `kernel` has room for another tile, or so many bytes, beside
  /// its buffers, the transposes that will have some, and what warps exchange.
  static bool hasRoom(KernelOp kernel, mlir::RankedTensorType tile,
                      int64_t sharedBytes);
  static bool hasRoom(KernelOp kernel, int64_t bytes, int64_t sharedBytes);

private:
  struct Buffer {
    mlir::Value memory;
    llvm::SmallVector<mlir::Operation *> owners;
  };

  mlir::Value get(mlir::MemRefType type, mlir::Operation *owner);

  KernelOp kernel;
  llvm::SmallVector<Buffer> buffers;
};

} // namespace ramify::tile

#endif // RAMIFY_DIALECTS_TILE_TRANSFORMS_SHAREDBUFFERS_H
