// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- PTXTest.cpp - Each instruction of the table, down to ptxas ---------===//

#include "ramify/Target/PTX.h"
#include "ramify/Target/NVPTX.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/raw_ostream.h"

#include <gtest/gtest.h>

using namespace mlir;
using namespace ramify;

namespace {

/// A kernel that stores the results of one instruction.
class Kernel {
public:
  Kernel() : builder(&context) {
    context.loadDialect<LLVM::LLVMDialect, NVVM::NVVMDialect>();
    Location loc = builder.getUnknownLoc();
    module = ModuleOp::create(loc);
    builder.setInsertionPointToEnd(module->getBody());
    auto shared = builder.create<LLVM::GlobalOp>(
        loc, LLVM::LLVMArrayType::get(builder.getI8Type(), 0), false,
        LLVM::Linkage::External, "shared", Attribute(), 1024, 3);
    Type pointer = LLVM::LLVMPointerType::get(&context, 1);
    auto function = builder.create<LLVM::LLVMFuncOp>(
        loc, "kernel",
        LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(&context),
                                    {pointer, builder.getI32Type(),
                                     builder.getF32Type(), builder.getI64Type(),
                                     LLVM::LLVMPointerType::get(&context)}));
    function->setAttr("nvvm.kernel", builder.getUnitAttr());
    function->setAttr("nvvm.maxntid", builder.getDenseI32ArrayAttr({128}));
    Block *entry = function.addEntryBlock(builder);
    builder.setInsertionPointToStart(entry);
    global = entry->getArgument(0);
    i = entry->getArgument(1);
    f = entry->getArgument(2);
    l = entry->getArgument(3);
    map = entry->getArgument(4);
    this->shared = builder.create<LLVM::AddressOfOp>(loc, shared);
  }

  PTX ptx() { return PTX(builder, builder.getUnknownLoc()); }
  PTX::Values is(size_t count) { return PTX::Values(count, i); }
  PTX::Values fs(size_t count) { return PTX::Values(count, f); }

  void store(ArrayRef<Value> values) {
    Location loc = builder.getUnknownLoc();
    for (auto [index, value] : llvm::enumerate(values)) {
      Value at = builder.create<LLVM::GEPOp>(
          loc, global.getType(), value.getType(), global,
          ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(index)});
      builder.create<LLVM::StoreOp>(loc, value, at, 0, /*isVolatile=*/true);
    }
  }

  std::string emit(StringRef arch) {
    builder.create<LLVM::ReturnOp>(builder.getUnknownLoc(), ValueRange());
    FailureOr<std::string> text =
        emitPTX(*module, *findTarget(std::string_view(arch)));
    return succeeded(text) ? *text : std::string();
  }

  MLIRContext context;
  OpBuilder builder;
  OwningOpRef<ModuleOp> module;
  Value global, i, f, l, map, shared;
};

/// ptxas accepts the text without a warning, a spill or a serialised wgmma.
void assemble(const std::string &text) {
  if (!llvm::sys::fs::exists(RAMIFY_PTXAS))
    GTEST_SKIP() << "no ptxas";
  SmallString<128> path;
  int descriptor;
  ASSERT_FALSE(
      llvm::sys::fs::createTemporaryFile("ramify", "ptx", descriptor, path));
  llvm::raw_fd_ostream(descriptor, /*shouldClose=*/true) << text;
  int status =
      llvm::sys::ExecuteAndWait(RAMIFY_PYTHON, {RAMIFY_PYTHON, RAMIFY_CHECK_PTX,
                                                "--ptxas=" RAMIFY_PTXAS, path});
  llvm::sys::fs::remove(path);
  EXPECT_EQ(status, 0) << text;
}

struct Case {
  const char *name, *arch;
  void (*build)(Kernel &);
  std::vector<const char *> expected;
};

void PrintTo(const Case &test, std::ostream *stream) { *stream << test.name; }

class Instruction : public testing::TestWithParam<Case> {};

