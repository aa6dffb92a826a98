// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "runtime/Executable.h"
#include "runtime/Error.h"

#include <gtest/gtest.h>

#include <cstring>
#include <numeric>

using namespace ramify::runtime;

// Kernel.c
extern "C" void scale_rows_packed(void **);
extern "C" void mark_packed(void **);

namespace {

std::shared_ptr<Executable> load(const std::string &items) {
  CpuKernels kernels;
  kernels.entries = {{"scale_rows", scale_rows_packed}, {"mark", mark_packed}};
  return loadForCpu(Plan::parse("ramify.plan 1\nfunction \"f\"\nbackend cpu\n" +
                                items + "end\n"),
                    kernels);
}

/// Runs a plan of one i64 result of n elements and integer scalars.
std::vector<int64_t> runMarks(const std::string &steps,
                              std::vector<int64_t> scalars, int64_t size) {
  std::string items;
  for (size_t i = 0; i < scalars.size(); ++i)
    items += std::string("scalar ") + static_cast<char>('a' + i) + " i64\n";
  auto executable = load(items + "result out i64 [" + std::to_string(size) +
                         "] zero\n" + steps);
  Invocation call(*executable);
  for (size_t i = 0; i < scalars.size(); ++i)
    call.setScalar(static_cast<int>(i), static_cast<uint64_t>(scalars[i]));
  call.bind();
  std::vector<int64_t> out(static_cast<size_t>(size), -1);
  call.setData(static_cast<int>(scalars.size()), out.data());
  RunContext context;
  context.threads = 4;
  call.run(context);
  return out;
}

TEST(Executable, RunsAKernelOnArrays) {
  auto executable =
      load("array x f32 [R, C]\nscalar s f32\nresult out f32 [R, C]\n"
           "launch \"scale_rows\" grid (R, 1, 1) block 1\n  (x, s, out)\n");
  constexpr int64_t rows = 100, columns = 8, stride = 10;
  std::vector<float> x(rows * stride), out(rows * columns);
  std::iota(x.begin(), x.end(), 0.0f);
  for (float &value : x)
    value /= 500;
  int64_t sizes[] = {rows, columns}, strides[] = {stride, 1};
  Invocation call(*executable);
  call.setArray(0, {x.data(), sizes, strides});
  float scale = 0.25f;
  uint32_t bits;
  std::memcpy(&bits, &scale, 4);
  call.setScalar(1, bits);
  call.bind();
  EXPECT_EQ(call.byteSize(2), rows * columns * 4);
  call.setData(2, out.data());
  RunContext context;
  context.threads = 3;
  call.run(context);
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < columns; ++c)
      ASSERT_EQ(out[r * columns + c],
                x[r * stride + c] * scale * (c % 2 ? 2.0f : 1.0f));
}

TEST(Executable, EveryProgramOfTheGridRunsOnce) {
  std::vector<int64_t> out = runMarks(
      "launch \"mark\" grid (3, 5, a) block 1\n  (out, i32(1))\n", {4}, 60);
  for (int64_t i = 0; i < 60; ++i)
    EXPECT_EQ(out[i], i + 1);
}

TEST(Executable, AnEmptyGridIsSkippedAndZeroFillsFirst) {
  std::vector<int64_t> out = runMarks(
      "launch \"mark\" grid (3, a, 1) block 1\n  (out, i32(1))\n", {0}, 3);
  EXPECT_EQ(out, std::vector<int64_t>(3, 0));
}

TEST(Executable, LoopsCountAndSeeTheirVariable) {
  std::vector<int64_t> out = runMarks("for w < a { launch \"mark\" grid (2, 1, "
                                      "1) block 1 (out, i32(w * 100)) }\n",
                                      {3}, 2);
  EXPECT_EQ(out, (std::vector<int64_t>{0 + 100 + 200, 1 + 101 + 201}));
}

/// A step that adds `more` to the first element of an array.
std::string markOf(const std::string &array, const std::string &more) {
  return "launch \"mark\" grid (1, 1, 1) block 1 (" + array + ", i32(" + more +
         "))\n";
}

/// Runs a plan whose workspaces are those of the steps.
std::vector<int64_t> runWithWorkspace(const std::string &steps, int64_t bytes,
                                      std::vector<char> &memory) {
  auto executable = load("array x i64 [N]\nresult out i64 [N] zero\n" + steps);
  Invocation call(*executable);
  std::vector<int64_t> x(4), out(4, -1);
  int64_t sizes[] = {4}, strides[] = {1};
  call.setArray(0, {x.data(), sizes, strides});
  call.bind();
  EXPECT_EQ(call.workspaceBytes(), bytes);
  memory.assign(static_cast<size_t>(bytes), 1);
  call.setWorkspace(memory.data());
  call.setData(1, out.data());
  call.run({});
  return out;
}

TEST(Executable, ViewsArePlacesOfAnArray) {
  std::vector<char> memory;
  std::vector<int64_t> out = runWithWorkspace(
      "for w < 2 { view part = out axis 0 from 1 + 2 * w size 1 " +
          markOf("part", "w * 10") + " }\n",
      0, memory);
  EXPECT_EQ(out, (std::vector<int64_t>{0, 0, 0, 10}));
  EXPECT_THROW(runWithWorkspace("for w < 3 { view part = out axis 0 from 2 * w "
                                "size 1 " +
                                    markOf("part", "w") + " }\n",
                                0, memory),
               Error);
}

