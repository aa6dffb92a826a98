// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- Compiler.cpp - From the text of a program to a plan ----------------===//

#include "ramify/Compiler/Compiler.h"

#include "ramify/Compiler/Pipelines.h"
#include "ramify/Compiler/PlanBuilder.h"
#include "ramify/Conversion/HSAToTile.h"
#include "ramify/Conversion/TileToGPU.h"
#include "ramify/Target/NVPTX.h"

#include "dialects/HSA/IR/HSA.h"
#include "dialects/HSA/Transforms/Differentiate.h"
#include "dialects/Tile/Transforms/AssignLayouts.h"
#include "dialects/Tile/Transforms/VerifyStage.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace ramify;

//===----------------------------------------------------------------------===//
// Errors
//===----------------------------------------------------------------------===//

/// The first place in a file that `loc` tells of.
static FileLineColLoc findPlace(Location loc) {
  FileLineColLoc place;
  loc->walk([&](Location inner) {
    place = dyn_cast<FileLineColLoc>(inner);
    return place ? WalkResult::interrupt() : WalkResult::advance();
  });
  return place;
}

/// The message of a diagnostic; a program is what its author calls a function,
/// and its operations are what stands at their place in it.
static std::string messageOf(Diagnostic &diagnostic) {
  std::string message = diagnostic.str();
  auto [name, rest] = StringRef(message).split("' op ");
  if (rest.empty() || !name.consume_front("'"))
    return message;
  if (name == hsa::ProgramOp::getOperationName())
    return ("the function " + rest).str();
  StringRef dialect = name.split('.').first;
  bool isOfAuthor = llvm::is_contained({"hsa", "arith", "math"}, dialect);
  return isOfAuthor ? ("this " + rest).str() : message;
}

static CompileDiagnostic describe(Diagnostic &diagnostic) {
  CompileDiagnostic error;
  error.message = messageOf(diagnostic);
  for (Diagnostic &note : diagnostic.getNotes())
    error.message += "\nnote: " + messageOf(note);
  if (FileLineColLoc place = findPlace(diagnostic.getLocation())) {
    error.file = place.getFilename().str();
    error.line = static_cast<int>(place.getLine());
    error.column = static_cast<int>(place.getColumn());
  }
  return error;
}

//===----------------------------------------------------------------------===//
// One compilation
//===----------------------------------------------------------------------===//

namespace {
/// What is tried.
struct Attempt {
  CompileOptions options;
  /// Why it is launched several times, where that was found out by trying.
  std::string severalSince;
};

/// A module on its way down. Each step returns false after an error, which the
/// handler has collected.
class Compilation {
public:
  explicit Compilation(const Attempt &attempt);

  bool parse(std::string_view text);
  /// Down to each level.
  bool toHSA();
  bool toTile();
  bool toPlacedTile();
  bool toLLVM();
  /// The code of the kernels, from LLVM.
  bool emitCode(runtime::Code &code);
  bool emitText(StringRef level, std::string &text);

  std::string print();
  runtime::Plan &getPlan() { return plan; }
  std::vector<CompileDiagnostic> takeErrors() { return std::move(errors); }

  /// Whether toLLVM failed since a kernel has too much shared memory.
  bool isTooLarge() const { return tooLarge; }
  /// Whether that is one of several programs.
  bool isOneLaunch() const {
    return llvm::is_contained(
        plan.notes, std::pair<std::string, std::string>("launches", "one"));
  }
  const std::string &getLastError() const { return errors.back().message; }

private:
  bool run(function_ref<void(OpPassManager &)> build);
  void takeSaved();
  bool takePlan();
  StringRef getSchedule(tile::PlanOp op);
  bool emitObjectTo(std::string &bytes);
  void setAlignment();
  bool checkSharedMemory();
  bool fail(const std::string &message);
  bool checkNumbers();

  const CompileOptions &options;
  const std::string &severalSince;
  MLIRContext context;
  std::vector<CompileDiagnostic> errors;
  ScopedDiagnosticHandler handler;
  OwningOpRef<ModuleOp> module;
  const GPUTarget *gpu = nullptr; ///< null for the CPU
  unsigned results = 0;           ///< of the program as it is given
  bool isTile = false;            ///< the text has kernels, and no program
  bool tooLarge = false;
  runtime::Plan plan;
};
} // namespace

