// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- TileShape.cpp - How named axes become rows and columns -------------===//

#include "TileShape.h"

#include "BodyEmitter.h"
#include "InverseIndex.h"
#include "Registers.h"
#include "VisitRegisters.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MathExtras.h"

#include <numeric>

using namespace mlir;
using namespace ramify;
using hsa::Axis;
using llvm::alignTo;
using llvm::divideCeil;

/// Keys of a tile below which nothing is won by another pass.
static constexpr int64_t kLeastKeyTile = 16;
/// Registers of a thread, by an estimate that is high for wide tiles, that are
/// rather spilled than twice the rows taken, and than scores computed again in
/// passes. Of f32 the split factors would be spilled, too, each time.
static constexpr int64_t kFewSpills = 24, kSpillsInsteadOfPasses = 100;

bool ramify::hasAxis(Type type, Axis axis) {
  hsa::AxesAttr axes = hsa::getAxes(type);
  return axes && axes.contains(axis);
}

bool ramify::hasRows(Type type) {
  return hasAxis(type, Axis::Pos) || hasAxis(type, Axis::Head);
}

int64_t ramify::getSize(Type type, Axis axis) {
  if (!hasAxis(type, axis))
    return 0;
  return cast<RankedTensorType>(type).getDimSize(hsa::getAxes(type).find(axis));
}

/// The longest chunk that the program's parameters tell of.
static int64_t getLongestChunk(hsa::ProgramOp program) {
  int64_t longest = 1;
  for (Type type : program.getArgumentTypes()) {
    if (auto chunks = dyn_cast<hsa::ChunksType>(type))
      longest = std::max(longest, chunks.getKey());
    if (auto array = dyn_cast<hsa::ArrayType>(type))
      longest = std::max(longest, program.getChunkSize(array.getPartition()));
  }
  return longest;
}

/// Whether the rows of a query block may be those of several programs.
static bool canCutRows(hsa::ProgramOp program) {
  auto isWhole = [](Operation *op, hsa::AxesAttr over) -> WalkResult {
    bool overRows = over.contains(Axis::Pos) || over.contains(Axis::Head);
    return failure(overRows && !endsInSums(op->getResult(0)));
  };
  WalkResult result = program.walk([&](Operation *op) -> WalkResult {
    if (auto fold = dyn_cast<hsa::FoldOp>(op))
      return isWhole(op, fold.getOver());
    if (auto dot = dyn_cast<hsa::DotOp>(op))
      return isWhole(op, dot.getOver());
    return success();
  });
  return !result.wasInterrupted();
}

TileShape::TileShape(hsa::ProgramOp program, const TileLimits &limits,
                     Gradients gradients)
    : limits(limits) {
  positions = std::max<int64_t>(program.getAxisSize(Axis::Pos), 1);
  heads = std::max<int64_t>(program.getAxisSize(Axis::Head), 1);
  group = program.getGroup();
  int64_t longest = getLongestChunk(program);
  if (limits.registers) {
    // Warps have rows or columns of their own, not both.
    if (sharesColumns(program))
      this->limits.maxRows = limits.rowsMultiple;
    if (!hasProductsOfRows(program))
      gradients = Gradients::None;
    fitRegisters(program, longest, gradients);
  }
  int64_t most = getMostRows(getKeyTile(longest), getTilesAtOnce(longest));
  int64_t total = positions * heads;
  rowBlocks = divideCeil(total, most);
  rows = alignTo(divideCeil(total, rowBlocks), limits.rowsMultiple);
  rowBlocks = divideCeil(total, rows);
}

int64_t TileShape::getMostRows(int64_t keys, int64_t tiles) const {
  // Tiles that are there at once leave room for fewer rows.
  int64_t most = std::max(alignTo(std::max<int64_t>(limits.maxRows / tiles, 1),
                                  limits.rowsMultiple),
                          static_cast<uint64_t>(limits.rowsMultiple));
  if (!cutsRows)
    return most;
  // Warps share the rows of all products, also of those whose rows are keys.
  int64_t total = alignTo(positions * heads, limits.rowsMultiple);
  return std::gcd(std::min(most, total), keys);
}

/// Whether numbers that differ between blocks only, as their places do, are
/// repeated to tiles without rows, along keys say: those are of one block.
static bool repeatsPlacesOfBlocks(hsa::ProgramOp program) {
  llvm::DenseSet<Value> ofBlocks;
  WalkResult result = program.walk<WalkOrder::PreOrder>([&](Operation *op) {
    bool follows = llvm::any_of(op->getOperands(), [&](Value operand) {
      return ofBlocks.contains(operand);
    });
    if (!isa<hsa::BlockPositionOp>(op) && !follows)
      return WalkResult::advance();
    for (Value value : op->getResults())
      if (!hasRows(value.getType()))
        ofBlocks.insert(value);
    bool isRepeated =
        isa<hsa::BroadcastOp>(op) && !hasRows(op->getResult(0).getType());
    return isRepeated ? WalkResult::interrupt() : WalkResult::advance();
  });
  return result.wasInterrupted();
}

TileShape TileShape::ofChunk(hsa::ProgramOp program, const TileLimits &limits) {
  TileShape shape(program, limits, Gradients::Owned);
  int64_t ofEntry = shape.positions * shape.heads;
  if (!repeatsPlacesOfBlocks(program))
    shape.entries = std::max<int64_t>(shape.limits.chunkRows / ofEntry, 1);
  if (shape.entries > 1)
    shape.rows = alignTo(shape.entries * ofEntry, limits.rowsMultiple);
  return shape;
}

