// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// SHA-256 (FIPS 180-4), for cache keys and checksums.

#ifndef RAMIFY_RUNTIME_SHA256_H
#define RAMIFY_RUNTIME_SHA256_H

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace ramify::runtime {

using Digest = std::array<uint8_t, 32>;

Digest sha256(std::string_view bytes);
/// The digest in 64 lower-case hexadecimal digits.
std::string hex(const Digest &digest);

} // namespace ramify::runtime

#endif
