// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- TilePlacedOps.cpp - Attributes and ops of the placed stage ---------===//

#include "dialects/Tile/IR/OpVerify.h"

#include "mlir/IR/DialectImplementation.h"

using namespace mlir;
using namespace ramify::tile;

//===----------------------------------------------------------------------===//
// LayoutAttr
//===----------------------------------------------------------------------===//

/// `[[0, 1], [8, 0]]`: appends to `flat`; each inner list has one length.
static ParseResult parseBases(AsmParser &parser, SmallVector<int64_t> &flat,
                              int64_t &rank) {
  auto parseBasis = [&]() -> ParseResult {
    SMLoc location = parser.getCurrentLocation();
    size_t before = flat.size();
    if (parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, [&] {
          return parser.parseInteger(flat.emplace_back());
        }))
      return failure();
    int64_t found = flat.size() - before;
    if (rank >= 0 && found != rank)
      return parser.emitError(location, "expected ")
             << rank << " coordinates, found " << found;
    rank = found;
    return success();
  };
  return parser.parseCommaSeparatedList(AsmParser::Delimiter::Square,
                                        parseBasis);
}

Attribute LayoutAttr::parse(AsmParser &parser, Type) {
  SmallVector<int64_t> reg, lane, warps, repeat;
  int64_t rank = -1;
  auto parseCounts = [&](SmallVector<int64_t> &counts) {
    return parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, [&] {
      return parser.parseInteger(counts.emplace_back());
    });
  };
  if (parser.parseLess() || parser.parseKeyword("reg") || parser.parseEqual() ||
      parseBases(parser, reg, rank) || parser.parseComma() ||
      parser.parseKeyword("lane") || parser.parseEqual() ||
      parseBases(parser, lane, rank) || parser.parseComma() ||
      parser.parseKeyword("warps") || parser.parseEqual() ||
      parseCounts(warps) || parser.parseComma() ||
      parser.parseKeyword("repeat") || parser.parseEqual() ||
      parseCounts(repeat) || parser.parseGreater())
    return {};
  auto emitError = [&] { return parser.emitError(parser.getNameLoc()); };
  if (failed(verify(emitError, reg, lane, warps, repeat)))
    return {};
  return LayoutAttr::get(parser.getContext(), reg, lane, warps, repeat);
}

void LayoutAttr::print(AsmPrinter &printer) const {
  auto printBases = [&](ArrayRef<int64_t> flat) {
    printer << '[';
    for (size_t i = 0; i < flat.size(); i += getRank()) {
      if (i)
        printer << ", ";
      printer << '[' << flat.slice(i, getRank()) << ']';
    }
    printer << ']';
  };
  printer << "<reg = ";
  printBases(getReg());
  printer << ", lane = ";
  printBases(getLane());
  printer << ", warps = [" << getWarps() << "], repeat = [" << getRepeat()
          << "]>";
}

LogicalResult LayoutAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                 ArrayRef<int64_t> reg, ArrayRef<int64_t> lane,
                                 ArrayRef<int64_t> warps,
                                 ArrayRef<int64_t> repeat) {
  size_t rank = repeat.size();
  if (rank != 1 && rank != 2)
    return emitError() << "expected a layout of rank 1 or 2, found " << rank;
  if (warps.size() != rank)
    return emitError() << "expected warps along " << rank << " axes, found "
                       << warps.size();
  if (reg.size() % rank)
    return emitError() << "expected " << rank << " coordinates a register bit";
  if (lane.size() != 5 * rank)
    return emitError() << "expected bases of 5 lane bits, found "
                       << lane.size() / rank;
  for (int64_t basis : llvm::concat<const int64_t>(reg, lane))
    if (basis < 0 || (basis & (basis - 1)))
      return emitError() << "expected 0 or a power of two, found " << basis;
  for (int64_t count : llvm::concat<const int64_t>(warps, repeat))
    if (count < 1)
      return emitError() << "expected a positive count, found " << count;
  return success();
}

//===----------------------------------------------------------------------===//
// SharedAttr
//===----------------------------------------------------------------------===//