Compilation::Compilation(const Attempt &attempt)
    : options(attempt.options), severalSince(attempt.severalSince),
      context(MLIRContext::Threading::DISABLED),
      handler(&context, [this](Diagnostic &diagnostic) {
        if (diagnostic.getSeverity() == DiagnosticSeverity::Error)
          errors.push_back(describe(diagnostic));
      }) {
  context.printOpOnDiagnostic(false);
  context.loadDialect<hsa::HSADialect, tile::TileDialect>();
}

bool Compilation::fail(const std::string &message) {
  errors.push_back({message, "", 0, 0});
  return false;
}

/// Numbers that no kernel could be made for, or only a huge one.
bool Compilation::checkNumbers() {
  struct {
    const char *name;
    int value, most, step;
  } numbers[] = {{"stages", options.stages, 4, 1},
                 {"key-tile", options.keyTile, 256, 16},
                 {"registers", options.registers, 255, 1},
                 {"slices", options.slices, 1024, 1},
                 {"window", options.windowTokens, 1 << 20, 1},
                 {"handed", options.handedBytes, 96 << 20, 1}};
  for (auto [name, value, most, step] : numbers)
    if (value < 0 || value > most || value % step != 0)
      return fail(
          std::string(name) + ": expected " +
          (step == 1 ? "a number" : "a multiple of " + std::to_string(step)) +
          " from 0 to " + std::to_string(most) + ", found " +
          std::to_string(value));
  return true;
}

bool Compilation::parse(std::string_view text) {
  if (!checkNumbers())
    return false;
  if (options.target != "cpu") {
    gpu = findTarget(options.target);
    if (!gpu) {
      std::string known = "cpu";
      for (const GPUTarget &target : knownTargets())
        known += ", " + std::string(target.name);
      return fail("target: expected one of " + known + ", found \"" +
                  options.target + "\"");
    }
  }
  ParserConfig config(&context);
  module = parseSourceString<ModuleOp>(StringRef(text), config, "<hsa>");
  if (!module)
    return false;
  auto programs = module->getOps<hsa::ProgramOp>();
  isTile = gpu && programs.empty() && !module->getOps<tile::KernelOp>().empty();
  if (isTile)
    return true;
  if (!llvm::hasSingleElement(programs))
    return fail(
        "expected one hsa.program, found " +
        std::to_string(std::distance(programs.begin(), programs.end())));
  results = (*programs.begin()).getNumResults();
  return true;
}

bool Compilation::run(function_ref<void(OpPassManager &)> build) {
  PassManager passes(&context);
  build(passes);
  if (succeeded(passes.run(*module)))
    return true;
  return errors.empty() ? fail("a pass of the compiler failed") : false;
}

bool Compilation::toHSA() {
  return run([&](OpPassManager &passes) {
           if (!options.derivative.empty())
             buildDerivativePipeline(passes, options.derivative, options.wrt);
           buildHSAPipeline(passes);
         }) &&
         (takeSaved(), true);
}

/// Notes, before the program is gone, which results its gradient needs, and how
/// many there were before those that it added.
void Compilation::takeSaved() {
  auto program = *module->getOps<hsa::ProgramOp>().begin();
  auto numbers = program->getAttrOfType<DenseI64ArrayAttr>(hsa::kSavedAttrName);
  if (!numbers)
    return;
  std::string list;
  for (int64_t number : numbers.asArrayRef())
    list += (list.empty() ? "" : ",") + std::to_string(number);
  plan.notes.emplace_back("saved", list);
  plan.notes.emplace_back("results", std::to_string(results));
}

bool Compilation::toTile() {
  return toHSA() && run([&](OpPassManager &passes) {
           if (gpu)
             buildSchedulePipeline(passes, options, *gpu);
           else
             buildSchedulePipeline(passes, options, hostCPU());
         });
}

