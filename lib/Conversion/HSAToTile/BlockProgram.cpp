// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- BlockProgram.cpp - Each query block as one query -------------------===//
//
// What the positions of a block share, a selection above all, has no axis pos.
// A program of nothing else is one of queries that are as many as blocks, and
// has the form that it would have in a function of one position for each block:
// so that schedules know one form.
//
//   hsa.program @f(%q: !hsa.query<f32, pos = 64, ...>,
//                  %r: !hsa.query<f32, pos = 1, ...>, %landmarks) {
//     %x = hsa.load %r                       head, dim
//     %s = hsa.dot %x, %stream over dim      head, chunk
//     ...
//     return %slots                          slot
//   }
// becomes
//   hsa.program @f(...) attributes {block = 64} {
//     %x = hsa.load %r                       pos, head, dim
//     %s = hsa.dot %x, %stream over dim      pos, head, chunk
//     ...
//     return %slots                          pos, slot
//   }
//
// with pos = 1. What is the same for all blocks stays without pos. Sums over
// all blocks lose it again, as near to where they come from as possible: a
// product over heads becomes one over positions and heads.
//
// A program over streams whose queries have one position each may be handed
// numbers of a query that have no pos, such as the gradient of a number that
// all queries share. Those get pos in the same way, and with it what follows
// from them; without it they would be numbers of all queries together.
//
//===----------------------------------------------------------------------===//

#include "BlockProgram.h"

#include "TileShape.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

using namespace mlir;
using namespace ramify;
using hsa::Axis;

static bool hasPos(Value value) { return hasAxis(value.getType(), Axis::Pos); }

static Type withPos(Type type) {
  SmallVector<hsa::SizedAxis> axes = hsa::getSizedAxes(type);
  axes.push_back({Axis::Pos, 1});
  return hsa::getNamedType(axes, getElementTypeOrSelf(type));
}

static Type withoutPos(Type type) {
  auto pos = hsa::AxesAttr::get(type.getContext(), {Axis::Pos});
  return hsa::getNamedType(hsa::dropAxes(hsa::getSizedAxes(type), pos),
                           getElementTypeOrSelf(type));
}

/// Whether it is a number or an array of them.
static bool isNumeric(Type type) {
  return hsa::isNamedTensor(type) || type.isIntOrFloat();
}

namespace {
class BlockRewriter {
public:
  explicit BlockRewriter(hsa::ProgramOp program)
      : program(program), b(program.getLoc(), program.getContext()) {}

  void rewrite();

private:
  void rewrite(Operation *op);
  void rewriteLoad(Operation *op);
  void rewriteReduce(hsa::ReduceOp op);
  void rewriteReturn(hsa::ReturnOp op);
  void alignOperands(Operation *op);
  Value spread(Value value, Type type);
  Value sumBlocks(Value value);
  Value sumProduct(hsa::DotOp dot);
  Value applyToSums(Operation *op);
  Value foldBlocks(Value value, hsa::AxesAttr more = nullptr);

  hsa::ProgramOp program;
  ImplicitLocOpBuilder b;
};
} // namespace

Value BlockRewriter::spread(Value value, Type type) {
  return value.getType() == type ? value
                                 : b.create<hsa::BroadcastOp>(type, value);
}

//===----------------------------------------------------------------------===//
// Sums over all blocks
//===----------------------------------------------------------------------===//

static hsa::AxesAttr addPos(hsa::AxesAttr over) {
  SmallVector<Axis> axes(over.getAxes());
  axes.insert(axes.begin(), Axis::Pos);
  return hsa::AxesAttr::get(over.getContext(), axes);
}

/// The sum over pos, and over `more`.
Value BlockRewriter::foldBlocks(Value value, hsa::AxesAttr more) {
  auto over =
      more ? addPos(more) : hsa::AxesAttr::get(b.getContext(), {Axis::Pos});
  Type type =
      hsa::getNamedType(hsa::dropAxes(hsa::getSizedAxes(value.getType()), over),
                        getElementTypeOrSelf(value.getType()));
  return b.create<hsa::FoldOp>(type, hsa::Monoid::Sum, value, over,
                               /*chunk=*/Value());
}

