// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt --tile-assign-layouts --convert-tile-to-gpu --canonicalize --cse --split-input-file %s | FileCheck %s

!A = memref<?x16xbf16, strided<[?, 1]>>
!O = memref<?x16xf32, strided<[?, 1]>>
!S = memref<1x16x16xbf16, #tile.shared<swizzle = 32, pad = 0>>

// A 16 x 16 x 16 product: one ldmatrix gives both columns of B fragments, and
// there are two mma. The load is done where the product needs it.
// CHECK-LABEL: llvm.func @bf16(
// CHECK:         llvm.call_intrinsic "llvm.nvvm.bar.warp.sync"
// CHECK:         %[[B:.*]] = llvm.call_intrinsic "llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.b16"
// CHECK-DAG:     %[[B0:.*]] = llvm.extractvalue %[[B]][0]
// CHECK-DAG:     %[[B1:.*]] = llvm.extractvalue %[[B]][1]
// CHECK-DAG:     %[[B2:.*]] = llvm.extractvalue %[[B]][2]
// CHECK-DAG:     %[[B3:.*]] = llvm.extractvalue %[[B]][3]
// CHECK:         llvm.call_intrinsic "llvm.nvvm.mma.m16n8k16.row.col.bf16"(%[[A0:[0-9]+]], %[[A1:[0-9]+]], %[[A2:[0-9]+]], %[[A3:[0-9]+]], %[[B0]], %[[B1]],
// CHECK:         llvm.call_intrinsic "llvm.nvvm.mma.m16n8k16.row.col.bf16"(%[[A0]], %[[A1]], %[[A2]], %[[A3]], %[[B2]], %[[B3]],
// CHECK-NOT:     llvm.nvvm.mma
tile.kernel @bf16(%q: !A, %out: !O) {
  %c0 = arith.constant 0 : index
  %buffer = tile.alloc_shared : !S
  %zero = arith.constant dense<0.0> : tensor<16x16xf32>
  %r = tile.iota : tensor<16xi32>
  %a = tile.gather %q[%r] : (!A, tensor<16xi32>) -> tensor<16x16xbf16>
  tile.barrier
  %b = tile.load_shared %buffer[%c0] : !S -> tensor<16x16xbf16>
  %s = tile.dot %a, transposed %b, %zero : tensor<16x16xbf16>, tensor<16x16xbf16>, tensor<16x16xf32> -> tensor<16x16xf32>
  tile.scatter %s into %out[%r] : (tensor<16x16xf32>, !O, tensor<16xi32>) -> ()
}

// -----

!A = memref<?x16xf16, strided<[?, 1]>>
!O = memref<?x16xf32, strided<[?, 1]>>
!S = memref<1x16x16xf16, #tile.shared<swizzle = 32, pad = 0>>

// Not transposed, the fragments come from ldmatrix.trans; f16 has its own mma.
// CHECK-LABEL: llvm.func @f16(
// CHECK:         llvm.call_intrinsic "llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.trans.b16"
// CHECK:         llvm.call_intrinsic "llvm.nvvm.mma.m16n8k16.row.col.f32.f32"
tile.kernel @f16(%q: !A, %out: !O) {
  %c0 = arith.constant 0 : index
  %buffer = tile.alloc_shared : !S
  %zero = arith.constant dense<0.0> : tensor<16x16xf32>
  %r = tile.iota : tensor<16xi32>
  %a = tile.gather %q[%r] : (!A, tensor<16xi32>) -> tensor<16x16xf16>
  %b = tile.load_shared %buffer[%c0] : !S -> tensor<16x16xf16>
  %s = tile.dot %a, %b, %zero : tensor<16x16xf16>, tensor<16x16xf16>, tensor<16x16xf32> -> tensor<16x16xf32>
  tile.scatter %s into %out[%r] : (tensor<16x16xf32>, !O, tensor<16xi32>) -> ()
}

// -----

!O = memref<?x16xf32, strided<[?, 1]>>

// f32 is three products of tf32 parts, the smallest first, never one of tf32.
// CHECK-LABEL: llvm.func @f32(
// CHECK-DAG:     %[[HALF:.*]] = llvm.mlir.constant(4096 : i32)
// CHECK-DAG:     %[[MASK:.*]] = llvm.mlir.constant(-8192 : i32)
// CHECK:         %[[BITS:.*]] = llvm.bitcast %[[X:.*]] : f32 to i32
// CHECK:         %[[UP:.*]] = llvm.add %[[BITS]], %[[HALF]]
// CHECK:         %[[BIG:.*]] = llvm.and %[[UP]], %[[MASK]]
// CHECK:         %[[BIGF:.*]] = llvm.bitcast %[[BIG]] : i32 to f32
// CHECK:         %[[SMALLF:.*]] = llvm.fsub %[[X]], %[[BIGF]]
// CHECK:         %[[SMALLBITS:.*]] = llvm.bitcast %[[SMALLF]] : f32 to i32
// CHECK:         %[[SMALL:.*]] = llvm.add %[[SMALLBITS]], %[[HALF]]
// CHECK:         "llvm.nvvm.mma.m16n8k8.row.col.tf32"(%[[SMALL]],
// CHECK:         "llvm.nvvm.mma.m16n8k8.row.col.tf32"(%[[BIG]],
// CHECK:         "llvm.nvvm.mma.m16n8k8.row.col.tf32"(%[[BIG]],
// CHECK:         "llvm.nvvm.mma.m16n8k8.row.col.tf32"(%[[SMALL]],
tile.kernel @f32(%q: !O, %out: !O) {
  %zero = arith.constant dense<0.0> : tensor<16x16xf32>
  %r = tile.iota : tensor<16xi32>
  %a = tile.gather %q[%r] : (!O, tensor<16xi32>) -> tensor<16x16xf32>
  %s = tile.dot %a, %a, %zero : tensor<16x16xf32>, tensor<16x16xf32>, tensor<16x16xf32> -> tensor<16x16xf32>
  tile.scatter %s into %out[%r] : (tensor<16x16xf32>, !O, tensor<16xi32>) -> ()
}
