// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the runtime asks of the CUDA driver, against FakeDriver.cpp.

#include "runtime/CudaExecutable.h"
#include "runtime/Error.h"

#include <gtest/gtest.h>

#include <dlfcn.h>
#include <thread>

using namespace ramify::runtime;

namespace {

/// The calls since the last question.
std::string takeLog() {
  void *driver = ::dlopen("libcuda.so.1", RTLD_NOW);
  auto *log = reinterpret_cast<const char *(*)()>(::dlsym(driver, "fakeLog"));
  auto *clear = reinterpret_cast<void (*)()>(::dlsym(driver, "fakeClear"));
  if (!log || !clear)
    return "this is not the fake driver";
  std::string text = log();
  clear();
  return text;
}

std::shared_ptr<CudaExecutable> load(const std::string &items,
                                     const std::string &ptx = "text") {
  takeLog();
  auto executable =
      loadForCuda(Plan::parse("ramify.plan 1\nfunction \"f\"\nbackend cuda\n" +
                              items + "code \"sm_90a\" ptx " +
                              std::to_string(ptx.size()) + "\nend\n" + ptx),
                  0);
  EXPECT_EQ(takeLog(), "load " + ptx + "\n");
  return executable;
}

template <typename Fn> std::string errorOf(ErrorKind kind, Fn &&run) {
  try {
    run();
  } catch (const Error &error) {
    EXPECT_EQ(error.kind(), kind);
    return error.what();
  }
  return "";
}

Plan planWith(const std::vector<Code> &codes) {
  Plan plan;
  plan.backend = Backend::Cuda;
  plan.codes = codes;
  return plan;
}

std::string chosen(const Plan &plan, int major, int minor) {
  const Code *code = chooseCode(plan, major, minor);
  return code ? code->target + " " + name(code->kind) : "none";
}

TEST(Cuda, TheBestCodeForADeviceIsChosen) {
  Plan plan = planWith({{"sm_80", CodeKind::Ptx, ""},
                        {"sm_90a", CodeKind::Ptx, ""},
                        {"sm_86", CodeKind::Cubin, ""},
                        {"x86_64", CodeKind::Object, ""}});
  EXPECT_EQ(chosen(plan, 9, 0), "sm_90a ptx");
  EXPECT_EQ(chosen(plan, 8, 0), "sm_80 ptx")
      << "a cubin does not run on an older device";
  EXPECT_EQ(chosen(plan, 8, 6), "sm_86 cubin");
  EXPECT_EQ(chosen(plan, 8, 9), "sm_86 cubin")
      << "but on a newer one of its family";
  EXPECT_EQ(chosen(plan, 10, 0), "sm_80 ptx")
      << "sm_90a has no forward compatibility";
  EXPECT_EQ(chosen(plan, 7, 5), "none");
}

TEST(Cuda, MachineCodeIsPreferredToPtxOfTheSameTarget) {
  Plan plan = planWith(
      {{"sm_90a", CodeKind::Ptx, ""}, {"sm_90a", CodeKind::Cubin, ""}});
  EXPECT_EQ(chosen(plan, 9, 0), "sm_90a cubin");
}

TEST(Cuda, DevicesAreDescribed) {
  EXPECT_EQ(cuda::Driver::problem(), "");
  const cuda::DeviceInfo &device = cuda::device(0);
  EXPECT_EQ(device.name, "Fake H1");
  EXPECT_EQ(device.major, 9);
  EXPECT_EQ(device.multiprocessors, 132);
  EXPECT_EQ(errorOf(ErrorKind::Device, [] { cuda::device(1); }),
            "there is no CUDA device 1; this process sees 1");
}

TEST(Cuda, ALaunchHasItsGridStreamAndParameters) {
  auto executable =
      load("array x f32 [N, 4]\nscalar n i64\nresult out f32 [N] zero\n"
           "launch \"k9\" grid (ceildiv(N, 2), min(sms, 3), 1) block 96 shared "
           "n * 8\n"
           "  (x, n, i64(x.stride0 + 1), i32(-N), ptr(out), n)\n");
  int64_t sizes[] = {5, 4}, strides[] = {8, 1};
  Invocation call(*executable);
  call.setArray(0, {reinterpret_cast<void *>(4096), sizes, strides});
  call.setScalar(1, 11);
  call.bind();
  call.setData(2, reinterpret_cast<void *>(8192));
  RunContext context;
  context.stream = reinterpret_cast<void *>(0x55);
  // On a thread without a context, which is left without one.
  std::thread([&] {
    call.run(context);
    cuda::Context after = nullptr;
    cuda::Driver::get().cuCtxGetCurrent(&after);
    EXPECT_EQ(after, nullptr);
  }).join();
  EXPECT_EQ(takeLog(), "memset 0 20 stream 0x55\n"
                       "launch k9 grid 3,3,1 block 96 shared 88 stream 0x55"
                       " 4096 5 4 8 1 11 9 -5 8192\n");
}

TEST(Cuda, SharedMemoryBeyondTheDefaultIsAskedForOnce) {
  auto executable = load(
      "scalar n i64\nlaunch \"k1\" grid (1, 1, 1) block 32 shared n (n)\n");
  auto run = [&](uint64_t bytes) {
    Invocation call(*executable);
    call.setScalar(0, bytes);
    call.bind();
    call.run({});
    return takeLog();
  };
  EXPECT_EQ(run(49152),
            "launch k1 grid 1,1,1 block 32 shared 49152 stream 0 49152\n");
  EXPECT_EQ(run(49153),
            "attribute 8 of k1 = 49153\n"
            "launch k1 grid 1,1,1 block 32 shared 49153 stream 0 49153\n");
  EXPECT_EQ(run(49153),
            "launch k1 grid 1,1,1 block 32 shared 49153 stream 0 49153\n");
  EXPECT_EQ(errorOf(ErrorKind::Unsupported, [&] { run(232449); }),
            "f(): the kernel k1 needs 232449 bytes of shared memory; Fake H1 "
            "has 232448 per block");
  EXPECT_EQ(takeLog(), "");
}

TEST(Cuda, ClustersAreALaunchAttribute) {
  auto executable =
      load("launch \"k0\" grid (32, 1, 1) block 32 cluster (4, 1, 1) ()\n"
           "launch \"k0\" grid (32, 1, 1) block 32 cluster (16, 1, 1) ()\n");
  Invocation call(*executable);
  call.bind();
  call.run({});
  EXPECT_EQ(
      takeLog(),
      "launch k0 grid 32,1,1 block 32 shared 0 stream 0 cluster 4,1,1\n"
      "attribute 14 of k0 = 1\n"
      "launch k0 grid 32,1,1 block 32 shared 0 stream 0 cluster 16,1,1\n");
}

TEST(Cuda, TensorMapsAreEncodedAtLaunch) {
  auto executable = load(
      "array k bf16 [B, N, 1, 64]\nmap m k box [1, 16, 1, 64] swizzle 128\n"
      "launch \"k1\" grid (1, 1, 1) block 32 (map(m))\n");
  auto run = [&](int64_t n) {
    int64_t sizes[] = {2, n, 1, 64}, strides[] = {n * 128, 128, 77, 1};
    Invocation call(*executable);
    call.setArray(0, {nullptr, sizes, strides});
    call.bind();
    call.run({});
    return takeLog();
  };
  // Dimensions from the innermost; the stride of a size of 1 is a legal one.
  EXPECT_EQ(run(100),
            "map 9 swizzle 3 [64 box 64] [1 box 1] [100 box 16] [2 box 1]"
            " 16 256 25600\n"
            "launch k1 grid 1,1,1 block 32 shared 0 stream 0 4711\n");
  EXPECT_EQ(run(0), "launch k1 grid 1,1,1 block 32 shared 0 stream 0 0\n");
}

TEST(Cuda, ErrorsCarryTheDriversNameTextAndLog) {
  EXPECT_EQ(errorOf(ErrorKind::Device, [] { load("", "bad code"); }),
            "cuModuleLoadDataEx: CUDA_ERROR_INVALID_IMAGE (the fake's "
            "text)\nline 7: bad");
  EXPECT_EQ(
      errorOf(ErrorKind::Device,
              [] { load("launch \"missing\" grid (1, 1, 1) block 32 ()\n"); }),
      "cuModuleGetFunction: CUDA_ERROR_OTHER (the fake's text)\nmissing");
  EXPECT_EQ(takeLog(), "load text\nunload\n") << "a module is not left behind";
  EXPECT_EQ(errorOf(ErrorKind::Device,
                    [] { cuda::assemble("bad", cuda::device(0)); }),
            "cuLinkAddData: CUDA_ERROR_INVALID_IMAGE (the fake's text)");
  EXPECT_EQ(cuda::assemble("good", cuda::device(0)), "cubin");
}

TEST(Cuda, AGridThatNoDeviceTakesIsAnError) {
  auto executable = load("launch \"k0\" grid (1, 65536, 1) block 32 ()\n");
  Invocation call(*executable);
  call.bind();
  EXPECT_EQ(errorOf(ErrorKind::Argument, [&] { call.run({}); }),
            "f(): a grid of 1 x 65536 x 1 blocks is too large for a GPU");
}

TEST(Cuda, CapturesAreSeen) {
  const cuda::DeviceInfo &device = cuda::device(0);
  EXPECT_FALSE(cuda::isCapturing(device, nullptr));
  EXPECT_TRUE(cuda::isCapturing(device, reinterpret_cast<void *>(0x77)));
  EXPECT_TRUE(cuda::isCapturing(device, reinterpret_cast<void *>(0x78)))
      << "the legacy stream, while another one is captured";
}

} // namespace
