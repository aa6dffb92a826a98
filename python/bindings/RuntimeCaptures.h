// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a function's kernels depend on beside its arguments: a number of its
// module, a function that it calls. Whether anything has changed is a look at
// each place, as cheap as Python's own look at a name; only then is Python
// asked.

#ifndef RAMIFY_BINDINGS_RUNTIMECAPTURES_H
#define RAMIFY_BINDINGS_RUNTIMECAPTURES_H

#include <pybind11/pybind11.h>

#include <string>
#include <vector>

namespace ramify::bindings {

class Captures {
public:
  /// `watch`: None, or what Dispatcher's documentation says.
  explicit Captures(pybind11::object watch);

  /// Whether kernels made since the last call of this may be wrong now.
  bool changed();

private:
  struct Watched {
    pybind11::object place; // a dict or a cell
    pybind11::object name;
    pybind11::object value;

    bool isInPlace() const;
  };

  pybind11::object watch;
  bool known = false;
  std::string text;
  std::vector<Watched> places;
};

} // namespace ramify::bindings

#endif
