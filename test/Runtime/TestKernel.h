// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef RAMIFY_TEST_RUNTIME_TESTKERNEL_H
#define RAMIFY_TEST_RUNTIME_TESTKERNEL_H

#include <fstream>
#include <iterator>
#include <string>

/// The bytes of Kernel.c's object file.
inline std::string testKernel() {
  std::ifstream file(RAMIFY_TEST_KERNEL, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

#endif
