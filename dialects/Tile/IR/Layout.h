// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- Layout.h - Which thread holds which element --------------*- C++ -*-===//
//
// The mathematics behind the attributes `#tile.layout` and `#tile.shared`.
//
// Tiles in registers
// ------------------
// A layout maps (register r, lane l, warp w) to the coordinates of one element
// of a tile of rank 1 or 2. It has two parts.
//
// 1. Inside an *atom*, whose sides are powers of two, the map is linear over
//    F2: each bit of r and of l has a basis vector of coordinates, and the
//    element is the XOR of the bases of the bits that are set. Every coordinate
//    of a basis is 0 or a power of two.
// 2. Atoms repeat plainly: first over `warps[a]` warps along axis a, then
//    `repeat[a]` times in further registers, the last axis fastest. Tiles like
//    16 x 80 need this: 80 is no power of two, but five times 16.
//
//   r = atomRegister + atomRegisters * (i0 * repeat[1] + i1)
//   x[a] = atom[a](atomRegister, l) + atomShape[a] * (w[a] + warps[a] * i[a])
//
// Worked example: the accumulator of mma.m16n8 (PTX ISA, "fragment of C").
// Lane l holds four elements: rows l / 4 and l / 4 + 8, columns 2 (l % 4) and
// the next. Hence
//
//   reg  bit 0 -> [0, 1]   bit 1 -> [8, 0]
//   lane bit 0 -> [0, 2]   bit 1 -> [0, 4]   bits 2..4 -> [1, 0] [2, 0] [4, 0]
//
// and register 3 (both bits) of lane 6 = 0b00110 ([0, 4] and [1, 0]) is element
// [8 + 1, 1 + 4] = [9, 5]. A 16 x 64 accumulator repeats this atom of 16 x 8
// eight times along axis 1: 32 registers.
//
// The A operand of mma.m16n8k16 has one register bit more, [0, 8]; that is the
// same map as the accumulator's with an even number of repetitions, so a
// layout is kept in the form whose atom has the fewest registers, and the two
// are equal. This is why P needs no movement between the two products.
//
// A slice drops an axis: what a row vector needs so that each thread holds
// exactly the elements of the rows that it has of the tile. Dropping axis 1
// above leaves reg [8] and lane [0] [0] [1] [2] [4]: the four lanes of a quad
// hold the same elements. Lanes with equal coordinates *replicate*.
//
// At most one axis is dealt to warps; warps beyond `warps` replicate.
//
// Tiles in shared memory
// ----------------------
// `SharedLayout` maps [row, column] to a byte offset. With a swizzle of
// B = 32, 64 or 128 bytes the tile is cut into blocks of B bytes of columns,
// and in a block row follows row. Of the B / 16 chunks of 16 bytes in a row,
// chunk c of row r is stored in place c ^ f(r), where
//
//   f(r) = r % 8 (B = 128),   (r / 2) % 4 (B = 64),   (r / 4) % 2 (B = 32)
//
// so that the same chunk of eight consecutive rows covers all 32 banks once.
// The whole is linear over F2 in the bits of (row, chunk, byte), which is what
// makes addresses cheap: with row and column each split into a part that
// depends on the lane and a constant, whose bits do not overlap,
//
//   offset = (offset(lane part) ^ 16 (chunk ^ f(row))) + rest(row, column)
//
// Without a swizzle the offset is row * (row bytes + pad) + column bytes.
//
//===----------------------------------------------------------------------===//

#ifndef RAMIFY_DIALECTS_TILE_IR_LAYOUT_H
#define RAMIFY_DIALECTS_TILE_IR_LAYOUT_H

#include "dialects/Tile/IR/Tile.h"

#include <array>
#include <optional>

namespace ramify::tile {

using Coords = llvm::SmallVector<int64_t, 2>;

class Layout {
public:
  static constexpr unsigned lanes = 32;
  using Bases = llvm::SmallVector<Coords>;

  /// The canonical form of the given map.
  Layout(Bases reg, Bases lane, Coords warps, Coords repeat);
  explicit Layout(LayoutAttr attr);

