// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- HopperToGPU.cpp - TMA, mbarriers, wgmma ----------------------------===//

#include "Expander.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace ramify;
using namespace ramify::tile;

/// Bytes of a row of a block with a 128-byte swizzle, of eight rows, and of the
/// 16 elements that one wgmma takes of a row.
static constexpr int64_t kRowBytes = 128;
static constexpr int64_t kEightRows = 8 * kRowBytes;
static constexpr int64_t kStepBytes = 32;
static constexpr int64_t kStep = 16;
/// Of a warpgroup.
static constexpr int64_t kRows = 64, kWarps = 4;

LogicalResult Expander::expandHopper(Operation *op) {
  PTX ptx(builder, loc);
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case([&](AllocMBarriersOp op) {
        expandAllocMBarriers(op);
        return success();
      })
      .Case([&](MBarrierArriveOp op) {
        Value address = barrierAddress(op.getBarriers(), op.getIndex());
        if (op.getBytes())
          ptx.mbarrierArriveExpect(address, constant32(*op.getBytes()));
        else
          ptx.mbarrierArrive(address);
        return success();
      })
      .Case([&](MBarrierWaitOp op) {
        ptx.mbarrierWait(barrierAddress(op.getBarriers(), op.getIndex()),
                         scalar(op.getParity()));
        return success();
      })
      .Case([&](ElectOp op) { return expandElect(op); })
      .Case([&](TmaLoadOp op) {
        expandTmaLoad(op);
        return success();
      })
      .Case([&](WgmmaOp op) { return expandWgmma(op); })
      .Case([&](WgmmaWaitOp op) {
        tiles[op.getResult()] =
            ptx.wgmmaWait(op.getPending(), registers(op.getInput()));
        return success();
      });
}

//===----------------------------------------------------------------------===//
// Barriers and TMA
//===----------------------------------------------------------------------===//

void Expander::expandAllocMBarriers(AllocMBarriersOp op) {
  PTX ptx(builder, loc);
  int64_t count = op.getType().getCount();
  Value base = allocateShared(8 * count);
  buffers[op.getResult()] = base;
  Value first = builder.create<arith::CmpIOp>(loc, arith::CmpIPredicate::eq,
                                              ptx.threadId(), constant32(0));
  auto branch = builder.create<scf::IfOp>(loc, first);
  {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(branch.thenBlock());
    for (int64_t i = 0; i < count; ++i)
      ptx.mbarrierInit(advance(base, 8 * i), constant32(op.getArrivals()));
    ptx.mbarrierInitFence();
  }
  ptx.barrier();
}

Value Expander::barrierAddress(Value barriers, Value index) {
  Value number =
      builder.create<arith::TruncIOp>(loc, builder.getI32Type(), scalar(index));
  return advance(buffers[barriers],
                 builder.create<arith::MulIOp>(loc, number, constant32(8)));
}

/// One lane of the first warp. The warp's number is uniform, so ptxas sees that
/// the branch around elect.sync is.
LogicalResult Expander::expandElect(ElectOp op) {
  OpBuilder::InsertionGuard guard(builder);
  Value first = builder.create<arith::CmpIOp>(loc, arith::CmpIPredicate::eq,
                                              warp(), constant32(0));
  builder.setInsertionPointToStart(
      builder.create<scf::IfOp>(loc, first).thenBlock());
  Value elected = PTX(builder, loc).elect();
  builder.setInsertionPointToStart(
      builder.create<scf::IfOp>(loc, elected).thenBlock());
  return expandBlock(op.getBody().front());
}

void Expander::expandTmaLoad(TmaLoadOp op) {
  SharedTile stage = sharedTile(op.getTarget(), op.getStage());
  Value target = stage.base;
  if (op.getBlock())
    target = advance(target, *op.getBlock() * stage.layout.rows *
                                 op.getMap().getType().getSwizzle());
  // PTX wants the contiguous dimension first.
  Registers coordinates;
  for (Value coordinate : llvm::reverse(op.getCoordinates()))
    coordinates.push_back(scalar(coordinate));
  PTX(builder, loc)
      .tmaLoad(target, scalar(op.getMap()), coordinates,
               barrierAddress(op.getBarriers(), op.getIndex()));
}

//===----------------------------------------------------------------------===//
// wgmma
//===----------------------------------------------------------------------===//

