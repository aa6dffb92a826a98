// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- CPULoader.cpp - Object code into this process ----------------------===//

#include "ramify/Target/CPULoader.h"

#include "llvm/ExecutionEngine/JITLink/JITLink.h"
#include "llvm/ExecutionEngine/JITLink/JITLinkMemoryManager.h"
#include "llvm/ExecutionEngine/Orc/Core.h"
#include "llvm/ExecutionEngine/Orc/ExecutorProcessControl.h"
#include "llvm/ExecutionEngine/Orc/ObjectLinkingLayer.h"
#include "llvm/Support/MemoryBuffer.h"

#include <cstring>
#include <mutex>
#include <pthread.h>

using namespace llvm;
using namespace llvm::orc;
using namespace ramify;

namespace {

/// ORC's session: the linker alone, none of the layers for LLVM IR that LLJIT
/// puts on top, for these would set up a code generator. There is one for the
/// process, made when the first object is loaded and never destroyed, since
/// kernels may live until the process ends.
class Linker {
public:
  static Linker &get() {
    static auto &linker = *new Linker();
    return linker;
  }

  /// The addresses of `names` in an object that `library` then holds.
  Expected<std::vector<void *>> link(JITDylib &library, MemoryBufferRef object,
                                     const std::vector<std::string> &names);

  /// A library for one object, which sees nothing but the process's symbols.
  JITDylib &createLibrary() {
    JITDylib &library =
        session.createBareJITDylib("object " + std::to_string(objectCount++));
    library.addToLinkOrder(process);
    return library;
  }
  void remove(JITDylib &library) { reportAll(session.removeJITDylib(library)); }
  void reportAll(Error error) {
    if (error)
      session.reportError(std::move(error));
  }

  /// Held around every use. Only one thread is ever inside ORC, and none while
  /// the process forks, so the child finds it in order.
  std::mutex mutex;
  /// What ORC has said about failures; lookups only tell that there was one.
  std::string log;

private:
  Linker();

  ExecutionSession session;
  ObjectLinkingLayer layer;
  JITDylib &process;
  size_t objectCount = 0;
};

} // namespace

/// This process, in which tasks run on the thread that causes them: a forked
/// child has no other thread of its parent.
static std::unique_ptr<ExecutorProcessControl> createProcessControl() {
  return cantFail(SelfExecutorProcessControl::Create(
      nullptr, std::make_unique<InPlaceTaskDispatcher>()));
}

Linker::Linker()
    : session(createProcessControl()), layer(session),
      process(session.createBareJITDylib("process")) {
  session.setErrorReporter([this](Error error) {
    if (!log.empty())
      log += "; ";
    log += toString(std::move(error));
  });
  SymbolMap symbols;
  auto define = [&](StringRef name, auto *function) {
    symbols[session.intern(name)] = {ExecutorAddr::fromPtr(function),
                                     JITSymbolFlags::Exported |
                                         JITSymbolFlags::Callable};
  };
  define("memcpy", &std::memcpy);
  define("memmove", &std::memmove);
  define("memset", &std::memset);
  cantFail(process.define(absoluteSymbols(std::move(symbols))));
  pthread_atfork([] { get().mutex.lock(); }, [] { get().mutex.unlock(); },
                 [] { get().mutex.unlock(); });
}

Expected<std::vector<void *>>
Linker::link(JITDylib &library, MemoryBufferRef object,
             const std::vector<std::string> &names) {
  auto graph = jitlink::createLinkGraphFromObject(object);
  if (!graph)
    return graph.takeError();
  const Triple &host = session.getTargetTriple();
  if ((*graph)->getTargetTriple().getArch() != host.getArch())
    return createStringError("it is for " +
                             (*graph)->getTargetTriple().getArchName() +
                             ", not for this processor, " + host.getArchName());
  if (Error error = layer.add(library, std::move(*graph)))
    return error;
  std::vector<void *> addresses;
  for (const std::string &name : names) {
    auto symbol = session.lookup({&library}, name);
    if (!symbol)
      return symbol.takeError();
    addresses.push_back(symbol->getAddress().toPtr<void *>());
  }
  return addresses;
}

std::shared_ptr<LoadedObject>
LoadedObject::load(std::string_view bytes,
                   const std::vector<std::string> &names, std::string &error) {
  Linker &linker = Linker::get();
  std::unique_lock<std::mutex> lock(linker.mutex);
  linker.log.clear();
  JITDylib &library = linker.createLibrary();
  auto found = linker.link(library, MemoryBufferRef(bytes, "object"), names);
  if (!found) {
    linker.reportAll(found.takeError());
    linker.remove(library);
    error = "object code cannot be loaded: " + linker.log;
    return nullptr;
  }
  std::shared_ptr<LoadedObject> object(new LoadedObject(&library));
  object->found = std::move(*found);
  return object;
}

LoadedObject::~LoadedObject() {
  Linker &linker = Linker::get();
  std::lock_guard<std::mutex> lock(linker.mutex);
  linker.remove(*static_cast<JITDylib *>(library));
}