  /// The encoding of a tensor, if it is a layout.
  static std::optional<Layout> of(mlir::Type type);
  LayoutAttr toAttr(mlir::MLIRContext *context) const;
  /// `type` with this layout as its encoding.
  mlir::RankedTensorType encode(mlir::RankedTensorType type) const;

  unsigned rank() const { return repeat.size(); }
  llvm::ArrayRef<Coords> registerBases() const { return reg; }
  llvm::ArrayRef<Coords> laneBases() const { return lane; }
  llvm::ArrayRef<int64_t> getWarps() const { return warps; }
  llvm::ArrayRef<int64_t> getRepeat() const { return repeat; }

  Coords atomShape() const;
  /// The shape of the tile.
  Coords shape() const;
  unsigned numRegisters() const;
  unsigned numWarps() const;

  /// The element in register `r` of lane `l` of warp `w`.
  Coords element(unsigned r, unsigned l, unsigned w) const;
  /// What register `r` adds to the coordinates of the thread's register 0. Well
  /// defined because register and lane bits that meet in a coordinate would
  /// make the layout not bijective.
  Coords offset(unsigned r) const { return element(r, 0, 0); }
  /// The register with that offset.
  std::optional<unsigned> registerAt(llvm::ArrayRef<int64_t> offset) const;

  /// Each element of the tile is held equally often, by `replication()` threads
  /// or registers; a layout of a tensor must be so. 1 is a bijection.
  bool isValid() const;
  unsigned replication() const;
  /// No two registers of one thread hold the same element.
  bool isInjectiveInThread() const;

  /// The same in a thread, its repetitions along `axis` dealt to `number`
  /// warps, which must divide them.
  Layout dealt(unsigned axis, int64_t number) const;

  /// The layout of a vector along the other axis.
  Layout slice(unsigned axis) const;
  /// The same threads for the transposed tile.
  Layout transposed() const;

  bool operator==(const Layout &other) const = default;

private:
  Bases reg, lane;
  Coords warps, repeat;
};

//===----------------------------------------------------------------------===//
// The fragments of the matrix instructions
//===----------------------------------------------------------------------===//

/// C of mma.m16n8, for f32, and the 16-bit A of mma.m16n8k16: 16 rows a warp,
/// rows dealt to `warps`.
Layout mmaAccumulator(int64_t rows, int64_t columns, int64_t warps);

/// The accumulator and the register operand A of wgmma: 16 rows a warp as
/// above, 64 rows for each warpgroup.
Layout wgmmaAccumulator(int64_t rows, int64_t columns);
/// A of mma.m16n8k8 with tf32.
Layout mmaLhsTF32(int64_t rows, int64_t columns, int64_t warps);
/// B of mma.m16n8k16 for 16-bit elements. The tile is [k, n], or [n, k] where
/// `transposed`.
Layout mmaRhs16(int64_t rows, int64_t columns, bool transposed);
/// B of mma.m16n8k8 with tf32. A product may contract in any order; `permuted`
/// is the order k -> 2 (k % 4) + k / 4 inside eight, in which an accumulator is
/// an A operand as it stands (see `permutesContraction`).
Layout mmaRhsTF32(int64_t rows, int64_t columns, bool transposed,
                  bool permuted);
/// The 8 x 8 matrix of 16-bit elements that one ldmatrix or stmatrix register
/// holds, or, `transposed`, that the .trans form holds.
Layout ldmatrixFragment(bool transposed);
/// What one register of ldmatrix holds of a matrix of 8 rows of 16 bytes is
/// what `layout` holds in one word: 0 as it stands, 1 transposed, none
/// otherwise.
std::optional<bool> ldmatrixForm(const Layout &layout, mlir::Type element);

//===----------------------------------------------------------------------===//
// Accesses to global memory
//===----------------------------------------------------------------------===//

/// `unit` consecutive elements of a row a thread, consecutive lanes along the
/// row (up to `lanesInRow` of them, as far as a power of two divides the row),
/// then down the rows: the first lane of the next row is `nextRow` (1, 2 or 4)
/// rows away. Rows are dealt to as many of the warps as divide them, a power of
/// two.
Layout blockedRows(int64_t rows, int64_t columns, int64_t unit, int64_t warps,
                   int64_t lanesInRow = 8, int64_t nextRow = 1);

/// The widest access to rows of `source`, in elements: what the layout has side
/// by side in consecutive registers, what alignment allows, and what divides
/// the row.
unsigned accessWidth(const Layout &layout, mlir::MemRefType source,
                     int64_t alignment);

/// A row a lane, each with all its columns: for accesses so narrow that a loop
/// over the columns is what is left. Rows are dealt to warps as in blockedRows.
Layout rowsInLanes(int64_t rows, int64_t columns, int64_t warps);

/// A vector over all threads, lanes first, then warps, then registers. Of the
/// warps as many as divide it take part, a power of two; the others replicate,
/// as do lanes of a vector of fewer than 32 elements.
Layout vectorOverThreads(int64_t length, int64_t warps);

/// A vector of which each warp has one piece, lanes first, then registers; null
/// unless the length is a power of two and each warp has all of its lanes.
std::optional<Layout> vectorByWarps(int64_t length, int64_t warps);

//===----------------------------------------------------------------------===//
// Shared memory
//===----------------------------------------------------------------------===//

/// The widest swizzle that rows of so many bytes allow; 0 if none.
int64_t bestSwizzle(int64_t rowBytes);
/// How tiles lie that copies fill and products read. 16-bit elements are read
/// by ldmatrix, for which a swizzle is enough. Of f32 each element of a right
/// operand that is not transposed is read for itself, by a warp from eight
/// columns of every other row: rows that are 16 bytes longer than a multiple of
/// 64 have these in different banks, whatever their length.
SharedAttr chooseShared(mlir::RankedTensorType tile);

struct SharedLayout {
  static constexpr int64_t chunkBytes = 16;

