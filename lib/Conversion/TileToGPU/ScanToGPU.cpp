// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- ScanToGPU.cpp - Running sums, maxima, minima -----------------------===//
//
// Elements are in the order of their coordinate, whose bits are bits of the
// register or of the lane; beyond them come warps and repetitions. Bit by bit,
// from the lowest, each element learns what stands before it in a block of
// twice the size, and the total of that block:
//
//   bit set:    before = total of the lower half o before
//   both:       total  = total of the lower half o total of the upper half
//
// where the other half is another register, or another lane's by a shuffle.
// Totals of warps meet in shared memory, where each thread goes through them in
// order. In reverse it is the lower half that learns.
//
//===----------------------------------------------------------------------===//

#include "Accesses.h"
#include "Expander.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace ramify;
using namespace ramify::tile;

/// What each register of the thread knows.
struct ramify::Scan {
  Scan(OpBuilder &builder, Location loc, ScanOp op, Registers input)
      : builder(builder), loc(loc), kind(op.getCombine()),
        reverse(op.getReverse()), totals(input), before(input.size()),
        type(input[0].getType()) {}

  /// Null stands for nothing.
  Value combine(Value a, Value b) {
    if (!a || !b)
      return a ? a : b;
    return combineTwo(builder, loc, kind, a, b);
  }
  Value identity();
  Value orIdentity(Value value) { return value ? value : identity(); }
  Value select(Value condition, Value a, Value b) {
    return builder.create<arith::SelectOp>(loc, condition, orIdentity(a),
                                           orIdentity(b));
  }
  void overRegisterBit(unsigned bit);
  void overLaneBit(unsigned bit, Value isUpper);

  OpBuilder &builder;
  Location loc;
  Combine kind;
  bool reverse;
  Registers totals, before;
  Type type;
};

Value Scan::identity() {
  if (isa<FloatType>(type)) {
    double value = kind == Combine::Sum   ? 0.0
                   : kind == Combine::Max ? -INFINITY
                                          : INFINITY;
    return builder.create<arith::ConstantOp>(loc,
                                             builder.getFloatAttr(type, value));
  }
  int64_t value = kind == Combine::Sum   ? 0
                  : kind == Combine::Max ? INT32_MIN
                                         : INT32_MAX;
  return builder.create<arith::ConstantOp>(loc,
                                           builder.getIntegerAttr(type, value));
}

void Scan::overRegisterBit(unsigned bit) {
  for (unsigned r = 0; r < totals.size(); ++r) {
    if (r >> bit & 1)
      continue;
    unsigned upper = r | 1u << bit;
    if (reverse)
      before[r] = combine(totals[upper], before[r]);
    else
      before[upper] = combine(totals[r], before[upper]);
    totals[r] = totals[upper] = combine(totals[r], totals[upper]);
  }
}

void Scan::overLaneBit(unsigned bit, Value isUpper) {
  PTX ptx(builder, loc);
  llvm::DenseMap<Value, std::pair<Value, Value>> known;
  for (auto [total, earlier] : llvm::zip_equal(totals, before)) {
    auto &[other, both] = known[total];
    if (!other) {
      other = ptx.shuffleXor(total, 1u << bit);
      both = combine(total, other);
    }
    Value with = combine(other, earlier);
    earlier = reverse ? select(isUpper, earlier, with)
                      : select(isUpper, with, earlier);
    total = both;
  }
}

//===----------------------------------------------------------------------===//
// Beyond the atom
//===----------------------------------------------------------------------===//

/// For each repetition, what stands before it: the totals of all warps and of
/// the repetitions before, through shared memory. `totals` are of repetitions.
static Registers carryOverWarps(Scan &scan, const Layout &layout, Value warp,
                                Value area) {
  OpBuilder &builder = scan.builder;
  Location loc = scan.loc;
  int64_t warps = layout.numWarps(),
          repeats = layout.numRegisters() >> layout.registerBases().size();
  Value running;
  Registers carried(repeats);
  for (int64_t step = 0; step < repeats * warps; ++step) {
    int64_t place = scan.reverse ? repeats * warps - 1 - step : step;
    int64_t i = place / warps, w = place % warps;
    Value number = builder.create<arith::ConstantIntOp>(loc, w, 32);
    Value here = builder.create<arith::CmpIOp>(loc, arith::CmpIPredicate::eq,
                                               warp, number);
    if (running)
      carried[i] = scan.select(here, running, carried[i]);
    Value pointer = builder.create<LLVM::GEPOp>(
        loc, area.getType(), scan.type, area,
        ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(place)});
    Value total = builder.create<LLVM::LoadOp>(loc, scan.type, pointer);
    running = scan.combine(running, total);
  }
  return carried;
}

