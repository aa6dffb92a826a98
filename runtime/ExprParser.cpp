// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "runtime/ExprParser.h"

#include <optional>

namespace ramify::runtime {

using Op = Expr::Op;

namespace {

constexpr int tightest = 5;
constexpr int comparisons = 3;

struct Infix {
  const char *text;
  Op op;
  int precedence;
};
constexpr Infix infixes[] = {
    {"||", Op::Or, 1}, {"&&", Op::And, 2}, {"<", Op::Lt, 3},  {"<=", Op::Le, 3},
    {">", Op::Gt, 3},  {">=", Op::Ge, 3},  {"==", Op::Eq, 3}, {"!=", Op::Ne, 3},
    {"+", Op::Add, 4}, {"-", Op::Sub, 4},  {"*", Op::Mul, 5},
};

std::optional<Op> acceptInfix(Lexer &lexer, int precedence) {
  for (const Infix &infix : infixes)
    if (infix.precedence == precedence && lexer.accept(infix.text))
      return infix.op;
  return std::nullopt;
}

std::optional<Op> functionNamed(const std::string &name) {
  static constexpr std::pair<const char *, Op> functions[] = {
      {"ceildiv", Op::CeilDiv}, {"floordiv", Op::FloorDiv}, {"mod", Op::Mod},
      {"min", Op::Min},         {"max", Op::Max},
  };
  for (const auto &[text, op] : functions)
    if (name == text)
      return op;
  return std::nullopt;
}

} // namespace

Expr ExprParser::parse() {
  program.clear();
  nesting = depth = 0;
  binary(1);
  Expr result;
  result.program = std::move(program);
  return result;
}

void ExprParser::emit(Op op, int64_t value) {
  program.push_back({op, value});
  depth += op == Op::Const || op == Op::Symbol ? 1 : -1;
  if (depth > Expr::maxDepth)
    lexer.error("expression is too deep");
}

void ExprParser::binary(int precedence) {
  if (precedence > tightest)
    return primary();
  binary(precedence + 1);
  while (std::optional<Op> op = acceptInfix(lexer, precedence)) {
    binary(precedence + 1);
    emit(*op);
    if (precedence == comparisons)
      return;
  }
}

void ExprParser::call(Op op) {
  lexer.expect("(");
  binary(1);
  lexer.expect(",");
  binary(1);
  lexer.expect(")");
  emit(op);
}

void ExprParser::negation() {
  if (lexer.peek().kind == Token::Kind::Integer)
    return emit(Op::Const, -lexer.takeInteger("an integer"));
  emit(Op::Const, 0);
  primary();
  emit(Op::Sub);
}

void ExprParser::primary() {
  if (++nesting > Expr::maxDepth)
    lexer.error("expression is nested too deeply");
  if (lexer.accept("(")) {
    binary(1);
    lexer.expect(")");
  } else if (lexer.accept("-")) {
    negation();
  } else if (lexer.peek().kind == Token::Kind::Integer) {
    emit(Op::Const, lexer.takeInteger("an integer"));
  } else {
    std::string name = lexer.takeName("a symbol, a number or '('");
    if (std::optional<Op> op = functionNamed(name))
      call(*op);
    else
      emit(Op::Symbol, symbols.intern(name));
  }
  --nesting;
}

Expr Expr::parse(std::string_view text, SymbolTable &symbols) {
  Lexer lexer(text);
  Expr result = ExprParser(lexer, symbols).parse();
  if (!lexer.atEnd())
    lexer.error("unexpected '" + lexer.peek().text + "' behind the expression");
  return result;
}

} // namespace ramify::runtime
