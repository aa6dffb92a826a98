// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt --tile-assign-layouts --convert-tile-to-gpu --canonicalize --cse --split-input-file %s | FileCheck %s

!O = memref<?x8xf32, strided<[?, 1]>>
!I = memref<?x8xi32, strided<[?, 1]>>

// Turns as long as any lane finds a candidate: the quad's best by two steps of
// shuffles for score and id of both rows, then one shuffle for each list and row
// that moves by one.
// CHECK-LABEL: llvm.func @topk(
// CHECK-COUNT-8: llvm.call_intrinsic "llvm.nvvm.shfl.sync.bfly
// CHECK-NOT:     shfl.sync.bfly
// CHECK:         llvm.call_intrinsic "llvm.nvvm.vote.any.sync"
// CHECK:         llvm.cond_br
// CHECK:         llvm.call_intrinsic "llvm.nvvm.shfl.sync.idx.f32"
// CHECK:         llvm.call_intrinsic "llvm.nvvm.shfl.sync.idx.i32"
// CHECK:         llvm.call_intrinsic "llvm.nvvm.shfl.sync.idx.f32"
// CHECK:         llvm.call_intrinsic "llvm.nvvm.shfl.sync.idx.i32"
// CHECK-NOT:     shfl
tile.kernel @topk(%x: !O, %b: !O, %w: !I) {
  %r = tile.iota : tensor<16xi32>
  %id = tile.iota : tensor<8xi32>
  %best = arith.constant dense<0xFF800000> : tensor<16x8xf32>
  %which = arith.constant dense<-1> : tensor<16x8xi32>
  %s = tile.gather %x[%r] : (!O, tensor<16xi32>) -> tensor<16x8xf32>
  %y:2 = tile.topk %s, %id into %best, %which : tensor<16x8xf32>, tensor<8xi32>, tensor<16x8xf32>, tensor<16x8xi32>
  tile.scatter %y#0 into %b[%r] : (tensor<16x8xf32>, !O, tensor<16xi32>) -> ()
  tile.scatter %y#1 into %w[%r] : (tensor<16x8xi32>, !I, tensor<16xi32>) -> ()
}

// -----

!O = memref<?x8xf32, strided<[?, 1]>>

// The sums of the quad's lanes for each of the thread's two rows.
// CHECK-LABEL: llvm.func @scan(
// CHECK-COUNT-8: llvm.call_intrinsic "llvm.nvvm.shfl.sync.idx.f32"
// CHECK-NOT:     shfl
tile.kernel @scan(%x: !O) {
  %r = tile.iota : tensor<16xi32>
  %s = tile.gather %x[%r] : (!O, tensor<16xi32>) -> tensor<16x8xf32>
  %y = tile.scan sum %s along 1 : tensor<16x8xf32>
  tile.scatter %y into %x[%r] : (tensor<16x8xf32>, !O, tensor<16xi32>) -> ()
}

// -----

!I = memref<?x8xi32, strided<[?, 1]>>

// For each of the thread's two rows: eight keys to compare with, the place of
// each, and the eight elements of the tile to choose from.
// CHECK-LABEL: llvm.func @sort(
// CHECK-COUNT-48: llvm.call_intrinsic "llvm.nvvm.shfl.sync.idx.i32"
// CHECK-NOT:     shfl
tile.kernel @sort(%x: !I) {
  %r = tile.iota : tensor<16xi32>
  %s = tile.gather %x[%r] : (!I, tensor<16xi32>) -> tensor<16x8xi32>
  %y = tile.sort descending %s : (tensor<16x8xi32>) -> tensor<16x8xi32>
  tile.scatter %y into %x[%r] : (tensor<16x8xi32>, !I, tensor<16xi32>) -> ()
}
