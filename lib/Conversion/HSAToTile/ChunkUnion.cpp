// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- ChunkUnion.cpp - Which chunks neighbours share ---------------------===//

#include "ChunkUnion.h"

#include "InverseIndex.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace ramify;
using Predicate = arith::CmpIPredicate;

/// Picks that a program takes at once.
static constexpr int64_t kBlock = 512;

//===----------------------------------------------------------------------===//
// The kernel
//===----------------------------------------------------------------------===//

namespace {
/// Program (x, y, z) has picks x * kBlock and following of the window, head y
/// of the selection, sequence z of the launch.
struct UnionKernel {
  UnionKernel(hsa::ProgramOp program, const Parameters &parameters,
              const TileShape &shape, hsa::SelectedOp selected, StringRef name);
  void emit();

private:
  /// Vectors: the chunks of slots of blocks, and whether they are any.
  std::pair<Value, Value> getChunk(Value block, Value slot, Value mask);
  Value countBefore();
  Value findLeader(Value earlier);
  Value findInBlock(Value number, Value leader, Value earlier);
  void loopOver(Value end, Value &first, Value &second,
                function_ref<void(Value, Value &, Value &)> body);

  TileBuilder b;
  BodyEmitter emitter;
  int64_t blocks; ///< of a group
  Value indices, chunksArray, slotsArray;
  Value sequence, batch, head;         ///< index
  Value firstBlock, slotCount, chunks; ///< i32
  Value group, ofGroup, slot;          ///< vectors: of each pick
  Value inside, chunk, valid;
};
} // namespace

static SmallVector<KernelArgument> getArguments(MLIRContext *context) {
  Type array = InverseIndex::getArrayType(context);
  Type i32 = IntegerType::get(context, 32);
  return {{"chunks", array},
          {"slots", array},
          {"first_group", i32},
          {"groups", i32},
          {"first_sequence", i32}};
}

std::pair<Value, Value> UnionKernel::getChunk(Value block, Value slot,
                                              Value mask) {
  Type element = getElementTypeOrSelf(indices.getType());
  Value rows = b.toI32(b.create<memref::DimOp>(indices, b.index(1)));
  mask = b.both(mask, b.compare(Predicate::ult, block, rows));
  Value index =
      b.create<tile::LookupOp>(withElement(block.getType(), element), indices,
                               ValueRange{batch, block, head, slot}, mask);
  auto [number, isChunk] = getValidChunk(b, index, chunks);
  return {number, b.both(mask, isChunk)};
}

UnionKernel::UnionKernel(hsa::ProgramOp program, const Parameters &parameters,
                         const TileShape &shape, hsa::SelectedOp selected,
                         StringRef name)
    : b(selected.getLoc(), program), emitter(b, program, shape),
      blocks(shape.entries) {
  tile::KernelOp kernel =
      createKernel(emitter, parameters, name, getArguments(b.getContext()));
  auto own = kernel.getBody().getArguments().take_back(5);
  chunksArray = own[0], slotsArray = own[1];
  firstBlock = b.mul(own[2], b.i32(blocks));
  indices = emitter.get(selected.getIndices());
  Value x = b.create<tile::ProgramIdOp>(tile::GridAxis::X);
  head = b.create<tile::ProgramIdOp>(tile::GridAxis::Y);
  sequence = b.create<tile::ProgramIdOp>(tile::GridAxis::Z);
  batch = b.add(sequence, b.toIndex(own[4]));
  StringRef partition = selected.getType().getPartition();
  auto memory = [&](Value value) { return emitter.get(value); };
  chunks = getPartitionSize(b, program, partition, memory, batch).chunks;
  slotCount = b.toI32(b.create<memref::DimOp>(indices, b.index(3)));
  Value pick = b.add(b.iota(kBlock), b.mul(b.toI32(x), b.i32(kBlock)));
  Value divisor = b.splat(slotCount, {kBlock});
  Value block = b.create<arith::DivUIOp>(pick, divisor);
  slot = b.create<arith::RemUIOp>(pick, divisor);
  group = b.div(block, blocks), ofGroup = b.rem(block, blocks);
  inside = b.compare(Predicate::ult, group, own[3]);
  std::tie(chunk, valid) = getChunk(b.add(block, firstBlock), slot, inside);
}

/// A loop from 0 to `end`, an i32, with two vectors carried along.
void UnionKernel::loopOver(Value end, Value &first, Value &second,
                           function_ref<void(Value, Value &, Value &)> body) {
  auto loop = b.create<scf::ForOp>(b.index(0), b.toIndex(end), b.index(1),
                                   ValueRange{first, second});
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  Value inner = loop.getRegionIterArg(0), other = loop.getRegionIterArg(1);
  body(b.toI32(loop.getInductionVar()), inner, other);
  b.create<scf::YieldOp>(ValueRange{inner, other});
  first = loop.getResult(0), second = loop.getResult(1);
}

