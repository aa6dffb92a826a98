// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- HSATypes.cpp - Roles of parameters, loop ids, states ---------------===//

#include "dialects/HSA/IR/HSA.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallSet.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace ramify::hsa;

#define GET_TYPEDEF_CLASSES
#include "dialects/HSA/IR/HSATypes.cpp.inc"

void HSADialect::registerTypes() {
  addTypes<
#define GET_TYPEDEF_LIST
#include "dialects/HSA/IR/HSATypes.cpp.inc"
      >();
}

//===----------------------------------------------------------------------===//
// Verifiers
//===----------------------------------------------------------------------===//

using EmitError = function_ref<InFlightDiagnostic()>;

static LogicalResult verifyFloat(EmitError emitError, Type element) {
  if (element.isF32() || element.isBF16() || element.isF16())
    return success();
  return emitError() << "elements are " << element
                     << ", but f32, bf16 or f16 was expected";
}

static LogicalResult verifySize(EmitError emitError, StringRef axis,
                                int64_t size) {
  if (size > 0)
    return success();
  std::string found = ShapedType::isDynamic(size) ? "?" : std::to_string(size);
  return emitError() << axis << " is " << found
                     << ", but a positive size was expected";
}

static LogicalResult verifyName(EmitError emitError, StringRef what,
                                StringRef name) {
  if (!name.empty())
    return success();
  return emitError() << "the name of the " << what << " is empty";
}

LogicalResult QueryType::verify(EmitError emitError, Type element, int64_t pos,
                                int64_t head, int64_t dim) {
  return failure(failed(verifyFloat(emitError, element)) ||
                 failed(verifySize(emitError, "pos", pos)) ||
                 failed(verifySize(emitError, "head", head)) ||
                 failed(verifySize(emitError, "dim", dim)));
}

LogicalResult ChunksType::verify(EmitError emitError, StringRef partition,
                                 Type element, int64_t key, int64_t dim) {
  return failure(failed(verifyFloat(emitError, element)) ||
                 failed(verifySize(emitError, "key", key)) ||
                 failed(verifySize(emitError, "dim", dim)) ||
                 failed(verifyName(emitError, "partition", partition)));
}

LogicalResult LandmarksType::verify(EmitError emitError, StringRef partition,
                                    Type element, Heads, int64_t key,
                                    int64_t dim) {
  return failure(failed(verifyFloat(emitError, element)) ||
                 failed(verifySize(emitError, "key", key)) ||
                 failed(verifySize(emitError, "dim", dim)) ||
                 failed(verifyName(emitError, "partition", partition)));
}

/// A number of slots, 0 where the type leaves it open.
static LogicalResult verifySlots(EmitError emitError, int64_t slots) {
  return slots == 0 ? success() : verifySize(emitError, "slots", slots);
}

LogicalResult IndicesType::verify(EmitError emitError, StringRef partition,
                                  Type element, Heads, int64_t slots) {
  if (!element.isInteger(32) && !element.isInteger(64))
    return emitError() << "elements are " << element
                       << ", but i32 or i64 was expected";
  return failure(failed(verifyName(emitError, "partition", partition)) ||
                 failed(verifySlots(emitError, slots)));
}

LogicalResult WeightsType::verify(EmitError emitError, StringRef indices,
                                  Type element, Heads, int64_t slots) {
  return failure(failed(verifyFloat(emitError, element)) ||
                 failed(verifyName(emitError, "indices", indices)) ||
                 failed(verifySlots(emitError, slots)));
}

static LogicalResult verifyAxes(EmitError emitError, ArrayRef<Axis> axes,
                                ArrayRef<int64_t> shape) {
  llvm::SmallSet<Axis, 6> seen;
  for (auto [axis, size] : llvm::zip_equal(axes, shape)) {
    StringRef name = stringifyAxis(axis);
    if (axis == Axis::Slot)
      return emitError() << "array has an axis slot, but pos, head, chunk, key "
                            "or dim was expected";
    if (!seen.insert(axis).second)
      return emitError() << "array has the axis " << name << " twice";
    if (axis != Axis::Chunk && failed(verifySize(emitError, name, size)))
      return failure();
    if (axis == Axis::Chunk && !ShapedType::isDynamic(size))
      return emitError() << "chunk is " << size << ", but ? was expected";
  }
  return success();
}

LogicalResult ramify::hsa::ArrayType::verify(EmitError emitError, Type element,
                                             ArrayRef<Axis> axes,
                                             ArrayRef<int64_t> shape,
                                             StringRef partition, bool batch,
                                             int64_t key) {
  if (failed(verifyFloat(emitError, element)) ||
      failed(verifyAxes(emitError, axes, shape)))
    return failure();
  if (!ShapedType::isDynamic(key)) {
    if (failed(verifySize(emitError, "key", key)))
      return failure();
    if (!llvm::is_contained(axes, Axis::Chunk))
      return emitError() << "array has key = " << key
                         << " for its chunks, but no chunk axis";
  }
  int64_t partitioned =
      llvm::count(axes, Axis::Chunk) + llvm::count(axes, Axis::Key);
  if (partitioned == (partition.empty() ? 0 : 1))
    return success();
  if (partition.empty())
    return emitError() << "array has a key or chunk axis, but no partition "
                          "(`of`)";
  return emitError() << "array of partition \"" << partition << "\" has "
                     << partitioned
                     << " key and chunk axes, but one was expected";
}

