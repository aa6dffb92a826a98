// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- ProgramOp.cpp - The program of one query block ---------------------===//

#include "dialects/HSA/IR/OpVerify.h"

#include "mlir/IR/Builders.h"
#include "mlir/Interfaces/FunctionImplementation.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace ramify::hsa;

//===----------------------------------------------------------------------===//
// Assembly: the names of the parameters are those that the text gives them.
//===----------------------------------------------------------------------===//

ParseResult ProgramOp::parse(OpAsmParser &parser, OperationState &result) {
  Builder &builder = parser.getBuilder();
  StringAttr symbol;
  SmallVector<OpAsmParser::Argument> parameters;
  SmallVector<Type> results;
  SmallVector<DictionaryAttr> resultAttrs;
  bool isVariadic = false;
  if (parser.parseSymbolName(symbol, getSymNameAttrName(result.name),
                             result.attributes) ||
      function_interface_impl::parseFunctionSignature(
          parser, /*allowVariadic=*/false, parameters, isVariadic, results,
          resultAttrs))
    return failure();

  SmallVector<Type> types;
  SmallVector<StringRef> names;
  for (const OpAsmParser::Argument &parameter : parameters) {
    types.push_back(parameter.type);
    names.push_back(parameter.ssaName.name.drop_front());
  }
  result.addAttribute(getFunctionTypeAttrName(result.name),
                      TypeAttr::get(builder.getFunctionType(types, results)));
  result.addAttribute(getArgNamesAttrName(result.name),
                      builder.getStrArrayAttr(names));
  if (parser.parseOptionalAttrDictWithKeyword(result.attributes))
    return failure();
  function_interface_impl::addArgAndResultAttrs(
      builder, result, parameters, resultAttrs,
      getArgAttrsAttrName(result.name), getResAttrsAttrName(result.name));
  return parser.parseRegion(*result.addRegion(), parameters);
}

void ProgramOp::print(OpAsmPrinter &printer) {
  printer << ' ';
  printer.printSymbolName(getSymName());
  function_interface_impl::printFunctionSignature(
      printer, *this, getArgumentTypes(), /*isVariadic=*/false,
      getResultTypes());
  function_interface_impl::printFunctionAttributes(
      printer, *this,
      {getFunctionTypeAttrName(), getArgNamesAttrName(), getArgAttrsAttrName(),
       getResAttrsAttrName()});
  printer << ' ';
  printer.printRegion(getBody(), /*printEntryBlockArgs=*/false);
}

void ProgramOp::getAsmBlockArgumentNames(Region &region,
                                         OpAsmSetValueNameFn setName) {
  for (auto [argument, name] : llvm::zip(
           region.getArguments(), getArgNames().getAsValueRange<StringAttr>()))
    setName(argument, name);
}

//===----------------------------------------------------------------------===//
// What the parameters tell
//===----------------------------------------------------------------------===//

StringRef ProgramOp::getParameterName(unsigned index) {
  return cast<StringAttr>(getArgNames()[index]).getValue();
}

BlockArgument ProgramOp::getParameter(StringRef name) {
  for (auto [argument, own] :
       llvm::zip(getBody().getArguments(),
                 getArgNames().getAsValueRange<StringAttr>()))
    if (own == name)
      return argument;
  return nullptr;
}

/// The pos or head axis of a parameter; 0 where it has none.
static int64_t axisSize(Type type, Axis axis) {
  if (auto query = dyn_cast<QueryType>(type))
    return axis == Axis::Pos ? query.getPos() : query.getHead();
  if (auto array = dyn_cast<ramify::hsa::ArrayType>(type))
    for (auto [own, size] : getSizedAxes(array))
      if (own == axis)
        return size;
  return 0;
}

int64_t ProgramOp::getAxisSize(Axis axis) {
  if (axis == Axis::Pos && getBlockAttr())
    return 1;
  int64_t most = 0;
  for (Type type : getArgumentTypes())
    most = std::max(most, axisSize(type, axis));
  return most;
}

