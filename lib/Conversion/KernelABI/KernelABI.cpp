// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- KernelABI.cpp - Flat arguments for kernels -------------------------===//

#include "ramify/Conversion/KernelABI.h"

#include "dialects/Tile/IR/ArrayAccess.h"
#include "dialects/Tile/IR/Tile.h"
#include "ramify/Target/KnownTargets.h"

#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

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
  int32_t ctas = countOf(kMinCTAsAttrName).value_or(1);
  if (ctas != kAnyCTAs)
    function->setAttr(NVVM::NVVMDialect::getMinctasmAttrName(),
                      builder.getI32IntegerAttr(ctas));
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
    // That nothing else may write there is what allows loads to move.
    if (!kernel->hasAttr(kLoadsStayAttrName))
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
