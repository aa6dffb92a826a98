// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- Differentiate.cpp - Reverse-mode gradients of programs -------------===//

#include "Differentiate.h"

#include "Adjoints.h"
#include "SavedValues.h"
#include "SimplifyGradients.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;
using namespace ramify::hsa;

namespace ramify::hsa {
#define GEN_PASS_DEF_DIFFERENTIATE
#include "dialects/HSA/Transforms/Passes.h.inc"
} // namespace ramify::hsa

//===----------------------------------------------------------------------===//
// By what
//===----------------------------------------------------------------------===//

/// The parameters that `names` lists.
static FailureOr<SmallVector<BlockArgument>> findParameters(ProgramOp program,
                                                            StringRef names) {
  SmallVector<BlockArgument> found;
  SmallVector<StringRef> parts;
  names.split(parts, ',', -1, /*KeepEmpty=*/false);
  if (parts.empty())
    return program.emitError("there is no parameter to differentiate by");
  for (StringRef name : parts) {
    BlockArgument parameter = program.getParameter(name);
    if (!parameter)
      return program.emitError()
             << "there is no parameter \"" << name << "\" to differentiate by";
    Type type = parameter.getType();
    if (!isa<QueryType, ChunksType, LandmarksType, WeightsType,
             ramify::hsa::ArrayType>(type))
      return program.emitError()
             << "there is no gradient by \"" << name << "\", which is " << type;
    found.push_back(parameter);
  }
  return found;
}

//===----------------------------------------------------------------------===//
// Saved values as parameters
//===----------------------------------------------------------------------===//

/// The element type of arrays of rows with a dim: that of all queries.
static Type getRowElement(ProgramOp program) {
  for (Type type : program.getArgumentTypes())
    if (auto query = dyn_cast<QueryType>(type))
      return query.getElementType();
  return Float32Type::get(program.getContext());
}

/// The partition that the program's streams are of.
static StringRef findPartition(ProgramOp program) {
  for (Operation &op : program.getBody().front()) {
    if (auto info = dyn_cast<ChunkInfoOp>(op))
      return info.getPartition();
    auto stream = dyn_cast<StreamOp>(op);
    if (!stream)
      continue;
    Type source = stream.getSource().getType();
    if (auto landmarks = dyn_cast<LandmarksType>(source))
      return landmarks.getPartition();
    return cast<ramify::hsa::ArrayType>(source).getPartition();
  }
  return {};
}

/// The role of a parameter that holds picks, or values of the picks `picks`.
static Type getSlotsRole(ProgramOp program, Type type, StringRef picks) {
  AxesAttr axes = getAxes(type);
  Type element = getElementTypeOrSelf(type);
  int64_t slots =
      cast<RankedTensorType>(type).getDimSize(axes.find(Axis::Slot));
  Heads heads = axes.contains(Axis::Head) ? Heads::Query : Heads::KV;
  if (element.isInteger(32))
    return IndicesType::get(type.getContext(), findPartition(program), element,
                            heads, slots);
  return WeightsType::get(type.getContext(), picks, element, heads, slots);
}

/// The role of a parameter that holds a result of type `type`.
static Type getResultRole(ProgramOp program, Type type) {
  SmallVector<SizedAxis> axes = getSizedAxes(type);
  if (axes.size() == 3)
    return QueryType::get(type.getContext(), getRowElement(program),
                          axes[0].second, axes[1].second, axes[2].second);
  return ramify::hsa::ArrayType::get(
      type.getContext(), Float32Type::get(type.getContext()),
      {Axis::Pos, Axis::Head}, {axes[0].second, axes[1].second}, "",
      /*batch=*/true);
}

//===----------------------------------------------------------------------===//
// The program of the gradient
//===----------------------------------------------------------------------===//

namespace {
class Gradient {
public:
  Gradient(ProgramOp program, ArrayRef<BlockArgument> wrt)
      : program(program), wrt(wrt), activity(program, wrt),
        b(program.getLoc(), program.getContext()) {}

