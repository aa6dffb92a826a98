// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt --tile-to-cpu %s | FileCheck %s

// A kernel runs a range of programs, whose places in the grid follow from their
// numbers; sizes and strides that a type knows are not read.

// CHECK-LABEL: llvm.func @place(
// CHECK-SAME: %[[X:[^:]+]]: !llvm.ptr, %{{[^:]+}}: i64, %{{[^:]+}}: i64, %[[S0:[^:]+]]: i64, %[[S1:[^:]+]]: i64,
// CHECK-SAME: %[[BEGIN:[^:]+]]: i64, %[[END:[^:]+]]: i64, %[[NX:[^:]+]]: i64, %[[NY:[^:]+]]: i64) attributes {no_unwind}
// CHECK: scf.for %[[P:.+]] = %[[BEGIN]] to %[[END]]
// CHECK: %[[ID0:.+]] = arith.remui %[[P]], %[[NX]]
// CHECK: %[[REST:.+]] = arith.divui %[[P]], %[[NX]]
// CHECK: %[[ID1:.+]] = arith.remui %[[REST]], %[[NY]]
// CHECK: arith.muli %[[ID1]], %[[S0]]
// CHECK-NOT: %[[S1]]
// CHECK: llvm.store

// Its packed entry takes a pointer to each argument.
// CHECK-LABEL: llvm.func @place_packed(
// CHECK-SAME: %[[ARGS:.+]]: !llvm.ptr)
// CHECK: %[[SLOT:.+]] = llvm.getelementptr %[[ARGS]][8]
// CHECK: %[[PLACE:.+]] = llvm.load %[[SLOT]] : !llvm.ptr -> !llvm.ptr
// CHECK: %[[LAST:.+]] = llvm.load %[[PLACE]] : !llvm.ptr -> i64
// CHECK: llvm.call @place({{.*}}, %[[LAST]])
tile.kernel @place(%x: memref<?x4xi32, strided<[?, 1]>>) {
  %y = tile.program_id y
  %lane = tile.iota : tensor<4xi32>
  tile.scatter %lane into %x[%y, %lane] : (tensor<4xi32>, memref<?x4xi32, strided<[?, 1]>>, index, tensor<4xi32>) -> ()
}