int64_t ProgramOp::getBlockSize() {
  return getBlockAttr() ? getBlockAttr().getInt()
                        : std::max<int64_t>(getAxisSize(Axis::Pos), 1);
}

bool ProgramOp::isOfBlocks(Type type) {
  return axisSize(type, Axis::Pos) == 1 && getBlockSize() > 1;
}

/// The number of keys in a chunk of `partition`; 0 where a type does not tell.
static int64_t chunkSize(Type type, StringRef partition) {
  if (auto chunks = dyn_cast<ChunksType>(type))
    return chunks.getPartition() == partition ? chunks.getKey() : 0;
  if (auto landmarks = dyn_cast<LandmarksType>(type))
    return landmarks.getPartition() == partition ? landmarks.getKey() : 0;
  if (auto array = dyn_cast<ramify::hsa::ArrayType>(type))
    if (array.getPartition() == partition)
      return ShapedType::isDynamic(array.getKey()) ? axisSize(type, Axis::Key)
                                                   : array.getKey();
  return 0;
}

int64_t ProgramOp::getChunkSize(StringRef partition) {
  for (Type type : getArgumentTypes())
    if (int64_t size = chunkSize(type, partition))
      return size;
  return 0;
}

//===----------------------------------------------------------------------===//
// Verifiers
//===----------------------------------------------------------------------===//

/// The partition of a chunks, landmarks or array parameter; empty for any other
/// type.
static StringRef getPartition(Type type) {
  if (auto landmarks = dyn_cast<LandmarksType>(type))
    return landmarks.getPartition();
  if (auto chunks = dyn_cast<ChunksType>(type))
    return chunks.getPartition();
  if (auto array = dyn_cast<ramify::hsa::ArrayType>(type))
    return array.getPartition();
  return {};
}

static LogicalResult verifyNames(ProgramOp op) {
  if (op.getArgNames().size() != op.getNumArguments())
    return op.emitOpError()
           << "has " << op.getArgNames().size() << " names for "
           << op.getNumArguments() << " parameters";
  llvm::StringSet<> seen;
  for (StringRef name : op.getArgNames().getAsValueRange<StringAttr>()) {
    if (name.empty() || !(llvm::isAlpha(name[0]) || name[0] == '_'))
      return op.emitOpError() << "has a parameter named \"" << name
                              << "\", but a letter or _ was expected first";
    if (!seen.insert(name).second)
      return op.emitOpError() << "has two parameters named \"" << name << "\"";
  }
  return success();
}

static LogicalResult verifyParameterTypes(ProgramOp op) {
  for (auto [index, type] : llvm::enumerate(op.getArgumentTypes()))
    if (!isa<QueryType, ChunksType, LandmarksType, WeightsType, IndicesType,
             ramify::hsa::ArrayType, NumKeysType, QStartType, QPositionsType,
             SumsType>(type) &&
        !type.isF32() && !type.isInteger(32))
      return op.emitOpError()
             << "parameter \"" << op.getParameterName(index) << "\" is " << type
             << ", but a query, chunks, landmarks, weights, indices, array, "
                "num_keys, q_start, q_positions, sums, f32 or i32 was expected";
  return success();
}

/// Each query stands at one place.
static LogicalResult verifyPlaces(ProgramOp op) {
  Type keys;
  SmallVector<Type> places;
  for (Type type : op.getArgumentTypes()) {
    if (auto numKeys = dyn_cast<NumKeysType>(type)) {
      if (keys)
        return op.emitOpError() << "has two parameters of role num_keys";
      keys = type;
      if (!numKeys.getFromEnd())
        continue;
    } else if (!isa<QStartType, QPositionsType>(type)) {
      continue;
    }
    places.push_back(type);
  }
  if (places.size() < 2)
    return success();
  return op.emitOpError() << "says twice where its queries stand, by "
                          << places[0] << " and " << places[1];
}

