// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- PTX.h - The PTX instructions that lowerings may use ------*- C++ -*-===//
//
// The only place that knows how a PTX instruction is spelled in the LLVM
// dialect: as an LLVM intrinsic where LLVM has a sound one, else as inline
// assembly. A lowering makes a `PTX` at its insertion point and calls the
// instruction by name:
//
//   PTX ptx(builder, loc);
//   SmallVector<Value> b = ptx.ldmatrix(address, 4, /*transposed=*/false);
//   acc = ptx.mma(MMAKind::BF16, a, b, acc);
//
// Conventions. A 32-bit register that holds two 16-bit elements (the first in
// the low half) or one tf32 element is an i32; accumulators are f32. Shared
// addresses are `!llvm.ptr<3>`, 32 bits wide; global ones `!llvm.ptr<1>`, or a
// generic `!llvm.ptr`, which is cast. Nothing here looks at layouts.
//
//===----------------------------------------------------------------------===//

#ifndef RAMIFY_TARGET_PTX_H
#define RAMIFY_TARGET_PTX_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/Value.h"
#include "llvm/ADT/SmallVector.h"

namespace ramify {

/// Element type of a matrix instruction's operands; accumulators are f32.
enum class MMAKind { BF16, F16, TF32 };

/// How an operand of wgmma lies in shared memory: `K` is [rows, k] with k
/// contiguous, `MN` its transpose.
enum class WGMMAMajor { K, MN };

class PTX {
public:
  using Value = mlir::Value;
  using Values = llvm::SmallVector<mlir::Value>;
  using ValueRange = llvm::ArrayRef<mlir::Value>;

  PTX(mlir::OpBuilder &builder, mlir::Location loc)
      : builder(builder), loc(loc) {}

  //===--------------------------------------------------------------------===//
  // Matrix instructions of one warp
  //===--------------------------------------------------------------------===//

  /// mma.sync row.col: c + a b. With 16-bit elements m16n8k16 (4 registers of
  /// a, 2 of b) or m16n8k8 (2 and 1); with tf32 m16n8k8 (4 and 2) or m16n8k4
  /// (2 and 1). `c` and the result have 4 elements.
  Values mma(MMAKind kind, ValueRange a, ValueRange b, ValueRange c);

  /// `count` (1, 2, 4) matrices of 8 x 8 16-bit elements; lane i gives the
  /// address of row i % 8 of matrix i / 8.
  Values ldmatrix(Value shared, unsigned count, bool transposed);
  void stmatrix(Value shared, ValueRange registers, bool transposed);
  /// The transpose of an 8 x 8 matrix of 16-bit elements in the lanes' words.
  Value transposeMatrix(Value word);

  //===--------------------------------------------------------------------===//
  // cp.async
  //===--------------------------------------------------------------------===//

  /// Copies `bytes` (16, 8, 4), of which the first `sourceBytes` (i32; all
  /// where it is null) are read and the others become zero. With 16 bytes the
  /// L1 cache is passed by.
  void cpAsync(Value shared, Value global, unsigned bytes,
               Value sourceBytes = {});
  void cpAsyncCommit();
  /// Waits until at most `pending` of this thread's groups are under way.
  void cpAsyncWait(unsigned pending);

  //===--------------------------------------------------------------------===//
  // Atomics on global or shared memory, without an order among each other
  //===--------------------------------------------------------------------===//

  /// Adds one f32, i32, i64 or 16-bit float, or i32 words of two of the latter,
  /// to what `element` says is there; two or four f32 or words at once (sm_90,
  /// global memory) stand side by side. bf16 is of sm_90, too.
  void reduceAdd(Value pointer, ValueRange values, mlir::Type element);
  /// The greater or lesser of two signed i32.
  void reduceExtreme(Value pointer, Value value, bool greater);
  /// Adds one or, in a word, two bf16 by compare and swap.
  void addBF16(Value pointer, Value value, bool pair);
  /// Adds an i32 and returns what was there.
  Value fetchAdd(Value pointer, Value value);
  /// Adds 1 to an i32 of global memory after everything that this thread has
  /// written or seen.
  void signal(Value pointer);
  /// Waits until the i32 is at least `count`, and sees what was written before.
  void await(Value pointer, Value count);

  //===--------------------------------------------------------------------===//
  // Threads
  //===--------------------------------------------------------------------===//

  Value threadId();             ///< tid.x as i32
  Value blockId(unsigned axis); ///< ctaid.{x,y,z} as i32
  Value laneId();               ///< tid.x % 32 as i32
  Value warpId();               ///< tid.x / 32, uniform over the warp, as i32
  Value elect();                ///< i1: true in one lane of the warp
  void barrier();               ///< all threads of the CTA
  void barrier(unsigned id, unsigned threads); ///< a named barrier
  void syncWarp();
  /// The value (i32 or f32) of lane `lane ^ mask`, or of lane `source` (i32).
  Value shuffleXor(Value value, unsigned mask);
  Value shuffleFrom(Value value, Value source);
  /// Whether the condition holds in any lane of the warp.
  Value anyLane(Value condition);
  /// The lanes of the warp in which it holds, a bit each, as i32.
  Value ballot(Value condition);

