// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "runtime/CudaExecutable.h"

#include <gtest/gtest.h>

using namespace ramify::runtime;

namespace {

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

TEST(Cuda, WithoutADriverTheReasonIsGiven) {
  if (cuda::deviceCount() > 0)
    GTEST_SKIP() << "this machine has a GPU";
  EXPECT_ANY_THROW(cuda::device(0));
}

} // namespace
