// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- Parameters.cpp - Roles of parameters as arrays in memory -----------===//

#include "Parameters.h"

#include "TileShape.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace ramify;
using hsa::Axis;

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

/// An array whose last dimension is contiguous.
static MemRefType getArray(ArrayRef<int64_t> shape, Type element) {
  SmallVector<int64_t> strides(shape.size(), ShapedType::kDynamic);
  if (strides.empty())
    return MemRefType::get({}, element);
  strides.back() = 1;
  auto layout =
      StridedLayoutAttr::get(element.getContext(), /*offset=*/0, strides);
  return MemRefType::get(shape, element, layout);
}

static MemRefType getArray(hsa::ArrayType type) {
  SmallVector<int64_t> shape(type.getBatch() ? 1 : 0, ShapedType::kDynamic);
  for (auto [axis, size] : hsa::getSizedAxes(type))
    shape.push_back(axis == Axis::Dim ? size : ShapedType::kDynamic);
  return getArray(shape, type.getElementType());
}

Type ramify::getMemoryType(Type role) {
  constexpr int64_t any = ShapedType::kDynamic;
  return TypeSwitch<Type, Type>(role)
      .Case<hsa::QueryType, hsa::ChunksType>([](auto type) {
        return getArray({any, any, any, type.getDim()}, type.getElementType());
      })
      .Case([](hsa::LandmarksType type) {
        return getArray({any, any, any, type.getDim()}, type.getElementType());
      })
      .Case<hsa::IndicesType, hsa::WeightsType>([](auto type) {
        return getArray(
            {any, any, any, type.getSlots() ? type.getSlots() : any},
            type.getElementType());
      })
      .Case([](hsa::ArrayType type) { return getArray(type); })
      .Case([](hsa::SumsType type) {
        auto array = cast<MemRefType>(getMemoryType(type.getRole()));
        return MemRefType::Builder(array).setElementType(
            Float32Type::get(type.getContext()));
      })
      .Case<hsa::NumKeysType, hsa::QStartType>([](Type type) {
        return getArray({any}, IntegerType::get(type.getContext(), 32));
      })
      .Case([](hsa::QPositionsType type) {
        Type i32 = IntegerType::get(type.getContext(), 32);
        return type.getBatch() ? getArray({any, any}, i32)
                               : getArray({any}, i32);
      })
      .Default([](Type type) { return type; });
}

//===----------------------------------------------------------------------===//
// Names of sizes
//===----------------------------------------------------------------------===//

/// Sizes of the first partition or indices are N, C, K; those of others carry
/// its name.
static std::string getSizeName(hsa::ProgramOp program, StringRef size,
                               StringRef owner) {
  for (auto [index, type] : llvm::enumerate(program.getArgumentTypes())) {
    StringRef first;
    if (size == "K" && isa<hsa::IndicesType>(type))
      first = program.getParameterName(index);
    else if (auto chunks = dyn_cast<hsa::ChunksType>(type);
             chunks && size != "K")
      first = chunks.getPartition();
    else if (auto landmarks = dyn_cast<hsa::LandmarksType>(type);
             landmarks && size != "K")
      first = landmarks.getPartition();
    if (!first.empty())
      return first == owner ? size.str() : (size + "_" + owner).str();
  }
  return (size + "_" + owner).str();
}

static StringRef getHeadsName(hsa::Heads heads) {
  switch (heads) {
  case hsa::Heads::One:
    return "1";
  case hsa::Heads::KV:
    return "H";
  case hsa::Heads::Query:
    return "HQ";
  }
  llvm_unreachable("all cases are covered");
}

static std::string getAxisName(hsa::ProgramOp program, hsa::ArrayType type,
                               Axis axis, int64_t size) {
  switch (axis) {
  case Axis::Pos:
    return "L";
  case Axis::Head:
    return "HQ";
  case Axis::Chunk:
    return getSizeName(program, "C", type.getPartition());
  case Axis::Key:
    return getSizeName(program, "N", type.getPartition());
  default:
    return std::to_string(size);
  }
}