void TileShape::makePasses(llvm::function_ref<bool(int64_t)> fits) {
  inPasses = true;
  int64_t least = std::max(limits.colsMultiple, kLeastKeyTile);
  while (limits.maxKeyTile / 2 >= least && !fits(limits.maxKeyTile))
    limits.maxKeyTile /= 2;
}

/// Twice the rows are twice the warps, which share the sums but leave an SM one
/// program, that none stands in for while it waits. Passes come last: they
/// compute scores again and add to memory at each visit.
void TileShape::fitOwner(hsa::ProgramOp program, int64_t keys) {
  auto estimate = [&](int64_t rows) {
    return estimateOwnerRegisters(program, keys, rows, /*inPasses=*/false);
  };
  if (keys <= limits.maxKeyTile) {
    bool isF32 = hasF32Chunks(program);
    auto most = [&](int64_t spills) {
      return limits.registers + (isF32 ? 0 : spills);
    };
    if (estimate(limits.chunkRows) <= most(kFewSpills))
      return;
    int64_t more = 2 * limits.chunkRows;
    bool hasEntries = kItemEntries * positions * heads >= more;
    bool hasRoom =
        !limits.sharedBytes ||
        estimateOwnerSharedBytes(program, keys, more) <= limits.sharedBytes;
    if (hasEntries && hasRoom &&
        estimate(more) <= most(kSpillsInsteadOfPasses)) {
      limits.chunkRows = more;
      limits.maxRows = std::max(limits.maxRows, more);
      return;
    }
  }
  makePasses([&](int64_t keysAtOnce) {
    return estimateOwnerRegisters(program, keysAtOnce, limits.chunkRows,
                                  /*inPasses=*/true) <= limits.registers;
  });
}

void TileShape::fitRegisters(hsa::ProgramOp program, int64_t keys,
                             Gradients gradients) {
  if (gradients == Gradients::Owned)
    return fitOwner(program, keys);
  bool addsVisits = gradients == Gradients::Added;
  // Several programs would add to what a query block has for itself.
  cutsRows = addsVisits && !limits.deterministic && canCutRows(program);
  int64_t total = alignTo(positions * heads, limits.rowsMultiple);
  auto fits = [&](int64_t keysAtOnce) {
    int64_t rows = 0;
    if (addsVisits)
      rows = std::min(total, getMostRows(keysAtOnce, /*tiles=*/1));
    return estimateRegisters(program, keysAtOnce, rows, inPasses) <=
           limits.registers;
  };
  while (limits.keysAtOnce > keys &&
         estimateGatheredRegisters(program, limits.keysAtOnce) >
             limits.registers)
    limits.keysAtOnce /= 2;
  if (fits(keys))
    return;
  makePasses(fits);
}

int64_t TileShape::getKeyTiles(int64_t keys) const {
  return divideCeil(keys, limits.maxKeyTile);
}

int64_t TileShape::getKeyTile(int64_t keys) const {
  return alignTo(divideCeil(keys, getKeyTiles(keys)), limits.colsMultiple);
}

/// Why a reduction cannot visit several chunks together; empty if it can.
static StringRef whyOneByOne(hsa::ReduceOp op, bool onePosition) {
  if (op.getDomain().getDefiningOp<hsa::OwnOp>() && onePosition)
    return "a position has one chunk of its own";
  auto isSums = [](Type type) { return isa<hsa::SumsType>(type); };
  if (llvm::any_of(op.getResultTypes(), isSums))
    return "it adds to gradients in memory";
  for (Operation &inner : op.getBody().front().without_terminator()) {
    if (isa<hsa::AddOp>(inner))
      return "it adds to gradients in memory";
    if (isa<hsa::OnlineSoftmaxOp, hsa::PushOp, hsa::ValueOp, hsa::LseOp>(inner))
      return "a visit has a running softmax of its own";
  }
  return "";
}

int64_t TileShape::getChunksAtOnce(hsa::ReduceOp op, int64_t keys) const {
  if (getKeyTiles(keys) > 1 || !whyOneByOne(op, hasOnePosition()).empty())
    return 1;
  return std::max<int64_t>(limits.keysAtOnce / getKeyTile(keys), 1);
}

std::string TileShape::describeTiles(hsa::ReduceOp op, int64_t keys) const {
  std::string size = llvm::utostr(getKeyTile(keys));
  std::string chunks = "chunks of " + llvm::utostr(keys) + " keys ";
  if (int64_t tiles = getKeyTiles(keys); tiles > 1)
    return chunks + (inPasses ? "in passes over tiles of " + size
                              : "in " + llvm::utostr(tiles) + " tiles of " +
                                    size + " at once");
  if (int64_t together = getChunksAtOnce(op, keys); together > 1)
    return llvm::utostr(together) + " " + chunks + "at once";
  bool could = limits.keysAtOnce >= 2 * getKeyTile(keys);
  StringRef why = could ? whyOneByOne(op, hasOnePosition()) : "";
  return chunks + "one by one" + (why.empty() ? "" : " since " + why.str());
}

int64_t TileShape::getPaddedDim(int64_t dim) const {
  return alignTo(dim, limits.colsMultiple);
}

Type TileShape::getTile(Type type) const {
  if (!hsa::isNamedTensor(type))
    return type;
  SmallVector<int64_t> shape;
  if (hasRows(type))
    shape.push_back(rows);
  for (auto [axis, size] : hsa::getSizedAxes(type)) {
    if (axis == Axis::Key)
      shape.push_back(getKeyTile(size));
    else if (axis == Axis::Dim)
      shape.push_back(getPaddedDim(size));
    else if (axis == Axis::Chunk || axis == Axis::Slot)
      return nullptr;
  }
  if (shape.size() > 2)
    return nullptr;
  return RankedTensorType::get(shape, getElementTypeOrSelf(type));
}
