// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt --pass-pipeline="builtin.module(tile-assign-layouts,tile.kernel(tile-keep-lists,tile-insert-barriers))" --split-input-file %s | FileCheck %s
// RUN: ramify-opt --pass-pipeline="builtin.module(tile-assign-layouts,tile.kernel(tile-keep-lists{shared-bytes=8192}))" --split-input-file %s | FileCheck %s --check-prefix=SMALL

!X = memref<?x8xf32, strided<[?, 1]>>
!B = memref<?x64xf32, strided<[?, 1]>>
!W = memref<?x64xi32, strided<[?, 1]>>

// Two lists of 64 places would take 64 registers. What is wanted by its index is
// sorted once, where it lies; each user reads for itself. One barrier stands
// before the walk and one behind it. Where there is no room, nothing changes.
// CHECK-LABEL: tile.kernel @by_index
// CHECK-DAG:   %[[B:.*]] = tile.alloc_shared : memref<1x16x64xf32, #tile.shared<swizzle = 0, pad = 32>>
// CHECK-DAG:   %[[W:.*]] = tile.alloc_shared : memref<1x16x64xi32, #tile.shared<swizzle = 0, pad = 32>>
// CHECK:       tile.store_shared %{{.*}} into %[[B]]
// CHECK:       tile.store_shared %{{.*}} into %[[W]]
// CHECK-NEXT:  tile.barrier
// CHECK-NOT:   tile.barrier
// CHECK:       %{{.*}}:3 = scf.for {{.*}} iter_args(%[[S:.*]] = %{{.*}}, %[[I:.*]] = %{{.*}}, %[[P:.*]] = %{{.*}}) -> (tensor<16xf32
// CHECK:         tile.keep_best %{{.*}}, %{{.*}} into %[[B]], %[[W]] replacing %[[S]], %[[I]], %[[P]]
// CHECK-NOT:     tile.barrier
// CHECK:         scf.yield
// CHECK-NOT:   tile.barrier
// CHECK:       tile.sort_lists descending by 1 %[[W]], %[[B]]
// CHECK-NOT:   tile.sort
// CHECK:       tile.barrier
// CHECK:       tile.load_shared %[[B]]
// CHECK:       tile.load_shared %[[B]]
// CHECK:       tile.load_shared %[[W]]
// SMALL-LABEL: tile.kernel @by_index
// SMALL-NOT:   tile.alloc_shared
// SMALL:       tile.topk
tile.kernel @by_index(%x: !X, %b: !B, %w: !W, %from: index, %to: index, %step: index) {
  %r = tile.iota : tensor<16xi32>
  %id = tile.iota : tensor<8xi32>
  %best = arith.constant dense<0xFF800000> : tensor<16x64xf32>
  %which = arith.constant dense<-1> : tensor<16x64xi32>
  %s = tile.gather %x[%r] : (!X, tensor<16xi32>) -> tensor<16x8xf32>
  %y:2 = scf.for %n = %from to %to step %step iter_args(%p = %best, %q = %which) -> (tensor<16x64xf32>, tensor<16x64xi32>) {
    %t:2 = tile.topk %s, %id into %p, %q : tensor<16x8xf32>, tensor<8xi32>, tensor<16x64xf32>, tensor<16x64xi32>
    scf.yield %t#0, %t#1 : tensor<16x64xf32>, tensor<16x64xi32>
  }
  %z:2 = tile.sort descending %y#1, %y#0 : (tensor<16x64xi32>, tensor<16x64xf32>) -> (tensor<16x64xi32>, tensor<16x64xf32>)
  tile.scatter %z#1 into %b[%r] : (tensor<16x64xf32>, !B, tensor<16xi32>) -> ()
  tile.scatter %z#1 into %b[%r] : (tensor<16x64xf32>, !B, tensor<16xi32>) -> ()
  tile.scatter %z#0 into %w[%r] : (tensor<16x64xi32>, !W, tensor<16xi32>) -> ()
}

// -----

!X = memref<?x8xf32, strided<[?, 1]>>
!W = memref<?x40xi32, strided<[?, 1]>>