TEST_P(Instruction, IsSpelledAndAssembles) {
  Kernel kernel;
  GetParam().build(kernel);
  std::string text = kernel.emit(GetParam().arch);
  size_t at = 0;
  for (const char *line : GetParam().expected) {
    at = text.find(line, at);
    ASSERT_NE(at, std::string::npos) << "no " << line << " in\n" << text;
  }
  assemble(text);
}

const Case kWarpCases[] = {
    {"MmaBF16",
     "sm_80",
     [](Kernel &k) {
       k.store(k.ptx().mma(MMAKind::BF16, k.is(4), k.is(2), k.fs(4)));
     },
     {"mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32"}},
    {"MmaBF16K8",
     "sm_80",
     [](Kernel &k) {
       k.store(k.ptx().mma(MMAKind::BF16, k.is(2), k.is(1), k.fs(4)));
     },
     {"mma.sync.aligned.m16n8k8.row.col.f32.bf16.bf16.f32"}},
    {"MmaF16",
     "sm_80",
     [](Kernel &k) {
       k.store(k.ptx().mma(MMAKind::F16, k.is(4), k.is(2), k.fs(4)));
     },
     {"mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32"}},
    {"MmaTF32",
     "sm_80",
     [](Kernel &k) {
       k.store(k.ptx().mma(MMAKind::TF32, k.is(4), k.is(2), k.fs(4)));
     },
     {"mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32"}},
    {"Ldmatrix",
     "sm_80",
     [](Kernel &k) {
       k.store(k.ptx().ldmatrix(k.shared, 4, false));
       k.store(k.ptx().ldmatrix(k.shared, 2, true));
     },
     {"ldmatrix.sync.aligned.m8n8.x4.shared.b16",
      "ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16"}},
    {"CpAsync",
     "sm_80",
     [](Kernel &k) {
       k.ptx().cpAsync(k.shared, k.global, 16, k.i);
       k.ptx().cpAsync(k.shared, k.global, 4);
       k.ptx().cpAsyncCommit();
       k.ptx().cpAsyncWait(2);
       k.ptx().barrier();
     },
     {"cp.async.cg.shared.global [", "16, %r", "cp.async.ca.shared.global [",
      ", 4;", "cp.async.commit_group", "cp.async.wait_group", "bar.sync \t0"}},
    {"Threads",
     "sm_80",
     [](Kernel &k) {
       PTX ptx = k.ptx();
       k.store({ptx.laneId(), ptx.warpId(), ptx.blockId(2),
                ptx.shuffleXor(k.f, 4), ptx.shuffleXor(k.i, 1)});
       ptx.barrier(3, 64);
       ptx.syncWarp();
     },
     {"%ctaid.z", "shfl.sync.bfly.b32", "bar.sync 3, 64",
      "bar.warp.sync \t-1"}},
    {"Arithmetic",
     "sm_80",
     [](Kernel &k) {
       PTX ptx = k.ptx();
       k.store({ptx.exp2(k.f), ptx.log2(k.f), ptx.reciprocal(k.f),
                ptx.rsqrt(k.f), ptx.sqrt(k.f), ptx.divide(k.f, k.f),
                ptx.tanh(k.f)});
     },
     {"ex2.approx.ftz.f32", "lg2.approx.ftz.f32", "rcp.approx.ftz.f32",
      "rsqrt.approx.ftz.f32", "sqrt.approx.ftz.f32", "div.full.ftz.f32",
      "tanh.approx.f32"}},
    {"Conversions",
     "sm_80",
     [](Kernel &k) {
       PTX ptx = k.ptx();
       k.store({ptx.pack(MMAKind::BF16, k.f, ptx.exp2(k.f)),
                ptx.pack(MMAKind::F16, k.f, ptx.exp2(k.f)), ptx.toTF32(k.f)});
     },
     // The second source is the low half.
     {"cvt.rn.bf16x2.f32 \t%r1, %f2, %f1", "cvt.rn.f16x2.f32",
      "cvt.rna.tf32.f32"}},
};

