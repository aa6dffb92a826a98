// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- PlanBuilder.cpp - From tile.plan to the runtime's plan -------------===//

#include "ramify/Compiler/PlanBuilder.h"

#include "ramify/Target/KnownTargets.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace ramify;
using runtime::Expr;

namespace {
class PlanBuilder {
public:
  PlanBuilder(tile::PlanOp op, const PlanOptions &options)
      : op(op), options(options) {
    plan.backend = options.backend;
    StringRef name = op.getSymName();
    name.consume_back("_plan");
    plan.function = name.str();
  }

  FailureOr<runtime::Plan> build();

private:
  LogicalResult addArgument(BlockArgument argument);
  void addResults();
  int addArray(Value array, runtime::Value::Role role, StringRef name);
  void setShape(Operation *made);
  runtime::Make getMake(tile::WorkspaceOp workspace);
  runtime::View getView(tile::ViewOp op);
  LogicalResult addSteps(Block &block, std::vector<runtime::Step> &steps);
  LogicalResult addLoop(tile::PlanForOp loop,
                        std::vector<runtime::Step> &steps);
  runtime::Launch getLaunch(tile::LaunchOp launch);
  LogicalResult addIndex(Operation &inner);
  void nameIfLong(Value value, std::vector<runtime::Step> &steps);
  std::string getFreeName(StringRef prefix);
  runtime::Operand getOperand(Value value);

  Expr getSize(StringRef text);
  runtime::DType getDType(Type type);
  StringAttr getName(BlockArgument argument);
  bool isQStart(BlockArgument argument);

  tile::PlanOp op;
  PlanOptions options;
  runtime::Plan plan;
  llvm::DenseMap<Value, int> places;       ///< arguments and made arrays
  llvm::DenseMap<Value, Expr> expressions; ///< integers
};
} // namespace

//===----------------------------------------------------------------------===//
// Arguments and results
//===----------------------------------------------------------------------===//

runtime::DType PlanBuilder::getDType(Type type) {
  std::string text;
  llvm::raw_string_ostream(text) << type;
  return *runtime::parseDType(text);
}

StringAttr PlanBuilder::getName(BlockArgument argument) {
  return op.getArgAttrOfType<StringAttr>(argument.getArgNumber(),
                                         "ramify.name");
}

bool PlanBuilder::isQStart(BlockArgument argument) {
  auto role =
      op.getArgAttrOfType<StringAttr>(argument.getArgNumber(), "ramify.role");
  return role && role.getValue() == "q_start";
}

/// A number, the name of a size, or a product of two such.
Expr PlanBuilder::getSize(StringRef text) {
  if (auto [left, right] = text.split(" * "); !right.empty())
    return Expr::binary(Expr::Op::Mul, getSize(left), getSize(right));
  int64_t number;
  if (!text.getAsInteger(10, number))
    return Expr(number);
  return Expr::symbol(plan.symbols.intern(text.str()));
}

LogicalResult PlanBuilder::addArgument(BlockArgument argument) {
  StringAttr name = getName(argument);
  if (!name)
    return op.emitOpError("argument ")
           << argument.getArgNumber() << " has no ramify.name";
  if (options.defaultQStart && isQStart(argument)) {
    auto sizes = op.getArgAttrOfType<ArrayAttr>(argument.getArgNumber(),
                                                "ramify.default");
    if (!sizes)
      return op.emitOpError("argument \"")
             << name.getValue() << "\" has no default";
    expressions[argument] = Expr::binary(
        Expr::Op::Sub, getSize(cast<StringAttr>(sizes[0]).getValue()),
        getSize(cast<StringAttr>(sizes[1]).getValue()));
    return success();
  }
  runtime::Value value;
  value.name = name.str();
  value.dtype = getDType(getElementTypeOrSelf(argument.getType()));
  places[argument] = static_cast<int>(plan.values.size());
  auto array = dyn_cast<MemRefType>(argument.getType());
  if (!array) {
    value.role = runtime::Value::Role::Scalar;
    if (!isa<FloatType>(argument.getType()))
      expressions[argument] = getSize(name);
  } else {
    auto dims =
        op.getArgAttrOfType<ArrayAttr>(argument.getArgNumber(), "ramify.dims");
    if (!dims || static_cast<int64_t>(dims.size()) != array.getRank())
      return op.emitOpError("argument \"")
             << name.getValue() << "\" does not name its " << array.getRank()
             << " sizes in ramify.dims";
    for (StringRef dim : dims.getAsValueRange<StringAttr>())
      value.shape.push_back(getSize(dim));
    if (array.getRank() && !array.isDynamicDim(array.getRank() - 1))
      value.alignment = options.alignment;
  }
  plan.values.push_back(std::move(value));
  return success();
}

