// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Loads a relocatable ELF object for x86-64, as LLVM's code generator writes
// it, so that compiled CPU kernels run without LLVM: sections are laid out in
// one mapping, relocated, and made executable. Functions that the object does
// not define (memcpy, expf ...) come from the process. The bytes are not
// trusted to be well-formed, only not to be hostile: the cache checks who wrote
// them.

#ifndef RAMIFY_RUNTIME_OBJECTFILE_H
#define RAMIFY_RUNTIME_OBJECTFILE_H

#include <map>
#include <string>
#include <string_view>

namespace ramify::runtime {

class ObjectFile {
public:
  /// Loads the object. Throws Error(Plan) if it is damaged, Error(Unsupported)
  /// if it is for another machine or uses what the loader does not know.
  explicit ObjectFile(std::string_view bytes);
  ~ObjectFile();
  ObjectFile(const ObjectFile &) = delete;
  ObjectFile &operator=(const ObjectFile &) = delete;

  /// The address of a global symbol, or null.
  void *find(const std::string &name) const;

private:
  std::map<std::string, void *> symbols;
  void *mapping = nullptr;
  size_t mappingSize = 0;
};

} // namespace ramify::runtime

#endif