const Case kHopperCases[] = {
    {"Stmatrix",
     "sm_90a",
     [](Kernel &k) {
       k.ptx().stmatrix(k.shared, k.is(4), false);
       k.ptx().stmatrix(k.shared, k.is(2), true);
     },
     {"stmatrix.sync.aligned.m8n8.x4.shared.b16 [",
      "stmatrix.sync.aligned.m8n8.x2.trans.shared.b16 ["}},
    {"Mbarrier",
     "sm_90a",
     [](Kernel &k) {
       PTX ptx = k.ptx();
       ptx.mbarrierInit(k.shared, ptx.i32(1));
       ptx.mbarrierInitFence();
       ptx.fenceAsyncShared();
       ptx.mbarrierArriveExpect(k.shared, ptx.i32(64));
       ptx.mbarrierArrive(k.shared);
       ptx.mbarrierWait(k.shared, k.i);
       ptx.mbarrierWait(k.shared, k.i);
     },
     {"mbarrier.init.shared::cta.b64", "fence.mbarrier_init.release.cluster",
      "fence.proxy.async.shared::cta", "mbarrier.arrive.expect_tx",
      "mbarrier.arrive.shared::cta.b64 _", "mbarrier.try_wait.parity"}},
    {"Tma",
     "sm_90a",
     [](Kernel &k) {
       PTX ptx = k.ptx();
       ptx.tmaPrefetchMap(k.map);
       ptx.tmaLoad(k.shared, k.map, k.is(2), k.shared);
       ptx.tmaStore(k.map, k.is(3), k.shared);
       ptx.tmaReduceAdd(k.map, k.is(2), k.shared);
       ptx.tmaCommit();
       ptx.tmaWait(1, true);
       ptx.tmaWait(0, false);
     },
     {"prefetch.tensormap", "cp.async.bulk.tensor.2d.shared::cluster.global",
      "cp.async.bulk.tensor.3d.global.shared::cta.bulk_group",
      "cp.reduce.async.bulk.tensor.2d.global.shared::cta.add.bulk_group",
      "cp.async.bulk.commit_group", "cp.async.bulk.wait_group.read 1",
      "cp.async.bulk.wait_group 0"}},
    {"WgmmaShared",
     "sm_90a",
     [](Kernel &k) {
       PTX ptx = k.ptx();
       Value b = ptx.wgmmaDescriptor(k.shared, 16, 1024);
       ptx.wgmmaFence();
       PTX::Values acc = ptx.wgmma(MMAKind::BF16, k.fs(32), {b}, b, ptx.i32(0),
                                   WGMMAMajor::K, WGMMAMajor::MN);
       acc = ptx.wgmma(MMAKind::BF16, acc, {b}, b, ptx.i32(1), WGMMAMajor::K,
                       WGMMAMajor::MN);
       ptx.wgmmaCommit();
       k.store(ptx.wgmmaWait(0, acc));
     },
     {"wgmma.fence.sync.aligned",
      "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16", "p, 1, 1, 0, 1;",
      "wgmma.commit_group", "wgmma.wait_group.sync.aligned 0"}},
    {"WgmmaRegisters",
     "sm_90a",
     [](Kernel &k) {
       PTX ptx = k.ptx();
       Value b = ptx.wgmmaDescriptor(k.shared, 16, 1024);
       ptx.wgmmaFence();
       PTX::Values acc = ptx.wgmma(MMAKind::F16, k.fs(64), k.is(4), b,
                                   ptx.i32(1), WGMMAMajor::K, WGMMAMajor::K);
       ptx.wgmmaCommit();
       k.store(ptx.wgmmaWait(0, acc));
     },
     {"wgmma.mma_async.sync.aligned.m64n128k16.f32.f16.f16", "p, 1, 1, 0;"}},
    {"SetMaxRegisters",
     "sm_90a",
     [](Kernel &k) { k.ptx().setMaxRegisters(56, false); },
     {"setmaxnreg.dec.sync.aligned.u32 56"}},
};

std::string nameOf(const testing::TestParamInfo<Case> &info) {
  return info.param.name;
}

INSTANTIATE_TEST_SUITE_P(Warp, Instruction, testing::ValuesIn(kWarpCases),
                         nameOf);
INSTANTIATE_TEST_SUITE_P(Hopper, Instruction, testing::ValuesIn(kHopperCases),
                         nameOf);

} // namespace