/// In one thread, repetition after repetition.
static void carryOverRepeats(Scan &scan, const Layout &layout, unsigned axis) {
  unsigned atomRegisters = 1u << layout.registerBases().size();
  std::map<std::pair<unsigned, int64_t>, Value> running;
  for (unsigned step = 0; step < layout.numRegisters(); ++step) {
    unsigned r = scan.reverse ? layout.numRegisters() - 1 - step : step;
    Coords at = layout.offset(r);
    int64_t other = layout.rank() == 2 ? at[1 - axis] : 0;
    // Registers are in the order of their repetition, along either axis.
    auto key = std::make_pair(r % atomRegisters, other);
    scan.before[r] = scan.combine(running[key], scan.before[r]);
    running[key] = scan.combine(running[key], scan.totals[r]);
  }
}

Registers Expander::carryOverProgram(Scan &scan, const Layout &layout) {
  unsigned atomRegisters = 1u << layout.registerBases().size();
  int64_t repeats = layout.numRegisters() / atomRegisters;
  int64_t bytes = bytesOf(scan.type);
  Value area = exchangeArea(layout.numWarps() * repeats * bytes);
  meet();
  // Lane 0 of each warp that has elements of its own.
  Value first = isEqual(lane(), constant32(0));
  if (layout.numWarps() < numWarps())
    first = conjunction(first, builder.create<arith::CmpIOp>(
                                   loc, arith::CmpIPredicate::ult, warp(),
                                   constant32(layout.numWarps())));
  whereTrue(first, {}, [&] {
    for (int64_t i = 0; i < repeats; ++i) {
      Value place = add32(constant32(i * layout.numWarps()), warp());
      place = builder.create<arith::MulIOp>(loc, place, constant32(bytes));
      builder.create<LLVM::StoreOp>(loc, scan.totals[i * atomRegisters],
                                    advance(area, place));
    }
    return Registers();
  });
  meet();
  return carryOverWarps(scan, layout, warpOf(layout), area);
}

//===----------------------------------------------------------------------===//
// The operation
//===----------------------------------------------------------------------===//

/// Bits of the register and lane numbers along `axis`, the lowest first; lanes
/// count from 32.
static SmallVector<unsigned> bitsInOrder(const Layout &layout, unsigned axis) {
  std::map<int64_t, unsigned> sorted;
  for (auto [bit, basis] : llvm::enumerate(layout.registerBases()))
    if (basis[axis])
      sorted[basis[axis]] = bit;
  for (auto [bit, basis] : llvm::enumerate(layout.laneBases()))
    if (basis[axis])
      sorted[basis[axis]] = Layout::lanes + bit;
  SmallVector<unsigned> bits;
  for (auto [basis, bit] : sorted)
    bits.push_back(bit);
  return bits;
}

LogicalResult Expander::scanVector(ScanOp op) {
  auto type = cast<RankedTensorType>(op.getType());
  Layout layout = *Layout::of(type);
  unsigned axis = op.getAxis();
  Type element = type.getElementType();
  if (!element.isF32() && !element.isInteger(32))
    return op.emitOpError("expected f32 or i32, found ") << element;
  bool overWarps = layout.getWarps()[axis] > 1;
  Registers input = registers(op.getInput());
  Scan scan(builder, loc, op, input);
  for (unsigned bit : bitsInOrder(layout, axis)) {
    if (bit < Layout::lanes) {
      scan.overRegisterBit(bit);
      continue;
    }
    Value mask = constant32(int64_t(1) << (bit - Layout::lanes));
    Value own = builder.create<arith::AndIOp>(loc, lane(), mask);
    scan.overLaneBit(bit - Layout::lanes, isEqual(own, mask));
  }
  if (overWarps) {
    Registers carried = carryOverProgram(scan, layout);
    unsigned atomRegisters = 1u << layout.registerBases().size();
    for (unsigned r = 0; r < input.size(); ++r)
      scan.before[r] = scan.combine(carried[r / atomRegisters], scan.before[r]);
  } else {
    carryOverRepeats(scan, layout, axis);
  }
  Registers result;
  for (auto [own, before] : llvm::zip_equal(input, scan.before))
    result.push_back(op.getExclusive() ? scan.orIdentity(before)
                                       : scan.combine(before, own));
  tiles[op.getResult()] = result;
  return success();
}