  /// Builds the gradient behind the program.
  FailureOr<ProgramOp> build();
  /// What of the program the gradient reads, after simplification.
  ArrayRef<Value> getSaved() const { return saved; }

private:
  LogicalResult checkResults();
  void createProgram();
  Value addParameter(StringRef name, Type type);
  std::string findFreeName(StringRef name);
  void addResultGradients(SmallVector<Value> &cotangents);
  void cloneBody();
  void visitPicks();
  Value getGradient(Sweep &sweep, BlockArgument parameter);
  void finish(ArrayRef<Value> results);
  LogicalResult simplify();
  void dropUnread();
  Value load(Value parameter, Type type);

  Value slots; ///< of the program, where it takes something at them
  Picks picks; ///< they, as saved
  ProgramOp program, gradient;
  ArrayRef<BlockArgument> wrt;
  Activity activity;
  ImplicitLocOpBuilder b;
  IRMapping primals;
  SmallVector<Attribute> names;
  SmallVector<Value> saved;
};
} // namespace

void Gradient::createProgram() {
  b.setInsertionPointAfter(program);
  gradient = b.create<ProgramOp>(
      b.getStringAttr(program.getSymName() + "_backward"),
      TypeAttr::get(b.getFunctionType({}, {})), b.getArrayAttr({}),
      program.getGroupAttr(), /*block=*/nullptr, /*arg_attrs=*/nullptr,
      /*res_attrs=*/nullptr);
  Block &body = gradient.getBody().emplaceBlock();
  for (BlockArgument parameter : program.getBody().getArguments())
    primals.map(parameter,
                body.addArgument(parameter.getType(), parameter.getLoc()));
  llvm::append_range(names, program.getArgNames());
  b.setInsertionPointToEnd(&body);
}

std::string Gradient::findFreeName(StringRef name) {
  std::string free = name.str();
  while (program.getParameter(free))
    free += "_";
  return free;
}

/// A further parameter, for what is a result of type `type`, as f32.
Value Gradient::addParameter(StringRef name, Type type) {
  names.push_back(b.getStringAttr(findFreeName(name)));
  Type role = isOfSlots(type) ? getSlotsRole(program, type, picks.name)
                              : getResultRole(program, type);
  Value parameter =
      gradient.getBody().front().addArgument(role, program.getLoc());
  return load(parameter, type);
}

/// What a parameter holds, with the axes of `type`: rows of a selection come
/// without pos.
Value Gradient::load(Value parameter, Type type) {
  Type role = parameter.getType();
  if (isOfSlots(type)) {
    if (isa<IndicesType>(role))
      picks.indices = parameter;
    auto pos = AxesAttr::get(b.getContext(), {Axis::Pos});
    Type row = getNamedType(dropAxes(getSizedAxes(type), pos),
                            getElementTypeOrSelf(type));
    Value loaded = b.create<LoadOp>(row, parameter);
    return row == type ? loaded : b.create<BroadcastOp>(type, loaded);
  }
  Type element = isa<QueryType>(role) ? getRowElement(program) : b.getF32Type();
  auto narrow = cast<RankedTensorType>(type).clone(element);
  Value value = b.create<LoadOp>(narrow, parameter);
  return narrow == type ? value : b.create<arith::ExtFOp>(type, value);
}

void Gradient::addResultGradients(SmallVector<Value> &cotangents) {
  Operation *end = program.getBody().front().getTerminator();
  for (auto [index, type] : llvm::enumerate(end->getOperandTypes()))
    cotangents.push_back(
        getElementTypeOrSelf(type).isInteger(32)
            ? Value()
            : addParameter("d_" + std::to_string(index), type));
}

/// Computes the program again, but for what can be saved.
void Gradient::cloneBody() {
  saved = findCandidates(program, slots);
  SmallVector<Value> loads;
  for (auto [index, value] : llvm::enumerate(saved))
    loads.push_back(
        addParameter("saved_" + std::to_string(index), value.getType()));
  for (Operation &op : program.getBody().front().without_terminator()) {
    b.clone(op, primals);
    for (auto [value, load] : llvm::zip(saved, loads))
      if (value.getDefiningOp() == &op)
        primals.map(value, load);
  }
}