/// The schedule that was asked for, or the other one if none of the plan's
/// programs goes by it.
StringRef Compilation::getSchedule(tile::PlanOp op) {
  auto steps = op->getAttrOfType<StringAttr>(kStepsAttrName);
  bool isUsed = !steps || options.otherwise.empty() ||
                steps.getValue().contains("\t" + options.schedule);
  return isUsed ? options.schedule : options.otherwise;
}

/// Takes the plan out of the module, which has only kernels from here on.
bool Compilation::takePlan() {
  auto op = *module->getOps<tile::PlanOp>().begin();
  PlanOptions planOptions;
  planOptions.backend = gpu ? runtime::Backend::Cuda : runtime::Backend::Cpu;
  planOptions.alignment = gpu && options.aligned ? 16 : 0;
  planOptions.defaultQStart = options.defaultQStart;
  FailureOr<runtime::Plan> built = buildPlan(op, planOptions);
  if (failed(built))
    return false;
  llvm::append_range(built->notes, plan.notes);
  plan = std::move(*built);
  plan.notes.emplace_back("schedule", getSchedule(op).str());
  for (auto [attribute, note] :
       {std::pair{kTilesAttrName, "tiles"}, std::pair{kStepsAttrName, "steps"},
        std::pair{kLaunchesAttrName, "launches"}})
    if (auto text = op->getAttrOfType<StringAttr>(attribute))
      plan.notes.emplace_back(note, text.str());
  if (!severalSince.empty())
    plan.notes.emplace_back("launches", "several\t" + severalSince);
  op.erase();
  return true;
}

/// True if kernels that were written by hand have layouts.
static bool isPlaced(ModuleOp module) {
  WalkResult result = module.walk([](Operation *op) {
    bool found = llvm::any_of(op->getResultTypes(), [](Type type) {
      auto tile = dyn_cast<RankedTensorType>(type);
      return tile && tile.getEncoding();
    });
    return found ? WalkResult::interrupt() : WalkResult::advance();
  });
  return result.wasInterrupted();
}

/// Tells the kernels what the arrays' addresses and strides are multiples of,
/// where that is less than the 16 bytes that they expect.
void Compilation::setAlignment() {
  Builder b(&context);
  for (auto kernel : module->getOps<tile::KernelOp>()) {
    unsigned bits = 32;
    for (Type type : kernel.getArgumentTypes())
      if (auto array = dyn_cast<MemRefType>(type))
        bits = std::min(bits, array.getElementTypeBitWidth());
    kernel->setAttr(tile::kAlignmentAttrName, b.getI64IntegerAttr(bits / 8));
  }
}

bool Compilation::toPlacedTile() {
  if (!gpu)
    return fail("the CPU has no placed tiles");
  if (isTile)
    return run([&](OpPassManager &passes) {
      if (isPlaced(*module))
        passes.addPass(tile::createVerifyStagePass(tile::Stage::Placed));
      else
        buildPlacementPipeline(passes, *gpu, options.stages);
    });
  if (!toTile() || !takePlan())
    return false;
  if (!options.aligned)
    setAlignment();
  return run([&](OpPassManager &passes) {
    buildPlacementPipeline(passes, *gpu, options.stages);
  });
}

bool Compilation::toLLVM() {
  bool done = gpu ? toPlacedTile() && run([&](OpPassManager &passes) {
                      buildGPUPipeline(passes, *gpu);
                    })
                  : toTile() && takePlan() && run([&](OpPassManager &passes) {
                      buildCPUPipeline(passes, hostCPU());
                    });
  if (done)
    setLaunchSizes(plan, *module);
  return done && (!gpu || checkSharedMemory());
}

/// Some schedules keep more than one program of a small GPU has room for.
bool Compilation::checkSharedMemory() {
  for (auto function : module->getOps<LLVM::LLVMFuncOp>()) {
    auto bytes = function->getAttrOfType<IntegerAttr>(kSharedBytesAttrName);
    tooLarge |= bytes && bytes.getInt() > gpu->sharedPerCTA;
    if (tooLarge)
      return fail("the kernel \"" + function.getSymName().str() + "\" needs " +
                  std::to_string(bytes.getInt()) +
                  " bytes of shared memory, of which " + options.target +
                  " has " + std::to_string(gpu->sharedPerCTA));
  }
  return true;
}

