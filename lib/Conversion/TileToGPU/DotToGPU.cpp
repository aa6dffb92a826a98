// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- DotToGPU.cpp - Products by mma.sync --------------------------------===//
//
// A product is made of m16n8k16 (16-bit) or m16n8k8 (tf32) instructions. In a
// block of columns the contraction is the outer loop, so that consecutive
// instructions add to different accumulators. Words of an operand are found by
// the coordinates that the instruction's fragment gives them, which is how a
// tf32 operand may be permuted along the contraction: k -> 2 (k % 4) + k / 4,
// the same for both.
//
// f32 is split in two tf32, x = big + small with |small| <= 2^-11 |x|, and
//
//   a b ~ small(a) big(b) + big(a) small(b) + big(a) big(b)
//
// smallest terms first: an error of about 2^-23 |a b|, where plain tf32 has
// 2^-11. The instruction cuts its sum off instead of rounding it, a bias that
// grows with the number of instructions; so a few of them start from zero, and
// an ordinary addition, which rounds, takes their sum to the accumulator.
//
//===----------------------------------------------------------------------===//

#include "Expander.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace ramify;
using namespace ramify::tile;

/// Accumulators of so many columns are summed up before the next: enough for
/// consecutive mma to be independent, few enough to be used and forgotten.
static constexpr int64_t kBlockColumns = 64;

/// How far an f32 product contracts before its sum is rounded.
static constexpr int64_t kRoundedDepth = 64;

/// Where one warp has more columns of an f32 product than this, which it has
/// only of what cannot be dealt to two, there are no registers for the partial
/// sums of a block, nor for the split left operand that blocks would share: all
/// columns for one step of the contraction at a time, each sum rounded at once.
static constexpr int64_t kWideColumnsOfWarp = 192;

namespace {

/// An f32 as two tf32.
struct Split {
  Registers big, small;
};

/// Coordinates [row, k] of an A fragment's words, and [k, column] of a B
/// fragment's.
struct Fragment {
  std::array<Coords, 4> a;
  std::array<Coords, 2> b;
  int64_t k;
};

/// Words of an operand, in registers or still in shared memory.
struct Operand {
  Layout layout;
  bool packed;
  std::map<Coords, unsigned> numbers;
  Registers registers;
  std::optional<SharedTile> shared;

  Operand(Value value)
      : layout(*Layout::of(value.getType())),
        packed(
            isPacked(cast<RankedTensorType>(value.getType()).getElementType())),
        numbers(registersByOffset(layout)) {}

  Value word(const Coords &offset) const {
    return registers[numbers.at(offset) / (packed ? 2 : 1)];
  }
};

} // namespace

static Fragment fragment16() {
  return {{Coords{0, 0}, Coords{8, 0}, Coords{0, 8}, Coords{8, 8}},
          {Coords{0, 0}, Coords{8, 0}},
          16};
}

static Fragment fragmentTF32(bool permuted) {
  int64_t second = permuted ? 1 : 4;
  return {{Coords{0, 0}, Coords{8, 0}, Coords{0, second}, Coords{8, second}},
          {Coords{0, 0}, Coords{second, 0}},
          8};
}

/// The low 13 bits of a tf32 are ignored: both parts are rounded by adding half
/// of what they can hold.
static Split splitF32(OpBuilder &builder, Location loc, ArrayRef<Value> words) {
  Type i32 = builder.getI32Type(), f32 = builder.getF32Type();
  auto constant = [&](int64_t value) -> Value {
    return builder.create<arith::ConstantIntOp>(loc, value, 32);
  };
  Split split;
  for (Value word : words) {
    Value bits = word, real = word;
    if (word.getType() == f32)
      bits = builder.create<LLVM::BitcastOp>(loc, i32, word);
    else
      real = builder.create<LLVM::BitcastOp>(loc, f32, word);
    Value rounded = builder.create<arith::AddIOp>(loc, bits, constant(0x1000));
    Value big = builder.create<arith::AndIOp>(
        loc, rounded, constant(static_cast<int32_t>(0xffffe000)));
    Value bigReal = builder.create<LLVM::BitcastOp>(loc, f32, big);
    Value small = builder.create<arith::SubFOp>(loc, real, bigReal);
    split.big.push_back(big);
    Value smallBits = builder.create<LLVM::BitcastOp>(loc, i32, small);
    split.small.push_back(
        builder.create<arith::AddIOp>(loc, smallBits, constant(0x1000)));
  }
  return split;
}

static void addTo(Coords &coords, int64_t rows, int64_t columns) {
  coords[0] += rows;
  coords[1] += columns;
}

