// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Plans on a CUDA device.

#ifndef RAMIFY_RUNTIME_CUDAEXECUTABLE_H
#define RAMIFY_RUNTIME_CUDAEXECUTABLE_H

#include "runtime/Driver.h"
#include "runtime/Executable.h"

namespace ramify::runtime {

/// The code of the plan that suits a device of this capability best, or null:
/// a cubin of its architecture, else PTX that it can compile. "sm_90a" runs on
/// 9.0 alone; a cubin for sm_80 on 8.x, PTX for sm_80 on everything newer.
const Code *chooseCode(const Plan &plan, int major, int minor);

/// What the driver says of a loaded kernel.
struct KernelInfo {
  std::string name;
  int registers = 0;
  int localBytes = 0; // spills, per thread
  int staticSharedBytes = 0;
  int maxThreads = 0;
};

class CudaExecutable : public Executable {
public:
  CudaExecutable(Plan plan, const cuda::DeviceInfo &device);

  std::vector<KernelInfo> kernelInfo() const;
  const cuda::DeviceInfo &device() const { return theDevice; }

  int multiprocessors() const override { return theDevice.multiprocessors; }
  void runSteps(const RunContext &context, void (*steps)(void *),
                void *argument) const override;
  void launch(const ReadyLaunch &launch, ParameterList &parameters,
              const RunContext &context) const override;
  void fill(void *data, int byte, int64_t size,
            const RunContext &context) const override;
  ParameterList::Map encode(const TensorMap &map, DType dtype,
                            const ArrayRef &array) const override;

private:
  struct Kernel {
    cuda::Function function = nullptr;
    mutable int64_t sharedAllowed = 48 * 1024; // dynamic bytes
  };
  /// Unloads what it holds, also when a constructor fails after loading.
  struct OwnedModule {
    cuda::Module module = nullptr;
    cuda::Context context = nullptr;
    ~OwnedModule();
  };
  void loadModule(const Code &code);
  void allowShared(const ReadyLaunch &launch, const Kernel &kernel) const;

  const cuda::Driver &driver;
  const cuda::DeviceInfo &theDevice;
  OwnedModule owned;
  std::vector<Kernel> kernels;
};

std::shared_ptr<CudaExecutable> loadForCuda(Plan plan, int device);

} // namespace ramify::runtime

#endif
