// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A jitted function as Python calls it: arguments to kernel launch without
// running Python, except for the first call of each kind.

#ifndef RAMIFY_BINDINGS_RUNTIMEDISPATCHER_H
#define RAMIFY_BINDINGS_RUNTIMEDISPATCHER_H

#include "RuntimeArguments.h"
#include "RuntimeCaptures.h"
#include "RuntimeOutput.h"

#include "runtime/Executable.h"

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>

namespace ramify::bindings {

class Dispatcher {
public:
  Dispatcher(std::shared_ptr<Signature> signature, pybind11::object compile,
             pybind11::object onTorch, pybind11::object watch);
  ~Dispatcher();

  pybind11::object call(const CallArguments &given);
  /// The executable that a call would run, compiled if need be.
  std::shared_ptr<runtime::Executable> prepare(const CallArguments &given);
  /// What the compile function would be given for this call.
  pybind11::dict describe(const CallArguments &given) const;
  /// Whether `call` takes all keywords as they are.
  bool takes(const CallArguments &given) const;

  size_t size() const { return entries.size(); }
  void clear();

private:
  struct Entry {
    std::shared_ptr<runtime::Executable> executable;
    std::vector<int> parameters; // of the plan's arguments, in order
  };
  using EntryRef = std::shared_ptr<const Entry>;
  struct KeyHash {
    size_t operator()(const Key &key) const;
  };

  EntryRef entryFor(const Arguments &arguments, const ArrayMaker &maker);
  EntryRef find(const Key &key);
  EntryRef compileOnce(const Key &key, const Arguments &arguments,
                       const ArrayMaker &maker);
  EntryRef compileEntry(const Arguments &arguments, const ArrayMaker &maker);
  std::vector<int> match(const runtime::Plan &plan,
                         const Arguments &arguments) const;
  pybind11::object callTorch(const CallArguments &given) const;
  pybind11::object run(const Entry &entry, const Arguments &arguments,
                       ArrayMaker &maker) const;

  std::shared_ptr<Signature> signature;
  pybind11::object compile, onTorch;
  Captures captures;
  std::unordered_map<Key, EntryRef, KeyHash> entries;
  /// The entry that was found last, which most calls want again.
  const std::pair<const Key, EntryRef> *last = nullptr;
  uint64_t cleared = 0; // how often

  // Who compiles what now: each key is compiled by one thread, others wait.
  // The map is guarded by the GIL.
  std::unordered_map<Key, std::thread::id, KeyHash> inFlight;
  void waitForCompilation();
  void forgetParent();
  struct Waiting {
    std::mutex mutex; // `finished` is written under the GIL and it
    std::condition_variable changed;
  };
  std::unique_ptr<Waiting> waiting;
  uint64_t finished = 0;
  int process; // the one that `inFlight` speaks of
};

void bindDispatcher(pybind11::module_ &module);

} // namespace ramify::bindings

#endif
