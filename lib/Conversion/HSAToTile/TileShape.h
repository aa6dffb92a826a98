// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- TileShape.h - How named axes become rows and columns -----*- C++ -*-===//
//
// A tile has at most two dimensions. The axes pos and head of a query block are
// its rows, pos-major, head fastest: row r is position r / heads and head
// r % heads of the block. The columns are the keys of a chunk or a dim axis.
//
//     tensor<1x16x64xf32, #hsa.axes<pos, head, key>>  ->  tensor<16x64xf32>
//     tensor<16xf32, #hsa.axes<head>>                 ->  tensor<16xf32>
//     tensor<64x80xf32, #hsa.axes<key, dim>>          ->  tensor<64x80xf32>
//
// Everything with a pos or head axis has all rows, so axes that only one side
// of an operation has need no broadcast. Rows, keys and dims are padded to the
// multiples that the target asks for. A query block with too many rows is cut
// over several programs, a chunk with too many keys into several tiles,
// equally. The tiles of a chunk stand in registers at once, so that it is read
// once, or one after the other where a thread has too few registers for that
// (KeyPasses.h). Short chunks are visited several at once, a tile each.
//
//===----------------------------------------------------------------------===//

#ifndef RAMIFY_LIB_CONVERSION_HSATOTILE_TILESHAPE_H
#define RAMIFY_LIB_CONVERSION_HSATOTILE_TILESHAPE_H

#include "dialects/HSA/IR/HSA.h"

namespace ramify {

/// What a target asks of tiles.
struct TileLimits {
  int64_t rowsMultiple = 16;
  int64_t colsMultiple = 16;
  int64_t maxRows = 64;
  int64_t maxKeyTile = 128;
  int64_t registers = 0;   ///< of a thread; 0: as many as are needed
  int64_t sharedBytes = 0; ///< of a program; 0: as many as are needed
  int64_t streamRows = 64; ///< rows of a tile over streams
  /// Query blocks of a program over streams; 0: as many as its tiles have rows.
  int64_t streamBlocks = 0;
  int64_t streamChunks = 64; ///< chunks in a tile of a stream
  int64_t chunkRows = 64;    ///< of a tile of several query blocks
  /// Chunks that are visited together have no more keys than this.
  int64_t keysAtOnce = 0;
  /// Programs that an SM should have where visits can be cut into slices; and
  /// the slices, 0: as many as make so many programs.
  int64_t programsPerSM = 4;
  int64_t slices = 0;
  /// Queries of a window of chunk_major, unless a chunk then has too few picks:
  /// what they write should stay in the last cache.
  int64_t windowTokens = 4096;
  /// Picks that a program of an inverse index counts.
  int64_t indexPicks = 512;
  // What a call asks of sums in memory.
  bool deterministic = false; ///< the same order each time
  bool narrowSums = false;    ///< 16 bits where the queries have them
  bool inPlace = false;       ///< chunk_major adds to results or refuses
  int64_t keysPerRow = 0;     ///< chunk_major has so many or refuses
  /// Indices whose inverse index the call brings along, with commas between.
  llvm::StringRef imported;
  /// Of the 256 MiB of a call, those of what several programs hand on.
  int64_t handedBytes = 0;
};

class TileShape {
public:
  TileShape(hsa::ProgramOp program, const TileLimits &limits)
      : TileShape(program, limits, Gradients::Added) {}

  /// A tile of several query blocks, those that share a chunk, where they are
  /// small.
  static TileShape ofChunk(hsa::ProgramOp program, const TileLimits &limits);

  /// The scalar or tile that stands for a value of `type`: one for each tile of
  /// a chunk if the type has a key axis. Null if it has too many axes.
  mlir::Type getTile(mlir::Type type) const;

  /// Tiles of a chunk of `keys` keys, and the keys of each.
  int64_t getKeyTiles(int64_t keys) const;
  int64_t getKeyTile(int64_t keys) const;
  /// Whether chunks of several tiles are visited in passes.
  bool isInPasses() const { return inPasses; }
  /// The tiles of the chunk that are there at the same time: all or one.
  int64_t getTilesAtOnce(int64_t keys) const {
    return inPasses ? 1 : getKeyTiles(keys);
  }
  /// Chunks of `keys` keys that `op` visits together.
  int64_t getChunksAtOnce(hsa::ReduceOp op, int64_t keys) const;
  /// The tiles of a visit in words: "4 chunks of 16 keys at once".
  std::string describeTiles(hsa::ReduceOp op, int64_t keys) const;
  int64_t getPaddedDim(int64_t dim) const;
  bool isPadded(int64_t dim) const { return getPaddedDim(dim) != dim; }

  int64_t positions = 1; ///< of a query block
  int64_t heads = 1;     ///< of a query block
  int64_t group = 1;     ///< query heads for each key/value head
  int64_t rows = 1;      ///< of a tile
  int64_t rowBlocks = 1; ///< programs for each query block
  int64_t entries = 1;   ///< query blocks of a tile

  /// Whether a thread has so many registers and no more.
  bool countsRegisters() const { return limits.registers != 0; }
  /// All rows are at one position.
  bool hasOnePosition() const { return positions == 1; }
  /// The last program of a block, or every one, has rows that stand for
  /// nothing.
  bool hasPaddedRows() const {
    return rows * rowBlocks != entries * positions * heads;
  }

private:
  /// What a program has for each key of the chunks that it visits.
  enum class Gradients {
    None,
    Added, ///< to memory at each visit
    Owned  ///< sums of its one chunk, which it carries through the visits
  };

  TileShape(hsa::ProgramOp program, const TileLimits &limits, Gradients keys);

  /// Chooses smaller tiles and passes if `keys` at once take too many
  /// registers, and the most rows of a program that go with them.
  void fitRegisters(hsa::ProgramOp program, int64_t keys, Gradients gradients);
  /// The same for the owner of a chunk, which can have more rows instead.
  void fitOwner(hsa::ProgramOp program, int64_t keys);
  /// Tiles of a chunk for which `fits` holds, or the smallest.
  void makePasses(llvm::function_ref<bool(int64_t)> fits);
  /// The most rows of a program with tiles of `keys` keys.
  int64_t getMostRows(int64_t keys, int64_t tiles) const;

  TileLimits limits;
  bool inPasses = false; ///< chunks of several tiles are visited in passes
  bool cutsRows = false; ///< tiles have no more rows than keys
};

/// Whether a value of `type` has rows, keys, a dim.
bool hasRows(mlir::Type type);
bool hasAxis(mlir::Type type, hsa::Axis axis);
/// The size of that axis, or 0.
int64_t getSize(mlir::Type type, hsa::Axis axis);

} // namespace ramify

#endif // RAMIFY_LIB_CONVERSION_HSATOTILE_TILESHAPE_H
