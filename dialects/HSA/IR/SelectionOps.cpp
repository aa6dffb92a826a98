// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- SelectionOps.cpp - Streams over chunks, picks, slots ---------------===//

#include "dialects/HSA/IR/OpVerify.h"

#include "mlir/IR/BuiltinAttributes.h"

using namespace mlir;
using namespace ramify::hsa;

/// More slots than this take other algorithms than a sorted list for each row.
static constexpr int64_t maxTopK = 128;

static Type getI32(Operation *op) {
  return IntegerType::get(op->getContext(), 32);
}

//===----------------------------------------------------------------------===//
// stream, chunk_info
//===----------------------------------------------------------------------===//

LogicalResult StreamOp::verify() {
  RankedTensorType result = getType();
  if (auto array = dyn_cast<ramify::hsa::ArrayType>(getSource().getType())) {
    if (!llvm::is_contained(array.getAxes(), Axis::Chunk))
      return emitOpError() << "source is " << array
                           << ", but landmarks or an array with a chunk axis "
                              "was expected";
    return verifyType(
        *this, "result", result,
        getNamedType(getSizedAxes(array), array.getElementType()));
  }
  auto landmarks = cast<LandmarksType>(getSource().getType());
  SmallVector<SizedAxis> axes = {{Axis::Chunk, ShapedType::kDynamic},
                                 {Axis::Dim, landmarks.getDim()}};
  if (landmarks.getHeads() == Heads::Query) {
    int64_t head = getAxes(result).find(Axis::Head);
    axes.push_back({Axis::Head, head < 0 ? 1 : result.getDimSize(head)});
  }
  return verifyType(*this, "result", result,
                    getNamedType(axes, landmarks.getElementType()));
}

LogicalResult ChunkInfoOp::verify() {
  if (failed(verifyType(
          *this, "result", getType(),
          getNamedType({{Axis::Chunk, ShapedType::kDynamic}}, getI32(*this)))))
    return failure();
  auto program = (*this)->getParentOfType<ProgramOp>();
  if (!program || program.getChunkSize(getPartition()))
    return success();
  return emitOpError() << "asks for chunks of \"" << getPartition()
                       << "\", whose size no parameter tells";
}

//===----------------------------------------------------------------------===//
// topk, take
//===----------------------------------------------------------------------===//

/// Fails unless `type` has a chunk axis and otherwise pos and head.
static LogicalResult verifyStream(Operation *op, RankedTensorType type) {
  AxesAttr axes = getAxes(type);
  if (axes.contains(Axis::Chunk) && !axes.contains(Axis::Slot) &&
      !axes.contains(Axis::Key) && !axes.contains(Axis::Dim))
    return success();
  return op->emitOpError() << "reads " << type
                           << ", but a stream over chunk, with pos and head if "
                              "at all, was expected";
}

LogicalResult TopKOp::verify() {
  int64_t k = getKAttr().getInt();
  if (k < 1 || k > maxTopK)
    return emitOpError() << "k is " << k << ", but 1 to " << maxTopK
                         << " was expected";
  RankedTensorType scores = getScores().getType();
  if (failed(verifyF32(*this, scores)) || failed(verifyStream(*this, scores)))
    return failure();
  SmallVector<SizedAxis> axes = getSizedAxes(scores);
  for (SizedAxis &sized : axes)
    if (sized.first == Axis::Chunk)
      sized = {Axis::Slot, k};
  return verifyType(*this, "result", getType(),
                    getNamedType(axes, getI32(*this)));
}

static LogicalResult verifySlots(Operation *op, RankedTensorType slots) {
  bool fits = slots.getElementType().isInteger(32) &&
              getAxes(slots).contains(Axis::Slot);
  for (Axis axis : getAxes(slots).getAxes())
    fits &= axis == Axis::Pos || axis == Axis::Head || axis == Axis::Slot;
  if (fits)
    return success();
  return op->emitOpError() << "slots are " << slots
                           << ", but i32 over slot, with pos and head if at "
                              "all, was expected";
}

