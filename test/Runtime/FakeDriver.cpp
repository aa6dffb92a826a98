// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A stand-in for libcuda.so.1 with one device, so that what the runtime asks of
// the driver is tested where there is no GPU. Every call that matters is a line
// of a log. A kernel named "k3" takes three parameters of 8 bytes; code that
// contains "bad" does not load.

#include "runtime/CudaTypes.h"

#include <cstdio>
#include <cstring>
#include <sstream>
#include <string>

using namespace ramify::runtime::cuda;

namespace {

std::string calls;
thread_local Context current = nullptr;
auto *const primary = reinterpret_cast<Context>(0x1000);

template <typename... Ts> void note(const Ts &...parts) {
  std::ostringstream line;
  (line << ... << parts);
  calls += line.str() + "\n";
}

constexpr Result invalidContext = 201, invalidImage = 200, notFound = 500;

Result needContext() { return current == primary ? Success : invalidContext; }

Result load(const char *image, JitOption *options, void **values) {
  if (!std::strstr(image, "bad"))
    return Success;
  if (options && options[0] == ErrorLogBuffer)
    std::strcpy(static_cast<char *>(values[0]), "line 7: bad");
  return invalidImage;
}

} // namespace

#define FAKE extern "C" __attribute__((visibility("default")))

FAKE const char *fakeLog() { return calls.c_str(); }
FAKE void fakeClear() { calls.clear(); }

FAKE Result cuInit(unsigned) { return Success; }
FAKE Result cuGetErrorName(Result result, const char **name) {
  *name =
      result == invalidImage ? "CUDA_ERROR_INVALID_IMAGE" : "CUDA_ERROR_OTHER";
  return Success;
}
FAKE Result cuGetErrorString(Result, const char **text) {
  *text = "the fake's text";
  return Success;
}
FAKE Result cuDriverGetVersion(int *version) {
  *version = 13000;
  return Success;
}
FAKE Result cuDeviceGetCount(int *count) {
  *count = 1;
  return Success;
}
FAKE Result cuDeviceGet(Device *device, int index) {
  *device = index + 70;
  return Success;
}
FAKE Result cuDeviceGetName(char *name, int size, Device) {
  std::snprintf(name, static_cast<size_t>(size), "Fake H1");
  return Success;
}
FAKE Result cuDeviceGetAttribute(int *value, DeviceAttribute which, Device) {
  *value = which == CapabilityMajor          ? 9
           : which == CapabilityMinor        ? 0
           : which == MultiprocessorCount    ? 132
           : which == MaxSharedPerBlockOptin ? 232448
                                             : 1;
  return Success;
}
FAKE Result cuDeviceTotalMem_v2(size_t *bytes, Device) {
  *bytes = size_t(80) << 30;
  return Success;
}
FAKE Result cuDevicePrimaryCtxRetain(Context *context, Device) {
  *context = primary;
  return Success;
}
FAKE Result cuCtxGetCurrent(Context *context) {
  *context = current;
  return Success;
}
FAKE Result cuCtxSetCurrent(Context context) {
  current = context;
  return Success;
}
FAKE Result cuModuleLoadDataEx(Module *module, const void *image, unsigned,
                               JitOption *options, void **values) {
  if (Result result = needContext())
    return result;
  note("load ", static_cast<const char *>(image));
  *module = reinterpret_cast<Module>(0x2000);
  return load(static_cast<const char *>(image), options, values);
}
FAKE Result cuModuleUnload(Module) {
  note("unload");
  return needContext();
}
FAKE Result cuModuleGetFunction(Function *function, Module, const char *name) {
  if (!std::strncmp(name, "missing", 7))
    return notFound;
  *function = reinterpret_cast<Function>(strdup(name));
  return Success;
}
FAKE Result cuFuncGetAttribute(int *value, FunctionAttribute which, Function) {
  *value = which == Registers ? 40 : 0;
  return Success;
}
FAKE Result cuFuncSetAttribute(Function function, FunctionAttribute which,
                               int value) {
  note("attribute ", int(which), " of ",
       reinterpret_cast<const char *>(function), " = ", value);
  return Success;
}
FAKE Result cuLinkCreate_v2(unsigned, JitOption *, void **, LinkState *state) {
  *state = nullptr;
  return Success;
}
FAKE Result cuLinkAddData_v2(LinkState, JitInput, void *data, size_t,
                             const char *, unsigned, JitOption *, void **) {
  return load(static_cast<const char *>(data), nullptr, nullptr);
}
FAKE Result cuLinkComplete(LinkState, void **cubin, size_t *size) {
  static char bytes[] = "cubin";
  *cubin = bytes;
  *size = 5;
  return Success;
}
FAKE Result cuLinkDestroy(LinkState) { return Success; }
FAKE Result cuLaunchKernelEx(const LaunchConfig *c, Function function,
                             void **parameters, void **) {
  if (Result result = needContext())
    return result;
  const auto *name = reinterpret_cast<const char *>(function);
  std::ostringstream line;
  line << "launch " << name << " grid " << c->gridX << "," << c->gridY << ","
       << c->gridZ << " block " << c->blockX << " shared " << c->sharedBytes
       << " stream " << c->stream;
  for (unsigned i = 0; i < c->attributeCount; ++i)
    line << " cluster " << c->attributes[i].value.cluster.x << ","
         << c->attributes[i].value.cluster.y << ","
         << c->attributes[i].value.cluster.z;
  for (int i = 0; i < name[1] - '0'; ++i)
    line << " " << *static_cast<int64_t *>(parameters[i]);
  note(line.str());
  return Success;
}
FAKE Result cuLaunchKernel(Function, unsigned, unsigned, unsigned, unsigned,
                           unsigned, unsigned, unsigned, Stream, void **,
                           void **) {
  return Success;
}
FAKE Result cuMemsetD8Async(DevicePtr, unsigned char byte, size_t size,
                            Stream stream) {
  note("memset ", int(byte), " ", size, " stream ", stream);
  return needContext();
}
FAKE Result cuTensorMapEncodeTiled(void *map, TensorMapType type, unsigned rank,
                                   void *, const uint64_t *sizes,
                                   const uint64_t *strides, const uint32_t *box,
                                   const uint32_t *, int, int swizzle,
                                   TensorMapL2, int) {
  std::ostringstream line;
  line << "map " << int(type) << " swizzle " << swizzle;
  for (unsigned i = 0; i < rank; ++i)
    line << " [" << sizes[i] << " box " << box[i] << "]";
  for (unsigned i = 0; i + 1 < rank; ++i)
    line << " " << strides[i];
  note(line.str());
  *static_cast<uint64_t *>(map) = 4711;
  return Success;
}
FAKE Result cuStreamIsCapturing(Stream stream, CaptureStatus *status) {
  *status =
      stream == reinterpret_cast<Stream>(0x77) ? CaptureStatus(1) : CaptureNone;
  return stream == reinterpret_cast<Stream>(0x78) ? ErrorStreamCaptureImplicit
                                                  : needContext();
}