/// Sizes that several parameters tell must agree; so must the names they use.
static LogicalResult verifyAgreement(ProgramOp op) {
  for (auto [index, type] : llvm::enumerate(op.getArgumentTypes())) {
    StringRef name = op.getParameterName(index);
    for (Axis axis : {Axis::Pos, Axis::Head}) {
      int64_t size = axisSize(type, axis), expected = op.getAxisSize(axis);
      if (axis == Axis::Pos)
        expected = op.getBlockSize();
      bool isOfBlocks = axis == Axis::Pos && op.isOfBlocks(type);
      if (size && size != expected && !isOfBlocks)
        return op.emitOpError()
               << "parameter \"" << name << "\" has " << stringifyAxis(axis)
               << " = " << size << ", but another has " << expected;
    }
    StringRef partition = getPartition(type);
    int64_t size = chunkSize(type, partition);
    int64_t expected = op.getChunkSize(partition);
    if (size && size != expected)
      return op.emitOpError() << "parameter \"" << name << "\" has chunks of "
                              << size << " keys, but another of partition \""
                              << partition << "\" has " << expected;
  }
  return success();
}

static LogicalResult verifyReferences(ProgramOp op) {
  for (auto [index, type] : llvm::enumerate(op.getArgumentTypes())) {
    StringRef name = op.getParameterName(index);
    if (auto weights = dyn_cast<WeightsType>(type)) {
      BlockArgument indices = op.getParameter(weights.getIndices());
      if (!indices || !isa<IndicesType>(indices.getType()))
        return op.emitOpError()
               << "parameter \"" << name << "\" weighs \""
               << weights.getIndices() << "\", which is no indices parameter";
    }
    if (auto indices = dyn_cast<IndicesType>(type))
      if (llvm::none_of(op.getArgumentTypes(), [&](Type other) {
            return getPartition(other) == indices.getPartition();
          }))
        return op.emitOpError()
               << "parameter \"" << name << "\" selects from \""
               << indices.getPartition()
               << "\", which is no parameter's partition";
  }
  return success();
}

/// Attention's results, and those of a selection. What the positions of a block
/// share is without pos.
static bool isResult(Type type, bool mayBeShared) {
  AxesAttr axes = getAxes(type);
  Type element = getElementTypeOrSelf(type);
  if (!axes || !cast<RankedTensorType>(type).hasStaticShape())
    return false;
  SmallVector<Axis> names(axes.getAxes());
  if (mayBeShared && !names.empty() && names[0] != Axis::Pos)
    names.insert(names.begin(), Axis::Pos);
  if (names == ArrayRef{Axis::Pos, Axis::Head} ||
      names == ArrayRef{Axis::Pos, Axis::Head, Axis::Dim})
    return element.isF32();
  return (names == ArrayRef{Axis::Pos, Axis::Slot} ||
          names == ArrayRef{Axis::Pos, Axis::Head, Axis::Slot}) &&
         (element.isF32() || element.isInteger(32));
}

static LogicalResult verifyResults(ProgramOp op) {
  for (Type type : op.getResultTypes())
    if (!isa<SumsType>(type) && !isResult(type, op.getAxisSize(Axis::Pos) > 1))
      return op.emitOpError()
             << "result is " << type
             << ", but an f32 tensor over pos, head or over pos, head, dim, an "
                "f32 or i32 tensor over pos, slot or over pos, head, slot, or "
                "sums was expected";
  return success();
}

LogicalResult ProgramOp::verify() {
  if (failed(verifyNames(*this)) || failed(verifyParameterTypes(*this)) ||
      failed(verifyAgreement(*this)) || failed(verifyReferences(*this)) ||
      failed(verifyPlaces(*this)) || failed(verifyResults(*this)))
    return failure();
  if (getBlockAttr() && getBlockAttr().getInt() < 2)
    return emitOpError() << "block is " << getBlockAttr().getInt()
                         << ", but at least 2 was expected";
  int64_t group = getGroupAttr().getInt(), head = getAxisSize(Axis::Head);
  if (group <= 0 || (head && group % head != 0))
    return emitOpError() << "group is " << group
                         << ", but a positive multiple of the size of the head "
                            "axis, "
                         << std::max<int64_t>(head, 1) << ", was expected";
  return success();
}

