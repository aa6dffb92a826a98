// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- Expander.h - Tensors to the registers of one thread ------*- C++ -*-===//
//
// Walks a placed kernel once, in order, and builds the body of the llvm.func:
// scalars and control flow are copied, tensors become lists of registers. The
// result has arith, scf and LLVM ops on scalars; index has become i64.
//
//===----------------------------------------------------------------------===//

#ifndef RAMIFY_LIB_CONVERSION_TILETOGPU_EXPANDER_H
#define RAMIFY_LIB_CONVERSION_TILETOGPU_EXPANDER_H

#include "dialects/Tile/IR/Layout.h"
#include "ramify/Conversion/KernelABI.h"
#include "ramify/Target/KnownTargets.h"
#include "ramify/Target/PTX.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"

#include <functional>
#include <map>
#include <memory>

namespace ramify {

/// The registers of one tensor in one thread. 16-bit floats are packed: word i
/// is the i32 with elements 2 i (low half) and 2 i + 1.
using Registers = llvm::SmallVector<mlir::Value>;

/// A stage of a shared buffer.
struct SharedTile {
  mlir::Value base; ///< !llvm.ptr<3>
  tile::SharedLayout layout;
  mlir::Type element;
  /// Rows of the buffer are columns of what is read.
  bool transposed = false;
  /// The lane's part of the addresses of ldmatrix, by what the matrices after
  /// the first add to its coordinates. Valid where the tile is read.
  std::map<llvm::SmallVector<tile::Coords>, mlir::Value> places = {};
};

/// Neighbouring elements of a row, which a thread writes at once.
struct RowAccess {
  Registers words; ///< packed if 16-bit and more than one
  mlir::Value pointer;
  mlir::Value wanted; ///< i1; null if always
};

/// x = base + constant, where that is how it was made.
std::pair<mlir::Value, int64_t> splitConstant(mlir::Value x);

/// The number of each register by its offset.
std::map<tile::Coords, unsigned> registersByOffset(const tile::Layout &layout);

/// True for bf16 and f16, whose registers are packed.
inline bool isPacked(mlir::Type element) {
  return element.isBF16() || element.isF16();
}

/// a o b.
mlir::Value combineTwo(mlir::OpBuilder &builder, mlir::Location loc,
                       tile::Combine kind, mlir::Value a, mlir::Value b);

struct Scan;

class Expander {
public:
  using Value = mlir::Value;

  Expander(tile::KernelOp kernel, mlir::LLVM::LLVMFuncOp function,
           const GPUTarget &target)
      : kernel(kernel), function(function), target(target),
        builder(kernel.getContext()) {}

  mlir::LogicalResult run();

  /// Bytes of shared memory that the kernel needs.
  int64_t getSharedBytes() const { return sharedBytes; }

private:
  // Control flow and scalars (Expander.cpp).
  mlir::LogicalResult expandBlock(mlir::Block &block);
  mlir::LogicalResult expand(mlir::Operation *op);
  mlir::LogicalResult expandFor(mlir::scf::ForOp op);
  mlir::LogicalResult expandIf(mlir::scf::IfOp op);
  mlir::LogicalResult expandScalar(mlir::Operation *op);
  void expandView(mlir::memref::ExpandShapeOp op);
  /// Registers of the tensors and scalars among `values`, one after the other.
  Registers flatten(mlir::ValueRange values);
  /// The inverse: gives `values` their parts of `flat`.
  void unflatten(mlir::ValueRange values, mlir::ValueRange flat);
  mlir::SmallVector<mlir::Type> flatTypes(mlir::TypeRange types);

  // Making and shaping tiles (TilesToGPU.cpp).
  mlir::LogicalResult expandConstant(mlir::Operation *op);
  mlir::LogicalResult expandIota(tile::IotaOp op);
  mlir::LogicalResult expandBroadcast(tile::BroadcastOp op);
  mlir::LogicalResult expandReduce(tile::ReduceOp op);
  mlir::LogicalResult reduceToNumber(tile::ReduceOp op);
  mlir::LogicalResult expandExtract(mlir::tensor::ExtractOp op);
  Value combineLanes(tile::Combine kind, const tile::Layout &layout,
                     unsigned axis, Value value);
  Value combineWarps(tile::Combine kind, const tile::Layout &layout,
                     Value value);
  Registers combineWarps(tile::Combine kind, const tile::Layout &from,
                         const tile::Layout &vector, Registers values);
  mlir::LogicalResult expandConvertLayout(tile::ConvertLayoutOp op);
  mlir::LogicalResult expandTranspose(tile::TransposeOp op);