static SmallVector<std::string> getDims(hsa::ProgramOp program, StringRef name,
                                        Type role) {
  SmallVector<std::string> dims;
  if (auto sums = dyn_cast<hsa::SumsType>(role))
    return getDims(program, name, sums.getRole());
  auto slots = [&](hsa::Heads heads, StringRef indices) {
    dims = {"B", "rows", getHeadsName(heads).str(),
            getSizeName(program, "K", indices)};
  };
  if (auto type = dyn_cast<hsa::QueryType>(role)) {
    StringRef length = program.isOfBlocks(type) ? "rows" : "L";
    dims = {"B", length.str(), "HQ", std::to_string(type.getDim())};
  } else if (auto type = dyn_cast<hsa::ChunksType>(role)) {
    dims = {"B", getSizeName(program, "N", type.getPartition()), "H",
            std::to_string(type.getDim())};
  } else if (auto type = dyn_cast<hsa::LandmarksType>(role)) {
    dims = {"B", getSizeName(program, "C", type.getPartition()),
            getHeadsName(type.getHeads()).str(), std::to_string(type.getDim())};
  } else if (auto type = dyn_cast<hsa::IndicesType>(role)) {
    slots(type.getHeads(), name);
  } else if (auto type = dyn_cast<hsa::WeightsType>(role)) {
    slots(type.getHeads(), type.getIndices());
  } else if (auto type = dyn_cast<hsa::ArrayType>(role)) {
    if (type.getBatch())
      dims.push_back("B");
    for (auto [axis, size] : hsa::getSizedAxes(type))
      dims.push_back(axis == Axis::Pos && program.isOfBlocks(type)
                         ? "rows"
                         : getAxisName(program, type, axis, size));
  } else if (isa<hsa::NumKeysType, hsa::QStartType>(role)) {
    dims = {"B"};
  } else if (auto type = dyn_cast<hsa::QPositionsType>(role)) {
    if (type.getBatch())
      dims.push_back("B");
    dims.push_back("L");
  }
  return dims;
}

Attribute Parameters::getDim(StringRef name) {
  // A parameter may have the name of a size.
  std::string free = name.str();
  while (program.getParameter(free))
    free += "_";
  return StringAttr::get(program.getContext(), free);
}

//===----------------------------------------------------------------------===//
// Parameters
//===----------------------------------------------------------------------===//

/// The program that is launched; its kernel may have the same name already.
static hsa::ProgramOp getCallee(hsa::LaunchOp launch) {
  for (auto program :
       launch->getParentOfType<ModuleOp>().getOps<hsa::ProgramOp>())
    if (program.getSymName() == launch.getCallee())
      return program;
  llvm_unreachable("verified");
}

/// Whether some operation asks where the queries stand among the keys.
static bool needsStart(hsa::ProgramOp program) {
  return program
      .walk([](Operation *op) {
        bool asks = isa<hsa::QueryPositionsOp, hsa::BlockPositionOp,
                        hsa::WindowOp, hsa::OwnOp>(op);
        if (auto launch = dyn_cast<hsa::LaunchOp>(op))
          asks = needsStart(getCallee(launch));
        return asks ? WalkResult::interrupt() : WalkResult::advance();
      })
      .wasInterrupted();
}

/// Whether it is one of several programs of a function.
static bool isLaunched(hsa::ProgramOp program) {
  auto launches = [&](hsa::LaunchOp launch) {
    return launch.getCallee() == program.getSymName();
  };
  auto module = program->getParentOfType<ModuleOp>();
  return module &&
         llvm::any_of(module.getOps<hsa::ProgramOp>(),
                      [&](hsa::ProgramOp other) {
                        return llvm::any_of(
                            other.getBody().getOps<hsa::LaunchOp>(), launches);
                      });
}