/// Pos and head of every value in the body are the parameters' own.
static LogicalResult verifySizes(ProgramOp program, Operation *op, Type type) {
  if (auto state = dyn_cast<SoftmaxStateType>(type))
    type = state.getValue();
  for (auto [axis, size] : getSizedAxes(type)) {
    int64_t expected = program.getAxisSize(axis);
    // Each query of a program that is launched may be a block.
    if (axis == Axis::Pos && isa<LaunchOp>(op) && size == 1)
      continue;
    if ((axis == Axis::Pos || axis == Axis::Head) && expected &&
        size != expected)
      return op->emitOpError()
             << "makes " << stringifyAxis(axis) << " = " << size
             << ", but the program's parameters have " << expected;
  }
  return success();
}

/// The chunk that gives an operation's key axes their length, or null.
static Value getChunkOfKeys(Operation *op) {
  if (auto yield = dyn_cast<YieldOp>(op))
    return cast<ReduceOp>(yield->getParentOp()).getChunkId();
  if (!isa<DotOp, SoftmaxOp, FoldOp, LogSumExpOp, KeyPositionsOp, MaskOp>(op))
    return nullptr;
  auto isChunk = [](Value operand) {
    return isa<ChunkIdType>(operand.getType());
  };
  auto it = llvm::find_if(op->getOperands(), isChunk);
  return it == op->operand_end() ? nullptr : *it;
}

/// The key axes of what an operation does with a chunk are as long as the
/// chunk.
static LogicalResult verifyKeys(ProgramOp program, Operation *op) {
  Value chunk = getChunkOfKeys(op);
  if (!chunk)
    return success();
  StringRef partition = cast<ChunkIdType>(chunk.getType()).getPartition();
  int64_t expected = program.getChunkSize(partition);
  for (TypeRange types :
       {TypeRange(op->getOperandTypes()), TypeRange(op->getResultTypes())})
    for (Type type : types)
      for (auto [axis, size] : getSizedAxes(type))
        if (axis == Axis::Key && expected && size != expected)
          return op->emitOpError()
                 << "has key = " << size << ", but chunks of partition \""
                 << partition << "\" have " << expected;
  return success();
}

/// Sums are added to in one place, which may be memory.
static LogicalResult verifyUses(Operation *op) {
  for (Value result : op->getResults())
    if (isa<SumsType>(result.getType()) && !isa<ZerosOp>(op) &&
        !result.use_empty() && !result.hasOneUse())
      return op->emitOpError("makes sums that are used more than once");
  return success();
}

LogicalResult ProgramOp::verifyRegions() {
  WalkResult result = walk([&](Operation *op) {
    for (Type type : op->getResultTypes())
      if (failed(verifySizes(*this, op, type)))
        return WalkResult::interrupt();
    if (failed(verifyUses(op)))
      return WalkResult::interrupt();
    return failed(verifyKeys(*this, op)) ? WalkResult::interrupt()
                                         : WalkResult::advance();
  });
  return failure(result.wasInterrupted());
}

LogicalResult ReturnOp::verify() {
  auto program = cast<ProgramOp>((*this)->getParentOp());
  ArrayRef<Type> expected = program.getResultTypes();
  if (getNumOperands() != expected.size())
    return emitOpError() << "returns " << getNumOperands()
                         << " values, but the program has " << expected.size()
                         << " results";
  for (auto [index, type] : llvm::enumerate(expected))
    if (failed(verifyType(*this, "result " + std::to_string(index),
                          getOperand(index).getType(), type)))
      return failure();
  return success();
}
