// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- ReduceOp.cpp - The hierarchical reduction --------------------------===//

#include "dialects/HSA/IR/OpVerify.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace ramify::hsa;

/// The arguments of the region of a reduction over `domain`.
static SmallVector<Type> getLoopTypes(DomainType domain) {
  MLIRContext *context = domain.getContext();
  SmallVector<Type> types;
  if (domain.hasSlots())
    types.push_back(SlotType::get(context, domain.getIndices()));
  types.push_back(ChunkIdType::get(context, domain.getPartition()));
  return types;
}

/// How many values the region yields for an accumulator.
static unsigned getWidth(Monoid monoid) {
  return monoid == Monoid::Softmax ? 2 : 1;
}

Value ReduceOp::getSlot() {
  Block &block = getBody().front();
  return block.getNumArguments() == 2 ? block.getArgument(0) : nullptr;
}

OperandRange ReduceOp::getYielded(unsigned index) {
  unsigned begin = 0;
  for (unsigned before = 0; before < index; ++before)
    begin += getWidth(getMonoid(before));
  return getBody().front().getTerminator()->getOperands().slice(
      begin, getWidth(getMonoid(index)));
}

SmallVector<Region *> ReduceOp::getLoopRegions() { return {&getBody()}; }

//===----------------------------------------------------------------------===//
// Assembly: (%slot, %c) in %d : !hsa.domain<..> into (sum %zero : T, ...) {...}
//===----------------------------------------------------------------------===//

void ReduceOp::getAsmBlockArgumentNames(Region &region,
                                        OpAsmSetValueNameFn setName) {
  for (BlockArgument argument : region.getArguments())
    setName(argument, isa<SlotType>(argument.getType()) ? "slot" : "c");
}

static ParseResult parseAccumulators(OpAsmParser &parser,
                                     OperationState &result) {
  SmallVector<Attribute> monoids;
  SmallVector<OpAsmParser::UnresolvedOperand> inits;
  SmallVector<Type> types;
  SMLoc loc = parser.getCurrentLocation();
  auto parseOne = [&]() -> ParseResult {
    FailureOr<Monoid> monoid = FieldParser<Monoid>::parse(parser);
    if (failed(monoid) || parser.parseOperand(inits.emplace_back()) ||
        parser.parseColonType(types.emplace_back()))
      return failure();
    monoids.push_back(MonoidAttr::get(parser.getContext(), *monoid));
    return success();
  };
  if (parser.parseCommaSeparatedList(AsmParser::Delimiter::Paren, parseOne) ||
      parser.resolveOperands(inits, types, loc, result.operands))
    return failure();
  result.addAttribute(ReduceOp::getMonoidsAttrName(result.name),
                      parser.getBuilder().getArrayAttr(monoids));
  result.addTypes(types);
  return success();
}

ParseResult ReduceOp::parse(OpAsmParser &parser, OperationState &result) {
  SmallVector<OpAsmParser::Argument> arguments;
  OpAsmParser::UnresolvedOperand domain;
  DomainType type;
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseArgumentList(arguments, AsmParser::Delimiter::Paren) ||
      parser.parseKeyword("in") || parser.parseOperand(domain) ||
      parser.parseColonType(type) ||
      parser.resolveOperand(domain, type, result.operands) ||
      parser.parseKeyword("into") || parseAccumulators(parser, result) ||
      parser.parseOptionalAttrDictWithKeyword(result.attributes))
    return failure();
  SmallVector<Type> types = getLoopTypes(type);
  if (arguments.size() != types.size())
    return parser.emitError(loc)
           << "a reduction over " << type << " has "
           << (type.hasSlots() ? "the arguments (slot, chunk)"
                               : "the argument (chunk)");
  for (auto [argument, argumentType] : llvm::zip(arguments, types))
    argument.type = argumentType;
  return parser.parseRegion(*result.addRegion(), arguments);
}

void ReduceOp::print(OpAsmPrinter &printer) {
  printer << " (";
  llvm::interleaveComma(getBody().getArguments(), printer,
                        [&](Value argument) { printer << argument; });
  printer << ") in " << getDomain() << " : " << getDomain().getType()
          << " into (";
  llvm::interleaveComma(
      llvm::enumerate(getAccumulators()), printer, [&](auto accumulator) {
        printer << stringifyMonoid(getMonoid(accumulator.index())) << ' '
                << accumulator.value() << " : "
                << accumulator.value().getType();
      });
  printer << ")";
  printer.printOptionalAttrDictWithKeyword((*this)->getAttrs(),
                                           {getMonoidsAttrName()});
  printer << ' ';
  printer.printRegion(getBody(), /*printEntryBlockArgs=*/false);
}

