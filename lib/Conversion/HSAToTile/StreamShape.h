// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- StreamShape.h - Tiles of programs that walk over chunks --*- C++ -*-===//
//
// How the work of a program over streams is cut: how many query blocks and
// query heads a program of the grid has, and how many chunks a tile. Heads that
// never meet have programs of their own. Where registers are counted, tiles are
// narrower the more stands beside them: sums of landmarks' rows, scores of many
// heads, long lists of picks.
//
//===----------------------------------------------------------------------===//

#ifndef RAMIFY_LIB_CONVERSION_HSATOTILE_STREAMSHAPE_H
#define RAMIFY_LIB_CONVERSION_HSATOTILE_STREAMSHAPE_H

#include "TileShape.h"

#include <string>

namespace ramify {

struct StreamShape {
  int64_t rows = 16;        ///< of a tile, a query block each
  int64_t blocks = 16;      ///< of a program: the first of its rows
  int64_t chunks = 64;      ///< of a tile
  int64_t heads = 1;        ///< query heads of a program, or of a turn of it
  int64_t turns = 1;        ///< in which a program makes everything again
  int64_t colsMultiple = 1; ///< that dims are padded to
  int64_t slotMultiple = 1; ///< that slots are padded to
  int64_t depth = 0;        ///< most of a part of a long product; 0: never cut

  /// What suits the program and the target. Fails, and says why, where the
  /// schedule has no tiles for the program.
  static mlir::FailureOr<StreamShape> choose(hsa::ProgramOp program,
                                             const TileLimits &limits);

  /// So many walks over chunks, in words.
  std::string describe(unsigned passes) const;
};

/// Whether the heads of a program are independent of each other, so that each
/// can have a program of its own.
bool hasIndependentHeads(hsa::ProgramOp program);

} // namespace ramify

#endif // RAMIFY_LIB_CONVERSION_HSATOTILE_STREAMSHAPE_H