Value BlockRewriter::sumProduct(hsa::DotOp dot) {
  Type type = withoutPos(dot.getType());
  Value left = dot.getLhs(), right = dot.getRhs();
  if (!hasPos(left) || !hasPos(right)) {
    if (dot.getChunk()) // which keys there are is for the product to know
      return foldBlocks(dot);
    return b.create<hsa::DotOp>(type, hasPos(left) ? foldBlocks(left) : left,
                                hasPos(right) ? foldBlocks(right) : right,
                                dot.getOver(), dot.getChunk());
  }
  return b.create<hsa::DotOp>(type, left, right, addPos(dot.getOver()),
                              dot.getChunk());
}

/// A linear operation, on the sums of its operands.
Value BlockRewriter::applyToSums(Operation *op) {
  Type type = withoutPos(op->getResult(0).getType());
  IRMapping mapping;
  for (Value value : op->getOperands())
    if (hasPos(value))
      mapping.map(value, sumBlocks(value));
  Operation *copy = b.clone(*op, mapping);
  copy->getResult(0).setType(type);
  return copy->getResult(0);
}

/// The sum over all blocks of a program's rows: of a value with pos.
Value BlockRewriter::sumBlocks(Value value) {
  if (!hasPos(value))
    return value;
  Operation *op = value.getDefiningOp();
  if (auto dot = dyn_cast_or_null<hsa::DotOp>(op))
    return sumProduct(dot);
  if (auto broadcast = dyn_cast_or_null<hsa::BroadcastOp>(op)) {
    Value input = broadcast.getInput();
    Type type = withoutPos(value.getType());
    return spread(hasPos(input) ? sumBlocks(input) : input, type);
  }
  auto fold = dyn_cast_or_null<hsa::FoldOp>(op);
  if (fold && fold.getMonoid() == hsa::Monoid::Sum && !fold.getChunk())
    return foldBlocks(fold.getInput(), fold.getOver());
  if (isa_and_nonnull<arith::AddFOp, arith::SubFOp, arith::ExtFOp,
                      arith::TruncFOp, arith::NegFOp>(op))
    return applyToSums(op);
  return foldBlocks(value);
}

//===----------------------------------------------------------------------===//
// Operations
//===----------------------------------------------------------------------===//

/// Rows of a query have pos themselves; those of a selection, and what is read
/// at a slot, are spread.
void BlockRewriter::rewriteLoad(Operation *op) {
  Value result = op->getResult(0);
  if (hasPos(result))
    return;
  Type type = withPos(result.getType());
  auto load = dyn_cast<hsa::LoadOp>(op);
  if (load && program.isOfBlocks(load.getSource().getType()))
    return result.setType(type);
  if (load && isa<hsa::ArrayType>(load.getSource().getType()))
    return; // the same for all blocks
  b.setInsertionPointAfter(op);
  auto wide = b.create<hsa::BroadcastOp>(type, result);
  result.replaceAllUsesExcept(wide, wide);
}

void BlockRewriter::rewriteReduce(hsa::ReduceOp op) {
  auto isSums = [](Value value) { return isa<hsa::SumsType>(value.getType()); };
  Operation *yield = op.getBody().front().getTerminator();
  for (auto [index, result] : llvm::enumerate(op.getResults())) {
    OpOperand &part = yield->getOpOperand(index);
    b.setInsertionPoint(yield);
    if (isSums(result)) {
      part.set(sumBlocks(part.get()));
      continue;
    }
    result.setType(withPos(result.getType()));
    if (!hasPos(part.get()))
      part.set(spread(part.get(), withPos(part.get().getType())));
    b.setInsertionPoint(op);
    OpOperand &init = op.getAccumulatorsMutable()[index];
    if (auto identity = init.get().getDefiningOp<hsa::IdentityOp>())
      init.set(
          b.create<hsa::IdentityOp>(result.getType(), identity.getMonoid()));
    else if (!hasPos(init.get()))
      init.set(spread(init.get(), result.getType()));
  }
}

/// A block's results have pos, in sums there are those of all blocks.
void BlockRewriter::rewriteReturn(hsa::ReturnOp op) {
  b.setInsertionPoint(op);
  for (OpOperand &operand : op->getOpOperands()) {
    Value value = operand.get();
    if (!isa<hsa::SumsType>(value.getType()) && !hasPos(value))
      operand.set(spread(value, withPos(value.getType())));
  }
}