Parameters::Parameters(hsa::ProgramOp program) : program(program) {
  for (BlockArgument argument : program.getBody().getArguments())
    addParameter(argument);
  asksPositions = needsStart(program);
  program.walk([&](hsa::BlockPositionOp) { asksBlocks = true; });
  auto keys = numKeys ? cast<hsa::NumKeysType>(numKeys.getType()) : nullptr;
  bool isFromEnd = !places && keys && keys.getFromEnd();
  bool isFromStart = places && isa<hsa::QStartType>(places.getType());
  if (asksPositions && !places && !isFromEnd)
    addStart();
  else if (asksPositions && (isFromEnd || isFromStart) && isLaunched(program))
    addWindowStart();
  addResults();
}

void Parameters::addParameter(BlockArgument argument) {
  StringRef name = program.getParameterName(argument.getArgNumber());
  if (isa<hsa::QueryType>(argument.getType()) && !query &&
      !program.isOfBlocks(argument.getType()))
    query = argument;
  if (isa<hsa::NumKeysType>(argument.getType()))
    numKeys = argument;
  if (isa<hsa::QStartType, hsa::QPositionsType>(argument.getType()))
    places = argument;
  types.push_back(getMemoryType(argument.getType()));
  Builder b(program.getContext());
  NamedAttrList attrs;
  attrs.set("ramify.name", b.getStringAttr(name));
  if (isa<MemRefType>(types.back())) {
    SmallVector<Attribute> dims;
    for (const std::string &dim : getDims(program, name, argument.getType()))
      dims.push_back(getDim(dim));
    attrs.set("ramify.dims", b.getArrayAttr(dims));
  }
  attributes.push_back(attrs.getDictionary(program.getContext()));
}

/// The dimension of the array that counts the partition's keys or chunks.
static std::optional<std::pair<Axis, int64_t>> findSize(Type role,
                                                        StringRef partition) {
  if (auto chunks = dyn_cast<hsa::ChunksType>(role))
    if (chunks.getPartition() == partition)
      return std::pair(Axis::Key, 1);
  if (auto landmarks = dyn_cast<hsa::LandmarksType>(role))
    if (landmarks.getPartition() == partition)
      return std::pair(Axis::Chunk, 1);
  auto array = dyn_cast<hsa::ArrayType>(role);
  if (!array || array.getPartition() != partition)
    return std::nullopt;
  for (auto [index, axis] : llvm::enumerate(array.getAxes()))
    if (axis == Axis::Key || axis == Axis::Chunk)
      return std::pair(axis, index + (array.getBatch() ? 1 : 0));
  return std::nullopt;
}

/// The partition of a parameter; empty if it has none.
static StringRef getPartition(Type role) {
  return llvm::TypeSwitch<Type, StringRef>(role)
      .Case<hsa::ChunksType, hsa::LandmarksType, hsa::IndicesType,
            hsa::ArrayType>([](auto type) { return type.getPartition(); })
      .Default(StringRef());
}

std::string Parameters::getKeys() {
  StringRef partition;
  for (Type type : program.getArgumentTypes())
    if (partition.empty())
      partition = getPartition(type);
  std::string chunks;
  for (Type type : program.getArgumentTypes()) {
    auto found = partition.empty() ? std::nullopt : findSize(type, partition);
    if (!found)
      continue;
    std::string size =
        getSizeName(program, found->first == Axis::Key ? "N" : "C", partition);
    StringRef name = cast<StringAttr>(getDim(size)).getValue();
    if (found->first == Axis::Key)
      return name.str();
    chunks = name.str();
  }
  int64_t size = program.getChunkSize(partition);
  return chunks.empty() || !size ? "" : (chunks + " * " + Twine(size)).str();
}

void Parameters::addStart() {
  Builder b(program.getContext());
  start = types.size();
  types.push_back(b.getI32Type());
  NamedAttrList attrs;
  attrs.set("ramify.name", b.getStringAttr("q_start"));
  attrs.set("ramify.role", b.getStringAttr("q_start"));
  std::string keys = getKeys();
  Attribute end = keys.empty() ? getDim("L") : b.getStringAttr(keys);
  attrs.set("ramify.default", b.getArrayAttr({end, getDim("L")}));
  attributes.push_back(attrs.getDictionary(program.getContext()));
}

