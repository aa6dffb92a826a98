// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- KernelEmitter.h - One kernel as loops and vectors --------*- C++ -*-===//
//
// Rows in lanes. A tile of R rows and C columns is kept transposed: column j is
// one vector of R lanes (rounded up to L, a size that registers like), and a
// tile in memory is an array of C such vectors:
//
//     tensor<12x64xf32>   ->   64 x vector<16xf32>
//
// Scores of many query rows against one key are then one vector: Q K^T is a sum
// over d of K[key, d], a scalar, times the vector Qt[d]; maxima and sums over
// keys are vertical, without shuffles; P V is a sum over keys of the scalar
// V[key, d] times the vector Pt[key]. Hence the right-hand side of a product is
// needed as scalars only, and an f32 array is read where it stands.
//
// Where the rows fill less than a register, several columns stand in one.
//
// Elementwise ops produce nothing when they are met: they are evaluated, column
// by column, inside the loop of the op that consumes them (a reduction, a
// product, a store). A value that is dear and wanted by several loops is stored
// by the first. Vectors (tensors of rank 1) are SSA vectors, and are evaluated
// again at a single index where one element is needed.
//
// Loop-carried tiles and results of branches have a fixed place in memory, and
// what yields them is evaluated into that place, in place where nobody needs
// the old value any more.
//
//===----------------------------------------------------------------------===//

#ifndef RAMIFY_LIB_CONVERSION_TILETOCPU_KERNELEMITTER_H
#define RAMIFY_LIB_CONVERSION_TILETOCPU_KERNELEMITTER_H

#include "dialects/Tile/IR/Tile.h"
#include "ramify/Conversion/KernelABI.h"
#include "ramify/Conversion/TileToCPU.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace ramify::cpu {

using llvm::ArrayRef;
using llvm::SmallVector;
using mlir::Block;
using mlir::LogicalResult;
using mlir::Operation;
using mlir::RankedTensorType;
using mlir::Type;
using mlir::Value;
using mlir::ValueRange;

/// Rows of f32 in memory: element (i, j) is at pointer + i * stride + j.
struct RowView {
  Value pointer;
  Value stride; // i64, in elements
  /// i64: the first row that counts, and the one behind the last. The others
  /// are zero, whatever memory holds there, and only products read the rows.
  /// Null if all rows are there.
  Value first = {}, last = {};
};

/// The vector length that R rows are rounded up to: 2, 4, 8, and so on to the
/// register's, then multiples of it.
int64_t paddedRows(int64_t rows, const CPUVectorShape &shape);

/// The bytes that an array of elements of `bytes` bytes is aligned to at each
/// multiple of `count` elements.
int64_t alignmentOf(int64_t count, int64_t bytes);

/// The element type that a value is computed in: 16-bit floats are held as f32,
/// index as i64.
Type computeType(Type element);

/// An op on tensors without memory or loop of its own.
bool isLazy(Operation *op);

/// The lazy op that defines the value, or null.
Operation *lazyDefinition(Value value);

/// Whether `value` is read by anything that runs after `op`, uses by `op`
/// itself and by lazy ops on its behalf excepted. True as well where `op` runs
/// again in a loop that `value` comes from outside of.
bool isReadAfter(Value value, Operation *op);

/// Whether evaluating `value` reads the tile `source` or anything computed
/// lazily from it.
bool dependsOn(Value value, Value source);

/// What a product reads for `tile`: a value before its rounding to 16 bits.
Value exactOperand(Value tile);

/// Whether the product has nothing to add to.
bool startsFromZero(tile::DotOp op);

/// How many columns of the tile the array has. The others read as zero and are
/// not written.
int64_t columnsIn(Value array, Value tile);

class KernelEmitter {
public:
  KernelEmitter(mlir::ImplicitLocOpBuilder &builder, CPUVectorShape shape,
                mlir::LLVM::LLVMFuncOp function)
      : b(builder), shape(shape), function(function) {}

  /// Emits the body of `kernel` for one program at the builder's place.
  LogicalResult emit(tile::KernelOp kernel, ValueRange programId);
  void mapScalar(Value source, Value target) { scalars[source] = target; }
  void mapArray(Value source, ArrayDescriptor array) {
    arguments[source] = std::move(array);
  }

private:
  /// What an evaluation asks for: column j of a tile (a vector over rows) or
  /// several from there on, one after the other in a longer vector; row i (a
  /// vector over columns); one or several elements of a vector; all of it.
  enum class Form { Column, Row, Element, Vector };
  struct Scope {
    Form form;
    Value index;       // i64
    int64_t width;     // lanes; 0 for a scalar
    int64_t count = 1; // columns or elements
    llvm::DenseMap<Value, Value> cache{};
    std::unique_ptr<Scope> elements{}; // vectors at the same index
  };

