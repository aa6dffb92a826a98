// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt --tile-to-cpu-pipeline %s | ramify-translate --llvm-to-cpu-object -o %t.o
// RUN: llvm-nm %t.o | FileCheck %s

// An object file with the kernel and its packed entry, which calls nothing.

// CHECK-NOT: U
// CHECK: T exp
// CHECK: T exp_packed
tile.kernel @exp(%x: memref<?xf32, strided<[1]>>) {
  %r = tile.iota : tensor<16xi32>
  %a = tile.lookup %x[%r] : (memref<?xf32, strided<[1]>>, tensor<16xi32>) -> tensor<16xf32>
  %b = math.exp %a : tensor<16xf32>
  tile.scatter %b into %x[%r] : (tensor<16xf32>, memref<?xf32, strided<[1]>>, tensor<16xi32>) -> ()
}
