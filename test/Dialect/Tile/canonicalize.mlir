// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s -canonicalize -split-input-file | FileCheck %s

// CHECK-LABEL: @iota_of_one
// CHECK-NEXT: %[[C:.*]] = arith.constant dense<0> : tensor<1xi32>
// CHECK-NEXT: return %[[C]]
func.func @iota_of_one() -> tensor<1xi32> {
  %0 = tile.iota : tensor<1xi32>
  return %0 : tensor<1xi32>
}

// -----

// CHECK-LABEL: @broadcast_of_constant
// CHECK-NEXT: %[[C:.*]] = arith.constant dense<2.000000e+00> : tensor<4x8xf32>
// CHECK-NEXT: return %[[C]]
func.func @broadcast_of_constant() -> tensor<4x8xf32> {
  %two = arith.constant dense<2.0> : tensor<4xf32>
  %0 = tile.broadcast %two along 1 : tensor<4xf32> -> tensor<4x8xf32>
  return %0 : tensor<4x8xf32>
}

// -----

// CHECK-LABEL: @broadcast_of_splat
// CHECK-SAME: (%[[X:.*]]: f32)
// CHECK-NEXT: %[[S:.*]] = tensor.splat %[[X]] : tensor<4x8xf32>
// CHECK-NEXT: return %[[S]]
func.func @broadcast_of_splat(%x: f32) -> tensor<4x8xf32> {
  %0 = tensor.splat %x : tensor<8xf32>
  %1 = tile.broadcast %0 along 0 : tensor<8xf32> -> tensor<4x8xf32>
  return %1 : tensor<4x8xf32>
}

// -----

// CHECK-LABEL: @max_of_broadcast
// CHECK-SAME: (%[[X:.*]]: tensor<4xf32>)
// CHECK-NEXT: return %[[X]]
func.func @max_of_broadcast(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = tile.broadcast %x along 1 : tensor<4xf32> -> tensor<4x8xf32>
  %1 = tile.reduce max %0 along 1 : tensor<4x8xf32> -> tensor<4xf32>
  return %1 : tensor<4xf32>
}

// -----

// Along the other axis, and for a sum, there is something to compute.
// CHECK-LABEL: @kept_reductions
// CHECK: tile.reduce min %{{.*}} along 0
// CHECK: tile.reduce sum %{{.*}} along 1
func.func @kept_reductions(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %0 = tile.broadcast %x along 1 : tensor<4xf32> -> tensor<4x4xf32>
  %1 = tile.reduce min %0 along 0 : tensor<4x4xf32> -> tensor<4xf32>
  %2 = tile.reduce sum %0 along 1 : tensor<4x4xf32> -> tensor<4xf32>
  return %1, %2 : tensor<4xf32>, tensor<4xf32>
}

// -----

// Between two layouts there is something to move.
#tile = #tile.layout<reg = [[0, 1], [8, 0]], lane = [[0, 2], [0, 4], [1, 0], [2, 0], [4, 0]], warps = [1, 1], repeat = [1, 1]>
#rows = #tile.layout<reg = [[8]], lane = [[0], [0], [1], [2], [4]], warps = [1], repeat = [1]>
#other = #tile.layout<reg = [[1]], lane = [[2], [4], [8], [0], [0]], warps = [1], repeat = [1]>

// CHECK-LABEL: @max_in_another_layout
// CHECK: tile.reduce max
func.func @max_in_another_layout(%x: tensor<16xf32, #other>) -> tensor<16xf32, #rows> {
  %0 = tile.broadcast %x along 1 : tensor<16xf32, #other> -> tensor<16x8xf32, #tile>
  %1 = tile.reduce max %0 along 1 : tensor<16x8xf32, #tile> -> tensor<16xf32, #rows>
  return %1 : tensor<16xf32, #rows>
}

// -----

// CHECK-LABEL: @min_of_constant
// CHECK-NEXT: %[[C:.*]] = arith.constant dense<2> : tensor<4xi32>
// CHECK-NEXT: return %[[C]]
func.func @min_of_constant() -> tensor<4xi32> {
  %two = arith.constant dense<2> : tensor<8x4xi32>
  %0 = tile.reduce min %two along 0 : tensor<8x4xi32> -> tensor<4xi32>
  return %0 : tensor<4xi32>
}

// -----

// CHECK-LABEL: @max_of_splat
// CHECK-SAME: (%[[X:.*]]: f32)
// CHECK-NEXT: %[[S:.*]] = tensor.splat %[[X]] : tensor<8xf32>
// CHECK-NEXT: return %[[S]]
func.func @max_of_splat(%x: f32) -> tensor<8xf32> {
  %0 = tensor.splat %x : tensor<8x4xf32>
  %1 = tile.reduce max %0 along 1 : tensor<8x4xf32> -> tensor<8xf32>
  return %1 : tensor<8xf32>
}

// -----