  // Scans of vectors (ScanToGPU.cpp).
  mlir::LogicalResult scanVector(tile::ScanOp op);
  Registers carryOverProgram(Scan &scan, const tile::Layout &layout);

  // Vectors that all threads look at (VectorsToGPU.cpp).
  mlir::LogicalResult moveThroughShared(tile::ConvertLayoutOp op);
  mlir::LogicalResult expandRank(tile::RankOp op);
  mlir::LogicalResult sortVectors(tile::SortOp op);
  void expandFetchAdd(tile::FetchAddOp op);
  Value wordPlace(Value area, Value number);
  void layWords(Value area, Value vector, llvm::ArrayRef<Value> places);
  Registers takeWords(Value area, mlir::RankedTensorType type);
  Registers elementNumbers(const tile::Layout &layout);
  Registers countKeys(Value area, Value vector,
                      llvm::function_ref<Value(Value, Value, Value)> counts);
  Value belongsBefore(Value key, Value earlier, Value own, bool descending);

  // Counts of bins (TallyToGPU.cpp).
  mlir::LogicalResult expandTally(tile::TallyOp op);

  // Queues (QueuesToGPU.cpp).
  mlir::LogicalResult expandDrain(tile::DrainOp op);
  void expandSignal(tile::SignalOp op);
  void expandAwait(tile::AwaitOp op);
  Value takeUnit(tile::DrainOp op);
  void byOneThread(llvm::function_ref<void()> body);
  void splat(Value result, Value scalar);

  // Order along rows (OrderToGPU.cpp, TopKToGPU.cpp).
  mlir::LogicalResult expandScan(tile::ScanOp op);
  mlir::LogicalResult expandSort(tile::SortOp op);
  mlir::LogicalResult expandTopK(tile::TopKOp op);
  /// The ids of a row's columns, in order.
  Registers idsOfRow(Value scores, Value ids, llvm::ArrayRef<unsigned> columns);

  // Lists in shared memory (KeepBestToGPU.cpp, SortListsToGPU.cpp).
  mlir::LogicalResult expandKeepBest(tile::KeepBestOp op);
  void expandSortLists(tile::SortListsOp op);
  /// A list's row at `offset` from this thread's first: where it begins.
  Value listRow(Value list, const tile::Layout &layout, int64_t offset);

  // Elementwise arithmetic (ElementwiseToGPU.cpp).
  mlir::LogicalResult expandElementwise(mlir::Operation *op);
  /// One element; null if the op has no lowering.
  Value computeElement(mlir::Operation *op, mlir::ValueRange operands,
                       mlir::Type result);
  Value computeMath(mlir::Operation *op, mlir::ValueRange operands);
  Value addIntegers(Value a, Value b);

  // Global memory (GlobalMemoryToGPU.cpp).
  mlir::LogicalResult expandGather(tile::GatherOp op);
  mlir::LogicalResult expandLookup(tile::LookupOp op);
  mlir::LogicalResult expandScatter(tile::ScatterOp op);
  void scatterElements(tile::ScatterOp op);
  mlir::LogicalResult expandCopy(tile::CopyAsyncOp op);
  void expandScalarLoad(mlir::memref::LoadOp op);
  void expandScalarStore(mlir::memref::StoreOp op);