// The last places of the best are cut off: they are sorted by their scores
// before that, and by their ids, upwards, after it. What a candidate carries is
// held beside it.
// CHECK-LABEL: tile.kernel @cut
// CHECK:       tile.keep_best %[[S:.*]], %{{.*}} carrying %[[S]] into %[[B:.*]], %[[W:.*]] holding %[[H:.*]] replacing
// CHECK:       tile.sort_lists descending by 2 %[[B]], %[[W]], %[[H]]
// CHECK:       %[[ALL:.*]] = tile.load_shared %[[W]]
// CHECK:       %[[FEW:.*]] = arith.select %{{.*}}, %[[ALL]], %{{.*}}
// CHECK:       tile.store_shared %[[FEW]] into %[[W]]
// CHECK:       tile.sort_lists by 1 %[[W]], %[[B]], %[[H]]
// CHECK:       tile.load_shared %[[W]]
tile.kernel @cut(%x: !X, %w: !W, %from: index, %to: index, %step: index) {
  %r = tile.iota : tensor<16xi32>
  %id = tile.iota : tensor<8xi32>
  %best = arith.constant dense<0xFF800000> : tensor<16x40xf32>
  %which = arith.constant dense<-1> : tensor<16x40xi32>
  %c36 = arith.constant dense<36> : tensor<40xi32>
  %s = tile.gather %x[%r] : (!X, tensor<16xi32>) -> tensor<16x8xf32>
  %y:3 = scf.for %n = %from to %to step %step iter_args(%p = %best, %q = %which, %h = %best) -> (tensor<16x40xf32>, tensor<16x40xi32>, tensor<16x40xf32>) {
    %t:3 = tile.topk %s, %id carrying %s : tensor<16x8xf32> into %p, %q holding %h : tensor<16x40xf32> -> tensor<16x40xf32>
        : tensor<16x8xf32>, tensor<8xi32>, tensor<16x40xf32>, tensor<16x40xi32>
    scf.yield %t#0, %t#1, %t#2 : tensor<16x40xf32>, tensor<16x40xi32>, tensor<16x40xf32>
  }
  %column = tile.iota : tensor<40xi32>
  %in = arith.cmpi slt, %column, %c36 : tensor<40xi32>
  %there = tile.broadcast %in along 0 : tensor<40xi1> -> tensor<16x40xi1>
  %few = arith.select %there, %y#1, %which : tensor<16x40xi1>, tensor<16x40xi32>
  %z:3 = tile.sort %few, %y#0, %y#2 : (tensor<16x40xi32>, tensor<16x40xf32>, tensor<16x40xf32>) -> (tensor<16x40xi32>, tensor<16x40xf32>, tensor<16x40xf32>)
  tile.scatter %z#0 into %w[%r] : (tensor<16x40xi32>, !W, tensor<16xi32>) -> ()
}

// -----

!X = memref<?x8xf32, strided<[?, 1]>>
!W = memref<?x16xi32, strided<[?, 1]>>

// Two lists of 16 places stay in registers.
// CHECK-LABEL: tile.kernel @short
// CHECK-NOT:   tile.alloc_shared
// CHECK:       tile.topk
tile.kernel @short(%x: !X, %w: !W, %from: index, %to: index, %step: index) {
  %r = tile.iota : tensor<16xi32>
  %id = tile.iota : tensor<8xi32>
  %best = arith.constant dense<0xFF800000> : tensor<16x16xf32>
  %which = arith.constant dense<-1> : tensor<16x16xi32>
  %s = tile.gather %x[%r] : (!X, tensor<16xi32>) -> tensor<16x8xf32>
  %y:2 = scf.for %n = %from to %to step %step iter_args(%p = %best, %q = %which) -> (tensor<16x16xf32>, tensor<16x16xi32>) {
    %t:2 = tile.topk %s, %id into %p, %q : tensor<16x8xf32>, tensor<8xi32>, tensor<16x16xf32>, tensor<16x16xi32>
    scf.yield %t#0, %t#1 : tensor<16x16xf32>, tensor<16x16xi32>
  }
  tile.scatter %y#1 into %w[%r] : (tensor<16x16xi32>, !W, tensor<16xi32>) -> ()
}
