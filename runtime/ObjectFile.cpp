// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "runtime/ObjectFile.h"

#include "runtime/Error.h"

#include <cstdint>
#include <cstring>
#include <dlfcn.h>
#include <elf.h>
#include <limits>
#include <sys/mman.h>
#include <unistd.h>
#include <vector>

namespace ramify::runtime {

namespace {

[[noreturn]] void damaged(const char *what) {
  fail(ErrorKind::Plan, "object code is damaged: ", what);
}

/// Reads an object's tables with bounds checks.
class Reader {
public:
  explicit Reader(std::string_view bytes) : bytes(bytes) {
    header = read<Elf64_Ehdr>(0);
    if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
        header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_type != ET_REL)
      damaged("not a relocatable 64-bit ELF file");
    if (header.e_machine != EM_X86_64)
      fail(ErrorKind::Unsupported, "object code is not for x86-64");
    for (unsigned i = 0; i < header.e_shnum; ++i)
      sections.push_back(
          read<Elf64_Shdr>(header.e_shoff + i * sizeof(Elf64_Shdr)));
  }

  template <typename T> T read(uint64_t offset) const {
    if (offset > bytes.size() || bytes.size() - offset < sizeof(T))
      damaged("cut short");
    T value;
    std::memcpy(&value, bytes.data() + offset, sizeof(T));
    return value;
  }

  std::string_view contents(const Elf64_Shdr &section) const {
    if (section.sh_offset > bytes.size() ||
        bytes.size() - section.sh_offset < section.sh_size)
      damaged("a section lies outside the file");
    return bytes.substr(section.sh_offset, section.sh_size);
  }

  const Elf64_Shdr &section(uint64_t index) const {
    if (index >= sections.size())
      damaged("no such section");
    return sections[index];
  }

  template <typename T> std::vector<T> table(const Elf64_Shdr &section) const {
    std::string_view raw = contents(section);
    std::vector<T> rows(raw.size() / sizeof(T));
    if (!rows.empty())
      std::memcpy(rows.data(), raw.data(), rows.size() * sizeof(T));
    return rows;
  }

  std::string string(const Elf64_Shdr &strings, uint64_t offset) const {
    std::string_view raw = contents(strings);
    size_t end =
        offset < raw.size() ? raw.find('\0', offset) : std::string_view::npos;
    if (end == std::string_view::npos)
      damaged("a name has no end");
    return std::string(raw.substr(offset, end - offset));
  }

  std::vector<Elf64_Shdr> sections;

private:
  std::string_view bytes;
  Elf64_Ehdr header;
};

/// Places sections in a mapping and applies their relocations.
class Loader {
public:
  Loader(std::string_view bytes, std::map<std::string, void *> &exported)
      : reader(bytes), exported(exported) {}

  void load(void *&mapping, size_t &mappingSize) {
    size_t size = layOut();
    mappingSize = size;
    mapping = ::mmap(nullptr, size, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapping == MAP_FAILED) {
      mapping = nullptr;
      fail(ErrorKind::Plan, "no memory for ", size, " bytes of code");
    }
    base = static_cast<uint8_t *>(mapping);
    copySections();
    readSymbols();
    for (const Elf64_Shdr &section : reader.sections)
      if (section.sh_type == SHT_RELA)
        relocate(section);
    protect();
  }

private:
  static constexpr size_t slotSize = 16; // of the jump and address table

  static bool isLoaded(const Elf64_Shdr &section) {
    return (section.sh_flags & SHF_ALLOC) != 0 && section.sh_size != 0;
  }

  /// Gives each loaded section its offset: read-only ones and code first, then
  /// the table of outside addresses, then, on pages of its own, what is
  /// written.
  size_t layOut() {
    offsets.assign(reader.sections.size(), 0);
    size_t top = 0;
    place(false, top);
    tableOffset = (top + slotSize - 1) / slotSize * slotSize;
    for (const Elf64_Shdr &section : reader.sections)
      if (section.sh_type == SHT_SYMTAB)
        top = tableOffset + slotSize * (section.sh_size / sizeof(Elf64_Sym));
    size_t page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
    writableOffset = top = (top + page) / page * page;
    place(true, top);
    return (top + page) / page * page;
  }

  void place(bool writable, size_t &top) {
    constexpr uint64_t limit = uint64_t(1) << 30;
    for (size_t i = 0; i < offsets.size(); ++i) {
      const Elf64_Shdr &section = reader.sections[i];
      if (!isLoaded(section) ||
          ((section.sh_flags & SHF_WRITE) != 0) != writable)
        continue;
      uint64_t align = std::max<uint64_t>(section.sh_addralign, 1);
      if (align > 4096 || (align & (align - 1)) != 0 ||
          section.sh_size > limit || top > limit)
        damaged("a section's size or alignment");
      top = (top + align - 1) / align * align;
      offsets[i] = top;
      top += section.sh_size;
    }
  }

  void copySections() {
    for (size_t i = 0; i < offsets.size(); ++i) {
      const Elf64_Shdr &section = reader.sections[i];
      if (!isLoaded(section) || section.sh_type == SHT_NOBITS)
        continue;
      std::string_view contents = reader.contents(section);
      std::memcpy(base + offsets[i], contents.data(), contents.size());
    }
  }

  void readSymbols() {
    for (const Elf64_Shdr &section : reader.sections) {
      if (section.sh_type != SHT_SYMTAB)
        continue;
      const Elf64_Shdr &strings = reader.section(section.sh_link);
      for (const Elf64_Sym &symbol : reader.table<Elf64_Sym>(section))
        addresses.push_back(addressOf(symbol, strings));
    }
  }

