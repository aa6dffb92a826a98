// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Translations of hsa text through the whole compiler, one for each level, and
// of a plan written by hand.

#include "HSATranslations.h"

#include "ramify/Compiler/Compiler.h"
#include "ramify/Compiler/PlanBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

#include "mlir/Tools/mlir-translate/Translation.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/SourceMgr.h"

using namespace mlir;
using namespace ramify;

namespace {
struct Flags {
  llvm::cl::opt<std::string> target{
      "target", llvm::cl::desc("cpu, or a GPU architecture: sm_80, sm_90a"),
      llvm::cl::init("cpu")};
  llvm::cl::opt<std::string> schedule{"schedule",
                                      llvm::cl::desc("The schedule"),
                                      llvm::cl::init("query_major")};
  llvm::cl::opt<std::string> otherwise{
      "otherwise", llvm::cl::desc("The schedule of what that one refuses")};
  llvm::cl::opt<bool> unaligned{
      "unaligned", llvm::cl::desc("Arrays are not aligned to 16 bytes")};
  llvm::cl::opt<bool> defaultQStart{
      "default-q-start",
      llvm::cl::desc("The queries are the last L positions: no q_start")};
  llvm::cl::opt<std::string> derivative{
      "derivative", llvm::cl::desc("forward or backward: see --wrt")};
  llvm::cl::opt<std::string> wrt{
      "wrt", llvm::cl::desc("Parameters that gradients are taken by: q,k,v")};
  llvm::cl::opt<int> windowTokens{
      "window", llvm::cl::desc("Queries of a window of chunk_major"),
      llvm::cl::init(CompileOptions().windowTokens)};
  llvm::cl::opt<bool> oneLaunch{
      "one-launch",
      llvm::cl::desc("Select and attend in one launch, if that can be")};
  llvm::cl::opt<bool> deterministic{
      "deterministic", llvm::cl::desc("The same bits from run to run")};
  llvm::cl::opt<bool> narrowSums{
      "narrow-sums", llvm::cl::desc("Sums may be rounded to 16 bits")};
  llvm::cl::opt<bool> inPlace{
      "in-place",
      llvm::cl::desc("Sums are added to results or the schedule refuses")};
  llvm::cl::opt<int> keysPerRow{
      "keys-per-row",
      llvm::cl::desc("Keys of a chunk for each row of a block, or chunk_major "
                     "refuses"),
      llvm::cl::init(CompileOptions().keysPerRow)};
  llvm::cl::opt<int> stages{
      "stages", llvm::cl::desc("Stages of the rings in shared memory (GPU)"),
      llvm::cl::init(CompileOptions().stages)};
  llvm::cl::opt<int> keyTile{
      "key-tile", llvm::cl::desc("Keys whose scores are computed at once"),
      llvm::cl::init(CompileOptions().keyTile)};
  llvm::cl::opt<int> registers{
      "registers",
      llvm::cl::desc("Registers that the scores of a chunk may need"),
      llvm::cl::init(CompileOptions().registers)};
  llvm::cl::opt<int> slices{
      "slices",
      llvm::cl::desc("Slices of the visits of a query block (split_kv)"),
      llvm::cl::init(CompileOptions().slices)};

  CompileOptions get() const {
    CompileOptions options;
    options.target = target;
    options.schedule = schedule;
    options.otherwise = otherwise;
    options.aligned = !unaligned;
    options.defaultQStart = defaultQStart;
    options.windowTokens = windowTokens;
    options.oneLaunch = oneLaunch;
    options.deterministic = deterministic;
    options.narrowSums = narrowSums;
    options.inPlace = inPlace;
    options.keysPerRow = keysPerRow;
    options.stages = stages;
    options.derivative = derivative;
    options.wrt = wrt;
    options.keyTile = keyTile;
    options.registers = registers;
    options.slices = slices;
    return options;
  }
};
} // namespace

static LogicalResult report(const CompileResult &result, raw_ostream &output) {
  for (const CompileDiagnostic &error : result.errors) {
    if (error.line)
      llvm::errs() << error.file << ":" << error.line << ":" << error.column
                   << ": ";
    llvm::errs() << "error: " << error.message << "\n";
  }
  output << result.output;
  return success(result.succeeded);
}

/// The text of the first tile.plan of a module.
static LogicalResult printPlan(Operation *op, raw_ostream &output) {
  auto plans = cast<ModuleOp>(op).getOps<tile::PlanOp>();
  if (plans.empty())
    return op->emitError("has no tile.plan");
  FailureOr<runtime::Plan> plan = buildPlan(*plans.begin(), PlanOptions());
  if (succeeded(plan))
    output << plan->text();
  return success(succeeded(plan));
}

void ramify::registerPlanTranslation() {
  TranslateFromMLIRRegistration registration(
      "plan-to-text", "tile.plan to the text of the runtime's plan", printPlan,
      [](DialectRegistry &registry) {
        registry.insert<arith::ArithDialect, memref::MemRefDialect,
                        tile::TileDialect>();
      });
}

void ramify::registerHSATranslations() {
  static Flags flags;
  auto add = [](StringRef name, StringRef description, const char *level) {
    TranslateRegistration registration(
        name, description,
        [level](const std::shared_ptr<llvm::SourceMgr> &sources,
                raw_ostream &output, MLIRContext *) {
          StringRef text =
              sources->getMemoryBuffer(sources->getMainFileID())->getBuffer();
          return report(level ? lower(text, level, flags.get())
                              : compile(text, flags.get()),
                        output);
        });
  };
  add("hsa-to-hsa", "hsa text, canonicalised", "hsa");
  add("hsa-to-tile", "hsa text to kernels over portable tiles", "tile");
  add("hsa-to-placed", "hsa text to kernels over tiles with layouts", "placed");
  add("hsa-to-ptx", "hsa text to PTX for the GPU of --target", "ptx");
  add("hsa-to-llvm", "hsa text to LLVM IR for --target", "llvm");
  add("hsa-to-asm", "hsa text to assembly for the CPU", "asm");
  add("hsa-to-object", "hsa text to an object file for the CPU", "object");
  add("hsa-to-plan", "hsa text to the plan, without its code", "plan");
  add("hsa-to-binary", "hsa text to the plan with its code", nullptr);
}
