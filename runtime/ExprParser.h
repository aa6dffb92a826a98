// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The infix form of Expr, by recursive descent over a lexer that a larger form
// may share.

#ifndef RAMIFY_RUNTIME_EXPRPARSER_H
#define RAMIFY_RUNTIME_EXPRPARSER_H

#include "runtime/Expr.h"
#include "runtime/Lexer.h"

namespace ramify::runtime {

class ExprParser {
public:
  ExprParser(Lexer &lexer, SymbolTable &symbols)
      : lexer(lexer), symbols(symbols) {}

  /// Parses the longest expression at the lexer's position.
  Expr parse();

private:
  void binary(int precedence);
  void primary();
  void negation();
  void call(Expr::Op op);
  void emit(Expr::Op op, int64_t value = 0);

  Lexer &lexer;
  SymbolTable &symbols;
  std::vector<Expr::Instr> program;
  int nesting = 0; // of parentheses and calls
  int depth = 0;   // operands on the stack at this point of the program
};

} // namespace ramify::runtime

#endif
