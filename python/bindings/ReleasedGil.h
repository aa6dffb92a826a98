// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs the rest of a block without the GIL, and comes back to it at the end.
//
// pybind11's own class ends the process when a daemon thread comes back while
// the interpreter is shutting down: Python then ends the thread by an exception
// that no destructor may let pass. Here the thread waits for the end of the
// process instead, as Python does from version 3.14 on.

#ifndef RAMIFY_BINDINGS_RELEASEDGIL_H
#define RAMIFY_BINDINGS_RELEASEDGIL_H

#include <Python.h>

#include <unistd.h>

namespace ramify::bindings {

class ReleasedGil {
public:
  ReleasedGil() : state(PyEval_SaveThread()) {}
  ReleasedGil(const ReleasedGil &) = delete;
  ReleasedGil &operator=(const ReleasedGil &) = delete;

  ~ReleasedGil() {
    try {
      PyEval_RestoreThread(state);
    } catch (...) {
      for (;;)
        ::pause();
    }
  }

private:
  PyThreadState *state;
};

} // namespace ramify::bindings

#endif
