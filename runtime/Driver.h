// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The CUDA driver, loaded at run time, and its devices.

#ifndef RAMIFY_RUNTIME_DRIVER_H
#define RAMIFY_RUNTIME_DRIVER_H

#include "runtime/CudaTypes.h"

#include <string>
#include <string_view>

namespace ramify::runtime::cuda {

/// The driver's functions, one member each.
class Driver {
public:
  /// The driver of this process. Throws Error(Device) with the reason where
  /// there is none.
  static const Driver &get();
  /// Why there is no usable driver; empty if there is one.
  static std::string problem();

#define RAMIFY_CUDA(name, ...) Result (*name)(__VA_ARGS__) = nullptr;
#include "runtime/DriverSymbols.def"

  /// Throws Error(Device) with the call, the driver's name and text of `result`
  /// and `detail`, unless it is success.
  void check(Result result, const char *call,
             const std::string &detail = "") const;

private:
  std::string load();
};

/// What is known of one device; its primary context is retained for good.
struct DeviceInfo {
  int index = 0;
  Device handle = 0;
  Context context = nullptr;
  std::string name;
  int major = 0, minor = 0;
  int multiprocessors = 0;
  int sharedPerBlock = 0;
  int sharedPerMultiprocessor = 0;
  int l2Bytes = 0;
  size_t memoryBytes = 0;
};

int deviceCount();
const DeviceInfo &device(int index);

/// Makes a context current on this thread while it lives.
class CurrentContext {
public:
  explicit CurrentContext(Context context);
  ~CurrentContext();
  CurrentContext(const CurrentContext &) = delete;
  CurrentContext &operator=(const CurrentContext &) = delete;

private:
  Context previous = nullptr;
  bool changed = false;
};

/// Whether a graph capture is under way that work on `stream` would join or
/// spoil.
bool isCapturing(const DeviceInfo &device, void *stream);

/// Compiles PTX to a cubin for the device, by the driver's own compiler.
/// Throws Error(Device) with its log.
std::string assemble(std::string_view ptx, const DeviceInfo &device);

} // namespace ramify::runtime::cuda

#endif
