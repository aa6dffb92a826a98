// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- TileToGPU.cpp - From placed tiles to one thread's program ----------===//

#include "ramify/Conversion/TileToGPU.h"

#include "Expander.h"

#include "dialects/Tile/Transforms/AssignLayouts.h"
#include "ramify/Target/KnownTargets.h"

#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/LLVMCommon/ConversionTarget.h"
#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Conversion/SCFToControlFlow/SCFToControlFlow.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Transforms/DialectConversion.h"

using namespace mlir;
using namespace ramify;

/// The dynamic shared memory: its size is an argument of the launch.
static void declareShared(ModuleOp module) {
  if (module.lookupSymbol(kSharedSymbol))
    return;
  OpBuilder builder(module.getBodyRegion());
  Type bytes = LLVM::LLVMArrayType::get(builder.getI8Type(), 0);
  builder.create<LLVM::GlobalOp>(module.getLoc(), bytes, /*isConstant=*/false,
                                 LLVM::Linkage::External, kSharedSymbol,
                                 Attribute(), /*alignment=*/1024,
                                 /*addrSpace=*/3);
}

/// Moves arithmetic on what a product has made up to where it is made: a scaled
/// sum `acc + w (a b)` then needs its accumulators twice for one block of
/// columns only, not for all.
static void followProducts(LLVM::LLVMFuncOp function) {
  function.walk([](Block *block) {
    llvm::DenseSet<Operation *> made;
    for (Operation &op : llvm::make_early_inc_range(*block)) {
      if (isa<LLVM::CallIntrinsicOp>(op)) {
        auto name = cast<LLVM::CallIntrinsicOp>(op).getIntrin();
        if (name.starts_with("llvm.nvvm.mma."))
          made.insert(&op);
        continue;
      }
      bool follows =
          isa<LLVM::ExtractValueOp, arith::MulFOp, arith::AddFOp>(op);
      Operation *last = nullptr;
      for (Value operand : op.getOperands()) {
        Operation *def = operand.getDefiningOp();
        if (!def || def->getBlock() != block)
          continue;
        if (!last || last->isBeforeInBlock(def))
          last = def;
      }
      if (!follows || !last || !made.contains(last))
        continue;
      made.insert(&op);
      if (!isa<LLVM::ExtractValueOp>(op))
        op.moveAfter(last);
    }
  });
}

/// arith, scf and cf, all on scalars.
static LogicalResult lowerScalars(LLVM::LLVMFuncOp function) {
  MLIRContext *context = function.getContext();
  {
    RewritePatternSet patterns(context);
    populateSCFToControlFlowConversionPatterns(patterns);
    ConversionTarget target(*context);
    target.addIllegalDialect<scf::SCFDialect>();
    target.markUnknownOpDynamicallyLegal([](Operation *) { return true; });
    if (failed(applyPartialConversion(function, target, std::move(patterns))))
      return failure();
  }
  LLVMTypeConverter converter(context);
  RewritePatternSet patterns(context);
  arith::populateArithToLLVMConversionPatterns(converter, patterns);
  cf::populateControlFlowToLLVMConversionPatterns(converter, patterns);
  LLVMConversionTarget target(*context);
  return applyPartialConversion(function, target, std::move(patterns));
}

//===----------------------------------------------------------------------===//
// Residency
//===----------------------------------------------------------------------===//

/// Near the most that a thread can have, ptxas's own choice of residency is the
/// best.
static constexpr int64_t kManyRegisters = 200;

