// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s -split-input-file -verify-diagnostics
//
// One case, at least, for each constraint of the operations on tiles.

// iota C1
func.func @f() {
  // expected-error @below {{expected a result of a static shape of rank 1, found 'tensor<4x4xi32>'}}
  %0 = tile.iota : tensor<4x4xi32>
  return
}

// -----

// iota C1
func.func @f() {
  // expected-error @below {{expected a result of a static shape of rank 1, found 'tensor<?xi32>'}}
  %0 = tile.iota : tensor<?xi32>
  return
}

// -----

// iota C1
func.func @f() {
  // expected-error @below {{result #0 must be ranked tensor of 32-bit signless integer values, but got 'tensor<4xi64>'}}
  %0 = tile.iota : tensor<4xi64>
  return
}

// -----

// broadcast C1
func.func @f(%x: tensor<4x4xf32>) {
  // expected-error @below {{expected a result of a static shape of rank 1 or 2, found 'tensor<4x4x4xf32>'}}
  %0 = tile.broadcast %x along 0 : tensor<4x4xf32> -> tensor<4x4x4xf32>
  return
}

// -----

// broadcast C1
func.func @f(%x: tensor<4xf32>) {
  // expected-error @below {{expected a result of a static shape of rank 1 or 2, found 'tensor<4x0xf32>'}}
  %0 = tile.broadcast %x along 1 : tensor<4xf32> -> tensor<4x0xf32>
  return
}

// -----

// broadcast C1
func.func @f(%x: tensor<4xf32>) {
  // expected-error @below {{axis 2 is not an axis of 'tensor<4x8xf32>'}}
  %0 = tile.broadcast %x along 2 : tensor<4xf32> -> tensor<4x8xf32>
  return
}

// -----

// broadcast C2
func.func @f(%x: tensor<4xf32>) {
  // expected-error @below {{expected 'tensor<4x8xf32>' without axis 0, found 'tensor<4xf32>'}}
  %0 = tile.broadcast %x along 0 : tensor<4xf32> -> tensor<4x8xf32>
  return
}

// -----

// broadcast C2
func.func @f(%x: tensor<4xbf16>) {
  // expected-error @below {{expected 'tensor<4x8xf32>' without axis 1, found 'tensor<4xbf16>'}}
  %0 = tile.broadcast %x along 1 : tensor<4xbf16> -> tensor<4x8xf32>
  return
}

// -----

// reduce C1
func.func @f(%x: tensor<?x8xf32>) {
  // expected-error @below {{expected an input of a static shape of rank 1 or 2, found 'tensor<?x8xf32>'}}
  %0 = tile.reduce sum %x along 1 : tensor<?x8xf32> -> tensor<?xf32>
  return
}

// -----

// reduce C1
func.func @f(%x: tensor<4x8xf32>) {
  // expected-error @below {{axis -1 is not an axis of 'tensor<4x8xf32>'}}
  %0 = tile.reduce sum %x along -1 : tensor<4x8xf32> -> tensor<4xf32>
  return
}

// -----

// reduce C2
func.func @f(%x: tensor<4x8xf32>) {
  // expected-error @below {{expected 'tensor<4x8xf32>' without axis 0, found 'tensor<4xf32>'}}
  %0 = tile.reduce sum %x along 0 : tensor<4x8xf32> -> tensor<4xf32>
  return
}

// -----

// reduce C2
func.func @f(%x: tensor<4x8xbf16>) {
  // expected-error @below {{expected 'tensor<4x8xbf16>' without axis 1, found 'tensor<4xf32>'}}
  %0 = tile.reduce sum %x along 1 : tensor<4x8xbf16> -> tensor<4xf32>
  return
}

// -----

// reduce C3
func.func @f(%x: tensor<4x8xi1>) {
  // expected-error @below {{expected elements of float, i32 or i64, found 'i1'}}
  %0 = tile.reduce max %x along 1 : tensor<4x8xi1> -> tensor<4xi1>
  return
}

// -----

// dot C1
func.func @f(%a: tensor<4x8xf32>, %b: tensor<8xf32>, %c: tensor<4x1xf32>) {
  // expected-error @below {{expected operands of a static shape of rank 2, found 'tensor<8xf32>'}}
  %0 = tile.dot %a, %b, %c : tensor<4x8xf32>, tensor<8xf32>, tensor<4x1xf32> -> tensor<4x1xf32>
  return
}

// -----

// dot C2
func.func @f(%a: tensor<4x8xf16>, %b: tensor<8x8xbf16>, %c: tensor<4x8xf32>) {
  // expected-error @below {{expected operands of one element type, f32, bf16 or f16, found 'f16' and 'bf16'}}
  %0 = tile.dot %a, %b, %c : tensor<4x8xf16>, tensor<8x8xbf16>, tensor<4x8xf32> -> tensor<4x8xf32>
  return
}

// -----

// dot C2
func.func @f(%a: tensor<4x8xi32>, %b: tensor<8x8xi32>, %c: tensor<4x8xf32>) {
  // expected-error @below {{expected operands of one element type, f32, bf16 or f16, found 'i32' and 'i32'}}
  %0 = tile.dot %a, %b, %c : tensor<4x8xi32>, tensor<8x8xi32>, tensor<4x8xf32> -> tensor<4x8xf32>
  return
}

// -----

// dot C3
func.func @f(%a: tensor<4x8xbf16>, %b: tensor<8x8xbf16>, %c: tensor<4x8xbf16>) {
  // expected-error @below {{expected an f32 accumulator, found 'tensor<4x8xbf16>'}}
  %0 = tile.dot %a, %b, %c : tensor<4x8xbf16>, tensor<8x8xbf16>, tensor<4x8xbf16> -> tensor<4x8xbf16>
  return
}

// -----

// dot C4
func.func @f(%a: tensor<4x8xf32>, %b: tensor<16x2xf32>, %c: tensor<4x2xf32>) {
  // expected-error @below {{contracts 8 elements of lhs with 16 of rhs}}
  %0 = tile.dot %a, %b, %c : tensor<4x8xf32>, tensor<16x2xf32>, tensor<4x2xf32> -> tensor<4x2xf32>
  return
}

// -----

// dot C4
func.func @f(%a: tensor<4x8xf32>, %b: tensor<8x2xf32>, %c: tensor<4x8xf32>) {
  // expected-error @below {{contracts 8 elements of lhs with 2 of rhs}}
  %0 = tile.dot %a, transposed %b, %c : tensor<4x8xf32>, tensor<8x2xf32>, tensor<4x8xf32> -> tensor<4x8xf32>
  return
}

// -----

// dot C5
func.func @f(%a: tensor<4x8xf32>, %b: tensor<2x8xf32>, %c: tensor<4x8xf32>) {
  // expected-error @below {{expected an accumulator of 4x2, found 'tensor<4x8xf32>'}}
  %0 = tile.dot %a, transposed %b, %c : tensor<4x8xf32>, tensor<2x8xf32>, tensor<4x8xf32> -> tensor<4x8xf32>
  return
}

// -----

// dot C6
func.func @f(%a: tensor<4x8xf32>, %b: tensor<8x2xf32>, %c: tensor<4x2xf32>) {
  // expected-error @below {{expected a result of the accumulator's type 'tensor<4x2xf32>', found 'tensor<4x2xf64>'}}
  %0 = tile.dot %a, %b, %c : tensor<4x8xf32>, tensor<8x2xf32>, tensor<4x2xf32> -> tensor<4x2xf64>
  return
}
