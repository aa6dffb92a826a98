// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- TallyToGPU.cpp - Counts of bins, in order --------------------------===//
//
// Each warp has one piece of the vector, 32 elements a register, and a counter
// of its own for each bin in shared memory, so that no order between warps is
// needed before the end:
//
//   register after register:
//     peers  = the lanes with the same bin     a ballot for each bit of it
//     before = counter + peers in lower lanes
//     the lowest peer adds the number of peers to the counter
//   bin after bin, all threads: the counters of the warps become sums of those
//     of earlier warps; the last sum is the count
//   before += what the warp's counter then says
//
//===----------------------------------------------------------------------===//

#include "Accesses.h"
#include "Expander.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace ramify;
using namespace ramify::tile;
using Predicate = arith::CmpIPredicate;

static constexpr int64_t kWordBytes = 4;
/// Words that a thread clears at once.
static constexpr int64_t kWordsAtOnce = 4;

namespace {
/// The counters in shared memory, and what each register knows.
struct TallyCounters {
  OpBuilder &builder;
  Location loc;
  int64_t bins, stride, warps; ///< stride: words of a warp's counters
  Value area, own, lane;

  Value i32(int64_t value) {
    return builder.create<arith::ConstantIntOp>(loc, value, 32);
  }
  template <typename Op> Value make(Value a, Value b) {
    return builder.create<Op>(loc, a, b);
  }
  Value compare(Predicate predicate, Value a, Value b) {
    return builder.create<arith::CmpIOp>(loc, predicate, a, b);
  }
  Value choose(Value condition, Value a, Value b) {
    return builder.create<arith::SelectOp>(loc, condition, a, b);
  }
  Value countBits(Value bits) {
    return builder.create<LLVM::CtPopOp>(loc, bits.getType(), bits);
  }
  Value at(Value start, Value words, int64_t more = 0) {
    Type byte = builder.getI8Type();
    Value bytes = make<arith::MulIOp>(words, i32(kWordBytes));
    Value place = builder.create<LLVM::GEPOp>(loc, start.getType(), byte, start,
                                              ArrayRef<LLVM::GEPArg>{bytes});
    int32_t offset = static_cast<int32_t>(more * kWordBytes);
    return builder.create<LLVM::GEPOp>(loc, start.getType(), byte, place,
                                       ArrayRef<LLVM::GEPArg>{offset});
  }
  Value load(Value place) {
    return builder.create<LLVM::LoadOp>(loc, builder.getI32Type(), place);
  }
  void store(Value value, Value place) {
    builder.create<LLVM::StoreOp>(loc, value, place);
  }

  void clear();
  /// The lanes that have the bin of this one, if that is `valid`.
  Value findPeers(Value bin, Value valid);
  /// The sum over all warps, whose counters become sums of those before them;
  /// `between` is called when they have been read.
  Registers scanWarps(ArrayRef<Value> numbers,
                      llvm::function_ref<void()> between);
};
} // namespace

void TallyCounters::clear() {
  auto type = VectorType::get({kWordsAtOnce}, builder.getI32Type());
  Value zeros =
      builder.create<arith::ConstantOp>(loc, builder.getZeroAttr(type));
  Value first = make<arith::MulIOp>(lane, i32(kWordsAtOnce));
  for (int64_t word = 0; word < stride; word += kWordsAtOnce * Layout::lanes)
    builder.create<LLVM::StoreOp>(loc, zeros, at(own, first, word),
                                  kWordsAtOnce * kWordBytes);
}

Value TallyCounters::findPeers(Value bin, Value valid) {
  PTX ptx(builder, loc);
  Value peers = ptx.ballot(valid);
  for (unsigned bit = 0; bit < llvm::Log2_64_Ceil(bins); ++bit) {
    Value own = make<arith::AndIOp>(bin, i32(int64_t(1) << bit));
    Value isSet = compare(Predicate::ne, own, i32(0));
    Value set = ptx.ballot(isSet);
    Value others = choose(isSet, i32(0), i32(-1));
    peers = make<arith::AndIOp>(peers, make<arith::XOrIOp>(set, others));
  }
  return peers;
}

Registers TallyCounters::scanWarps(ArrayRef<Value> numbers,
                                   llvm::function_ref<void()> between) {
  SmallVector<Registers> counts;
  for (Value number : numbers) {
    Registers own;
    for (int64_t warp = 0; warp < warps; ++warp)
      own.push_back(load(at(area, number, warp * stride)));
    counts.push_back(own);
  }
  between();
  Registers sums;
  for (auto [number, own] : llvm::zip_equal(numbers, counts)) {
    Value sum = i32(0);
    for (int64_t warp = 0; warp < warps; ++warp) {
      store(sum, at(area, number, warp * stride));
      sum = make<arith::AddIOp>(sum, own[warp]);
    }
    sums.push_back(sum);
  }
  return sums;
}

LogicalResult Expander::expandTally(TallyOp op) {
  auto type = cast<RankedTensorType>(op.getBins().getType());
  auto countsType = cast<RankedTensorType>(op.getCounts().getType());
  Layout layout = *Layout::of(type);
  int64_t warps = numWarps(), bins = countsType.getDimSize(0);
  if (layout != vectorByWarps(type.getDimSize(0), warps))
    return op.emitOpError("expected a power of two of bins, ")
           << Layout::lanes * warps << " or more, found " << type;
  int64_t stride = llvm::alignTo(bins, kWordsAtOnce * Layout::lanes);
  Value area = exchangeArea(warps * stride * kWordBytes);
  TallyCounters counters{builder, loc,  bins,    stride,
                         warps,   area, Value(), lane()};
  counters.own = counters.at(
      area, counters.make<arith::MulIOp>(warp(), constant32(stride)));
  PTX ptx(builder, loc);
  meet();
  counters.clear();
  Value lower = builder.create<arith::SubIOp>(
      loc, builder.create<arith::ShLIOp>(loc, constant32(1), lane()),
      constant32(1));
  Registers own = registers(op.getBins()), valid, before, all, places, result;
  for (Value bin : own) {
    valid.push_back(counters.compare(Predicate::ult, bin, constant32(bins)));
    Value peers = counters.findPeers(bin, valid.back());
    before.push_back(
        counters.countBits(counters.make<arith::AndIOp>(peers, lower)));
    all.push_back(counters.countBits(peers));
  }
  for (unsigned r = 0; r < own.size(); ++r) {
    ptx.syncWarp();
    places.push_back(
        counters.at(counters.own, select(valid[r], own[r], constant32(0))));
    Value counted = counters.load(places[r]);
    ptx.syncWarp();
    Value leads = conjunction(isEqual(before[r], constant32(0)), valid[r]);
    whereTrue(leads, {}, [&] {
      counters.store(counters.make<arith::AddIOp>(counted, all[r]), places[r]);
      return Registers();
    });
    before[r] = counters.make<arith::AddIOp>(counted, before[r]);
  }
  meet();
  Layout countsLayout = *Layout::of(countsType);
  tiles[op.getCounts()] = counters.scanWarps(elementNumbers(countsLayout), [&] {
    // Threads that have the same bins all write its sums.
    if (leads(countsLayout))
      meet();
  });
  meet();
  for (unsigned r = 0; r < own.size(); ++r) {
    Value sum =
        counters.make<arith::AddIOp>(counters.load(places[r]), before[r]);
    result.push_back(select(valid[r], sum, constant32(0)));
  }
  tiles[op.getBefore()] = result;
  return success();
}
