// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "runtime/Lexer.h"

#include "runtime/Error.h"

#include <algorithm>
#include <charconv>

namespace ramify::runtime {

namespace {
bool isNameStart(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool isDigit(char c) { return c >= '0' && c <= '9'; }
bool isNamePart(char c) {
  return isNameStart(c) || isDigit(c) || c == '.' || c == '$';
}
} // namespace

Lexer::Lexer(std::string_view text) : text(text) { advance(); }

void Lexer::error(const std::string &message) const {
  auto line =
      1 + std::count(text.begin(),
                     text.begin() + std::min(tokenStart, text.size()), '\n');
  fail(ErrorKind::Plan, "plan, line ", line, ": ", message);
}

void Lexer::advance() {
  while (position < text.size() &&
         (text[position] == ' ' || text[position] == '\n' ||
          text[position] == '\t'))
    ++position;
  tokenStart = position;
  current = Token();
  if (position == text.size())
    return;
  char c = text[position];
  if (isNameStart(c))
    return lexName();
  if (isDigit(c))
    return lexInteger();
  if (c == '"')
    return lexString();
  lexPunct();
}

void Lexer::lexName() {
  while (position < text.size() && isNamePart(text[position]))
    ++position;
  current.kind = Token::Kind::Name;
  current.text = text.substr(tokenStart, position - tokenStart);
}

void Lexer::lexInteger() {
  const char *begin = text.data() + tokenStart;
  auto [end, code] =
      std::from_chars(begin, text.data() + text.size(), current.integer);
  if (code != std::errc())
    error("integer does not fit 64 bits");
  position = tokenStart + static_cast<size_t>(end - begin);
  if (position < text.size() && isNamePart(text[position]))
    error("a name may not begin with a digit");
  current.kind = Token::Kind::Integer;
  current.text = text.substr(tokenStart, position - tokenStart);
}

void Lexer::lexString() {
  for (++position; position < text.size() && text[position] != '"';
       ++position) {
    char c = text[position];
    if (c == '\\' && ++position < text.size())
      c = text[position] == 'n' ? '\n' : text[position];
    current.text += c;
  }
  if (position >= text.size())
    error("string without an end");
  ++position;
  current.kind = Token::Kind::String;
}

void Lexer::lexPunct() {
  static constexpr std::string_view two[] = {
      "<=", ">=", "==", "!=", "&&", "||"};
  static constexpr std::string_view one = "()[]{},:=<>+-*";
  current.kind = Token::Kind::Punct;
  std::string_view rest = text.substr(position);
  for (std::string_view punct : two)
    if (rest.starts_with(punct)) {
      current.text = punct;
      position += 2;
      return;
    }
  if (one.find(rest[0]) == std::string_view::npos)
    error("unexpected character");
  current.text = rest[0];
  ++position;
}

Token Lexer::take() {
  Token token = std::move(current);
  advance();
  return token;
}

bool Lexer::accept(std::string_view wanted) {
  bool punctOrName =
      current.kind == Token::Kind::Punct || current.kind == Token::Kind::Name;
  if (!punctOrName || current.text != wanted)
    return false;
  advance();
  return true;
}

void Lexer::expect(std::string_view wanted) {
  if (!accept(wanted))
    error(concat("expected '", wanted, "', found '", current.text, "'"));
}

std::string Lexer::takeName(const char *what) {
  if (current.kind != Token::Kind::Name)
    error(concat("expected ", what, ", found '", current.text, "'"));
  return take().text;
}

int64_t Lexer::takeInteger(const char *what) {
  if (current.kind != Token::Kind::Integer)
    error(concat("expected ", what, ", found '", current.text, "'"));
  return take().integer;
}

std::string Lexer::takeString(const char *what) {
  if (current.kind != Token::Kind::String)
    error(concat("expected ", what, " in quotes, found '", current.text, "'"));
  return take().text;
}

} // namespace ramify::runtime
