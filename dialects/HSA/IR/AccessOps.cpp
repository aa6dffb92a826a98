// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- AccessOps.cpp - What a program reads: arrays and positions ---------===//

#include "dialects/HSA/IR/OpVerify.h"

using namespace mlir;
using namespace ramify::hsa;

LogicalResult LoadOp::verify() {
  Type source = getSource().getType(), result = getResult().getType();
  if (auto query = dyn_cast<QueryType>(source))
    return verifyType(*this, "result", result,
                      getNamedType({{Axis::Pos, query.getPos()},
                                    {Axis::Head, query.getHead()},
                                    {Axis::Dim, query.getDim()}},
                                   query.getElementType()));
  auto array = cast<ramify::hsa::ArrayType>(source);
  if (!array.getPartition().empty())
    return emitOpError() << "source is " << array
                         << ", but an array without key and chunk axes was "
                            "expected; use hsa.chunk";
  return verifyType(*this, "result", result,
                    getNamedType(getSizedAxes(array), array.getElementType()));
}

LogicalResult ChunkOp::verify() {
  Type source = getSource().getType(), element;
  StringRef partition;
  SmallVector<SizedAxis> axes;
  if (auto chunks = dyn_cast<ChunksType>(source)) {
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

LogicalResult AtOp::verify() {
  WeightsType weights = getSource().getType();
  StringRef indices = getSlot().getType().getIndices();
  if (weights.getIndices() != indices)
    return emitOpError() << "weights are of \"" << weights.getIndices()
                         << "\", but the slot is of \"" << indices << "\"";
  Type result = getResult().getType(), element = weights.getElementType();
  if (weights.getHeads() == Heads::Query)
    return verifyOver(*this, "result", result, {Axis::Head}, element);
  return verifyType(*this, "result", result, element);
}

LogicalResult QueryPositionsOp::verify() {
  return verifyOver(*this, "result", getType(), {Axis::Pos},
                    IntegerType::get(getContext(), 32));
}

LogicalResult KeyPositionsOp::verify() {
  return verifyOver(*this, "result", getType(), {Axis::Key},
                    IntegerType::get(getContext(), 32));
}
