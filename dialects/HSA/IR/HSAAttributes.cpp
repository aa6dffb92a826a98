// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- HSAAttributes.cpp - Named axes -------------------------------------===//

#include "dialects/HSA/IR/HSA.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace ramify::hsa;

#include "dialects/HSA/IR/HSAEnums.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/HSA/IR/HSAAttributes.cpp.inc"

void HSADialect::registerAttributes() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/HSA/IR/HSAAttributes.cpp.inc"
      >();
}

int64_t AxesAttr::find(Axis axis) const {
  auto it = llvm::find(getAxes(), axis);
  return it == getAxes().end() ? -1 : it - getAxes().begin();
}

LogicalResult AxesAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                               ArrayRef<Axis> axes) {
  for (auto [before, after] : llvm::zip(axes, axes.drop_front(!axes.empty())))
    if (before >= after)
      return emitError() << "axis " << stringifyAxis(after) << " stands after "
                         << stringifyAxis(before)
                         << ", but the order is pos, head, chunk, slot, key, "
                            "dim, each at most once";
  return success();
}

LogicalResult
AxesAttr::verifyEncoding(ArrayRef<int64_t> shape, Type elementType,
                         function_ref<InFlightDiagnostic()> emitError) const {
  if (shape.size() != getAxes().size())
    return emitError() << "tensor has " << shape.size() << " axes, but "
                       << getAxes().size() << " are named";
  for (auto [axis, size] : llvm::zip(getAxes(), shape)) {
    bool mayVary = axis == Axis::Chunk || axis == Axis::Slot;
    if (ShapedType::isDynamic(size) && !mayVary)
      return emitError() << "axis " << stringifyAxis(axis)
                         << " has size ?, but only chunk and slot may";
    if (size == 0)
      return emitError() << "axis " << stringifyAxis(axis)
                         << " has size 0, but a positive size was expected";
  }
  if (!elementType.isF32() && !elementType.isBF16() && !elementType.isF16() &&
      !elementType.isInteger(32) && !elementType.isInteger(1))
    return emitError() << "elements are " << elementType
                       << ", but f32, bf16, f16, i32 or i1 was expected";
  return success();
}

//===----------------------------------------------------------------------===//
// Assembly: over pos, head
//===----------------------------------------------------------------------===//

ParseResult ramify::hsa::parseOver(OpAsmParser &parser, AxesAttr &over) {
  SMLoc loc = parser.getCurrentLocation();
  SmallVector<Axis> axes;
  auto parseOne = [&]() -> ParseResult {
    FailureOr<Axis> axis = FieldParser<Axis>::parse(parser);
    if (failed(axis))
      return failure();
    axes.push_back(*axis);
    return success();
  };
  if (parser.parseCommaSeparatedList(parseOne))
    return failure();
  over = parser.getChecked<AxesAttr>(loc, parser.getContext(), axes);
  return success(bool(over));
}

void ramify::hsa::printOver(OpAsmPrinter &printer, Operation *, AxesAttr over) {
  llvm::interleaveComma(over.getAxes(), printer,
                        [&](Axis axis) { printer << stringifyAxis(axis); });
}

//===----------------------------------------------------------------------===//
// Named tensors
//===----------------------------------------------------------------------===//

AxesAttr ramify::hsa::getAxes(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor ? dyn_cast_or_null<AxesAttr>(tensor.getEncoding()) : nullptr;
}

bool ramify::hsa::isNamedTensor(Type type) { return bool(getAxes(type)); }

SmallVector<SizedAxis> ramify::hsa::getSizedAxes(Type type) {
  SmallVector<SizedAxis> sized;
  if (AxesAttr axes = getAxes(type))
    for (auto [axis, size] :
         llvm::zip(axes.getAxes(), cast<RankedTensorType>(type).getShape()))
      sized.push_back({axis, size});
  return sized;
}

SmallVector<SizedAxis> ramify::hsa::getSizedAxes(ramify::hsa::ArrayType type) {
  return llvm::to_vector(llvm::map_range(
      llvm::zip(type.getAxes(), type.getShape()), [](auto sized) {
        return SizedAxis(std::get<0>(sized), std::get<1>(sized));
      }));
}

SmallVector<SizedAxis> ramify::hsa::dropAxes(SmallVector<SizedAxis> axes,
                                             AxesAttr dropped) {
  llvm::erase_if(
      axes, [&](SizedAxis sized) { return dropped.contains(sized.first); });
  return axes;
}

Type ramify::hsa::getNamedType(SmallVector<SizedAxis> sized, Type element) {
  if (sized.empty())
    return element;
  llvm::sort(sized);
  SmallVector<Axis> axes = llvm::to_vector(llvm::make_first_range(sized));
  SmallVector<int64_t> shape = llvm::to_vector(llvm::make_second_range(sized));
  return RankedTensorType::get(shape, element,
                               AxesAttr::get(element.getContext(), axes));
}
