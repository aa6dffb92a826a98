// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Kernels as the compiler makes them for the CPU, in C, and with everything
// that a loader of object code may meet. out[i] = x[i] * scale * table(i) for a
// matrix with strides.

#include <stdint.h>
#include <string.h>

static float one(void) { return 1.0f; }
static float two(void) { return 2.0f; }
// Addresses in data: a relocation in a read-only section.
static float (*const table[2])(void) = {one, two};
// Written data, and data that starts as zero.
int calls = 0;
static int lastColumn;

__attribute__((noinline)) void scale_rows(const float *x, int64_t rows,
                                          int64_t columns, int64_t rowStride,
                                          float scale, float *out,
                                          int64_t begin, int64_t end) {
  for (int64_t row = begin; row < end && row < rows; ++row) {
    memset(out + row * columns, 0, (size_t)columns * sizeof(float));
    for (int64_t i = 0; i < columns; ++i) {
      out[row * columns + i] = x[row * rowStride + i] * scale * table[i & 1]();
      __atomic_store_n(&lastColumn, (int)i, __ATOMIC_RELAXED);
    }
  }
  __atomic_fetch_add(&calls, 1, __ATOMIC_RELAXED);
}

// Parameters: x (pointer, 2 sizes, 2 strides), scale, out (the same), then
// begin, end, nx, ny.
void scale_rows_packed(void **p) {
  scale_rows(*(const float **)p[0], *(int64_t *)p[1], *(int64_t *)p[2],
             *(int64_t *)p[3], *(float *)p[5], *(float **)p[6],
             *(int64_t *)p[11], *(int64_t *)p[12]);
}

// Writes begin + nx and so shows where each range came from: one program adds
// its linear number to the slot of the result.
void mark_packed(void **p) {
  int64_t *out = *(int64_t **)p[0];
  int64_t offset = *(int32_t *)p[3];
  for (int64_t i = *(int64_t *)p[4]; i < *(int64_t *)p[5]; ++i)
    __atomic_fetch_add(&out[i], i + offset, __ATOMIC_RELAXED);
}
