// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- KnownTargets.cpp - The table ---------------------------------------===//

#include "ramify/Target/KnownTargets.h"

#include <algorithm>
#include <cstddef>

using namespace ramify;

// Sources: the CUDA C++ Programming Guide, "Technical Specifications per
// Compute Capability", and the PTX ISA's tables of target notes.
static constexpr int kKiB = 1024;
static constexpr GPUTarget kTargets[] = {
    // name, capability, only this, PTX,
    //   shared: per SM, per CTA, reserved; threads and CTAs per SM,
    //   bf16, stmatrix, reduceBF16, reduceVectors, tma, wgmma
    {"sm_80", 80, false, "+ptx78", 164 * kKiB, 163 * kKiB, kKiB, 2048, 32, true,
     false, false, false, false, false},
    {"sm_86", 86, false, "+ptx78", 100 * kKiB, 99 * kKiB, kKiB, 1536, 16, true,
     false, false, false, false, false},
    {"sm_89", 89, false, "+ptx78", 100 * kKiB, 99 * kKiB, kKiB, 1536, 24, true,
     false, false, false, false, false},
    {"sm_90", 90, false, "+ptx81", 228 * kKiB, 227 * kKiB, kKiB, 2048, 32, true,
     true, true, true, true, false},
    {"sm_90a", 90, true, "+ptx81", 228 * kKiB, 227 * kKiB, kKiB, 2048, 32, true,
     true, true, true, true, true},
};

std::span<const GPUTarget> ramify::knownTargets() { return kTargets; }

const GPUTarget *ramify::findTarget(std::string_view name) {
  for (const GPUTarget &target : kTargets)
    if (target.name == name)
      return &target;
  return nullptr;
}

const GPUTarget *ramify::targetForDevice(int major, int minor) {
  int capability = 10 * major + minor;
  const GPUTarget *best = nullptr;
  for (const GPUTarget &target : kTargets)
    if (target.onlyThis ? target.capability == capability
                        : target.capability <= capability)
      best = &target;
  return best;
}

int ramify::residentCTAs(const GPUTarget &target, int threads,
                         int registersPerThread, int sharedBytes) {
  auto roundUp = [](int value, int to) { return (value + to - 1) / to * to; };
  if (threads > kThreadsPerCTA || sharedBytes > target.sharedPerCTA)
    return 0;
  int warps = roundUp(threads, kWarpSize) / kWarpSize;
  int registersPerWarp =
      roundUp(registersPerThread, kRegisterGranule) * kWarpSize;
  int fits =
      std::min(target.ctasPerSM, target.threadsPerSM / (warps * kWarpSize));
  fits = std::min(fits,
                  target.sharedPerSM / (sharedBytes + target.sharedReserved));
  // Each of the SM's four partitions has its own quarter of the registers.
  int warpsBySM = 4 * (kRegistersPerSM / 4 / registersPerWarp);
  return std::min(fits, warpsBySM / warps);
}
