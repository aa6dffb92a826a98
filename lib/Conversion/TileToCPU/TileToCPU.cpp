// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- TileToCPU.cpp - Kernels become functions of loops and vectors ------===//
//
// Each tile.kernel becomes a loop over a range of programs. It comes first on
// the way to the CPU, straight from the portable stage:
//
//   tile.kernel @k(%x: memref<?x8xf32, strided<[?, 1]>>) {
//     %i = tile.program_id x
//     ...
//   }
// becomes
//   llvm.func @k(%x: !llvm.ptr, %n0: i64, %n1: i64, %s0: i64, %s1: i64,
//                %begin: i64, %end: i64, %nx: i64, %ny: i64) {
//     scf.for %program = %begin to %end step %c1 : i64 {
//       %i = arith.remui %program, %nx : i64
//       ...
//     }
//   }
//   llvm.func @k_packed(%arguments: !llvm.ptr)
//
// Plans go: they have become data for the runtime before.
//
// How the body is treated stands in KernelEmitter.h.
//
//===----------------------------------------------------------------------===//

#include "KernelEmitter.h"

#include "mlir/IR/BuiltinOps.h"

using namespace mlir;
using namespace ramify;
using namespace ramify::cpu;

static LLVM::LLVMFuncOp createFunction(OpBuilder &builder, Location loc,
                                       const Twine &name,
                                       ArrayRef<Type> arguments) {
  auto type = LLVM::LLVMFunctionType::get(
      LLVM::LLVMVoidType::get(builder.getContext()), arguments);
  auto function = builder.create<LLVM::LLVMFuncOp>(loc, name.str(), type);
  function.setNoUnwind(true);
  function.addEntryBlock(builder);
  return function;
}

/// name_packed(void **arguments): loads each argument through its pointer.
static void createPackedEntry(OpBuilder &outer, LLVM::LLVMFuncOp target) {
  OpBuilder::InsertionGuard guard(outer);
  auto pointer = LLVM::LLVMPointerType::get(outer.getContext());
  LLVM::LLVMFuncOp entry = createFunction(
      outer, target.getLoc(), target.getName() + "_packed", {pointer});
  ImplicitLocOpBuilder b(target.getLoc(), outer);
  b.setInsertionPointToStart(&entry.getBody().front());
  SmallVector<Value> arguments;
  for (auto [i, type] : llvm::enumerate(target.getArgumentTypes())) {
    Value slot =
        b.create<LLVM::GEPOp>(pointer, pointer, entry.getArgument(0),
                              ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(i)});
    Value place = b.create<LLVM::LoadOp>(pointer, slot);
    arguments.push_back(b.create<LLVM::LoadOp>(type, place));
  }
  b.create<LLVM::CallOp>(target, arguments);
  b.create<LLVM::ReturnOp>(ValueRange());
}

/// Tells the emitter where the arguments are.
static void mapArguments(tile::KernelOp kernel, LLVM::LLVMFuncOp function,
                         ImplicitLocOpBuilder &b, KernelEmitter &emitter) {
  llvm::DenseMap<Value, ArrayDescriptor> arrays;
  IRMapping scalars;
  describeArguments(b, kernel, function, arrays, scalars);
  for (BlockArgument argument : kernel.getBody().getArguments()) {
    if (isa<MemRefType>(argument.getType())) {
      emitter.mapArray(argument, arrays[argument]);
      continue;
    }
    Value scalar = scalars.lookup(argument);
    if (isa<BFloat16Type, Float16Type>(scalar.getType()))
      scalar = b.create<LLVM::FPExtOp>(b.getF32Type(), scalar);
    emitter.mapScalar(argument, scalar);
  }
}

static LogicalResult convertKernel(tile::KernelOp kernel,
                                   const CPUVectorShape &shape) {
  OpBuilder outer(kernel);
  SmallVector<Type> types =
      kernelABITypes(kernel.getFunctionType(), KernelABI::forCPU());
  types.append(4, outer.getI64Type()); // begin, end, nx, ny
  LLVM::LLVMFuncOp function =
      createFunction(outer, kernel.getLoc(), kernel.getSymName(), types);
  createPackedEntry(outer, function);

  ImplicitLocOpBuilder b(kernel.getLoc(), outer);
  b.setInsertionPointToStart(&function.getBody().front());
  KernelEmitter emitter(b, shape, function);
  mapArguments(kernel, function, b, emitter);
  auto arguments = function.getArguments().take_back(4);
  Value nx = arguments[2], ny = arguments[3];
  auto programs = b.create<scf::ForOp>(arguments[0], arguments[1],
                                       b.create<arith::ConstantIntOp>(1, 64));
  b.create<LLVM::ReturnOp>(ValueRange());

  b.setInsertionPointToStart(programs.getBody());
  Value number = programs.getInductionVar();
  Value x = b.create<arith::RemUIOp>(number, nx);
  Value line = b.create<arith::DivUIOp>(number, nx);
  Value y = b.create<arith::RemUIOp>(line, ny);
  Value z = b.create<arith::DivUIOp>(line, ny);
  if (failed(emitter.emit(kernel, {x, y, z})))
    return failure();
  kernel.erase();
  return success();
}

namespace {
struct TileToCPUPass : PassWrapper<TileToCPUPass, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(TileToCPUPass)

  TileToCPUPass() = default;
  explicit TileToCPUPass(CPUVectorShape shape) {
    lanes = shape.lanes;
    registers = shape.registers;
  }
  TileToCPUPass(const TileToCPUPass &other) : PassWrapper(other) {}

  StringRef getArgument() const final { return "tile-to-cpu"; }
  StringRef getDescription() const final {
    return "kernels over portable tiles become functions of loops and vectors";
  }
  void getDependentDialects(DialectRegistry &registry) const final {
    registry.insert<arith::ArithDialect, LLVM::LLVMDialect, math::MathDialect,
                    scf::SCFDialect, vector::VectorDialect>();
  }
  void runOnOperation() final {
    // A plan launches kernels, which are no more; it has been read before.
    for (auto plan :
         llvm::make_early_inc_range(getOperation().getOps<tile::PlanOp>()))
      plan.erase();
    auto kernels = llvm::to_vector(getOperation().getOps<tile::KernelOp>());
    for (tile::KernelOp kernel : kernels)
      if (failed(convertKernel(kernel, {lanes, registers})))
        return signalPassFailure();
  }

  Option<int64_t> lanes{*this, "lanes", llvm::cl::init(16),
                        llvm::cl::desc("f32 in a vector register")};
  Option<int64_t> registers{*this, "registers", llvm::cl::init(32),
                            llvm::cl::desc("vector registers")};
};
} // namespace

std::unique_ptr<Pass> ramify::createTileToCPUPass(CPUVectorShape shape) {
  return std::make_unique<TileToCPUPass>(shape);
}
