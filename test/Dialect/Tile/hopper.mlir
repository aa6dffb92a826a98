// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s | ramify-opt | FileCheck %s

#acc = #tile.layout<reg = [[0, 1], [8, 0]], lane = [[0, 2], [0, 4], [1, 0], [2, 0], [4, 0]], warps = [4, 1], repeat = [1, 8]>
!Map = !tile.tensor_map<tensor<64x64xbf16>, swizzle = 128>
!S = memref<2x64x64xbf16, #tile.shared<swizzle = 128, pad = 0>>
!Wide = memref<2x64x128xbf16, #tile.shared<swizzle = 128, pad = 0>>

// CHECK-LABEL: tile.kernel @stages(
// CHECK-SAME: %[[MAP:[a-z0-9]+]]: !tile.tensor_map<tensor<64x64xbf16>, swizzle = 128>
tile.kernel @stages(%map: !Map, %x: i32, %stage: index, %parity: i32) {
  %zero = arith.constant dense<0.0> : tensor<64x64xf32, #acc>
  %a = tile.alloc_shared : !S
  %b = tile.alloc_shared : !Wide
  // CHECK: %[[FULL:.*]] = tile.alloc_mbarriers arrivals 1 : !tile.mbarriers<2>
  %full = tile.alloc_mbarriers arrivals 1 : !tile.mbarriers<2>
  // CHECK: tile.elect {
  // CHECK-NEXT: tile.mbarrier_arrive %[[FULL]][%{{.*}}] expect 16384 : !tile.mbarriers<2>
  // CHECK-NEXT: tile.tma_load %[[MAP]][%{{.*}}, %{{.*}}] into %{{.*}}[%{{.*}}] signal %[[FULL]][%{{.*}}] : !tile.tensor_map<tensor<64x64xbf16>, swizzle = 128>, memref<2x64x64xbf16
  // CHECK-NEXT: tile.tma_load %[[MAP]][%{{.*}}, %{{.*}}] into %{{.*}}[%{{.*}}] block 1 signal %[[FULL]][%{{.*}}]
  // CHECK-NEXT: }
  tile.elect {
    tile.mbarrier_arrive %full[%stage] expect 16384 : !tile.mbarriers<2>
    tile.tma_load %map[%x, %x] into %a[%stage] signal %full[%stage] : !Map, !S, !tile.mbarriers<2>
    tile.tma_load %map[%x, %x] into %b[%stage] block 1 signal %full[%stage] : !Map, !Wide, !tile.mbarriers<2>
  }
  // CHECK: tile.mbarrier_arrive %[[FULL]][%{{.*}}] : !tile.mbarriers<2>
  tile.mbarrier_arrive %full[%stage] : !tile.mbarriers<2>
  // CHECK: tile.mbarrier_wait %[[FULL]][%{{.*}}] parity %{{.*}} : !tile.mbarriers<2>
  tile.mbarrier_wait %full[%stage] parity %parity : !tile.mbarriers<2>
  // CHECK: %[[S:.*]] = tile.wgmma %{{.*}}[%{{.*}}], transposed %{{.*}}[%{{.*}}], %{{.*}} : memref<2x64x64xbf16
  %s = tile.wgmma %a[%stage], transposed %a[%stage], %zero : !S, !S, tensor<64x64xf32, #acc>
  // CHECK: %[[T:.*]] = tile.wgmma %{{.*}}[%{{.*}}], %{{.*}}[%{{.*}}], %[[S]]
  %t = tile.wgmma %a[%stage], %a[%stage], %s : !S, !S, tensor<64x64xf32, #acc>
  // CHECK: %[[U:.*]] = tile.wgmma_wait 0 %[[T]] : tensor<64x64xf32
  %u = tile.wgmma_wait 0 %t : tensor<64x64xf32, #acc>
  // CHECK: %[[P:.*]] = arith.truncf %[[U]]
  %p = arith.truncf %u : tensor<64x64xf32, #acc> to tensor<64x64xbf16, #acc>
  // CHECK: %[[O:.*]] = tile.wgmma %[[P]], %{{.*}}[%{{.*}}], %{{.*}} : tensor<64x64xbf16
  %o = tile.wgmma %p, %a[%stage], %zero : tensor<64x64xbf16, #acc>, !S, tensor<64x64xf32, #acc>
  // CHECK: tile.wgmma transposed %{{.*}}[%{{.*}}], %{{.*}}[%{{.*}}], %[[O]]
  %g = tile.wgmma transposed %a[%stage], %a[%stage], %o : !S, !S, tensor<64x64xf32, #acc>
  %h = tile.wgmma_wait 0 %g : tensor<64x64xf32, #acc>
}
