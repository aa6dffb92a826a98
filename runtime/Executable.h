// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A plan with its code loaded for one device, and one call of it.
//
//     std::shared_ptr<Executable> hsa = loadForCpu(Plan::parse(bytes),
//     kernels); Invocation call(*hsa); call.setArray(0, {q, sizes, strides});
//     ...  call.setScalar(5, bits);
//     call.bind(); // checks sizes, computes shapes; for each result r:
//     call.setData(r, allocate(call.byteSize(r)));
//     call.setWorkspace(allocate(call.workspaceBytes()));
//     call.run({.threads = 8});

#ifndef RAMIFY_RUNTIME_EXECUTABLE_H
#define RAMIFY_RUNTIME_EXECUTABLE_H

#include "runtime/InlineArray.h"
#include "runtime/Plan.h"

#include <map>
#include <memory>

namespace ramify::runtime {

struct ArrayRef {
  void *data = nullptr;
  const int64_t *sizes = nullptr;
  const int64_t *strides = nullptr; // in elements
};

/// Where and how one call runs.
struct RunContext {
  void *stream = nullptr; // CUDA
  int threads = 1;        // CPU
};

/// The parameters of one launch: a pointer to each value, as a kernel wants it.
class ParameterList {
public:
  /// 128 bytes, as the driver encodes a tensor map.
  struct alignas(64) Map {
    uint64_t words[16];
  };

  /// For up to `valueCount` numbers and pointers and `mapCount` tensor maps.
  ParameterList(size_t valueCount, size_t mapCount)
      : values(valueCount), maps(mapCount), pointers(valueCount + mapCount) {}

  void push(uint64_t value) {
    values[numValues] = value;
    pointers[count++] = &values[numValues++];
  }
  void push(const Map &map) {
    maps[numMaps] = map;
    pointers[count++] = &maps[numMaps++];
  }
  void **data() { return pointers.data(); }
  size_t size() const { return count; }

private:
  InlineArray<uint64_t, 96> values;
  InlineArray<Map, 4> maps;
  InlineArray<void *, 100> pointers;
  size_t numValues = 0, numMaps = 0, count = 0;
};

/// What a launch step has come to in one call.
struct ReadyLaunch {
  int kernel = 0; // position in Plan::kernels()
  std::array<int64_t, 3> grid = {};
  int64_t sharedBytes = 0;
  const Launch *step = nullptr;
};

class Executable {
public:
  explicit Executable(Plan plan);
  virtual ~Executable();

  const Plan &plan() const { return thePlan; }
  const std::vector<SymbolSource> &symbolSources() const { return sources; }
  int kernelIndex(const std::string &kernel) const;

  /// Multiprocessors, for `sms`.
  virtual int multiprocessors() const { return 1; }
  /// Called around the steps of one call.
  virtual void runSteps(const RunContext &context, void (*steps)(void *),
                        void *argument) const;
  virtual void launch(const ReadyLaunch &launch, ParameterList &parameters,
                      const RunContext &context) const = 0;
  virtual void fill(void *data, int byte, int64_t size,
                    const RunContext &context) const = 0;
  virtual ParameterList::Map encode(const TensorMap &map, DType dtype,
                                    const ArrayRef &array) const;

private:
  Plan thePlan;
  std::vector<SymbolSource> sources;
  std::vector<std::string> kernelNames;
};

/// One call. Values are numbered as in the plan.
class Invocation {
public:
  explicit Invocation(const Executable &executable);

  void setArray(int value, const ArrayRef &array);
  /// The scalar's bits in the low bytes.
  void setScalar(int value, uint64_t bits);

  /// Takes all arguments as given: checks them against each other and the
  /// plan's constants, and computes shapes. Throws Error(Argument).
  void bind();

  /// The shape of a result, after bind().
  const int64_t *sizes(int value) const { return bound[value].sizes; }
  int rank(int value) const { return bound[value].rank; }
  int64_t byteSize(int value) const;
  /// The memory of a result.
  void setData(int value, void *data) { bound[value].data = data; }

  /// The memory for all workspaces, after bind(); none is needed if it is 0.
  int64_t workspaceBytes() const { return workspaceSize; }
  void setWorkspace(void *data) { workspace = static_cast<char *>(data); }

  void run(const RunContext &context);

private:
  struct Bound {
    void *data = nullptr;
    uint64_t scalar = 0;
    int rank = 0;
    int64_t sizes[maxRank];
    int64_t strides[maxRank];
  };

  int64_t symbolValue(const SymbolSource &source) const;
  int64_t alignmentOf(int value) const;
  int64_t spanOf(int value) const;
  void checkArgument(int value) const;
  void computeShape(int value);
  void runSteps(const std::vector<Step> &steps);
  void perform(const Launch &launch);
  void perform(const Memset &memset);
  void perform(const Let &let);
  void perform(const Make &make);
  void perform(const View &view);
  void perform(const Scope &scope);
  void perform(const Loop &loop);
  void perform(const Guard &guard);
  void pushOperand(const Operand &operand, ParameterList &parameters) const;
  int64_t evaluate(const Expr &expr) const {
    return expr.evaluate(environment);
  }

  const Executable &executable;
  const Plan &plan;
  InlineArray<Bound, 16> bound;
  InlineArray<int64_t, 64> environment;
  int64_t workspaceSize = 0;
  int64_t workspaceTop = 0; ///< bytes that are taken
  char *workspace = nullptr;
  const RunContext *context = nullptr;
};

/// Kernels for this machine's processor. The runtime links no object code
/// itself: whoever has a linker (ramify/Target/CPULoader.h, or that of the
/// program that the kernels are part of) says where they are.
struct CpuKernels {
  /// The packed entries, by the names of the kernels; see Plan.h.
  std::map<std::string, void (*)(void **)> entries;
  /// What keeps their code in memory; null if it stays for ever.
  std::shared_ptr<const void> owner;
};

/// A plan on the CPU. Throws Error(Plan) if one of its kernels is missing.
std::shared_ptr<Executable> loadForCpu(Plan plan, CpuKernels kernels);

} // namespace ramify::runtime

#endif
