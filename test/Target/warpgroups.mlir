// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-translate --hsa-to-ptx --target=sm_90a %s -o %t.ptx
// RUN: FileCheck %s < %t.ptx
// RUN: %if ptxas %{ %ptxas %t.ptx %}

!H = memref<?x64xbf16, strided<[?, 1]>>
!F = memref<?x64xf32, strided<[?, 1]>>

// Two warpgroups of 64 rows each: the rows of the second lie 64 * 128 bytes
// behind those of the first. Across, its 64 columns are the next block of 128
// bytes of 128 rows, 16384 bytes behind. What 64 rows get, whose columns all
// warps share, is by mma.sync.
// CHECK-LABEL: .entry two_warpgroups(
// CHECK: .maxntid 256
// CHECK: and.b32 %[[ROWS:r[0-9]+]], %{{r[0-9]+}}, -8192;
// CHECK-NEXT: add.s32 %{{r[0-9]+}}, %{{r[0-9]+}}, %[[ROWS]];
// CHECK: wgmma.fence.sync.aligned
// CHECK-COUNT-4: wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {{.*}}, %rd{{[0-9]+}}, %rd{{[0-9]+}}, p, 1, 1, 0, 0;
// CHECK: wgmma.commit_group.sync.aligned
// CHECK: wgmma.wait_group.sync.aligned 0
// CHECK: mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32
// CHECK-LABEL: .entry across(
// CHECK: shl.b32 %{{r[0-9]+}}, %{{r[0-9]+}}, 14;
// CHECK: wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {{.*}}, %rd{{[0-9]+}}, %rd{{[0-9]+}}, p, 1, 1, 1, 1;
tile.kernel @two_warpgroups(%a: !H, %b: !H, %out: !F, %few: !F) {
  %zero = arith.constant dense<0.0> : tensor<128x64xf32>
  %none = arith.constant dense<0.0> : tensor<64x64xf32>
  %i = tile.iota : tensor<128xi32>
  %j = tile.iota : tensor<64xi32>
  %at = tile.gather %a[%i] : (!H, tensor<128xi32>) -> tensor<128x64xbf16>
  %bt = tile.gather %b[%j] : (!H, tensor<64xi32>) -> tensor<64x64xbf16>
  %s = tile.dot %at, transposed %bt, %zero : tensor<128x64xbf16>, tensor<64x64xbf16>, tensor<128x64xf32> -> tensor<128x64xf32>
  %p = arith.truncf %s : tensor<128x64xf32> to tensor<128x64xbf16>
  %pt = tile.transpose %p : tensor<128x64xbf16> -> tensor<64x128xbf16>
  %g = tile.dot %pt, %at, %none : tensor<64x128xbf16>, tensor<128x64xbf16>, tensor<64x64xf32> -> tensor<64x64xf32>
  tile.scatter %s into %out[%i] : (tensor<128x64xf32>, !F, tensor<128xi32>) -> ()
  tile.scatter %g into %few[%j] : (tensor<64x64xf32>, !F, tensor<64xi32>) -> ()
}

tile.kernel @across(%a: !H, %b: memref<?x128xbf16, strided<[?, 1]>>, %out: !F) {
  %zero = arith.constant dense<0.0> : tensor<128x128xf32>
  %none = arith.constant dense<0.0> : tensor<128x64xf32>
  %i = tile.iota : tensor<128xi32>
  %at = tile.gather %a[%i] : (!H, tensor<128xi32>) -> tensor<128x64xbf16>
  %bt = tile.gather %a[%i] : (!H, tensor<128xi32>) -> tensor<128x64xbf16>
  %s = tile.dot %at, transposed %bt, %zero : tensor<128x64xbf16>, tensor<128x64xbf16>, tensor<128x128xf32> -> tensor<128x128xf32>
  %p = arith.truncf %s : tensor<128x128xf32> to tensor<128x128xbf16>
  %pt = tile.transpose %p : tensor<128x128xbf16> -> tensor<128x128xbf16>
  %g = tile.dot %pt, %at, %none : tensor<128x128xbf16>, tensor<128x64xbf16>, tensor<128x64xf32> -> tensor<128x64xf32>
  tile.scatter %g into %out[%i] : (tensor<128x64xf32>, !F, tensor<128xi32>) -> ()
}
