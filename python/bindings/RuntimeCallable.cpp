// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "RuntimeCallable.h"

#include "RuntimeDispatcher.h"
#include "RuntimeErrors.h"

#include <structmember.h>

namespace py = pybind11;

namespace ramify::bindings {

namespace {

struct Callable {
  PyObject_HEAD vectorcallfunc vectorcall;
  PyObject *owner;        // the Dispatcher as Python has it
  Dispatcher *dispatcher; // the same, after the first call
};

constexpr const char *documentation =
    R"(What a jitted function derives from: a call of it runs C++ only.

A derived class has

- ``__ramify_function__``: called instead while the variable of `interpret_while` is set;
- ``_dispatcher``: the `Dispatcher`, asked for at the first call;
- ``_call_indirect``: called instead where a keyword is none that the dispatcher takes as it is.)";

/// While it holds something, functions run as Python. Never freed.
PyObject *interpreting = nullptr;

bool isInterpreting() {
  PyObject *value = nullptr;
  if (interpreting && PyContextVar_Get(interpreting, Py_None, &value) != 0)
    raisePython();
  Py_XDECREF(value);
  return value && value != Py_None;
}

/// Calls the attribute `name` of `self` with the same arguments.
PyObject *callAttribute(PyObject *self, const char *name,
                        const CallArguments &given) {
  py::object target =
      py::reinterpret_steal<py::object>(PyObject_GetAttrString(self, name));
  if (!target)
    return nullptr;
  return PyObject_Vectorcall(target.ptr(), given.items, given.positional,
                             given.names);
}

void prepare(Callable &self) {
  auto dispatcher = py::handle(reinterpret_cast<PyObject *>(&self))
                        .attr("_dispatcher")
                        .cast<py::object>();
  self.dispatcher = dispatcher.cast<Dispatcher *>();
  Py_XSETREF(self.owner, dispatcher.release().ptr());
}

PyObject *call(PyObject *object, PyObject *const *items, size_t count,
               PyObject *names) {
  auto &self = *reinterpret_cast<Callable *>(object);
  CallArguments given{items, static_cast<size_t>(PyVectorcall_NARGS(count)),
                      names};
  try {
    if (isInterpreting())
      return callAttribute(object, "__ramify_function__", given);
    if (!self.dispatcher)
      prepare(self);
    if (!self.dispatcher->takes(given))
      return callAttribute(object, "_call_indirect", given);
    return self.dispatcher->call(given).release().ptr();
  } catch (...) {
    setPythonError();
    return nullptr;
  }
}

PyObject *make(PyTypeObject *type, PyObject *, PyObject *) {
  PyObject *object = type->tp_alloc(type, 0);
  if (object)
    reinterpret_cast<Callable *>(object)->vectorcall = call;
  return object;
}

int traverse(PyObject *object, visitproc visit, void *arg) {
  Py_VISIT(Py_TYPE(object));
  Py_VISIT(reinterpret_cast<Callable *>(object)->owner);
  return 0;
}

int clear(PyObject *object) {
  reinterpret_cast<Callable *>(object)->dispatcher = nullptr;
  Py_CLEAR(reinterpret_cast<Callable *>(object)->owner);
  return 0;
}

void destroy(PyObject *object) {
  PyTypeObject *type = Py_TYPE(object);
  PyObject_GC_UnTrack(object);
  clear(object);
  type->tp_free(object);
  Py_DECREF(type);
}

PyMemberDef members[] = {{"__vectorcalloffset__", T_PYSSIZET,
                          offsetof(Callable, vectorcall), READONLY, nullptr},
                         {nullptr, 0, 0, 0, nullptr}};

PyType_Slot slots[] = {
    {Py_tp_doc, const_cast<char *>(documentation)},
    {Py_tp_new, reinterpret_cast<void *>(make)},
    {Py_tp_call, reinterpret_cast<void *>(PyVectorcall_Call)},
    {Py_tp_traverse, reinterpret_cast<void *>(traverse)},
    {Py_tp_clear, reinterpret_cast<void *>(clear)},
    {Py_tp_dealloc, reinterpret_cast<void *>(destroy)},
    {Py_tp_members, members},
    {0, nullptr}};

PyType_Spec spec = {"ramify._runtime.Callable", sizeof(Callable), 0,
                    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE |
                        Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL,
                    slots};

} // namespace

/// Python gives a class with a method `__call__` the slots that call it.
void callDirectly(const py::type &derived) {
  auto *type = reinterpret_cast<PyTypeObject *>(derived.ptr());
  if (type->tp_vectorcall_offset != offsetof(Callable, vectorcall))
    throw py::type_error("expected a class that derives from Callable");
  type->tp_call = PyVectorcall_Call;
  type->tp_flags |= Py_TPFLAGS_HAVE_VECTORCALL;
  PyType_Modified(type);
}

void bindCallable(py::module_ &module) {
  auto type = py::reinterpret_steal<py::object>(PyType_FromSpec(&spec));
  if (!type)
    raisePython();
  module.attr("Callable") = type;
  module.def("call_directly", &callDirectly, py::arg("derived"),
             "Calls of a derived class's objects do not go through its method "
             "``__call__``, which then is for those who read a call: tracers.");
  module.def(
      "interpret_while",
      [](const py::object &variable) {
        if (!PyContextVar_CheckExact(variable.ptr()))
          throw py::type_error("expected a contextvars.ContextVar");
        Py_XSETREF(interpreting, py::object(variable).release().ptr());
      },
      py::arg("variable"),
      "Functions run as Python while this context variable is not None.");
}

} // namespace ramify::bindings
