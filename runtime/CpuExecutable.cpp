// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "runtime/Error.h"
#include "runtime/Executable.h"
#include "runtime/ObjectFile.h"
#include "runtime/ThreadPool.h"

#include <cstring>

namespace ramify::runtime {

namespace {

using PackedEntry = void (*)(void **);

class CpuExecutable : public Executable {
public:
  CpuExecutable(Plan plan, KernelResolver resolve, void *context)
      : Executable(std::move(plan)) {
    for (const Code &code : this->plan().codes)
      if (code.kind == CodeKind::Object)
        objects.push_back(std::make_unique<ObjectFile>(code.bytes));
    for (const std::string &kernel : this->plan().kernels())
      entries.push_back(entryOf(kernel, resolve, context));
  }

  void launch(const ReadyLaunch &launch, ParameterList &parameters,
              const RunContext &context) const override;

  void fill(void *data, int byte, int64_t size,
            const RunContext &) const override {
    std::memset(data, byte, static_cast<size_t>(size));
  }

private:
  PackedEntry entryOf(const std::string &kernel, KernelResolver resolve,
                      void *context) const {
    void *entry = resolve ? resolve(context, kernel) : nullptr;
    for (const auto &object : objects)
      if (!entry)
        entry = object->find(kernel + "_packed");
    if (!entry)
      fail(ErrorKind::Plan, "plan of ", plan().function, ": no object defines ",
           kernel, "_packed");
    return reinterpret_cast<PackedEntry>(entry);
  }

  std::vector<std::unique_ptr<ObjectFile>> objects;
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
    std::vector<void *> pointers;
    pointers.reserve(launch->count + 4);
    pointers.assign(launch->parameters, launch->parameters + launch->count);
    for (int64_t *value : {&begin, &end, &nx, &ny})
      pointers.push_back(value);
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

std::shared_ptr<Executable> loadForCpu(Plan plan, KernelResolver resolve,
                                       void *context) {
  if (plan.backend != Backend::Cpu)
    fail(ErrorKind::Plan, "plan of ", plan.function, " is not for the CPU");
  return std::make_shared<CpuExecutable>(std::move(plan), resolve, context);
}

} // namespace ramify::runtime