LogicalResult SoftmaxStateType::verify(EmitError emitError,
                                       RankedTensorType value) {
  AxesAttr axes = ramify::hsa::getAxes(value);
  if (axes && value.getElementType().isF32() &&
      axes.getAxes() == ArrayRef<Axis>{Axis::Pos, Axis::Head, Axis::Dim})
    return success();
  return emitError() << "the value is " << value
                     << ", but an f32 tensor over pos, head, dim was expected";
}

RankedTensorType SoftmaxStateType::getRowType() const {
  SmallVector<SizedAxis> axes = getSizedAxes(getValue());
  axes.pop_back();
  return llvm::cast<RankedTensorType>(
      getNamedType(axes, getValue().getElementType()));
}

LogicalResult SumsType::verify(EmitError emitError, Type role) {
  if (llvm::isa<ChunksType, LandmarksType, WeightsType, ramify::hsa::ArrayType>(
          role))
    return success();
  return emitError()
         << "sums are of " << role
         << ", but chunks, landmarks, weights or an array was expected";
}

//===----------------------------------------------------------------------===//
// Assembly of arrays: <f32, [chunk = ?, head = 16], of "kv", key = 64, batch>
//===----------------------------------------------------------------------===//

static ParseResult parseSizedAxis(AsmParser &parser, SmallVector<Axis> &axes,
                                  SmallVector<int64_t> &shape) {
  FailureOr<Axis> axis = FieldParser<Axis>::parse(parser);
  if (failed(axis) || parser.parseEqual())
    return failure();
  axes.push_back(*axis);
  shape.push_back(ShapedType::kDynamic);
  if (succeeded(parser.parseOptionalQuestion()))
    return success();
  return parser.parseInteger(shape.back());
}

Type ramify::hsa::ArrayType::parse(AsmParser &parser) {
  SMLoc loc = parser.getCurrentLocation();
  Type element;
  SmallVector<Axis> axes;
  SmallVector<int64_t> shape;
  std::string partition;
  bool batch = false;
  int64_t key = ShapedType::kDynamic;
  if (parser.parseLess() || parser.parseType(element) || parser.parseComma() ||
      parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, [&] {
        return parseSizedAxis(parser, axes, shape);
      }))
    return {};
  while (succeeded(parser.parseOptionalComma())) {
    if (succeeded(parser.parseOptionalKeyword("batch")))
      batch = true;
    else if (succeeded(parser.parseOptionalKeyword("key"))) {
      if (parser.parseEqual() || parser.parseInteger(key))
        return {};
    } else if (parser.parseKeyword("of", ", `key` or `batch`") ||
               parser.parseString(&partition))
      return {};
  }
  if (parser.parseGreater())
    return {};
  return parser.getChecked<ArrayType>(loc, parser.getContext(), element, axes,
                                      shape, partition, batch, key);
}

void ramify::hsa::ArrayType::print(AsmPrinter &printer) const {
  printer << "<" << getElementType() << ", [";
  llvm::interleaveComma(getSizedAxes(*this), printer, [&](SizedAxis sized) {
    printer << stringifyAxis(sized.first) << " = ";
    if (ShapedType::isDynamic(sized.second))
      printer << "?";
    else
      printer << sized.second;
  });
  printer << "]";
  if (!getPartition().empty()) {
    printer << ", of ";
    printer.printString(getPartition());
  }
  if (!ShapedType::isDynamic(getKey()))
    printer << ", key = " << getKey();
  if (getBatch())
    printer << ", batch";
  printer << ">";
}

//===----------------------------------------------------------------------===//
// Assembly of types with one flag: !hsa.num_keys<from_end>, !hsa.num_keys
//===----------------------------------------------------------------------===//

static FailureOr<bool> parseFlag(AsmParser &parser, StringRef flag) {
  if (failed(parser.parseOptionalLess()))
    return false;
  if (parser.parseKeyword(flag) || parser.parseGreater())
    return failure();
  return true;
}

Type NumKeysType::parse(AsmParser &parser) {
  FailureOr<bool> fromEnd = parseFlag(parser, "from_end");
  return failed(fromEnd) ? Type() : get(parser.getContext(), *fromEnd);
}

void NumKeysType::print(AsmPrinter &printer) const {
  printer << (getFromEnd() ? "<from_end>" : "");
}

Type QPositionsType::parse(AsmParser &parser) {
  FailureOr<bool> batch = parseFlag(parser, "batch");
  return failed(batch) ? Type() : get(parser.getContext(), *batch);
}

void QPositionsType::print(AsmPrinter &printer) const {
  printer << (getBatch() ? "<batch>" : "");
}
