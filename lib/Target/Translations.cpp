// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- Translations.cpp - Text outputs of ramify-translate ----------------===//

#include "ramify/Target/Translations.h"

#include "ramify/Target/CPU.h"
#include "ramify/Target/LLVMTargets.h"
#include "ramify/Target/NVPTX.h"

#include "mlir/Dialect/DLTI/DLTI.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Tools/mlir-translate/Translation.h"
#include "llvm/Support/CommandLine.h"

using namespace mlir;
using namespace ramify;

static void registerDialects(DialectRegistry &registry) {
  registry.insert<DLTIDialect, LLVM::LLVMDialect, NVVM::NVVMDialect>();
  registerLLVMTranslations(registry);
}

using Emitter = FailureOr<std::string> (*)(ModuleOp, const GPUTarget &);

static LogicalResult emitFor(Emitter emit, StringRef name, Operation *op,
                             raw_ostream &output) {
  auto module = dyn_cast<ModuleOp>(op);
  if (!module)
    return op->emitError("expected a module");
  const GPUTarget *target = findTarget(std::string_view(name));
  if (!target)
    return op->emitError("unknown target ") << name;
  FailureOr<std::string> text = emit(module, *target);
  if (failed(text))
    return failure();
  output << *text;
  return success();
}

static void registerCPUTranslation(StringRef name, StringRef description,
                                   std::string (*emit)(ModuleOp)) {
  TranslateFromMLIRRegistration registration(
      name, description,
      [emit](Operation *op, raw_ostream &output) -> LogicalResult {
        auto module = dyn_cast<ModuleOp>(op);
        if (!module)
          return op->emitError("expected a module");
        std::string text = emit(module);
        output << text;
        return success(!text.empty());
      },
      registerDialects);
}

static void registerCPUTranslations() {
  registerCPUTranslation("llvm-to-cpu-object",
                         "LLVM dialect to an object file for this processor",
                         [](ModuleOp module) {
                           auto bytes = emitObject(module);
                           return std::string(bytes.begin(), bytes.end());
                         });
  registerCPUTranslation(
      "llvm-to-cpu-ir", "LLVM dialect to optimised LLVM IR for this processor",
      [](ModuleOp module) { return emitLLVMIR(module, hostCPU()); });
  registerCPUTranslation(
      "llvm-to-cpu-asm", "LLVM dialect to assembly for this processor",
      [](ModuleOp module) { return emitAssembly(module, hostCPU()); });
}

void ramify::registerTargetTranslations() {
  registerCPUTranslations();
  static llvm::cl::opt<std::string> arch(
      "arch", llvm::cl::desc("GPU architecture, e.g. sm_90a"),
      llvm::cl::init("sm_80"));
  static TranslateFromMLIRRegistration toIR(
      "llvm-to-nvptx-ir", "LLVM dialect to optimised LLVM IR for a GPU",
      [](Operation *op, raw_ostream &output) {
        return emitFor(emitLLVMIR, arch, op, output);
      },
      registerDialects);
  static TranslateFromMLIRRegistration toPTX(
      "llvm-to-ptx", "LLVM dialect to PTX",
      [](Operation *op, raw_ostream &output) {
        return emitFor(emitPTX, arch, op, output);
      },
      registerDialects);
}
