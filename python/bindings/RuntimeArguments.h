// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The arguments of one call: bound to a signature, read, checked, and turned
// into the key of the kernel that they need.

#ifndef RAMIFY_BINDINGS_RUNTIMEARGUMENTS_H
#define RAMIFY_BINDINGS_RUNTIMEARGUMENTS_H

#include "CallArguments.h"
#include "RuntimeSignature.h"

#include <vector>

namespace ramify::bindings {

using Key = std::vector<uint64_t>;

/// Thrown where an argument is a tensor without memory (ArrayType::isTraced).
struct TracedTensor {
  std::string label;
};

class Arguments {
public:
  explicit Arguments(const Signature &signature);

  /// Binds, reads and checks; throws what the caller did wrong, or a
  /// TracedTensor. The call's objects are borrowed: they must outlive this.
  void read(const CallArguments &call);

  /// Everything that compiled code may depend on, in place of what `key` held.
  void writeKey(Key &key) const;
  /// The same for people and compilers.
  pybind11::dict describe() const;

  /// Whether an array wants a gradient (PyTorch's `requires_grad`).
  bool requiresGrad() const;

  bool isAbsent(int parameter) const {
    return slots[parameter].state == State::Absent;
  }
  bool isArray(int parameter) const {
    return slots[parameter].state == State::Array;
  }
  const ArrayView &array(int parameter) const { return slots[parameter].view; }
  uint64_t scalarBits(int parameter) const { return slots[parameter].scalar; }

  /// The first array, which decides the device and the kind of the results.
  PyObject *leader() const { return slots[leaderIndex].object; }
  const ArrayType &leaderType() const { return *slots[leaderIndex].type; }
  const ArrayDevice &device() const { return slots[leaderIndex].view.device; }

private:
  enum class State { Unset, Absent, Array, Scalar, Constexpr };
  struct Slot {
    PyObject *object = nullptr; // borrowed
    pybind11::object converted; // what `object` is then, if not the caller's
    State state = State::Unset;
    const ArrayType *type = nullptr;
    ArrayView view;
    const std::vector<DimSpec> *shape = nullptr;
    uint64_t scalar = 0;
    bool aligned = false;
  };

  void bind(const CallArguments &call);
  void readParameter(int index);
  void readArray(int index);
  void readShape(int index);
  void readLayout(int index);
  static bool liesInPairs(const ArrayView &view);
  void readScalar(int index);
  void readConstexpr(int index);
  void readEntries(const Parameter &p, PyObject *object);
  void checkDType(int index) const;
  void checkDevice(int index);
  void setSymbol(int symbol, int64_t value);
  void runChecks() const;
  std::string fill(const std::string &message) const;
  std::string shapeText(const std::vector<DimSpec> &shape) const;

  const Signature &signature;
  runtime::InlineArray<Slot, 16> slots;
  runtime::InlineArray<int64_t, 64> values; // of the symbols
  struct Origin {
    int parameter = -1; // -1: unbound
    int axis = 0;
  };
  runtime::InlineArray<Origin, 64> origins;
  int leaderIndex = -1;
};

} // namespace ramify::bindings

#endif
