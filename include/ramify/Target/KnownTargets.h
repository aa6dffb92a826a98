// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- KnownTargets.h - What each GPU architecture can do -------*- C++ -*-===//
//
// The one table of hardware limits and instruction sets. It needs neither LLVM
// nor a driver, so the compiler and the runtime read the same figures.
//
//===----------------------------------------------------------------------===//

#ifndef RAMIFY_TARGET_KNOWNTARGETS_H
#define RAMIFY_TARGET_KNOWNTARGETS_H

#include <span>
#include <string_view>

namespace ramify {

/// An architecture that PTX is made for. Sizes are in bytes.
struct GPUTarget {
  std::string_view name; ///< LLVM's and ptxas's name: "sm_90a"
  int capability;        ///< 10 * major + minor of the oldest GPU that runs it
  bool onlyThis;         ///< runs on this capability only (the "a" targets)
  std::string_view ptx;  ///< LLVM's PTX version feature: "+ptx80"

  int sharedPerSM;
  int sharedPerCTA;   ///< with the opt-in attribute
  int sharedReserved; ///< taken by the system for each CTA
  int threadsPerSM;
  int ctasPerSM;

  bool bf16; ///< mma.sync with bf16 and tf32, cp.async
  bool stmatrix;
  bool reduceBF16;    ///< red of bf16
  bool reduceVectors; ///< red of 16 bytes
  bool tma;           ///< TMA, mbarrier transactions, clusters
  bool wgmma;         ///< wgmma, setmaxnreg
};

/// The same on every architecture since sm_80.
inline constexpr int kWarpSize = 32;
inline constexpr int kRegistersPerSM = 65536;
inline constexpr int kRegistersPerThread = 255;
inline constexpr int kRegisterGranule = 8; ///< per thread
inline constexpr int kThreadsPerCTA = 1024;
inline constexpr int kStaticSharedPerCTA = 48 * 1024;
inline constexpr int kGridYZ = 65535;

/// All targets, oldest first.
std::span<const GPUTarget> knownTargets();

/// The target of that name, or null.
const GPUTarget *findTarget(std::string_view name);

/// The best target whose PTX a GPU of this compute capability runs, or null if
/// it is older than all. A GPU newer than the table gets generic PTX.
const GPUTarget *targetForDevice(int major, int minor);

/// CTAs that fit an SM at once; 0 if not one does.
int residentCTAs(const GPUTarget &target, int threads, int registersPerThread,
                 int sharedBytes);

} // namespace ramify

#endif // RAMIFY_TARGET_KNOWNTARGETS_H
