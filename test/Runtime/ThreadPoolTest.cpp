// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "runtime/ThreadPool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <sched.h>
#include <set>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

using namespace ramify::runtime;

namespace {

struct Counts {
  explicit Counts(int64_t total) : hits(static_cast<size_t>(total)) {}
  std::vector<std::atomic<int>> hits;

  static void add(void *self, int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      ++static_cast<Counts *>(self)->hits[i];
  }
  bool allOnce() const {
    for (const auto &hit : hits)
      if (hit != 1)
        return false;
    return true;
  }
};

bool runsEachOnce(int64_t total, int threads) {
  Counts counts(total);
  parallelFor(total, threads, Counts::add, &counts);
  return counts.allOnce();
}

TEST(ThreadPool, EveryNumberRunsOnce) {
  for (int64_t total : {0, 1, 2, 7, 64, 1000, 100000})
    for (int threads : {-1, 1, 2, 3, 8, 64})
      EXPECT_TRUE(runsEachOnce(total, threads)) << total << " on " << threads;
}

TEST(ThreadPool, OneThreadIsTheCallers) {
  struct Seen {
    std::set<std::thread::id> ids;
  } seen;
  parallelFor(
      100, 1,
      [](void *s, int64_t, int64_t) {
        static_cast<Seen *>(s)->ids.insert(std::this_thread::get_id());
      },
      &seen);
  EXPECT_EQ(seen.ids, std::set<std::thread::id>{std::this_thread::get_id()});
}

TEST(ThreadPool, WorkIsShared) {
  // Two ranges that wait for each other finish only on two threads.
  std::atomic<int> arrived = 0;
  parallelFor(
      2, 2,
      [](void *counter, int64_t begin, int64_t end) {
        auto &arrived = *static_cast<std::atomic<int> *>(counter);
        arrived += static_cast<int>(end - begin);
        while (arrived < 2)
          std::this_thread::yield();
      },
      &arrived);
  EXPECT_EQ(arrived, 2);
}

TEST(ThreadPool, NestedAndConcurrentCalls) {
  std::atomic<int> right = 0;
  auto outer = [](void *counter, int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      *static_cast<std::atomic<int> *>(counter) += runsEachOnce(100, 4);
  };
  std::vector<std::thread> callers;
  for (int i = 0; i < 4; ++i)
    callers.emplace_back([&] { parallelFor(50, 4, outer, &right); });
  for (std::thread &caller : callers)
    caller.join();
  EXPECT_EQ(right, 200);
}

TEST(ThreadPool, AForkedChildHasAPoolOfItsOwn) {
  ASSERT_TRUE(runsEachOnce(1000, 4));
  for (int round = 0; round < 5; ++round) {
    pid_t child = fork();
    if (child == 0) {
      alarm(20); // a deadlock ends as a failure
      _exit(runsEachOnce(1000, 4) && runsEachOnce(1000, 8) ? 0 : 1);
    }
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  EXPECT_TRUE(runsEachOnce(1000, 4));
}

TEST(ThreadPool, ForkWhileAnotherThreadWorks) {
  std::atomic<bool> stop = false;
  std::thread busy([&] {
    while (!stop)
      runsEachOnce(2000, 4);
  });
  for (int round = 0; round < 10; ++round) {
    pid_t child = fork();
    if (child == 0) {
      alarm(20);
      std::atomic<int> sum = 0;
      parallelFor(
          100, 4,
          [](void *s, int64_t begin, int64_t end) {
            *static_cast<std::atomic<int> *>(s) +=
                static_cast<int>(end - begin);
          },
          &sum);
      _exit(sum == 100 ? 0 : 1);
    }
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  stop = true;
  busy.join();
}

TEST(ThreadPool, CoresAreThoseOfTheProcess) {
  cpu_set_t all, one;
  ASSERT_EQ(sched_getaffinity(0, sizeof(all), &all), 0);
  EXPECT_EQ(availableCores(), CPU_COUNT(&all));
  int first = 0;
  while (!CPU_ISSET(first, &all))
    ++first;
  CPU_ZERO(&one);
  CPU_SET(first, &one);
  ASSERT_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
  EXPECT_EQ(availableCores(), 1);
  sched_setaffinity(0, sizeof(all), &all);
}

} // namespace
