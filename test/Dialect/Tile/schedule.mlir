// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s | ramify-opt | FileCheck %s

!A = memref<?x16xf32, strided<[?, 1]>>
!C = memref<?xi32, strided<[1]>>

// CHECK-LABEL: tile.kernel @order(
tile.kernel @order(%a: !A) {
  %i = tile.iota : tensor<16xi32>
  %x = tile.gather %a[%i] : (!A, tensor<16xi32>) -> tensor<16x16xf32>
  // CHECK: tile.transpose %{{.*}} : tensor<16x16xf32> -> tensor<16x16xf32>
  %t = tile.transpose %x : tensor<16x16xf32> -> tensor<16x16xf32>
  // CHECK: tile.scan sum %{{.*}} along 1 : tensor<16x16xf32>
  %s = tile.scan sum %t along 1 : tensor<16x16xf32>
  // CHECK: tile.scan max exclusive %{{.*}} along 0 : tensor<16xi32>
  %e = tile.scan max exclusive %i along 0 : tensor<16xi32>
  // CHECK: tile.scan sum exclusive reverse %{{.*}} along 1 : tensor<16x16xf32>
  %v = tile.scan sum exclusive reverse %s along 1 : tensor<16x16xf32>
  // CHECK: tile.rank %{{.*}} : tensor<16xi32>
  %r = tile.rank %e : tensor<16xi32>
  // CHECK: tile.tally %{{.*}} : tensor<16xi32>, tensor<4xi32>
  %before, %counts = tile.tally %r : tensor<16xi32>, tensor<4xi32>
  // CHECK: tile.sort descending %{{.*}}, %{{.*}} : (tensor<16xi32>, tensor<16xi32>) -> (tensor<16xi32>, tensor<16xi32>)
  %k:2 = tile.sort descending %r, %i : (tensor<16xi32>, tensor<16xi32>) -> (tensor<16xi32>, tensor<16xi32>)
  // CHECK: tile.sort %{{.*}} : (tensor<16x16xf32>) -> tensor<16x16xf32>
  %l = tile.sort %s : (tensor<16x16xf32>) -> tensor<16x16xf32>
  %worst = arith.constant dense<0xFF800000> : tensor<16x4xf32>
  %none = arith.constant dense<-1> : tensor<16x4xi32>
  // CHECK: tile.topk %{{.*}}, %{{.*}} into %{{.*}}, %{{.*}} : tensor<16x16xf32>, tensor<16xi32>, tensor<16x4xf32>, tensor<16x4xi32>
  %b, %w = tile.topk %l, %i into %worst, %none : tensor<16x16xf32>, tensor<16xi32>, tensor<16x4xf32>, tensor<16x4xi32>
  // CHECK: tile.topk %{{.*}}, %{{.*}} carrying %{{.*}} : tensor<16x16xf32> into %{{.*}}, %{{.*}} holding %{{.*}} : tensor<16x4xf32> -> tensor<16x4xf32> : tensor<16x16xf32>, tensor<16xi32>, tensor<16x4xf32>, tensor<16x4xi32>
  %b2, %w2, %h = tile.topk %l, %i carrying %v : tensor<16x16xf32> into %b, %w holding %worst : tensor<16x4xf32> -> tensor<16x4xf32>
      : tensor<16x16xf32>, tensor<16xi32>, tensor<16x4xf32>, tensor<16x4xi32>
}

// CHECK-LABEL: tile.kernel @memory(
tile.kernel @memory(%a: !A, %counters: !C, %queue: memref<1xi32>, %n: index, %m: i32) {
  // CHECK: %[[LIST:.*]] = tile.scratch : memref<16xi32>
  %list = tile.scratch : memref<16xi32>
  %i = tile.iota : tensor<16xi32>
  // CHECK: tile.reduce_into sum %{{.*}} into %[[LIST]][%{{.*}}] order owner :
  tile.reduce_into sum %i into %list[%i] order owner : (tensor<16xi32>, memref<16xi32>, tensor<16xi32>) -> ()
  %x = tile.gather %a[%i] : (!A, tensor<16xi32>) -> tensor<16x16xf32>
  %in = arith.cmpi slt, %i, %i : tensor<16xi32>
  // CHECK: tile.drain %[[UNIT:.*]] of %{{.*}} below %{{.*}} : memref<1xi32> {
  tile.drain %unit of %queue below %n : memref<1xi32> {
    // CHECK: tile.await %{{.*}}[%[[UNIT]]] at_least %{{.*}} : memref<?xi32, strided<[1]>>
    tile.await %counters[%unit] at_least %m : !C
    // CHECK: tile.reduce_into max %{{.*}} into %{{.*}}[%{{.*}}] where %{{.*}} order free :
    tile.reduce_into max %x into %a[%i] where %in order free : (tensor<16x16xf32>, !A, tensor<16xi32>, tensor<16xi1>) -> ()
    // CHECK: tile.fetch_add %{{.*}} into %{{.*}}[%{{.*}}] where %{{.*}} : (tensor<16xi32>, memref<?xi32, strided<[1]>>, tensor<16xi32>, tensor<16xi1>) -> tensor<16xi32>
    %ticket = tile.fetch_add %i into %counters[%i] where %in : (tensor<16xi32>, !C, tensor<16xi32>, tensor<16xi1>) -> tensor<16xi32>
    // CHECK: tile.signal %{{.*}}[%[[UNIT]]] : memref<?xi32, strided<[1]>>
    tile.signal %counters[%unit] : !C
  }
}
