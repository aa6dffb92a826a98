// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- StageProgram.cpp - One of the programs of a function ---------------===//

#include "StageProgram.h"

#include "TileShape.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace ramify;
using hsa::Axis;

//===----------------------------------------------------------------------===//
// What belongs to it
//===----------------------------------------------------------------------===//

void StageProgram::collect(Operation *op) {
  if (ops.contains(op))
    return;
  op->walk([&](Operation *inner) {
    for (Value operand : inner->getOperands())
      if (!op->isAncestor(operand.getParentBlock()->getParentOp()))
        collect(operand);
  });
  ops.insert(op);
}

void StageProgram::collect(Value value) {
  if (isa<BlockArgument>(value)) {
    parameters.insert(value);
    return;
  }
  Operation *op = value.getDefiningOp();
  int own = stages->of(value);
  // Comparisons are cheaper made again than stored, and so is what is spread.
  bool isSpread =
      isa<hsa::BroadcastOp>(op) && !hasAxis(value.getType(), Axis::Slot);
  bool isAgain = isa<hsa::SelectedOp, hsa::ZerosOp>(op) || isSpread ||
                 hasAxis(value.getType(), Axis::Chunk) ||
                 getElementTypeOrSelf(value).isInteger(1);
  // So are numbers of slots, by the stages that compute with them.
  isAgain |= stage % 2 == 0 && own % 2 == 0 && Stages::isOfNumbers(op);
  if (own == stage || own == Stages::kFree || isAgain)
    collect(op);
  else
    crossing.insert(value);
}

/// Values of slots name the slots that they belong to: those come along.
void StageProgram::collectSlots() {
  bool hasSlots = false, hasValues = false;
  for (Value value : crossing) {
    bool isOfSlots = hasAxis(value.getType(), Axis::Slot);
    bool isInteger = getElementTypeOrSelf(value).isInteger(32);
    hasSlots |= isOfSlots && isInteger;
    hasValues |= isOfSlots && !isInteger;
  }
  if (!hasValues || hasSlots)
    return;
  for (Operation &op : whole.getBody().front())
    if (auto topk = dyn_cast<hsa::TopKOp>(op))
      if (stages->of(topk.getResult()) < stage) {
        crossing.insert(topk.getResult());
        return;
      }
}

/// Parameters that tell sizes and places, whether an operation names them or
/// not: the query, lengths and starts, and the first that counts the keys of
/// each partition.
bool StageProgram::isImplied(unsigned index) const {
  auto getPartition = [](Type type) -> StringRef {
    if (auto chunks = dyn_cast<hsa::ChunksType>(type))
      return chunks.getPartition();
    if (auto landmarks = dyn_cast<hsa::LandmarksType>(type))
      return landmarks.getPartition();
    return {};
  };
  hsa::ProgramOp program = whole;
  ArrayRef<Type> types = program.getArgumentTypes();
  Type type = types[index];
  if (isa<hsa::NumKeysType, hsa::QStartType, hsa::QPositionsType>(type))
    return true;
  auto before = types.take_front(index);
  auto isOfPositions = [&](Type type) {
    return isa<hsa::QueryType>(type) && !program.isOfBlocks(type);
  };
  if (isa<hsa::QueryType>(type))
    return isOfPositions(type) && llvm::none_of(before, isOfPositions);
  StringRef partition = getPartition(type);
  if (partition.empty())
    return false;
  bool hasChunks = llvm::any_of(types, [&](Type other) {
    return isa<hsa::ChunksType>(other) && getPartition(other) == partition;
  });
  if (hasChunks && !isa<hsa::ChunksType>(type))
    return false;
  return llvm::none_of(before, [&](Type other) {
    return getPartition(other) == partition &&
           isa<hsa::ChunksType>(other) == hasChunks;
  });
}

/// The weights that a value is sums of which are read back, with their
/// elements; or null.
static hsa::WeightsType getSummedWeights(Value value) {
  auto sums = dyn_cast<hsa::SumsType>(value.getType());
  auto role = sums ? dyn_cast<hsa::WeightsType>(sums.getRole()) : nullptr;
  if (!role || llvm::none_of(value.getUsers(), llvm::IsaPred<hsa::LoadOp>))
    return nullptr;
  auto f32 = Float32Type::get(value.getContext());
  return hsa::WeightsType::get(value.getContext(), role.getIndices(), f32,
                               role.getHeads(), role.getSlots());
}

