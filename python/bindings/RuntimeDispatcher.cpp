// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "RuntimeDispatcher.h"

#include "ReleasedGil.h"
#include "RuntimeErrors.h"
#include "RuntimePlan.h"
#include "RuntimeThreads.h"

#include "runtime/Driver.h"

#include <pybind11/gil_safe_call_once.h>

#include <algorithm>
#include <unistd.h>

namespace py = pybind11;

namespace ramify::bindings {

using runtime::ErrorKind;
using runtime::fail;
using runtime::Value;

Dispatcher::Dispatcher(std::shared_ptr<Signature> signature, py::object compile,
                       py::object onTorch, py::object watch)
    : signature(std::move(signature)), compile(std::move(compile)),
      onTorch(std::move(onTorch)), captures(std::move(watch)),
      waiting(std::make_unique<Waiting>()), process(::getpid()) {}

Dispatcher::~Dispatcher() {
  if (process != ::getpid())
    (void)waiting.release();
}

size_t Dispatcher::KeyHash::operator()(const Key &key) const {
  uint64_t hash = key.size();
  for (uint64_t word : key) {
    hash = (hash ^ word) * 0x9e3779b97f4a7c15;
    hash ^= hash >> 32;
  }
  return hash;
}

/// Whether PyTorch records gradients on this thread now.
static bool gradientsRecorded() {
  PYBIND11_CONSTINIT static py::gil_safe_call_once_and_store<py::object>
      storage;
  const py::object &isEnabled =
      storage
          .call_once_and_store_result([] {
            return py::module_::import("torch").attr("is_grad_enabled");
          })
          .get_stored();
  return isEnabled().cast<bool>();
}

/// Whether a level of PyTorch's forward-mode differentiation is open.
static bool isForwardModeOn() {
  PYBIND11_CONSTINIT static py::gil_safe_call_once_and_store<py::object>
      storage;
  const py::object &module =
      storage
          .call_once_and_store_result([] {
            return py::module_::import("torch.autograd.forward_ad")
                .attr("__dict__");
          })
          .get_stored();
  static PyObject *const name = PyUnicode_InternFromString("_current_level");
  PyObject *level = PyDict_GetItemWithError(module.ptr(), name); // borrowed
  return level && PyLong_Check(level) && PyLong_AsLong(level) >= 0;
}

/// Raises an error if a tensor carries a tangent, which a call would lose.
static void refuseTangents(const std::string &function,
                           const CallArguments &given) {
  py::list values;
  for (size_t i = 0; i < given.positional; ++i)
    values.append(py::handle(given.items[i]));
  for (size_t i = 0; i < given.keywords(); ++i)
    values.append(py::handle(given.value(i)));
  py::module_::import("ramify.torch.forward_mode")
      .attr("refuse_tangents")(function, values);
}

/// Reads arguments that have to have memory.
static void readConcrete(Arguments &arguments, const CallArguments &given) {
  try {
    arguments.read(given);
  } catch (const TracedTensor &tensor) {
    fail(ErrorKind::ArgumentType, tensor.label,
         " is a tensor without memory of its own: PyTorch is tracing, or the "
         "tensor stands for others, as x.conj().imag does; "
         ".resolve_neg() makes one of that");
  }
}

/// Refuses a first array whose library, which makes the results, is not known.
static void checkLibrary(const Arguments &arguments) {
  const ArrayType &type = arguments.leaderType();
  PyObject *leader = arguments.leader();
  if (type.access == ArrayType::Access::DLPack && !type.isTorch &&
      !type.isCupy && !py::hasattr(leader, "__array_namespace__"))
    fail(ErrorKind::ArgumentType,
         "results are made by the library of the first array: expected one "
         "with __array_namespace__, found ",
         Py_TYPE(leader)->tp_name,
         ". numpy.from_dlpack makes a NumPy array of it");
}

py::object Dispatcher::call(const CallArguments &given) {
  Arguments arguments(*signature);
  if (onTorch.is_none()) {
    readConcrete(arguments, given);
  } else {
    try {
      arguments.read(given);
    } catch (const TracedTensor &) {
      return callTorch(given);
    }
    if (arguments.requiresGrad() && gradientsRecorded())
      return callTorch(given);
    if (arguments.leaderType().isTorch && isForwardModeOn())
      refuseTangents(signature->function, given);
  }
  checkLibrary(arguments);
  ArrayMaker maker(arguments.leader(), arguments.leaderType(),
                   arguments.device());
  return run(*entryFor(arguments, maker), arguments, maker);
}

py::object Dispatcher::callTorch(const CallArguments &given) const {
  py::object result = py::reinterpret_steal<py::object>(PyObject_Vectorcall(
      onTorch.ptr(), given.items, given.positional, given.names));
  if (!result)
    raisePython();
  return result;
}

std::shared_ptr<runtime::Executable>
Dispatcher::prepare(const CallArguments &given) {
  Arguments arguments(*signature);
  readConcrete(arguments, given);
  ArrayMaker maker(arguments.leader(), arguments.leaderType(),
                   arguments.device());
  return entryFor(arguments, maker)->executable;
}

static py::dict request(const Arguments &arguments) {
  py::dict result = arguments.describe();
  const ArrayDevice &device = arguments.device();
  result["capability"] = py::none();
  if (device.backend == runtime::Backend::Cuda) {
    const runtime::cuda::DeviceInfo &info = runtime::cuda::device(device.index);
    result["capability"] = py::make_tuple(info.major, info.minor);
  }
  return result;
}

py::dict Dispatcher::describe(const CallArguments &given) const {
  Arguments arguments(*signature);
  readConcrete(arguments, given);
  return request(arguments);
}

/// Whether Python acts on this value of a parameter before the call.
static bool isIndirect(const Parameter &p, PyObject *value) {
  if (!p.indirect)
    return false;
  return p.kind != Parameter::Kind::Array ||
         arrayTypeOf(value).access == ArrayType::Access::None;
}

bool Dispatcher::takes(const CallArguments &given) const {
  size_t positional = std::min(given.positional, signature->positional);
  for (size_t i = 0; i < positional; ++i)
    if (isIndirect(signature->parameters[i], given.items[i]))
      return false;
  for (size_t i = 0; i < given.keywords(); ++i) {
    int index = signature->findKeyword(given.name(i));
    if (index < 0 || isIndirect(signature->parameters[index], given.value(i)))
      return false;
  }
  return true;
}

void Dispatcher::clear() {
  last = nullptr;
  entries.clear();
  ++cleared;
}

//===----------------------------------------------------------------------===//
// Finding the kernel
//===----------------------------------------------------------------------===//

Dispatcher::EntryRef Dispatcher::entryFor(const Arguments &arguments,
                                          const ArrayMaker &maker) {
  if (captures.changed())
    clear();
  // Kept for its memory; no Python code runs while it is in use.
  thread_local Key scratch;
  arguments.writeKey(scratch);
  if (EntryRef entry = find(scratch))
    return entry;
  return compileOnce(Key(scratch), arguments, maker);
}

Dispatcher::EntryRef Dispatcher::find(const Key &key) {
  if (last && last->first == key)
    return last->second;
  auto it = entries.find(key);
  if (it == entries.end())
    return nullptr;
  last = &*it;
  return it->second;
}

Dispatcher::EntryRef Dispatcher::compileOnce(const Key &key,
                                             const Arguments &arguments,
                                             const ArrayMaker &maker) {
  for (;;) {
    if (EntryRef entry = find(key))
      return entry;
    forgetParent();
    auto compiling = inFlight.find(key);
    if (compiling == inFlight.end())
      break;
    if (compiling->second == std::this_thread::get_id())
      return compileEntry(arguments, maker); // called by its own compilation
    waitForCompilation();
  }
  inFlight.emplace(key, std::this_thread::get_id());
  struct Finish {
    Dispatcher &self;
    const Key &key;
    ~Finish() {
      self.inFlight.erase(key);
      std::lock_guard<std::mutex> lock(self.waiting->mutex);
      ++self.finished;
      self.waiting->changed.notify_all();
    }
  } finish{*this, key};
  uint64_t before = cleared;
  EntryRef entry = compileEntry(arguments, maker);
  if (cleared == before)
    entries.insert_or_assign(key, entry);
  return entry;
}

/// Waits, without the GIL, until some thread has ended a compilation.
void Dispatcher::waitForCompilation() {
  uint64_t before = finished; // changes only under the GIL
  ReleasedGil release;
  std::unique_lock<std::mutex> lock(waiting->mutex);
  waiting->changed.wait(lock, [&] { return finished != before; });
}

/// In a process made by fork, the threads that compiled or waited do not exist.
void Dispatcher::forgetParent() {
  if (process == ::getpid())
    return;
  process = ::getpid();
  inFlight.clear();
  (void)waiting.release(); // may be locked; destroying it could wait for ever
  waiting = std::make_unique<Waiting>();
}

Dispatcher::EntryRef Dispatcher::compileEntry(const Arguments &arguments,
                                              const ArrayMaker &maker) {
  const ArrayDevice &device = arguments.device();
  if (device.backend == runtime::Backend::Cuda &&
      runtime::cuda::isCapturing(runtime::cuda::device(device.index),
                                 maker.currentStream()))
    fail(ErrorKind::Capture, signature->function,
         "() must be compiled for these arguments, which cannot be done while "
         "a CUDA graph is "
         "captured: warm up first, by one call with arguments of the same kind "
         "before the capture");
  auto plan = compile(request(arguments)).cast<std::shared_ptr<PythonPlan>>();
  auto entry = std::make_shared<Entry>();
  entry->executable = plan->load(device);
  entry->parameters = match(entry->executable->plan(), arguments);
  return entry;
}

/// The parameter behind each argument of the plan.
std::vector<int> Dispatcher::match(const runtime::Plan &plan,
                                   const Arguments &arguments) const {
  std::vector<int> result;
  for (const Value &value : plan.values) {
    if (!value.isArgument())
      break;
    int index = signature->find(value.name);
    bool isArray = value.role == Value::Role::Array;
    auto mismatch = [&](const char *what) {
      fail(ErrorKind::Plan, "plan of ", plan.function, ": the argument '",
           value.name, "' ", what);
    };
    if (index < 0 || arguments.isAbsent(index))
      mismatch("is not one of the call");
    if (isArray != arguments.isArray(index))
      mismatch(isArray ? "is no array in the call"
                       : "is no scalar in the call");
    if (isArray &&
        (arguments.array(index).dtype != value.dtype ||
         arguments.array(index).rank != static_cast<int>(value.shape.size())))
      mismatch("has another dtype or rank in the call");
    if (!isArray && signature->parameters[index].scalar != value.dtype)
      mismatch("has another dtype in the call");
    result.push_back(index);
  }
  return result;
}

//===----------------------------------------------------------------------===//
// Running it
//===----------------------------------------------------------------------===//

py::object Dispatcher::run(const Entry &entry, const Arguments &arguments,
                           ArrayMaker &maker) const {
  const runtime::Plan &plan = entry.executable->plan();
  runtime::Invocation call(*entry.executable);
  for (size_t v = 0; v < entry.parameters.size(); ++v) {
    int index = entry.parameters[v];
    if (plan.values[v].role == Value::Role::Array) {
      const ArrayView &view = arguments.array(index);
      call.setArray(static_cast<int>(v), {view.data, view.sizes, view.strides});
    } else {
      call.setScalar(static_cast<int>(v), arguments.scalarBits(index));
    }
  }
  call.bind();

  auto count = static_cast<size_t>(
      std::ranges::count(plan.values, Value::Role::Result, &Value::role));
  runtime::InlineArray<py::object, 4> results(count);
  count = 0;
  for (int v = static_cast<int>(entry.parameters.size());
       v < static_cast<int>(plan.values.size()); ++v) {
    const Value &value = plan.values[v];
    if (value.role != Value::Role::Result)
      break;
    NewArray array = maker.make(value.dtype, call.rank(v), call.sizes(v));
    call.setData(v, array.data);
    results[count++] = std::move(array.object);
  }
  if (int64_t bytes = call.workspaceBytes())
    call.setWorkspace(maker.workspace(bytes));

  runtime::RunContext context;
  if (plan.backend == runtime::Backend::Cpu) {
    context.threads = threadCount();
    ReleasedGil release;
    call.run(context);
  } else {
    context.stream = maker.currentStream();
    call.run(context);
  }
  if (results.size() == 0)
    return py::none();
  if (results.size() == 1)
    return std::move(results[0]);
  py::tuple tuple(results.size());
  for (size_t i = 0; i < results.size(); ++i)
    tuple[i] = results[i];
  return tuple;
}

void bindDispatcher(py::module_ &module) {
  py::class_<Dispatcher, std::shared_ptr<Dispatcher>>(
      module, "Dispatcher",
      R"(A jitted function as Python calls it.

Parameters
----------
signature : Signature
compiler : callable
    Called with a dict when a call needs a kernel that is not in memory; returns a `Plan` for it.
    The dict holds everything that the kernel may depend on: ``sizes`` (the "!" symbols),
    ``arrays`` (name to ``dtype``, ``rank``, ``aligned``), ``scalars`` (name to dtype),
    ``constants``, ``absent`` (names), ``keys`` (expression to value), ``device`` ("cpu" or "cuda",
    index) and ``capability`` (CUDA; else None).
on_torch : callable, optional
    Called with the call's arguments, instead of everything else, when PyTorch has to see the call:
    a tensor among them requires a gradient while gradients are recorded, or has no memory of its
    own because code is traced.
watch : callable, optional
    Returns what kernels depend on beside the arguments, as text, and a list of the places (dict or
    cell), names and values that it follows from. It is called again when a place holds another
    value; where the text has changed, all kernels in memory are forgotten.)")
      .def(py::init<std::shared_ptr<Signature>, py::object, py::object,
                    py::object>(),
           py::arg("signature"), py::arg("compiler"),
           py::arg("on_torch") = py::none(), py::arg("watch") = py::none())
      .def(
          "__call__",
          [](Dispatcher &self, const py::args &args, const py::kwargs &kwargs) {
            return self.call(UnpackedCall(args, kwargs));
          })
      .def(
          "prepare",
          [](Dispatcher &self, const py::args &args, const py::kwargs &kwargs) {
            return self.prepare(UnpackedCall(args, kwargs));
          },
          "The Executable that a call with these arguments runs, compiled if "
          "need be.")
      .def(
          "describe",
          [](Dispatcher &self, const py::args &args, const py::kwargs &kwargs) {
            return self.describe(UnpackedCall(args, kwargs));
          },
          "The dict that `compiler` is given for a call with these arguments.")
      .def("clear", &Dispatcher::clear, "Forgets all kernels in memory.")
      .def("__len__", &Dispatcher::size);
}

} // namespace ramify::bindings
