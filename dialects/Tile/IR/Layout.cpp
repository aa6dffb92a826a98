// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- Layout.cpp - Which thread holds which element ----------------------===//

#include "dialects/Tile/IR/Layout.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

#include <map>

using namespace mlir;
using namespace ramify::tile;

//===----------------------------------------------------------------------===//
// Form
//===----------------------------------------------------------------------===//

static Layout::Bases unflatten(ArrayRef<int64_t> flat, size_t rank) {
  Layout::Bases bases;
  for (; !flat.empty(); flat = flat.drop_front(rank))
    bases.push_back(Coords(flat.take_front(rank)));
  return bases;
}

static SmallVector<int64_t> flatten(ArrayRef<Coords> bases) {
  SmallVector<int64_t> flat;
  for (const Coords &basis : bases)
    llvm::append_range(flat, basis);
  return flat;
}

Layout::Layout(Bases reg, Bases lane, Coords warps, Coords repeat)
    : reg(std::move(reg)), lane(std::move(lane)), warps(std::move(warps)),
      repeat(std::move(repeat)) {
  // While the highest register bit is the highest bit of the last axis, and of
  // that only, and warps do not stand between, it is a plain repetition.
  unsigned last = rank() - 1;
  while (!this->reg.empty() && this->warps[last] == 1) {
    const Coords &top = this->reg.back();
    int64_t other = rank() == 2 ? top[0] : 0;
    if (other != 0 || top[last] == 0 || top[last] * 2 != atomShape()[last])
      break;
    this->reg.pop_back();
    this->repeat[last] *= 2;
  }
}

Layout::Layout(LayoutAttr attr)
    : Layout(unflatten(attr.getReg(), attr.getRank()),
             unflatten(attr.getLane(), attr.getRank()), Coords(attr.getWarps()),
             Coords(attr.getRepeat())) {}

std::optional<Layout> Layout::of(Type type) {
  if (auto tensor = dyn_cast<RankedTensorType>(type))
    if (auto attr = dyn_cast_or_null<LayoutAttr>(tensor.getEncoding()))
      return Layout(attr);
  return std::nullopt;
}

LayoutAttr Layout::toAttr(MLIRContext *context) const {
  return LayoutAttr::get(context, flatten(reg), flatten(lane), warps, repeat);
}

RankedTensorType Layout::encode(RankedTensorType type) const {
  return RankedTensorType::get(type.getShape(), type.getElementType(),
                               toAttr(type.getContext()));
}

//===----------------------------------------------------------------------===//
// The map
//===----------------------------------------------------------------------===//

Coords Layout::atomShape() const {
  Coords side(rank(), 0);
  for (const Coords &basis : llvm::concat<const Coords>(reg, lane))
    for (auto [all, bit] : llvm::zip_equal(side, basis))
      all |= bit;
  for (int64_t &length : side)
    ++length;
  return side;
}

Coords Layout::shape() const {
  Coords shape = atomShape();
  for (unsigned a = 0; a < rank(); ++a)
    shape[a] *= warps[a] * repeat[a];
  return shape;
}

unsigned Layout::numRegisters() const {
  int64_t count = int64_t(1) << reg.size();
  for (int64_t times : repeat)
    count *= times;
  return count;
}

unsigned Layout::numWarps() const {
  int64_t count = 1;
  for (int64_t times : warps)
    count *= times;
  return count;
}

Coords Layout::element(unsigned r, unsigned l, unsigned w) const {
  Coords x(rank(), 0), atom = atomShape();
  auto apply = [&](ArrayRef<Coords> bases, unsigned bits) {
    for (const Coords &basis : bases) {
      if (bits & 1)
        for (unsigned a = 0; a < rank(); ++a)
          x[a] ^= basis[a];
      bits >>= 1;
    }
  };
  apply(reg, r & ((1u << reg.size()) - 1));
  apply(lane, l);
  unsigned outer = r >> reg.size();
  w %= numWarps();
  for (unsigned a = rank(); a-- > 0;) {
    unsigned i = outer % repeat[a], warp = w % warps[a];
    outer /= repeat[a];
    w /= warps[a];
    x[a] += atom[a] * (warp + warps[a] * i);
  }
  return x;
}

std::optional<unsigned> Layout::registerAt(ArrayRef<int64_t> wanted) const {
  for (unsigned r = 0, e = numRegisters(); r < e; ++r)
    if (ArrayRef<int64_t>(offset(r)) == wanted)
      return r;
  return std::nullopt;
}