void StageProgram::addParameters() {
  // Weights name the indices that they belong to.
  for (Value value : llvm::to_vector(parameters))
    if (auto weights = dyn_cast<hsa::WeightsType>(value.getType()))
      if (BlockArgument indices = whole.getParameter(weights.getIndices()))
        parameters.insert(indices);
  // So do sums of weights, which come as weights.
  for (Value value : crossing)
    if (auto weights = getSummedWeights(value))
      if (BlockArgument indices = whole.getParameter(weights.getIndices()))
        parameters.insert(indices);
  // Sums have the shape of their parameter.
  for (Value output : outputs)
    if (auto sums = dyn_cast<hsa::SumsType>(output.getType()))
      for (BlockArgument argument : whole.getBody().getArguments())
        if (argument.getType() == sums.getRole())
          parameters.insert(argument);
  for (BlockArgument argument : whole.getBody().getArguments()) {
    unsigned index = argument.getArgNumber();
    if (!parameters.contains(argument) && !isImplied(index))
      continue;
    inputs.push_back(argument);
    types.push_back(argument.getType());
    names.push_back(whole.getParameterName(index).str());
  }
}

//===----------------------------------------------------------------------===//
// What is handed on
//===----------------------------------------------------------------------===//

/// Whether it is one number for each position or block, and head or all heads.
static bool isOfRows(Type type) {
  return getElementTypeOrSelf(type).isF32() &&
         llvm::all_of(hsa::getSizedAxes(type), [](hsa::SizedAxis axis) {
           return axis.first == Axis::Pos || axis.first == Axis::Head;
         });
}

/// What a program returns for a value: of slots, a row for each query block. A
/// number for all heads, or for all positions of a block, is one for each.
static Type getResultType(hsa::ProgramOp program, Value value) {
  Type type = value.getType();
  int64_t positions = program.getAxisSize(Axis::Pos);
  if (isOfRows(type)) {
    SmallVector<hsa::SizedAxis> axes = hsa::getSizedAxes(type);
    if (!hasAxis(type, Axis::Head))
      axes.push_back(
          {Axis::Head, std::max<int64_t>(program.getAxisSize(Axis::Head), 1)});
    if (!hasAxis(type, Axis::Pos) && positions <= 1)
      axes.push_back({Axis::Pos, 1});
    return hsa::getNamedType(axes, getElementTypeOrSelf(type));
  }
  if (!hasAxis(type, Axis::Slot) || hasAxis(type, Axis::Pos) || positions > 1)
    return type;
  SmallVector<hsa::SizedAxis> axes = hsa::getSizedAxes(type);
  axes.push_back({Axis::Pos, positions});
  return hsa::getNamedType(axes, getElementTypeOrSelf(type));
}

//===----------------------------------------------------------------------===//
// What comes from earlier stages
//===----------------------------------------------------------------------===//

/// The name of a parameter for `value`: that of the domain which visits it.
std::string StageProgram::getName(Value value) {
  for (Operation *user : value.getUsers())
    if (auto selected = dyn_cast<hsa::SelectedOp>(user);
        selected && ops.contains(user))
      return selected.getAs()->str();
  std::string base = hasAxis(value.getType(), Axis::Slot) ? "slots" : "rows";
  for (int number = 0;; ++number) {
    std::string name = base + std::to_string(number);
    if (!whole.getParameter(name) && !llvm::is_contained(names, name))
      return name;
  }
}

/// The partition that picks are of: that of the first walk over chunks.
static StringRef findPartition(hsa::ProgramOp program) {
  StringRef found;
  program.walk([&](Operation *op) {
    if (auto info = dyn_cast<hsa::ChunkInfoOp>(op))
      found = found.empty() ? info.getPartition() : found;
    if (auto stream = dyn_cast<hsa::StreamOp>(op); stream && found.empty()) {
      Type source = stream.getSource().getType();
      if (auto landmarks = dyn_cast<hsa::LandmarksType>(source))
        found = landmarks.getPartition();
      else
        found = cast<hsa::ArrayType>(source).getPartition();
    }
  });
  return found;
}

