// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The part of the CUDA driver's ABI that Ramify uses, declared here so that
// neither building nor running needs the CUDA Toolkit.

#ifndef RAMIFY_RUNTIME_CUDATYPES_H
#define RAMIFY_RUNTIME_CUDATYPES_H

#include <cstddef>
#include <cstdint>

namespace ramify::runtime::cuda {

using Result = int;
using Device = int;
using Context = struct ContextTag *;
using Module = struct ModuleTag *;
using Function = struct FunctionTag *;
using Stream = struct StreamTag *;
using Event = struct EventTag *;
using LinkState = struct LinkStateTag *;
using DevicePtr = unsigned long long;

enum : Result {
  Success = 0,
  ErrorNoDevice = 100,
  ErrorStreamCaptureImplicit = 906
};

enum DeviceAttribute : int {
  MultiprocessorCount = 16,
  L2CacheSize = 38,
  CapabilityMajor = 75,
  CapabilityMinor = 76,
  MaxSharedPerMultiprocessor = 81,
  MaxSharedPerBlockOptin = 97,
};

enum FunctionAttribute : int {
  MaxThreadsPerBlock = 0,
  StaticSharedBytes = 1,
  LocalBytes = 3,
  Registers = 4,
  MaxDynamicSharedBytes = 8,
  NonPortableClusterAllowed = 14,
};

enum JitOption : int {
  InfoLogBuffer = 3,
  InfoLogSize = 4,
  ErrorLogBuffer = 5,
  ErrorLogSize = 6,
};
enum JitInput : int { InputPtx = 1 };

enum CaptureStatus : int { CaptureNone = 0 };

struct LaunchAttribute {
  static constexpr int clusterDimension = 4;
  int id;
  char padding[4];
  union {
    struct {
      unsigned x, y, z;
    } cluster;
    char bytes[64];
  } value;
};

struct LaunchConfig {
  unsigned gridX, gridY, gridZ;
  unsigned blockX, blockY, blockZ;
  unsigned sharedBytes;
  Stream stream;
  LaunchAttribute *attributes;
  unsigned attributeCount;
};

enum TensorMapType : int {
  MapU8 = 0,
  MapI32 = 3,
  MapI64 = 5,
  MapF16 = 6,
  MapF32 = 7,
  MapF64 = 8,
  MapBF16 = 9,
};
enum TensorMapL2 : int { MapL2Promote128 = 2 };

} // namespace ramify::runtime::cuda

#endif
