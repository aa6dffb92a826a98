// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt --tile-to-cpu-pipeline %s | ramify-translate --llvm-to-cpu-object -o %t.o
// RUN: llvm-nm %t.o | FileCheck %s
// RUN: ramify-opt --tile-to-cpu-pipeline %s | ramify-translate --llvm-to-cpu-ir | FileCheck %s --check-prefix=IR
// RUN: ramify-opt --tile-to-cpu-pipeline %s | ramify-translate --llvm-to-cpu-asm | FileCheck %s --check-prefix=ASM

// An object file with the kernel and its packed entry, which calls nothing.

// CHECK-NOT: U
// CHECK: T work
// CHECK: T work_packed

// The same as LLVM IR and as assembly. The packed entry calls the kernel.
// IR:     define void @work(ptr {{.*}}%0,
// IR-NOT: @llvm.exp
// IR:     define void @work_packed(ptr %0)
// IR:       call void @work(

// ASM: {{^}}work:
// ASM: {{^}}work_packed:
tile.kernel @work(%x: memref<?xf32, strided<[1]>>) {
  %r = tile.iota : tensor<16xi32>
  %a = tile.lookup %x[%r] : (memref<?xf32, strided<[1]>>, tensor<16xi32>) -> tensor<16xf32>
  %b = math.exp %a : tensor<16xf32>
  tile.scatter %b into %x[%r] : (tensor<16xf32>, memref<?xf32, strided<[1]>>, tensor<16xi32>) -> ()
}