LogicalResult Expander::expandDot(DotOp op) {
  auto lhsType = cast<RankedTensorType>(op.getLhs().getType());
  auto accType = cast<RankedTensorType>(op.getType());
  Type element = lhsType.getElementType();
  if (!element.isF32() && !isPacked(element))
    return op.emitOpError("expected bf16, f16 or f32, found ") << element;
  Layout accLayout = *Layout::of(accType);
  // Eight columns of each warp in turn.
  int64_t columnWarps = accLayout.getWarps()[1];
  int64_t columns = accType.getDimSize(1) / columnWarps;
  int64_t inner = lhsType.getDimSize(1);

  auto operand = [&](Value value) {
    Operand result(value);
    if (auto found = postponed.find(value); found != postponed.end())
      result.shared = found->second;
    else
      result.registers = registers(value);
    return result;
  };
  Operand lhs = operand(op.getLhs()), rhs = operand(op.getRhs());
  auto take = [&](Operand &from, ArrayRef<Coords> offsets) {
    if (from.shared)
      return loadWords(*from.shared, from.layout, offsets);
    Registers words;
    for (const Coords &offset : offsets)
      words.push_back(from.word(offset));
    return words;
  };

  PTX ptx(builder, loc);
  bool tf32 = element.isF32();
  bool permuted =
      tf32 && lhs.layout.laneBases() == mmaAccumulator(16, 8, 1).laneBases();
  Fragment fragment = tf32 ? fragmentTF32(permuted) : fragment16();
  bool sparing = tf32 && columns > kWideColumnsOfWarp;
  int64_t blockColumns = sparing ? columns : kBlockColumns;
  int64_t roundedDepth = sparing ? fragment.k : kRoundedDepth;
  MMAKind kind = element.isBF16()  ? MMAKind::BF16
                 : element.isF16() ? MMAKind::F16
                                   : MMAKind::TF32;
  Registers acc = registers(op.getAcc());
  auto accNumbers = registersByOffset(accLayout);

  /// acc[m, n...] += a b.
  auto multiply = [&](ArrayRef<Value> a, ArrayRef<Value> b, int64_t m,
                      int64_t n) {
    unsigned first = accNumbers.at(Coords{m, n * columnWarps});
    Registers sum = ptx.mma(kind, a, b, ArrayRef(acc).slice(first, 4));
    llvm::copy(sum, acc.begin() + first);
  };
  /// partial[m, n...] += a b for split operands.
  Value zero =
      builder.create<arith::ConstantOp>(loc, builder.getF32FloatAttr(0.0f));
  Registers partial(tf32 ? acc.size() : 0, zero);
  auto multiplySplit = [&](const Split &a, const Split &b, size_t at, int64_t m,
                           int64_t n) {
    unsigned first = accNumbers.at(Coords{m, n * columnWarps});
    auto slice = [&](const Registers &words) {
      return ArrayRef(words).slice(at, 2);
    };
    Registers sum =
        ptx.mma(kind, a.small, slice(b.big), ArrayRef(partial).slice(first, 4));
    sum = ptx.mma(kind, a.big, slice(b.small), sum);
    sum = ptx.mma(kind, a.big, slice(b.big), sum);
    llvm::copy(sum, partial.begin() + first);
  };
  auto flushPartialSums = [&] {
    for (auto [total, sum] : llvm::zip(acc, partial)) {
      if (sum == zero)
        continue;
      total = builder.create<arith::AddFOp>(loc, total, sum);
      sum = zero;
    }
  };
  auto multiplyBlock = [&](int64_t m, int64_t firstColumn, int64_t k) {
    SmallVector<Coords> aOffsets(fragment.a.begin(), fragment.a.end());
    for (Coords &offset : aOffsets)
      addTo(offset, m, k);
    Registers a = take(lhs, aOffsets);
    Split aSplit;
    if (tf32)
      aSplit = splitF32(builder, loc, a);
    int64_t end = std::min(firstColumn + blockColumns, columns);
    for (int64_t n = firstColumn; n < end; n += 16) {
      SmallVector<Coords> bOffsets;
      for (int64_t part = n; part < std::min(n + 16, columns); part += 8)
        for (Coords offset : fragment.b) {
          addTo(offset, k, part * columnWarps);
          if (op.getTransposed())
            std::swap(offset[0], offset[1]);
          bOffsets.push_back(offset);
        }
      Registers b = take(rhs, bOffsets);
      Split bSplit;
      if (tf32)
        bSplit = splitF32(builder, loc, b);
      for (size_t i = 0; i < b.size(); i += 2) {
        int64_t column = n + 4 * i;
        if (tf32)
          multiplySplit(aSplit, bSplit, i, m, column);
        else
          multiply(a, ArrayRef(b).slice(i, 2), m, column);
      }
    }
  };
  // A warp's next 16 rows stand behind those of the other warps.
  int64_t nextRows = 16 * accLayout.getWarps()[0];
  for (int64_t m = 0; m < accType.getDimSize(0); m += nextRows)
    for (int64_t n = 0; n < columns; n += blockColumns)
      for (int64_t k = 0; k < inner; k += fragment.k) {
        multiplyBlock(m, n, k);
        if ((k + fragment.k) % roundedDepth == 0 || k + fragment.k >= inner)
          flushPartialSums();
      }
  tiles[op.getResult()] = acc;
  return success();
}