// CHECK-LABEL: @dot_with_zero
// CHECK-SAME: %[[ACC:[a-z0-9]+]]: tensor<4x4xf32>)
// CHECK-NEXT: return %[[ACC]], %[[ACC]]
func.func @dot_with_zero(%x: tensor<4x4xbf16>, %acc: tensor<4x4xf32>) -> (tensor<4x4xf32>, tensor<4x4xf32>) {
  %zero = arith.constant dense<0.0> : tensor<4x4xbf16>
  %0 = tile.dot %x, %zero, %acc : tensor<4x4xbf16>, tensor<4x4xbf16>, tensor<4x4xf32> -> tensor<4x4xf32>
  %1 = tile.dot %zero, transposed %x, %acc : tensor<4x4xbf16>, tensor<4x4xbf16>, tensor<4x4xf32> -> tensor<4x4xf32>
  return %0, %1 : tensor<4x4xf32>, tensor<4x4xf32>
}

// -----

// CHECK-LABEL: @dot_onto_zero
// CHECK: tile.dot
func.func @dot_onto_zero(%x: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %zero = arith.constant dense<0.0> : tensor<4x4xf32>
  %0 = tile.dot %x, %x, %zero : tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32> -> tensor<4x4xf32>
  return %0 : tensor<4x4xf32>
}

// -----

!array = memref<?x8xf32, strided<[?, 1]>>

// CHECK-LABEL: @read_through_true
// CHECK-SAME: (%[[X:.*]]: memref<{{.*}}>, %[[I:.*]]: tensor<4xi32>)
// CHECK: tile.gather %[[X]][%[[I]]] : (memref<?x8xf32, strided<[?, 1]>>, tensor<4xi32>) -> tensor<4x8xf32>
// CHECK: tile.lookup %[[X]][%[[I]], %[[I]]] : (memref<?x8xf32, strided<[?, 1]>>, tensor<4xi32>, tensor<4xi32>) -> tensor<4xf32>
func.func @read_through_true(%x: !array, %i: tensor<4xi32>) -> (tensor<4x8xf32>, tensor<4xf32>) {
  %true = arith.constant dense<true> : tensor<4xi1>
  %0 = tile.gather %x[%i] where %true : (!array, tensor<4xi32>, tensor<4xi1>) -> tensor<4x8xf32>
  %1 = tile.lookup %x[%i, %i] where %true : (!array, tensor<4xi32>, tensor<4xi32>, tensor<4xi1>) -> tensor<4xf32>
  return %0, %1 : tensor<4x8xf32>, tensor<4xf32>
}

// -----

!array = memref<?x8xf32, strided<[?, 1]>>

// CHECK-LABEL: @read_through_false
// CHECK-DAG: %[[TILE:.*]] = arith.constant dense<0.000000e+00> : tensor<4x8xf32>
// CHECK-DAG: %[[ROW:.*]] = arith.constant dense<0.000000e+00> : tensor<4xf32>
// CHECK-NEXT: return %[[TILE]], %[[ROW]]
func.func @read_through_false(%x: !array, %i: tensor<4xi32>) -> (tensor<4x8xf32>, tensor<4xf32>) {
  %false = arith.constant dense<false> : tensor<4xi1>
  %0 = tile.gather %x[%i] where %false : (!array, tensor<4xi32>, tensor<4xi1>) -> tensor<4x8xf32>
  %1 = tile.lookup %x[%i, %i] where %false : (!array, tensor<4xi32>, tensor<4xi32>, tensor<4xi1>) -> tensor<4xf32>
  return %0, %1 : tensor<4x8xf32>, tensor<4xf32>
}

// -----

!array = memref<?x8xf32, strided<[?, 1]>>

// CHECK-LABEL: @write_through_constant
// CHECK-SAME: (%[[X:.*]]: memref<{{.*}}>, %[[I:.*]]: tensor<4xi32>, %[[V:.*]]: tensor<4x8xf32>)
// CHECK-NEXT: tile.scatter %[[V]] into %[[X]][%[[I]]] : (tensor<4x8xf32>, memref<?x8xf32, strided<[?, 1]>>, tensor<4xi32>) -> ()
// CHECK-NEXT: return
func.func @write_through_constant(%x: !array, %i: tensor<4xi32>, %v: tensor<4x8xf32>) {
  %true = arith.constant dense<true> : tensor<4xi1>
  %false = arith.constant dense<false> : tensor<4xi1>
  tile.scatter %v into %x[%i] where %true : (tensor<4x8xf32>, !array, tensor<4xi32>, tensor<4xi1>) -> ()
  tile.scatter %v into %x[%i] where %false : (tensor<4x8xf32>, !array, tensor<4xi32>, tensor<4xi1>) -> ()
  return
}

// -----

