// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s -split-input-file -verify-diagnostics
//
// One case, at least, for each constraint of reading and writing arrays.

// gather C1
func.func @f(%x: memref<?x8xf32>, %i: tensor<4xi32>) {
  // expected-error @below {{expected a result of a static shape of rank 2, found 'tensor<4xf32>'}}
  %0 = tile.gather %x[%i] : (memref<?x8xf32>, tensor<4xi32>) -> tensor<4xf32>
  return
}

// -----

// gather C2
func.func @f(%x: memref<?x8xbf16>, %i: tensor<4xi32>) {
  // expected-error @below {{element type of the array, 'bf16', differs from the tile's, 'f32'}}
  %0 = tile.gather %x[%i] : (memref<?x8xbf16>, tensor<4xi32>) -> tensor<4x8xf32>
  return
}

// -----

// gather C3
func.func @f(%x: memref<?x?x8xf32>, %i: tensor<4xi32>) {
  // expected-error @below {{expected 2 indices for 'memref<?x?x8xf32>', found 1}}
  %0 = tile.gather %x[%i] : (memref<?x?x8xf32>, tensor<4xi32>) -> tensor<4x8xf32>
  return
}

// -----

// gather C3
func.func @f(%x: memref<f32>) {
  // expected-error @below {{expected an array with a dimension for the tile's columns, found 'memref<f32>'}}
  %0 = tile.gather %x[] : (memref<f32>) -> tensor<4x8xf32>
  return
}

// -----

// gather C4
func.func @f(%x: memref<?x8xf32>, %i: tensor<8xi32>) {
  // expected-error @below {{expected an index with 4 elements, found 'tensor<8xi32>'}}
  %0 = tile.gather %x[%i] : (memref<?x8xf32>, tensor<8xi32>) -> tensor<4x8xf32>
  return
}

// -----

// gather C4
func.func @f(%x: memref<?x8xf32>, %i: tensor<4xi32>, %m: tensor<4x8xi1>) {
  // expected-error @below {{expected a mask with 4 elements, found 'tensor<4x8xi1>'}}
  %0 = tile.gather %x[%i] where %m : (memref<?x8xf32>, tensor<4xi32>, tensor<4x8xi1>) -> tensor<4x8xf32>
  return
}

// -----