/// The descriptor of step `step` of an operand whose contracted axis is
/// contiguous: blocks of 128 bytes of it follow each other.
static Value descriptorAlongRow(PTX &ptx, const SharedTile &tile, int64_t step,
                                function_ref<Value(int64_t)> at) {
  int64_t stepsPerBlock = kRowBytes / kStepBytes;
  int64_t block = step / stepsPerBlock * tile.layout.rows * kRowBytes;
  return ptx.wgmmaDescriptor(at(block + step % stepsPerBlock * kStepBytes),
                             /*leadingBytes=*/kStep, kEightRows);
}

/// The same where rows are contracted: a step is 16 rows of each block.
static Value descriptorAcrossRows(PTX &ptx, const SharedTile &tile,
                                  int64_t step,
                                  function_ref<Value(int64_t)> at) {
  return ptx.wgmmaDescriptor(at(step * kStep * kRowBytes),
                             tile.layout.rows * kRowBytes, kEightRows);
}

/// A step of a left operand in registers: the words of an mma's fragment.
static Registers stepOfRegisters(const std::map<Coords, unsigned> &numbers,
                                 ArrayRef<Value> words, int64_t step) {
  Registers fragment;
  for (int64_t column : {int64_t(0), kStep / 2})
    for (int64_t row : {0, 8})
      fragment.push_back(
          words[numbers.at(Coords{row, step * kStep + column}) / 2]);
  return fragment;
}

SharedTile Expander::rowsOfWarpgroup(SharedTile tile, int64_t rows,
                                     bool transposed) {
  if (rows == kRows)
    return tile;
  // 64 columns of 16 bits are a block.
  int64_t stride = (transposed ? tile.layout.rows : kRows) * kRowBytes;
  Value group = builder.create<arith::DivUIOp>(loc, warp(), constant32(kWarps));
  Value bytes = builder.create<arith::MulIOp>(loc, group, constant32(stride));
  tile.base = advance(tile.base, bytes);
  return tile;
}

LogicalResult Expander::expandWgmma(WgmmaOp op) {
  auto type = cast<RankedTensorType>(op.getAcc().getType());
  int64_t rows = type.getDimSize(0), columns = type.getDimSize(1);
  if (*Layout::of(type) != wgmmaAccumulator(rows, columns) ||
      rows / kRows * kWarps != numWarps())
    return op.emitOpError("expected an accumulator that all warpgroups hold as "
                          "wgmma does, found ")
           << type;
  PTX ptx(builder, loc);
  SharedTile rhs = sharedTile(op.getRhs(), op.getRhsStage());
  bool transposed = op.getTransposed(), lhsTransposed = op.getLhsTransposed();
  auto descriptor = [&](const SharedTile &tile, bool acrossRows, int64_t step) {
    auto at = [&](int64_t bytes) { return advance(tile.base, bytes); };
    return acrossRows ? descriptorAcrossRows(ptx, tile, step, at)
                      : descriptorAlongRow(ptx, tile, step, at);
  };
  auto inRegisters = dyn_cast<RankedTensorType>(op.getLhs().getType());
  std::optional<SharedTile> lhs;
  std::map<Coords, unsigned> numbers;
  if (inRegisters)
    numbers = registersByOffset(*Layout::of(inRegisters));
  else
    lhs = rowsOfWarpgroup(sharedTile(op.getLhs(), op.getLhsStage()), rows,
                          lhsTransposed);
  auto getLhs = [&](int64_t step) -> Registers {
    if (inRegisters)
      return stepOfRegisters(numbers, registers(op.getLhs()), step);
    return {descriptor(*lhs, lhsTransposed, step)};
  };
  auto rhsType = cast<MemRefType>(op.getRhs().getType());
  int64_t inner = rhsType.getDimSize(transposed ? 2 : 1);
  MMAKind kind = rhs.element.isBF16() ? MMAKind::BF16 : MMAKind::F16;
  // A first step that adds to nothing needs no zeros.
  bool fromZero = matchPattern(op.getAcc(), m_AnyZeroFloat());
  Registers acc;
  if (fromZero)
    acc.assign(Layout::of(type)->numRegisters(),
               builder.create<LLVM::UndefOp>(loc, builder.getF32Type()));
  else
    acc = registers(op.getAcc());
  ptx.wgmmaFence();
  for (int64_t step = 0; step < inner / kStep; ++step) {
    Value accumulate = constant32(step == 0 && fromZero ? 0 : 1);
    acc = ptx.wgmma(kind, acc, getLhs(step), descriptor(rhs, !transposed, step),
                    accumulate, lhsTransposed ? WGMMAMajor::MN : WGMMAMajor::K,
                    transposed ? WGMMAMajor::K : WGMMAMajor::MN);
  }
  ptx.wgmmaCommit();
  tiles[op.getResult()] = acc;
  return success();
}
