// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-translate --hsa-to-ptx --target=sm_80 %s | FileCheck %s

// Reads of arrays that nothing writes go through the read-only path, where ptxas
// may move them to their use; a kernel can ask for loads that stay in their place.

!I = memref<?xi32, strided<[1]>>

// CHECK-LABEL: .entry anywhere(
// CHECK:       ld.global.nc.u32
tile.kernel @anywhere(%a: !I, %b: !I) {
  %i = tile.iota : tensor<32xi32>
  %x = tile.lookup %a[%i] : (!I, tensor<32xi32>) -> tensor<32xi32>
  tile.scatter %x into %b[%i] : (tensor<32xi32>, !I, tensor<32xi32>) -> ()
}

// CHECK-LABEL: .entry in_place(
// CHECK-NOT:   ld.global.nc
// CHECK:       ld.global.u32
// CHECK-NOT:   ld.global.nc
tile.kernel @in_place(%a: !I, %b: !I) attributes {tile.loads_stay} {
  %i = tile.iota : tensor<32xi32>
  %x = tile.lookup %a[%i] : (!I, tensor<32xi32>) -> tensor<32xi32>
  tile.scatter %x into %b[%i] : (tensor<32xi32>, !I, tensor<32xi32>) -> ()
}