/// An array that the plan makes, under a name that nothing else has: its
/// position. Its shape is known when its operation is met.
int PlanBuilder::addArray(Value array, runtime::Value::Role role,
                          StringRef name) {
  runtime::Value value;
  value.role = role;
  int number = 0;
  do {
    value.name = name.str() + std::to_string(number++);
  } while (plan.findValue(value.name) >= 0);
  value.dtype = getDType(getElementTypeOrSelf(array.getType()));
  int place = static_cast<int>(plan.values.size());
  places[array] = place;
  plan.values.push_back(std::move(value));
  return place;
}

/// The runtime wants results first, wherever the plan makes them.
void PlanBuilder::addResults() {
  for (auto result : op.getBody().getOps<tile::ResultOp>())
    addArray(result, runtime::Value::Role::Result, "result");
}

void PlanBuilder::setShape(Operation *made) {
  runtime::Value &value = plan.values[places[made->getResult(0)]];
  for (Value size : made->getOperands())
    value.shape.push_back(expressions[size]);
}

runtime::Make PlanBuilder::getMake(tile::WorkspaceOp workspace) {
  int place = addArray(workspace, runtime::Value::Role::Workspace, "workspace");
  plan.values[place].zero = workspace.getZero();
  setShape(workspace);
  return {place};
}

runtime::View PlanBuilder::getView(tile::ViewOp op) {
  runtime::View view;
  view.base = places.at(op.getArray());
  view.axis = static_cast<int>(op.getAxis());
  view.from = expressions[op.getFrom()];
  view.value = addArray(op, runtime::Value::Role::View, "view");
  runtime::Value &value = plan.values[view.value];
  value.shape = plan.values[view.base].shape;
  value.shape[view.axis] = expressions[op.getSize()];
  return view;
}

//===----------------------------------------------------------------------===//
// Integers
//===----------------------------------------------------------------------===//

static std::optional<Expr::Op> getOperator(Operation &op) {
  using Op = Expr::Op;
  return llvm::TypeSwitch<Operation *, std::optional<Op>>(&op)
      .Case<arith::AddIOp>([](auto) { return Op::Add; })
      .Case<arith::SubIOp>([](auto) { return Op::Sub; })
      .Case<arith::MulIOp>([](auto) { return Op::Mul; })
      .Case<arith::DivUIOp, arith::FloorDivSIOp>(
          [](auto) { return Op::FloorDiv; })
      .Case<arith::CeilDivUIOp, arith::CeilDivSIOp>(
          [](auto) { return Op::CeilDiv; })
      .Case<arith::RemUIOp>([](auto) { return Op::Mod; })
      .Case<arith::MinUIOp, arith::MinSIOp>([](auto) { return Op::Min; })
      .Case<arith::MaxUIOp, arith::MaxSIOp>([](auto) { return Op::Max; })
      .Default([](Operation *) { return std::nullopt; });
}

LogicalResult PlanBuilder::addIndex(Operation &inner) {
  APInt constant;
  Value value = inner.getNumResults() == 1 ? inner.getResult(0) : Value();
  if (value && matchPattern(value, m_ConstantInt(&constant))) {
    expressions[value] = Expr(constant.getSExtValue());
    return success();
  }
  if (auto dim = dyn_cast<memref::DimOp>(inner)) {
    std::optional<int64_t> axis = dim.getConstantIndex();
    if (!axis)
      return dim.emitOpError("is not of a known dimension");
    expressions[value] = plan.values[places[dim.getSource()]].shape[*axis];
    return success();
  }
  if (isa<tile::SmsOp>(inner)) {
    expressions[value] = Expr::symbol(plan.symbols.intern("sms"));
    return success();
  }
  if (isa<arith::IndexCastOp, arith::IndexCastUIOp>(inner)) {
    // Not a reference: adding an expression may move the others.
    Expr same = expressions.at(inner.getOperand(0));
    expressions[value] = std::move(same);
    return success();
  }
  std::optional<Expr::Op> combine = getOperator(inner);
  if (!combine)
    return inner.emitOpError("is not an operation of a plan");
  expressions[value] = Expr::binary(*combine, expressions[inner.getOperand(0)],
                                    expressions[inner.getOperand(1)]);
  return success();
}

/// A name that no size, scalar, array or loop has.
std::string PlanBuilder::getFreeName(StringRef prefix) {
  int number = 0;
  std::string name;
  do {
    name = prefix.str() + std::to_string(number++);
  } while (plan.symbols.find(name) >= 0 || plan.findValue(name) >= 0);
  return name;
}