  /// Where the row of each register of `rows` begins: the scalar indices and
  /// the tensors among them, which have that layout.
  Registers rowPointers(const ArrayDescriptor &array, mlir::ValueRange indices,
                        unsigned count, int64_t elementBytes);
  /// The same, each built when it is asked for, in the block at hand.
  std::function<Value(unsigned)> rowPointers(const ArrayDescriptor &array,
                                             mlir::ValueRange indices,
                                             int64_t elementBytes);
  /// Runs `body` for the rows whose mask is true; the others get zeros.
  Registers whereTrue(Value mask, mlir::TypeRange types,
                      llvm::function_ref<Registers()> body);
  Registers gatherRows(const tile::Layout &layout, Value source,
                       mlir::ValueRange indices, Value mask);
  void copyElements(tile::CopyAsyncOp op, const tile::Layout &layout,
                    const SharedTile &target);
  void copyUnits(tile::CopyAsyncOp op, const tile::Layout &layout,
                 unsigned unit, const SharedTile &target);
  /// 1 if the column at `offset` from this thread's first one exists.
  Value columnExists(const tile::Layout &layout, int64_t offset,
                     const ArrayDescriptor &array);
  /// Bytes to which rows of an array are aligned.
  int64_t alignment(Value array);

  // Reductions into arrays (ReduceIntoToGPU.cpp).
  mlir::LogicalResult expandReduceInto(tile::ReduceIntoOp op);
  mlir::LogicalResult reduceOwned(tile::ReduceIntoOp op);
  void reduceElements(tile::ReduceIntoOp op);
  void reduceRows(tile::ReduceIntoOp op);
  void reduceOne(tile::Combine combine, mlir::Type element, Value pointer,
                 llvm::ArrayRef<Value> words);
  void addOwnedElements(tile::ReduceIntoOp op);
  void addOwnedRuns(tile::ReduceIntoOp op, llvm::ArrayRef<unsigned> lanes);
  /// Adds a term to the target's element at `address`, which nobody else does.
  void addAtAddress(tile::ReduceIntoOp op, Value address, Value term);
  std::pair<Value, Value> sumOfRun(tile::ReduceIntoOp op,
                                   llvm::ArrayRef<unsigned> registersOfRun,
                                   llvm::ArrayRef<unsigned> lanes,
                                   const Registers &pointers);
  void addOwnedRows(tile::ReduceIntoOp op);
  struct Deposit;
  Deposit depositElements(tile::ReduceIntoOp op);
  std::pair<Value, Value> sumOfEqual(const Deposit &deposit, Value number,
                                     Value address);
  /// The accesses of a thread to the rows of an array.
  llvm::SmallVector<RowAccess>
  rowAccesses(Value tile, Value array, mlir::ValueRange indices, Value mask);
  /// Accesses twice as wide, by exchanges between neighbouring lanes.
  bool widen(llvm::SmallVector<RowAccess> &accesses, unsigned laneBit,
             int64_t bytes);
  void forEachAccess(llvm::ArrayRef<RowAccess> accesses,
                     llvm::function_ref<void(const RowAccess &)> body);

  // Shared memory and products (SharedMemoryToGPU.cpp, DotToGPU.cpp).
  void expandAlloc(tile::AllocSharedOp op);
  void expandScratch(tile::ScratchOp op);
  /// The start of the next `bytes` of shared memory.
  Value allocateShared(int64_t bytes);
  mlir::LogicalResult expandLoadShared(tile::LoadSharedOp op);
  Registers loadPairs(SharedTile &tile, const tile::Layout &layout);
  mlir::LogicalResult expandStoreShared(tile::StoreSharedOp op);
  void storeMatrices(SharedTile &tile, const tile::Layout &layout,
                     llvm::ArrayRef<Value> words);
  void storeElements(SharedTile &tile, const tile::Layout &layout,
                     llvm::ArrayRef<Value> words);
  /// Shared memory in which threads hand each other something. Who writes there
  /// meets the others before and after it.
  Value exchangeArea(int64_t bytes);
  mlir::LogicalResult expandDot(tile::DotOp op);
  SharedTile sharedTile(Value buffer, Value stage);
  /// The address of an element, split as SharedLayout does: `lane` is what
  /// laneOffset returned for the part that depends on the lane.
  Value sharedAddress(const SharedTile &tile, Value lane, int64_t row,
                      int64_t byteColumn);
  Value laneOffset(const tile::SharedLayout &layout, Value row,
                   Value byteColumn);
  /// The same for a column in any of the blocks that a swizzle makes.
  Value sharedOffset(const tile::SharedLayout &layout, Value row,
                     Value byteColumn);
  /// The words of `layout` that start at the given coordinates, read from
  /// shared memory; ldmatrix where the layout is that of its fragments.
  Registers loadWords(SharedTile &tile, const tile::Layout &layout,
                      llvm::ArrayRef<tile::Coords> offsets);
  Registers ldmatrixWords(SharedTile &tile, const tile::Layout &layout,
                          bool transposed,
                          llvm::ArrayRef<tile::Coords> offsets);
  Value ldmatrixPlace(const SharedTile &tile, const tile::Layout &layout,
                      llvm::ArrayRef<tile::Coords> steps);
  bool recomputesAddresses();
  Value loadWord(SharedTile &tile, const tile::Layout &layout,
                 const tile::Coords &offset);