TEST(Executable, WorkspacesEndWithTheirBlock) {
  auto element = [](const std::vector<char> &memory, size_t slot) {
    int64_t value;
    std::memcpy(&value, &memory[slot * 256], sizeof value);
    return value;
  };
  std::vector<char> memory;
  // a at 0; b and c one after the other behind it, c with its zeros.
  runWithWorkspace("workspace a i64 [1] zero\n"
                   "do { workspace b i64 [N * 8] memset b 0 " +
                       markOf("b", "4") + " }\n" +
                       "do { workspace c i64 [1] zero " + markOf("c", "6") +
                       " }\n" + markOf("a", "2"),
                   512, memory);
  EXPECT_EQ(element(memory, 0), 2);
  EXPECT_EQ(element(memory, 1), 6);
  // Of loops, the largest turn counts; those after each other share a place.
  runWithWorkspace("for w < N { let size 32 * (w + 1) workspace a i64 [size]\n"
                   "workspace b i64 [1] zero " +
                       markOf("b", "w") + " }\n",
                   1024 + 256, memory);
  EXPECT_EQ(element(memory, 4), 3) << "the last turn's";
  EXPECT_EQ(element(memory, 1), 0) << "the first turn's";
}

TEST(Executable, WorkspacesBeyondAllMemoryAreErrors) {
  auto errorOf = [](const std::string &steps) -> std::string {
    std::vector<char> memory;
    try {
      runWithWorkspace(steps, 0, memory);
    } catch (const Error &error) {
      return error.what();
    }
    return "";
  };
  const std::string size = std::to_string(int64_t(1) << 57);
  EXPECT_EQ(errorOf("workspace a i64 [" + size + "]\nworkspace b i64 [1]\n"),
            "f(): its workspaces take more than 1152921504606846976 bytes, "
            "which cannot be allocated");
  EXPECT_EQ(errorOf("workspace a i64 [" + size + " * 2]\n"),
            "f(): a has 288230376151711744 elements, which cannot be "
            "allocated");
}

TEST(Executable, GuardsChoose) {
  const char *steps =
      "if a >= 16 { launch \"mark\" grid (1, 1, 1) block 1 (out, i32(10)) }\n"
      "else { memset out 1 }\n";
  EXPECT_EQ(runMarks(steps, {16}, 1)[0], 10);
  EXPECT_EQ(runMarks(steps, {15}, 1)[0], 0x0101010101010101);
}

TEST(Executable, AttributesOfArrays) {
  auto executable = load("array x f32 [R, C] align 16\nresult out i64 [x.span, "
                         "x.align, x.stride0]\n");
  alignas(256) float data[64];
  int64_t sizes[] = {3, 8}, strides[] = {12, 1};
  Invocation call(*executable);
  call.setArray(0, {data, sizes, strides});
  call.bind();
  EXPECT_EQ(call.sizes(1)[0], 2 * 12 + 8);
  EXPECT_EQ(call.sizes(1)[1], 16) << "rows are 48 bytes apart";
  EXPECT_EQ(call.sizes(1)[2], 12);
}

TEST(Executable, WrongArgumentsAreErrors) {
  auto errorOf = [](int64_t n, int64_t width, int offset) -> std::string {
    auto executable = load("array x f32 [N, 4] align 16\narray y f32 [N, 4]\n"
                           "result out i64 [N - 3]\n");
    alignas(16) float data[64];
    int64_t xs[] = {2, 4}, ys[] = {n, width}, strides[] = {4, 1};
    Invocation call(*executable);
    call.setArray(0, {data + offset, xs, strides});
    call.setArray(1, {data, ys, strides});
    try {
      call.bind();
    } catch (const Error &error) {
      EXPECT_EQ(error.kind(), ErrorKind::Argument);
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(errorOf(3, 4, 0), "f(): y has N = 3 (axis 0), expected 2");
  EXPECT_EQ(errorOf(2, 5, 0), "f(): y has 5 along axis 1, expected 4");
  EXPECT_EQ(
      errorOf(2, 4, 1),
      "f(): x is not aligned to 16 bytes, which this kernel was compiled for");
  EXPECT_EQ(
      errorOf(2, 4, 0),
      "f(): the size of out is -1 along axis 0, which cannot be allocated");
}

TEST(Executable, AnI32OperandThatDoesNotFitIsAnError) {
  try {
    runMarks("launch \"mark\" grid (1, 1, 1) block 1 (out, i32(a * 65536))\n",
             {65536}, 1);
    FAIL();
  } catch (const Error &error) {
    EXPECT_STREQ(error.what(),
                 "f(): a * 65536 = 4294967296 does not fit 32 bits");
  }
}

TEST(Executable, AMissingKernelIsAnError) {
  try {
    load("launch \"nothing\" grid (1, 1, 1) block 1 ()\n");
    FAIL();
  } catch (const Error &error) {
    EXPECT_STREQ(error.what(),
                 "plan of f: the code of nothing has not been loaded");
  }
}

TEST(Executable, KeepsTheCodeOfItsKernels) {
  CpuKernels kernels{{}, std::make_shared<int>()};
  std::weak_ptr<const void> code = kernels.owner;
  auto executable = loadForCpu(
      Plan::parse("ramify.plan 1\nfunction \"f\"\nbackend cpu\nend\n"),
      std::move(kernels));
  EXPECT_FALSE(code.expired());
  executable.reset();
  EXPECT_TRUE(code.expired());
}

} // namespace
