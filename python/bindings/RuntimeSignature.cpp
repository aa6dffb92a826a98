// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "RuntimeSignature.h"

#include "RuntimeErrors.h"

#include <pybind11/stl.h>

#include <algorithm>
#include <memory>

namespace py = pybind11;

namespace ramify::bindings {

using runtime::DType;
using runtime::Expr;

int Signature::find(std::string_view name) const {
  for (size_t i = 0; i < parameters.size(); ++i)
    if (parameters[i].text == name)
      return static_cast<int>(i);
  return -1;
}

int Signature::findKeyword(PyObject *name) const {
  for (size_t i = 0; i < parameters.size(); ++i)
    if (parameters[i].name.ptr() == name)
      return static_cast<int>(i);
  for (size_t i = 0; i < parameters.size(); ++i)
    if (PyUnicode_Compare(parameters[i].name.ptr(), name) == 0)
      return static_cast<int>(i);
  return -1;
}

static DType dtypeNamed(const std::string &name) {
  std::optional<DType> dtype = runtime::parseDType(name);
  if (!dtype)
    throw py::value_error("unknown dtype '" + name + "'");
  return *dtype;
}

namespace {

/// Builds a Signature from what Python says.
class Builder {
public:
  explicit Builder(Signature &signature) : signature(signature) {}

  void add(const py::dict &spec) {
    Parameter p;
    p.name = py::reinterpret_steal<py::str>(PyUnicode_InternFromString(
        take<std::string>(spec, "name", "").c_str()));
    p.text = p.name.cast<std::string>();
    p.label = signature.function + "(): " + p.text;
    auto kind = take<std::string>(spec, "kind", "array");
    p.kind = kind == "array"    ? Parameter::Kind::Array
             : kind == "scalar" ? Parameter::Kind::Scalar
                                : Parameter::Kind::Constexpr;
    p.optional = take(spec, "optional", false);
    p.keywordOnly = take(spec, "keyword_only", false);
    p.indirect = take(spec, "indirect", false);
    p.contiguous = take(spec, "contiguous", true);
    p.finite = take(spec, "finite", true);
    p.torchSwitch = take(spec, "torch_switch", false);
    p.alignment = take(spec, "alignment", 0);
    p.sameDType = take<std::string>(spec, "same_dtype_as", "");
    for (const auto &name : take<std::vector<std::string>>(spec, "dtypes", {}))
      p.dtypes |= 1u << static_cast<int>(dtypeNamed(name));
    if (auto name = take<std::string>(spec, "scalar", ""); !name.empty())
      p.scalar = dtypeNamed(name);
    if (spec.contains("default"))
      p.defaultValue = spec["default"];
    for (const auto &shape :
         take<std::vector<std::vector<std::string>>>(spec, "shapes", {}))
      p.shapes.push_back(parseShape(shape));
    if (take(spec, "symbol", true) && (p.kind == Parameter::Kind::Constexpr ||
                                       (p.scalar && !isFloat(*p.scalar))))
      p.symbol = symbol(p.text);
    for (const auto &entry :
         take<std::vector<std::string>>(spec, "entries", {}))
      p.entries.emplace_back(entry, symbol(p.text + "." + entry));
    if (p.kind == Parameter::Kind::Array) {
      p.spanSymbol = symbol(p.text + ".span");
      p.rankSymbol = symbol(p.text + ".rank");
    }
    signature.parameters.push_back(std::move(p));
  }

  void addCheck(const std::string &condition, const std::string &message) {
    Check check{Expr::parse(condition, signature.symbols), {}, message};
    for (const Expr::Instr &instr : check.condition.instructions())
      if (instr.op == Expr::Op::Symbol)
        check.symbols.push_back(static_cast<int>(instr.value));
    signature.checks.push_back(std::move(check));
  }

  void addKey(const std::string &text) {
    signature.keys.emplace_back(text, Expr::parse(text, signature.symbols));
  }

