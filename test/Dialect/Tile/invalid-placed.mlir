// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s -split-input-file -verify-diagnostics
//
// One case, at least, for each constraint of the placed stage's attributes and
// operations.

// layout C1
// expected-error @below {{expected a layout of rank 1 or 2, found 3}}
func.func private @f() -> tensor<2xf32, #tile.layout<reg = [[1, 0, 0]], lane = [[0, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0]], warps = [1, 1, 1], repeat = [1, 1, 1]>>

// -----

// layout C1
// expected-error @below {{expected warps along 1 axes, found 2}}
func.func private @f() -> tensor<2xf32, #tile.layout<reg = [[1]], lane = [[0], [0], [0], [0], [0]], warps = [1, 1], repeat = [1]>>

// -----

// layout C1
// expected-error @below {{expected 1 coordinates, found 2}}
func.func private @f() -> tensor<2xf32, #tile.layout<reg = [[1]], lane = [[0], [0, 1], [0], [0], [0]], warps = [1], repeat = [1]>>

// -----

// layout C2
// expected-error @below {{expected bases of 5 lane bits, found 4}}
func.func private @f() -> tensor<2xf32, #tile.layout<reg = [[1]], lane = [[0], [0], [0], [0]], warps = [1], repeat = [1]>>

// -----

// layout C3
// expected-error @below {{expected 0 or a power of two, found 3}}
func.func private @f() -> tensor<4xf32, #tile.layout<reg = [[3]], lane = [[0], [0], [0], [0], [0]], warps = [1], repeat = [1]>>

// -----

// layout C4
// expected-error @below {{expected a positive count, found 0}}
func.func private @f() -> tensor<2xf32, #tile.layout<reg = [[1]], lane = [[0], [0], [0], [0], [0]], warps = [1], repeat = [0]>>

// -----

// shared C1
// expected-error @below {{expected a swizzle of 0, 32, 64 or 128 bytes, found 16}}
func.func private @f() -> memref<1x8x8xf32, #tile.shared<swizzle = 16, pad = 0>>

// -----

// shared C2
// expected-error @below {{expected a multiple of 16 bytes of padding, and none beside a swizzle, found 8}}
func.func private @f() -> memref<1x8x8xf32, #tile.shared<swizzle = 0, pad = 8>>

// -----

// shared C2
// expected-error @below {{expected a multiple of 16 bytes of padding, and none beside a swizzle, found 16}}
func.func private @f() -> memref<1x8x8xf32, #tile.shared<swizzle = 32, pad = 16>>

// -----

// alloc_shared C1
func.func @f() {
  // expected-error @below {{expected a memref<STAGESxROWSxCOLSxT, #tile.shared<...>>, found 'memref<1x8x8xf32>'}}
  %0 = tile.alloc_shared : memref<1x8x8xf32>
  return
}

// -----

// alloc_shared C1
func.func @f() {
  // expected-error @below {{expected a memref<STAGESxROWSxCOLSxT, #tile.shared<...>>, found 'memref<8x8xf32, #tile.shared<swizzle = 32, pad = 0>>'}}
  %0 = tile.alloc_shared : memref<8x8xf32, #tile.shared<swizzle = 32, pad = 0>>
  return
}

// -----

// alloc_shared C1
func.func @f() {
  // expected-error @below {{expected a memref<STAGESxROWSxCOLSxT, #tile.shared<...>>, found 'memref<?x8x8xf32, #tile.shared<swizzle = 32, pad = 0>>'}}
  %0 = tile.alloc_shared : memref<?x8x8xf32, #tile.shared<swizzle = 32, pad = 0>>
  return
}

// -----

// alloc_shared C2
func.func @f() {
  // expected-error @below {{expected rows of a multiple of 64 bytes, found 32}}
  %0 = tile.alloc_shared : memref<1x8x8xf32, #tile.shared<swizzle = 64, pad = 0>>
  return
}

// -----

// alloc_shared C2
func.func @f() {
  // expected-error @below {{expected rows of a multiple of 16 bytes, found 24}}
  %0 = tile.alloc_shared : memref<1x8x6xf32, #tile.shared<swizzle = 0, pad = 0>>
  return
}

// -----

!ring = memref<1x8x8xf32>

// copy_async C1
func.func @f(%x: memref<?x8xf32>, %i: index, %ring: !ring) {
  // expected-error @below {{expected a memref<STAGESxROWSxCOLSxT, #tile.shared<...>>, found 'memref<1x8x8xf32>'}}
  tile.copy_async %x[%i] into %ring[%i] : (memref<?x8xf32>, index, !ring, index) -> ()
  return
}

// -----

!ring = memref<1x8x8xf32, #tile.shared<swizzle = 32, pad = 0>>

// copy_async C2
func.func @f(%x: memref<?x8xi32>, %i: index, %ring: !ring) {
  // expected-error @below {{element type of the array, 'i32', differs from the buffer's, 'f32'}}
  tile.copy_async %x[%i] into %ring[%i] : (memref<?x8xi32>, index, !ring, index) -> ()
  return
}

// -----

!ring = memref<1x8x8xf32, #tile.shared<swizzle = 32, pad = 0>>

// copy_async C3
func.func @f(%x: memref<?x8xf32>, %i: index, %ring: !ring) {
  // expected-error @below {{expected 1 indices for 'memref<?x8xf32>', found 2}}
  tile.copy_async %x[%i, %i] into %ring[%i] : (memref<?x8xf32>, index, index, !ring, index) -> ()
  return
}

// -----

!ring = memref<1x8x8xf32, #tile.shared<swizzle = 32, pad = 0>>