  int64_t rows, rowBytes, swizzle, pad;

  SharedLayout(int64_t rows, int64_t rowBytes, int64_t swizzle, int64_t pad)
      : rows(rows), rowBytes(rowBytes), swizzle(swizzle), pad(pad) {}
  /// One stage of a buffer.
  explicit SharedLayout(mlir::MemRefType buffer);

  int64_t bytes() const { return rows * (rowBytes + pad); }
  /// From one row to the next of the same block.
  int64_t pitch() const { return swizzle ? swizzle : rowBytes + pad; }
  /// f(row) above, as log2 of the divisor and as the mask.
  unsigned swizzleShift() const;
  int64_t swizzleMask() const { return swizzle ? swizzle / chunkBytes - 1 : 0; }

  /// Where byte `column` of row `row` lies.
  int64_t offset(int64_t row, int64_t column) const;

  /// The same, for coordinates whose bits do not overlap with those of the part
  /// that depends on the lane: offset = (lane ^ flip) + add.
  struct Step {
    int64_t flip, add;
  };
  Step step(int64_t row, int64_t column) const;
};

/// Where a buffer may start: TMA and wgmma count swizzles from such addresses.
inline constexpr int64_t kSharedAlignment = 1024;
/// The shared memory that a buffer with all its stages takes.
int64_t getAllocatedBytes(mlir::MemRefType buffer);

/// The most times that one bank is needed in one phase of a warp's access,
/// minus one: 0 is free of conflicts. `offsets` has a byte offset for each
/// lane; a phase is what 128 bytes serve: all lanes for 4 bytes a lane, 16
/// lanes for 8, 8 lanes for 16. Lanes that read the same word share it.
unsigned bankConflicts(llvm::ArrayRef<int64_t> offsets, unsigned bytesPerLane);
/// The same where each lane of warp `w` accesses `width` elements of a row,
/// beginning with that of its register `r`.
unsigned registerConflicts(const Layout &layout, unsigned r, unsigned w,
                           const SharedLayout &shared, int64_t elementBytes,
                           unsigned width);
/// The same for one 8 x 8 matrix of ldmatrix or stmatrix at [row, byte column].
unsigned ldmatrixConflicts(const SharedLayout &shared, int64_t row,
                           int64_t column);

} // namespace ramify::tile

#endif // RAMIFY_DIALECTS_TILE_IR_LAYOUT_H