/// What had visited slots that the program computes visits the saved ones.
void Gradient::visitPicks() {
  SmallVector<SelectedOp> computed;
  gradient.walk([&](SelectedOp selected) {
    if (selected.isComputed())
      computed.push_back(selected);
  });
  auto slot = SlotType::get(b.getContext(), picks.name);
  for (SelectedOp selected : computed) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(selected);
    auto domain = DomainType::get(
        b.getContext(), selected.getType().getPartition(), picks.name);
    Value saved = b.create<SelectedOp>(domain, picks.indices,
                                       /*partition=*/nullptr, /*as=*/nullptr);
    for (Operation *user : selected->getUsers())
      cast<ReduceOp>(user).getBody().getArgument(0).setType(slot);
    selected.replaceAllUsesWith(saved);
    selected.erase();
  }
}

/// The gradient by one parameter, whole.
Value Gradient::getGradient(Sweep &sweep, BlockArgument parameter) {
  Type role = parameter.getType();
  // Outside of visits, what belongs to chunks is read as streams.
  Value part = sweep.parameters.lookup(parameter);
  if (auto query = dyn_cast<QueryType>(role)) {
    SmallVector<SizedAxis> axes = {{Axis::Head, query.getHead()},
                                   {Axis::Dim, query.getDim()}};
    if (!program.isOfBlocks(query))
      axes.push_back({Axis::Pos, query.getPos()});
    Type type = getNamedType(axes, b.getF32Type());
    return part ? part : b.create<IdentityOp>(type, Monoid::Sum);
  }
  Value sums = sweep.getSums(parameter);
  return part ? b.create<AddOp>(sums.getType(), part, sums) : sums;
}

void Gradient::finish(ArrayRef<Value> results) {
  b.setLoc(program.getLoc());
  b.create<ReturnOp>(ValueRange(results));
  gradient.setFunctionTypeAttr(TypeAttr::get(
      b.getFunctionType(gradient.getBody().front().getArgumentTypes(),
                        ValueRange(results).getTypes())));
  gradient.setArgNamesAttr(b.getArrayAttr(names));
}

LogicalResult Gradient::simplify() {
  MLIRContext *context = b.getContext();
  RewritePatternSet patterns(context);
  populateSimplifyGradientsPatterns(patterns);
  for (Dialect *dialect : context->getLoadedDialects())
    dialect->getCanonicalizationPatterns(patterns);
  for (RegisteredOperationName name : context->getRegisteredOperations())
    name.getCanonicalizationPatterns(patterns, context);
  return applyPatternsAndFoldGreedily(gradient, std::move(patterns));
}

/// Drops what the gradient does not read of what could be saved; the rest is
/// numbered again.
void Gradient::dropUnread() {
  Block &body = gradient.getBody().front();
  unsigned first = body.getNumArguments() - saved.size();
  SmallVector<Value> kept;
  for (Value value : saved) {
    unsigned at = first + kept.size();
    // Others name the picks by their type.
    if (!body.getArgument(at).use_empty() || value == slots) {
      std::string name = "saved_" + std::to_string(kept.size());
      names[at] = b.getStringAttr(findFreeName(name));
      kept.push_back(value);
      continue;
    }
    body.eraseArgument(at);
    names.erase(names.begin() + at);
  }
  saved = kept;
  gradient.setFunctionTypeAttr(TypeAttr::get(
      b.getFunctionType(body.getArgumentTypes(), gradient.getResultTypes())));
  gradient.setArgNamesAttr(b.getArrayAttr(names));
}

/// Some result has a gradient, and all can have one, or are picks.
LogicalResult Gradient::checkResults() {
  auto hasNone = [&](Type type) {
    return !isResultType(type) && !(slots && isOfSlots(type));
  };
  auto isPicks = [](Type type) {
    return getElementTypeOrSelf(type).isInteger(32);
  };
  ArrayRef<Type> types = program.getResultTypes();
  const Type *wrong = llvm::find_if(types, hasNone);
  if (wrong == types.end() && llvm::all_of(types, isPicks))
    wrong = types.begin();
  if (wrong == types.end())
    return success();
  return program.emitError()
         << "no gradient is known of results over slots, " << *wrong
         << ", at which nothing is read of a stream; picks are constants";
}