/// Registers that a thread needs, roughly, for the products of a warp:
/// accumulators, left operands in registers, and addresses. None if there are
/// no such products.
static std::optional<int64_t> estimateRegisters(tile::KernelOp kernel) {
  constexpr int64_t addresses = 48, splitting = 64, partialSums = 32;
  // Loops in a loop, the passes over a chunk, follow each other.
  int64_t registers = 0;
  llvm::DenseMap<Operation *, int64_t> passes;
  llvm::DenseSet<Value> counted;
  auto count = [&](Value value, int64_t times, int64_t &registers) {
    auto type = cast<RankedTensorType>(value.getType());
    std::optional<tile::Layout> layout = tile::Layout::of(type);
    if (layout && counted.insert(value).second)
      registers +=
          times * layout->numRegisters() * type.getElementTypeBitWidth() / 32;
  };
  bool f32 = false, separate = false;
  kernel.walk([&](tile::DotOp dot) {
    f32 |=
        cast<RankedTensorType>(dot.getLhs().getType()).getElementType().isF32();
    auto loop = dot->getParentOfType<scf::ForOp>();
    bool inPass = loop && loop->getParentOfType<scf::ForOp>();
    count(dot.getResult(), 1, inPass ? passes[loop] : registers);
    if (dot.getLhs().getDefiningOp<tile::GatherOp>())
      count(dot.getLhs(), f32 ? 2 : 1, registers);
    // A sum from zero inside a loop is added to another.
    separate |=
        !dot.getTransposed() && dot.getAcc().getDefiningOp<arith::ConstantOp>();
  });
  int64_t most = 0;
  for (auto [loop, own] : passes)
    most = std::max(most, own);
  registers += most;
  if (!registers)
    return std::nullopt;
  return registers + addresses + (f32 ? splitting : 0) +
         (separate ? partialSums : 0);
}

/// The programs that an SM can hold by its shared memory and by the registers
/// they need. Left alone, ptxas saves registers by spilling for programs that
/// would not fit beside each other anyway; asked for one, it takes more than
/// leaves room for others.
static int64_t countResident(int64_t sharedBytes, int64_t threads,
                             int64_t registers) {
  int64_t resident = 1;
  for (const GPUTarget &target : knownTargets())
    resident = std::max<int64_t>(
        resident, target.sharedPerSM / (sharedBytes + target.sharedReserved));
  // A quarter more, for the arithmetic that the estimate knows nothing of.
  int64_t rounded = llvm::alignTo(registers * 5 / 4, kRegisterGranule);
  return std::max<int64_t>(
      1, std::min(resident, kRegistersPerSM / (threads * rounded)));
}

static void askForResidency(LLVM::LLVMFuncOp function, int64_t sharedBytes,
                            int64_t registers) {
  StringRef name = NVVM::NVVMDialect::getMinctasmAttrName();
  if (registers > kManyRegisters) {
    function->removeAttr(name);
    return;
  }
  auto warps = function->getAttrOfType<IntegerAttr>(tile::kWarpsAttrName);
  int64_t threads = kWarpSize * (warps ? warps.getInt() : 1);
  function->setAttr(name, Builder(function.getContext())
                              .getI32IntegerAttr(countResident(
                                  sharedBytes, threads, registers)));
}

namespace {
struct TileToGPUPass : PassWrapper<TileToGPUPass, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(TileToGPUPass)

  StringRef getArgument() const final { return "convert-tile-to-gpu"; }
  StringRef getDescription() const final {
    return "lower placed tiles to the program of one GPU thread";
  }
  void getDependentDialects(DialectRegistry &registry) const final {
    registry.insert<arith::ArithDialect, cf::ControlFlowDialect,
                    LLVM::LLVMDialect, NVVM::NVVMDialect, scf::SCFDialect>();
  }
  void runOnOperation() final {
    ModuleOp module = getOperation();
    for (auto kernel :
         llvm::make_early_inc_range(module.getOps<tile::KernelOp>())) {
      OpBuilder builder(kernel);
      std::optional<int64_t> registers = estimateRegisters(kernel);
      LLVM::LLVMFuncOp function =
          createKernelFunction(builder, kernel, KernelABI::forGPU());
      Expander expander(kernel, function);
      if (failed(expander.run()))
        return signalPassFailure();
      if (int64_t bytes = expander.getSharedBytes()) {
        function->setAttr(kSharedBytesAttrName,
                          builder.getI32IntegerAttr(bytes));
        declareShared(module);
      }
      if (registers)
        askForResidency(function, expander.getSharedBytes(), *registers);
      kernel.erase();
      followProducts(function);
      if (failed(lowerScalars(function)))
        return signalPassFailure();
    }
  }
};
} // namespace

std::unique_ptr<Pass> ramify::createTileToGPUPass() {
  return std::make_unique<TileToGPUPass>();
}

void ramify::registerTileToGPUPass() {
  registerPass([] { return createTileToGPUPass(); });
}
