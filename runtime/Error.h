// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The one exception type of the runtime. Its kind tells a host language which
// class to raise; its message is complete and written for the person who made
// the call.

#ifndef RAMIFY_RUNTIME_ERROR_H
#define RAMIFY_RUNTIME_ERROR_H

#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>

namespace ramify::runtime {

enum class ErrorKind {
  Argument,     // a value that the call cannot take (shape, range, layout)
  ArgumentType, // an object or dtype of the wrong type
  Unsupported,  // right, but not implemented
  Device,       // the driver refused; the message holds its name and text
  Capture,      // something that a graph capture forbids
  Cache,        // the cache's folder cannot be used
  Plan,         // damaged or inconsistent plan or code
};

class Error : public std::runtime_error {
public:
  Error(ErrorKind kind, const std::string &message)
      : std::runtime_error(message), errorKind(kind) {}
  ErrorKind kind() const { return errorKind; }

private:
  ErrorKind errorKind;
};

/// The arguments, streamed into one string.
template <typename... Ts> std::string concat(Ts &&...parts) {
  std::ostringstream stream;
  (stream << ... << std::forward<Ts>(parts));
  return stream.str();
}

template <typename... Ts>
[[noreturn]] void fail(ErrorKind kind, Ts &&...parts) {
  throw Error(kind, concat(std::forward<Ts>(parts)...));
}

} // namespace ramify::runtime

#endif
