// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The threads that CPU kernels run on: one pool per process, started at its
// first use and grown to the largest number of threads asked for. The calling
// thread works too. A range is handed out in chunks to whoever is free. A call
// that finds the pool busy (another thread's, or one from inside a kernel) runs
// alone on its own thread. After fork() the child starts with a fresh pool.

#ifndef RAMIFY_RUNTIME_THREADPOOL_H
#define RAMIFY_RUNTIME_THREADPOOL_H

#include <cstdint>

namespace ramify::runtime {

/// Work on the linear numbers [begin, end).
using RangeFunction = void (*)(void *context, int64_t begin, int64_t end);

/// Calls `function` for disjoint ranges that make up [0, total), on up to
/// `threads` threads; returns when all are done.
void parallelFor(int64_t total, int threads, RangeFunction function,
                 void *context);

/// The number of cores that this process may use.
int availableCores();

} // namespace ramify::runtime

#endif
