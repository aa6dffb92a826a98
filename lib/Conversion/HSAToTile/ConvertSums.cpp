// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- ConvertSums.cpp - Sums of f32 to narrower results ------------------===//
//
// Sums over all blocks are formed in f32. Where the array that is returned has
// 16-bit elements, a workspace holds the sums and a last launch rounds them; it
// copies those that another launch began, which stand in a workspace, too. A
// program of it has some rows of the array, or some elements of one:
//
//     %t = tile.gather %sums[%b, %rows, %h] where %inside
//     tile.scatter (arith.truncf %t) into %result[%b, %rows, %h] where %inside
//
//===----------------------------------------------------------------------===//

#include "SumCopies.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace ramify;

/// Rows of a program where the last dimension is known, else elements.
static constexpr int64_t kRows = 16, kElements = 64;

namespace {
/// How programs divide an array.
struct Pieces {
  explicit Pieces(MemRefType type) : rank(type.getRank()) {
    bool hasColumns = rank > 1 && !type.isDynamicDim(rank - 1);
    columns = hasColumns ? type.getDimSize(rank - 1) : 0;
    leading = hasColumns ? rank - 1 : rank;
    axis = hasColumns && leading > 1 ? 1 : leading - 1;
    size = hasColumns ? kRows : kElements;
  }
  int64_t rank, columns;
  int64_t leading; ///< dimensions that are indexed
  int64_t axis;    ///< the one of which a program has `size`
  int64_t size;
};
} // namespace

static Value getDim(TileBuilder &b, Value array, int64_t axis) {
  return b.create<memref::DimOp>(array, b.index(axis));
}

/// How many programs there are along each indexed dimension.
static SmallVector<Value> getCounts(TileBuilder &b, Value array,
                                    const Pieces &pieces) {
  SmallVector<Value> counts;
  for (int64_t axis = 0; axis < pieces.leading; ++axis) {
    Value count = getDim(b, array, axis);
    if (axis == pieces.axis) {
      Value last = b.index(pieces.size - 1);
      count = b.div(b.create<arith::AddIOp>(count, last), pieces.size);
    }
    counts.push_back(count);
  }
  return counts;
}

/// What a program has of an array.
struct Piece {
  SmallVector<Value> indices;
  Value inside;          ///< null: a number alone
  RankedTensorType type; ///< of f32
};

static Piece emitPiece(TileBuilder &b, Value array, const Pieces &pieces) {
  Value program = b.create<tile::ProgramIdOp>(tile::GridAxis::X);
  SmallVector<Value> counts = getCounts(b, array, pieces);
  SmallVector<Value> indices(pieces.leading);
  for (int64_t axis = pieces.leading - 1; axis >= 0; --axis) {
    indices[axis] = b.create<arith::RemUIOp>(program, counts[axis]);
    program = b.create<arith::DivUIOp>(program, counts[axis]);
  }
  Value first = b.mul(b.toI32(indices[pieces.axis]), b.i32(pieces.size));
  Value places = b.add(b.splat(first, {pieces.size}), b.iota(pieces.size));
  Value end = b.toI32(getDim(b, array, pieces.axis));
  Value inside = b.compare(arith::CmpIPredicate::slt, places, end);
  indices[pieces.axis] = places;
  SmallVector<int64_t> shape = {pieces.size};
  if (pieces.columns)
    shape.push_back(pieces.columns);
  return {indices, inside, RankedTensorType::get(shape, b.getF32Type())};
}

static Value load(TileBuilder &b, Value array, ValueRange indices,
                  const Piece &piece) {
  if (!piece.inside)
    return b.create<memref::LoadOp>(array, indices);
  if (piece.type.getRank() == 2)
    return b.create<tile::GatherOp>(piece.type, array, indices, piece.inside);
  return b.create<tile::LookupOp>(piece.type, array, indices, piece.inside);
}

static void store(TileBuilder &b, Value sums, Value array, const Piece &piece) {
  Type element = cast<MemRefType>(array.getType()).getElementType();
  if (element != getElementTypeOrSelf(sums))
    sums =
        b.create<arith::TruncFOp>(withElement(sums.getType(), element), sums);
  if (!piece.inside)
    b.create<memref::StoreOp>(sums, array, piece.indices);
  else
    b.create<tile::ScatterOp>(sums, array, piece.indices, piece.inside);
}

static void emitConversion(TileBuilder &b, Value from, Value to) {
  Pieces pieces(cast<MemRefType>(to.getType()));
  Piece piece = pieces.rank ? emitPiece(b, from, pieces) : Piece();
  store(b, load(b, from, piece.indices, piece), to, piece);
}

static tile::KernelOp
createKernelOf(TileBuilder &b, StringRef name, Type from, Type to,
               function_ref<void(TileBuilder &, Value, Value)> emit) {
  auto named = [&](StringRef argument) -> Attribute {
    return b.getDictionaryAttr(
        b.getNamedAttr("ramify.name", b.getStringAttr(argument)));
  };
  auto kernel = b.create<tile::KernelOp>(
      name, b.getFunctionType({from, to}, {}),
      b.getArrayAttr({named("sums"), named("result")}), /*res_attrs=*/nullptr);
  Block *body = &kernel.getBody().emplaceBlock();
  Value sums = body->addArgument(from, b.getLoc());
  Value result = body->addArgument(to, b.getLoc());
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(body);
  emit(b, sums, result);
  b.create<tile::EndOp>();
  return kernel;
}

tile::KernelOp ramify::createConversion(TileBuilder &b, StringRef name,
                                        Type from, Type to) {
  return createKernelOf(b, name, from, to, emitConversion);
}

static void emitCopySums(TileBuilder &b, Value from, Value to) {
  Pieces pieces(cast<MemRefType>(to.getType()));
  Piece piece = pieces.rank ? emitPiece(b, to, pieces) : Piece();
  auto loop = b.create<scf::ForOp>(b.index(0), getDim(b, from, 0), b.index(1),
                                   load(b, to, piece.indices, piece));
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    SmallVector<Value> indices{loop.getInductionVar()};
    llvm::append_range(indices, piece.indices);
    Value sum = b.addf(loop.getRegionIterArg(0), load(b, from, indices, piece));
    b.create<scf::YieldOp>(sum);
  }
  store(b, loop.getResult(0), to, piece);
}

tile::KernelOp ramify::createCopySums(TileBuilder &b, StringRef name, Type from,
                                      Type to) {
  return createKernelOf(b, name, from, to, emitCopySums);
}

Value ramify::getConversionGrid(TileBuilder &b, Value result) {
  Pieces pieces(cast<MemRefType>(result.getType()));
  Value programs = b.index(1);
  for (Value count : getCounts(b, result, pieces))
    programs = b.createOrFold<arith::MulIOp>(programs, count);
  return programs;
}
