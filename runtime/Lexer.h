// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tokens of the plan's text form: names (with dots), integers (no sign), quoted
// strings, punctuation.

#ifndef RAMIFY_RUNTIME_LEXER_H
#define RAMIFY_RUNTIME_LEXER_H

#include <cstdint>
#include <string>
#include <string_view>

namespace ramify::runtime {

struct Token {
  enum class Kind { Name, Integer, String, Punct, End };
  Kind kind = Kind::End;
  std::string text; // a string's contents without quotes and escapes
  int64_t integer = 0;
};

/// Cuts text into tokens with one token of look-ahead. Mistakes throw
/// Error(Plan) with the line.
class Lexer {
public:
  explicit Lexer(std::string_view text);

  const Token &peek() const { return current; }
  Token take();
  /// Takes the next token if it is the name or punctuation `text`.
  bool accept(std::string_view text);
  void expect(std::string_view text);
  std::string takeName(const char *what);
  int64_t takeInteger(const char *what);
  std::string takeString(const char *what);
  bool atEnd() const { return current.kind == Token::Kind::End; }

  [[noreturn]] void error(const std::string &message) const;

private:
  void advance();
  void lexName();
  void lexInteger();
  void lexString();
  void lexPunct();

  std::string_view text;
  size_t position = 0;   // behind the current token
  size_t tokenStart = 0; // of the current token
  Token current;
};

} // namespace ramify::runtime

#endif