/// The slots of the pick's own block before it that hold its chunk.
Value UnionKernel::countBefore() {
  Value own = b.add(b.add(b.mul(group, b.i32(blocks)), ofGroup), firstBlock);
  Value count = b.full(slot.getType(), 0), unused = count;
  loopOver(slotCount, count, unused, [&](Value at, Value &sum, Value &) {
    Value other = b.splat(at, {kBlock});
    Value before = b.both(valid, b.compare(Predicate::slt, other, slot));
    auto [held, isChunk] = getChunk(own, other, before);
    Value same = b.both(isChunk, b.compare(Predicate::eq, held, chunk));
    sum = b.add(sum, b.create<arith::ExtUIOp>(sum.getType(), same));
  });
  return count;
}

/// The first pick, in block `number` of the group, of the visit of each pick
/// that has none yet: the one behind `earlier` others of its chunk.
Value UnionKernel::findInBlock(Value number, Value leader, Value earlier) {
  Value own = b.add(b.mul(group, b.i32(blocks)), b.add(firstBlock, number));
  Value count = b.full(slot.getType(), 0);
  loopOver(slotCount, leader, count, [&](Value at, Value &found, Value &sum) {
    auto [held, isChunk] = getChunk(own, b.splat(at, {kBlock}), valid);
    Value same = b.both(isChunk, b.compare(Predicate::eq, held, chunk));
    Value hit = b.both(same, b.compare(Predicate::eq, sum, earlier));
    hit = b.both(hit, b.compare(Predicate::slt, found, b.i32(0)));
    Value pick = b.add(b.mul(number, slotCount), at);
    found = b.choose(hit, b.splat(pick, {kBlock}), found);
    sum = b.add(sum, b.create<arith::ExtUIOp>(sum.getType(), same));
  });
  return leader;
}

Value UnionKernel::findLeader(Value earlier) {
  Value leader = b.full(slot.getType(), -1);
  Value unused = b.full(slot.getType(), 0);
  loopOver(b.i32(blocks), leader, unused,
           [&](Value number, Value &found, Value &) {
             found = findInBlock(number, found, earlier);
           });
  return leader;
}

void UnionKernel::emit() {
  Value leader = findLeader(countBefore());
  Value pick = b.add(b.mul(ofGroup, slotCount), slot);
  Value leads = b.both(valid, b.compare(Predicate::eq, leader, pick));
  Value led = b.choose(leads, chunk, b.full(chunk.getType(), -1));
  b.create<tile::ScatterOp>(led, chunksArray,
                            ValueRange{sequence, group, head, pick}, inside);
  Value place = b.add(b.mul(leader, b.i32(blocks)), ofGroup);
  b.create<tile::ScatterOp>(slot, slotsArray,
                            ValueRange{sequence, group, head, place}, valid);
  b.create<tile::EndOp>();
}

//===----------------------------------------------------------------------===//
// The unions in a plan
//===----------------------------------------------------------------------===//

ChunkUnion::ChunkUnion(hsa::ProgramOp program, const Parameters &parameters,
                       const TileShape &shape, hsa::SelectedOp selected,
                       std::string name)
    : program(program), parameters(parameters), shape(shape),
      selected(selected), name(std::move(name)) {}

void ChunkUnion::createKernel() {
  UnionKernel(program, parameters, shape, selected, name).emit();
}

Value ChunkUnion::getBytes(TileBuilder &b, ValueRange planArguments) {
  arguments.assign(planArguments.begin(), planArguments.end());
  Value indices =
      arguments[cast<BlockArgument>(selected.getIndices()).getArgNumber()];
  heads = b.create<memref::DimOp>(indices, b.index(2));
  Value slots = b.create<memref::DimOp>(indices, b.index(3));
  picks = b.mul(slots, b.index(shape.entries));
  return b.mul(b.mul(picks, heads), b.index(4 * (1 + shape.entries)));
}

void ChunkUnion::createArrays(TileBuilder &b, Value groups, Value sequences) {
  Type type = InverseIndex::getArrayType(b.getContext());
  for (Value size : {picks, b.mul(picks, b.index(shape.entries))})
    arrays.push_back(b.create<tile::WorkspaceOp>(
        type, ValueRange{sequences, groups, heads, size}, /*zero=*/false));
}

void ChunkUnion::launch(TileBuilder &b, const GroupWindow &window) {
  constexpr int64_t minusOne = 255; // of each byte
  b.create<tile::MemsetOp>(arrays[1], minusOne);
  SmallVector<Value> operands(arguments);
  llvm::append_range(operands, arrays);
  for (Value number : {window.firstGroup, window.groups, window.firstSequence})
    operands.push_back(b.toI32(number));
  Value x = b.create<arith::CeilDivUIOp>(b.mul(window.groups, picks),
                                         b.index(kBlock));
  b.create<tile::LaunchOp>(name, x, heads, window.sequences, operands);
}
