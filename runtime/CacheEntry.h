// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One cache entry, self-contained in one file:
//
//     "RAMIFYCE"  u64 version  u64 sizes of key, description, payload
//     key         what the entry was made from; compared whole, not only by its
//     hash description one line for people payload     a serialised plan
//     SHA-256 of all the bytes before it
//
// Integers are little-endian. decode() accepts exactly what encode() wrote: one
// flipped bit, a missing or an extra byte gives nothing, with a reason.

#ifndef RAMIFY_RUNTIME_CACHEENTRY_H
#define RAMIFY_RUNTIME_CACHEENTRY_H

#include <optional>
#include <string>
#include <string_view>

namespace ramify::runtime {

struct CacheEntry {
  std::string key;
  std::string description;
  std::string payload;
};

std::string encode(const CacheEntry &entry);
/// The entry, or nothing and the `reason`.
std::optional<CacheEntry> decode(std::string_view bytes, std::string &reason);

} // namespace ramify::runtime

#endif