//===----------------------------------------------------------------------===//
// Verifiers
//===----------------------------------------------------------------------===//

/// Whether a value is f32 and means the same at each visit.
static bool isOverRows(Type type) {
  if (type.isF32())
    return true;
  AxesAttr axes = getAxes(type);
  return axes && getElementTypeOrSelf(type).isF32() &&
         llvm::none_of(axes.getAxes(), [](Axis axis) {
           return axis == Axis::Key || axis == Axis::Chunk ||
                  axis == Axis::Slot;
         });
}

/// Whether a visit of `domain` has its own place among the elements of `role`.
static bool belongsTo(DomainType domain, Type role) {
  if (auto chunks = dyn_cast<ChunksType>(role))
    return chunks.getPartition() == domain.getPartition();
  if (auto landmarks = dyn_cast<LandmarksType>(role))
    return landmarks.getPartition() == domain.getPartition();
  if (auto array = dyn_cast<ramify::hsa::ArrayType>(role))
    return array.getPartition() == domain.getPartition();
  return domain.hasSlots() &&
         cast<WeightsType>(role).getIndices() == domain.getIndices();
}

static LogicalResult verifyAccumulator(ReduceOp op, Monoid monoid, Type type) {
  if (auto sums = dyn_cast<SumsType>(type);
      sums && monoid == Monoid::Sum &&
      !belongsTo(op.getDomain().getType(), sums.getRole()))
    return op.emitOpError() << "accumulates " << type << ", but visits "
                            << op.getDomain().getType();
  bool isSoftmax = monoid == Monoid::Softmax;
  if (isSoftmax
          ? isa<SoftmaxStateType>(type)
          : isOverRows(type) || (monoid == Monoid::Sum && isa<SumsType>(type)))
    return success();
  return op.emitOpError() << "accumulates " << type << " with "
                          << stringifyMonoid(monoid) << ", but "
                          << (isSoftmax ? "a softmax state"
                                        : "an f32 tensor without a key, chunk "
                                          "or slot axis")
                          << " was expected";
}

LogicalResult ReduceOp::verify() {
  if (getAccumulators().empty())
    return emitOpError() << "has no accumulator, but at least one was expected";
  if (getMonoids().size() != getAccumulators().size() ||
      getAccumulators().getTypes() != getResultTypes())
    return emitOpError() << "has " << getAccumulators().size()
                         << " accumulators, " << getMonoids().size()
                         << " monoids and " << getNumResults()
                         << " results, but one of each, of equal types, was "
                            "expected";
  for (auto [index, type] : llvm::enumerate(getAccumulators().getTypes()))
    if (failed(verifyAccumulator(*this, getMonoid(index), type)))
      return failure();
  return success();
}

/// What a visit adds at its own place among the elements of `role`.
static LogicalResult verifyPart(ReduceOp op, Type part, Type role) {
  Type element = Float32Type::get(op.getContext());
  if (auto weights = dyn_cast<WeightsType>(role);
      weights && weights.getHeads() == Heads::Query)
    return verifyOver(op, "what is yielded", part, {Axis::Head}, element);
  SmallVector<SizedAxis> axes;
  if (auto landmarks = dyn_cast<LandmarksType>(role)) {
    if (landmarks.getHeads() == Heads::Query)
      llvm::copy_if(getSizedAxes(part), std::back_inserter(axes),
                    [](SizedAxis sized) { return sized.first == Axis::Head; });
    axes.push_back({Axis::Dim, landmarks.getDim()});
  }
  if (auto chunks = dyn_cast<ChunksType>(role))
    axes = {{Axis::Key, chunks.getKey()}, {Axis::Dim, chunks.getDim()}};
  if (auto array = dyn_cast<ramify::hsa::ArrayType>(role))
    axes = dropAxes(getSizedAxes(array),
                    AxesAttr::get(op.getContext(), {Axis::Chunk}));
  return verifyType(op, "what is yielded", part, getNamedType(axes, element));
}

