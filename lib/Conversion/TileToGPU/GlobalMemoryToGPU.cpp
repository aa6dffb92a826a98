// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- GlobalMemoryToGPU.cpp - Gather, lookup, copy -----------------------===//
//
// Addresses. A row begins at pointer + sum of index * stride. The scalar
// indices are the same for all threads and are added first. Rows that differ by
// a constant (splitConstant) share one product with the stride: the others are
// that pointer plus constant * stride, which is uniform again.
//
//===----------------------------------------------------------------------===//

#include "Accesses.h"
#include "Expander.h"

#include "dialects/Tile/Transforms/AssignLayouts.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace ramify;
using namespace ramify::tile;

int64_t Expander::alignment(Value array) { return getAlignment(kernel, array); }

std::function<Value(unsigned)>
Expander::rowPointers(const ArrayDescriptor &array, ValueRange indices,
                      int64_t elementBytes) {
  Value uniform = array.pointer;
  SmallVector<std::pair<Value, Value>> vectors; // index, stride in bytes
  for (auto [index, stride] : llvm::zip(indices, array.strides)) {
    Value bytes = mul64(stride, constant64(elementBytes));
    if (isa<RankedTensorType>(index.getType()))
      vectors.push_back({index, bytes});
    else
      uniform = advance(uniform, mul64(toI64(scalar(index)), bytes));
  }
  auto bases = std::make_shared<std::map<SmallVector<void *>, Value>>();
  return [this, uniform, vectors, bases](unsigned r) {
    SmallVector<void *> key;
    for (auto [index, bytes] : vectors)
      key.push_back(
          splitConstant(registers(index)[r]).first.getAsOpaquePointer());
    Value &base = (*bases)[key];
    if (!base) {
      base = uniform;
      for (auto [index, bytes] : vectors) {
        Value number = splitConstant(registers(index)[r]).first;
        // An index is one register, the address that it gives is two.
        if (recomputesAddresses() && number.getType().isInteger(32))
          number = PTX(builder, loc).opaque(number);
        base = advance(base, mul64(toI64(number), bytes));
      }
    }
    Value pointer = base;
    for (auto [index, bytes] : vectors)
      if (int64_t constant = splitConstant(registers(index)[r]).second)
        pointer = advance(pointer, mul64(bytes, constant64(constant)));
    return pointer;
  };
}

Registers Expander::rowPointers(const ArrayDescriptor &array,
                                ValueRange indices, unsigned count,
                                int64_t elementBytes) {
  auto pointerOf = rowPointers(array, indices, elementBytes);
  Registers pointers;
  for (unsigned r = 0; r < count; ++r)
    pointers.push_back(pointerOf(r));
  return pointers;
}

Registers Expander::whereTrue(Value mask, TypeRange types,
                              llvm::function_ref<Registers()> body) {
  if (!mask)
    return body();
  auto branch = builder.create<scf::IfOp>(loc, types, mask,
                                          /*addThenBlock=*/true,
                                          /*addElseBlock=*/!types.empty());
  OpBuilder::InsertionGuard guard(builder);
  auto fill = [&](Region &region, llvm::function_ref<Registers()> values) {
    Block *block = &region.front();
    if (!block->empty())
      block->getTerminator()->erase();
    builder.setInsertionPointToEnd(block);
    builder.create<scf::YieldOp>(loc, values());
  };
  fill(branch.getThenRegion(), body);
  if (!types.empty())
    fill(branch.getElseRegion(), [&] {
      Registers zeros;
      for (Type type : types)
        zeros.push_back(builder.create<LLVM::ZeroOp>(loc, type));
      return zeros;
    });
  return Registers(branch.getResults());
}

//===----------------------------------------------------------------------===//
// Columns
//===----------------------------------------------------------------------===//

Value Expander::columnExists(const Layout &layout, int64_t offset,
                             const ArrayDescriptor &array) {
  Value column = add32(laneCoordinate(layout, 1), constant32(offset));
  return builder.create<arith::CmpIOp>(loc, arith::CmpIPredicate::slt,
                                       toI64(column), array.sizes.back());
}

//===----------------------------------------------------------------------===//
// Gather
//===----------------------------------------------------------------------===//

