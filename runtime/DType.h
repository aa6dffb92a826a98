// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Element types of arrays and scalars, named as in MLIR: "bf16", "f32", "i32".

#ifndef RAMIFY_RUNTIME_DTYPE_H
#define RAMIFY_RUNTIME_DTYPE_H

#include <cstdint>
#include <optional>
#include <string_view>

namespace ramify::runtime {

enum class DType : uint8_t { F64, F32, F16, BF16, I64, I32, I16, I8, U8, I1 };

inline constexpr int numDTypes = 10;

const char *name(DType type);
std::optional<DType> parseDType(std::string_view text);
/// Bytes of one element; i1 is stored in a byte.
int64_t sizeOf(DType type);
bool isFloat(DType type);

} // namespace ramify::runtime

#endif
