// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- KernelABI.cpp - Flat arguments for kernels -------------------------===//

#include "ramify/Conversion/KernelABI.h"

#include "dialects/Tile/IR/ArrayAccess.h"
#include "dialects/Tile/IR/Tile.h"
#include "ramify/Target/KnownTargets.h"

#include "mlir/Conversion/LLVMCommon/MemRefBuilder.h"
#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/IR/BuiltinOps.h"

using namespace mlir;
using namespace ramify;

static constexpr int kTensorMapBytes = 128;
static constexpr int kTensorMapAlignment = 64;

/// Appends the flat types of an argument of type `type`.
static void appendFlat(Type type, const LLVMTypeConverter &converter,
                       const KernelABI &abi, SmallVectorImpl<Type> &types) {
  if (isa<tile::TensorMapType>(type)) {
    types.push_back(LLVM::LLVMPointerType::get(type.getContext()));
    return;
  }
  auto memref = dyn_cast<MemRefType>(type);
  if (!memref) {
    types.push_back(converter.convertType(type));
    return;
  }
  MLIRContext *context = type.getContext();
  types.push_back(LLVM::LLVMPointerType::get(context, abi.addressSpace));
  types.append(2 * memref.getRank(), IntegerType::get(context, 64));
}

SmallVector<Type> ramify::kernelABITypes(FunctionType type,
                                         const KernelABI &abi) {
  LLVMTypeConverter converter(type.getContext());
  SmallVector<Type> types;
  for (Type input : type.getInputs())
    appendFlat(input, converter, abi, types);
  return types;
}

static void markGPUKernel(LLVM::LLVMFuncOp function) {
  Builder builder(function.getContext());
  auto countOf = [&](StringRef name) -> std::optional<int32_t> {
    auto attribute = function->getAttrOfType<IntegerAttr>(name);
    if (!attribute)
      return std::nullopt;
    return static_cast<int32_t>(attribute.getInt());
  };
  function->setAttr(NVVM::NVVMDialect::getKernelFuncAttrName(),
                    builder.getUnitAttr());
  std::optional<int32_t> warps = countOf("tile.warps");
  if (!warps)
    return;
  function->setAttr(NVVM::NVVMDialect::getMaxntidAttrName(),
                    builder.getDenseI32ArrayAttr({kWarpSize * *warps}));
  // One at least: where nothing is said ptxas may spill to fit more programs.
  function->setAttr(
      NVVM::NVVMDialect::getMinctasmAttrName(),
      builder.getI32IntegerAttr(countOf("tile.min_ctas").value_or(1)));
}

/// A tensor map is a parameter of 128 bytes, which TMA reads where it is.
static void passByValue(LLVM::LLVMFuncOp function, unsigned index) {
  Builder builder(function.getContext());
  Type bytes = LLVM::LLVMArrayType::get(builder.getI8Type(), kTensorMapBytes);
  function.setArgAttr(index, LLVM::LLVMDialect::getByValAttrName(),
                      TypeAttr::get(bytes));
  function.setArgAttr(index, LLVM::LLVMDialect::getAlignAttrName(),
                      builder.getI64IntegerAttr(kTensorMapAlignment));
  function.setArgAttr(index, NVVM::NVVMDialect::getGridConstantAttrName(),
                      builder.getUnitAttr());
}

LLVM::LLVMFuncOp ramify::createKernelFunction(OpBuilder &builder,
                                              FunctionOpInterface kernel,
                                              const KernelABI &abi) {
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPoint(kernel);
  auto type = cast<FunctionType>(kernel.getFunctionType());
  auto function = builder.create<LLVM::LLVMFuncOp>(
      kernel.getLoc(), kernel.getName(),
      LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(kernel.getContext()),
                                  kernelABITypes(type, abi)));
  function->setDiscardableAttrs(kernel->getDiscardableAttrDictionary());
  function.addEntryBlock(builder);
  unsigned flat = 0;
  for (Value argument : kernel.getArguments()) {
    if (isa<tile::TensorMapType>(argument.getType()))
      passByValue(function, flat);
    auto memref = dyn_cast<MemRefType>(argument.getType());
    if (!memref) {
      ++flat;
      continue;
    }
    UnitAttr unit = builder.getUnitAttr();
    function.setArgAttr(flat, LLVM::LLVMDialect::getNoAliasAttrName(), unit);
    if (tile::isOnlyRead(argument))
      function.setArgAttr(flat, LLVM::LLVMDialect::getReadonlyAttrName(), unit);
    flat += 1 + 2 * memref.getRank();
  }
  if (abi.gpu)
    markGPUKernel(function);
  return function;
}

void ramify::describeArguments(OpBuilder &builder, FunctionOpInterface kernel,
                               LLVM::LLVMFuncOp function,
                               llvm::DenseMap<Value, ArrayDescriptor> &arrays,
                               IRMapping &scalars) {
  Location loc = kernel.getLoc();
  unsigned flat = 0;
  // The value of the type where it is static, else the argument's.
  auto sizeOrArgument = [&](int64_t known, unsigned index) -> Value {
    if (ShapedType::isDynamic(known))
      return function.getArgument(index);
    return builder.create<LLVM::ConstantOp>(loc, builder.getI64Type(), known);
  };
  for (Value argument : kernel.getArguments()) {
    auto memref = dyn_cast<MemRefType>(argument.getType());
    if (!memref) {
      scalars.map(argument, function.getArgument(flat++));
      continue;
    }
    unsigned rank = memref.getRank();
    SmallVector<int64_t> strides = getStridesAndOffset(memref).first;
    ArrayDescriptor &array = arrays[argument];
    array.pointer = function.getArgument(flat);
    for (unsigned i = 0; i < rank; ++i) {
      array.sizes.push_back(sizeOrArgument(memref.getDimSize(i), flat + 1 + i));
      array.strides.push_back(sizeOrArgument(strides[i], flat + 1 + rank + i));
    }
    flat += 1 + 2 * rank;
  }
}

