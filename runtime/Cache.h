// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The disk cache: a folder with one file per entry, named after the SHA-256 of
// its key.
//
// Any number of processes may use one folder at once without locks: an entry is
// written under a temporary name and renamed into place, so a reader sees a
// whole file or none; two writers of one key write the same thing. A file that
// is damaged, or that was written for another key, is a miss and one warning.
// Nothing here throws for the disk's sake: without a usable folder, every
// look-up is a miss, every store does nothing, and problem() says why.
//
// The folder is made with mode 0700. One that belongs to somebody else, or that
// others may write to, is not used: whoever can write an entry decides what
// code runs.

#ifndef RAMIFY_RUNTIME_CACHE_H
#define RAMIFY_RUNTIME_CACHE_H

#include "runtime/CacheEntry.h"

#include <cstdint>
#include <mutex>
#include <set>
#include <vector>

namespace ramify::runtime {

class Cache {
public:
  /// Uses `folder`/kernels-1; makes what is missing of it.
  explicit Cache(std::string folder);
  ~Cache();
  Cache(const Cache &) = delete;
  Cache &operator=(const Cache &) = delete;

  /// RAMIFY_CACHE_DIR, or ramify in XDG_CACHE_HOME or ~/.cache. Empty if there
  /// is no home.
  static std::string defaultFolder();

  std::optional<CacheEntry> find(const std::string &key);
  /// Whether the entry stands on the disk now.
  bool store(const CacheEntry &entry);

  struct Listed {
    std::string name; // the file's
    std::string description;
    int64_t bytes = 0;
    int64_t modified = 0; // seconds since 1970
    std::string damage;   // empty if the entry is whole
  };
  std::vector<Listed> list();
  /// One entry by the beginning of its name, if exactly one begins so.
  std::optional<CacheEntry> read(const std::string &prefix);
  /// Removes all entries and left-overs; returns the number of entries removed.
  int64_t clear();

  /// The folder with the entries.
  const std::string &path() const { return folderPath; }
  /// Why the cache is not used; empty if it is.
  const std::string &problem() const { return trouble; }
  /// Warnings since the last call, each told once per file and process.
  std::vector<std::string> takeWarnings();

private:
  void open(const std::string &folder);
  void warn(const std::string &file, const std::string &message);
  std::optional<std::string> readFile(const std::string &name,
                                      std::string &reason);
  bool writeFile(const std::string &name, const std::string &bytes);
  std::vector<std::string> files() const;
  void sweep();

  std::string folderPath;
  std::string trouble;
  int folderFd = -1;
  bool swept = false;
  std::mutex mutex; // guards the warnings
  std::set<std::string> warned;
  std::vector<std::string> warnings;
};

} // namespace ramify::runtime

#endif
