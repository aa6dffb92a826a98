// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "runtime/Expr.h"
#include "runtime/Error.h"

#include <gtest/gtest.h>

using namespace ramify::runtime;

namespace {

int64_t evaluate(const std::string &text, std::vector<int64_t> values = {}) {
  SymbolTable symbols;
  for (const char *name : {"L", "N", "q.align"})
    symbols.intern(name);
  values.resize(3);
  return Expr::parse(text, symbols).evaluate(values);
}

std::string errorOf(const std::string &text) {
  try {
    evaluate(text);
  } catch (const Error &error) {
    return error.what();
  }
  return "";
}

TEST(Expr, Arithmetic) {
  EXPECT_EQ(evaluate("1 + 2 * 3 - 4"), 3);
  EXPECT_EQ(evaluate("(1 + 2) * 3 - -4"), 13);
  EXPECT_EQ(evaluate("2 * -L + -(3 - N)", {5, 1}), -12);
  EXPECT_EQ(evaluate("10 - 4 - 3"), 3);
  EXPECT_EQ(evaluate("10 - (4 - 3)"), 9);
  EXPECT_EQ(evaluate("ceildiv(L, 16) * max(N, 1)", {33, 0}), 3);
  EXPECT_EQ(evaluate("min(L, N)", {7, -2}), -2);
}

TEST(Expr, DivisionRoundsDownOrUpForNegativeNumbersToo) {
  EXPECT_EQ(evaluate("floordiv(-1, 16)"), -1);
  EXPECT_EQ(evaluate("floordiv(-16, 16)"), -1);
  EXPECT_EQ(evaluate("ceildiv(-1, 16)"), 0);
  EXPECT_EQ(evaluate("ceildiv(-17, 16)"), -1);
  EXPECT_EQ(evaluate("mod(-1, 16)"), 15);
}

TEST(Expr, ComparisonsAndLogic) {
  EXPECT_EQ(evaluate("q.align >= 16 && L < 2147483648", {1, 0, 16}), 1);
  EXPECT_EQ(evaluate("q.align >= 16 && L < 2147483648", {2147483648, 0, 16}),
            0);
  EXPECT_EQ(evaluate("L == 1 || N != 2", {1, 2}), 1);
  EXPECT_EQ(evaluate("L == 1 || N != 2", {0, 2}), 0);
}

TEST(Expr, OverflowAndDivisionByZeroAreErrors) {
  EXPECT_EQ(errorOf("9223372036854775807 + 1"),
            "sizes are too large: an expression exceeds 64 bits");
  EXPECT_EQ(errorOf("4294967296 * 4294967296"),
            "sizes are too large: an expression exceeds 64 bits");
  EXPECT_EQ(errorOf("-9223372036854775807 - 2"),
            "sizes are too large: an expression exceeds 64 bits");
  EXPECT_EQ(errorOf("ceildiv(9223372036854775807, 1)"), "");
  EXPECT_EQ(errorOf("ceildiv(1, L)"), "division by 0 in a plan's expression");
  EXPECT_EQ(errorOf("mod(1, -3)"), "division by -3 in a plan's expression");
}

TEST(Expr, PrintingAndParsingGiveTheSameProgram) {
  for (const char *text :
       {"L", "-5", "1 + 2 * 3", "(1 + 2) * 3", "L - (N - 1)", "L - N - 1",
        "(L < N) == (N < 3)", "ceildiv(L * 2, max(N, 1))",
        "L < 3 && (N < 4 || L == 0)", "L * -1"}) {
    SymbolTable symbols;
    Expr expr = Expr::parse(text, symbols);
    EXPECT_EQ(expr.str(symbols), text);
    EXPECT_EQ(Expr::parse(expr.str(symbols), symbols), expr);
  }
}

TEST(Expr, BuildingFoldsConstants) {
  SymbolTable symbols;
  Expr length = Expr::symbol(symbols.intern("L"));
  EXPECT_EQ(Expr::binary(Expr::Op::Add, Expr(2), Expr(3)), Expr(5));
  EXPECT_EQ(Expr::binary(Expr::Op::CeilDiv, length, Expr(16)).str(symbols),
            "ceildiv(L, 16)");
  EXPECT_FALSE(Expr::binary(Expr::Op::FloorDiv, Expr(1), Expr(0)).isConstant());
}

TEST(Expr, MistakesAreErrorsAtTheirPlace) {
  EXPECT_EQ(errorOf(""),
            "plan, line 1: expected a symbol, a number or '(', found ''");
  EXPECT_EQ(errorOf("1 +\n* 2"),
            "plan, line 2: expected a symbol, a number or '(', found '*'");
  EXPECT_EQ(errorOf("(1"), "plan, line 1: expected ')', found ''");
  EXPECT_EQ(errorOf("1 2"),
            "plan, line 1: unexpected '2' behind the expression");
  EXPECT_EQ(errorOf("1 < 2 < 3"),
            "plan, line 1: unexpected '<' behind the expression");
  EXPECT_EQ(errorOf("3L"), "plan, line 1: a name may not begin with a digit");
  EXPECT_EQ(errorOf("99999999999999999999"),
            "plan, line 1: integer does not fit 64 bits");
  EXPECT_EQ(errorOf(std::string(100000, '(')),
            "plan, line 1: expression is nested too deeply");
  std::string deep = "1";
  for (int i = 0; i < 100; ++i)
    deep = "max(1, " + deep + ")";
  EXPECT_EQ(errorOf(deep), "plan, line 1: expression is nested too deeply");
}

} // namespace
