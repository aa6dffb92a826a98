// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "runtime/CacheEntry.h"

#include "runtime/Sha256.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace ramify::runtime {

namespace {

constexpr std::string_view magic = "RAMIFYCE";
constexpr uint64_t version = 1;
constexpr size_t headerSize = 8 + 8 + 3 * 8;
constexpr size_t digestSize = 32;

void putU64(std::string &out, uint64_t value) {
  for (int i = 0; i < 8; ++i)
    out += static_cast<char>(value >> (8 * i));
}

uint64_t getU64(std::string_view bytes, size_t offset) {
  uint64_t value = 0;
  for (int i = 0; i < 8; ++i)
    value |= uint64_t(static_cast<uint8_t>(bytes[offset + i])) << (8 * i);
  return value;
}

bool digestMatches(std::string_view bytes) {
  Digest digest = sha256(bytes.substr(0, bytes.size() - digestSize));
  std::string_view stored = bytes.substr(bytes.size() - digestSize);
  return std::equal(
      digest.begin(), digest.end(), stored.begin(),
      [](uint8_t a, char b) { return a == static_cast<uint8_t>(b); });
}

} // namespace

std::string encode(const CacheEntry &entry) {
  std::string bytes(magic);
  putU64(bytes, version);
  for (const std::string *part :
       {&entry.key, &entry.description, &entry.payload})
    putU64(bytes, part->size());
  bytes += entry.key;
  bytes += entry.description;
  bytes += entry.payload;
  Digest digest = sha256(bytes);
  bytes.append(digest.begin(), digest.end());
  return bytes;
}

std::optional<CacheEntry> decode(std::string_view bytes, std::string &reason) {
  auto damaged = [&](const char *why) {
    reason = why;
    return std::nullopt;
  };
  if (bytes.size() < headerSize + digestSize)
    return damaged("too short");
  if (!bytes.starts_with(magic) || getU64(bytes, 8) != version)
    return damaged("not an entry of this version");
  uint64_t rest = bytes.size() - headerSize - digestSize;
  std::array<uint64_t, 3> sizes;
  for (int i = 0; i < 3; ++i) {
    sizes[i] = getU64(bytes, 16 + 8 * i);
    if (sizes[i] > rest)
      return damaged("cut short");
    rest -= sizes[i];
  }
  if (rest != 0)
    return damaged("too long");
  if (!digestMatches(bytes))
    return damaged("checksum does not match");
  CacheEntry entry;
  entry.key = bytes.substr(headerSize, sizes[0]);
  entry.description = bytes.substr(headerSize + sizes[0], sizes[1]);
  entry.payload = bytes.substr(headerSize + sizes[0] + sizes[1], sizes[2]);
  return entry;
}

} // namespace ramify::runtime
