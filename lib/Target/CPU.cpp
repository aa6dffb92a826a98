// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- CPU.cpp - Object code for a processor ------------------------------===//

#include "ramify/Target/CPU.h"

#include "ramify/Target/LLVMTargets.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/SubtargetFeature.h"

using namespace mlir;
using namespace ramify;

bool CPUTarget::has(StringRef feature) const {
  SmallVector<StringRef> all;
  StringRef(features).split(all, ',');
  return llvm::is_contained(all, ("+" + feature).str());
}

CPUVectorShape CPUTarget::vectorShape() const {
  bool wide =
      has("avx512f") && has("avx512vl") && has("avx512bw") && has("avx512dq");
  return wide ? CPUVectorShape::avx512() : CPUVectorShape::avx2();
}

const CPUTarget &ramify::hostCPU() {
  static const CPUTarget host = [] {
    llvm::SubtargetFeatures features;
    for (const auto &feature : llvm::sys::getHostCPUFeatures())
      features.AddFeature(feature.getKey(), feature.getValue());
    // The map has no order of its own; the features are part of cache keys.
    auto sorted = features.getFeatures();
    llvm::sort(sorted);
    return CPUTarget{llvm::sys::getHostCPUName().str(),
                     llvm::join(sorted, ",")};
  }();
  return host;
}

static std::unique_ptr<llvm::TargetMachine>
createMachine(const CPUTarget &target) {
  initializeLLVMTargets();
  std::string triple = llvm::sys::getProcessTriple(), error;
  const llvm::Target *found = llvm::TargetRegistry::lookupTarget(triple, error);
  if (!found)
    return nullptr;
  return std::unique_ptr<llvm::TargetMachine>(found->createTargetMachine(
      triple, target.name, target.features, llvm::TargetOptions(),
      llvm::Reloc::PIC_, llvm::CodeModel::Small,
      llvm::CodeGenOptLevel::Default));
}

/// A module of its own for the functions and the tables that they use, for
/// translation knows nothing else.
static OwningOpRef<ModuleOp> functionsOf(ModuleOp module) {
  OwningOpRef<ModuleOp> functions = ModuleOp::create(module.getLoc());
  OpBuilder builder = OpBuilder::atBlockEnd(functions->getBody());
  for (Operation &op : *module.getBody())
    if (isa<LLVM::LLVMFuncOp, LLVM::GlobalOp>(op))
      builder.clone(op);
  return functions;
}

/// What kernels gain from LLVM's optimizer. They are unrolled, vectorized and
/// tiled already: the -O3 pipeline takes three times as long and makes no
/// faster code. What remains is to clean up after the lowering, address
/// arithmetic above all.
static void simplify(llvm::Module &module, llvm::TargetMachine &machine) {
  llvm::PassBuilder builder(&machine);
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager graphs;
  llvm::ModuleAnalysisManager modules;
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(graphs);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, graphs, modules);
  llvm::ModulePassManager passes;
  llvm::cantFail(builder.parsePassPipeline(
      passes,
      "function(early-cse,simplifycfg,loop-mssa(loop-rotate,licm),"
      "early-cse<memssa>,instcombine<no-verify-fixpoint>,simplifycfg)"));
  passes.run(module, modules);
}

/// Optimized LLVM IR for the machine, or null after an error.
static std::unique_ptr<llvm::Module> compile(ModuleOp module,
                                             const CPUTarget &target,
                                             llvm::LLVMContext &context,
                                             llvm::TargetMachine *machine) {
  if (!machine) {
    module.emitError("this build of LLVM has no code generator for ")
        << llvm::sys::getProcessTriple();
    return nullptr;
  }
  OwningOpRef<ModuleOp> functions = functionsOf(module);
  auto result = translateToLLVM(*functions, context, *machine);
  if (!result)
    return nullptr;
  for (llvm::Function &function : *result) {
    function.addFnAttr("target-cpu", target.name);
    function.addFnAttr("target-features", target.features);
    function.addFnAttr(
        "prefer-vector-width",
        target.vectorShape() == CPUVectorShape::avx512() ? "512" : "256");
    function.addFnAttr("no-trapping-math", "true");
  }
  simplify(*result, *machine);
  return result;
}

static SmallVector<char, 0> emitFile(ModuleOp module, const CPUTarget &target,
                                     llvm::CodeGenFileType kind) {
  llvm::LLVMContext context;
  auto machine = createMachine(target);
  auto compiled = compile(module, target, context, machine.get());
  SmallVector<char, 0> bytes;
  if (!compiled)
    return bytes;
  llvm::raw_svector_ostream stream(bytes);
  llvm::legacy::PassManager passes;
  if (machine->addPassesToEmitFile(passes, stream, nullptr, kind)) {
    module.emitError("the code generator cannot write this kind of file");
    return bytes;
  }
  passes.run(*compiled);
  return bytes;
}

SmallVector<char, 0> ramify::emitObject(ModuleOp module,
                                        const CPUTarget &target) {
  return emitFile(module, target, llvm::CodeGenFileType::ObjectFile);
}

std::string ramify::emitAssembly(ModuleOp module, const CPUTarget &target) {
  auto text = emitFile(module, target, llvm::CodeGenFileType::AssemblyFile);
  return std::string(text.begin(), text.end());
}

std::string ramify::emitLLVMIR(ModuleOp module, const CPUTarget &target) {
  llvm::LLVMContext context;
  auto machine = createMachine(target);
  auto compiled = compile(module, target, context, machine.get());
  std::string text;
  llvm::raw_string_ostream stream(text);
  if (compiled)
    compiled->print(stream, nullptr);
  return text;
}
