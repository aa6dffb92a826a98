// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "runtime/DType.h"

namespace ramify::runtime {

namespace {
struct Row {
  const char *name;
  int64_t size;
  bool isFloat;
};
constexpr Row rows[numDTypes] = {
    {"f64", 8, true},  {"f32", 4, true},  {"f16", 2, true},  {"bf16", 2, true},
    {"i64", 8, false}, {"i32", 4, false}, {"i16", 2, false}, {"i8", 1, false},
    {"u8", 1, false},  {"i1", 1, false},
};
const Row &row(DType type) { return rows[static_cast<int>(type)]; }
} // namespace

const char *name(DType type) { return row(type).name; }
int64_t sizeOf(DType type) { return row(type).size; }
bool isFloat(DType type) { return row(type).isFloat; }

std::optional<DType> parseDType(std::string_view text) {
  for (int i = 0; i < numDTypes; ++i)
    if (text == rows[i].name)
      return static_cast<DType>(i);
  return std::nullopt;
}

} // namespace ramify::runtime
