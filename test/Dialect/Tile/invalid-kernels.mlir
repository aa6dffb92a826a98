// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s -split-input-file -verify-diagnostics
//
// One case, at least, for each constraint of the kernels and plans.

// kernel C1
// expected-error @below {{expected argument 1 to be an array or a scalar, found 'vector<4xf32>'}}
tile.kernel @f(%x: memref<?xf32>, %y: vector<4xf32>) {
}

// -----

// kernel C1
// expected-error @below {{expected argument 0 of a static shape of rank 1 or 2, found 'tensor<?xf32>'}}
tile.kernel @f(%x: tensor<?xf32>) {
}

// -----

// kernel C1
// expected-error @below {{expected argument 0 to be an array of integers or floats in the default memory space, found 'memref<?xf32, 3>'}}
tile.kernel @f(%x: memref<?xf32, 3>) {
}

// -----

// kernel C1
// expected-error @below {{expected argument 0 to be an array of integers or floats in the default memory space, found 'memref<?xindex>'}}
tile.kernel @f(%x: memref<?xindex>) {
}

// -----

// kernel C1
// expected-error @below {{expected argument 0 to be an array of integers or floats in the default memory space, found 'memref<*xf32>'}}
tile.kernel @f(%x: memref<*xf32>) {
}

// -----

// kernel C2
// expected-error @below {{expected the last dimension of argument 0 to be contiguous, found 'memref<?x4xf32, strided<[?, ?]>>'}}
tile.kernel @f(%x: memref<?x4xf32, strided<[?, ?]>>) {
}

// -----

// kernel C2
// expected-error @below {{expected the last dimension of argument 0 to be contiguous, found 'memref<4x4xf32, affine_map<(d0, d1) -> (d1, d0)>>'}}
tile.kernel @f(%x: memref<4x4xf32, affine_map<(d0, d1) -> (d1, d0)>>) {
}

// -----

// kernel C2
// expected-error @below {{expected argument 0 to start at offset 0, found 'memref<?x4xf32, strided<[?, 1], offset: ?>>'}}
tile.kernel @f(%x: memref<?x4xf32, strided<[?, 1], offset: ?>>) {
}

// -----

// kernel C3
// expected-error @below {{expected no results in its type, found 1}}
tile.kernel @f(%x: f32) -> f32 {
}

// -----

// kernel C4
// expected-error @below {{expects regions to end with 'tile.end', found 'llvm.unreachable'}}
// expected-note @below {{in custom textual format, the absence of terminator implies 'tile.end'}}
tile.kernel @f(%x: f32) {
  llvm.unreachable
}

// -----

// end C1
func.func @f() {
  // expected-error @below {{expects parent op to be one of 'tile.kernel, tile.plan, tile.plan_for, tile.plan_do, tile.drain, tile.elect'}}
  tile.end
}

// -----

// plan C1
// expected-error @below {{expected argument 0 to be an array or a scalar, found 'tensor<4xf32>'}}
tile.plan @f(%x: tensor<4xf32>) {
}

// -----

// plan C2
// expected-error @below {{expected argument 0 to start at offset 0, found 'memref<?xf32, strided<[1], offset: 8>>'}}
tile.plan @f(%x: memref<?xf32, strided<[1], offset: 8>>) {
}

// -----

// plan C3
// expected-error @below {{expected no results in its type, found 1}}
tile.plan @f(%x: f32) -> memref<?xf32> {
}

// -----

// plan C4
// expected-error @below {{expects regions to end with 'tile.end', found 'llvm.unreachable'}}
// expected-note @below {{in custom textual format, the absence of terminator implies 'tile.end'}}
tile.plan @f(%x: f32) {
  llvm.unreachable
}

// -----

// result C1
tile.kernel @f(%n: index) {
  // expected-error @below {{expects parent op 'tile.plan'}}
  %0 = tile.result shape(%n) : memref<?xf32>
}

// -----

// result C2
tile.plan @f(%n: index) {
  // expected-error @below {{expected the last dimension of a result to be contiguous, found 'memref<?xf32, strided<[2]>>'}}
  %0 = tile.result shape(%n) : memref<?xf32, strided<[2]>>
}

// -----

// result C2
tile.plan @f(%n: index) {
  // expected-error @below {{expected a result to start at offset 0, found 'memref<?xf32, strided<[1], offset: ?>>'}}
  %0 = tile.result shape(%n) : memref<?xf32, strided<[1], offset: ?>>
}

// -----

// result C3
tile.plan @f(%n: index) {
  // expected-error @below {{expected 2 sizes for 'memref<?x4xf32>', found 1}}
  %0 = tile.result shape(%n) : memref<?x4xf32>
}

// -----

