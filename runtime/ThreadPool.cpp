// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "runtime/ThreadPool.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <pthread.h>
#include <sched.h>
#include <thread>

namespace ramify::runtime {

namespace {

constexpr int maxThreads = 1024;
/// Chunks per thread: enough that a slow thread holds up nobody for long.
constexpr int64_t chunksPerThread = 8;

struct Job {
  RangeFunction function;
  void *context;
  int64_t total;
  int64_t chunk;
  std::atomic<int64_t> next = 0;

  void work() {
    for (;;) {
      int64_t begin = next.fetch_add(chunk, std::memory_order_relaxed);
      if (begin >= total)
        return;
      function(context, begin, std::min(begin + chunk, total));
    }
  }
};

class Pool {
public:
  /// Runs `job` with up to `helpers` more threads. False if the pool is busy.
  bool run(Job &job, int helpers) {
    std::unique_lock<std::mutex> caller(callerMutex, std::try_to_lock);
    if (!caller.owns_lock())
      return false;
    grow(helpers);
    {
      std::lock_guard<std::mutex> lock(mutex);
      current = &job;
      seats = std::min(helpers, workers);
    }
    wake.notify_all();
    job.work();
    std::unique_lock<std::mutex> lock(mutex);
    current = nullptr; // nobody joins any more
    idle.wait(lock, [&] { return active == 0; });
    return true;
  }

private:
  void grow(int count) {
    for (; workers < count; ++workers) {
      try {
        std::thread([this] { serve(); }).detach();
      } catch (const std::system_error &) {
        return; // the system has no more threads: fewer do
      }
    }
  }

  void serve() {
    std::unique_lock<std::mutex> lock(mutex);
    for (;;) {
      wake.wait(lock, [&] { return current && seats > 0; });
      Job *job = current;
      --seats;
      ++active;
      lock.unlock();
      job->work();
      lock.lock();
      if (--active == 0)
        idle.notify_one();
    }
  }

  std::mutex callerMutex; // held while a job runs
  int workers = 0;        // guarded by callerMutex

  std::mutex mutex; // guards what follows
  std::condition_variable wake, idle;
  Job *current = nullptr;
  int seats = 0;  // workers that may still join the job
  int active = 0; // workers on the job
};

std::atomic<Pool *> pool = nullptr;

/// The process's pool. It is never destroyed: its threads may outlive main().
Pool &thePool() {
  static const bool made = [] {
    pool = new Pool;
    // The child has none of the parent's threads, and locks in any state.
    ::pthread_atfork(nullptr, nullptr, [] { pool = new Pool; });
    return true;
  }();
  (void)made;
  return *pool.load();
}

} // namespace

void parallelFor(int64_t total, int threads, RangeFunction function,
                 void *context) {
  if (total <= 0)
    return;
  threads = std::clamp(threads, 1, maxThreads);
  threads = static_cast<int>(std::min<int64_t>(threads, total));
  int64_t chunk = std::max<int64_t>(1, total / (threads * chunksPerThread));
  Job job{function, context, total, chunk};
  if (threads == 1 || !thePool().run(job, threads - 1))
    function(context, 0, total);
}

int availableCores() {
  cpu_set_t set;
  if (::sched_getaffinity(0, sizeof(set), &set) == 0)
    return std::max(1, CPU_COUNT(&set));
  return std::max(1u, std::thread::hardware_concurrency());
}

} // namespace ramify::runtime
