// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- OneLaunch.cpp - Programs of launches as one kernel -----------------===//

#include "OneLaunch.h"

#include "dialects/Tile/Transforms/AssignLayouts.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace ramify;
using hsa::Axis;

//===----------------------------------------------------------------------===//
// Whether and how
//===----------------------------------------------------------------------===//

/// Whether programs of the grid would write the same row of slots, and then
/// read what others wrote: those of several heads with the same keys.
static bool sharesSlots(hsa::ProgramOp program, const TileShape &shape) {
  return shape.heads != shape.group &&
         llvm::any_of(program.getResultTypes(), [](Type type) {
           return hasAxis(type, Axis::Slot) && !hasAxis(type, Axis::Head);
         });
}

static std::string whyNot(const LaunchedProgram &launched,
                          const TileLimits &limits) {
  hsa::ProgramOp program = launched.program;
  StringRef schedule = launched.schedule->name;
  if (schedule != "streamed" && schedule != "query_major")
    return (program.getSymName() + " goes by " + schedule).str();
  auto isSums = [](Type type) { return isa<hsa::SumsType>(type); };
  if (llvm::any_of(program.getResultTypes(), isSums))
    return (program.getSymName() + " adds to sums over all query blocks").str();
  TileShape shape(program, limits);
  if (shape.positions > 1)
    return "query blocks have " + std::to_string(shape.positions) +
           " positions each";
  if (schedule == "query_major" && shape.rowBlocks > 1)
    return "the " + std::to_string(shape.heads) +
           " heads of a query block are the rows of " +
           std::to_string(shape.rowBlocks) + " programs";
  if (sharesSlots(program, shape))
    return "query heads that share what they select are those of several "
           "programs";
  return "";
}

std::string ramify::whyNotOneLaunch(ArrayRef<LaunchedProgram> programs,
                                    const TileLimits &limits) {
  for (const LaunchedProgram &launched : programs)
    if (std::string why = whyNot(launched, limits); !why.empty())
      return why;
  return "";
}

TileLimits ramify::getLimitsOfOneLaunch(ArrayRef<LaunchedProgram> programs,
                                        const TileLimits &limits) {
  TileLimits own = limits;
  own.streamBlocks = 1;
  own.streamRows = limits.rowsMultiple;
  if (limits.rowsMultiple == 1)
    return own;
  // Warps share the rows of all tiles: those of visits are as many as of walks.
  for (const LaunchedProgram &launched : programs)
    if (launched.schedule->name == "query_major")
      own.streamRows = TileShape(launched.program, limits).rows;
  return own;
}

//===----------------------------------------------------------------------===//
// One kernel
//===----------------------------------------------------------------------===//

namespace {
/// What kernels say of an argument that is given to them.
struct Given {
  StringAttr name;        ///< in the last of them
  int64_t alignment = 16; ///< the least
};

/// Collects launches and writes their kernels one behind the other.
class KernelJoiner {
public:
  explicit KernelJoiner(tile::PlanOp plan)
      : plan(plan), module(plan->getParentOfType<ModuleOp>()),
        launches(plan.getBody().getOps<tile::LaunchOp>()) {}

  void join();

private:
  tile::KernelOp kernelOf(tile::LaunchOp launch) {
    return module.lookupSymbol<tile::KernelOp>(launch.getKernel());
  }
  void collectArguments();
  tile::KernelOp createKernel(OpBuilder &b);
  void cloneBodies(OpBuilder &b, tile::KernelOp kernel);

  tile::PlanOp plan;
  ModuleOp module;
  SmallVector<tile::LaunchOp> launches;
  /// What is given to the kernels, each once.
  llvm::MapVector<Value, Given> arguments;
};
} // namespace

void KernelJoiner::collectArguments() {
  for (tile::LaunchOp launch : launches) {
    tile::KernelOp kernel = kernelOf(launch);
    for (auto [input, argument] :
         llvm::zip_equal(launch.getInputs(), kernel.getBody().getArguments())) {
      Given &given = arguments[input];
      given.name = kernel.getArgAttrOfType<StringAttr>(argument.getArgNumber(),
                                                       "ramify.name");
      given.alignment =
          std::min(given.alignment, tile::getAlignment(kernel, argument));
    }
  }
}

tile::KernelOp KernelJoiner::createKernel(OpBuilder &b) {
  SmallVector<Type> types;
  SmallVector<Attribute> attributes;
  llvm::StringSet<> names;
  for (auto [input, given] : arguments) {
    types.push_back(input.getType());
    std::string free = given.name.str();
    for (int number = 1; !names.insert(free).second; ++number)
      free = (given.name.getValue() + "_" + Twine(number)).str();
    NamedAttrList attrs;
    attrs.set("ramify.name", b.getStringAttr(free));
    if (given.alignment < 16)
      attrs.set(tile::kAlignmentAttrName, b.getI64IntegerAttr(given.alignment));
    attributes.push_back(attrs.getDictionary(b.getContext()));
  }
  StringRef name = plan.getSymName();
  name.consume_back("_plan");
  auto kernel = b.create<tile::KernelOp>(
      plan.getLoc(), name, b.getFunctionType(types, {}),
      b.getArrayAttr(attributes), /*res_attrs=*/nullptr);
  Block &body = kernel.getBody().emplaceBlock();
  for (Type type : types)
    body.addArgument(type, plan.getLoc());
  return kernel;
}

void KernelJoiner::cloneBodies(OpBuilder &b, tile::KernelOp kernel) {
  llvm::DenseMap<Value, Value> known;
  for (auto [entry, argument] :
       llvm::zip_equal(arguments, kernel.getBody().getArguments()))
    known[entry.first] = argument;
  b.setInsertionPointToStart(&kernel.getBody().front());
  for (tile::LaunchOp launch : launches) {
    tile::KernelOp own = kernelOf(launch);
    if (launch != launches.front())
      b.create<tile::BarrierOp>(launch.getLoc());
    IRMapping mapping;
    for (auto [input, argument] :
         llvm::zip_equal(launch.getInputs(), own.getBody().getArguments()))
      mapping.map(argument, known.at(input));
    for (Operation &op : own.getBody().front().without_terminator())
      b.clone(op, mapping);
    own.erase();
  }
  b.create<tile::EndOp>(plan.getLoc());
}

void KernelJoiner::join() {
  collectArguments();
  OpBuilder b(plan);
  tile::KernelOp kernel = createKernel(b);
  cloneBodies(b, kernel);
  tile::LaunchOp first = launches.front();
  b.setInsertionPoint(launches.back());
  auto inputs = llvm::to_vector(llvm::make_first_range(arguments));
  b.create<tile::LaunchOp>(first.getLoc(), kernel.getSymName(), first.getX(),
                           first.getY(), first.getZ(), inputs);
  for (tile::LaunchOp launch : launches)
    launch.erase();
}

void ramify::makeOneLaunch(tile::PlanOp plan) { KernelJoiner(plan).join(); }
