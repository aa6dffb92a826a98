// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "runtime/Cache.h"

#include "runtime/Error.h"
#include "runtime/Sha256.h"

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <dirent.h>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>

namespace ramify::runtime {

namespace {

constexpr std::string_view extension = ".plan";
constexpr std::string_view temporaryPrefix = ".tmp-";
constexpr off_t maxFileSize = off_t(1) << 30;
constexpr time_t leftoverAge =
    3600; // seconds after which a temporary file has no writer any more

/// A file descriptor that closes itself.
class File {
public:
  explicit File(int fd) : fd(fd) {}
  ~File() {
    if (fd >= 0)
      ::close(fd);
  }
  File(const File &) = delete;
  File &operator=(const File &) = delete;
  operator int() const { return fd; }

private:
  int fd;
};

std::string fileName(const std::string &key) {
  return hex(sha256(key)) + std::string(extension);
}

std::string systemError() { return std::strerror(errno); }

std::string environment(const char *name) {
  const char *value = std::getenv(name);
  return value ? value : "";
}

} // namespace

std::string Cache::defaultFolder() {
  if (std::string own = environment("RAMIFY_CACHE_DIR"); !own.empty())
    return own;
  if (std::string xdg = environment("XDG_CACHE_HOME"); !xdg.empty())
    return xdg + "/ramify";
  std::string home = environment("HOME");
  return home.empty() ? "" : home + "/.cache/ramify";
}

Cache::Cache(std::string folder) { open(folder); }

Cache::~Cache() {
  if (folderFd >= 0)
    ::close(folderFd);
}

void Cache::open(const std::string &folder) {
  if (folder.empty()) {
    trouble =
        "there is no home folder to keep the cache in; set RAMIFY_CACHE_DIR";
    return;
  }
  folderPath = folder + "/kernels-1";
  std::error_code ignored;
  std::filesystem::create_directories(folder, ignored);
  if (::mkdir(folderPath.c_str(), 0700) != 0 && errno != EEXIST) {
    trouble = concat("cannot make ", folderPath, ": ", systemError());
    return;
  }
  File fd(::open(folderPath.c_str(),
                 O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct stat info;
  if (fd < 0 || ::fstat(fd, &info) != 0)
    trouble = concat("cannot open ", folderPath, ": ", systemError());
  else if (info.st_uid != ::geteuid())
    trouble = folderPath + " belongs to another user";
  else if (info.st_mode & 022)
    trouble = folderPath + " can be written by others; expected mode 0700";
  else
    folderFd = ::dup(fd);
}

void Cache::warn(const std::string &file, const std::string &message) {
  std::lock_guard<std::mutex> lock(mutex);
  if (warned.insert(file).second)
    warnings.push_back(message);
}

std::vector<std::string> Cache::takeWarnings() {
  std::lock_guard<std::mutex> lock(mutex);
  return std::exchange(warnings, {});
}

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

std::optional<std::string> Cache::readFile(const std::string &name,
                                           std::string &reason) {
  reason.clear();
  if (folderFd < 0)
    return std::nullopt;
  File fd(::openat(folderFd, name.c_str(),
                   O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
  if (fd < 0) {
    if (errno != ENOENT)
      reason = systemError();
    return std::nullopt;
  }
  struct stat info;
  if (::fstat(fd, &info) != 0 || !S_ISREG(info.st_mode) ||
      info.st_uid != ::geteuid() || info.st_size > maxFileSize) {
    reason = "not a file of this user";
    return std::nullopt;
  }
  std::string bytes(static_cast<size_t>(info.st_size), '\0');
  size_t done = 0;
  while (done < bytes.size()) {
    ssize_t count = ::read(fd, bytes.data() + done, bytes.size() - done);
    if (count < 0 && errno == EINTR)
      continue;
    if (count <= 0)
      break;
    done += static_cast<size_t>(count);
  }
  bytes.resize(done);
  return bytes;
}

std::optional<CacheEntry> Cache::find(const std::string &key) {
  std::string name = fileName(key);
  std::string reason;
  std::optional<CacheEntry> entry;
  if (std::optional<std::string> bytes = readFile(name, reason))
    entry = decode(*bytes, reason);
  if (entry && entry->key != key) {
    entry.reset();
    reason = "written for another key";
  }
  if (!entry && !reason.empty())
    warn(name, concat("ignored the damaged cache entry ", folderPath, "/", name,
                      " (", reason, "); it will be made again"));
  return entry;
}

//===----------------------------------------------------------------------===//
// Writing
//===----------------------------------------------------------------------===//

bool Cache::writeFile(const std::string &name, const std::string &bytes) {
  File fd(::openat(folderFd, name.c_str(),
                   O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (fd < 0)
    return false;
  size_t done = 0;
  while (done < bytes.size()) {
    ssize_t count = ::write(fd, bytes.data() + done, bytes.size() - done);
    if (count < 0 && errno == EINTR)
      continue;
    if (count <= 0)
      return false;
    done += static_cast<size_t>(count);
  }
  return true;
}

bool Cache::store(const CacheEntry &entry) {
  if (folderFd < 0)
    return false;
  sweep();
  static std::atomic<unsigned> counter = 0;
  timespec now;
  ::clock_gettime(CLOCK_REALTIME, &now);
  // Unique among the processes of this machine and, by the time, of others that
  // share the folder.
  std::string temporary = concat(temporaryPrefix, ::getpid(), "-", now.tv_sec,
                                 "-", now.tv_nsec, "-", counter++);
  std::string name = fileName(entry.key);
  if (writeFile(temporary, encode(entry)) &&
      ::renameat(folderFd, temporary.c_str(), folderFd, name.c_str()) == 0)
    return true;
  warn("",
       concat("cannot write to the cache ", folderPath, ": ", systemError()));
  ::unlinkat(folderFd, temporary.c_str(), 0);
  return false;
}

//===----------------------------------------------------------------------===//
// The whole folder
//===----------------------------------------------------------------------===//

std::vector<std::string> Cache::files() const {
  std::vector<std::string> names;
  if (folderFd < 0)
    return names;
  DIR *directory = ::opendir(folderPath.c_str());
  if (!directory)
    return names;
  while (dirent *item = ::readdir(directory))
    names.emplace_back(item->d_name);
  ::closedir(directory);
  return names;
}

/// Removes what killed writers left, once per process.
void Cache::sweep() {
  if (std::exchange(swept, true))
    return;
  for (const std::string &name : files()) {
    struct stat info;
    if (name.starts_with(temporaryPrefix) &&
        ::fstatat(folderFd, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 &&
        ::time(nullptr) - info.st_mtime > leftoverAge)
      ::unlinkat(folderFd, name.c_str(), 0);
  }
}

std::vector<Cache::Listed> Cache::list() {
  std::vector<Listed> result;
  for (const std::string &name : files()) {
    struct stat info;
    if (!name.ends_with(extension) ||
        ::fstatat(folderFd, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0)
      continue;
    Listed listed{name, "", info.st_size, info.st_mtime, ""};
    if (std::optional<std::string> bytes = readFile(name, listed.damage))
      if (std::optional<CacheEntry> entry = decode(*bytes, listed.damage))
        listed.description = entry->description;
    result.push_back(std::move(listed));
  }
  return result;
}

std::optional<CacheEntry> Cache::read(const std::string &prefix) {
  std::string match;
  for (const std::string &name : files()) {
    if (!name.ends_with(extension) || !name.starts_with(prefix))
      continue;
    if (!match.empty())
      return std::nullopt;
    match = name;
  }
  std::string reason;
  if (match.empty())
    return std::nullopt;
  std::optional<std::string> bytes = readFile(match, reason);
  return bytes ? decode(*bytes, reason) : std::nullopt;
}

int64_t Cache::clear() {
  int64_t removed = 0;
  for (const std::string &name : files()) {
    bool isEntry = name.ends_with(extension);
    if (!isEntry && !name.starts_with(temporaryPrefix))
      continue;
    if (::unlinkat(folderFd, name.c_str(), 0) == 0 && isEntry)
      ++removed;
  }
  return removed;
}

} // namespace ramify::runtime
