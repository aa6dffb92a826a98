// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt --tile-assign-layouts --convert-tile-to-gpu --canonicalize --cse --split-input-file --verify-diagnostics %s | FileCheck %s

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

// -----

!I = memref<?xi32, strided<[1]>>

// Two warps with two registers each. A ballot says which lanes have a bin, and one
// for each bit of its number; then each register in turn reads its warp's counter
// and the first lane of a bin writes it. At the end each thread has one of the 64
// bins: the counters of both warps become sums.
// CHECK-LABEL: llvm.func @tally(
// CHECK:         "llvm.nvvm.barrier0"
// CHECK-COUNT-14: llvm.call_intrinsic "llvm.nvvm.vote.ballot.sync"
// CHECK-NOT:     vote.ballot
// CHECK:         llvm.call_intrinsic "llvm.nvvm.bar.warp.sync"
// CHECK:         %[[FIRST:.*]] = llvm.load %{{.*}} : !llvm.ptr<3> -> i32
// CHECK:         llvm.cond_br
// CHECK:         llvm.store %{{.*}}, %{{.*}} : i32, !llvm.ptr<3>
// CHECK:         %[[SECOND:.*]] = llvm.load %{{.*}} : !llvm.ptr<3> -> i32
// CHECK:         "llvm.nvvm.barrier0"
// CHECK-COUNT-2: llvm.load %{{.*}} : !llvm.ptr<3> -> i32
// CHECK-COUNT-2: llvm.store %{{.*}}, %{{.*}} : i32, !llvm.ptr<3>
// CHECK:         "llvm.nvvm.barrier0"
// CHECK-COUNT-2: llvm.load %{{.*}} : !llvm.ptr<3> -> i32
tile.kernel @tally(%x: !I, %before: !I, %counts: !I) attributes {tile.warps = 2 : i32} {
  %i = tile.iota : tensor<128xi32>
  %j = tile.iota : tensor<64xi32>
  %bins = tile.lookup %x[%i] : (!I, tensor<128xi32>) -> tensor<128xi32>
  %b, %c = tile.tally %bins : tensor<128xi32>, tensor<64xi32>
  tile.scatter %b into %before[%i] : (tensor<128xi32>, !I, tensor<128xi32>) -> ()
  tile.scatter %c into %counts[%j] : (tensor<64xi32>, !I, tensor<64xi32>) -> ()
}

// -----

!I = memref<?xi32, strided<[1]>>

tile.kernel @odd(%x: !I, %counts: !I) {
  %i = tile.iota : tensor<96xi32>
  %j = tile.iota : tensor<64xi32>
  %bins = tile.lookup %x[%i] : (!I, tensor<96xi32>) -> tensor<96xi32>
  // expected-error @below {{expected a power of two of bins, 64 or more, found 'tensor<96xi32}}
  %b, %c = tile.tally %bins : tensor<96xi32>, tensor<64xi32>
  tile.scatter %c into %counts[%j] : (tensor<64xi32>, !I, tensor<64xi32>) -> ()
}