LogicalResult SharedAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                 int64_t swizzle, int64_t pad) {
  if (swizzle != 0 && swizzle != 32 && swizzle != 64 && swizzle != 128)
    return emitError() << "expected a swizzle of 0, 32, 64 or 128 bytes, found "
                       << swizzle;
  if (pad < 0 || pad % 16 || (pad && swizzle))
    return emitError()
           << "expected a multiple of 16 bytes of padding, and none "
              "beside a swizzle, found "
           << pad;
  return success();
}

//===----------------------------------------------------------------------===//
// Ops
//===----------------------------------------------------------------------===//

LogicalResult AllocSharedOp::verify() {
  return verifyBuffer(*this, cast<MemRefType>(getResult().getType()));
}

LogicalResult CopyAsyncOp::verify() {
  auto source = cast<MemRefType>(getSource().getType());
  auto target = cast<MemRefType>(getTarget().getType());
  if (failed(verifyBuffer(*this, target)) ||
      failed(verifyArray(*this, "the array", source)))
    return failure();
  if (source.getElementType() != target.getElementType())
    return emitOpError("element type of the array, ")
           << source.getElementType() << ", differs from the buffer's, "
           << target.getElementType();
  if (static_cast<int64_t>(getIndices().size()) != source.getRank() - 1)
    return emitOpError("expected ")
           << source.getRank() - 1 << " indices for " << source << ", found "
           << getIndices().size();
  auto check = [&](Value value, StringRef what) -> LogicalResult {
    auto type = dyn_cast<RankedTensorType>(value.getType());
    if (type &&
        (type.getRank() != 1 || type.getDimSize(0) != target.getDimSize(1)))
      return emitOpError("expected ")
             << what << " with " << target.getDimSize(1) << " elements, found "
             << type;
    return success();
  };
  for (Value index : getIndices())
    if (failed(check(index, "an index")))
      return failure();
  return getMask() ? check(getMask(), "a mask") : success();
}

/// Fails unless `tile` is what a stage of `buffer` holds.
static LogicalResult verifyStage(Operation *op, MemRefType buffer,
                                 RankedTensorType tile, bool transposed) {
  if (failed(verifyBuffer(op, buffer)))
    return failure();
  SmallVector<int64_t> shape(buffer.getShape().drop_front());
  if (transposed)
    std::swap(shape[0], shape[1]);
  if (buffer.getElementType() != tile.getElementType() ||
      ArrayRef<int64_t>(shape) != tile.getShape())
    return op->emitOpError("expected a tile of one stage of ")
           << buffer << (transposed ? ", transposed" : "") << ", found "
           << tile;
  return success();
}

LogicalResult LoadSharedOp::verify() {
  return verifyStage(*this, cast<MemRefType>(getSource().getType()),
                     cast<RankedTensorType>(getResult().getType()),
                     getTransposed());
}

LogicalResult StoreSharedOp::verify() {
  return verifyStage(*this, cast<MemRefType>(getTarget().getType()),
                     cast<RankedTensorType>(getValue().getType()),
                     /*transposed=*/false);
}

LogicalResult ConvertLayoutOp::verify() {
  auto from = cast<RankedTensorType>(getInput().getType());
  auto to = cast<RankedTensorType>(getResult().getType());
  if (from.getShape() != to.getShape() ||
      from.getElementType() != to.getElementType())
    return emitOpError("expected one shape and element type, found ")
           << from << " and " << to;
  return success();
}

/// Between equal layouts: the input. A constant has no threads. Of two moves
/// the first is none.
OpFoldResult ConvertLayoutOp::fold(FoldAdaptor adaptor) {
  if (getInput().getType() == getType())
    return getInput();
  if (auto splat = dyn_cast_or_null<SplatElementsAttr>(adaptor.getInput()))
    return splat.resizeSplat(getType());
  if (auto inner = getInput().getDefiningOp<ConvertLayoutOp>()) {
    getInputMutable().assign(inner.getInput());
    return getResult();
  }
  return {};
}