unsigned Layout::replication() const {
  int64_t elements = 1;
  for (int64_t length : shape())
    elements *= length;
  return numRegisters() * lanes * numWarps() / elements;
}

bool Layout::isValid() const {
  Coords sides = shape();
  int64_t columns = rank() == 2 ? sides[1] : 1;
  SmallVector<unsigned> held(sides[0] * columns);
  for (unsigned w = 0; w < numWarps(); ++w)
    for (unsigned l = 0; l < lanes; ++l)
      for (unsigned r = 0; r < numRegisters(); ++r) {
        Coords x = element(r, l, w);
        ++held[rank() == 2 ? x[0] * columns + x[1] : x[0]];
      }
  return llvm::all_of(held,
                      [&](unsigned times) { return times == replication(); });
}

bool Layout::isInjectiveInThread() const {
  std::map<Coords, unsigned> held;
  for (unsigned r = 0; r < numRegisters(); ++r)
    if (++held[offset(r)] > 1)
      return false;
  return true;
}

Layout Layout::dealt(unsigned axis, int64_t number) const {
  assert(repeat[axis] % number == 0 && numWarps() == 1);
  Coords newWarps = warps, newRepeat = repeat;
  newWarps[axis] = number;
  newRepeat[axis] /= number;
  return Layout(reg, lane, newWarps, newRepeat);
}

Layout Layout::slice(unsigned axis) const {
  assert(rank() == 2 && axis < 2);
  unsigned kept = 1 - axis;
  Bases newReg, newLane;
  for (const Coords &basis : reg)
    if (basis[kept])
      newReg.push_back({basis[kept]});
  for (const Coords &basis : lane)
    newLane.push_back({basis[kept]});
  return Layout(newReg, newLane, {warps[kept]}, {repeat[kept]});
}

static Layout::Bases swapAxes(Layout::Bases bases) {
  for (Coords &basis : bases)
    std::swap(basis[0], basis[1]);
  return bases;
}

Layout Layout::transposed() const {
  assert(rank() == 2);
  return Layout(swapAxes(reg), swapAxes(lane), {warps[1], warps[0]},
                {repeat[1], repeat[0]});
}

//===----------------------------------------------------------------------===//
// Fragments
//===----------------------------------------------------------------------===//

/// Repeats an atom given by its bases until it is a tile of that shape.
static Layout fill(Layout::Bases reg, Layout::Bases lane, int64_t rows,
                   int64_t columns, int64_t warps) {
  Layout atom(reg, lane, {1, 1}, {1, 1});
  Coords side = atom.shape();
  assert(rows % (side[0] * warps) == 0 && columns % side[1] == 0 &&
         "whole atoms");
  // The atom's own form may already have repetitions: build from the bases.
  return Layout(std::move(reg), std::move(lane), {warps, 1},
                {rows / (side[0] * warps), columns / side[1]});
}

/// Lanes of an 8 x 8 matrix in quads: `step` elements of a row for each lane of
/// a quad, a row for each quad.
static Layout::Bases quads(int64_t step) {
  return {{0, step}, {0, 2 * step}, {1, 0}, {2, 0}, {4, 0}};
}

Layout ramify::tile::mmaAccumulator(int64_t rows, int64_t columns,
                                    int64_t warps) {
  return fill({{0, 1}, {8, 0}}, quads(2), rows, columns, warps);
}

Layout ramify::tile::wgmmaAccumulator(int64_t rows, int64_t columns) {
  return mmaAccumulator(rows, columns, rows / 16);
}

Layout ramify::tile::mmaLhsTF32(int64_t rows, int64_t columns, int64_t warps) {
  return fill({{8, 0}, {0, 4}}, quads(1), rows, columns, warps);
}

Layout ramify::tile::mmaRhs16(int64_t rows, int64_t columns, bool transposed) {
  Layout::Bases reg = {{0, 1}, {0, 8}}, lane = quads(2);
  if (!transposed)
    return fill(swapAxes(reg), swapAxes(lane), rows, columns, 1);
  return fill(reg, lane, rows, columns, 1);
}

Layout ramify::tile::mmaRhsTF32(int64_t rows, int64_t columns, bool transposed,
                                bool permuted) {
  Layout::Bases reg = {{0, permuted ? 1 : 4}}, lane = quads(permuted ? 2 : 1);
  if (!transposed)
    return fill(swapAxes(reg), swapAxes(lane), rows, columns, 1);
  return fill(reg, lane, rows, columns, 1);
}

Layout ramify::tile::ldmatrixFragment(bool transposed) {
  Layout::Bases reg = {{0, 1}}, lane = quads(2);
  if (transposed)
    return fill(swapAxes(reg), swapAxes(lane), 8, 8, 1);
  return fill(reg, lane, 8, 8, 1);
}

