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

//===----------------------------------------------------------------------===//
// How a product is cut
//===----------------------------------------------------------------------===//

static MMAKind getKind(Type element) {
  if (element.isBF16())
    return MMAKind::BF16;
  return element.isF16() ? MMAKind::F16 : MMAKind::TF32;
}

namespace {
/// Into fragments of an instruction, blocks of columns, and depths after which
/// the sum of an f32 product is rounded.
struct DotShape {
  MMAKind kind;
  Fragment fragment;
  int64_t rows, nextRows;       ///< a warp's, and from one 16 to the next
  int64_t columns, columnWarps; ///< of each warp, and how many warps share all
  int64_t depth;
  int64_t blockColumns, roundedDepth;

  DotShape(DotOp op, const Layout &lhs);
  bool isSplit() const { return kind == MMAKind::TF32; }
};
} // namespace

DotShape::DotShape(DotOp op, const Layout &lhs) {
  auto lhsType = cast<RankedTensorType>(op.getLhs().getType());
  auto accType = cast<RankedTensorType>(op.getType());
  kind = getKind(lhsType.getElementType());
  bool permuted =
      isSplit() && lhs.laneBases() == mmaAccumulator(16, 8, 1).laneBases();
  fragment = isSplit() ? fragmentTF32(permuted) : fragment16();
  Layout accLayout = *Layout::of(accType);
  // A warp's next 16 rows stand behind those of the other warps, and it has
  // eight columns in turn with the others.
  rows = accType.getDimSize(0);
  nextRows = 16 * accLayout.getWarps()[0];
  columnWarps = accLayout.getWarps()[1];
  columns = accType.getDimSize(1) / columnWarps;
  depth = lhsType.getDimSize(1);
  bool sparing = isSplit() && columns > kWideColumnsOfWarp;
  blockColumns = sparing ? columns : kBlockColumns;
  roundedDepth = sparing ? fragment.k : kRoundedDepth;
}

//===----------------------------------------------------------------------===//
// The sums
//===----------------------------------------------------------------------===//

namespace {
/// What a product adds to, and the instructions that add.
class DotSums {
public:
  DotSums(OpBuilder &builder, Location loc, const DotShape &shape,
          const Layout &layout, Registers start)
      : builder(builder), loc(loc), ptx(builder, loc), shape(shape),
        numbers(registersByOffset(layout)), total(std::move(start)),
        zero(builder.create<arith::ConstantOp>(loc,
                                               builder.getF32FloatAttr(0.0f))),
        partial(shape.isSplit() ? total.size() : 0, zero) {}

  void add(ArrayRef<Value> a, ArrayRef<Value> b, int64_t row, int64_t column);
  void addSplit(const Split &a, const Split &b, size_t at, int64_t row,
                int64_t column);
  void round();
  Registers &getTotal() { return total; }

private:
  unsigned getFirst(int64_t row, int64_t column) const {
    return numbers.at(Coords{row, column * shape.columnWarps});
  }

  OpBuilder &builder;
  Location loc;
  PTX ptx;
  const DotShape &shape;
  std::map<Coords, unsigned> numbers;
  Registers total;
  Value zero;
  Registers partial; ///< of f32, since the last rounding
};
} // namespace

/// total[row, column...] += a b.
void DotSums::add(ArrayRef<Value> a, ArrayRef<Value> b, int64_t row,
                  int64_t column) {
  unsigned first = getFirst(row, column);
  Registers sum = ptx.mma(shape.kind, a, b, ArrayRef(total).slice(first, 4));
  llvm::copy(sum, total.begin() + first);
}

/// partial[row, column...] += a b for split operands, those of b from `at` on.
void DotSums::addSplit(const Split &a, const Split &b, size_t at, int64_t row,
                       int64_t column) {
  unsigned first = getFirst(row, column);
  auto slice = [&](const Registers &words) {
    return ArrayRef(words).slice(at, 2);
  };
  Registers sum = ptx.mma(shape.kind, a.small, slice(b.big),
                          ArrayRef(partial).slice(first, 4));
  sum = ptx.mma(shape.kind, a.big, slice(b.small), sum);
  sum = ptx.mma(shape.kind, a.big, slice(b.big), sum);
  llvm::copy(sum, partial.begin() + first);
}

