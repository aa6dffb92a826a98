// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Integer expressions of a plan: grids, shapes, trip counts, guards.
//
// Written as text in the usual infix form and kept as a postfix program:
//
//     ceildiv(L, 16) * max(HQ, 1)      ->      L 16 ceildiv HQ 1 max *
//
// Operators, loosest first: `||`, `&&`, comparisons (`< <= > >= == !=`, giving
// 0 or 1; they do not chain), `+ -`, `*`; and the functions ceildiv(a, b),
// floordiv(a, b), mod(a, b), min(a, b), max(a, b). Symbols are names with dots:
// `L`, `q.align`, `sms`. Everything is evaluated in int64; overflow and
// division by a number below 1 are errors.

#ifndef RAMIFY_RUNTIME_EXPR_H
#define RAMIFY_RUNTIME_EXPR_H

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ramify::runtime {

/// Names of the symbols that expressions use; an expression holds positions in
/// this table.
class SymbolTable {
public:
  /// The position of `name`, added if it is new.
  int intern(std::string_view name);
  /// The position of `name`, or -1.
  int find(std::string_view name) const;
  const std::string &name(int index) const { return names[index]; }
  int size() const { return static_cast<int>(names.size()); }

private:
  std::vector<std::string> names;
};

class Expr {
public:
  enum class Op : uint8_t {
    Const,
    Symbol,
    Add,
    Sub,
    Mul,
    CeilDiv,
    FloorDiv,
    Mod,
    Min,
    Max,
    Lt,
    Le,
    Gt,
    Ge,
    Eq,
    Ne,
    And,
    Or,
  };
  struct Instr {
    Op op;
    int64_t value; // the constant, or the symbol's position
    bool operator==(const Instr &) const = default;
  };

  /// The deepest operand stack that an expression may need.
  static constexpr int maxDepth = 32;

  Expr() : Expr(0) {}
  Expr(int64_t constant) : program{{Op::Const, constant}} {}

  static Expr symbol(int position);
  static Expr binary(Op op, const Expr &left, const Expr &right);

  /// Parses `text`, interning its symbols. Throws Error(Plan) with the place of
  /// the mistake.
  static Expr parse(std::string_view text, SymbolTable &symbols);

  /// The value under `environment` (one value per symbol of the table).
  int64_t evaluate(std::span<const int64_t> environment) const {
    const Instr &first = program.front();
    if (program.size() > 1)
      return run(environment);
    return first.op == Op::Const
               ? first.value
               : environment[static_cast<size_t>(first.value)];
  }

  /// The infix text, which parses to the same program.
  std::string str(const SymbolTable &symbols) const;

  bool isConstant() const {
    return program.size() == 1 && program[0].op == Op::Const;
  }
  const std::vector<Instr> &instructions() const { return program; }
  bool operator==(const Expr &) const = default;

private:
  friend class ExprParser;
  int64_t run(std::span<const int64_t> environment) const;

  std::vector<Instr> program;
};

} // namespace ramify::runtime

#endif
