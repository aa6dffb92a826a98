// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// An array whose length is known when it is made, and which is nearly always
// short: in place up to N items, on the heap beyond. A call makes a dozen of
// them, and would spend more on a dozen allocations than on its work.

#ifndef RAMIFY_RUNTIME_INLINEARRAY_H
#define RAMIFY_RUNTIME_INLINEARRAY_H

#include <cstddef>
#include <memory>
#include <span>

namespace ramify::runtime {

template <typename T, size_t N> class InlineArray {
public:
  /// Default-initialised: numbers are undefined until written.
  explicit InlineArray(size_t size) : InlineArray(size, Uninitialised{}) {
    std::uninitialized_default_construct_n(items, count);
  }
  InlineArray(size_t size, const T &value)
      : InlineArray(size, Uninitialised{}) {
    std::uninitialized_fill_n(items, count, value);
  }
  ~InlineArray() {
    std::destroy_n(items, count);
    if (count > N)
      std::allocator<T>().deallocate(items, count);
  }
  InlineArray(const InlineArray &) = delete;
  InlineArray &operator=(const InlineArray &) = delete;

  size_t size() const { return count; }
  T *data() { return items; }
  T &operator[](size_t i) { return items[i]; }
  const T &operator[](size_t i) const { return items[i]; }
  T *begin() { return items; }
  T *end() { return items + count; }
  const T *begin() const { return items; }
  const T *end() const { return items + count; }
  operator std::span<const T>() const { return {items, count}; }

private:
  struct Uninitialised {};
  InlineArray(size_t size, Uninitialised)
      : count(size), items(size <= N ? reinterpret_cast<T *>(place)
                                     : std::allocator<T>().allocate(size)) {}

  size_t count;
  T *items;
  alignas(T) std::byte place[N * sizeof(T)];
};

} // namespace ramify::runtime

#endif