LogicalResult TakeOp::verify() {
  RankedTensorType stream = getStream().getType(), slots = getSlots().getType();
  Type element = stream.getElementType();
  if (!element.isF32() && !element.isInteger(32))
    return emitOpError() << "takes from a stream of " << element
                         << ", but f32 or i32 was expected";
  if (failed(verifyStream(*this, stream)) || failed(verifySlots(*this, slots)))
    return failure();
  SmallVector<SizedAxis> axes = getSizedAxes(slots);
  for (SizedAxis sized : getSizedAxes(stream)) {
    auto same = llvm::find_if(
        axes, [&](SizedAxis other) { return other.first == sized.first; });
    if (same != axes.end() && same->second != sized.second)
      return emitOpError() << "has an axis " << stringifyAxis(sized.first)
                           << " of " << sized.second << " and of "
                           << same->second << ", but equal sizes were expected";
    if (same == axes.end() && sized.first != Axis::Chunk)
      axes.push_back(sized);
  }
  return verifyType(*this, "result", getType(), getNamedType(axes, element));
}

//===----------------------------------------------------------------------===//
// put
//===----------------------------------------------------------------------===//

LogicalResult PutOp::verify() {
  RankedTensorType values = getValues().getType(), slots = getSlots().getType();
  if (failed(verifyF32(*this, values)) || failed(verifySlots(*this, slots)))
    return failure();
  SmallVector<SizedAxis> axes = getSizedAxes(values), result;
  for (SizedAxis expected : getSizedAxes(slots))
    if (!llvm::is_contained(axes, expected))
      return emitOpError() << "puts " << values << ", but "
                           << stringifyAxis(expected.first) << " = "
                           << expected.second << " was expected";
  for (auto [axis, size] : axes)
    result.push_back(axis == Axis::Slot
                         ? SizedAxis{Axis::Chunk, ShapedType::kDynamic}
                         : SizedAxis{axis, size});
  return verifyType(*this, "result", getType(),
                    getNamedType(result, values.getElementType()));
}

//===----------------------------------------------------------------------===//
// scan, logsumexp
//===----------------------------------------------------------------------===//

LogicalResult ScanOp::verify() {
  if (getMonoid() != Monoid::Sum)
    return emitOpError() << "monoid is " << stringifyMonoid(getMonoid())
                         << ", but sum was expected";
  if (getOver() != Axis::Slot)
    return emitOpError() << "goes over " << stringifyAxis(getOver())
                         << ", but slot was expected";
  return failure(
      failed(verifyF32(*this, getType())) ||
      failed(verifyAlong(*this, getType(), getOver(), /*chunk=*/nullptr)));
}

/// One slot: its own value, or with `exclusive` nothing. Sums of zeros are
/// zero.
OpFoldResult ScanOp::fold(FoldAdaptor adaptor) {
  auto splat = dyn_cast_or_null<SplatElementsAttr>(adaptor.getInput());
  if (splat && splat.getSplatValue<APFloat>().isPosZero())
    return splat;
  if (getType().getDimSize(getAxes(getType()).find(Axis::Slot)) != 1)
    return {};
  if (!getExclusive())
    return getInput();
  if (!getType().hasStaticShape())
    return {};
  return DenseElementsAttr::get(getType(), APFloat(0.0f));
}

LogicalResult LogSumExpOp::verify() {
  RankedTensorType input = getInput().getType();
  if (failed(verifyF32(*this, input)) ||
      failed(verifyAlong(*this, input, getOver(), getChunk())))
    return failure();
  SmallVector<SizedAxis> axes = getSizedAxes(input);
  llvm::erase_if(axes,
                 [&](SizedAxis sized) { return sized.first == getOver(); });
  return verifyType(*this, "result", getResult().getType(),
                    getNamedType(axes, input.getElementType()));
}
