// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- KnownTargetsTest.cpp - Choice of a target, occupancy ---------------===//

#include "ramify/Target/KnownTargets.h"

#include <gtest/gtest.h>

using namespace ramify;

TEST(KnownTargets, DeviceGetsTheBestPTXThatItRuns) {
  EXPECT_EQ(targetForDevice(7, 5), nullptr);
  EXPECT_EQ(targetForDevice(8, 0)->name, "sm_80");
  EXPECT_EQ(targetForDevice(8, 7)->name, "sm_86");
  EXPECT_EQ(targetForDevice(8, 9)->name, "sm_89");
  EXPECT_EQ(targetForDevice(9, 0)->name, "sm_90a");
}

TEST(KnownTargets, NewerDevicesGetGenericPTX) {
  EXPECT_EQ(targetForDevice(10, 0)->name, "sm_90");
  EXPECT_EQ(targetForDevice(12, 0)->name, "sm_90");
}

TEST(KnownTargets, NamesAreFound) {
  EXPECT_TRUE(findTarget("sm_90a")->wgmma);
  EXPECT_FALSE(findTarget("sm_90")->wgmma);
  EXPECT_EQ(findTarget("sm_70"), nullptr);
}

TEST(KnownTargets, OccupancyIsTheScarcestResource) {
  const GPUTarget &hopper = *findTarget("sm_90a");
  // Shared memory: 228 KiB / (32 + 1) KiB.
  EXPECT_EQ(residentCTAs(hopper, 32, 168, 32 * 1024), 6);
  // Registers: 16384 / (168 * 32) = 3 warps in each quarter.
  EXPECT_EQ(residentCTAs(hopper, 32, 168, 0), 12);
  // Threads: 2048 / 1024.
  EXPECT_EQ(residentCTAs(hopper, 1024, 32, 0), 2);
  EXPECT_EQ(residentCTAs(hopper, 32, 16, 0), 32);
  EXPECT_EQ(residentCTAs(hopper, 32, 32, 228 * 1024), 0);
}