  uint64_t addressOf(const Elf64_Sym &symbol, const Elf64_Shdr &strings) {
    if (symbol.st_shndx == SHN_ABS)
      return symbol.st_value;
    if (symbol.st_shndx == SHN_UNDEF)
      return symbol.st_name ? outside(reader.string(strings, symbol.st_name),
                                      ELF64_ST_BIND(symbol.st_info) == STB_WEAK)
                            : 0;
    if (symbol.st_shndx >= SHN_LORESERVE)
      fail(ErrorKind::Unsupported, "object code has a symbol in section ",
           symbol.st_shndx);
    const Elf64_Shdr &section = reader.section(symbol.st_shndx);
    if (symbol.st_value > section.sh_size)
      damaged("a symbol lies outside its section");
    uint64_t address = reinterpret_cast<uint64_t>(base) +
                       offsets[symbol.st_shndx] + symbol.st_value;
    if (ELF64_ST_BIND(symbol.st_info) != STB_LOCAL && isLoaded(section))
      exported[reader.string(strings, symbol.st_name)] =
          reinterpret_cast<void *>(address);
    return address;
  }

  static uint64_t outside(const std::string &name, bool optional) {
    void *found = ::dlsym(RTLD_DEFAULT, name.c_str());
    if (!found) {
      static void *const math = ::dlopen("libm.so.6", RTLD_NOW | RTLD_LOCAL);
      found = math ? ::dlsym(math, name.c_str()) : nullptr;
    }
    if (!found && !optional && name != "_GLOBAL_OFFSET_TABLE_")
      fail(ErrorKind::Plan, "object code needs the function '", name,
           "', which is not there");
    return reinterpret_cast<uint64_t>(found);
  }

  /// The table's slot of a symbol: `jmp *[rip]` over its address, so that both
  /// a call and a load of the address reach any distance.
  uint64_t slot(uint64_t symbol, bool code) {
    uint8_t *place = base + tableOffset + slotSize * symbol;
    static constexpr uint8_t jump[8] = {0xff, 0x25, 0x02, 0, 0, 0, 0x90, 0x90};
    std::memcpy(place, jump, sizeof(jump));
    std::memcpy(place + 8, &addresses[symbol], 8);
    return reinterpret_cast<uint64_t>(code ? place : place + 8);
  }

  void relocate(const Elf64_Shdr &table) {
    const Elf64_Shdr &target = reader.section(table.sh_info);
    if (!isLoaded(target))
      return;
    for (const Elf64_Rela &row : reader.table<Elf64_Rela>(table)) {
      uint64_t symbol = ELF64_R_SYM(row.r_info);
      if (symbol >= addresses.size() || row.r_offset > target.sh_size ||
          target.sh_size - row.r_offset < width(row))
        damaged("a relocation lies outside its section");
      apply(row, base + offsets[table.sh_info] + row.r_offset, symbol);
    }
  }

  static size_t width(const Elf64_Rela &row) {
    uint32_t type = ELF64_R_TYPE(row.r_info);
    return type == R_X86_64_64 || type == R_X86_64_PC64 ? 8 : 4;
  }

  void apply(const Elf64_Rela &row, uint8_t *place, uint64_t symbol) {
    uint64_t here = reinterpret_cast<uint64_t>(place);
    uint64_t address = addresses[symbol];
    uint64_t addend = static_cast<uint64_t>(row.r_addend);
    switch (ELF64_R_TYPE(row.r_info)) {
    case R_X86_64_NONE:
      return;
    case R_X86_64_64:
      return store64(place, address + addend);
    case R_X86_64_PC64:
      return store64(place, address + addend - here);
    case R_X86_64_PLT32:
    case R_X86_64_PC32:
      if (!fits(address + addend - here))
        address = slot(symbol, true);
      return store32(place, address + addend - here);
    case R_X86_64_GOTPCREL:
    case R_X86_64_GOTPCRELX:
    case R_X86_64_REX_GOTPCRELX:
      return store32(place, slot(symbol, false) + addend - here);
    case R_X86_64_32S:
      return store32(place, address + addend);
    default:
      fail(ErrorKind::Unsupported, "object code has a relocation of type ",
           ELF64_R_TYPE(row.r_info));
    }
  }

  static bool fits(uint64_t value) {
    auto number = static_cast<int64_t>(value);
    return number == static_cast<int32_t>(number);
  }

  static void store64(uint8_t *place, uint64_t value) {
    std::memcpy(place, &value, 8);
  }
  static void store32(uint8_t *place, uint64_t value) {
    if (!fits(value))
      fail(ErrorKind::Unsupported, "object code is not position-independent");
    auto low = static_cast<uint32_t>(value);
    std::memcpy(place, &low, 4);
  }

  void protect() {
    if (writableOffset &&
        ::mprotect(base, writableOffset, PROT_READ | PROT_EXEC) != 0)
      fail(ErrorKind::Plan,
           "the system does not allow code to be made executable");
  }

  Reader reader;
  std::map<std::string, void *> &exported;
  std::vector<size_t> offsets;     // of the sections in the mapping
  std::vector<uint64_t> addresses; // of the symbols
  size_t tableOffset = 0;
  size_t writableOffset = 0;
  uint8_t *base = nullptr;
};

} // namespace

ObjectFile::ObjectFile(std::string_view bytes) {
  try {
    Loader(bytes, symbols).load(mapping, mappingSize);
  } catch (...) {
    if (mapping)
      ::munmap(mapping, mappingSize);
    throw;
  }
}

ObjectFile::~ObjectFile() {
  if (mapping)
    ::munmap(mapping, mappingSize);
}

void *ObjectFile::find(const std::string &name) const {
  auto it = symbols.find(name);
  return it == symbols.end() ? nullptr : it->second;
}

} // namespace ramify::runtime
