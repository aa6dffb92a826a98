// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "RuntimeDevice.h"

#include "ReleasedGil.h"
#include "RuntimeThreads.h"

#include "ramify/Target/KnownTargets.h"
#include "runtime/Driver.h"

#include <chrono>

namespace py = pybind11;

namespace ramify::bindings {

namespace cuda = runtime::cuda;

static py::dict describe(int index) {
  const cuda::DeviceInfo &info = cuda::device(index);
  return py::dict(
      py::arg("name") = info.name,
      py::arg("capability") = py::make_tuple(info.major, info.minor),
      py::arg("multiprocessors") = info.multiprocessors,
      py::arg("shared_per_block") = info.sharedPerBlock,
      py::arg("shared_per_multiprocessor") = info.sharedPerMultiprocessor,
      py::arg("l2_bytes") = info.l2Bytes,
      py::arg("memory_bytes") = info.memoryBytes);
}

/// The architecture that a GPU's kernels are compiled for; None if it is too
/// old for all.
static py::object targetFor(int major, int minor) {
  const GPUTarget *target = targetForDevice(major, minor);
  if (!target)
    return py::none();
  return py::str(target->name.data(), target->name.size());
}

static py::bytes assemble(const std::string &ptx, int index) {
  std::string cubin;
  {
    ReleasedGil release;
    cubin = cuda::assemble(ptx, cuda::device(index));
  }
  return py::bytes(cubin);
}

static constexpr char emptyKernel[] = ".version 7.0\n"
                                      ".target sm_80\n"
                                      ".address_size 64\n"
                                      ".visible .entry empty() { ret; }\n";

/// Host time in us of launching a kernel that does nothing, on the default
/// stream: what no call can be faster than.
static double measureLaunch(int launches, int index) {
  const cuda::Driver &driver = cuda::Driver::get();
  cuda::CurrentContext current(cuda::device(index).context);
  cuda::Module module = nullptr;
  driver.check(
      driver.cuModuleLoadDataEx(&module, emptyKernel, 0, nullptr, nullptr),
      "cuModuleLoadDataEx");
  cuda::Function function = nullptr;
  driver.check(driver.cuModuleGetFunction(&function, module, "empty"),
               "cuModuleGetFunction");
  auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < launches; ++i)
    driver.check(driver.cuLaunchKernel(function, 1, 1, 1, 32, 1, 1, 0, nullptr,
                                       nullptr, nullptr),
                 "cuLaunchKernel");
  std::chrono::duration<double, std::micro> spent =
      std::chrono::steady_clock::now() - start;
  return spent.count() / launches;
}

void bindDevice(py::module_ &module) {
  module.def("cuda_problem", &cuda::Driver::problem,
             "Why there is no usable CUDA driver; empty if there is one.");
  module.def("cuda_device_count", &cuda::deviceCount);
  module.def("cuda_device", &describe, py::arg("index") = 0,
             "Name, capability, multiprocessors and memory sizes of a device.");
  module.def("target_for", &targetFor, py::arg("major"), py::arg("minor"),
             "The architecture to compile for on a GPU of this compute "
             "capability; None if there is none.");
  module.def("assemble", &assemble, py::arg("ptx"), py::arg("index") = 0,
             "PTX to a cubin for the device, by the driver's compiler. "
             "DeviceError with its log.");
  module.def("measure_launch", &measureLaunch, py::arg("launches") = 2000,
             py::arg("index") = 0,
             "Host time in us of launching a kernel that does nothing.");
  module.def("thread_count", &threadCount,
             "Threads that a call on the CPU gets now.");
}

} // namespace ramify::bindings
