// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- NVPTX.cpp - From the LLVM dialect to PTX ---------------------------===//

#include "ramify/Target/NVPTX.h"

#include "ramify/Target/LLVMTargets.h"

#include "llvm/IR/InlineAsm.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Target/TargetMachine.h"

using namespace mlir;
using namespace ramify;

static std::unique_ptr<llvm::TargetMachine> makeMachine(const GPUTarget &target,
                                                        std::string &error) {
  initializeLLVMTargets();
  constexpr const char *triple = "nvptx64-nvidia-cuda";
  const llvm::Target *nvptx = llvm::TargetRegistry::lookupTarget(triple, error);
  if (!nvptx)
    return nullptr;
  llvm::TargetOptions options;
  options.AllowFPOpFusion = llvm::FPOpFusion::Fast;
  return std::unique_ptr<llvm::TargetMachine>(nvptx->createTargetMachine(
      triple, llvm::StringRef(target.name.data(), target.name.size()),
      llvm::StringRef(target.ptx.data(), target.ptx.size()), options,
      llvm::Reloc::PIC_, std::nullopt, llvm::CodeGenOptLevel::Aggressive));
}

/// Inline assembly with side effects may be an instruction of the whole warp
/// (elect.sync, wgmma): LLVM must not make it depend on further conditions. The
/// LLVM dialect has no way to say so.
static void markConvergent(llvm::Module &module) {
  for (llvm::Function &function : module) {
    for (llvm::Instruction &instruction : llvm::instructions(function)) {
      auto *call = llvm::dyn_cast<llvm::CallInst>(&instruction);
      if (!call || !call->isInlineAsm())
        continue;
      if (llvm::cast<llvm::InlineAsm>(call->getCalledOperand())
              ->hasSideEffects()) {
        call->setConvergent();
        function.setConvergent();
      }
    }
    if (!function.isDeclaration())
      function.addFnAttr("denormal-fp-math-f32", "preserve-sign,preserve-sign");
  }
}

static std::unique_ptr<llvm::Module> optimized(ModuleOp module,
                                               llvm::LLVMContext &context,
                                               llvm::TargetMachine &machine) {
  auto result = translateToLLVM(module, context, machine);
  if (!result)
    return nullptr;
  markConvergent(*result);
  optimize(*result, machine, /*vectorize=*/false);
  return result;
}

FailureOr<std::string> ramify::emitLLVMIR(ModuleOp module,
                                          const GPUTarget &target) {
  std::string error;
  auto machine = makeMachine(target, error);
  if (!machine)
    return module.emitError("no NVPTX target machine: ") << error;
  llvm::LLVMContext context;
  auto ir = optimized(module, context, *machine);
  if (!ir)
    return failure();
  std::string text;
  llvm::raw_string_ostream stream(text);
  ir->print(stream, nullptr);
  return text;
}

FailureOr<std::string> ramify::emitPTX(ModuleOp module,
                                       const GPUTarget &target) {
  std::string error;
  auto machine = makeMachine(target, error);
  if (!machine)
    return module.emitError("no NVPTX target machine: ") << error;
  llvm::LLVMContext context;
  auto ir = optimized(module, context, *machine);
  if (!ir)
    return failure();
  llvm::SmallVector<char, 0> text;
  llvm::raw_svector_ostream stream(text);
  llvm::legacy::PassManager passes;
  if (machine->addPassesToEmitFile(passes, stream, nullptr,
                                   llvm::CodeGenFileType::AssemblyFile))
    return module.emitError("LLVM cannot write PTX");
  passes.run(*ir);
  return std::string(text.begin(), text.end());
}