// gather C5
func.func @f(%x: memref<2x8xf32, #tile.shared<swizzle = 32, pad = 0>>, %i: tensor<4xi32>) {
  // expected-error @below {{expected the array to be an array of integers or floats in the default memory space, found 'memref<2x8xf32, #tile.shared<swizzle = 32, pad = 0>>'}}
  %0 = tile.gather %x[%i] : (memref<2x8xf32, #tile.shared<swizzle = 32, pad = 0>>, tensor<4xi32>) -> tensor<4x8xf32>
  return
}

// -----

// gather C5
func.func @f(%x: memref<?x8xf32, strided<[1, ?]>>, %i: tensor<4xi32>) {
  // expected-error @below {{expected the last dimension of the array to be contiguous, found 'memref<?x8xf32, strided<[1, ?]>>'}}
  %0 = tile.gather %x[%i] : (memref<?x8xf32, strided<[1, ?]>>, tensor<4xi32>) -> tensor<4x8xf32>
  return
}

// -----

// lookup C1
func.func @f(%x: memref<?x8xf32>, %i: tensor<4xi32>) {
  // expected-error @below {{expected a result of a static shape of rank 1, found 'tensor<4x8xf32>'}}
  %0 = tile.lookup %x[%i, %i] : (memref<?x8xf32>, tensor<4xi32>, tensor<4xi32>) -> tensor<4x8xf32>
  return
}

// -----

// lookup C2
func.func @f(%x: memref<?xf16>, %i: tensor<4xi32>) {
  // expected-error @below {{element type of the array, 'f16', differs from the tile's, 'f32'}}
  %0 = tile.lookup %x[%i] : (memref<?xf16>, tensor<4xi32>) -> tensor<4xf32>
  return
}

// -----

// lookup C3
func.func @f(%x: memref<?x8xf32>, %i: tensor<4xi32>) {
  // expected-error @below {{expected 2 indices for 'memref<?x8xf32>', found 1}}
  %0 = tile.lookup %x[%i] : (memref<?x8xf32>, tensor<4xi32>) -> tensor<4xf32>
  return
}

// -----

// lookup C4
func.func @f(%x: memref<?x8xf32>, %i: index, %j: tensor<4x1xi32>) {
  // expected-error @below {{expected an index with 4 elements, found 'tensor<4x1xi32>'}}
  %0 = tile.lookup %x[%i, %j] : (memref<?x8xf32>, index, tensor<4x1xi32>) -> tensor<4xf32>
  return
}

// -----

// lookup C4
func.func @f(%x: memref<?xf32>, %i: tensor<4xi32>, %m: tensor<2xi1>) {
  // expected-error @below {{expected a mask with 4 elements, found 'tensor<2xi1>'}}
  %0 = tile.lookup %x[%i] where %m : (memref<?xf32>, tensor<4xi32>, tensor<2xi1>) -> tensor<4xf32>
  return
}

// -----

// lookup C5
func.func @f(%x: memref<?xf32, strided<[2]>>, %i: tensor<4xi32>) {
  // expected-error @below {{expected the last dimension of the array to be contiguous, found 'memref<?xf32, strided<[2]>>'}}
  %0 = tile.lookup %x[%i] : (memref<?xf32, strided<[2]>>, tensor<4xi32>) -> tensor<4xf32>
  return
}

// -----

// scatter C1
func.func @f(%x: memref<?x8xf32>, %i: tensor<4xi32>, %v: tensor<4x2x8xf32>) {
  // expected-error @below {{expected a value of a static shape of rank 1 or 2, found 'tensor<4x2x8xf32>'}}
  tile.scatter %v into %x[%i] : (tensor<4x2x8xf32>, memref<?x8xf32>, tensor<4xi32>) -> ()
  return
}

// -----

// scatter C2
func.func @f(%x: memref<?x8xbf16>, %i: tensor<4xi32>, %v: tensor<4x8xf32>) {
  // expected-error @below {{element type of the array, 'bf16', differs from the tile's, 'f32'}}
  tile.scatter %v into %x[%i] : (tensor<4x8xf32>, memref<?x8xbf16>, tensor<4xi32>) -> ()
  return
}

// -----

// scatter C3
func.func @f(%x: memref<?x8xf32>, %i: tensor<4xi32>, %v: tensor<4x8xf32>) {
  // expected-error @below {{expected 1 indices for 'memref<?x8xf32>', found 2}}
  tile.scatter %v into %x[%i, %i] : (tensor<4x8xf32>, memref<?x8xf32>, tensor<4xi32>, tensor<4xi32>) -> ()
  return
}

// -----

// scatter C3
func.func @f(%x: memref<?x8xf32>, %i: tensor<4xi32>, %v: tensor<4xf32>) {
  // expected-error @below {{expected 2 indices for 'memref<?x8xf32>', found 1}}
  tile.scatter %v into %x[%i] : (tensor<4xf32>, memref<?x8xf32>, tensor<4xi32>) -> ()
  return
}

// -----

// scatter C4
func.func @f(%x: memref<?x8xf32>, %i: tensor<8xi32>, %v: tensor<4x8xf32>) {
  // expected-error @below {{expected an index with 4 elements, found 'tensor<8xi32>'}}
  tile.scatter %v into %x[%i] : (tensor<4x8xf32>, memref<?x8xf32>, tensor<8xi32>) -> ()
  return
}

// -----

// scatter C4
func.func @f(%x: memref<?x8xf32>, %i: tensor<4xi32>, %v: tensor<4x8xf32>, %m: tensor<8xi1>) {
  // expected-error @below {{expected a mask with 4 elements, found 'tensor<8xi1>'}}
  tile.scatter %v into %x[%i] where %m : (tensor<4x8xf32>, memref<?x8xf32>, tensor<4xi32>, tensor<8xi1>) -> ()
  return
}

// -----

// scatter C5
func.func @f(%x: memref<?x8xf32, 3>, %i: tensor<4xi32>, %v: tensor<4x8xf32>) {
  // expected-error @below {{expected the array to be an array of integers or floats in the default memory space, found 'memref<?x8xf32, 3>'}}
  tile.scatter %v into %x[%i] : (tensor<4x8xf32>, memref<?x8xf32, 3>, tensor<4xi32>) -> ()
  return
}