  /// The i32 itself, of which compilers know nothing: what depends on it stays
  /// where it is used.
  Value opaque(Value value);

  //===--------------------------------------------------------------------===//
  // Arithmetic on f32 that is approximate (2 ulp or so) and flushes denormals
  //===--------------------------------------------------------------------===//

  Value exp2(Value x);
  Value log2(Value x);
  Value reciprocal(Value x);
  Value rsqrt(Value x);
  Value sqrt(Value x);
  Value divide(Value x, Value y);
  Value tanh(Value x); ///< error up to 2^-11

  //===--------------------------------------------------------------------===//
  // Conversions
  //===--------------------------------------------------------------------===//

  /// Two f32 as bf16 or f16 (round to nearest even) in one i32.
  Value pack(MMAKind kind, Value low, Value high);
  /// f32 rounded to tf32 (i32), ties away from zero.
  Value toTF32(Value x);

  //===--------------------------------------------------------------------===//
  // mbarrier, TMA (sm_90)
  //===--------------------------------------------------------------------===//

  void mbarrierInit(Value barrier, Value count);
  /// Makes initialised barriers visible to the async proxy.
  void mbarrierInitFence();
  void mbarrierArrive(Value barrier);
  /// Arrives once and expects `bytes` (i32) from TMA.
  void mbarrierArriveExpect(Value barrier, Value bytes);
  /// Spins until the phase with parity `parity` (i32) has completed.
  void mbarrierWait(Value barrier, Value parity);
  /// Generic-proxy accesses to shared memory before this are seen by TMA and
  /// wgmma after it.
  void fenceAsyncShared();

  /// `map` is the (generic) address of a tensor map; `coordinates` (i32), the
  /// contiguous dimension first. The bytes are counted at `barrier`.
  void tmaLoad(Value shared, Value map, ValueRange coordinates, Value barrier);
  void tmaStore(Value map, ValueRange coordinates, Value shared);
  /// Adds instead of storing.
  void tmaReduceAdd(Value map, ValueRange coordinates, Value shared);
  void tmaCommit();
  /// Waits until at most `pending` groups of stores are under way; with `read`
  /// until their shared memory has been read.
  void tmaWait(unsigned pending, bool read);
  void tmaPrefetchMap(Value map);

  //===--------------------------------------------------------------------===//
  // wgmma (sm_90a)
  //===--------------------------------------------------------------------===//

  /// The descriptor (i64) of a 128-byte swizzled operand at a shared address:
  /// `leadingBytes` between core matrices along the contiguous dimension
  /// (unused when it is 128 bytes long), `strideBytes` between groups of eight
  /// rows.
  Value wgmmaDescriptor(Value shared, unsigned leadingBytes,
                        unsigned strideBytes);
  /// acc + a b (or a b where `accumulate`, an i32, is 0) for m64 x n x k16 (k8
  /// for tf32) with n = 2 acc.size(). `a` is one descriptor (i64) or four
  /// registers (i32), `b` a descriptor. 16-bit operands in shared memory may be
  /// MN-major.
  Values wgmma(MMAKind kind, ValueRange acc, ValueRange a, Value b,
               Value accumulate, WGMMAMajor majorA, WGMMAMajor majorB);
  /// Orders register accesses before wgmma that reads or writes them.
  void wgmmaFence();
  void wgmmaCommit();
  /// Waits until at most `pending` groups are under way and returns the
  /// accumulators, which may not be touched before.
  Values wgmmaWait(unsigned pending, ValueRange acc);
  /// setmaxnreg.inc or .dec.
  void setMaxRegisters(unsigned count, bool increase);

  /// Constants.
  Value i32(int32_t value);
  Value i64(int64_t value);

private:
  Values intrinsic(llvm::StringRef name, mlir::TypeRange results,
                   ValueRange operands);
  Values assembly(llvm::StringRef text, llvm::StringRef constraints,
                  mlir::TypeRange results, ValueRange operands,
                  bool sideEffects);
  Value unary(llvm::StringRef name, Value x);
  Value cast(Value pointer, unsigned addressSpace);
  /// The pointer as an instruction of its state space takes it: casts it, and
  /// gives the name of the space and the constraint of its register.
  struct Place {
    Value address;
    std::string space, constraint;
  };
  Place place(Value pointer);
  Value special(llvm::StringRef name);

  mlir::OpBuilder &builder;
  mlir::Location loc;
};

} // namespace ramify

#endif // RAMIFY_TARGET_PTX_H
