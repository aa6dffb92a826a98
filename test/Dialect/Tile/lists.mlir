// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s | ramify-opt | FileCheck %s
// RUN: ramify-opt --mlir-print-op-generic %s | ramify-opt | FileCheck %s

!S = memref<1x16x40xf32, #tile.shared<swizzle = 0, pad = 0>>
!I = memref<1x16x40xi32, #tile.shared<swizzle = 0, pad = 0>>

// CHECK-LABEL: tile.kernel @best
tile.kernel @best(%s: tensor<16x64xf32>, %id: tensor<64xi32>, %w: tensor<16xf32>, %i: tensor<16xi32>) {
  %b = tile.alloc_shared : !S
  %n = tile.alloc_shared : !I
  %h = tile.alloc_shared : !S
  // CHECK: tile.keep_best %{{.*}}, %{{.*}} into %{{.*}}, %{{.*}} replacing %{{.*}}, %{{.*}}, %{{.*}} : (tensor<16x64xf32>, tensor<64xi32>, memref<1x16x40xf32
  %0:3 = tile.keep_best %s, %id into %b, %n replacing %w, %i, %i
      : (tensor<16x64xf32>, tensor<64xi32>, !S, !I, tensor<16xf32>, tensor<16xi32>, tensor<16xi32>)
      -> (tensor<16xf32>, tensor<16xi32>, tensor<16xi32>)
  // CHECK: tile.keep_best %{{.*}}, %{{.*}} carrying %{{.*}} into %{{.*}}, %{{.*}} holding %{{.*}} replacing
  %1:3 = tile.keep_best %s, %id carrying %s into %b, %n holding %h replacing %0#0, %0#1, %0#2
      : (tensor<16x64xf32>, tensor<64xi32>, tensor<16x64xf32>, !S, !I, !S, tensor<16xf32>, tensor<16xi32>, tensor<16xi32>)
      -> (tensor<16xf32>, tensor<16xi32>, tensor<16xi32>)
  // CHECK: tile.sort_lists descending by 2 %{{.*}}, %{{.*}}, %{{.*}} : memref<
  tile.sort_lists descending by 2 %b, %n, %h : !S, !I, !S
  // CHECK: tile.sort_lists by 1 %{{.*}}, %{{.*}} : memref<
  tile.sort_lists by 1 %n, %b : !I, !S
}