/// The indices whose slots a value is read at; empty if it is not.
static StringRef getVisited(Value value) {
  for (Operation *user : value.getUsers())
    if (auto at = dyn_cast<hsa::AtOp>(user))
      return cast<hsa::SlotType>(at.getSlot().getType()).getIndices();
  return {};
}

FailureOr<Type> StageProgram::getRole(Value value) {
  if (auto weights = getSummedWeights(value))
    return Type(weights);
  if (isa<hsa::SumsType>(value.getType())) // this stage adds more
    return value.getType();
  if (isa<hsa::SoftmaxStateType>(value.getType()))
    return emitError(value.getLoc())
           << "an online softmax is added to before and after a selection that "
              "follows from it: make another one behind the selection";
  if (isOfRows(value.getType()))
    return getRoleOfRows(value);
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type)
    return refuse(value);
  Type element = type.getElementType();
  auto axes = hsa::getAxes(type).getAxes();
  MLIRContext *context = type.getContext();
  if (int64_t slots = getSize(type, Axis::Slot)) {
    hsa::Heads heads =
        hasAxis(type, Axis::Head) ? hsa::Heads::Query : hsa::Heads::KV;
    if (element.isInteger(32))
      return Type(hsa::IndicesType::get(context, findPartition(whole), element,
                                        heads, slots));
    // Those of the visits that read it, if there are any.
    StringRef visited = getVisited(value);
    for (auto [known, name] : llvm::zip(types, names))
      if (isa<hsa::IndicesType>(known) && (visited.empty() || name == visited))
        return Type(
            hsa::WeightsType::get(context, name, element, heads, slots));
  }
  bool isOfBlocks = axes == ArrayRef{Axis::Head, Axis::Dim};
  if (axes == ArrayRef{Axis::Pos, Axis::Head, Axis::Dim} || isOfBlocks)
    for (Type known : whole.getArgumentTypes())
      if (auto query = dyn_cast<hsa::QueryType>(known))
        return Type(hsa::QueryType::get(
            context, query.getElementType(),
            isOfBlocks ? 1 : getSize(type, Axis::Pos),
            getSize(type, Axis::Head), getSize(type, Axis::Dim)));
  return refuse(value);
}

LogicalResult StageProgram::refuse(Value value) {
  return emitError(value.getLoc())
         << "makes " << value.getType()
         << ", which a selection and a reduction over what it selected cannot "
            "hand to each other";
}

/// An array with a row for each position or block.
Type StageProgram::getRoleOfRows(Value value) {
  Type type = getResultType(whole, value);
  int64_t positions = std::max<int64_t>(getSize(type, Axis::Pos), 1);
  return hsa::ArrayType::get(
      type.getContext(), getElementTypeOrSelf(type), {Axis::Pos, Axis::Head},
      {positions, getSize(type, Axis::Head)}, /*partition=*/"", /*batch=*/true);
}

LogicalResult StageProgram::addCrossing() {
  // Indices first: values of slots name them.
  SmallVector<Value> ordered;
  for (bool integers : {true, false})
    llvm::copy_if(crossing, std::back_inserter(ordered), [&](Value value) {
      return getElementTypeOrSelf(value).isInteger(32) == integers;
    });
  crossing.clear();
  for (Value value : ordered) {
    crossing.insert(value);
    FailureOr<Type> role = getRole(value);
    if (failed(role))
      return failure();
    std::string name = getName(value);
    inputs.push_back(value);
    types.push_back(*role);
    names.push_back(name);
  }
  return success();
}

//===----------------------------------------------------------------------===//
// The program
//===----------------------------------------------------------------------===//

void StageProgram::createProgram() {
  OpBuilder b(whole);
  SmallVector<Type> results;
  for (Value output : outputs)
    results.push_back(getResultType(whole, output));
  SmallVector<StringRef> views(names.begin(), names.end());
  program = b.create<hsa::ProgramOp>(
      whole.getLoc(), whole.getSymName(), b.getFunctionType(types, results),
      b.getStrArrayAttr(views), whole.getGroup(), nullptr, nullptr, nullptr);
  Block &body = program.getBody().emplaceBlock();
  for (auto [input, type] : llvm::zip_equal(inputs, types)) {
    BlockArgument argument = body.addArgument(type, whole.getLoc());
    if (isa<BlockArgument>(input))
      mapping.map(input, argument);
  }
}

