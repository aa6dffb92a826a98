// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "runtime/Driver.h"

#include "runtime/Error.h"

#include <deque>
#include <dlfcn.h>
#include <memory>
#include <mutex>

namespace ramify::runtime::cuda {

//===----------------------------------------------------------------------===//
// The driver
//===----------------------------------------------------------------------===//

std::string Driver::load() {
  void *library = ::dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (!library)
    return "no CUDA driver: libcuda.so.1 cannot be loaded";
  std::string missing;
#define RAMIFY_CUDA(name, ...)                                                 \
  name = reinterpret_cast<decltype(name)>(::dlsym(library, #name));            \
  if (!name)                                                                   \
    missing = #name;
#define RAMIFY_CUDA_OPTIONAL(name, ...)                                        \
  name = reinterpret_cast<decltype(name)>(::dlsym(library, #name));
#include "runtime/DriverSymbols.def"
  if (!missing.empty())
    return "the CUDA driver is too old: it has no " + missing;
  if (Result result = cuInit(0); result != Success) {
    const char *name = "?", *text = "?";
    cuGetErrorName(result, &name);
    cuGetErrorString(result, &text);
    return concat("the CUDA driver does not start: cuInit: ", name, " (", text,
                  ")");
  }
  return "";
}

namespace {
struct Loaded {
  std::unique_ptr<Driver> driver;
  std::string problem;
};
} // namespace

static Loaded &loaded(std::string (Driver::*load)()) {
  static Loaded &state = *new Loaded;
  static std::once_flag once;
  std::call_once(once, [&] {
    state.driver = std::make_unique<Driver>();
    state.problem = (state.driver.get()->*load)();
  });
  return state;
}

const Driver &Driver::get() {
  Loaded &state = loaded(&Driver::load);
  if (!state.problem.empty())
    fail(ErrorKind::Device, state.problem);
  return *state.driver;
}

std::string Driver::problem() { return loaded(&Driver::load).problem; }

void Driver::check(Result result, const char *call,
                   const std::string &detail) const {
  if (result == Success)
    return;
  const char *name = nullptr, *text = nullptr;
  cuGetErrorName(result, &name);
  cuGetErrorString(result, &text);
  fail(ErrorKind::Device, call, ": ", name ? name : std::to_string(result),
       " (", text ? text : "unknown to this driver", ")",
       detail.empty() ? "" : "\n", detail);
}

//===----------------------------------------------------------------------===//
// Devices
//===----------------------------------------------------------------------===//

int deviceCount() {
  if (!Driver::problem().empty())
    return 0;
  int count = 0;
  Result result = Driver::get().cuDeviceGetCount(&count);
  return result == Success ? count : 0;
}

static DeviceInfo describeDevice(int index) {
  const Driver &driver = Driver::get();
  DeviceInfo info;
  info.index = index;
  driver.check(driver.cuDeviceGet(&info.handle, index), "cuDeviceGet");
  char name[256] = {};
  driver.check(driver.cuDeviceGetName(name, sizeof(name) - 1, info.handle),
               "cuDeviceGetName");
  info.name = name;
  auto attribute = [&](DeviceAttribute which, int &value) {
    driver.check(driver.cuDeviceGetAttribute(&value, which, info.handle),
                 "cuDeviceGetAttribute");
  };
  attribute(CapabilityMajor, info.major);
  attribute(CapabilityMinor, info.minor);
  attribute(MultiprocessorCount, info.multiprocessors);
  attribute(MaxSharedPerBlockOptin, info.sharedPerBlock);
  attribute(MaxSharedPerMultiprocessor, info.sharedPerMultiprocessor);
  attribute(L2CacheSize, info.l2Bytes);
  driver.check(driver.cuDeviceTotalMem_v2(&info.memoryBytes, info.handle),
               "cuDeviceTotalMem");
  driver.check(driver.cuDevicePrimaryCtxRetain(&info.context, info.handle),
               "cuDevicePrimaryCtxRetain");
  return info;
}

const DeviceInfo &device(int index) {
  static std::mutex &mutex = *new std::mutex;
  static auto &devices = *new std::deque<std::unique_ptr<DeviceInfo>>;
  std::lock_guard<std::mutex> lock(mutex);
  if (index < 0 || index >= deviceCount())
    fail(ErrorKind::Device, "there is no CUDA device ", index,
         "; this process sees ", deviceCount());
  if (devices.size() <= static_cast<size_t>(index))
    devices.resize(static_cast<size_t>(index) + 1);
  if (!devices[index])
    devices[index] = std::make_unique<DeviceInfo>(describeDevice(index));
  return *devices[index];
}

CurrentContext::CurrentContext(Context context) {
  const Driver &driver = Driver::get();
  driver.check(driver.cuCtxGetCurrent(&previous), "cuCtxGetCurrent");
  if (previous == context)
    return;
  driver.check(driver.cuCtxSetCurrent(context), "cuCtxSetCurrent");
  changed = true;
}

CurrentContext::~CurrentContext() {
  if (changed)
    Driver::get().cuCtxSetCurrent(previous);
}

bool isCapturing(const DeviceInfo &device, void *stream) {
  const Driver &driver = Driver::get();
  CurrentContext current(device.context);
  CaptureStatus status = CaptureNone;
  Result result =
      driver.cuStreamIsCapturing(static_cast<Stream>(stream), &status);
  if (result == ErrorStreamCaptureImplicit)
    return true; // the legacy stream, while another stream is captured
  driver.check(result, "cuStreamIsCapturing");
  return status != CaptureNone;
}

//===----------------------------------------------------------------------===//
// PTX to machine code
//===----------------------------------------------------------------------===//

std::string assemble(std::string_view ptx, const DeviceInfo &device) {
  const Driver &driver = Driver::get();
  CurrentContext current(device.context);
  std::string log(16384, '\0');
  JitOption options[] = {ErrorLogBuffer, ErrorLogSize};
  void *values[] = {log.data(), reinterpret_cast<void *>(log.size())};
  LinkState state = nullptr;
  driver.check(driver.cuLinkCreate_v2(2, options, values, &state),
               "cuLinkCreate");
  struct Destroy {
    const Driver &driver;
    LinkState state;
    ~Destroy() { driver.cuLinkDestroy(state); }
  } destroy{driver, state};

  std::string text(ptx); // with a zero at its end, as the driver wants it
  Result result =
      driver.cuLinkAddData_v2(state, InputPtx, text.data(), text.size() + 1,
                              "kernel", 0, nullptr, nullptr);
  driver.check(result, "cuLinkAddData", log.c_str());
  void *cubin = nullptr;
  size_t size = 0;
  result = driver.cuLinkComplete(state, &cubin, &size);
  driver.check(result, "cuLinkComplete", log.c_str());
  return std::string(static_cast<const char *>(cubin), size);
}

} // namespace ramify::runtime::cuda
