// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- ItemSums.cpp - The launch that adds the parts of items -------------===//
//
// Program (x, y, z) has item x of its region, as the launch that visits has it,
// and a piece of what a chunk has of the sums. It is done unless the item is
// the first of a list of which there are parts:
//
//     if begin == first and behind - first > most
//       %sum = tile.gather %result[chunk]
//       %from = first / most
//       scf.for %p = %from to %from + (behind - first - 1) / most
//         %sum += tile.gather %parts[%p]
//       tile.scatter %sum into %result[chunk]
//
//===----------------------------------------------------------------------===//

#include "ChunkVisits.h"
#include "QueryMajor.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace ramify;
using Predicate = arith::CmpIPredicate;

namespace {
class ItemSums {
public:
  ItemSums(hsa::ProgramOp program, const Parameters &parameters,
           const TileShape &shape, VisitedChunks visited, StringRef name);
  void emit();

private:
  void emitChunk(const ItemEntries &entries, PartitionSize size, Value piece);

  TileBuilder b;
  BodyEmitter emitter;
  VisitedChunks visited;
  Turns turns;
  tile::KernelOp kernel;
  WindowArguments window;
  SmallVector<Value> index, arrays;
  Value mostEntries;
  ItemProgram place;
};
} // namespace

ItemSums::ItemSums(hsa::ProgramOp program, const Parameters &parameters,
                   const TileShape &shape, VisitedChunks visited,
                   StringRef name)
    : b(visited.op.getLoc(), program), emitter(b, program, shape),
      visited(visited), turns(program, shape, /*deterministic=*/true) {
  SmallVector<KernelArgument> arguments;
  for (StringRef array : kIndexArrayNames)
    arguments.push_back(
        {array.str(), InverseIndex::getArrayType(b.getContext())});
  visited.items.addArguments(arguments);
  addWindowArguments(arguments, b.getContext());
  size_t ownArguments = arguments.size();
  for (auto [number, type] : llvm::enumerate(parameters.getResultTypes()))
    arguments.push_back({"result" + std::to_string(number), type});
  kernel = createKernel(emitter, parameters, name, arguments);
  ValueRange own = kernel.getBody().getArguments().take_back(arguments.size());
  own = own.take_front(ownArguments);
  window = takeWindowArguments(own);
  llvm::append_range(index, own.take_front(3));
  llvm::append_range(arrays, own.drop_front(3).drop_back());
  mostEntries = own.back();
}

void ItemSums::emitChunk(const ItemEntries &entries, PartitionSize size,
                         Value piece) {
  Value length = b.sub(entries.behind, entries.first);
  Value hasParts =
      b.both(b.compare(Predicate::eq, entries.begin, entries.first),
             b.compare(Predicate::sgt, length, mostEntries));
  auto branch = b.create<scf::IfOp>(hasParts, /*withElseRegion=*/false);
  b.setInsertionPointToStart(branch.thenBlock());
  auto divide = [&](Value entry) -> Value {
    return b.create<arith::DivUIOp>(entry, mostEntries);
  };
  const Rows &rows = emitter.rows;
  int64_t keys =
      emitter.program.getChunkSize(visited.selected.getType().getPartition());
  Value firstKey = b.mul(entries.chunk, b.i32(keys));
  ItemParts::Chunk chunk;
  chunk.sequence = place.sequence, chunk.batch = rows.batch;
  chunk.number = entries.chunk;
  chunk.firstKey = firstKey;
  chunk.end = b.min(b.add(firstKey, b.i32(keys)), size.keys);
  chunk.firstHead = rows.firstHead, chunk.keyHead = rows.keyHead;
  chunk.firstPart = divide(entries.first);
  chunk.behind = b.add(chunk.firstPart, divide(b.sub(length, b.i32(1))));
  visited.items.emitPiece(b, kernel, arrays, chunk, piece);
}

void ItemSums::emit() {
  int64_t pieces = visited.items.countPieces();
  Value y = b.create<tile::ProgramIdOp>(tile::GridAxis::Y);
  Value piece = b.rem(y, pieces);
  place = emitItemProgram(
      emitter, visited.selected, window,
      turns.getProgram(b, b.div(y, pieces), b.toIndex(window.turn)));
  PartitionSize size = getPartitionSize(
      b, emitter.program, visited.selected.getType().getPartition(),
      [&](Value value) { return emitter.get(value); }, emitter.rows.batch);
  {
    OpBuilder::InsertionGuard guard(b);
    ItemEntries entries =
        emitIfItem(emitter, place, index, size, visited.imported);
    emitChunk(entries, size, piece);
  }
  b.create<tile::EndOp>();
}

void ramify::createItemSumsKernel(hsa::ProgramOp program,
                                  const Parameters &parameters,
                                  const TileShape &shape, VisitedChunks visited,
                                  StringRef name) {
  ItemSums(program, parameters, shape, visited, name).emit();
}