/// Gives the lane bits that are left to rows, beginning with the row `nextRow`,
/// a power of two; the rows that it skips go to registers. Then deals rows to
/// warps and repeats; `width` columns are taken.
static Layout dealRows(Layout::Bases reg, Layout::Bases lane, int64_t rows,
                       int64_t columns, int64_t width, int64_t warps,
                       int64_t nextRow = 1) {
  int64_t height = 1;
  Layout::Bases rowBits;
  size_t room = 5 - lane.size();
  while ((rowBits.size() < room || height <= nextRow) &&
         rows % (2 * height) == 0) {
    rowBits.push_back({height, 0});
    height *= 2;
  }
  auto next = llvm::find(rowBits, Coords{nextRow, 0});
  if (next != rowBits.end())
    std::rotate(rowBits.begin(), next, rowBits.end());
  for (const Coords &bit : rowBits)
    (lane.size() < 5 ? lane : reg).push_back(bit);
  lane.resize(5, {0, 0});
  // A power of two of warps, so that row bits of threads and registers do not
  // overlap.
  int64_t used = 1;
  while (2 * used <= warps && rows % (height * 2 * used) == 0)
    used *= 2;
  return Layout(std::move(reg), std::move(lane), {used, 1},
                {rows / (height * used), columns / width});
}

Layout ramify::tile::blockedRows(int64_t rows, int64_t columns, int64_t unit,
                                 int64_t warps, int64_t lanesInRow,
                                 int64_t nextRow) {
  assert(llvm::isPowerOf2_64(unit) && columns % unit == 0);
  Layout::Bases reg, lane;
  for (int64_t bit = 1; bit < unit; bit *= 2)
    reg.push_back({0, bit});
  int64_t units = columns / unit, width = 1;
  while (width < lanesInRow && units % (2 * width) == 0) {
    lane.push_back({0, unit * width});
    width *= 2;
  }
  return dealRows(reg, lane, rows, columns, unit * width, warps, nextRow);
}

Layout ramify::tile::rowsInLanes(int64_t rows, int64_t columns, int64_t warps) {
  return dealRows({}, {}, rows, columns, 1, warps);
}

/// How many elements of a row, a power of two, a thread has side by side in
/// consecutive registers, starting at a multiple of their number.
static unsigned vectorWidth(const Layout &layout, int64_t limit) {
  auto fits = [&](unsigned width) {
    if (layout.numRegisters() % width)
      return false;
    for (const Coords &basis : layout.laneBases())
      if (basis[1] % width)
        return false;
    for (unsigned r = 0; r < layout.numRegisters(); ++r) {
      Coords first = layout.offset(r - r % width), own = layout.offset(r);
      if (first[1] % width || own[0] != first[0] ||
          own[1] != first[1] + r % width)
        return false;
    }
    return true;
  };
  unsigned width = 1;
  while (2 * width <= limit && fits(2 * width))
    width *= 2;
  return width;
}

unsigned ramify::tile::accessWidth(const Layout &layout, MemRefType source,
                                   int64_t alignment) {
  int64_t limit =
      std::max<int64_t>(1, alignment / (source.getElementTypeBitWidth() / 8));
  int64_t columns = source.getShape().back();
  unsigned width =
      ShapedType::isDynamic(columns) ? 1 : vectorWidth(layout, limit);
  while (columns % width)
    width /= 2;
  return width;
}

std::optional<bool> ramify::tile::ldmatrixForm(const Layout &layout,
                                               Type element) {
  ArrayRef<Coords> lanes = layout.laneBases();
  if (element.getIntOrFloatBitWidth() == 32) {
    Layout plain = mmaLhsTF32(16, 8, 1);
    return lanes == plain.laneBases() ? std::optional<bool>(false)
                                      : std::nullopt;
  }
  for (bool transposed : {false, true}) {
    Layout matrix = ldmatrixFragment(transposed);
    Coords second = transposed ? Coords{1, 0} : Coords{0, 1};
    if (lanes == matrix.laneBases() && layout.offset(1) == second)
      return transposed;
  }
  return std::nullopt;
}

Layout ramify::tile::vectorOverThreads(int64_t length, int64_t warps) {
  Layout::Bases lane;
  int64_t atom = 1;
  for (; lane.size() < 5 && length % (2 * atom) == 0; atom *= 2)
    lane.push_back({atom});
  lane.resize(5, {0});
  int64_t used = 1;
  while (2 * used <= warps && length % (atom * 2 * used) == 0)
    used *= 2;
  return Layout({}, std::move(lane), {used}, {length / (atom * used)});
}