  // Hopper's units (HopperToGPU.cpp).
  mlir::LogicalResult expandHopper(mlir::Operation *op);
  void expandAllocMBarriers(tile::AllocMBarriersOp op);
  mlir::LogicalResult expandElect(tile::ElectOp op);
  void expandTmaLoad(tile::TmaLoadOp op);
  mlir::LogicalResult expandWgmma(tile::WgmmaOp op);
  /// An operand of `rows` rows, seen from the first of the warpgroup's.
  SharedTile rowsOfWarpgroup(SharedTile tile, int64_t rows, bool transposed);
  Value barrierAddress(Value barriers, Value index);

  // Helpers (Expander.cpp).
  Value constant32(int64_t value);
  Value constant64(int64_t value);
  Value add32(Value a, Value b);
  Value add64(Value a, Value b);
  Value mul64(Value a, Value b);
  /// The scalar as i64.
  Value toI64(Value value);
  Value advance(Value pointer, Value bytes);
  Value advance(Value pointer, int64_t bytes);
  /// The part of an element's coordinate that this thread's place decides.
  /// Built in the entry block, once.
  Value laneCoordinate(const tile::Layout &layout, unsigned axis);
  Value lane();
  Value warp();
  /// This thread's warp among those that a layout deals to: the others do what
  /// one of them does.
  Value warpOf(const tile::Layout &layout);
  unsigned numWarps();
  /// True in one of the threads that hold the same elements; null if every
  /// thread has its own.
  Value leads(const tile::Layout &layout);
  /// All threads of the program meet.
  void meet();
  Value isEqual(Value a, Value b);
  /// Both; null is true.
  Value conjunction(Value a, Value b);
  Value select(Value condition, Value a, Value b);
  Value scalar(Value value) { return scalars.lookup(value); }
  const Registers &registers(Value value);
  /// Both halves of each word as scalars of the element type, and back.
  Registers unpackWords(mlir::ArrayRef<Value> words, mlir::Type element,
                        size_t count);
  Registers packElements(mlir::ArrayRef<Value> elements, mlir::Type element);
  mlir::Type registerType(mlir::Type element);

  tile::KernelOp kernel;
  bool usesWgmma = false;
  mlir::LLVM::LLVMFuncOp function;
  const GPUTarget &target;
  mlir::OpBuilder builder;
  mlir::Location loc = builder.getUnknownLoc();
  mlir::IRMapping scalars;
  llvm::DenseMap<Value, Registers> tiles;
  llvm::DenseMap<Value, ArrayDescriptor> arrays;
  /// Loads that the dot does itself, and buffers.
  llvm::DenseMap<Value, SharedTile> postponed;
  llvm::DenseMap<Value, Value> buffers;
  std::map<std::pair<const void *, unsigned>, Value> laneCoordinates;
  /// Sums that addIntegers has made for the op at hand.
  std::map<std::pair<void *, void *>, Value> sums;
  mlir::Operation *entryEnd = nullptr; ///< entry computations go before this
  Value laneValue, warpValue;
  int64_t sharedBytes = 0;
  Value exchange;
  int64_t exchangeBytes = 0;
};

} // namespace ramify

#endif // RAMIFY_LIB_CONVERSION_TILETOGPU_EXPANDER_H
