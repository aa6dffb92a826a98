// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "BuildId.h"

#include <cstdint>
#include <cstring>
#include <link.h>

namespace {
struct Search {
  uintptr_t address;
  std::string found;
};
} // namespace

static std::string hexadecimal(const unsigned char *bytes, size_t count) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text;
  for (size_t i = 0; i < count; ++i) {
    text += digits[bytes[i] >> 4];
    text += digits[bytes[i] & 15];
  }
  return text;
}

/// Looks through one PT_NOTE segment.
static std::string readNotes(const char *begin, size_t size) {
  for (size_t at = 0; at + sizeof(ElfW(Nhdr)) <= size;) {
    ElfW(Nhdr) note;
    std::memcpy(&note, begin + at, sizeof(note));
    size_t name = at + sizeof(note);
    size_t data = name + ((note.n_namesz + 3) & ~size_t(3));
    if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 &&
        std::memcmp(begin + name, "GNU", 4) == 0)
      return hexadecimal(reinterpret_cast<const unsigned char *>(begin + data),
                         note.n_descsz);
    at = data + ((note.n_descsz + 3) & ~size_t(3));
  }
  return "";
}

/// Finds the object that holds the address, then its note.
static int visit(dl_phdr_info *info, size_t, void *data) {
  auto *search = static_cast<Search *>(data);
  bool inside = false;
  std::string notes;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const ElfW(Phdr) &segment = info->dlpi_phdr[i];
    uintptr_t begin = info->dlpi_addr + segment.p_vaddr;
    if (segment.p_type == PT_LOAD)
      inside |= search->address - begin < segment.p_memsz;
    if (segment.p_type == PT_NOTE && notes.empty())
      notes = readNotes(reinterpret_cast<const char *>(begin), segment.p_memsz);
  }
  if (inside)
    search->found = notes;
  return inside;
}

std::string ramify::buildId() {
  Search search{reinterpret_cast<uintptr_t>(&visit), ""};
  dl_iterate_phdr(visit, &search);
  return search.found;
}
