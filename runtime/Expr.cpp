// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "runtime/Expr.h"

#include "runtime/Error.h"

#include <algorithm>

namespace ramify::runtime {

using Op = Expr::Op;

int SymbolTable::find(std::string_view name) const {
  auto it = std::find(names.begin(), names.end(), name);
  return it == names.end() ? -1 : static_cast<int>(it - names.begin());
}

int SymbolTable::intern(std::string_view name) {
  int index = find(name);
  if (index >= 0)
    return index;
  names.emplace_back(name);
  return size() - 1;
}

//===----------------------------------------------------------------------===//
// Evaluation
//===----------------------------------------------------------------------===//

namespace {

bool isDivision(Op op) {
  return op == Op::CeilDiv || op == Op::FloorDiv || op == Op::Mod;
}

/// Sum, difference or product.
int64_t arithmetic(Op op, int64_t a, int64_t b) {
  int64_t result = 0;
  bool overflow = op == Op::Add   ? __builtin_add_overflow(a, b, &result)
                  : op == Op::Sub ? __builtin_sub_overflow(a, b, &result)
                                  : __builtin_mul_overflow(a, b, &result);
  if (overflow)
    fail(ErrorKind::Argument,
         "sizes are too large: an expression exceeds 64 bits");
  return result;
}

int64_t floorDiv(int64_t a, int64_t b) {
  if (b < 1)
    fail(ErrorKind::Argument, "division by ", b, " in a plan's expression");
  int64_t quotient = a / b;
  return quotient - (a % b < 0 ? 1 : 0);
}

int64_t apply(Op op, int64_t a, int64_t b) {
  switch (op) {
  case Op::Add:
  case Op::Sub:
  case Op::Mul:
    return arithmetic(op, a, b);
  case Op::FloorDiv:
    return floorDiv(a, b);
  case Op::CeilDiv: {
    int64_t quotient = floorDiv(a, b);
    return quotient + (quotient * b != a ? 1 : 0);
  }
  case Op::Mod:
    return a - floorDiv(a, b) * b;
  case Op::Min:
    return std::min(a, b);
  case Op::Max:
    return std::max(a, b);
  case Op::Lt:
    return a < b;
  case Op::Le:
    return a <= b;
  case Op::Gt:
    return a > b;
  case Op::Ge:
    return a >= b;
  case Op::Eq:
    return a == b;
  case Op::Ne:
    return a != b;
  case Op::And:
    return a != 0 && b != 0;
  case Op::Or:
    return a != 0 || b != 0;
  case Op::Const:
  case Op::Symbol:
    break;
  }
  return 0;
}

} // namespace

Expr Expr::symbol(int position) {
  Expr result;
  result.program = {{Op::Symbol, position}};
  return result;
}

Expr Expr::binary(Op op, const Expr &left, const Expr &right) {
  if (left.isConstant() && right.isConstant() &&
      !(isDivision(op) && right.program[0].value < 1))
    return Expr(apply(op, left.program[0].value, right.program[0].value));
  Expr result = left;
  result.program.insert(result.program.end(), right.program.begin(),
                        right.program.end());
  result.program.push_back({op, 0});
  return result;
}

int64_t Expr::run(std::span<const int64_t> environment) const {
  int64_t stack[maxDepth];
  int top = 0;
  for (const Instr &instr : program) {
    if (instr.op == Op::Const) {
      stack[top++] = instr.value;
    } else if (instr.op == Op::Symbol) {
      stack[top++] = environment[instr.value];
    } else {
      --top;
      stack[top - 1] = apply(instr.op, stack[top - 1], stack[top]);
    }
  }
  return stack[0];
}

//===----------------------------------------------------------------------===//
// Printing
//===----------------------------------------------------------------------===//

namespace {

struct Spelling {
  const char *text;
  int precedence; // 0: written as a function
};

Spelling spelling(Op op) {
  switch (op) {
  case Op::Or:
    return {"||", 1};
  case Op::And:
    return {"&&", 2};
  case Op::Lt:
    return {"<", 3};
  case Op::Le:
    return {"<=", 3};
  case Op::Gt:
    return {">", 3};
  case Op::Ge:
    return {">=", 3};
  case Op::Eq:
    return {"==", 3};
  case Op::Ne:
    return {"!=", 3};
  case Op::Add:
    return {"+", 4};
  case Op::Sub:
    return {"-", 4};
  case Op::Mul:
    return {"*", 5};
  case Op::CeilDiv:
    return {"ceildiv", 0};
  case Op::FloorDiv:
    return {"floordiv", 0};
  case Op::Mod:
    return {"mod", 0};
  case Op::Min:
    return {"min", 0};
  case Op::Max:
    return {"max", 0};
  case Op::Const:
  case Op::Symbol:
    break;
  }
  return {"", 0};
}

struct Printed {
  std::string text;
  int precedence; // of its outermost operator; atoms bind tightest
};

constexpr int atom = 9;

Printed combine(Op op, const Printed &a, const Printed &b) {
  Spelling how = spelling(op);
  if (how.precedence == 0)
    return {std::string(how.text) + "(" + a.text + ", " + b.text + ")", atom};
  auto wrap = [](const Printed &p, bool needed) {
    return needed ? "(" + p.text + ")" : p.text;
  };
  bool comparison = how.precedence == 3;
  bool left =
      a.precedence < how.precedence || (comparison && a.precedence == 3);
  bool right = b.precedence <= how.precedence;
  return {wrap(a, left) + " " + how.text + " " + wrap(b, right),
          how.precedence};
}

} // namespace

std::string Expr::str(const SymbolTable &symbols) const {
  std::vector<Printed> stack;
  for (const Instr &instr : program) {
    if (instr.op == Op::Const) {
      stack.push_back({std::to_string(instr.value), atom});
    } else if (instr.op == Op::Symbol) {
      stack.push_back({symbols.name(static_cast<int>(instr.value)), atom});
    } else {
      Printed right = std::move(stack.back());
      stack.pop_back();
      stack.back() = combine(instr.op, stack.back(), right);
    }
  }
  return stack.front().text;
}

} // namespace ramify::runtime