void Parameters::addWindowStart() {
  Builder b(program.getContext());
  ofWindow = true;
  start = types.size();
  types.push_back(b.getI32Type());
  attributes.push_back(b.getDictionaryAttr(
      b.getNamedAttr("ramify.name", b.getStringAttr("window_start"))));
}

void Parameters::addResults() {
  constexpr int64_t any = ShapedType::kDynamic;
  for (Type type : program.getResultTypes()) {
    if (isa<hsa::SumsType>(type)) {
      results.push_back(cast<MemRefType>(getMemoryType(type)));
    } else if (int64_t slots = getSize(type, Axis::Slot)) {
      results.push_back(
          getArray({any, any, any, slots}, getElementTypeOrSelf(type)));
    } else if (int64_t dim = getSize(type, Axis::Dim)) {
      Type element = cast<hsa::QueryType>(query.getType()).getElementType();
      results.push_back(getArray({any, any, any, dim}, element));
    } else {
      results.push_back(getArray({any, any, any}, getElementTypeOrSelf(type)));
    }
  }
}

SmallVector<Type> Parameters::getKernelTypes() const {
  SmallVector<Type> all(types);
  llvm::append_range(all, results);
  return all;
}

SmallVector<Attribute> Parameters::getKernelAttributes() const {
  Builder b(types[0].getContext());
  auto named = [&](Attribute name) -> Attribute {
    return b.getDictionaryAttr(b.getNamedAttr("ramify.name", name));
  };
  SmallVector<Attribute> all;
  for (Attribute attribute : attributes)
    all.push_back(named(cast<DictionaryAttr>(attribute).get("ramify.name")));
  for (unsigned index = 0; index < results.size(); ++index)
    all.push_back(named(b.getStringAttr("result" + Twine(index))));
  return all;
}

//===----------------------------------------------------------------------===//
// Sizes of partitions
//===----------------------------------------------------------------------===//

Value ramify::countQueries(TileBuilder &b, hsa::ProgramOp program,
                           Value query) {
  Value length = b.create<memref::DimOp>(query, b.index(1));
  if (!program.getBlockAttr())
    return length;
  int64_t positions = program.getBlockSize();
  return b.div(b.createOrFold<arith::AddIOp>(length, b.index(positions - 1)),
               positions);
}

PartitionSize ramify::getWholeSize(TileBuilder &b, hsa::ProgramOp program,
                                   StringRef partition,
                                   function_ref<Value(Value)> memory) {
  int64_t chunk = std::max<int64_t>(program.getChunkSize(partition), 1);
  PartitionSize size;
  for (BlockArgument argument : program.getBody().getArguments()) {
    auto found = findSize(argument.getType(), partition);
    if (!found)
      continue;
    Value count = b.toI32(
        b.create<memref::DimOp>(memory(argument), b.index(found->second)));
    if (found->first == Axis::Key) {
      Value chunks = b.div(b.add(count, b.i32(chunk - 1)), chunk);
      return {count, chunks};
    }
    if (!size.chunks)
      size = {b.mul(count, b.i32(chunk)), count};
  }
  return size;
}

PartitionSize ramify::getPartitionSize(TileBuilder &b, hsa::ProgramOp program,
                                       StringRef partition,
                                       function_ref<Value(Value)> memory,
                                       Value batch) {
  PartitionSize size = getWholeSize(b, program, partition, memory);
  auto arguments = program.getBody().getArguments();
  auto isNumKeys = [](BlockArgument argument) {
    return isa<hsa::NumKeysType>(argument.getType());
  };
  auto numKeys = llvm::find_if(arguments, isNumKeys);
  if (numKeys == arguments.end() || !size.keys)
    return size;
  int64_t chunk = std::max<int64_t>(program.getChunkSize(partition), 1);
  Value own = b.create<memref::LoadOp>(memory(*numKeys), batch);
  Value keys = b.max(b.min(own, size.keys), b.i32(0));
  return {keys, b.div(b.add(keys, b.i32(chunk - 1)), chunk)};
}