// A mask that is not the same everywhere stays.
// CHECK-LABEL: @mixed_mask
// CHECK: tile.gather %{{.*}}[%{{.*}}] where
// CHECK: tile.scatter %{{.*}} into %{{.*}}[%{{.*}}] where
func.func @mixed_mask(%x: memref<?x8xf32>, %i: tensor<2xi32>) {
  %mask = arith.constant dense<[true, false]> : tensor<2xi1>
  %0 = tile.gather %x[%i] where %mask : (memref<?x8xf32>, tensor<2xi32>, tensor<2xi1>) -> tensor<2x8xf32>
  tile.scatter %0 into %x[%i] where %mask : (tensor<2x8xf32>, memref<?x8xf32>, tensor<2xi32>, tensor<2xi1>) -> ()
  return
}

// -----

tile.kernel @k(%n: index) {
}

// The sizes of a result are those that it was made with.
// CHECK-LABEL: tile.plan @dim_of_result
// CHECK-SAME: (%[[N:.*]]: index)
// CHECK: %[[C64:.*]] = arith.constant 64 : index
// CHECK: tile.launch @k grid(%[[N]], %[[C64]], %{{.*}}) (%[[N]])
tile.plan @dim_of_result(%n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c64 = arith.constant 64 : index
  %out = tile.result shape(%n, %c64) : memref<?x64xf32>
  %rows = memref.dim %out, %c0 : memref<?x64xf32>
  %columns = memref.dim %out, %c1 : memref<?x64xf32>
  tile.launch @k grid(%rows, %columns, %c1) (%rows) : index
}

// -----

tile.kernel @k(%n: index) {
}

// The size of a view is what it was made with, or that of the array.
// CHECK-LABEL: @dim_of_view
// CHECK-SAME: (%[[X:.*]]: memref<?x?xf32, strided<[?, 1]>>, %[[N:.*]]: index)
// CHECK: %[[C0:.*]] = arith.constant 0 : index
// CHECK: %[[ROWS:.*]] = memref.dim %[[X]], %[[C0]]
// CHECK-NOT: memref.dim
// CHECK: tile.launch @k grid(%[[ROWS]], %[[N]], %{{.*}}) (%[[N]])
tile.plan @dim_of_view(%x: memref<?x?xf32, strided<[?, 1]>>, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %part = tile.view %x axis 1 from %c1 size %n : memref<?x?xf32, strided<[?, 1]>>
  %rows = memref.dim %part, %c0 : memref<?x?xf32, strided<[?, 1]>>
  %columns = memref.dim %part, %c1 : memref<?x?xf32, strided<[?, 1]>>
  tile.launch @k grid(%rows, %columns, %c1) (%columns) : index
}

// -----

#a = #tile.layout<reg = [[8]], lane = [[0], [0], [1], [2], [4]], warps = [1], repeat = [1]>
#b = #tile.layout<reg = [[1]], lane = [[2], [4], [8], [0], [0]], warps = [1], repeat = [1]>

// Back to where it came from: nothing moves.
// CHECK-LABEL: @convert_there_and_back
// CHECK-SAME: (%[[X:.*]]: tensor
// CHECK-NEXT: return %[[X]]
func.func @convert_there_and_back(%x: tensor<16xf32, #a>) -> tensor<16xf32, #a> {
  %0 = tile.convert_layout %x : tensor<16xf32, #a> -> tensor<16xf32, #b>
  %1 = tile.convert_layout %0 : tensor<16xf32, #b> -> tensor<16xf32, #a>
  return %1 : tensor<16xf32, #a>
}

// -----

#a = #tile.layout<reg = [[8]], lane = [[0], [0], [1], [2], [4]], warps = [1], repeat = [1]>
#b = #tile.layout<reg = [[1]], lane = [[2], [4], [8], [0], [0]], warps = [1], repeat = [1]>

// Two moves are one.
// CHECK-LABEL: @convert_twice
// CHECK-SAME: (%[[X:.*]]: tensor<16xf32>)
// CHECK-NEXT: %[[C:.*]] = tile.convert_layout %[[X]] : tensor<16xf32> -> tensor<16xf32, #{{.*}}>
// CHECK-NEXT: return %[[C]]
func.func @convert_twice(%x: tensor<16xf32>) -> tensor<16xf32, #b> {
  %0 = tile.convert_layout %x : tensor<16xf32> -> tensor<16xf32, #a>
  %1 = tile.convert_layout %0 : tensor<16xf32, #a> -> tensor<16xf32, #b>
  return %1 : tensor<16xf32, #b>
}

// -----

#b = #tile.layout<reg = [[1]], lane = [[2], [4], [8], [0], [0]], warps = [1], repeat = [1]>

// CHECK-LABEL: @convert_constant
// CHECK-NEXT: %[[C:.*]] = arith.constant dense<1.000000e+00> : tensor<16xf32, #{{.*}}>
// CHECK-NEXT: return %[[C]]
func.func @convert_constant() -> tensor<16xf32, #b> {
  %one = arith.constant dense<1.0> : tensor<16xf32>
  %0 = tile.convert_layout %one : tensor<16xf32> -> tensor<16xf32, #b>
  return %0 : tensor<16xf32, #b>
}
