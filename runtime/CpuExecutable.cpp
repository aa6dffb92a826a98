// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "runtime/Error.h"
#include "runtime/Executable.h"
#include "runtime/ThreadPool.h"

#include <algorithm>
#include <cstring>

namespace ramify::runtime {

namespace {

using PackedEntry = void (*)(void **);

class CpuExecutable : public Executable {
public:
  CpuExecutable(Plan plan, CpuKernels kernels)
      : Executable(std::move(plan)), owner(std::move(kernels.owner)) {
    for (const std::string &kernel : this->plan().kernels()) {
      auto it = kernels.entries.find(kernel);
      if (it == kernels.entries.end())
        fail(ErrorKind::Plan, "plan of ", this->plan().function,
             ": the code of ", kernel, " has not been loaded");
      entries.push_back(it->second);
    }
  }

  void launch(const ReadyLaunch &launch, ParameterList &parameters,
              const RunContext &context) const override;

  void fill(void *data, int byte, int64_t size,
            const RunContext &) const override {
    std::memset(data, byte, static_cast<size_t>(size));
  }

private:
  std::shared_ptr<const void> owner;
  std::vector<PackedEntry> entries;
};

/// One launch, as the threads see it.
struct CpuLaunch {
  PackedEntry entry;
  void *const *parameters;
  size_t count;
  int64_t nx, ny;

  static void run(void *self, int64_t begin, int64_t end) {
    auto *launch = static_cast<CpuLaunch *>(self);
    int64_t nx = launch->nx, ny = launch->ny;
    InlineArray<void *, 104> pointers(launch->count + 4);
    void **rest =
        std::copy_n(launch->parameters, launch->count, pointers.begin());
    for (int64_t *value : {&begin, &end, &nx, &ny})
      *rest++ = value;
    launch->entry(pointers.data());
  }
};

void CpuExecutable::launch(const ReadyLaunch &launch, ParameterList &parameters,
                           const RunContext &context) const {
  auto [nx, ny, nz] = launch.grid;
  int64_t total = 0;
  if (__builtin_mul_overflow(nx, ny, &total) ||
      __builtin_mul_overflow(total, nz, &total))
    fail(ErrorKind::Argument, plan().function, "(): a grid of ", nx, " x ", ny,
         " x ", nz, " programs is too large");
  CpuLaunch work{entries[launch.kernel], parameters.data(), parameters.size(),
                 nx, ny};
  parallelFor(total, context.threads, CpuLaunch::run, &work);
}

} // namespace

std::shared_ptr<Executable> loadForCpu(Plan plan, CpuKernels kernels) {
  if (plan.backend != Backend::Cpu)
    fail(ErrorKind::Plan, "plan of ", plan.function, " is not for the CPU");
  return std::make_shared<CpuExecutable>(std::move(plan), std::move(kernels));
}

} // namespace ramify::runtime