bool Compilation::emitCode(runtime::Code &code) {
  if (gpu) {
    code.target = options.target;
    code.kind = runtime::CodeKind::Ptx;
    return emitText("ptx", code.bytes);
  }
  code.target = "x86_64";
  code.kind = runtime::CodeKind::Object;
  return emitObjectTo(code.bytes);
}

bool Compilation::emitObjectTo(std::string &bytes) {
  SmallVector<char, 0> object = emitObject(*module, hostCPU());
  bytes.assign(object.begin(), object.end());
  return !object.empty();
}

std::string Compilation::print() {
  std::string text;
  llvm::raw_string_ostream stream(text);
  module->print(stream);
  return text;
}

/// Texts from LLVM on.
bool Compilation::emitText(StringRef level, std::string &text) {
  if (gpu && (level == "ptx" || level == "llvm")) {
    auto emitted =
        level == "ptx" ? emitPTX(*module, *gpu) : emitLLVMIR(*module, *gpu);
    if (succeeded(emitted))
      text = std::move(*emitted);
    return succeeded(emitted);
  }
  if (!gpu && level == "llvm")
    text = emitLLVMIR(*module, hostCPU());
  else if (!gpu && level == "asm")
    text = emitAssembly(*module, hostCPU());
  else if (!gpu && level == "object")
    return emitObjectTo(text);
  else
    return fail("the target " + options.target + " has no level \"" +
                level.str() + "\"");
  return !text.empty();
}

//===----------------------------------------------------------------------===//
// The interface
//===----------------------------------------------------------------------===//

/// What to try next, without what was too large, if there is another way.
static std::optional<Attempt> getNext(const Compilation &compilation,
                                      const Attempt &attempt) {
  if (!compilation.isTooLarge())
    return std::nullopt;
  Attempt next = attempt;
  if (compilation.isOneLaunch()) {
    next.options.oneLaunch = false;
    next.severalSince = compilation.getLastError();
    return next;
  }
  if (attempt.options.otherwise.empty())
    return std::nullopt;
  next.options.schedule = std::exchange(next.options.otherwise, "");
  return next;
}

static CompileResult finish(Compilation &compilation, std::string output,
                            bool succeeded) {
  CompileResult result;
  result.succeeded = succeeded;
  result.errors = compilation.takeErrors();
  if (succeeded)
    result.output = std::move(output);
  return result;
}

static CompileResult compile(std::string_view text, const Attempt &attempt) {
  Compilation compilation(attempt);
  runtime::Code code;
  bool done = compilation.parse(text) && compilation.toLLVM() &&
              compilation.emitCode(code);
  if (auto next = getNext(compilation, attempt))
    return ::compile(text, *next);
  if (!done)
    return finish(compilation, "", false);
  runtime::Plan &plan = compilation.getPlan();
  plan.codes.push_back(std::move(code));
  return finish(compilation, plan.serialize(), true);
}

static CompileResult lower(std::string_view text, std::string_view level,
                           const Attempt &attempt) {
  Compilation compilation(attempt);
  std::string output;
  bool done = compilation.parse(text);
  if (level == "hsa" || level == "tile" || level == "placed") {
    done = done && (level == "hsa"    ? compilation.toHSA()
                    : level == "tile" ? compilation.toTile()
                                      : compilation.toPlacedTile());
    return finish(compilation, done ? compilation.print() : "", done);
  }
  done = done && compilation.toLLVM();
  if (auto next = getNext(compilation, attempt))
    return ::lower(text, level, *next);
  if (level == "plan")
    return finish(compilation, done ? compilation.getPlan().text() : "", done);
  done = done && compilation.emitText(level, output);
  return finish(compilation, output, done);
}

CompileResult ramify::compile(std::string_view text,
                              const CompileOptions &options) {
  return ::compile(text, Attempt{options, ""});
}

CompileResult ramify::lower(std::string_view text, std::string_view level,
                            const CompileOptions &options) {
  return ::lower(text, level, Attempt{options, ""});
}
