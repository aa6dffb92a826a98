// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// arc4random for the static wheel. Debian's LLVM calls it for the names of
// temporary files; glibc has it only since 2.36, and the wheel is to run on
// older ones.

#include <stdint.h>
#include <sys/random.h>

uint32_t arc4random(void) {
  uint32_t value = 0;
  // A read of up to 256 bytes is never cut short once the pool is initialised.
  while (getrandom(&value, sizeof value, 0) != sizeof value)
    ;
  return value;
}
