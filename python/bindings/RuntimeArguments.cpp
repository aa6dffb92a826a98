// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "RuntimeArguments.h"

#include "RuntimeErrors.h"

#include <pybind11/gil_safe_call_once.h>

#include <algorithm>
#include <cmath>
#include <cstring>

namespace py = pybind11;

namespace ramify::bindings {

using runtime::concat;
using runtime::DType;
using runtime::ErrorKind;
using runtime::fail;

Arguments::Arguments(const Signature &signature)
    : signature(signature), slots(signature.parameters.size()),
      values(static_cast<size_t>(signature.symbols.size()), 0),
      origins(values.size()) {}

void Arguments::read(const CallArguments &call) {
  bind(call);
  for (int i = 0; i < static_cast<int>(slots.size()); ++i)
    readParameter(i);
  if (leaderIndex < 0)
    fail(ErrorKind::ArgumentType, signature.function,
         "(): no argument is an array");
  for (int i = 0; i < static_cast<int>(slots.size()); ++i)
    if (slots[i].state == State::Array)
      checkDType(i);
  runChecks();
}

//===----------------------------------------------------------------------===//
// Binding
//===----------------------------------------------------------------------===//

/// A text in quotes, where Unicode has no such text in escapes.
static std::string textOf(PyObject *text) {
  auto shown = py::reinterpret_steal<py::object>(PyObject_ASCII(text));
  if (PyUnicode_AsUTF8(text))
    shown = py::repr(text);
  PyErr_Clear();
  return shown.cast<std::string>();
}

void Arguments::bind(const CallArguments &call) {
  const auto &parameters = signature.parameters;
  if (call.positional > signature.positional)
    fail(ErrorKind::ArgumentType, signature.function, "() takes ",
         signature.positional, " positional arguments, ", call.positional,
         " were given");
  for (size_t i = 0; i < call.positional; ++i)
    slots[i].object = call.items[i];
  for (size_t i = 0; i < call.keywords(); ++i) {
    int index = signature.findKeyword(call.name(i));
    if (index < 0)
      fail(ErrorKind::ArgumentType, signature.function, "() has no parameter ",
           textOf(call.name(i)));
    if (slots[index].object)
      fail(ErrorKind::ArgumentType, parameters[index].label,
           " was given twice");
    slots[index].object = call.value(i);
  }
  for (size_t i = 0; i < slots.size(); ++i) {
    if (slots[i].object)
      continue;
    if (!parameters[i].defaultValue)
      fail(ErrorKind::ArgumentType, parameters[i].label, " is missing");
    slots[i].object = parameters[i].defaultValue.ptr();
  }
}

void Arguments::readParameter(int index) {
  const Parameter &p = signature.parameters[index];
  Slot &slot = slots[index];
  if (p.kind == Parameter::Kind::Constexpr)
    return readConstexpr(index);
  if (slot.object == Py_None && p.optional) {
    slot.state = State::Absent;
    return;
  }
  slot.type = &arrayTypeOf(slot.object);
  bool isArray = slot.type->access != ArrayType::Access::None;
  if (p.kind == Parameter::Kind::Scalar || (p.scalar && !isArray))
    readScalar(index);
  else
    readArray(index);
}

void Arguments::setSymbol(int symbol, int64_t value) {
  if (symbol < 0)
    return;
  values[symbol] = value;
  origins[symbol].parameter = 0;
}

//===----------------------------------------------------------------------===//
// Arrays
//===----------------------------------------------------------------------===//

static std::string dtypeList(unsigned mask) {
  std::vector<std::string> names;
  for (int i = 0; i < runtime::numDTypes; ++i)
    if (mask & 1u << i)
      names.emplace_back(pythonName(static_cast<DType>(i)));
  std::string text;
  for (size_t i = 0; i < names.size(); ++i)
    text += (i == 0 ? "" : i + 1 == names.size() ? " or " : ", ") + names[i];
  return text;
}

void Arguments::readArray(int index) {
  const Parameter &p = signature.parameters[index];
  Slot &slot = slots[index];
  if (slot.type->isTraced)
    throw TracedTensor{p.label};
  try {
    slot.view.read(slot.object, *slot.type, p.label);
  } catch (const UnknownDType &unknown) {
    if (!p.dtypes)
      throw;
    fail(ErrorKind::ArgumentType, p.label, ": expected ", dtypeList(p.dtypes),
         ", found ", unknown.found);
  }
  slot.state = State::Array;
  if (leaderIndex < 0)
    leaderIndex = index;
  checkDevice(index);
  readShape(index);
  readLayout(index);
  // PyTorch makes a tensor of it that is what its memory says.
  if (slot.type->isTorch && liesInPairs(slot.view) &&
      isNegated(slot.object, *slot.type))
    throw TracedTensor{p.label};
}

/// Whether an array may be the imaginary part of a complex one, by its strides,
/// all of them even. Only then we ask PyTorch whether memory holds its elements
/// times -1: it takes about 0.1 us, which every other array would pay too.
/// `x.conj().imag` and its views are such. What nobody is told of is a tensor
/// whose bit was set by hand, torch._neg_view(x), with an odd stride along an
/// axis longer than 1: its elements are read with the sign that they have in
/// memory.
bool Arguments::liesInPairs(const ArrayView &view) {
  for (int d = 0; d < view.rank; ++d)
    if (view.sizes[d] > 1 && view.strides[d] % 2 != 0)
      return false;
  return true;
}

void Arguments::checkDevice(int index) {
  const ArrayDevice &mine = slots[index].view.device;
  if (mine == device())
    return;
  fail(ErrorKind::ArgumentType, signature.parameters[index].label, " is on ",
       str(mine), ", but ", signature.parameters[leaderIndex].text, " is on ",
       str(device()));
}

void Arguments::checkDType(int index) const {
  const Parameter &p = signature.parameters[index];
  DType dtype = slots[index].view.dtype;
  if (p.dtypes && !(p.dtypes & 1u << static_cast<int>(dtype)))
    fail(ErrorKind::ArgumentType, p.label, ": expected ", dtypeList(p.dtypes),
         ", found ", pythonName(dtype));
  if (p.sameDTypeIndex < 0 || slots[p.sameDTypeIndex].state != State::Array)
    return;
  DType other = slots[p.sameDTypeIndex].view.dtype;
  if (other != dtype)
    fail(ErrorKind::ArgumentType, p.label, " is ", pythonName(dtype), ", but ",
         p.sameDType, " is ", pythonName(other),
         "; both must have the same dtype");
}

std::string Arguments::shapeText(const std::vector<DimSpec> &shape) const {
  std::string text;
  for (const DimSpec &dim : shape) {
    text += text.empty() ? "" : ", ";
    text += dim.symbol >= 0     ? signature.symbols.name(dim.symbol)
            : dim.constant >= 0 ? std::to_string(dim.constant)
                                : "_";
  }
  return "[" + text + "]";
}

static std::string sizesText(const ArrayView &view) {
  std::string text;
  for (int d = 0; d < view.rank; ++d)
    text += (d ? ", " : "") + std::to_string(view.sizes[d]);
  return "[" + text + "]";
}

void Arguments::readShape(int index) {
  const Parameter &p = signature.parameters[index];
  Slot &slot = slots[index];
  for (const auto &shape : p.shapes)
    if (static_cast<int>(shape.size()) == slot.view.rank)
      slot.shape = &shape;
  if (!slot.shape) {
    std::string expected;
    for (const auto &shape : p.shapes)
      expected += (expected.empty() ? "" : " or ") + shapeText(shape);
    fail(ErrorKind::Argument, p.label, ": expected ", expected, ", found ",
         slot.view.rank, " axes ", sizesText(slot.view));
  }
  for (int d = 0; d < slot.view.rank; ++d) {
    const DimSpec &dim = (*slot.shape)[d];
    int64_t size = slot.view.sizes[d];
    if (dim.constant >= 0 && size != dim.constant)
      fail(ErrorKind::Argument, p.label, " has ", size, " along axis ", d,
           ", expected ", dim.constant);
    if (dim.symbol < 0)
      continue;
    Origin &origin = origins[dim.symbol];
    if (origin.parameter < 0) {
      origin = {index, d};
      values[dim.symbol] = size;
    } else if (values[dim.symbol] != size) {
      const std::string &name = signature.symbols.name(dim.symbol);
      fail(ErrorKind::Argument, p.label, " has ", name, " = ", size, " (axis ",
           d, "), but ", signature.parameters[origin.parameter].text, " has ",
           name, " = ", values[dim.symbol]);
    }
  }
}

void Arguments::readLayout(int index) {
  const Parameter &p = signature.parameters[index];
  ArrayView &view = slots[index].view;
  int64_t last = 0;
  bool empty = false;
  int64_t elementSize = sizeOf(view.dtype);
  auto bits = reinterpret_cast<uint64_t>(view.data);
  for (int d = 0; d < view.rank; ++d) {
    empty |= view.sizes[d] == 0;
    last += (view.sizes[d] - 1) * view.strides[d];
    if (d + 1 < view.rank && view.sizes[d] > 1)
      bits |= static_cast<uint64_t>(view.strides[d] * elementSize);
    if (view.strides[d] < 0 && view.sizes[d] > 1)
      fail(ErrorKind::Argument, p.label, " has a negative stride along axis ",
           d, "; make a contiguous copy of it first");
  }
  if (view.rank > 0) {
    int d = view.rank - 1;
    if (view.sizes[d] <= 1 || empty)
      view.strides[d] = 1;
    else if (p.contiguous && view.strides[d] != 1)
      fail(ErrorKind::Argument, p.label, " has stride ", view.strides[d],
           " along its last axis, expected 1; call .contiguous() or "
           "numpy.ascontiguousarray ",
           "on it first");
  }
  slots[index].aligned =
      p.alignment == 0 || bits % static_cast<uint64_t>(p.alignment) == 0;
  setSymbol(p.spanSymbol, empty ? 0 : last + 1);
  setSymbol(p.rankSymbol, view.rank);
}

//===----------------------------------------------------------------------===//
// Scalars and constants
//===----------------------------------------------------------------------===//

static uint64_t floatBits(DType dtype, double value, bool finite,
                          const std::string &label) {
  auto narrow = static_cast<float>(value);
  double stored = dtype == DType::F32 ? narrow : value;
  if (finite && !std::isfinite(stored))
    fail(ErrorKind::Argument, label, " = ", value, " is not a finite ",
         pythonName(dtype));
  uint64_t bits = 0;
  if (dtype == DType::F32)
    std::memcpy(&bits, &narrow, sizeof(narrow));
  else
    std::memcpy(&bits, &value, sizeof(value));
  return bits;
}

/// Replaces Python's exception for a number that is no float: a complex one, or
/// an integer that is too large.
[[noreturn]] static void failToConvert(const std::string &label,
                                       PyObject *object) {
  if (!PyErr_ExceptionMatches(PyExc_OverflowError) &&
      !PyErr_ExceptionMatches(PyExc_TypeError))
    raisePython();
  bool tooLarge = PyErr_ExceptionMatches(PyExc_OverflowError);
  PyErr_Clear();
  if (tooLarge)
    fail(ErrorKind::Argument, label, " does not fit float32");
  fail(ErrorKind::ArgumentType, label, ": expected a number, found ",
       Py_TYPE(object)->tp_name);
}

/// Whether an object is a real number; conditions are none, NumPy's included.
static bool isReal(PyObject *object) {
  if (PyFloat_Check(object) || PyLong_Check(object))
    return !PyBool_Check(object);
  PYBIND11_CONSTINIT static py::gil_safe_call_once_and_store<py::object>
      storage;
  const py::object &real =
      storage
          .call_once_and_store_result(
              [] { return py::module_::import("numbers").attr("Real"); })
          .get_stored();
  return py::isinstance(object, real);
}

void Arguments::readScalar(int index) {
  const Parameter &p = signature.parameters[index];
  Slot &slot = slots[index];
  slot.state = State::Scalar;
  bool wantsFloat = isFloat(*p.scalar);
  PyObject *object = slot.object;
  bool isNumber = wantsFloat ? isReal(object) : PyIndex_Check(object);
  if (!isNumber || slot.type->access != ArrayType::Access::None ||
      PyBool_Check(object))
    fail(ErrorKind::ArgumentType, p.label, ": expected ",
         wantsFloat ? "a number" : "an integer",
         p.shapes.empty() ? "" : " or an array", ", found ",
         Py_TYPE(object)->tp_name);
  if (wantsFloat) {
    double value = PyFloat_AsDouble(object);
    if (value == -1.0 && PyErr_Occurred())
      failToConvert(p.label, object);
    slot.scalar = floatBits(*p.scalar, value, p.finite, p.label);
    return;
  }
  py::object integer =
      py::reinterpret_steal<py::object>(PyNumber_Index(object));
  if (!integer)
    raisePython();
  int overflow = 0;
  int64_t value = PyLong_AsLongLongAndOverflow(integer.ptr(), &overflow);
  int64_t limit = sizeOf(*p.scalar) == 8
                      ? INT64_MAX
                      : (int64_t(1) << (8 * sizeOf(*p.scalar) - 1)) - 1;
  if (overflow || value > limit || value < -limit - 1)
    fail(ErrorKind::Argument, p.label, " = ",
         py::str(integer).cast<std::string>(), " does not fit ",
         pythonName(*p.scalar));
  slot.scalar = static_cast<uint64_t>(value);
  setSymbol(p.symbol, value);
}

/// PyTorch's own switch.
static bool torchIsDeterministic() {
  PYBIND11_CONSTINIT static py::gil_safe_call_once_and_store<py::object>
      storage;
  const py::object &isSet =
      storage
          .call_once_and_store_result([] {
            return py::module_::import("torch").attr("_C").attr(
                "_get_deterministic_algorithms");
          })
          .get_stored();
  return isSet().cast<bool>();
}

/// The integers in a tuple of names and values; what is none is left out.
void Arguments::readEntries(const Parameter &p, PyObject *object) {
  if (p.entries.empty() || !PyTuple_Check(object))
    return;
  for (py::handle pair : py::reinterpret_borrow<py::tuple>(object)) {
    if (!PyTuple_Check(pair.ptr()) || PyTuple_GET_SIZE(pair.ptr()) != 2)
      continue;
    PyObject *name = PyTuple_GET_ITEM(pair.ptr(), 0);
    PyObject *number = PyTuple_GET_ITEM(pair.ptr(), 1);
    int overflow = 0;
    if (!PyUnicode_Check(name) || !PyLong_Check(number))
      continue;
    int64_t value = PyLong_AsLongLongAndOverflow(number, &overflow);
    for (const auto &[text, symbol] : p.entries)
      if (!overflow &&
          PyUnicode_CompareWithASCIIString(name, text.c_str()) == 0)
        setSymbol(symbol, value);
  }
}

void Arguments::readConstexpr(int index) {
  const Parameter &p = signature.parameters[index];
  Slot &slot = slots[index];
  slot.state = State::Constexpr;
  if (p.torchSwitch && slot.object == Py_False && leaderIndex >= 0 &&
      leaderType().isTorch && torchIsDeterministic())
    slot.object = Py_True;
  if (!PyLong_Check(slot.object) && PyIndex_Check(slot.object) &&
      arrayTypeOf(slot.object).access == ArrayType::Access::None) {
    // NumPy's integers are no Python integers.
    slot.converted =
        py::reinterpret_steal<py::object>(PyNumber_Index(slot.object));
    if (!slot.converted)
      raisePython();
    slot.object = slot.converted.ptr();
  }
  PyObject *object = slot.object;
  readEntries(p, object);
  if (!PyLong_Check(object))
    return;
  int overflow = 0;
  int64_t value = PyLong_AsLongLongAndOverflow(object, &overflow);
  if (overflow)
    fail(ErrorKind::Argument, p.label, " = ",
         py::str(py::handle(object)).cast<std::string>(),
         " does not fit 64 bits");
  setSymbol(p.symbol, value);
}

//===----------------------------------------------------------------------===//
// Checks
//===----------------------------------------------------------------------===//

void Arguments::runChecks() const {
  for (const Check &check : signature.checks) {
    bool bound = true;
    for (int symbol : check.symbols)
      bound &= origins[symbol].parameter >= 0;
    if (bound && check.condition.evaluate(values) == 0)
      fail(ErrorKind::Argument, signature.function,
           "(): ", fill(check.message));
  }
}

std::string Arguments::fill(const std::string &message) const {
  std::string text;
  for (size_t i = 0; i < message.size(); ++i) {
    size_t end = message[i] == '{' ? message.find('}', i) : std::string::npos;
    if (end == std::string::npos) {
      text += message[i];
      continue;
    }
    runtime::SymbolTable symbols = signature.symbols;
    auto expr =
        runtime::Expr::parse(message.substr(i + 1, end - i - 1), symbols);
    text += symbols.size() == signature.symbols.size()
                ? std::to_string(expr.evaluate(values))
                : message.substr(i, end - i + 1);
    i = end;
  }
  return text;
}

bool Arguments::requiresGrad() const {
  return std::any_of(slots.begin(), slots.end(), [](const Slot &slot) {
    return slot.state == State::Array && slot.type->isTorch &&
           bindings::requiresGrad(slot.object, *slot.type);
  });
}

} // namespace ramify::bindings
