// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt --tile-assign-layouts --convert-tile-to-gpu --canonicalize --cse %s | FileCheck %s

!A = memref<?x16xf32, strided<[?, 1]>>
!V = memref<?x200xf32, strided<[?, 1]>>

// 208 columns over two warps: a thread has 13 blocks of eight columns, for each
// of which two steps of the contraction take three mma. Columns of a lane start
// at eight times the number of its warp, so that the last block, at column 192,
// is inside the 200 columns for one warp and outside for the other.
// CHECK-LABEL: llvm.func @wide(
// CHECK-SAME:    nvvm.maxntid = array<i32: 64>
// CHECK-DAG:     %[[EIGHT:.*]] = llvm.mlir.constant(8 : i32)
// CHECK-DAG:     %[[LAST:.*]] = llvm.mlir.constant(192 : i32)
// CHECK-DAG:     %[[WARP:.*]] = llvm.mul %{{.*}}, %[[EIGHT]] : i32
// CHECK-COUNT-78: "llvm.nvvm.mma.m16n8k8.row.col.tf32"
// CHECK-NOT:     "llvm.nvvm.mma
// CHECK:         llvm.store
// CHECK:         %[[COLUMN:.*]] = llvm.add %{{.*}}, %[[LAST]] : i32
// CHECK-NEXT:    %[[WIDE:.*]] = llvm.sext %[[COLUMN]] : i32 to i64
// CHECK-NEXT:    llvm.icmp "slt" %[[WIDE]]
tile.kernel @wide(%q: !A, %v: !V, %out: !V) {
  %none = arith.constant dense<0.0> : tensor<16x208xf32>
  %r = tile.iota : tensor<16xi32>
  %a = tile.gather %q[%r] : (!A, tensor<16xi32>) -> tensor<16x16xf32>
  %b = tile.gather %v[%r] : (!V, tensor<16xi32>) -> tensor<16x208xf32>
  %o = tile.dot %a, %b, %none : tensor<16x16xf32>, tensor<16x208xf32>, tensor<16x208xf32> -> tensor<16x208xf32>
  tile.scatter %o into %out[%r] : (tensor<16x208xf32>, !V, tensor<16xi32>) -> ()
}
