// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- Schedule.cpp - What the schedules share ----------------------------===//

#include "Schedule.h"

#include "QueryWindows.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace ramify;
using hsa::Axis;

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

static tile::KernelOp createKernelWith(BodyEmitter &emitter, StringRef name,
                                       ArrayRef<Type> types,
                                       ArrayRef<Attribute> attributes) {
  TileBuilder &b = emitter.b;
  auto type = b.getFunctionType(types, {});
  auto kernel = b.create<tile::KernelOp>(name, type, b.getArrayAttr(attributes),
                                         /*res_attrs=*/nullptr);
  Block *body = &kernel.getBody().emplaceBlock();
  for (Type argument : type.getInputs())
    body->addArgument(argument, kernel.getLoc());
  b.setInsertionPointToStart(body);
  for (BlockArgument parameter : emitter.program.getBody().getArguments())
    if (!isa<hsa::SumsType>(parameter.getType())) // which are added to only
      emitter.set(parameter, {body->getArgument(parameter.getArgNumber())});
  Operation *results = emitter.program.getBody().front().getTerminator();
  unsigned first = body->getNumArguments() - results->getNumOperands();
  for (auto [index, result] : llvm::enumerate(results->getOperands()))
    if (isa<hsa::SumsType>(result.getType()))
      emitter.setSums(result, body->getArgument(first + index));
  return kernel;
}

tile::KernelOp ramify::createKernel(BodyEmitter &emitter,
                                    const Parameters &parameters,
                                    StringRef name) {
  return createKernelWith(emitter, name, parameters.getKernelTypes(),
                          parameters.getKernelAttributes());
}

tile::KernelOp ramify::createKernel(BodyEmitter &emitter,
                                    const Parameters &parameters,
                                    StringRef name,
                                    ArrayRef<KernelArgument> more) {
  Builder &b = emitter.b;
  SmallVector<Type> types(parameters.getPlanTypes());
  SmallVector<Attribute> attributes = parameters.getKernelAttributes();
  attributes.resize(types.size());
  for (const KernelArgument &argument : more) {
    types.push_back(argument.type);
    attributes.push_back(b.getDictionaryAttr(
        b.getNamedAttr("ramify.name", b.getStringAttr(argument.name))));
  }
  return createKernelWith(emitter, name, types, attributes);
}

LogicalResult
ramify::emitProgram(BodyEmitter &emitter,
                    function_ref<LogicalResult(hsa::ReduceOp)> reduce) {
  for (Operation &op : emitter.program.getBody().front().without_terminator()) {
    auto reduction = dyn_cast<hsa::ReduceOp>(op);
    if (failed(reduction ? reduce(reduction) : emitter.emit(&op)))
      return failure();
  }
  return success();
}

/// What padding rows get: 0, or what an lse of nothing is.
static Value clearPadding(BodyEmitter &emitter, Value tile, Type result) {
  TileBuilder &b = emitter.b;
  Value padding = emitter.rows.padding;
  if (!padding)
    return tile;
  padding = b.splat(padding, {emitter.shape.rows});
  Value nothing = hasAxis(result, Axis::Dim) ? b.full(tile.getType(), 0)
                                             : b.negInf(tile.getType());
  return b.choose(b.repeat(padding, 1, tile.getType()), nothing, tile);
}

void ramify::emitResults(BodyEmitter &emitter, tile::KernelOp kernel,
                         hsa::ReturnOp results,
                         function_ref<bool(unsigned)> isWritten) {
  TileBuilder &b = emitter.b;
  b.setLoc(results.getLoc());
  const Rows &rows = emitter.rows;
  Block &body = kernel.getBody().front();
  unsigned first = body.getNumArguments() - results.getNumOperands();
  for (auto [index, result] : llvm::enumerate(results.getOperands())) {
    if (isa<hsa::SumsType>(result.getType()) || isWritten(index))
      continue; // added to already
    Value target = body.getArgument(first + index);
    Value tile = clearPadding(emitter, emitter.get(result), result.getType());
    Type element = cast<MemRefType>(target.getType()).getElementType();
    if (element != getElementTypeOrSelf(tile))
      tile =
          b.create<arith::TruncFOp>(withElement(tile.getType(), element), tile);
    // What the positions of a block share is written by one of them.
    bool isShared = !hasAxis(result.getType(), Axis::Pos) &&
                    !emitter.shape.hasOnePosition();
    b.create<tile::ScatterOp>(
        tile, target,
        ValueRange{rows.batch, isShared ? rows.block : rows.query, rows.head},
        isShared ? emitter.areLeaders(rows.stored) : rows.stored);
  }
  b.create<tile::EndOp>();
}

