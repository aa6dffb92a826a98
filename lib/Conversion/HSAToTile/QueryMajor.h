// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- QueryMajor.h - What owners of a query block do -----------*- C++ -*-===//
//
// Parts of query_major that other schedules have launches of: a program holds
// the rows of one query block and visits chunks, or what is left of the visits.
//
//===----------------------------------------------------------------------===//

#ifndef RAMIFY_LIB_CONVERSION_HSATOTILE_QUERYMAJOR_H
#define RAMIFY_LIB_CONVERSION_HSATOTILE_QUERYMAJOR_H

#include "Schedule.h"

namespace ramify {

/// The rows of program (x, y, z): query block x / rowBlocks, behind
/// `firstBlock`, heads y and sequence z, behind `firstSequence`; i32, or null
/// for 0. `x` is an index; null for the program's own.
void emitQueryRows(BodyEmitter &emitter, const Parameters &parameters,
                   tile::KernelOp kernel, mlir::Value firstBlock = nullptr,
                   mlir::Value firstSequence = nullptr,
                   mlir::Value x = nullptr);

/// A reduction, chunk by chunk.
mlir::LogicalResult emitQueryReduce(BodyEmitter &emitter, hsa::ReduceOp op);

/// A part of the visits of a query block, as many as the others have: indices.
struct Slice {
  mlir::Value number; ///< null: all visits
  mlir::Value count;  ///< of slices
};

/// The visits of a reduction, or a slice of them: `states` are the accumulators
/// before and after them.
mlir::LogicalResult emitQueryVisits(BodyEmitter &emitter, hsa::ReduceOp op,
                                    Tiles &states, const Slice &slice = {});

/// One visit, of a chunk of `keys` keys; returns the accumulators after it.
mlir::FailureOr<Tiles> emitQueryVisit(BodyEmitter &emitter, hsa::ReduceOp op,
                                      int64_t keys, Chunk &chunk,
                                      mlir::ValueRange before);

/// The slots of a turn: each an index, its chunk's number, an i32, and whether
/// it holds a chunk, an i1.
struct SlotChunks {
  Tiles slots, numbers, present;
};

/// The accumulators after slots of which one or more hold a chunk, from those
/// before them.
using SlotVisit = llvm::function_ref<mlir::FailureOr<Tiles>(
    const SlotChunks &visited, mlir::ValueRange before)>;

/// A loop over the slots of the block, or a slice of them, that hold one of
/// `chunks` chunks, `together` in a turn.
mlir::LogicalResult emitSlots(BodyEmitter &emitter, hsa::SelectedOp selected,
                              mlir::Value chunks, Tiles &states,
                              SlotVisit visit, int64_t together,
                              const Slice &slice = {});

/// What the accumulators of `op` are before it, and after it.
Tiles getStates(BodyEmitter &emitter, hsa::ReduceOp op);
void setResults(BodyEmitter &emitter, hsa::ReduceOp op,
                llvm::ArrayRef<mlir::Value> states);

/// The head of the selection tensor that the program's rows share: an index.
mlir::Value getSelectionHead(BodyEmitter &emitter, hsa::SelectedOp selected);

/// The tiles of all reductions in words, each kind once.
std::string describeTiles(hsa::ProgramOp program, const TileShape &shape);

/// Indices per query head need a program for each query head.
mlir::LogicalResult checkHeads(hsa::ProgramOp program, const TileShape &shape);

} // namespace ramify

#endif // RAMIFY_LIB_CONVERSION_HSATOTILE_QUERYMAJOR_H