  void finish() {
    signature.specialised.resize(static_cast<size_t>(signature.symbols.size()));
    defined.resize(signature.specialised.size());
    for (size_t s = 0; s < defined.size(); ++s)
      if (!defined[s])
        throw py::value_error("no parameter defines '" +
                              signature.symbols.name(static_cast<int>(s)) +
                              "'");
    const auto &parameters = signature.parameters;
    while (signature.positional < parameters.size() &&
           !parameters[signature.positional].keywordOnly)
      ++signature.positional;
    for (size_t s = 0; s < defined.size(); ++s)
      if (signature.specialised[s])
        signature.keyedSymbols.push_back(static_cast<int>(s));
    for (Parameter &p : signature.parameters) {
      if (p.sameDType.empty())
        continue;
      p.sameDTypeIndex = signature.find(p.sameDType);
      if (p.sameDTypeIndex < 0)
        throw py::value_error("same_dtype_as: no parameter '" + p.sameDType +
                              "'");
    }
  }

private:
  template <typename T>
  static T take(const py::dict &spec, const char *key, T otherwise) {
    return spec.contains(key) ? spec[key].cast<T>() : otherwise;
  }

  int symbol(const std::string &name) {
    int index = signature.symbols.intern(name);
    auto size = static_cast<size_t>(signature.symbols.size());
    signature.specialised.resize(size);
    defined.resize(size);
    defined[index] = true;
    return index;
  }

  std::vector<DimSpec> parseShape(const std::vector<std::string> &shape) {
    if (shape.size() > runtime::maxRank)
      throw py::value_error("too many axes");
    std::vector<DimSpec> dims;
    for (std::string text : shape) {
      DimSpec dim;
      if (!text.empty() && std::all_of(text.begin(), text.end(), ::isdigit)) {
        dim.constant = std::stoll(text);
      } else if (text != "_") {
        bool special = text.ends_with("!");
        if (special)
          text.pop_back();
        dim.symbol = symbol(text);
        signature.specialised[dim.symbol] =
            signature.specialised[dim.symbol] || special;
      }
      dims.push_back(dim);
    }
    return dims;
  }

  Signature &signature;
  std::vector<bool> defined; // symbols that a parameter gives a value
};

std::shared_ptr<Signature>
makeSignature(const std::string &function, const py::list &parameters,
              const std::vector<std::pair<std::string, std::string>> &checks,
              const std::vector<std::string> &keys) {
  auto signature = std::make_shared<Signature>();
  signature->function = function;
  Builder builder(*signature);
  for (py::handle parameter : parameters)
    builder.add(parameter.cast<py::dict>());
  for (const auto &[condition, message] : checks)
    builder.addCheck(condition, message);
  for (const std::string &key : keys)
    builder.addKey(key);
  builder.finish();
  return signature;
}

} // namespace

void bindSignature(py::module_ &module) {
  py::class_<Signature, std::shared_ptr<Signature>>(
      module, "Signature",
      R"(What a function takes, as data.

Parameters
----------
function : str
    Its name, for messages.
parameters : list of dict
    In order. Keys of each: ``name``; ``kind`` ("array", "scalar", "constexpr"); and

    - arrays: ``shapes`` (a list of lists of sizes, one per rank: "L", "D!", "64", "_"),
      ``dtypes`` (a list, e.g. ["f32", "bf16"]), ``same_dtype_as`` (a parameter's name),
      ``alignment`` (bytes; whether address and strides are multiples of it is part of the key;
      by default nothing is asked of them),
      ``contiguous`` (the last axis must have stride 1; default True), ``scalar`` (a dtype: a
      number is taken in place of an array);
    - scalars: ``scalar`` (the dtype), ``finite`` (default True);
    - constexprs: ``torch_switch`` (False is True while PyTorch's tensors are given and its
      deterministic algorithms are on), ``entries`` (names: checks and keys see "x.name" where x is
      a tuple of names and integers);
    - all: ``optional`` (None is taken), ``keyword_only``, ``default``, ``symbol`` (whether checks
      and keys see an integer under its name; default True), ``indirect`` (a `Callable` has it acted
      on in Python first, unless an array parameter gets an array).
checks : list of (str, str)
    Expressions over sizes, integer scalars and constexprs, with the message of the ArgumentError
    when one is false; ``{expression}`` in it is replaced by its value.
keys : list of str
    Further expressions whose values are part of the key.)")
      .def(py::init(&makeSignature), py::arg("function"), py::arg("parameters"),
           py::kw_only(),
           py::arg("checks") =
               std::vector<std::pair<std::string, std::string>>{},
           py::arg("keys") = std::vector<std::string>{})
      .def_readonly("function", &Signature::function);
}

} // namespace ramify::bindings
