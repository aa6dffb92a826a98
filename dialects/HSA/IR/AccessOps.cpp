// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- AccessOps.cpp - What a program reads: arrays and positions ---------===//

#include "dialects/HSA/IR/OpVerify.h"

#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace ramify::hsa;

/// The head axis as a result has it: a role does not tell how many heads a
/// block has, the program's verifier compares it.
static SizedAxis getHeadAxis(Type result) {
  for (SizedAxis sized : getSizedAxes(result))
    if (sized.first == Axis::Head)
      return sized;
  return {Axis::Head, 1};
}

/// A selection row as a whole: over slot, and over head for each query head.
template <typename Role>
static LogicalResult verifyRow(LoadOp op, Role role, Type element) {
  if (!role.getSlots())
    return op.emitOpError() << "source is " << role
                            << ", but `slots` was expected to read it whole";
  SmallVector<SizedAxis> axes = {{Axis::Slot, role.getSlots()}};
  Type result = op.getResult().getType();
  if (role.getHeads() == Heads::Query)
    axes.push_back(getHeadAxis(result));
  return verifyType(op, "result", result, getNamedType(axes, element));
}

LogicalResult LoadOp::verify() {
  Type source = getSource().getType(), result = getResult().getType();
  if (auto weights = dyn_cast<WeightsType>(source))
    return verifyRow(*this, weights, weights.getElementType());
  if (auto indices = dyn_cast<IndicesType>(source))
    return verifyRow(*this, indices, IntegerType::get(getContext(), 32));
  if (auto sums = dyn_cast<SumsType>(source)) {
    auto weights = dyn_cast<WeightsType>(sums.getRole());
    if (!weights)
      return emitOpError() << "source is " << source
                           << ", but sums of weights were expected";
    return verifyRow(*this, weights, Float32Type::get(getContext()));
  }
  auto program = (*this)->getParentOfType<ProgramOp>();
  bool isOfBlocks =
      program && !program.getBlockAttr() && program.isOfBlocks(source);
  if (auto query = dyn_cast<QueryType>(source)) {
    SmallVector<SizedAxis> axes = {{Axis::Head, query.getHead()},
                                   {Axis::Dim, query.getDim()}};
    if (!isOfBlocks)
      axes.push_back({Axis::Pos, query.getPos()});
    return verifyType(*this, "result", result,
                      getNamedType(axes, query.getElementType()));
  }
  auto array = cast<ramify::hsa::ArrayType>(source);
  if (!array.getPartition().empty())
    return emitOpError() << "source is " << array
                         << ", but an array without key and chunk axes was "
                            "expected; use hsa.chunk";
  SmallVector<SizedAxis> axes = getSizedAxes(array);
  if (isOfBlocks)
    llvm::erase_if(axes, [](SizedAxis own) { return own.first == Axis::Pos; });
  return verifyType(*this, "result", result,
                    getNamedType(axes, array.getElementType()));
}

LogicalResult ChunkOp::verify() {
  Type source = getSource().getType(), element;
  StringRef partition;
  SmallVector<SizedAxis> axes;
  if (auto landmarks = dyn_cast<LandmarksType>(source)) {
    partition = landmarks.getPartition();
    element = landmarks.getElementType();
    axes = {{Axis::Dim, landmarks.getDim()}};
    if (landmarks.getHeads() == Heads::Query)
      axes.push_back(getHeadAxis(getResult().getType()));
  } else if (auto chunks = dyn_cast<ChunksType>(source)) {
    partition = chunks.getPartition();
    element = chunks.getElementType();
    axes = {{Axis::Key, chunks.getKey()}, {Axis::Dim, chunks.getDim()}};
  } else {
    auto array = cast<ramify::hsa::ArrayType>(source);
    partition = array.getPartition();
    element = array.getElementType();
    axes = getSizedAxes(array);
    llvm::erase_if(axes,
                   [](SizedAxis sized) { return sized.first == Axis::Chunk; });
  }
  if (partition != getChunk().getType().getPartition())
    return emitOpError() << "source is " << source
                         << ", but one of partition \""
                         << getChunk().getType().getPartition()
                         << "\" was expected";
  return verifyType(*this, "result", getResult().getType(),
                    getNamedType(axes, element));
}

/// A tensor loses its slot axis; it has the slots of the selection that is
/// visited, if their number is known.
static LogicalResult verifyTensorAt(AtOp op, RankedTensorType source) {
  int64_t slot = getAxes(source).find(Axis::Slot);
  if (slot < 0)
    return op.emitOpError() << "reads " << source
                            << ", but a tensor with a slot axis was expected";
  SmallVector<SizedAxis> axes = getSizedAxes(source);
  int64_t size = axes[slot].second;
  axes.erase(axes.begin() + slot);
  if (failed(verifyType(op, "result", op.getResult().getType(),
                        getNamedType(axes, source.getElementType()))))
    return failure();
  auto argument = dyn_cast<BlockArgument>(op.getSlot());
  auto loop = argument ? dyn_cast<ReduceOp>(argument.getOwner()->getParentOp())
                       : nullptr;
  auto selected = loop ? loop.getDomain().getDefiningOp<SelectedOp>() : nullptr;
  if (!selected || !selected.isComputed())
    return success();
  auto slots = cast<RankedTensorType>(selected.getIndices().getType());
  int64_t expected = slots.getDimSize(getAxes(slots).find(Axis::Slot));
  if (size == expected)
    return success();
  return op.emitOpError() << "reads " << source << ", but the selection has "
                          << expected << " slots";
}

LogicalResult AtOp::verify() {
  auto weights = dyn_cast<WeightsType>(getSource().getType());
  if (!weights)
    return verifyTensorAt(*this, cast<RankedTensorType>(getSource().getType()));
  StringRef indices = getSlot().getType().getIndices();
  if (weights.getIndices() != indices)
    return emitOpError() << "weights are of \"" << weights.getIndices()
                         << "\", but the slot is of \"" << indices << "\"";
  Type result = getResult().getType(), element = weights.getElementType();
  if (weights.getHeads() == Heads::Query)
    return verifyOver(*this, "result", result, {Axis::Head}, element);
  return verifyType(*this, "result", result, element);
}

/// Of a row of weights, the weight is read by itself; of a value that is the
/// same in every slot, no slot is read.
LogicalResult AtOp::canonicalize(AtOp op, PatternRewriter &rewriter) {
  if (auto load = op.getSource().getDefiningOp<LoadOp>()) {
    auto weights = dyn_cast<WeightsType>(load.getSource().getType());
    if (!weights || weights.getIndices() != op.getSlot().getType().getIndices())
      return failure();
    rewriter.modifyOpInPlace(
        op, [&] { op.getSourceMutable().assign(load.getSource()); });
    return success();
  }
  auto broadcast = op.getSource().getDefiningOp<BroadcastOp>();
  if (!broadcast)
    return failure();
  Value input = broadcast.getInput();
  AxesAttr axes = getAxes(input.getType());
  if (axes && axes.contains(Axis::Slot))
    return failure();
  if (input.getType() == op.getResult().getType())
    rewriter.replaceOp(op, input);
  else
    rewriter.replaceOpWithNewOp<BroadcastOp>(op, op.getResult().getType(),
                                             input);
  return success();
}

LogicalResult QueryPositionsOp::verify() {
  return verifyOver(*this, "result", getType(), {Axis::Pos},
                    IntegerType::get(getContext(), 32));
}

LogicalResult KeyPositionsOp::verify() {
  return verifyOver(*this, "result", getType(), {Axis::Key},
                    IntegerType::get(getContext(), 32));
}
