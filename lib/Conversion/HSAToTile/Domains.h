// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- Domains.h - Which keys a query may see -------------------*- C++ -*-===//
//
// Every domain without slots is an interval of keys for a query at t, and both
// ends grow with t:
//
//     window last W          [max(t - W + 1, 0), t + 1)   aligned: rounded down
//     own                    [S floor(t / S), S floor(t / S) + S)
//     first n                [0, n)
//     every                  [0, N)
//
// From the intervals of the first and the last query of a tile follow the
// chunks to visit, and whether a chunk needs a mask at all.
//
//===----------------------------------------------------------------------===//

#ifndef RAMIFY_LIB_CONVERSION_HSATOTILE_DOMAINS_H
#define RAMIFY_LIB_CONVERSION_HSATOTILE_DOMAINS_H

#include "BodyEmitter.h"

namespace ramify {

/// A range domain at work in a program of the grid.
class RangeDomain {
public:
  RangeDomain(BodyEmitter &emitter, mlir::Operation *op, PartitionSize size);

  /// The chunks to visit, as i32: first and behind the last.
  std::pair<mlir::Value, mlir::Value> getChunks(TileBuilder &b) const;

  /// The times of the queries among the program's rows that may see the chunk
  /// `number`, an i32: the first and behind the last, which may come before it.
  std::pair<mlir::Value, mlir::Value> getTimes(TileBuilder &b,
                                               mlir::Value number) const;

  /// Fills in which keys of the chunk are valid.
  void restrict(TileBuilder &b, Chunk &chunk) const;

  /// Leaves those keys of the chunk alive that some of the program's rows may
  /// see, wherever these stand.
  void restrictReads(TileBuilder &b, Chunk &chunk) const;

private:
  struct Interval {
    mlir::Value low, high;
  };
  Interval getInterval(TileBuilder &b, mlir::Value time) const;
  mlir::Value getMask(TileBuilder &b, mlir::Value keys) const;
  /// The keys that some row has; without regard to `outside` where rows differ.
  mlir::Value getReach(TileBuilder &b, mlir::Value keys) const;
  mlir::Value needsMask(TileBuilder &b, const Chunk &chunk) const;
  /// Whether all rows share their interval.
  bool isUniform() const;

  mlir::Operation *op;
  const Rows &rows;
  PartitionSize size;
  int64_t rowCount, chunkSize;
  mlir::Value bound; ///< W or n, not negative
  std::shared_ptr<RangeDomain> outside;
};

/// A chunk by its number, all of its keys valid. `number` is an i32. Where
/// `present` is false it has no keys; null: it is there.
Chunk getChunk(BodyEmitter &emitter, mlir::Value number, int64_t keys,
               PartitionSize size, mlir::Value present = {});

/// Several chunks, each of one tile. Those that are not there count as chunk 0
/// without keys; the first of the partition must exist.
Chunk getChunks(BodyEmitter &emitter, const Tiles &numbers,
                const Tiles &present, int64_t keys, PartitionSize size);

/// One tile of the keys of `chunk`, which has `keys`, by its number, an index.
Chunk getKeyTile(BodyEmitter &emitter, const Chunk &chunk, mlir::Value number,
                 int64_t keys);

} // namespace ramify

#endif // RAMIFY_LIB_CONVERSION_HSATOTILE_DOMAINS_H