//===----------------------------------------------------------------------===//
// Plans
//===----------------------------------------------------------------------===//

PlanSizes ramify::getPlanSizes(TileBuilder &b, hsa::ProgramOp program,
                               Value query) {
  auto dim = [&](int64_t axis) -> Value {
    return b.create<memref::DimOp>(query, b.index(axis));
  };
  return {dim(0), countQueries(b, program, query), dim(2)};
}

/// The array of the first parameter with that role: its sums have its shape.
static Value findArray(hsa::ProgramOp program, Block *plan, Type role) {
  for (auto [index, type] : llvm::enumerate(program.getArgumentTypes()))
    if (type == role)
      return plan->getArgument(index);
  return {};
}

/// Of weights that no parameter is: a row for each query block.
static SmallVector<Value> getSelectionShape(TileBuilder &b,
                                            hsa::ProgramOp program,
                                            hsa::WeightsType weights,
                                            const PlanSizes &sizes) {
  int64_t positions = std::max<int64_t>(program.getAxisSize(Axis::Pos), 1);
  Value last =
      b.createOrFold<arith::AddIOp>(sizes.queries, b.index(positions - 1));
  Value heads = sizes.queryHeads;
  if (weights.getHeads() != hsa::Heads::Query)
    heads = b.div(heads, program.getGroup());
  return {sizes.batch, b.div(last, positions), heads,
          b.index(weights.getSlots())};
}

/// The parameter to which the program adds what it returns as `sums`; null if
/// it begins with zeros.
static BlockArgument findBeginning(Value sums) {
  while (Operation *op = sums.getDefiningOp()) {
    if (auto add = dyn_cast<hsa::AddOp>(op))
      sums = add.getSums();
    else if (auto reduce = dyn_cast<hsa::ReduceOp>(op))
      sums = reduce.getAccumulators()[cast<OpResult>(sums).getResultNumber()];
    else
      return nullptr;
  }
  return cast<BlockArgument>(sums);
}

/// Whether other programs go on with what the program returns there: in f32.
static bool isHandedOn(hsa::ProgramOp program, unsigned result) {
  WalkResult found =
      program->getParentOfType<ModuleOp>().walk([&](hsa::LaunchOp launch) {
        bool isUsed = launch.getCallee() == program.getSymName() &&
                      llvm::any_of(launch.getResult(result).getUsers(),
                                   llvm::IsaPred<hsa::LaunchOp>);
        return isUsed ? WalkResult::interrupt() : WalkResult::advance();
      });
  return found.wasInterrupted();
}

/// Sums begin with zeros: a result of f32, else a workspace; or with those of
/// an earlier launch.
static LogicalResult addSums(TileBuilder &b, hsa::ProgramOp program,
                             Block *plan, unsigned index, Type role,
                             Type memory, const PlanSizes &sizes,
                             PlanResults &made) {
  SmallVector<Value> shape;
  if (Value array = findArray(program, plan, role))
    for (int64_t axis = 0; axis < cast<MemRefType>(memory).getRank(); ++axis)
      shape.push_back(b.create<memref::DimOp>(array, b.index(axis)));
  else if (auto weights = dyn_cast<hsa::WeightsType>(role);
           weights && weights.getSlots())
    shape = getSelectionShape(b, program, weights, sizes);
  else
    return program.emitOpError()
           << "returns sums of " << role << ", which no parameter is";
  Type own = memory;
  if (!isHandedOn(program, index))
    own = MemRefType::Builder(cast<MemRefType>(memory))
              .setElementType(getElementTypeOrSelf(getMemoryType(role)));
  QueryRows rows = findQueryRows(program, role);
  auto mark = [&](Operation *op) {
    if (rows.rows < 0)
      op->setAttr(kOfAllQueriesAttrName, b.getI64IntegerAttr(rows.sequences));
  };
  made.results.push_back(b.create<tile::ResultOp>(own, shape));
  mark(made.results.back().getDefiningOp());
  Operation *end = program.getBody().front().getTerminator();
  if (BlockArgument before = findBeginning(end->getOperand(index))) {
    made.targets.push_back(plan->getArgument(before.getArgNumber()));
    return success();
  }
  if (own == memory) {
    made.targets.push_back(made.results.back());
    mark(b.create<tile::MemsetOp>(made.targets.back(), 0));
    return success();
  }
  made.targets.push_back(
      b.create<tile::WorkspaceOp>(memory, shape, /*zero=*/true));
  mark(made.targets.back().getDefiningOp());
  return success();
}