/// Elements (packed ones as scalars if the width is 1, else as words), in the
/// order of the layout's registers.
Registers Expander::gatherRows(const Layout &layout, Value source,
                               ValueRange indices, Value mask) {
  auto memory = cast<MemRefType>(source.getType());
  const ArrayDescriptor &array = arrays[source];
  Type element = memory.getElementType();
  unsigned width = accessWidth(layout, memory, alignment(source));
  Type access = accessType(builder, element, width);
  unsigned alignedTo = width * bytesOf(element);
  Layout rows = layout.slice(1);
  Registers pointers =
      rowPointers(array, indices, rows.numRegisters(), bytesOf(element));
  SmallVector<Value> loaded(layout.numRegisters() / width);
  for (auto [row, accesses] :
       llvm::enumerate(accessesByRow(layout, rows, width))) {
    SmallVector<Type> types(accesses.size(), access);
    auto loadRow = [&, row = row, &accesses = accesses] {
      Registers values;
      Value first =
          advance(pointers[row], mul64(toI64(laneCoordinate(layout, 1)),
                                       constant64(bytesOf(element))));
      for (unsigned r : accesses) {
        int64_t column = layout.offset(r)[1];
        auto load = [&]() -> Registers {
          return {builder.create<LLVM::LoadOp>(
              loc, access, advance(first, column * bytesOf(element)),
              alignedTo)};
        };
        Presence there =
            presence(layout, column, width, memory.getShape().back());
        if (there == Presence::None)
          values.push_back(builder.create<LLVM::ZeroOp>(loc, access));
        else
          values.push_back(whereTrue(there == Presence::Some
                                         ? columnExists(layout, column, array)
                                         : Value(),
                                     access, load)[0]);
      }
      return values;
    };
    Registers values =
        whereTrue(mask ? registers(mask)[row] : Value(), types, loadRow);
    for (auto [r, value] : llvm::zip_equal(accesses, values))
      loaded[r / width] = value;
  }
  Registers result;
  for (Value value : loaded)
    llvm::append_range(result, split(builder, loc, value));
  return result;
}

/// True if gatherRows gives words.
static bool gathersWords(const Layout &layout, MemRefType source,
                         int64_t alignment) {
  return isPacked(source.getElementType()) &&
         accessWidth(layout, source, alignment) > 1;
}

LogicalResult Expander::expandGather(GatherOp op) {
  Layout layout = *Layout::of(op.getType());
  Registers values =
      gatherRows(layout, op.getSource(), op.getIndices(), op.getMask());
  Type element = op.getType().getElementType();
  if (isPacked(element) && !gathersWords(layout, op.getSource().getType(),
                                         alignment(op.getSource())))
    values = packElements(values, element);
  tiles[op.getResult()] = values;
  return success();
}

//===----------------------------------------------------------------------===//
// Single elements
//===----------------------------------------------------------------------===//

LogicalResult Expander::expandLookup(LookupOp op) {
  Layout layout = *Layout::of(op.getType());
  Type element = op.getType().getElementType();
  Registers pointers = rowPointers(arrays[op.getSource()], op.getIndices(),
                                   layout.numRegisters(), bytesOf(element));
  Registers values;
  for (auto [r, pointer] : llvm::enumerate(pointers)) {
    auto load = [&, pointer = pointer]() -> Registers {
      return {builder.create<LLVM::LoadOp>(loc, element, pointer,
                                           bytesOf(element))};
    };
    values.push_back(whereTrue(
        op.getMask() ? registers(op.getMask())[r] : Value(), element, load)[0]);
  }
  tiles[op.getResult()] =
      isPacked(element) ? packElements(values, element) : values;
  return success();
}

/// By one thread for all.
void Expander::expandScalarStore(memref::StoreOp op) {
  Type element = op.getMemRefType().getElementType();
  Value pointer = rowPointers(arrays[op.getMemRef()], op.getIndices(), 1,
                              bytesOf(element))[0];
  Value first = isEqual(PTX(builder, loc).threadId(), constant32(0));
  whereTrue(first, {}, [&] {
    builder.create<LLVM::StoreOp>(loc, scalar(op.getValue()), pointer);
    return Registers();
  });
}

void Expander::expandScalarLoad(memref::LoadOp op) {
  Type element = op.getType();
  Value pointer = rowPointers(arrays[op.getMemRef()], op.getIndices(), 1,
                              bytesOf(element))[0];
  Value value = builder.create<LLVM::LoadOp>(
      loc, element.isIndex() ? builder.getI64Type() : element, pointer);
  scalars.map(op.getResult(), value);
}

//===----------------------------------------------------------------------===//
// Copies to shared memory
//===----------------------------------------------------------------------===//