/// What was handed on is loaded, and has its axes again.
void StageProgram::mapCrossing(OpBuilder &b) {
  for (auto [input, argument] :
       llvm::zip_equal(inputs, program.getBody().getArguments())) {
    if (isa<BlockArgument>(input))
      continue;
    Location loc = input.getLoc();
    Type type = input.getType();
    if (isa<hsa::SumsType>(type)) { // added to, or, as weights, read back
      mapping.map(input, argument);
      continue;
    }
    if (isOfRows(type)) {
      Type rows = getResultType(whole, input);
      Value loaded = b.create<hsa::LoadOp>(loc, rows, argument);
      if (rows != type)
        loaded = b.create<hsa::SameOp>(loc, type, loaded);
      mapping.map(input, loaded);
      continue;
    }
    SmallVector<hsa::SizedAxis> axes;
    for (hsa::SizedAxis axis : hsa::getSizedAxes(type))
      if (axis.first != Axis::Pos || !hasAxis(type, Axis::Slot))
        axes.push_back(axis);
    Type element = getElementTypeOrSelf(type);
    if (auto query = dyn_cast<hsa::QueryType>(argument.getType()))
      element = query.getElementType();
    Value loaded =
        b.create<hsa::LoadOp>(loc, hsa::getNamedType(axes, element), argument);
    if (element != getElementTypeOrSelf(type))
      loaded = b.create<arith::ExtFOp>(
          loc, hsa::getNamedType(axes, getElementTypeOrSelf(type)), loaded);
    if (loaded.getType() != type)
      loaded = b.create<hsa::BroadcastOp>(loc, type, loaded);
    mapping.map(input, loaded);
  }
}

/// A tensor's element at a slot becomes the weight's.
void StageProgram::replaceAt(OpBuilder &b, hsa::AtOp at) {
  Value source = at.getSource();
  for (auto [input, argument] :
       llvm::zip_equal(inputs, program.getBody().getArguments())) {
    if (isa<BlockArgument>(input) || mapping.lookup(input) != source)
      continue;
    auto weights = cast<hsa::WeightsType>(argument.getType());
    b.setInsertionPoint(at);
    Type type = at.getType(), element = weights.getElementType();
    if (weights.getHeads() == hsa::Heads::Query)
      element =
          hsa::getNamedType({{Axis::Head, getSize(type, Axis::Head)}}, element);
    Value weight =
        b.create<hsa::AtOp>(at.getLoc(), element, argument, at.getSlot());
    if (element != type)
      weight = b.create<hsa::BroadcastOp>(at.getLoc(), type, weight);
    at.replaceAllUsesWith(weight);
    return at.erase();
  }
}

void StageProgram::cloneBody(OpBuilder &b) {
  for (Operation &op : whole.getBody().front()) {
    if (!ops.contains(&op))
      continue;
    auto selected = dyn_cast<hsa::SelectedOp>(op);
    auto *known =
        selected ? llvm::find(inputs, selected.getIndices()) : inputs.end();
    if (known == inputs.end() || isa<BlockArgument>(*known)) {
      b.clone(op, mapping);
      continue;
    }
    BlockArgument indices =
        program.getBody().getArgument(std::distance(inputs.begin(), known));
    mapping.map(selected.getResult(),
                b.create<hsa::SelectedOp>(op.getLoc(), selected.getType(),
                                          indices, nullptr, nullptr)
                    .getResult());
  }
  SmallVector<Value> results;
  for (Value output : outputs) {
    Value result = mapping.lookup(output);
    Type type = getResultType(whole, output);
    if (type != result.getType())
      result = b.create<hsa::BroadcastOp>(output.getLoc(), type, result);
    results.push_back(result);
  }
  b.create<hsa::ReturnOp>(whole.getLoc(), results);
  SmallVector<hsa::AtOp> ats;
  program.walk([&](hsa::AtOp at) {
    if (hsa::isNamedTensor(at.getSource().getType()))
      ats.push_back(at);
  });
  for (hsa::AtOp at : ats)
    replaceAt(b, at);
}

LogicalResult StageProgram::build() {
  for (Value output : outputs)
    collect(output.getDefiningOp());
  collectSlots();
  addParameters();
  if (failed(addCrossing()))
    return failure();
  createProgram();
  OpBuilder b = OpBuilder::atBlockEnd(&program.getBody().front());
  mapCrossing(b);
  cloneBody(b);
  return success();
}
