// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- CPULoader.h - Object code into this process --------------*- C++ -*-===//
//
// Kernels for the CPU are kept as relocatable ELF objects (CPU.h); here LLVM's
// ORC links one into the process. This takes neither MLIR nor a code generator:
// a kernel from the disk cache is linked in a tenth of a millisecond, the first
// of a process in three.
// The header needs nothing of LLVM, so that users with exceptions and RTTI can
// include it.
//
//===----------------------------------------------------------------------===//

#ifndef RAMIFY_TARGET_CPULOADER_H
#define RAMIFY_TARGET_CPULOADER_H

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace ramify {

/// The code and data of one object, in memory as long as this lives. Objects do
/// not see each other's symbols; of the process they see what a code generator
/// takes for granted: memcpy, memmove and memset.
class LoadedObject {
public:
  /// Links an object and finds the functions `names` in it. Null after an
  /// error, with its text in `error`. The bytes are not needed afterwards. They
  /// are trusted to be what a code generator wrote: of damage, only what shows
  /// in the object's tables is an error (the disk cache has checksums).
  static std::shared_ptr<LoadedObject>
  load(std::string_view bytes, const std::vector<std::string> &names,
       std::string &error);

  ~LoadedObject();
  LoadedObject(const LoadedObject &) = delete;
  LoadedObject &operator=(const LoadedObject &) = delete;

  /// The addresses of the functions asked for, in their order.
  const std::vector<void *> &addresses() const { return found; }

private:
  explicit LoadedObject(void *library) : library(library) {}

  void *library; // its llvm::orc::JITDylib
  std::vector<void *> found;
};

} // namespace ramify

#endif // RAMIFY_TARGET_CPULOADER_H
