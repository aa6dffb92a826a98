// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "runtime/Cache.h"
#include "runtime/Sha256.h"

#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace ramify::runtime;
namespace fs = std::filesystem;

namespace {

class CacheTest : public testing::Test {
protected:
  void SetUp() override {
    std::string pattern =
        (fs::temp_directory_path() / "ramify-cache-XXXXXX").string();
    folder = mkdtemp(pattern.data());
  }
  void TearDown() override { fs::remove_all(folder); }

  /// The only entry file.
  fs::path entryFile() {
    for (const auto &item : fs::directory_iterator(folder + "/kernels-1"))
      if (item.path().extension() == ".plan")
        return item.path();
    return {};
  }
  static void write(const fs::path &path, const std::string &bytes) {
    std::ofstream(path, std::ios::binary) << bytes;
  }

  std::string folder;
  CacheEntry entry{std::string("key\0of hsa", 10), "hsa bf16",
                   std::string(300, 'p')};
};

TEST(Sha256, KnownDigests) {
  EXPECT_EQ(hex(sha256("")),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(hex(sha256("abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(
      hex(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")),
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(hex(sha256(std::string(1000000, 'a'))),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_F(CacheTest, StoresAndFinds) {
  Cache cache(folder);
  EXPECT_EQ(cache.problem(), "");
  EXPECT_FALSE(cache.find(entry.key));
  EXPECT_TRUE(cache.store(entry));
  std::optional<CacheEntry> found = Cache(folder).find(entry.key);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->payload, entry.payload);
  EXPECT_EQ(found->description, entry.description);
  EXPECT_FALSE(cache.find("another key"));
  EXPECT_TRUE(cache.takeWarnings().empty());
}

TEST_F(CacheTest, TheFolderIsPrivate) {
  Cache cache(folder + "/new/cache");
  struct stat info;
  ASSERT_EQ(stat(cache.path().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
  cache.store(entry);
  ASSERT_EQ(stat((cache.path() + "/" + cache.list()[0].name).c_str(), &info),
            0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST_F(CacheTest, AFolderThatOthersMayWriteToIsNotUsed) {
  Cache(folder).store(entry);
  fs::permissions(folder + "/kernels-1", fs::perms::all);
  Cache cache(folder);
  EXPECT_NE(cache.problem().find("can be written by others"),
            std::string::npos);
  EXPECT_FALSE(cache.find(entry.key));
  EXPECT_FALSE(cache.store(entry));
}

TEST_F(CacheTest, ALinkInPlaceOfTheFolderIsNotUsed) {
  fs::create_directory(folder + "/elsewhere");
  fs::create_directory_symlink("elsewhere", folder + "/kernels-1");
  EXPECT_NE(Cache(folder).problem(), "");
}

TEST_F(CacheTest, EveryFlippedBitIsAMiss) {
  std::string bytes = encode(entry);
  std::string reason;
  ASSERT_TRUE(decode(bytes, reason));
  for (size_t i = 0; i < bytes.size(); ++i)
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = bytes;
      damaged[i] = static_cast<char>(damaged[i] ^ (1 << bit));
      reason.clear();
      EXPECT_FALSE(decode(damaged, reason)) << "byte " << i << ", bit " << bit;
      EXPECT_NE(reason, "");
    }
}

TEST_F(CacheTest, EveryTruncationAndExtensionIsAMiss) {
  std::string bytes = encode(entry);
  std::string reason;
  for (size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(decode(bytes.substr(0, size), reason)) << size << " bytes";
  EXPECT_FALSE(decode(bytes + '\0', reason));
}

TEST_F(CacheTest, DamageOnDiskIsAMissAndOneWarning) {
  Cache cache(folder);
  cache.store(entry);
  std::string bytes = encode(entry);
  for (size_t size :
       {size_t(0), size_t(1), bytes.size() / 2, bytes.size() - 1}) {
    write(entryFile(), bytes.substr(0, size));
    EXPECT_FALSE(cache.find(entry.key));
  }
  std::vector<std::string> warnings = cache.takeWarnings();
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_NE(warnings[0].find("ignored the damaged cache entry"),
            std::string::npos);
  EXPECT_NE(cache.list()[0].damage, "");
  cache.store(entry);
  EXPECT_TRUE(cache.find(entry.key));
}

TEST_F(CacheTest, AnEntryUnderAnothersNameIsAMiss) {
  Cache cache(folder);
  cache.store(entry);
  write(entryFile(), encode({"other key", "", "payload of another"}));
  EXPECT_FALSE(cache.find(entry.key));
  ASSERT_EQ(cache.takeWarnings().size(), 1u);
}

TEST_F(CacheTest, ListReadAndClear) {
  Cache cache(folder);
  cache.store(entry);
  cache.store({"second", "other", "p"});
  write(folder + "/kernels-1/.tmp-1-1", "half");
  ASSERT_EQ(cache.list().size(), 2u);
  std::string name = cache.list()[0].name;
  EXPECT_TRUE(cache.read(name.substr(0, 12)));
  EXPECT_FALSE(cache.read("")) << "an ambiguous prefix";
  EXPECT_EQ(cache.clear(), 2);
  EXPECT_TRUE(cache.list().empty());
  EXPECT_TRUE(fs::is_empty(folder + "/kernels-1"));
}

TEST_F(CacheTest, ManyProcessesWriteTheSameKeys) {
  constexpr int processes = 8, keys = 20, rounds = 10;
  auto payload = [](int key) {
    return std::string(1000 + key, static_cast<char>('a' + key));
  };
  std::vector<pid_t> children;
  for (int p = 0; p < processes; ++p) {
    pid_t child = fork();
    if (child == 0) {
      Cache cache(folder);
      bool right = true;
      for (int i = 0; i < keys * rounds; ++i) {
        int key = (i + p) % keys;
        right &= cache.store({std::to_string(key), "", payload(key)});
        std::optional<CacheEntry> found = cache.find(std::to_string(key));
        right &= found && found->payload == payload(key);
      }
      _exit(right && cache.takeWarnings().empty() ? 0 : 1);
    }
    children.push_back(child);
  }
  for (pid_t child : children) {
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  EXPECT_EQ(Cache(folder).list().size(), size_t(keys));
}

TEST_F(CacheTest, AKilledWriterLeavesNoDamage) {
  CacheEntry large{"large", "", std::string(1 << 20, 'x')};
  Cache(folder).clear(); // makes the folder
  for (int round = 0; round < 20; ++round) {
    pid_t child = fork();
    if (child == 0) {
      alarm(60); // should this process fail before it kills
      Cache cache(folder);
      for (;;)
        cache.store(large);
    }
    // The first is killed behind its first entry, the others anywhere.
    for (int wait = 0; wait < 20000 && entryFile().empty(); ++wait)
      usleep(1000);
    usleep(static_cast<useconds_t>(700 * round));
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    Cache cache(folder);
    if (std::optional<CacheEntry> found = cache.find(large.key))
      EXPECT_EQ(found->payload, large.payload);
    EXPECT_TRUE(cache.takeWarnings().empty());
  }
  EXPECT_TRUE(Cache(folder).find(large.key));
}

} // namespace
