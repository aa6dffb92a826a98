// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- CPULoaderTest.cpp - Objects linked into the process ----------------===//
//
// With the object file of test/Runtime/Kernel.c, which has every kind of data
// and calls; CPUTest.cpp runs what the compiler makes.
//
//===----------------------------------------------------------------------===//

#include "ramify/Target/CPULoader.h"

#include <atomic>
#include <cstdint>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using ramify::LoadedObject;

namespace {

std::string testObject() {
  std::ifstream file(RAMIFY_TEST_KERNEL, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::shared_ptr<LoadedObject> load(const std::vector<std::string> &names) {
  std::string error;
  auto object = LoadedObject::load(testObject(), names, error);
  EXPECT_EQ(error, "");
  return object;
}

/// Why an object cannot be loaded.
std::string errorOf(const std::string &bytes,
                    const std::vector<std::string> &names = {"mark_packed"}) {
  std::string error;
  EXPECT_FALSE(LoadedObject::load(bytes, names, error));
  return error;
}

using ScaleRows = void (*)(const float *, int64_t, int64_t, int64_t, float,
                           float *, int64_t, int64_t);

/// Whether the kernel computes, and counts its call.
bool runs(const LoadedObject &object) {
  auto *kernel = reinterpret_cast<ScaleRows>(object.addresses()[0]);
  int &calls = *static_cast<int *>(object.addresses()[1]);
  int before = calls;
  float x[6] = {0, 1, 2, 3, 4, 5}, out[4] = {9, 9, 9, 9};
  kernel(x, 2, 2, 3, 0.5f, out, 0, 2);
  return out[0] == 0 && out[1] == 1 && out[2] == 1.5f && out[3] == 4 &&
         calls == before + 1;
}

TEST(CPULoader, LinksCodeDataAndFunctionsOfTheProcess) {
  auto object = load({"scale_rows", "calls"});
  ASSERT_TRUE(object);
  EXPECT_TRUE(runs(*object));
}

TEST(CPULoader, TwoObjectsHaveTheirOwnData) {
  auto first = load({"calls"}), second = load({"calls"});
  *static_cast<int *>(first->addresses()[0]) = 7;
  EXPECT_EQ(*static_cast<int *>(second->addresses()[0]), 0);
  first.reset();
  EXPECT_EQ(*static_cast<int *>(second->addresses()[0]), 0);
}

TEST(CPULoader, ThreadsMayLoadAtOnce) {
  std::vector<std::thread> threads;
  std::vector<int> good(4);
  for (int &count : good)
    threads.emplace_back([&count] {
      for (int i = 0; i < 20; ++i)
        count += runs(*load({"scale_rows", "calls"}));
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(good, std::vector<int>(4, 20));
}

/// What a child of this process returns.
int inAChild(int (*work)(const LoadedObject &), const LoadedObject &object) {
  pid_t child = ::fork();
  if (child == 0) {
    ::alarm(20);
    ::_exit(work(object));
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(CPULoader, AForkedChildRunsAndLoads) {
  auto object = load({"scale_rows", "calls"});
  std::atomic<bool> stop = false;
  std::thread other([&] { // so that the loader is mostly busy
    while (!stop)
      load({"mark_packed"});
  });
  auto work = [](const LoadedObject &loaded) {
    return runs(loaded) && runs(*load({"scale_rows", "calls"})) ? 42 : 1;
  };
  for (int i = 0; i < 10; ++i)
    EXPECT_EQ(inAChild(work, *object), 42);
  stop = true;
  other.join();
}

TEST(CPULoader, OtherFilesAreErrors) {
  EXPECT_NE(errorOf(""), "");
  EXPECT_EQ(errorOf(std::string(1000, 'x')),
            "object code cannot be loaded: Unsupported file format");
  std::string arm = testObject();
  arm[18] = static_cast<char>(183); // e_machine
  EXPECT_NE(errorOf(arm), "");
}

TEST(CPULoader, WhatIsMissingIsNamed) {
  EXPECT_NE(errorOf(testObject(), {"nothing_packed"}).find("nothing_packed"),
            std::string::npos);
  std::string bytes = testObject();
  size_t at = bytes.find("memset");
  ASSERT_NE(at, std::string::npos);
  bytes.replace(at, 6, "memsat");
  EXPECT_NE(errorOf(bytes, {"scale_rows"}).find("memsat"), std::string::npos);
}

TEST(CPULoader, EveryTruncationIsAnError) {
  std::string bytes = testObject();
  for (size_t size = 0; size < bytes.size(); size += 7)
    EXPECT_NE(errorOf(bytes.substr(0, size)), "") << size << " bytes";
}

} // namespace