/// total += partial, which starts from zero again.
void DotSums::round() {
  for (auto [whole, sum] : llvm::zip(total, partial)) {
    if (sum == zero)
      continue;
    whole = builder.create<arith::AddFOp>(loc, whole, sum);
    sum = zero;
  }
}

//===----------------------------------------------------------------------===//
// The product
//===----------------------------------------------------------------------===//

namespace {
/// Walks over the blocks of a product; `take` gives words of an operand.
class DotExpander {
public:
  using TakeWords = llvm::function_ref<Registers(Operand &, ArrayRef<Coords>)>;

  DotExpander(OpBuilder &builder, DotOp op, Operand &lhs, Operand &rhs,
              const DotShape &shape, DotSums &sums, TakeWords take)
      : builder(builder), op(op), lhs(lhs), rhs(rhs), shape(shape), sums(sums),
        take(take) {}
  void expand();

private:
  void addBlock(int64_t row, int64_t firstColumn, int64_t k);
  SmallVector<Coords> getLeftWords(int64_t row, int64_t k) const;
  SmallVector<Coords> getRightWords(int64_t k, int64_t column);
  Split split(const Registers &words) {
    return shape.isSplit() ? splitF32(builder, op.getLoc(), words) : Split();
  }

  OpBuilder &builder;
  DotOp op;
  Operand &lhs, &rhs;
  const DotShape &shape;
  DotSums &sums;
  TakeWords take;
};
} // namespace

SmallVector<Coords> DotExpander::getLeftWords(int64_t row, int64_t k) const {
  SmallVector<Coords> offsets(shape.fragment.a.begin(), shape.fragment.a.end());
  for (Coords &offset : offsets)
    addTo(offset, row, k);
  return offsets;
}

/// Those of two instructions, if there are so many columns.
SmallVector<Coords> DotExpander::getRightWords(int64_t k, int64_t column) {
  SmallVector<Coords> offsets;
  int64_t end = std::min(column + 16, shape.columns);
  for (int64_t part = column; part < end; part += 8)
    for (Coords offset : shape.fragment.b) {
      addTo(offset, k, part * shape.columnWarps);
      if (op.getTransposed())
        std::swap(offset[0], offset[1]);
      offsets.push_back(offset);
    }
  return offsets;
}

void DotExpander::addBlock(int64_t row, int64_t firstColumn, int64_t k) {
  Registers a = take(lhs, getLeftWords(row, k));
  Split aSplit = split(a);
  int64_t end = std::min(firstColumn + shape.blockColumns, shape.columns);
  for (int64_t n = firstColumn; n < end; n += 16) {
    Registers b = take(rhs, getRightWords(k, n));
    Split bSplit = split(b);
    for (size_t i = 0; i < b.size(); i += 2) {
      int64_t column = n + 4 * i;
      if (shape.isSplit())
        sums.addSplit(aSplit, bSplit, i, row, column);
      else
        sums.add(a, ArrayRef(b).slice(i, 2), row, column);
    }
  }
}

void DotExpander::expand() {
  for (int64_t row = 0; row < shape.rows; row += shape.nextRows)
    for (int64_t n = 0; n < shape.columns; n += shape.blockColumns)
      for (int64_t k = 0; k < shape.depth; k += shape.fragment.k) {
        addBlock(row, n, k);
        int64_t next = k + shape.fragment.k;
        if (next % shape.roundedDepth == 0 || next >= shape.depth)
          sums.round();
      }
}

LogicalResult Expander::expandDot(DotOp op) {
  Type element = getElementTypeOrSelf(op.getLhs().getType());
  if (!element.isF32() && !isPacked(element))
    return op.emitOpError("expected bf16, f16 or f32, found ") << element;
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
  DotShape shape(op, lhs.layout);
  DotSums sums(builder, loc, shape, *Layout::of(op.getType()),
               registers(op.getAcc()));
  DotExpander(builder, op, lhs, rhs, shape, sums, take).expand();
  tiles[op.getResult()] = std::move(sums.getTotal());
  return success();
}