/// The descriptor of MLIR's memref lowering, cast to the memref.
static Value castToMemRef(OpBuilder &builder, Location loc, MemRefType type,
                          const ArrayDescriptor &array) {
  LLVMTypeConverter converter(builder.getContext());
  auto descriptor =
      MemRefDescriptor::undef(builder, loc, converter.convertType(type));
  Value pointer = array.pointer;
  Type generic = descriptor.getElementPtrType();
  if (pointer.getType() != generic)
    pointer = builder.create<LLVM::AddrSpaceCastOp>(loc, generic, pointer);
  descriptor.setAllocatedPtr(builder, loc, pointer);
  descriptor.setAlignedPtr(builder, loc, pointer);
  descriptor.setConstantOffset(builder, loc, 0);
  for (auto [i, size] : llvm::enumerate(array.sizes))
    descriptor.setSize(builder, loc, i, size);
  for (auto [i, stride] : llvm::enumerate(array.strides))
    descriptor.setStride(builder, loc, i, stride);
  return builder
      .create<UnrealizedConversionCastOp>(loc, type, Value(descriptor))
      .getResult(0);
}

/// The program's place in the grid is the CTA's.
static void lowerProgramIds(LLVM::LLVMFuncOp function) {
  function.walk([](tile::ProgramIdOp op) {
    OpBuilder builder(op);
    Type i32 = builder.getI32Type();
    Value id;
    switch (op.getAxis()) {
    case tile::GridAxis::X:
      id = builder.create<NVVM::BlockIdXOp>(op.getLoc(), i32);
      break;
    case tile::GridAxis::Y:
      id = builder.create<NVVM::BlockIdYOp>(op.getLoc(), i32);
      break;
    case tile::GridAxis::Z:
      id = builder.create<NVVM::BlockIdZOp>(op.getLoc(), i32);
      break;
    }
    op.replaceAllUsesWith(builder
                              .create<arith::IndexCastUIOp>(
                                  op.getLoc(), builder.getIndexType(), id)
                              .getResult());
    op.erase();
  });
}

LLVM::LLVMFuncOp ramify::lowerToKernelABI(FunctionOpInterface kernel,
                                          const KernelABI &abi) {
  OpBuilder builder(kernel);
  LLVM::LLVMFuncOp function = createKernelFunction(builder, kernel, abi);
  Block *entry = &function.getBody().front();
  builder.setInsertionPointToStart(entry);
  llvm::DenseMap<Value, ArrayDescriptor> arrays;
  IRMapping scalars;
  describeArguments(builder, kernel, function, arrays, scalars);
  for (Value argument : kernel.getArguments()) {
    Value value = scalars.lookupOrNull(argument);
    if (!value)
      value =
          castToMemRef(builder, kernel.getLoc(),
                       cast<MemRefType>(argument.getType()), arrays[argument]);
    else if (value.getType() != argument.getType())
      value = builder
                  .create<UnrealizedConversionCastOp>(kernel.getLoc(),
                                                      argument.getType(), value)
                  .getResult(0);
    argument.replaceAllUsesWith(value);
  }
  // The blocks of the body follow; its first joins the entry.
  Block *first = &kernel.getFunctionBody().front();
  entry->getOperations().splice(entry->end(), first->getOperations());
  first->erase();
  function.getBody().getBlocks().splice(function.getBody().end(),
                                        kernel.getFunctionBody().getBlocks());
  for (Block &block : function.getBody()) {
    Operation *terminator = block.getTerminator();
    if (!isa<tile::EndOp, func::ReturnOp>(terminator))
      continue;
    builder.setInsertionPoint(terminator);
    builder.create<LLVM::ReturnOp>(terminator->getLoc(), ValueRange());
    terminator->erase();
  }
  if (abi.gpu)
    lowerProgramIds(function);
  kernel.erase();
  return function;
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

namespace {
struct KernelABIPass : PassWrapper<KernelABIPass, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(KernelABIPass)

  KernelABIPass() = default;
  KernelABIPass(const KernelABIPass &other) : PassWrapper(other) {}

  StringRef getArgument() const override { return "ramify-kernel-abi"; }
  StringRef getDescription() const override {
    return "Give kernels the flat arguments that the runtime passes";
  }
  void getDependentDialects(DialectRegistry &registry) const override {
    registry
        .insert<arith::ArithDialect, LLVM::LLVMDialect, NVVM::NVVMDialect>();
  }
  void runOnOperation() override {
    KernelABI abi = gpu ? KernelABI::forGPU() : KernelABI::forCPU();
    SmallVector<FunctionOpInterface> kernels;
    getOperation().walk([&](FunctionOpInterface function) {
      if (gpu ? isa<tile::KernelOp>(function)
              : function->hasAttr("ramify.kernel"))
        kernels.push_back(function);
    });
    for (FunctionOpInterface kernel : kernels)
      lowerToKernelABI(kernel, abi);
  }

  Option<bool> gpu{*this, "gpu",
                   llvm::cl::desc("Kernels of a GPU: global pointers, grid "
                                  "coordinates, kernel attributes")};
};
} // namespace

std::unique_ptr<Pass> ramify::createKernelABIPass() {
  return std::make_unique<KernelABIPass>();
}

void ramify::registerKernelABIPass() { PassRegistration<KernelABIPass>(); }