  // Blocks and control flow (EmitBlock.cpp).
  LogicalResult emitBlock(Block &block);
  LogicalResult emitOp(Operation *op);
  void emitLazy(Operation *op);
  LogicalResult emitScalarOp(Operation *op);
  Value cloneScalar(Operation *op);
  Value castInteger(Value value, Type type, bool isSigned);
  LogicalResult emitFor(mlir::scf::ForOp op);
  LogicalResult emitIf(mlir::scf::IfOp op);
  LogicalResult emitBranch(Block &from, Block &to, ArrayRef<Value> places);
  void bindResults(ValueRange results, ArrayRef<Value> places,
                   ValueRange values);
  SmallVector<Value> yieldInto(ValueRange operands, ArrayRef<Value> places);
  bool readsPlace(Value value, Value place);
  Value copyOf(Value tile);
  void storeCaptured(Operation *op);
  Value placeFor(Value result, Value old, Operation *op, ArrayRef<Value> taken);

  // Evaluation (EmitElements.cpp).
  Value evaluate(Value value, Scope &scope);
  Value evaluateLeaf(Value value, Scope &scope);
  Value evaluateOp(Operation *op, Value value, Scope &scope);
  Value evaluateBroadcast(tile::BroadcastOp op, Scope &scope);
  Value cloneElementwise(Operation *op, ValueRange operands, Type type);
  Value constant(mlir::DenseElementsAttr attr, const Scope &scope);
  Value iota(const Scope &scope);
  Value roundTo(Type type, Value value);
  Value columns(Value tile, Value index, int64_t count);
  Value element(Value vector, Value index);
  Value vectorOf(Value vector);
  Value vectorOf(Value vector, int64_t width);

  // Tiles in memory (EmitTiles.cpp).
  void planStores(tile::KernelOp kernel);
  int64_t lanesOf(Value tile);
  Type columnType(Value tile);
  Type vectorType(Value vector);
  int64_t columnAlignment(Value tile, int64_t count);
  Value allocateTile(Value tile);
  Value columnAddress(Value tile, Value place, Value index);
  Value loadColumns(Value tile, Value place, Value index, int64_t count);
  void storeColumns(Value tile, Value place, Value index, Value value);
  struct Step {
    int64_t columns; // in one vector
    int64_t unroll;  // vectors
  };
  Step stepOf(Value tile);
  SmallVector<Value> forEachColumn(
      Value tile, Step step, ValueRange carried,
      llvm::function_ref<void(int64_t, Value, SmallVector<Value> &)> body);
  Value materialize(Value tile);
  void evaluateInto(Value tile, Value place);
  RowView rowsOf(Value tile);
  void prepareRows(Value tile, llvm::DenseSet<Value> &seen);
  Value elementsOf(Value vector);
  Value spill(Value vector);

  // Reductions (EmitReduce.cpp).
  void emitReduce(tile::ReduceOp op);
  Value reduceColumns(tile::ReduceOp op);
  void reduceRows(tile::ReduceOp op);
  void reduceVector(tile::ReduceOp op);
  Value reduceLanes(tile::Combine kind, Value vector, int64_t size);
  Value combine(tile::Combine kind, Value lhs, Value rhs);
  mlir::TypedAttr identity(tile::Combine kind, Type element);

  // Order (EmitOrder.cpp).
  Value replace(Value result, Value old, Operation *op,
                SmallVector<Value> &taken);
  void settle(ValueRange results, ArrayRef<Value> places);
  Value anyLane(Value mask);
  void emitScan(tile::ScanOp op);
  Value stepIndex(Value i, int64_t count, bool reverse);
  void scanColumns(tile::ScanOp op);
  void scanElements(tile::ScanOp op);
  struct Sorting {
    SmallVector<Value> tiles, places; // the keys first
    Value order;                      // where each column was
    bool descending;
  };
  void compareColumns(const Sorting &sorting, Value i, Value j);
  void sortColumns(const Sorting &sorting, int64_t count);
  LogicalResult emitSort(tile::SortOp op);
  /// Columns and lists: scores, ids, and what is carried along.
  struct Candidate {
    SmallVector<Value> columns, lists, places;
  };
  Value standsBefore(const Candidate &candidate, Value score, Value id);
  void insertCandidate(const Candidate &candidate);
  void emitTopK(tile::TopKOp op);
  void emitTally(tile::TallyOp op);

  // Arrays (EmitMemory.cpp).
  Value emitLoad(mlir::memref::LoadOp op);
  void emitStore(mlir::memref::StoreOp op);
  void emitGather(tile::GatherOp op);
  RowView gatherRows(tile::GatherOp op);
  RowView copyRows(tile::GatherOp op);
  Value boundRows(Value mask, int64_t height, RowView &view);
  Value isWithin(tile::GatherOp op);
  std::optional<Value> rowStride(tile::GatherOp op);
  void emitLookup(tile::LookupOp op);
  void emitScatter(tile::ScatterOp op);
  void emitFetchAdd(tile::FetchAddOp op);
  void emitScratch(tile::ScratchOp op);
  void whereTrue(Value mask, Value row, llvm::function_ref<void()> body,
                 llvm::function_ref<void()> otherwise = nullptr);
  Value addressOf(const ArrayDescriptor &array, Type elementType,
                  ValueRange indices, Value row = {});
  Value loadElement(Type elementType, Value pointer, int64_t width = 0);
  void storeElement(Type elementType, Value value, Value pointer);
  Value allTrue(Value mask, int64_t count);