/// cp.async of `unit` elements each; where row or column do not exist it reads
/// nothing and writes zeros.
void Expander::copyUnits(CopyAsyncOp op, const Layout &layout, unsigned unit,
                         const SharedTile &target) {
  auto memory = cast<MemRefType>(op.getSource().getType());
  const ArrayDescriptor &array = arrays[op.getSource()];
  int64_t bytes = bytesOf(memory.getElementType());
  Layout rows = layout.slice(1);
  auto pointerOf = rowPointers(array, op.getIndices(), bytes);
  Value byteColumn = builder.create<arith::MulIOp>(
      loc, laneCoordinate(layout, 1), constant32(bytes));
  Value place =
      laneOffset(target.layout, laneCoordinate(layout, 0), byteColumn);
  PTX ptx(builder, loc);
  for (auto [row, accesses] :
       llvm::enumerate(accessesByRow(layout, rows, unit))) {
    Value first = advance(pointerOf(row), toI64(byteColumn));
    Value mask = op.getMask() ? registers(op.getMask())[row] : Value();
    for (unsigned r : accesses) {
      Coords at = layout.offset(r);
      Presence there = presence(layout, at[1], unit, memory.getShape().back());
      Value wanted = mask;
      if (there == Presence::Some) {
        Value column = columnExists(layout, at[1], array);
        wanted =
            mask ? builder.create<arith::AndIOp>(loc, mask, column) : column;
      }
      Value size;
      if (there == Presence::None)
        size = constant32(0);
      else if (wanted)
        size = builder.create<arith::SelectOp>(
            loc, wanted, constant32(unit * bytes), constant32(0));
      ptx.cpAsync(sharedAddress(target, place, at[0], at[1] * bytes),
                  advance(first, at[1] * bytes), unit * bytes, size);
    }
  }
}

/// Rows whose alignment is less than cp.async needs: a row a lane, element by
/// element, in a loop.
void Expander::copyElements(CopyAsyncOp op, const Layout &layout,
                            const SharedTile &target) {
  constexpr int64_t unroll = 4;
  const ArrayDescriptor &array = arrays[op.getSource()];
  int64_t bytes = bytesOf(target.element);
  int64_t columns = target.layout.rowBytes / bytes;
  Layout rows = layout.slice(1);
  Registers pointers =
      rowPointers(array, op.getIndices(), rows.numRegisters(), bytes);
  auto loop = builder.create<scf::ForOp>(
      loc, constant32(0), constant32(columns), constant32(unroll));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPoint(loop.getBody()->getTerminator());
  for (int64_t step = 0; step < unroll; ++step) {
    Value column = add32(loop.getInductionVar(), constant32(step));
    Value inside = builder.create<arith::CmpIOp>(
        loc, arith::CmpIPredicate::slt, toI64(column), array.sizes.back());
    Value byteColumn =
        builder.create<arith::MulIOp>(loc, column, constant32(bytes));
    for (auto [r, pointer] : llvm::enumerate(pointers)) {
      Value wanted = inside;
      if (op.getMask())
        wanted = builder.create<arith::AndIOp>(loc, inside,
                                               registers(op.getMask())[r]);
      auto load = [&, pointer = pointer]() -> Registers {
        return {builder.create<LLVM::LoadOp>(
            loc, target.element, advance(pointer, toI64(byteColumn)), bytes)};
      };
      Value value = whereTrue(wanted, target.element, load)[0];
      Value row =
          add32(laneCoordinate(layout, 0), constant32(rows.offset(r)[0]));
      builder.create<LLVM::StoreOp>(
          loc, value,
          advance(target.base, sharedOffset(target.layout, row, byteColumn)),
          bytes);
    }
  }
}

LogicalResult Expander::expandCopy(CopyAsyncOp op) {
  if (!op.getLayout())
    return op.emitOpError("expected a layout");
  Layout layout(*op.getLayout());
  SharedTile target = sharedTile(op.getTarget(), op.getStage());
  auto memory = cast<MemRefType>(op.getSource().getType());
  unsigned unit = accessWidth(layout, memory, alignment(op.getSource()));
  auto warps = kernel->getAttrOfType<IntegerAttr>(kWarpsAttrName);
  Value takesPart;
  if (warps && warps.getInt() > layout.numWarps())
    takesPart = builder.create<arith::CmpIOp>(
        loc, arith::CmpIPredicate::ult, warp(), constant32(layout.numWarps()));
  whereTrue(takesPart, {}, [&] {
    if (unit * bytesOf(target.element) >= 4)
      copyUnits(op, layout, unit, target);
    else
      copyElements(op, layout, target);
    return Registers();
  });
  return success();
}
