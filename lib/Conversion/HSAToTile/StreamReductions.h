// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- StreamReductions.h - What a walk over chunks keeps -------*- C++ -*-===//
//
// One reduction of a stream, for one head: what is kept from tile to tile, how
// a tile of chunks is taken in, and what it is in the end.
//
//     fold                  one number for each row
//     dot over chunk        the rows of a stream, weighted and added up
//     logsumexp, softmax    the maximum m to base 2 and the sum of 2^(x - m)
//     topk                  scores and indices of the best k, and the values of
//                           streams at those that are asked for
//     add                   nothing: what the tile adds goes to memory
//
//===----------------------------------------------------------------------===//

#ifndef RAMIFY_LIB_CONVERSION_HSATOTILE_STREAMREDUCTIONS_H
#define RAMIFY_LIB_CONVERSION_HSATOTILE_STREAMREDUCTIONS_H

#include "StreamEmitter.h"

namespace ramify {

/// Whether the operation reduces a stream: a fold, dot, log-sum-exp or softmax
/// over chunks, a topk, or an addition to sums that have an element for each
/// chunk.
bool isStreamReduction(mlir::Operation *op);

/// The heads that a reduction is made for.
llvm::SmallVector<StreamHead> getReductionHeads(StreamEmitter &emitter,
                                                mlir::Operation *op);

class StreamReduction {
public:
  StreamReduction(mlir::Operation *op, StreamHead head,
                  llvm::SmallVector<hsa::TakeOp> takes);

  /// The streams that are read, the one that is reduced first.
  llvm::SmallVector<mlir::Value> getStreams() const;
  /// What `input` is where it changes nothing.
  double getNeutral() const;

  Tiles start(StreamEmitter &emitter) const;
  size_t countStates(StreamEmitter &emitter) const;
  mlir::FailureOr<Tiles> advance(StreamEmitter &emitter,
                                 mlir::ValueRange before) const;
  /// Tells the emitter the results.
  void finish(StreamEmitter &emitter, mlir::ValueRange states) const;

  mlir::Operation *op;
  StreamHead head;
  mlir::Value input;
  mlir::Value rows; ///< of a dot: what is added up; else null

private:
  /// Whether the result is one for all rows: a fold, or a dot, of what belongs
  /// to chunks alone.
  bool isShared() const;
  /// A value that goes along with the picks: `take` for the head `head`.
  struct Carried {
    hsa::TakeOp take;
    StreamHead head;
  };
  llvm::SmallVector<Carried> getCarried(StreamEmitter &emitter) const;
  mlir::FailureOr<mlir::Value>
  getTile(StreamEmitter &emitter, mlir::Value stream, StreamHead head) const;
  mlir::FailureOr<Tiles> advanceShared(StreamEmitter &emitter,
                                       mlir::Value before) const;
  mlir::FailureOr<Tiles> advanceDot(StreamEmitter &emitter, mlir::Value tile,
                                    mlir::ValueRange before) const;
  mlir::FailureOr<Tiles> advanceTopK(StreamEmitter &emitter, mlir::Value tile,
                                     mlir::ValueRange before) const;
  void finishTopK(StreamEmitter &emitter, mlir::ValueRange states) const;

  llvm::SmallVector<hsa::TakeOp> takes;
};

} // namespace ramify

#endif // RAMIFY_LIB_CONVERSION_HSATOTILE_STREAMREDUCTIONS_H