/// Scores and values of one chunk, merged into a softmax.
static LogicalResult verifyMerge(ReduceOp op, Type scores, Type values,
                                 SoftmaxStateType state) {
  SmallVector<SizedAxis> rows = getSizedAxes(state.getRowType());
  SizedAxis key = getSizedAxes(scores).back();
  rows.push_back(key);
  Type element = getElementTypeOrSelf(values);
  if (!isa<FloatType>(element))
    return op.emitOpError() << "the values of what is merged are of " << element
                            << ", but f32, bf16 or f16 was expected";
  return failure(failed(verifyType(
                     op, "what is merged", scores,
                     getNamedType(rows, state.getValue().getElementType()))) ||
                 failed(verifyType(
                     op, "the values of what is merged", values,
                     getNamedType({key, getSizedAxes(state.getValue()).back()},
                                  element))));
}

static LogicalResult verifyYielded(ReduceOp op, unsigned index) {
  OperandRange yielded = op.getYielded(index);
  Type accumulator = op.getAccumulators()[index].getType();
  if (auto sums = dyn_cast<SumsType>(accumulator))
    return verifyPart(op, yielded[0].getType(), sums.getRole());
  if (op.getMonoid(index) != Monoid::Softmax)
    return verifyType(op, "what is yielded", yielded[0].getType(), accumulator);
  Type scores = yielded[0].getType(), values = yielded[1].getType();
  auto state = cast<SoftmaxStateType>(accumulator);
  if (!isNamedTensor(scores) || !isNamedTensor(values))
    return op.emitOpError() << "merges " << scores << " and " << values
                            << ", but tensors were expected";
  return getAxes(scores).contains(Axis::Key)
             ? verifyMerge(op, scores, values, state)
             : verifyPush(op, scores, values, state);
}

LogicalResult ReduceOp::verifyRegions() {
  if (getBody().getArgumentTypes() != getLoopTypes(getDomain().getType())) {
    InFlightDiagnostic diag = emitOpError() << "region has arguments (";
    llvm::interleaveComma(getBody().getArgumentTypes(), diag);
    diag << "), but (";
    llvm::interleaveComma(getLoopTypes(getDomain().getType()), diag);
    return diag << ") was expected";
  }
  unsigned expected = 0;
  for (unsigned index = 0; index < getAccumulators().size(); ++index)
    expected += getWidth(getMonoid(index));
  Operation *yield = getBody().front().getTerminator();
  if (yield->getNumOperands() != expected)
    return emitOpError() << "yields " << yield->getNumOperands()
                         << " values, but " << expected << " were expected";
  for (unsigned index = 0; index < getAccumulators().size(); ++index)
    if (failed(verifyYielded(*this, index)))
      return failure();
  return success();
}

//===----------------------------------------------------------------------===//
// Canonicalisation
//===----------------------------------------------------------------------===//

namespace {

/// Drops accumulators that nothing reads, with what the region yields for them.
struct DropUnusedAccumulators : OpRewritePattern<ReduceOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(ReduceOp op,
                                PatternRewriter &rewriter) const override {
    auto isUsed = [](Value result) { return !result.use_empty(); };
    if (llvm::all_of(op.getResults(), isUsed) ||
        llvm::none_of(op.getResults(), isUsed))
      return failure();
    SmallVector<Value> inits, yields, kept;
    SmallVector<Attribute> monoids;
    for (auto [index, result] : llvm::enumerate(op.getResults())) {
      if (!isUsed(result))
        continue;
      kept.push_back(result);
      inits.push_back(op.getAccumulators()[index]);
      monoids.push_back(op.getMonoids()[index]);
      llvm::append_range(yields, op.getYielded(index));
    }
    Operation *yield = op.getBody().front().getTerminator();
    rewriter.modifyOpInPlace(yield, [&] { yield->setOperands(yields); });
    auto narrow = rewriter.create<ReduceOp>(
        op.getLoc(), ValueRange(inits).getTypes(), op.getDomain(), inits,
        rewriter.getArrayAttr(monoids));
    narrow->setDiscardableAttrs(op->getDiscardableAttrDictionary());
    rewriter.inlineRegionBefore(op.getBody(), narrow.getBody(),
                                narrow.getBody().end());
    for (auto [result, other] : llvm::zip(kept, narrow.getResults()))
      rewriter.replaceAllUsesWith(result, other);
    rewriter.eraseOp(op);
    return success();
  }
};

} // namespace

void ReduceOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                           MLIRContext *context) {
  patterns.add<DropUnusedAccumulators>(context);
}