/// Numbers that are long to write and used again get a name; one of a block of
/// steps gets it there.
void PlanBuilder::nameIfLong(Value value, std::vector<runtime::Step> &steps) {
  constexpr size_t longest = 5;
  Expr &expression = expressions[value];
  if (expression.instructions().size() <= longest || value.hasOneUse())
    return;
  runtime::Let let{plan.symbols.intern(getFreeName("n")), expression};
  expression = Expr::symbol(let.symbol);
  if (value.getParentBlock() == &op.getBody().front())
    plan.lets.push_back(std::move(let));
  else
    steps.push_back({std::move(let)});
}

//===----------------------------------------------------------------------===//
// Launches
//===----------------------------------------------------------------------===//

runtime::Operand PlanBuilder::getOperand(Value value) {
  runtime::Operand operand;
  if (auto place = places.find(value); place != places.end()) {
    operand.index = place->second;
    return operand;
  }
  operand.kind = value.getType().isInteger(32) ? runtime::Operand::Kind::I32
                                               : runtime::Operand::Kind::I64;
  operand.expr = expressions.at(value);
  return operand;
}

runtime::Launch PlanBuilder::getLaunch(tile::LaunchOp op) {
  runtime::Launch launch;
  launch.kernel = op.getKernel().str();
  launch.grid = {expressions[op.getX()], expressions[op.getY()],
                 expressions[op.getZ()]};
  for (Value input : op.getInputs())
    launch.operands.push_back(getOperand(input));
  return launch;
}

LogicalResult PlanBuilder::addLoop(tile::PlanForOp loop,
                                   std::vector<runtime::Step> &steps) {
  runtime::Loop action;
  action.trip = expressions[loop.getCount()];
  action.variable = plan.symbols.intern(getFreeName("w"));
  expressions[loop.getBody().getArgument(0)] = Expr::symbol(action.variable);
  if (failed(addSteps(loop.getBody().front(), action.body)))
    return failure();
  steps.push_back({std::move(action)});
  return success();
}

LogicalResult PlanBuilder::addSteps(Block &block,
                                    std::vector<runtime::Step> &steps) {
  for (Operation &inner : block.without_terminator()) {
    if (isa<tile::ResultOp>(inner)) {
      setShape(&inner);
    } else if (auto workspace = dyn_cast<tile::WorkspaceOp>(inner)) {
      steps.push_back({getMake(workspace)});
    } else if (auto view = dyn_cast<tile::ViewOp>(inner)) {
      steps.push_back({getView(view)});
    } else if (auto scope = dyn_cast<tile::PlanDoOp>(inner)) {
      runtime::Scope action;
      if (failed(addSteps(scope.getBody().front(), action.body)))
        return failure();
      steps.push_back({std::move(action)});
    } else if (auto launch = dyn_cast<tile::LaunchOp>(inner)) {
      steps.push_back({getLaunch(launch)});
    } else if (auto memset = dyn_cast<tile::MemsetOp>(inner)) {
      steps.push_back({runtime::Memset{
          places[memset.getTarget()], static_cast<int64_t>(memset.getByte())}});
    } else if (auto loop = dyn_cast<tile::PlanForOp>(inner)) {
      if (failed(addLoop(loop, steps)))
        return failure();
    } else if (failed(addIndex(inner))) {
      return failure();
    } else {
      nameIfLong(inner.getResult(0), steps);
    }
  }
  return success();
}

FailureOr<runtime::Plan> PlanBuilder::build() {
  for (BlockArgument argument : op.getBody().getArguments())
    if (failed(addArgument(argument)))
      return failure();
  addResults();
  if (failed(addSteps(op.getBody().front(), plan.steps)))
    return failure();
  return std::move(plan);
}

FailureOr<runtime::Plan> ramify::buildPlan(tile::PlanOp op,
                                           const PlanOptions &options) {
  return PlanBuilder(op, options).build();
}

static void setLaunchSizes(std::vector<runtime::Step> &steps, ModuleOp module) {
  for (runtime::Step &step : steps) {
    if (auto *loop = std::get_if<runtime::Loop>(&step.action))
      setLaunchSizes(loop->body, module);
    if (auto *scope = std::get_if<runtime::Scope>(&step.action))
      setLaunchSizes(scope->body, module);
    auto *launch = std::get_if<runtime::Launch>(&step.action);
    if (!launch)
      continue;
    auto function = module.lookupSymbol<LLVM::LLVMFuncOp>(launch->kernel);
    if (auto warps = function->getAttrOfType<IntegerAttr>("tile.warps"))
      launch->block = kWarpSize * warps.getInt();
    if (auto bytes = function->getAttrOfType<IntegerAttr>("tile.shared_bytes"))
      launch->sharedBytes = Expr(bytes.getInt());
  }
}

void ramify::setLaunchSizes(runtime::Plan &plan, ModuleOp module) {
  ::setLaunchSizes(plan.steps, module);
}