/// Elementwise operations have operands of one shape.
void BlockRewriter::alignOperands(Operation *op) {
  b.setInsertionPoint(op);
  for (OpOperand &operand : op->getOpOperands())
    if (Value value = operand.get(); !hasPos(value))
      operand.set(spread(value, withPos(value.getType())));
}

/// Whether the operation sums over the queries that it is told of already.
static bool isOverPos(Operation *op) {
  auto dot = dyn_cast<hsa::DotOp>(op);
  auto fold = dyn_cast<hsa::FoldOp>(op);
  return (dot && dot.getOver().contains(Axis::Pos)) ||
         (fold && fold.getOver().contains(Axis::Pos));
}

void BlockRewriter::rewrite(Operation *op) {
  b.setLoc(op->getLoc());
  if (auto position = dyn_cast<hsa::BlockPositionOp>(op)) {
    b.setInsertionPoint(op);
    Type type = withPos(position.getType());
    op->getResult(0).replaceAllUsesWith(b.create<hsa::QueryPositionsOp>(type));
    return op->erase();
  }
  if (isa<hsa::LoadOp, hsa::AtOp>(op))
    return rewriteLoad(op);
  if (auto reduce = dyn_cast<hsa::ReduceOp>(op)) {
    for (Operation &inner : llvm::make_early_inc_range(
             reduce.getBody().front().without_terminator()))
      rewrite(&inner);
    b.setLoc(op->getLoc());
    return rewriteReduce(reduce);
  }
  if (auto add = dyn_cast<hsa::AddOp>(op)) {
    b.setInsertionPoint(op);
    return add.getValueMutable().set(sumBlocks(add.getValue()));
  }
  if (op->getNumResults() != 1 || !isNumeric(op->getResult(0).getType()) ||
      llvm::none_of(op->getOperands(), hasPos))
    return;
  if (OpTrait::hasElementwiseMappableTraits(op))
    alignOperands(op);
  if (Value result = op->getResult(0); !hasPos(result) && !isOverPos(op))
    result.setType(withPos(result.getType()));
}

void BlockRewriter::rewrite() {
  int64_t positions = program.getBlockSize();
  Block &body = program.getBody().front();
  for (Operation &op : llvm::make_early_inc_range(body.without_terminator()))
    rewrite(&op);
  auto results = cast<hsa::ReturnOp>(body.getTerminator());
  rewriteReturn(results);
  program.setFunctionTypeAttr(TypeAttr::get(b.getFunctionType(
      program.getArgumentTypes(), results.getOperands().getTypes())));
  if (positions > 1)
    program.setBlockAttr(b.getI64IntegerAttr(positions));
}

//===----------------------------------------------------------------------===//
// Whole programs
//===----------------------------------------------------------------------===//

bool ramify::computesForBlocks(hsa::ProgramOp program) {
  if (program.getAxisSize(Axis::Pos) <= 1)
    return false;
  WalkResult result = program.walk([](Operation *op) -> WalkResult {
    for (Type type : op->getResultTypes()) {
      if (auto state = dyn_cast<hsa::SoftmaxStateType>(type))
        type = state.getValue();
      if (hasAxis(type, Axis::Pos))
        return failure();
    }
    return success();
  });
  return !result.wasInterrupted();
}

/// Whether a program over streams, whose queries have one position each, has
/// numbers of a query without pos: those that visits of an earlier program made
/// of it. Without pos it would have numbers of all queries together.
static bool hasNumbersOfQueries(hsa::ProgramOp program) {
  if (program.getAxisSize(Axis::Pos) != 1 ||
      !program.getBody().getOps<hsa::ReduceOp>().empty())
    return false;
  return llvm::any_of(program.getBody().getOps<hsa::SameOp>(),
                      [](hsa::SameOp same) { return !hasPos(same); });
}

bool ramify::makeBlocksQueries(hsa::ProgramOp program) {
  if (!computesForBlocks(program) && !hasNumbersOfQueries(program))
    return false;
  BlockRewriter(program).rewrite();
  return true;
}