std::optional<Layout> ramify::tile::vectorByWarps(int64_t length,
                                                  int64_t warps) {
  int64_t piece = length / warps;
  if (!llvm::isPowerOf2_64(length) || !llvm::isPowerOf2_64(warps) ||
      piece < Layout::lanes)
    return std::nullopt;
  Layout::Bases lane, reg;
  for (int64_t step = 1; step < piece; step *= 2)
    (step < Layout::lanes ? lane : reg).push_back({step});
  return Layout(std::move(reg), std::move(lane), {warps}, {1});
}

//===----------------------------------------------------------------------===//
// Shared memory
//===----------------------------------------------------------------------===//

int64_t ramify::tile::bestSwizzle(int64_t rowBytes) {
  for (int64_t swizzle : {128, 64, 32})
    if (rowBytes % swizzle == 0)
      return swizzle;
  return 0;
}

SharedAttr ramify::tile::chooseShared(RankedTensorType tile) {
  int64_t bits = tile.getElementTypeBitWidth();
  if (bits == 32)
    return SharedAttr::get(tile.getContext(), /*swizzle=*/0, /*pad=*/16);
  int64_t swizzle = bestSwizzle(tile.getDimSize(1) * bits / 8);
  return SharedAttr::get(tile.getContext(), swizzle, /*pad=*/0);
}

int64_t ramify::tile::getAllocatedBytes(MemRefType buffer) {
  return llvm::alignTo(buffer.getDimSize(0) * SharedLayout(buffer).bytes(),
                       kSharedAlignment);
}

SharedLayout::SharedLayout(MemRefType buffer)
    : rows(buffer.getDimSize(1)),
      rowBytes(buffer.getDimSize(2) * buffer.getElementTypeBitWidth() / 8) {
  auto shared = cast<SharedAttr>(buffer.getMemorySpace());
  swizzle = shared.getSwizzle();
  pad = shared.getPad();
}

unsigned SharedLayout::swizzleShift() const {
  return swizzle == 64 ? 1 : swizzle == 32 ? 2 : 0;
}

SharedLayout::Step SharedLayout::step(int64_t row, int64_t column) const {
  if (!swizzle)
    return {0, row * pitch() + column};
  int64_t block = column / swizzle, inside = column % swizzle;
  int64_t turn = (row >> swizzleShift()) & swizzleMask();
  int64_t chunk = inside / chunkBytes;
  return {(chunk ^ turn) * chunkBytes,
          (block * rows + row) * swizzle + inside % chunkBytes};
}

int64_t SharedLayout::offset(int64_t row, int64_t column) const {
  Step whole = step(row, column);
  return whole.flip + whole.add;
}

unsigned ramify::tile::bankConflicts(ArrayRef<int64_t> offsets,
                                     unsigned bytesPerLane) {
  constexpr int64_t bankBytes = 4, banks = 32;
  unsigned lanesPerPhase = std::min<unsigned>(32, 128 / bytesPerLane);
  unsigned worst = 0;
  for (; !offsets.empty(); offsets = offsets.drop_front(std::min<size_t>(
                               lanesPerPhase, offsets.size()))) {
    std::array<llvm::SmallDenseSet<int64_t>, banks> words;
    for (int64_t offset : offsets.take_front(lanesPerPhase))
      for (unsigned byte = 0; byte < bytesPerLane; byte += bankBytes) {
        int64_t word = (offset + byte) / bankBytes;
        words[word % banks].insert(word);
      }
    for (const auto &needed : words)
      worst = std::max<unsigned>(worst, needed.size());
  }
  return worst ? worst - 1 : 0;
}

unsigned ramify::tile::ldmatrixConflicts(const SharedLayout &shared,
                                         int64_t row, int64_t column) {
  SmallVector<int64_t> offsets;
  for (int64_t i = 0; i < 8; ++i)
    offsets.push_back(shared.offset(row + i, column));
  return bankConflicts(offsets, SharedLayout::chunkBytes);
}

unsigned ramify::tile::registerConflicts(const Layout &layout, unsigned r,
                                         unsigned w, const SharedLayout &shared,
                                         int64_t elementBytes, unsigned width) {
  SmallVector<int64_t> offsets;
  for (unsigned l = 0; l < Layout::lanes; ++l) {
    Coords at = layout.element(r, l, w);
    offsets.push_back(shared.offset(at[0], at[1] * elementBytes));
  }
  return bankConflicts(offsets, width * elementBytes);
}
