// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- LayoutTest.cpp - The layout algebra --------------------------------===//
//
// Fragments are compared with the formulas of the PTX ISA, written out here
// element by element; bank conflicts of every access that the lowering makes
// are counted, and must be none.
//
//===----------------------------------------------------------------------===//

#include "dialects/Tile/IR/Layout.h"

#include <gtest/gtest.h>

#include <set>

using namespace mlir;
using namespace ramify::tile;

namespace {

/// The rows and columns that products have in their operands.
const int64_t kColumns[] = {16, 32, 48, 64, 80, 96, 128, 192, 256};

/// Every element is held exactly once, or by `times` threads.
void expectCovers(const Layout &layout, Coords shape, unsigned times = 1) {
  EXPECT_EQ(layout.shape(), shape);
  EXPECT_TRUE(layout.isValid());
  EXPECT_TRUE(layout.isInjectiveInThread());
  EXPECT_EQ(layout.replication(), times);
}

//===----------------------------------------------------------------------===//
// Form
//===----------------------------------------------------------------------===//

TEST(Layout, WorkedExampleOfTheHeader) {
  Layout c = mmaAccumulator(16, 64, 1);
  EXPECT_EQ(c.element(3, 6, 0), (Coords{9, 5}));
  EXPECT_EQ(c.numRegisters(), 32u);
  EXPECT_EQ(c.element(4 + 3, 6, 0), (Coords{9, 13}));
}

TEST(Layout, AHighestRegisterBitOfTheLastAxisIsARepetition) {
  Layout::Bases lane = {{0, 2}, {0, 4}, {1, 0}, {2, 0}, {4, 0}};
  Layout a({{0, 1}, {8, 0}, {0, 8}}, lane, {1, 1}, {1, 5});
  EXPECT_EQ(a, Layout({{0, 1}, {8, 0}}, lane, {1, 1}, {1, 10}));
  EXPECT_EQ(a, mmaAccumulator(16, 80, 1));
}

TEST(Layout, ARegisterBitBelowALaneBitStays) {
  Layout::Bases lane = {{2}, {4}, {8}, {16}, {32}};
  Layout pairs({{1}}, lane, {1}, {1});
  EXPECT_EQ(pairs.registerBases().size(), 1u);
  EXPECT_EQ(pairs.getRepeat()[0], 1);
}

TEST(Layout, SlicesReplicateOverTheDroppedAxis) {
  Layout c = mmaAccumulator(16, 64, 1);
  Layout rows = c.slice(1), columns = c.slice(0);
  expectCovers(rows, {16}, 4);
  expectCovers(columns, {64}, 8);
  for (unsigned l = 0; l < 32; ++l) {
    EXPECT_EQ(rows.element(0, l, 0), (Coords{l / 4}));
    EXPECT_EQ(rows.element(1, l, 0), (Coords{l / 4 + 8}));
    EXPECT_EQ(columns.element(5, l, 0), (Coords{16 + 2 * (l % 4) + 1}));
  }
}

TEST(Layout, WarpsTakeRowsAndReplicateColumns) {
  Layout c = mmaAccumulator(48, 32, 3);
  expectCovers(c, {48, 32});
  EXPECT_EQ(c.element(0, 0, 2), (Coords{32, 0}));
  expectCovers(c.slice(1), {48}, 4);
  EXPECT_EQ(c.slice(1).element(0, 4, 1), (Coords{17}));
  EXPECT_EQ(c.slice(0).numWarps(), 1u);
  EXPECT_EQ(c.slice(0).element(0, 1, 2), (Coords{2}));
}

TEST(Layout, ColumnsDealtToWarpsMeetInTheProduct) {
  // Block by block, a warp's columns of B are those of its accumulator.
  for (int64_t columns : {208, 256}) {
    Layout c = mmaAccumulator(16, columns, 1).dealt(1, 2);
    Layout b = mmaRhsTF32(16, columns, false, true).dealt(1, 2);
    expectCovers(c, {16, columns});
    expectCovers(b, {16, columns});
    expectCovers(c.slice(1), {16}, 4);
    EXPECT_EQ(c.slice(1), mmaAccumulator(16, 16, 1).slice(1));
    for (unsigned w = 0; w < 2; ++w)
      for (int64_t n = 0; n < columns; n += 16) {
        unsigned inC = *c.registerAt({0, n}), inB = *b.registerAt({0, n});
        EXPECT_EQ(c.element(inC, 0, w), (Coords{0, n + 8 * w}));
        EXPECT_EQ(b.element(inB, 0, w), (Coords{0, n + 8 * w}));
      }
  }
}

TEST(Layout, AHoleIsNotValid) {
  Layout whole({{1}}, {{2}, {4}, {8}, {0}, {0}}, {1}, {1});
  EXPECT_TRUE(whole.isValid());
  Layout hole({}, {{4}, {8}, {0}, {0}, {0}}, {1}, {1});
  EXPECT_FALSE(hole.isValid());
}

TEST(Layout, RegisterAtInvertsOffset) {
  for (const Layout &layout :
       {mmaAccumulator(16, 80, 1), mmaRhs16(64, 96, false),
        mmaRhsTF32(64, 32, true, true), blockedRows(64, 64, 8, 1)})
    for (unsigned r = 0; r < layout.numRegisters(); ++r)
      EXPECT_EQ(layout.registerAt(layout.offset(r)), r);
}

//===----------------------------------------------------------------------===//
// Fragments, against the PTX ISA
//===----------------------------------------------------------------------===//

TEST(Fragments, AccumulatorM16N8) {
  Layout c = mmaAccumulator(16, 8, 1);
  expectCovers(c, {16, 8});
  for (unsigned l = 0; l < 32; ++l)
    for (unsigned i = 0; i < 4; ++i) {
      int64_t row = l / 4 + (i < 2 ? 0 : 8), column = l % 4 * 2 + (i & 1);
      EXPECT_EQ(c.element(i, l, 0), (Coords{row, column}));
    }
}

TEST(Fragments, A16M16N8K16IsTheAccumulatorOfSixteenColumns) {
  Layout a = mmaAccumulator(16, 16, 1);
  for (unsigned l = 0; l < 32; ++l)
    for (unsigned i = 0; i < 8; ++i) {
      int64_t row = l / 4 + (i < 2 || (i >= 4 && i < 6) ? 0 : 8);
      int64_t column = l % 4 * 2 + (i & 1) + (i >= 4 ? 8 : 0);
      EXPECT_EQ(a.element(i, l, 0), (Coords{row, column}));
    }
}

TEST(Fragments, A16M16N8K8) {
  Layout a = mmaAccumulator(16, 8, 1);
  for (unsigned l = 0; l < 32; ++l)
    for (unsigned i = 0; i < 4; ++i)
      EXPECT_EQ(a.element(i, l, 0),
                (Coords{l / 4 + (i < 2 ? 0 : 8), l % 4 * 2 + (i & 1)}));
}

TEST(Fragments, B16M16N8K16) {
  Layout b = mmaRhs16(16, 8, false), transposed = mmaRhs16(8, 16, true);
  expectCovers(b, {16, 8});
  expectCovers(transposed, {8, 16});
  for (unsigned l = 0; l < 32; ++l)
    for (unsigned i = 0; i < 4; ++i) {
      int64_t k = l % 4 * 2 + (i & 1) + (i >= 2 ? 8 : 0), n = l / 4;
      EXPECT_EQ(b.element(i, l, 0), (Coords{k, n}));
      EXPECT_EQ(transposed.element(i, l, 0), (Coords{n, k}));
    }
}

TEST(Fragments, TF32M16N8K8) {
  Layout a = mmaLhsTF32(16, 8, 1), b = mmaRhsTF32(8, 8, false, false);
  expectCovers(a, {16, 8});
  expectCovers(b, {8, 8});
  for (unsigned l = 0; l < 32; ++l) {
    for (unsigned i = 0; i < 4; ++i)
      EXPECT_EQ(a.element(i, l, 0),
                (Coords{l / 4 + (i & 1) * 8, l % 4 + (i >> 1) * 4}));
    for (unsigned i = 0; i < 2; ++i)
      EXPECT_EQ(b.element(i, l, 0), (Coords{l % 4 + i * 4, l / 4}));
  }
}

TEST(Fragments, PermutedTF32ContractsTheSameElements) {
  // Lane and slot (a1 or a3's k) of A and of B must name the same k.
  Layout a = mmaAccumulator(16, 8, 1), b = mmaRhsTF32(8, 8, false, true);
  expectCovers(b, {8, 8});
  for (unsigned t = 0; t < 4; ++t)
    for (unsigned slot = 0; slot < 2; ++slot)
      EXPECT_EQ(a.element(slot, t, 0)[1], b.element(slot, t, 0)[0]);
}

TEST(Fragments, LdmatrixHoldsRowsOfTheMatrix) {
  Layout plain = ldmatrixFragment(false), transposed = ldmatrixFragment(true);
  expectCovers(plain, {8, 8});
  expectCovers(transposed, {8, 8});
  for (unsigned l = 0; l < 32; ++l)
    for (unsigned i = 0; i < 2; ++i) {
      EXPECT_EQ(plain.element(i, l, 0), (Coords{l / 4, l % 4 * 2 + i}));
      EXPECT_EQ(transposed.element(i, l, 0), (Coords{l % 4 * 2 + i, l / 4}));
    }
}

TEST(Fragments, LdmatrixWordsAreTheOperandsWords) {
  // Words of B are ldmatrix registers: plain for [n, k], .trans for [k, n].
  for (bool transposed : {false, true}) {
    Layout b = mmaRhs16(64, 64, transposed);
    Layout matrix = ldmatrixFragment(!transposed);
    for (unsigned r = 0; r < b.numRegisters(); ++r)
      for (unsigned l = 0; l < 32; ++l) {
        Coords origin = b.offset(r - r % 2), in = matrix.element(r % 2, l, 0);
        EXPECT_EQ(b.element(r, l, 0),
                  (Coords{origin[0] + in[0], origin[1] + in[1]}));
      }
  }
}

TEST(Fragments, WgmmaAccumulatorM64) {
  for (int64_t n : {8, 64, 128, 256}) {
    Layout d = mmaAccumulator(64, n, 4);
    expectCovers(d, {64, n});
    for (unsigned w = 0; w < 4; ++w)
      for (unsigned l = 0; l < 32; ++l)
        for (unsigned i = 0; i < n / 2; ++i) {
          int64_t row = 16 * w + l / 4 + 8 * (i / 2 % 2);
          int64_t column = 8 * (i / 4) + l % 4 * 2 + i % 2;
          EXPECT_EQ(d.element(i, l, w), (Coords{row, column}));
        }
  }
}

TEST(Fragments, WgmmaRegisterOperandA) {
  Layout a = mmaAccumulator(64, 16, 4);
  for (unsigned w = 0; w < 4; ++w)
    for (unsigned l = 0; l < 32; ++l)
      for (unsigned i = 0; i < 8; ++i) {
        int64_t row = 16 * w + l / 4 + 8 * (i / 2 % 2);
        int64_t column = l % 4 * 2 + i % 2 + 8 * (i / 4);
        EXPECT_EQ(a.element(i, l, w), (Coords{row, column}));
      }
}

TEST(Fragments, CoverEveryShape) {
  for (int64_t d : kColumns) {
    expectCovers(mmaAccumulator(16, d, 1), {16, d});
    expectCovers(mmaAccumulator(80, d, 5), {80, d});
    expectCovers(mmaLhsTF32(32, d, 2), {32, d});
    for (int64_t s : {16, 64, 128})
      for (bool transposed : {false, true}) {
        expectCovers(mmaRhs16(s, d, transposed), {s, d});
        expectCovers(mmaRhsTF32(s, d, transposed, false), {s, d});
        expectCovers(mmaRhsTF32(s, d, transposed, true), {s, d});
      }
  }
}

//===----------------------------------------------------------------------===//
// Global memory
//===----------------------------------------------------------------------===//

TEST(BlockedRows, CoversEveryShapeInUnits) {
  for (int64_t d : kColumns)
    for (int64_t rows : {16, 48, 64, 128})
      for (int64_t warps : {1, 2, 3, 4})
        for (int64_t unit : {1, 2, 4, 8}) {
          Layout layout = blockedRows(rows, d, unit, warps);
          EXPECT_EQ(layout.shape(), (Coords{rows, d}));
          EXPECT_TRUE(layout.isValid());
          EXPECT_LE(layout.numWarps(), warps);
          for (unsigned r = 0; r < layout.numRegisters(); ++r) {
            Coords first = layout.offset(r - r % unit);
            EXPECT_EQ(layout.offset(r),
                      (Coords{first[0], first[1] + r % unit}));
          }
        }
}

TEST(BlockedRows, TheNextRowMayBeFourAway) {
  for (int64_t unit : {1, 2, 4}) {
    Layout layout = blockedRows(64, 16, unit, 2, 32 / unit, 4);
    EXPECT_EQ(layout.shape(), (Coords{64, 16}));
    EXPECT_TRUE(layout.isValid());
    EXPECT_EQ(layout.replication(), 1u);
    unsigned lanesInRow = 16 / unit;
    EXPECT_EQ(layout.element(0, lanesInRow - 1, 0), (Coords{0, 16 - unit}));
    EXPECT_EQ(layout.element(0, lanesInRow, 0), (Coords{4, 0}));
  }
}

TEST(BlockedRows, SixtyFourColumnsAreWholeLinesOfMemory) {
  Layout layout = blockedRows(64, 64, 8, 1);
  for (unsigned l = 0; l < 32; ++l)
    EXPECT_EQ(layout.element(0, l, 0), (Coords{l / 8, l % 8 * 8}));
  EXPECT_EQ(layout.numRegisters(), 16u * 8u);
}

//===----------------------------------------------------------------------===//
// Shared memory
//===----------------------------------------------------------------------===//

/// The swizzle as the PTX ISA has it: bits of the address.
int64_t addressBits(int64_t address, int64_t swizzle) {
  int64_t mask = swizzle / 16 - 1;
  return address ^ (((address >> 7) & mask) << 4);
}

TEST(SharedLayout, SwizzlesAreThoseOfTheTensorMemoryAccelerator) {
  for (int64_t swizzle : {32, 64, 128}) {
    SharedLayout shared(64, swizzle, swizzle, 0);
    for (int64_t row = 0; row < 64; ++row)
      for (int64_t byte = 0; byte < swizzle; ++byte)
        EXPECT_EQ(shared.offset(row, byte),
                  addressBits(row * swizzle + byte, swizzle));
  }
}

TEST(SharedLayout, IsABijection) {
  for (int64_t d : kColumns)
    for (int64_t elementBytes : {2, 4}) {
      int64_t rowBytes = d * elementBytes;
      for (auto [swizzle, pad] :
           {std::pair<int64_t, int64_t>{bestSwizzle(rowBytes), 0}, {0, 16}}) {
        SharedLayout shared(32, rowBytes, swizzle, pad);
        std::set<int64_t> places;
        for (int64_t row = 0; row < 32; ++row)
          for (int64_t byte = 0; byte < rowBytes; ++byte)
            places.insert(shared.offset(row, byte));
        EXPECT_EQ(static_cast<int64_t>(places.size()), 32 * rowBytes);
        EXPECT_GE(*places.begin(), 0);
        EXPECT_LT(*places.rbegin(), shared.bytes());
      }
    }
}

TEST(SharedLayout, StepsCompose) {
  // Lane part and constant part with bits that do not overlap.
  for (int64_t swizzle : {0, 32, 64, 128}) {
    SharedLayout shared(64, 256, swizzle, 0);
    for (int64_t laneRow = 0; laneRow < 8; ++laneRow)
      for (int64_t laneByte : {0, 4, 16})
        for (int64_t row = 0; row < 64; row += 8)
          for (int64_t byte = 0; byte < 256; byte += 32) {
            SharedLayout::Step step = shared.step(row, byte);
            int64_t lane = shared.offset(laneRow, laneByte);
            EXPECT_EQ((lane ^ step.flip) + step.add,
                      shared.offset(laneRow + row, laneByte + byte));
          }
  }
}

TEST(SharedLayout, BestSwizzleOfEveryRow) {
  EXPECT_EQ(bestSwizzle(128), 128);
  EXPECT_EQ(bestSwizzle(512), 128);
  EXPECT_EQ(bestSwizzle(192), 64);
  EXPECT_EQ(bestSwizzle(160), 32);
  EXPECT_EQ(bestSwizzle(144), 0);
}

//===----------------------------------------------------------------------===//
// Bank conflicts
//===----------------------------------------------------------------------===//

TEST(BankConflicts, AreCounted) {
  SmallVector<int64_t> same(32, 64), stride2, column;
  for (int64_t l = 0; l < 32; ++l) {
    stride2.push_back(8 * l);
    column.push_back(128 * l);
  }
  EXPECT_EQ(bankConflicts(same, 4), 0u);
  EXPECT_EQ(bankConflicts(stride2, 4), 1u);
  EXPECT_EQ(bankConflicts(stride2, 8), 0u);
  EXPECT_EQ(bankConflicts(column, 4), 31u);
}

TEST(BankConflicts, PlainRowsOf128BytesConflict) {
  EXPECT_EQ(ldmatrixConflicts(SharedLayout(64, 128, 0, 0), 0, 0), 7u);
  EXPECT_EQ(ldmatrixConflicts(SharedLayout(64, 128, 0, 16), 0, 0), 0u);
}

TEST(BankConflicts, LdmatrixHasNoneWithTheBestSwizzle) {
  for (int64_t d : kColumns)
    for (int64_t elementBytes : {2, 4}) {
      int64_t rowBytes = d * elementBytes;
      SharedLayout shared(64, rowBytes, bestSwizzle(rowBytes), 0);
      for (int64_t row = 0; row < 64; row += 8)
        for (int64_t byte = 0; byte < rowBytes; byte += 16)
          EXPECT_EQ(ldmatrixConflicts(shared, row, byte), 0u);
    }
}

/// Byte offsets that the lanes access for one register.
SmallVector<int64_t> laneOffsets(const Layout &layout, unsigned r,
                                 const SharedLayout &shared,
                                 int64_t elementBytes) {
  SmallVector<int64_t> offsets;
  for (unsigned l = 0; l < 32; ++l) {
    Coords at = layout.element(r, l, 0);
    offsets.push_back(shared.offset(at[0], at[1] * elementBytes));
  }
  return offsets;
}

TEST(BankConflicts, CopiesOf16BytesHaveNone) {
  for (int64_t d : kColumns)
    for (int64_t elementBytes : {2, 4}) {
      int64_t rowBytes = d * elementBytes, unit = 16 / elementBytes;
      SharedLayout shared(64, rowBytes, bestSwizzle(rowBytes), 0);
      Layout copy = blockedRows(64, d, unit, 1);
      for (unsigned r = 0; r < copy.numRegisters(); r += unit)
        EXPECT_EQ(bankConflicts(laneOffsets(copy, r, shared, elementBytes), 16),
                  0u);
    }
}

TEST(BankConflicts, PermutedTF32RowsHaveNoneFromRowsOf128Bytes) {
  // P V in f32: words of V are read one by one.
  for (int64_t d : {32, 64, 128, 192}) {
    SharedLayout shared(64, 4 * d, bestSwizzle(4 * d), 0);
    Layout v = mmaRhsTF32(64, d, false, true);
    for (unsigned r = 0; r < v.numRegisters(); ++r)
      EXPECT_EQ(bankConflicts(laneOffsets(v, r, shared, 4), 4), 0u);
  }
}

TEST(BankConflicts, StmatrixOfAnAccumulatorHasNone) {
  // A 16 x d tile of bf16, written by matrices of 8 x 8.
  for (int64_t d : kColumns) {
    SharedLayout shared(16, 2 * d, bestSwizzle(2 * d), 0);
    for (int64_t row : {0, 8})
      for (int64_t byte = 0; byte < 2 * d; byte += 16)
        EXPECT_EQ(ldmatrixConflicts(shared, row, byte), 0u);
  }
}

TEST(BankConflicts, WordsOfAnAccumulatorHaveNone) {
  // The same without stmatrix: a word of two bf16 a lane.
  for (int64_t d : kColumns) {
    SharedLayout shared(64, 2 * d, bestSwizzle(2 * d), 0);
    Layout p = mmaAccumulator(64, d, 1);
    for (unsigned r = 0; r < p.numRegisters(); r += 2)
      EXPECT_EQ(bankConflicts(laneOffsets(p, r, shared, 2), 4), 0u);
  }
}

TEST(BankConflicts, TransposesOfF32HaveNone) {
  // Pairs of an accumulator are stored, and words of the transpose are loaded
  // as a left operand, where rows begin 32 bytes further in the banks.
  for (int64_t keys : {32, 64, 128}) {
    SharedLayout shared(64, 4 * keys, 0, 32);
    Layout p = mmaAccumulator(64, keys, 1);
    for (unsigned r = 0; r < p.numRegisters(); r += 2)
      EXPECT_EQ(bankConflicts(laneOffsets(p, r, shared, 4), 8), 0u);
    Layout across = mmaLhsTF32(keys, 64, 1).transposed();
    for (unsigned r = 0; r < across.numRegisters(); ++r)
      EXPECT_EQ(bankConflicts(laneOffsets(across, r, shared, 4), 4), 0u);
  }
}

TEST(Layout, TransposedExchangesTheAxes) {
  Layout p = mmaAccumulator(32, 48, 2), t = p.transposed();
  EXPECT_EQ(t.shape(), (Coords{48, 32}));
  EXPECT_TRUE(t.isValid());
  EXPECT_EQ(t.transposed(), p);
  std::set<Coords> held, heldAcross;
  for (unsigned r = 0; r < p.numRegisters(); ++r) {
    Coords x = p.element(r, 13, 1), y = t.element(r, 13, 1);
    held.insert(x);
    heldAcross.insert({y[1], y[0]});
  }
  EXPECT_EQ(held, heldAcross);
}

TEST(Layout, VectorsOverThreads) {
  // 512 over four warps: four registers a thread, neighbours in neighbouring
  // lanes.
  Layout all = vectorOverThreads(512, 4);
  EXPECT_EQ(all.numRegisters(), 4u);
  EXPECT_EQ(all.replication(), 1u);
  EXPECT_EQ(all.element(1, 5, 2), Coords{128 + 64 + 5});
  // 96 are dealt to one warp of two, 8 to eight lanes.
  EXPECT_EQ(vectorOverThreads(96, 2).numWarps(), 1u);
  EXPECT_EQ(vectorOverThreads(8, 2).replication(), 4u);
  for (int64_t length : {1, 6, 8, 32, 96, 100, 512, 768})
    EXPECT_TRUE(vectorOverThreads(length, 8).isValid()) << length;
}

} // namespace
