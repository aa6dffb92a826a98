// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// All workspaces of a call stand in one piece of memory. One begins behind
// those that are there, and its place is free again at the end of its block:
//
//     workspace a [4096]           a
//     do {
//       workspace b [1024]         a b
//     }
//     for w < 2 {
//       workspace c [2048]         a c
//       do { workspace d [512] }   a c d
//     }

#ifndef RAMIFY_RUNTIME_WORKSPACE_H
#define RAMIFY_RUNTIME_WORKSPACE_H

#include "runtime/Plan.h"

namespace ramify::runtime {

/// Elements of an array that the plan makes. Throws Error(Argument) where no
/// memory is large enough.
int64_t countElements(const Plan &plan, int value,
                      std::span<const int64_t> environment);

/// From the start of a workspace to that of the next, which is aligned to 256
/// bytes.
int64_t slotBytes(const Plan &plan, int value,
                  std::span<const int64_t> environment);

/// The most that the workspaces of a call take at a time. Of the environment,
/// symbols of blocks are overwritten.
int64_t workspaceBytes(const Plan &plan, std::span<int64_t> environment);

} // namespace ramify::runtime

#endif