// workspace C1
func.func @f(%n: index) {
  // expected-error @below {{expects parent op to be one of 'tile.plan, tile.plan_for, tile.plan_do'}}
  %0 = tile.workspace shape(%n) : memref<?xf32>
  return
}

// -----

// workspace C2
tile.plan @f(%n: index) {
  // expected-error @below {{expected a workspace to start at offset 0, found 'memref<?xf32, strided<[1], offset: ?>>'}}
  %0 = tile.workspace shape(%n) : memref<?xf32, strided<[1], offset: ?>>
}

// -----

// workspace C3
tile.plan @f(%n: index) {
  // expected-error @below {{expected 2 sizes for 'memref<?x4xf32>', found 1}}
  %0 = tile.workspace shape(%n) : memref<?x4xf32>
}

// -----

// view C1
tile.kernel @f(%x: memref<?xf32>, %n: index) {
  // expected-error @below {{expected to stand in a tile.plan}}
  %0 = tile.view %x axis 0 from %n size %n : memref<?xf32>
}

// -----

// view C2
tile.plan @f(%x: memref<?x4xf32>, %n: index) {
  // expected-error @below {{expected a dimension of unknown size, found 1 of 'memref<?x4xf32>'}}
  %0 = tile.view %x axis 1 from %n size %n : memref<?x4xf32>
}

// -----

// view C2
tile.plan @f(%x: memref<?xf32>, %n: index) {
  // expected-error @below {{expected a dimension of unknown size, found 1 of 'memref<?xf32>'}}
  %0 = tile.view %x axis 1 from %n size %n : memref<?xf32>
}

// -----

// plan_do C1
tile.kernel @f() {
  // expected-error @below {{expected to stand in a tile.plan}}
  tile.plan_do {
  }
}

// -----

// plan_do C2
tile.plan @f() {
  // expected-error @below {{expected a region without arguments}}
  "tile.plan_do"() ({
  ^bb0(%w: index):
    "tile.end"() : () -> ()
  }) : () -> ()
}

// -----

// plan_do C3
tile.plan @f(%n: index) {
  tile.plan_do {
    // expected-error @below {{expects parent op 'tile.plan'}}
    %0 = tile.result shape(%n) : memref<?xf32>
  }
}

// -----

// memset C1
tile.kernel @f(%x: memref<4xf32>) {
  // expected-error @below {{expected to stand in a tile.plan}}
  tile.memset %x to 0 : memref<4xf32>
}

// -----

// memset C2
tile.plan @f(%x: memref<4xf32>) {
  // expected-error @below {{expected a tile.result or a tile.workspace to fill}}
  tile.memset %x to 0 : memref<4xf32>
}

// -----

// memset C3
tile.plan @f() {
  %0 = tile.workspace shape() : memref<f32>
  // expected-error @below {{expected a byte from 0 to 255, found 256}}
  tile.memset %0 to 256 : memref<f32>
}

// -----

// plan_for C1
tile.kernel @f(%n: index) {
  // expected-error @below {{expected to stand in a tile.plan}}
  tile.plan_for %w below %n {
  }
}

// -----

// plan_for C2
tile.plan @f(%n: index) {
  // expected-error @below {{expected a region with one argument, an index}}
  "tile.plan_for"(%n) ({
  ^bb0(%w: i32):
    "tile.end"() : () -> ()
  }) : (index) -> ()
}

// -----

// plan_for C3
tile.plan @f(%n: index) {
  tile.plan_for %w below %n {
    // expected-error @below {{expects parent op 'tile.plan'}}
    %0 = tile.result shape(%n) : memref<?xf32>
  }
}

// -----

// sms C1
tile.kernel @f() {
  // expected-error @below {{expected to stand in a tile.plan}}
  %0 = tile.sms
}

// -----

// launch C1
tile.kernel @f(%n: index) {
  // expected-error @below {{expected to stand in a tile.plan}}
  tile.launch @f grid(%n, %n, %n) (%n) : index
}

// -----

// launch C2
tile.plan @f(%n: index) {
  // expected-error @below {{no tile.kernel is named @nowhere}}
  tile.launch @nowhere grid(%n, %n, %n) (%n) : index
}

// -----

// launch C2
tile.plan @f(%n: index) {
  // expected-error @below {{no tile.kernel is named @f}}
  tile.launch @f grid(%n, %n, %n) (%n) : index
}

// -----

// launch C3
tile.kernel @k(%n: index, %x: f32) {
}
tile.plan @f(%n: index) {
  // expected-error @below {{expected 2 operands for @k, found 1}}
  tile.launch @k grid(%n, %n, %n) (%n) : index
}

// -----

// launch C3
tile.kernel @k(%n: index, %x: f32) {
}
tile.plan @f(%n: index) {
  // expected-error @below {{expected 'f32' for argument 1 of @k, found 'index'}}
  tile.launch @k grid(%n, %n, %n) (%n, %n) : index, index
}
