// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s --hsa-to-tile | FileCheck %s
// RUN: ramify-translate --hsa-to-asm %s | FileCheck %s --check-prefix=ASM
// RUN: ramify-opt %s -hsa-differentiate=wrt=r,landmarks --canonicalize --cse | ramify-translate --hsa-to-asm - | FileCheck %s --check-prefix=GRAD

// A value that is used twice by one that is used twice, and so on: each is looked
// at once. Along all ways to it, this test would not end.

!query = !hsa.query<f32, pos = 1, head = 4, dim = 16>
!landmarks = !hsa.landmarks<"kv", f32, heads = kv, key = 64, dim = 16>
!each = tensor<1x4x?xf32, #hsa.axes<pos, head, chunk>>
!scores = tensor<1x?xf32, #hsa.axes<pos, chunk>>

// CHECK-LABEL: tile.kernel @diamonds
// CHECK-COUNT-32: arith.mulf
// CHECK:       tile.topk
// ASM-LABEL:   diamonds:
// GRAD-LABEL:  diamonds_backward:
hsa.program @diamonds(%r: !query, %landmarks: !landmarks)
    -> (tensor<1x4xf32, #hsa.axes<pos, head>>, tensor<1x8xi32, #hsa.axes<pos, slot>>) attributes {group = 4 : i64} {
  %q = hsa.load %r : !query -> tensor<1x4x16xf32, #hsa.axes<pos, head, dim>>
  %l = hsa.stream %landmarks : !landmarks -> tensor<?x16xf32, #hsa.axes<chunk, dim>>
  %x0 = hsa.dot %q, %l over dim : tensor<1x4x16xf32, #hsa.axes<pos, head, dim>>, tensor<?x16xf32, #hsa.axes<chunk, dim>> -> !each
  %x1 = arith.addf %x0, %x0 : !each
  %x2 = arith.mulf %x1, %x1 : !each
  %x3 = arith.addf %x2, %x2 : !each
  %x4 = arith.mulf %x3, %x3 : !each
  %x5 = arith.addf %x4, %x4 : !each
  %x6 = arith.mulf %x5, %x5 : !each
  %x7 = arith.addf %x6, %x6 : !each
  %x8 = arith.mulf %x7, %x7 : !each
  %x9 = arith.addf %x8, %x8 : !each
  %x10 = arith.mulf %x9, %x9 : !each
  %x11 = arith.addf %x10, %x10 : !each
  %x12 = arith.mulf %x11, %x11 : !each
  %x13 = arith.addf %x12, %x12 : !each
  %x14 = arith.mulf %x13, %x13 : !each
  %x15 = arith.addf %x14, %x14 : !each
  %x16 = arith.mulf %x15, %x15 : !each
  %x17 = arith.addf %x16, %x16 : !each
  %x18 = arith.mulf %x17, %x17 : !each
  %x19 = arith.addf %x18, %x18 : !each
  %x20 = arith.mulf %x19, %x19 : !each
  %x21 = arith.addf %x20, %x20 : !each
  %x22 = arith.mulf %x21, %x21 : !each
  %x23 = arith.addf %x22, %x22 : !each
  %x24 = arith.mulf %x23, %x23 : !each
  %x25 = arith.addf %x24, %x24 : !each
  %x26 = arith.mulf %x25, %x25 : !each
  %x27 = arith.addf %x26, %x26 : !each
  %x28 = arith.mulf %x27, %x27 : !each
  %x29 = arith.addf %x28, %x28 : !each
  %x30 = arith.mulf %x29, %x29 : !each
  %x31 = arith.addf %x30, %x30 : !each
  %x32 = arith.mulf %x31, %x31 : !each
  %x33 = arith.addf %x32, %x32 : !each
  %x34 = arith.mulf %x33, %x33 : !each
  %x35 = arith.addf %x34, %x34 : !each
  %x36 = arith.mulf %x35, %x35 : !each
  %x37 = arith.addf %x36, %x36 : !each
  %x38 = arith.mulf %x37, %x37 : !each
  %x39 = arith.addf %x38, %x38 : !each
  %x40 = arith.mulf %x39, %x39 : !each
  %x41 = arith.addf %x40, %x40 : !each
  %x42 = arith.mulf %x41, %x41 : !each
  %x43 = arith.addf %x42, %x42 : !each
  %x44 = arith.mulf %x43, %x43 : !each
  %x45 = arith.addf %x44, %x44 : !each
  %x46 = arith.mulf %x45, %x45 : !each
  %x47 = arith.addf %x46, %x46 : !each
  %x48 = arith.mulf %x47, %x47 : !each
  %x49 = arith.addf %x48, %x48 : !each
  %x50 = arith.mulf %x49, %x49 : !each
  %x51 = arith.addf %x50, %x50 : !each
  %x52 = arith.mulf %x51, %x51 : !each
  %x53 = arith.addf %x52, %x52 : !each
  %x54 = arith.mulf %x53, %x53 : !each
  %x55 = arith.addf %x54, %x54 : !each
  %x56 = arith.mulf %x55, %x55 : !each
  %x57 = arith.addf %x56, %x56 : !each
  %x58 = arith.mulf %x57, %x57 : !each
  %x59 = arith.addf %x58, %x58 : !each
  %x60 = arith.mulf %x59, %x59 : !each
  %x61 = arith.addf %x60, %x60 : !each
  %x62 = arith.mulf %x61, %x61 : !each
  %x63 = arith.addf %x62, %x62 : !each
  %x64 = arith.mulf %x63, %x63 : !each
  %z = hsa.logsumexp %x64 over chunk : !each -> tensor<1x4xf32, #hsa.axes<pos, head>>
  %s = hsa.fold max %x64 over head : !each -> !scores
  %slots = hsa.topk %s k 8 order score : !scores -> tensor<1x8xi32, #hsa.axes<pos, slot>>
  hsa.return %z, %slots : tensor<1x4xf32, #hsa.axes<pos, head>>, tensor<1x8xi32, #hsa.axes<pos, slot>>
}
