// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- HSAToTile.td - Passes from hsa to portable tile -----*- tablegen -*-===//

#ifndef RAMIFY_CONVERSION_HSATOTILE_TD
#define RAMIFY_CONVERSION_HSATOTILE_TD

include "mlir/Pass/PassBase.td"

def HSAToTile : Pass<"hsa-to-tile", "::mlir::ModuleOp"> {
  let summary = "lower hsa programs to tile kernels and a plan, by a schedule";
  let description = [{
    Replaces each `hsa.program` by the kernels and the `tile.plan` of the named
    schedule. The options say what tiles the target likes; the same schedule
    serves the CPU and the GPU. A program that reduces streams over chunks, and no
    chunks themselves, is lowered by the schedule `streamed` whatever is named; a
    part of a program that visits no selected chunks by `query_major`. What the
    named schedule refuses goes by `otherwise`, if there is one.
    With `one-launch` the programs that another one launches become one kernel;
    its plan says so, or why not, in `tile.launches`.
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::math::MathDialect",
    "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect",
    "::mlir::tensor::TensorDialect", "::ramify::tile::TileDialect"];
  let options = [
    Option<"schedule", "schedule", "std::string", "\"query_major\"",
           "which programs compute what">,
    Option<"otherwise", "otherwise", "std::string", "\"\"",
           "the schedule of programs that the first one refuses; none: errors">,
    Option<"rowsMultiple", "rows-multiple", "int64_t", "16",
           "rows of a tile are padded to a multiple of this">,
    Option<"colsMultiple", "cols-multiple", "int64_t", "16",
           "keys and dims of a tile are padded to a multiple of this">,
    Option<"maxRows", "max-rows", "int64_t", "64",
           "query blocks with more rows are cut over several programs">,
    Option<"maxKeyTile", "max-key-tile", "int64_t", "128",
           "chunks with more keys are cut into several tiles">,
    Option<"registers", "registers", "int64_t", "0",
           "of a thread: chunks that need more are visited tile by tile, in "
           "several passes; 0 for no limit">,
    Option<"sharedBytes", "shared-bytes", "int64_t", "0",
           "of a program: tiles with which it has more are not chosen; 0 for "
           "no limit">,
    Option<"streamRows", "stream-rows", "int64_t", "64",
           "rows of a tile over streams">,
    Option<"streamChunks", "stream-chunks", "int64_t", "64",
           "chunks in a tile of a stream">,
    Option<"chunkRows", "chunk-rows", "int64_t", "64",
           "rows of a tile of several query blocks that share a chunk">,
    Option<"keysAtOnce", "keys-at-once", "int64_t", "0",
           "chunks with fewer keys are visited several at once, with at most "
           "this many keys together">,
    Option<"programsPerSM", "programs-per-sm", "int64_t", "4",
           "visits of few query blocks are cut until there are so many">,
    Option<"slices", "slices", "int64_t", "0",
           "of the visits of a query block; 0 for as many as the device has "
           "room for">,
    Option<"windowTokens", "window-tokens", "int64_t", "4096",
           "queries whose visits are made window by window (chunk_major)">,
    Option<"handedBytes", "handed-bytes", "int64_t", "100663296",
           "what the programs that one program launches hand on at a time">,
    Option<"indexPicks", "index-picks", "int64_t", "512",
           "picks that a program of an inverse index counts; on a GPU a power of "
           "two">,
    Option<"deterministic", "deterministic", "bool", "false",
           "sums are added in the same order each time">,
    Option<"oneLaunch", "one-launch", "bool", "false",
           "programs that one program launches become one kernel, if they can">,
    Option<"narrowSums", "narrow-sums", "bool", "false",
           "sums of rows in memory may have the 16 bits of their result">,
    Option<"inPlace", "in-place", "bool", "false",
           "refuse programs whose sums would need a launch to finish them, unless "
           "chunks have many keys for each row (chunk_major)">,
    Option<"keysPerRow", "keys-per-row", "int64_t", "0",
           "refuse programs whose chunks have fewer keys for each row of a query "
           "block (chunk_major)">,
    Option<"imported", "imported", "std::string", "\"\"",
           "indices whose inverse index is an argument of the plan "
           "(chunk_major)">];
}

def HSASplitLaunches : Pass<"hsa-split-launches", "::mlir::ModuleOp"> {
  let summary = "cut functions that select and then attend into programs";
  let description = [{
    A program that makes something of streams or slots, and also visits chunks,
    becomes several, which run one after the other; what is left of it launches
    them. Each is then lowered by the schedule that suits it.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect"];
  let options = [
    Option<"headsApart", "heads-apart", "bool", "false",
           "read streams of single query heads at what all heads of a group "
           "pick together in a program of its own">];
}

def FoldRowScales : Pass<"tile-fold-row-scales"> {
  let summary = "accumulate weighted products in place";
  let description = [{
    acc + w * dot(p, v) becomes dot(w * p, v, acc), with the weights of rows
    multiplied together first. On portable tile; not the scale where p is f16.
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::tensor::TensorDialect",
    "::ramify::tile::TileDialect"];
}

def MergeRowScales : Pass<"tile-merge-row-scales"> {
  let summary = "multiply the scales of rows before the rows";
  let description = [{
    Where all users of a tile whose rows are scaled are scaled again, multiplied
    further or summed along the rows, they take the scale: scales meet as
    vectors, and sums are scaled when they are made. On portable tile, f32.
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::tensor::TensorDialect",
    "::ramify::tile::TileDialect"];
}

#endif // RAMIFY_CONVERSION_HSATOTILE_TD
