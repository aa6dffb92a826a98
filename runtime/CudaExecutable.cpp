// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "runtime/CudaExecutable.h"

#include "runtime/Error.h"

#include <algorithm>
#include <charconv>

namespace ramify::runtime {

using namespace cuda;

const Code *chooseCode(const Plan &plan, int major, int minor) {
  const Code *best = nullptr;
  int bestScore = 0;
  int capability = 10 * major + minor;
  for (const Code &code : plan.codes) {
    std::string_view target = code.target;
    if (!target.starts_with("sm_") || code.kind == CodeKind::Object)
      continue;
    int arch = 0;
    auto [end, error] =
        std::from_chars(target.data() + 3, target.data() + target.size(), arch);
    bool exact =
        end != target.data() + target.size(); // "a": no forward compatibility
    bool binary = code.kind == CodeKind::Cubin;
    bool suits = exact    ? arch == capability
                 : binary ? arch / 10 == major && arch <= capability
                          : arch <= capability;
    int score = 4 * arch + 2 * exact + binary;
    if (error == std::errc() && suits && score > bestScore) {
      best = &code;
      bestScore = score;
    }
  }
  return best;
}

CudaExecutable::CudaExecutable(Plan thePlan, const DeviceInfo &device)
    : Executable(std::move(thePlan)), driver(Driver::get()), theDevice(device) {
  const Code *code = chooseCode(plan(), device.major, device.minor);
  if (!code)
    fail(ErrorKind::Unsupported, "plan of ", plan().function,
         " has no code for ", device.name, " (compute capability ",
         device.major, ".", device.minor, ")");
  CurrentContext current(theDevice.context);
  loadModule(*code);
  for (const std::string &name : plan().kernels()) {
    Kernel kernel;
    driver.check(driver.cuModuleGetFunction(&kernel.function, owned.module,
                                            name.c_str()),
                 "cuModuleGetFunction", name);
    // Asking for an attribute also makes a driver that loads lazily load the
    // kernel now, not while a graph is captured.
    int registers = 0;
    driver.check(
        driver.cuFuncGetAttribute(&registers, Registers, kernel.function),
        "cuFuncGetAttribute", name);
    kernels.push_back(kernel);
  }
}

void CudaExecutable::loadModule(const Code &code) {
  std::string log(16384, '\0');
  JitOption options[] = {ErrorLogBuffer, ErrorLogSize};
  void *values[] = {log.data(), reinterpret_cast<void *>(log.size())};
  owned.context = theDevice.context;
  // std::string ends its bytes with the zero that the driver wants behind PTX.
  Result result = driver.cuModuleLoadDataEx(&owned.module, code.bytes.c_str(),
                                            2, options, values);
  driver.check(result, "cuModuleLoadDataEx", log.c_str());
}

CudaExecutable::OwnedModule::~OwnedModule() {
  if (!module)
    return;
  const Driver &driver = Driver::get();
  Context previous = nullptr;
  // No exceptions here: at the process's end the driver may be gone.
  if (driver.cuCtxGetCurrent(&previous) != Success)
    return;
  driver.cuCtxSetCurrent(context);
  driver.cuModuleUnload(module);
  driver.cuCtxSetCurrent(previous);
}

std::vector<KernelInfo> CudaExecutable::kernelInfo() const {
  CurrentContext current(theDevice.context);
  std::vector<KernelInfo> infos;
  std::vector<std::string> names = plan().kernels();
  for (size_t i = 0; i < kernels.size(); ++i) {
    KernelInfo info;
    info.name = names[i];
    auto attribute = [&](FunctionAttribute which, int &value) {
      driver.check(
          driver.cuFuncGetAttribute(&value, which, kernels[i].function),
          "cuFuncGetAttribute");
    };
    attribute(Registers, info.registers);
    attribute(LocalBytes, info.localBytes);
    attribute(StaticSharedBytes, info.staticSharedBytes);
    attribute(MaxThreadsPerBlock, info.maxThreads);
    infos.push_back(info);
  }
  return infos;
}

//===----------------------------------------------------------------------===//
// Running
//===----------------------------------------------------------------------===//

void CudaExecutable::runSteps(const RunContext &, void (*steps)(void *),
                              void *argument) const {
  CurrentContext current(theDevice.context);
  steps(argument);
}

void CudaExecutable::allowShared(const ReadyLaunch &launch,
                                 const Kernel &kernel) const {
  if (launch.sharedBytes <= kernel.sharedAllowed)
    return;
  if (launch.sharedBytes > theDevice.sharedPerBlock)
    fail(ErrorKind::Unsupported, plan().function, "(): the kernel ",
         launch.step->kernel, " needs ", launch.sharedBytes,
         " bytes of shared memory; ", theDevice.name, " has ",
         theDevice.sharedPerBlock, " per block");
  driver.check(driver.cuFuncSetAttribute(kernel.function, MaxDynamicSharedBytes,
                                         static_cast<int>(launch.sharedBytes)),
               "cuFuncSetAttribute", launch.step->kernel);
  kernel.sharedAllowed = launch.sharedBytes;
}

void CudaExecutable::launch(const ReadyLaunch &launch,
                            ParameterList &parameters,
                            const RunContext &context) const {
  const Kernel &kernel = kernels[launch.kernel];
  auto [x, y, z] = launch.grid;
  if (x > INT32_MAX || y > 65535 || z > 65535)
    fail(ErrorKind::Argument, plan().function, "(): a grid of ", x, " x ", y,
         " x ", z, " blocks is too large for a GPU");
  allowShared(launch, kernel);

  LaunchConfig config = {};
  config.gridX = static_cast<unsigned>(x);
  config.gridY = static_cast<unsigned>(y);
  config.gridZ = static_cast<unsigned>(z);
  config.blockX = static_cast<unsigned>(launch.step->block);
  config.blockY = config.blockZ = 1;
  config.sharedBytes = static_cast<unsigned>(launch.sharedBytes);
  config.stream = static_cast<Stream>(context.stream);
  const std::array<int64_t, 3> &cluster = launch.step->cluster;
  LaunchAttribute attribute = {};
  if (cluster != std::array<int64_t, 3>{1, 1, 1}) {
    attribute.id = LaunchAttribute::clusterDimension;
    attribute.value.cluster = {static_cast<unsigned>(cluster[0]),
                               static_cast<unsigned>(cluster[1]),
                               static_cast<unsigned>(cluster[2])};
    config.attributes = &attribute;
    config.attributeCount = 1;
    if (cluster[0] * cluster[1] * cluster[2] > 8)
      driver.check(driver.cuFuncSetAttribute(kernel.function,
                                             NonPortableClusterAllowed, 1),
                   "cuFuncSetAttribute", launch.step->kernel);
  }
  if (driver.cuLaunchKernelEx)
    return driver.check(driver.cuLaunchKernelEx(&config, kernel.function,
                                                parameters.data(), nullptr),
                        "cuLaunchKernelEx", launch.step->kernel);
  if (config.attributeCount)
    fail(ErrorKind::Unsupported,
         "clusters need a CUDA driver with cuLaunchKernelEx (11.8)");
  driver.check(driver.cuLaunchKernel(kernel.function, config.gridX,
                                     config.gridY, config.gridZ, config.blockX,
                                     1, 1, config.sharedBytes, config.stream,
                                     parameters.data(), nullptr),
               "cuLaunchKernel", launch.step->kernel);
}

void CudaExecutable::fill(void *data, int byte, int64_t size,
                          const RunContext &context) const {
  driver.check(driver.cuMemsetD8Async(reinterpret_cast<DevicePtr>(data),
                                      static_cast<unsigned char>(byte),
                                      static_cast<size_t>(size),
                                      static_cast<Stream>(context.stream)),
               "cuMemsetD8Async");
}

//===----------------------------------------------------------------------===//
// Tensor maps
//===----------------------------------------------------------------------===//

static TensorMapType tensorMapType(DType dtype) {
  switch (dtype) {
  case DType::F64:
    return MapF64;
  case DType::F32:
    return MapF32;
  case DType::F16:
  case DType::I16: // moved, never computed with
    return MapF16;
  case DType::BF16:
    return MapBF16;
  case DType::I64:
    return MapI64;
  case DType::I32:
    return MapI32;
  case DType::I8:
  case DType::U8:
  case DType::I1:
    break;
  }
  return MapU8;
}

ParameterList::Map CudaExecutable::encode(const TensorMap &map, DType dtype,
                                          const ArrayRef &array) const {
  if (!driver.cuTensorMapEncodeTiled)
    fail(ErrorKind::Unsupported, "tensor maps need a newer CUDA driver (12.0)");
  ParameterList::Map encoded = {};
  auto rank = static_cast<int>(map.box.size());
  if (std::find(array.sizes, array.sizes + rank, 0) != array.sizes + rank)
    return encoded; // nothing to load; the driver refuses empty tensors
  // The driver counts dimensions from the innermost.
  uint64_t sizes[5], strides[5];
  uint32_t box[5], steps[5];
  for (int i = 0; i < rank; ++i) {
    int d = rank - 1 - i;
    sizes[i] = static_cast<uint64_t>(array.sizes[d]);
    box[i] = static_cast<uint32_t>(map.box[d]);
    steps[i] = 1;
    if (i == 0)
      continue;
    // The stride of a dimension of size 1 means nothing, but is checked.
    strides[i - 1] =
        array.sizes[d] == 1
            ? 16
            : static_cast<uint64_t>(array.strides[d] * sizeOf(dtype));
  }
  int swizzle = map.swizzle == 128  ? 3
                : map.swizzle == 64 ? 2
                : map.swizzle == 32 ? 1
                                    : 0;
  driver.check(driver.cuTensorMapEncodeTiled(
                   &encoded, tensorMapType(dtype), static_cast<unsigned>(rank),
                   array.data, sizes, strides, box, steps, /*interleave=*/0,
                   swizzle, MapL2Promote128, /*outOfBounds=*/0),
               "cuTensorMapEncodeTiled", map.name);
  return encoded;
}

std::shared_ptr<CudaExecutable> loadForCuda(Plan plan, int index) {
  if (plan.backend != Backend::Cuda)
    fail(ErrorKind::Plan, "plan of ", plan.function, " is not for CUDA");
  return std::make_shared<CudaExecutable>(std::move(plan), device(index));
}

} // namespace ramify::runtime