  // Rows of one tile that are columns of another, and sums in memory
  // (EmitReduceInto.cpp).
  void emitTranspose(tile::TransposeOp op);
  LogicalResult emitReduceInto(tile::ReduceIntoOp op);
  void combineInto(tile::ReduceIntoOp op, Value value, Value pointer);
  void lockRow(Value row, llvm::function_ref<void()> body);
  void addRow(tile::ReduceIntoOp op, Value from, Value to, int64_t columns);

  // Between rows of arrays and columns of tiles (EmitTranspose.cpp).
  void gatherColumns(tile::GatherOp op);
  void gatherBlocks(tile::GatherOp op, Value place);
  void gatherElements(tile::GatherOp op, Value place);
  void scatterColumns(tile::ScatterOp op);
  void scatterBlocks(tile::ScatterOp op, Value place);
  void scatterElements(tile::ScatterOp op, Value place);
  SmallVector<Value> rowAddresses(mlir::MemRefType array, ValueRange indices,
                                  Value source, Value mask, Value firstRow,
                                  int64_t rows, int64_t blockRows, Value spare);
  Value interleave(ArrayRef<Value> vectors);

  // Products (EmitDot.cpp).
  void emitDot(tile::DotOp op);
  struct Product;
  void emitPanels(const Product &product);
  void clearColumns(const Product &product);
  Value panelAddress(const Product &product, Value place, Value index,
                     Value firstRow);
  Value loadRepeated(Value pointer, int64_t count, int64_t width);
  SmallVector<Value>
  accumulateBetween(Value first, Value last, ValueRange sums,
                    llvm::function_ref<void(Value, SmallVector<Value> &)> body);
  SmallVector<Value>
  accumulate(int64_t depth, int64_t step, ValueRange sums,
             llvm::function_ref<void(Value, SmallVector<Value> &)> body);
  void emitTransposedPanel(const Product &product, Value firstRow,
                           Value firstColumn);
  void emitPlainPanel(const Product &product, Value firstRow,
                      Value firstColumn);

  // Short names (Builders.cpp).
  Value i64(int64_t value);
  Value address(Type element, Value base, Value offset);
  Value address(Type element, Value base, int64_t offset);
  Value loadVector(Type type, Value pointer, int64_t alignment);
  void storeVector(Value value, Value pointer, int64_t alignment);
  Value allocate(Type element, int64_t count);
  Value splat(Value scalar, int64_t width);
  /// Lane l of the result is lane source(l) of lhs, or of rhs after it.
  Value shuffle(Value lhs, Value rhs, int64_t width,
                llvm::function_ref<int64_t(int64_t)> source);
  Value shuffle(Value vector, int64_t width,
                llvm::function_ref<int64_t(int64_t)> source) {
    return shuffle(vector, vector, width, source);
  }
  /// for (i = 0; i < count; i += step) body(i), with values carried along.
  SmallVector<Value>
  loop(int64_t count, int64_t step, ValueRange carried,
       llvm::function_ref<SmallVector<Value>(Value, ValueRange)> body);
  /// The same from `first` to `last`, i64.
  SmallVector<Value>
  loop(Value first, Value last, int64_t step, ValueRange carried,
       llvm::function_ref<SmallVector<Value>(Value, ValueRange)> body);

  mlir::ImplicitLocOpBuilder &b;
  CPUVectorShape shape;
  mlir::LLVM::LLVMFuncOp function;

  llvm::DenseMap<Value, ArrayDescriptor> arguments;
  llvm::DenseMap<Value, Value> scalars;
  SmallVector<Value> programId;

  llvm::DenseMap<Value, Value> tiles;    // transposed tile: its place
  llvm::DenseMap<Value, RowView> rows;   // tile as rows
  llvm::DenseMap<Value, Value> vectors;  // rank 1: SSA vector
  llvm::DenseMap<Value, Value> elements; // rank 1: its elements in memory
  llvm::DenseSet<Value> keep;            // lazy tiles that are stored when met
  llvm::DenseMap<Value, Value> wanted; // where a result should be evaluated to
  llvm::DenseMap<Value, Value> occupant; // of a place: the value it holds
  llvm::DenseMap<Value, Value> storing;  // tiles that the current loop stores
  Block *currentBlock = nullptr;         // of the kernel, being emitted
};

} // namespace ramify::cpu

#endif // RAMIFY_LIB_CONVERSION_TILETOCPU_KERNELEMITTER_H
