// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt --split-input-file --verify-diagnostics --tile-to-cpu %s

tile.kernel @no_lowering(%x: memref<?xf32, strided<[1]>>) {
  // expected-error @+1 {{'memref.alloc' op has no lowering to the CPU}}
  %a = memref.alloc() : memref<4xf32>
}