/// Of a result over the rows of query blocks, or over slots: what the positions
/// of a block share, such as a selection, has a row for each query block, of
/// one head or all.
static SmallVector<Value> getRowsShape(TileBuilder &b, hsa::ProgramOp program,
                                       Type type, Type memory,
                                       const PlanSizes &sizes) {
  SmallVector<Value> shape = {sizes.batch, sizes.queries, sizes.queryHeads};
  int64_t positions = std::max<int64_t>(program.getAxisSize(Axis::Pos), 1);
  if (hasAxis(type, Axis::Slot) || !hasAxis(type, Axis::Pos))
    shape[1] = b.div(
        b.createOrFold<arith::AddIOp>(sizes.queries, b.index(positions - 1)),
        positions);
  if (hasAxis(type, Axis::Slot) && !hasAxis(type, Axis::Head))
    shape[2] = b.div(sizes.queryHeads, program.getGroup());
  auto array = cast<MemRefType>(memory);
  if (array.getRank() == 4)
    shape.push_back(b.index(array.getDimSize(3)));
  return shape;
}

FailureOr<PlanResults>
ramify::createResults(TileBuilder &b, hsa::ProgramOp program, Block *plan,
                      const Parameters &parameters, const PlanSizes &sizes) {
  PlanResults made;
  for (auto [index, type] : llvm::enumerate(program.getResultTypes())) {
    Type memory = parameters.getResultTypes()[index];
    if (auto sums = dyn_cast<hsa::SumsType>(type)) {
      if (failed(addSums(b, program, plan, index, sums.getRole(), memory, sizes,
                         made)))
        return failure();
      continue;
    }
    made.results.push_back(b.create<tile::ResultOp>(
        memory, getRowsShape(b, program, type, memory, sizes)));
    made.targets.push_back(made.results.back());
  }
  return made;
}

void ramify::roundResults(TileBuilder &b, tile::PlanOp plan,
                          const PlanResults &made) {
  for (auto [index, result] : llvm::enumerate(made.results)) {
    Value target = made.targets[index];
    if (target == result)
      continue;
    std::string name =
        (plan.getSymName().drop_back(4) + "round" + Twine(index)).str();
    {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPoint(plan);
      createConversion(b, name, target.getType(), result.getType());
    }
    Value grid = getConversionGrid(b, result);
    auto launch = b.create<tile::LaunchOp>(name, grid, b.index(1), b.index(1),
                                           ValueRange{target, result});
    if (Attribute mark = result.getDefiningOp()->getAttr(kOfAllQueriesAttrName))
      launch->setAttr(kOfAllQueriesAttrName, mark);
  }
}

tile::PlanOp ramify::createEmptyPlan(TileBuilder &b, hsa::ProgramOp program,
                                     const Parameters &parameters) {
  b.setLoc(program.getLoc());
  b.setInsertionPoint(program);
  auto type = b.getFunctionType(parameters.getPlanTypes(), {});
  auto plan = b.create<tile::PlanOp>(
      (program.getSymName() + "_plan").str(), type,
      b.getArrayAttr(parameters.getAttributes()), /*res_attrs=*/nullptr);
  Block *body = &plan.getBody().emplaceBlock();
  for (Type argument : type.getInputs())
    body->addArgument(argument, plan.getLoc());
  b.setInsertionPointToStart(body);
  return plan;
}

FailureOr<tile::PlanOp> ramify::createPlan(
    TileBuilder &b, hsa::ProgramOp program, const Parameters &parameters,
    tile::KernelOp kernel,
    function_ref<std::array<Value, 3>(TileBuilder &, PlanSizes)> getGrid) {
  tile::PlanOp plan = createEmptyPlan(b, program, parameters);
  Block *body = &plan.getBody().front();
  PlanSizes sizes = getPlanSizes(
      b, program, body->getArgument(parameters.getQuery().getArgNumber()));
  FailureOr<PlanResults> made =
      createResults(b, program, body, parameters, sizes);
  if (failed(made))
    return failure();
  SmallVector<Value> operands(body->getArguments());
  llvm::append_range(operands, made->targets);
  auto [x, y, z] = getGrid(b, sizes);
  b.create<tile::LaunchOp>(kernel.getSymName(), x, y, z, operands);
  roundResults(b, plan, *made);
  b.create<tile::EndOp>();
  return plan;
}

void ramify::createPlanLoop(TileBuilder &b, Value count,
                            llvm::function_ref<void(Value)> body) {
  auto op = b.create<tile::PlanForOp>(count);
  Block *block = b.createBlock(&op.getBody(), {}, b.getIndexType(), b.getLoc());
  body(block->getArgument(0));
  b.create<tile::EndOp>();
  b.setInsertionPointAfter(op);
}