// copy_async C4
func.func @f(%x: memref<?x8xf32>, %i: index, %rows: tensor<4xi32>, %ring: !ring) {
  // expected-error @below {{expected an index with 8 elements, found 'tensor<4xi32>'}}
  tile.copy_async %x[%rows] into %ring[%i] : (memref<?x8xf32>, tensor<4xi32>, !ring, index) -> ()
  return
}

// -----

!ring = memref<1x8x8xf32, #tile.shared<swizzle = 32, pad = 0>>

// copy_async C4
func.func @f(%x: memref<?x8xf32>, %i: index, %mask: tensor<8x8xi1>, %ring: !ring) {
  // expected-error @below {{expected a mask with 8 elements, found 'tensor<8x8xi1>'}}
  tile.copy_async %x[%i] where %mask into %ring[%i] : (memref<?x8xf32>, index, tensor<8x8xi1>, !ring, index) -> ()
  return
}

// -----

!ring = memref<1x8x8xf32, #tile.shared<swizzle = 32, pad = 0>>

// copy_async C5
func.func @f(%x: memref<?x8xf32, strided<[?, 2]>>, %i: index, %ring: !ring) {
  // expected-error @below {{expected the last dimension of the array to be contiguous, found 'memref<?x8xf32, strided<[?, 2]>>'}}
  tile.copy_async %x[%i] into %ring[%i] : (memref<?x8xf32, strided<[?, 2]>>, index, !ring, index) -> ()
  return
}

// -----

!ring = memref<1x8x8xf32, #tile.shared<swizzle = 32, pad = 0>>

// copy_async C5
func.func @f(%i: index, %j: index, %ring: !ring) {
  // expected-error @below {{expected the array to be an array of integers or floats in the default memory space, found 'memref<1x8x8xf32, #tile.shared<swizzle = 32, pad = 0>>'}}
  tile.copy_async %ring[%i, %i] into %ring[%j] : (!ring, index, index, !ring, index) -> ()
  return
}

// -----

// wait_group C1
func.func @f() {
  // expected-error @below {{attribute 'pending' failed to satisfy constraint: 64-bit signless integer attribute whose value is non-negative}}
  tile.wait_group -1
  return
}

// -----

// load_shared C1
func.func @f(%x: memref<1x8x8xf32>, %i: index) {
  // expected-error @below {{expected a memref<STAGESxROWSxCOLSxT, #tile.shared<...>>, found 'memref<1x8x8xf32>'}}
  %0 = tile.load_shared %x[%i] : memref<1x8x8xf32> -> tensor<8x8xf32>
  return
}

// -----

!ring = memref<2x8x8xf32, #tile.shared<swizzle = 32, pad = 0>>

// load_shared C2
func.func @f(%ring: !ring, %i: index) {
  // expected-error @below {{expected a tile of one stage of 'memref<2x8x8xf32, #tile.shared<swizzle = 32, pad = 0>>', found 'tensor<2x8xf32>'}}
  %0 = tile.load_shared %ring[%i] : !ring -> tensor<2x8xf32>
  return
}

// -----

!ring = memref<2x8x8xf32, #tile.shared<swizzle = 32, pad = 0>>

// load_shared C2
func.func @f(%ring: !ring, %i: index) {
  // expected-error @below {{expected a tile of one stage of 'memref<2x8x8xf32, #tile.shared<swizzle = 32, pad = 0>>', found 'tensor<8x8xi32>'}}
  %0 = tile.load_shared %ring[%i] : !ring -> tensor<8x8xi32>
  return
}

// -----

!ring = memref<2x16x8xf32, #tile.shared<swizzle = 32, pad = 0>>

// load_shared C2, transposed
func.func @f(%ring: !ring, %i: index) {
  // expected-error @below {{expected a tile of one stage of 'memref<2x16x8xf32, #tile.shared<swizzle = 32, pad = 0>>', transposed, found 'tensor<16x8xf32>'}}
  %0 = tile.load_shared transposed %ring[%i] : !ring -> tensor<16x8xf32>
  return
}

// -----

// store_shared C1
func.func @f(%t: tensor<8x8xf32>, %x: memref<1x8x8xf32>, %i: index) {
  // expected-error @below {{expected a memref<STAGESxROWSxCOLSxT, #tile.shared<...>>, found 'memref<1x8x8xf32>'}}
  tile.store_shared %t into %x[%i] : tensor<8x8xf32>, memref<1x8x8xf32>
  return
}

// -----

!ring = memref<2x8x8xf32, #tile.shared<swizzle = 32, pad = 0>>

// store_shared C2
func.func @f(%t: tensor<8x8xi32>, %ring: !ring, %i: index) {
  // expected-error @below {{expected a tile of one stage of 'memref<2x8x8xf32, #tile.shared<swizzle = 32, pad = 0>>', found 'tensor<8x8xi32>'}}
  tile.store_shared %t into %ring[%i] : tensor<8x8xi32>, !ring
  return
}

// -----

// convert_layout C1
func.func @f(%x: tensor<4x8xf32>) {
  // expected-error @below {{expected one shape and element type, found 'tensor<4x8xf32>' and 'tensor<8x4xf32>'}}
  %0 = tile.convert_layout %x : tensor<4x8xf32> -> tensor<8x4xf32>
  return
}

// -----

// convert_layout C1
func.func @f(%x: tensor<4x8xf32>) {
  // expected-error @below {{expected one shape and element type, found 'tensor<4x8xf32>' and 'tensor<4x8xi32>'}}
  %0 = tile.convert_layout %x : tensor<4x8xf32> -> tensor<4x8xi32>
  return
}
