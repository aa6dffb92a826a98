// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a function takes, as data: enough to bind and check the arguments of a
// call and to find the kernel that was compiled for their kind, without Python.
//
// A parameter is an array, a scalar or a constexpr.
//  - An array has one or more lists of sizes, one for each rank it may have. A
//    size is "L" (a symbol: equal wherever it stands in the call), "D!" (a
//    symbol whose value is part of the key: code may depend on it), "64" (a
//    constant) or "_" (anything). With `scalar` a number is taken as well.
//  - A scalar is a number at run time, of one dtype, finite.
//  - A constexpr is None, bool, int, float, str or a tuple of such; its value
//    is part of the key. An int can be used as a symbol.
//
// `checks` are pairs of an expression (runtime/Expr.h) over the symbols and a
// message in which {name} or {expression} is replaced by its value; one that is
// 0 makes an ArgumentError. An expression with an unbound symbol (an absent
// argument's) is skipped. `keys` are expressions whose values are part of the
// key: thresholds between schedules. For an array x there are further symbols
// x.span and x.rank.
//
// The key is made of: device; for each array its dtype, rank, absence and
// whether it is aligned; the "!" symbols; scalars' presence; constexprs; keys.

#ifndef RAMIFY_BINDINGS_RUNTIMESIGNATURE_H
#define RAMIFY_BINDINGS_RUNTIMESIGNATURE_H

#include "RuntimeArray.h"

#include "runtime/Expr.h"

#include <optional>

namespace ramify::bindings {

struct DimSpec {
  int symbol = -1;       // or
  int64_t constant = -1; // or neither: anything
};

struct Parameter {
  enum class Kind { Array, Scalar, Constexpr };

  pybind11::str name;
  std::string text;  // the name
  std::string label; // "hsa(): k", for errors
  Kind kind = Kind::Array;
  std::vector<std::vector<DimSpec>> shapes;
  unsigned dtypes = 0; // bit per DType
  std::string sameDType;
  int sameDTypeIndex = -1;
  std::optional<runtime::DType> scalar;
  int alignment = 0; // bytes whose divisibility is part of the key; 0: is not
  bool contiguous = true;
  bool optional = false;
  bool keywordOnly = false;
  bool indirect = false; // Python acts on it before the call, unless an array
                         // parameter gets an array
  bool finite = true;
  bool torchSwitch = false; // True, too, where PyTorch is to be deterministic
  pybind11::object defaultValue; // unset: required
  int symbol = -1;               // of an integer scalar or constexpr
  /// Of the integers in a constexpr that is a tuple of names and values.
  std::vector<std::pair<std::string, int>> entries;
  int spanSymbol = -1, rankSymbol = -1;
};

struct Check {
  runtime::Expr condition;
  std::vector<int> symbols; // used by the condition
  std::string message;
};

struct Signature {
  std::string function;
  std::vector<Parameter> parameters;
  runtime::SymbolTable symbols;
  std::vector<bool> specialised; // per symbol
  std::vector<Check> checks;
  std::vector<std::pair<std::string, runtime::Expr>> keys;

  size_t positional = 0;         // parameters that take a position
  std::vector<int> keyedSymbols; // the specialised ones

  int find(std::string_view name) const;
  /// The same for a Python string, at once where it is interned.
  int findKeyword(PyObject *name) const;
};

void bindSignature(pybind11::module_ &module);

} // namespace ramify::bindings

#endif
