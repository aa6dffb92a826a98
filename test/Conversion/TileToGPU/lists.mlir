// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt --convert-tile-to-gpu --canonicalize --cse --split-input-file %s | FileCheck %s

#acc = #tile.layout<reg = [[0, 1], [8, 0]], lane = [[0, 2], [0, 4], [1, 0], [2, 0], [4, 0]], warps = [1, 1], repeat = [1, 1]>
#row = #tile.layout<reg = [[8]], lane = [[0], [0], [1], [2], [4]], warps = [1], repeat = [1]>
#col = #tile.layout<reg = [[1]], lane = [[2], [4], [0], [0], [0]], warps = [1], repeat = [1]>
!S = memref<1x16x32xf32, #tile.shared<swizzle = 0, pad = 32>>
!I = memref<1x16x32xi32, #tile.shared<swizzle = 0, pad = 32>>
!X = memref<?x8xf32, strided<[?, 1]>>
!O = memref<?xi32, strided<[1]>>

// Turns as long as any lane finds a candidate, as for lists in registers. For
// each of the thread's two rows one lane of the quad writes the pick, score and
// id; then, when the warp has met, each lane looks at its quarter of both lists
// in pairs, and three words for each of two steps of shuffles say which is last.
// CHECK-LABEL: llvm.func @keep_best(
// CHECK:       llvm.call_intrinsic "llvm.nvvm.vote.any.sync"
// CHECK:       llvm.cond_br
// CHECK:       llvm.store %{{.*}}, %{{.*}} : f32, !llvm.ptr<3>
// CHECK-NEXT:  llvm.getelementptr
// CHECK-NEXT:  llvm.store %{{.*}}, %{{.*}} : i32, !llvm.ptr<3>
// CHECK:       llvm.store %{{.*}}, %{{.*}} : f32, !llvm.ptr<3>
// CHECK-NOT:   llvm.nvvm.barrier0
// CHECK:       llvm.call_intrinsic "llvm.nvvm.bar.warp.sync"
// CHECK:       llvm.load %{{.*}} : !llvm.ptr<3> -> vector<2xf32>
// CHECK:       llvm.load %{{.*}} : !llvm.ptr<3> -> vector<2xi32>
// CHECK-COUNT-6: llvm.call_intrinsic "llvm.nvvm.shfl.sync.bfly
// CHECK:       llvm.load %{{.*}} : !llvm.ptr<3> -> vector<2xf32>
// CHECK-COUNT-6: llvm.call_intrinsic "llvm.nvvm.shfl.sync.bfly
// CHECK:       llvm.call_intrinsic "llvm.nvvm.bar.warp.sync"
tile.kernel @keep_best(%x: !X, %o: !O) attributes {tile.warps = 1 : i32} {
  %b = tile.alloc_shared : !S
  %w = tile.alloc_shared : !I
  %r = tile.iota : tensor<16xi32, #row>
  %id = tile.iota : tensor<8xi32, #col>
  %low = arith.constant dense<0xFF800000> : tensor<16xf32, #row>
  %none = arith.constant dense<-1> : tensor<16xi32, #row>
  %s = tile.gather %x[%r] : (!X, tensor<16xi32, #row>) -> tensor<16x8xf32, #acc>
  %y:3 = tile.keep_best %s, %id into %b, %w replacing %low, %none, %r
      : (tensor<16x8xf32, #acc>, tensor<8xi32, #col>, !S, !I, tensor<16xf32, #row>, tensor<16xi32, #row>, tensor<16xi32, #row>)
      -> (tensor<16xf32, #row>, tensor<16xi32, #row>, tensor<16xi32, #row>)
  tile.scatter %y#1 into %o[%r] : (tensor<16xi32, #row>, !O, tensor<16xi32, #row>) -> ()
}

// -----

!S = memref<1x16x32xf32, #tile.shared<swizzle = 0, pad = 32>>
!I = memref<1x16x32xi32, #tile.shared<swizzle = 0, pad = 32>>

// For each of the thread's two rows: its own eight keys, in pairs, then in a loop
// four keys of the row at a time; the lanes of the warp wait between reading and
// writing, which goes element by element to where each belongs.
// CHECK-LABEL: llvm.func @sort_lists(
// CHECK-COUNT-4: llvm.load %{{.*}} : !llvm.ptr<3> -> vector<2xi32>
// CHECK:       llvm.load %{{.*}} : !llvm.ptr<3> -> vector<4xi32>
// CHECK-NOT:   llvm.load
// CHECK-NOT:   llvm.store
// CHECK:       llvm.br
// CHECK-COUNT-4: llvm.load %{{.*}} : !llvm.ptr<3> -> vector<2xi32>
// CHECK:       llvm.call_intrinsic "llvm.nvvm.bar.warp.sync"
// CHECK-COUNT-8: llvm.store %{{.*}}, %{{.*}} : i32, !llvm.ptr<3>
// CHECK-COUNT-4: llvm.load %{{.*}} : !llvm.ptr<3> -> vector<2xf32>
// CHECK:       llvm.call_intrinsic "llvm.nvvm.bar.warp.sync"
// CHECK-COUNT-8: llvm.store %{{.*}}, %{{.*}} : f32, !llvm.ptr<3>
// CHECK:       llvm.call_intrinsic "llvm.nvvm.bar.warp.sync"
tile.kernel @sort_lists() attributes {tile.warps = 1 : i32} {
  %b = tile.alloc_shared : !S
  %w = tile.alloc_shared : !I
  tile.sort_lists descending by 1 %w, %b : !I, !S
}