/// Whether a cotangent comes from a reduction over all of a stream.
static bool reducesStreams(ProgramOp program, const Activity &activity) {
  Block &body = program.getBody().front();
  llvm::DenseSet<Value> reached;
  auto reach = [&](ValueRange values) {
    for (Value value : values)
      if (activity.contains(value))
        reached.insert(value);
  };
  reach(body.getTerminator()->getOperands());
  for (Operation &op : llvm::reverse(body.without_terminator())) {
    auto isReached = [&](Value value) { return reached.contains(value); };
    if (llvm::none_of(op.getResults(), isReached))
      continue;
    bool readsStream = llvm::any_of(op.getOperandTypes(), [](Type type) {
      AxesAttr axes = getAxes(type);
      return axes && axes.contains(Axis::Chunk);
    });
    AxesAttr axes = getAxes(op.getResult(0).getType());
    bool isStream = axes && axes.contains(Axis::Chunk);
    if (isa<SoftmaxOp>(op) ? cast<SoftmaxOp>(op).getOver() == Axis::Chunk
                           : readsStream && !isStream && !isa<TakeOp>(op))
      return true;
    op.walk([&](Operation *inner) { reach(inner->getOperands()); });
  }
  return false;
}

FailureOr<ProgramOp> Gradient::build() {
  FailureOr<Value> found = findSlots(program);
  if (failed(found))
    return failure();
  slots = *found;
  picks.name = findFreeName("saved_0");
  if (failed(checkResults()))
    return failure();
  createProgram();
  SmallVector<Value> cotangents;
  addResultGradients(cotangents);
  cloneBody();
  Sweep sweep(b, activity, primals, /*chunk=*/Value());
  sweep.picks = picks;
  sweep.walksBack = reducesStreams(program, activity);
  Block &body = program.getBody().front();
  for (auto [value, cotangent] :
       llvm::zip(body.getTerminator()->getOperands(), cotangents))
    sweep.add(value, cotangent);
  LogicalResult done = sweep.run(body);
  SmallVector<Value> results;
  if (succeeded(done))
    for (BlockArgument parameter : wrt)
      results.push_back(getGradient(sweep, parameter));
  finish(results);
  visitPicks();
  if (failed(done) || failed(simplify())) {
    gradient.erase();
    return failure();
  }
  dropUnread();
  return gradient;
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

/// Makes what is saved results of the program, where it is none; returns the
/// number of the result that each is.
static SmallVector<int64_t> returnSaved(ProgramOp program,
                                        ArrayRef<Value> saved) {
  Operation *end = program.getBody().front().getTerminator();
  SmallVector<Value> results(end->getOperands());
  SmallVector<int64_t> numbers;
  for (Value value : saved) {
    auto found = llvm::find(results, value);
    numbers.push_back(found - results.begin());
    if (found == results.end())
      results.push_back(value);
  }
  end->setOperands(results);
  program.setFunctionTypeAttr(TypeAttr::get(
      FunctionType::get(program.getContext(), program.getArgumentTypes(),
                        ValueRange(results).getTypes())));
  return numbers;
}

namespace {
class DifferentiatePass
    : public ramify::hsa::impl::DifferentiateBase<DifferentiatePass> {
public:
  using DifferentiateBase::DifferentiateBase;

  void runOnOperation() override {
    if (mode != "forward" && mode != "backward") {
      emitError(getOperation().getLoc())
          << "the mode is \"" << mode
          << "\", but forward or backward was expected";
      return signalPassFailure();
    }
    SmallVector<ProgramOp> programs(getOperation().getOps<ProgramOp>());
    for (ProgramOp program : programs)
      if (failed(differentiate(program)))
        return signalPassFailure();
  }

private:
  LogicalResult differentiate(ProgramOp program) {
    FailureOr<SmallVector<BlockArgument>> by = findParameters(program, wrt);
    if (failed(by))
      return failure();
    completeReaders(program);
    Gradient gradient(program, *by);
    FailureOr<ProgramOp> built = gradient.build();
    if (failed(built))
      return failure();
    auto saved = DenseI64ArrayAttr::get(
        &getContext(), returnSaved(program, gradient.getSaved()));
    bool forward = mode == "forward";
    (forward ? program : *built)->setAttr(kSavedAttrName, saved);
    (forward ? *built : program).erase();
    return success();
  }
};
} // namespace
