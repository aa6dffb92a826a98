// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt --split-input-file --verify-diagnostics %s

// keep_best C1
func.func @f(%s: tensor<16x64xf32>, %id: tensor<16xi32>, %b: memref<1x16x40xf32, #tile.shared<swizzle = 0, pad = 0>>, %w: memref<1x16x40xi32, #tile.shared<swizzle = 0, pad = 0>>, %l: tensor<16xf32>, %i: tensor<16xi32>) {
  // expected-error @below {{expected scores of f32 and an id for each column, found 'tensor<16x64xf32>' and 'tensor<16xi32>'}}
  %0:3 = tile.keep_best %s, %id into %b, %w replacing %l, %i, %i : (tensor<16x64xf32>, tensor<16xi32>, memref<1x16x40xf32, #tile.shared<swizzle = 0, pad = 0>>, memref<1x16x40xi32, #tile.shared<swizzle = 0, pad = 0>>, tensor<16xf32>, tensor<16xi32>, tensor<16xi32>) -> (tensor<16xf32>, tensor<16xi32>, tensor<16xi32>)
  return
}

// -----

// keep_best C2
func.func @f(%s: tensor<16x64xf32>, %id: tensor<64xi32>, %b: memref<2x16x40xf32, #tile.shared<swizzle = 0, pad = 0>>, %w: memref<1x16x40xi32, #tile.shared<swizzle = 0, pad = 0>>, %l: tensor<16xf32>, %i: tensor<16xi32>) {
  // expected-error @below {{expected lists of one stage, a multiple of 16 rows and of 8 columns of 32 bits without a swizzle, found 'memref<2x16x40xf32}}
  %0:3 = tile.keep_best %s, %id into %b, %w replacing %l, %i, %i : (tensor<16x64xf32>, tensor<64xi32>, memref<2x16x40xf32, #tile.shared<swizzle = 0, pad = 0>>, memref<1x16x40xi32, #tile.shared<swizzle = 0, pad = 0>>, tensor<16xf32>, tensor<16xi32>, tensor<16xi32>) -> (tensor<16xf32>, tensor<16xi32>, tensor<16xi32>)
  return
}

// -----

// keep_best C2
func.func @f(%s: tensor<16x64xf32>, %id: tensor<64xi32>, %b: memref<1x16x40xf32, #tile.shared<swizzle = 0, pad = 0>>, %w: memref<1x16x40xf32, #tile.shared<swizzle = 0, pad = 0>>, %l: tensor<16xf32>, %i: tensor<16xi32>) {
  // expected-error @below {{expected a list of 16 rows of 'i32' like}}
  %0:3 = tile.keep_best %s, %id into %b, %w replacing %l, %i, %i : (tensor<16x64xf32>, tensor<64xi32>, memref<1x16x40xf32, #tile.shared<swizzle = 0, pad = 0>>, memref<1x16x40xf32, #tile.shared<swizzle = 0, pad = 0>>, tensor<16xf32>, tensor<16xi32>, tensor<16xi32>) -> (tensor<16xf32>, tensor<16xi32>, tensor<16xi32>)
  return
}

// -----

// keep_best C2
func.func @f(%s: tensor<32x64xf32>, %id: tensor<64xi32>, %b: memref<1x16x40xf32, #tile.shared<swizzle = 0, pad = 0>>, %w: memref<1x16x40xi32, #tile.shared<swizzle = 0, pad = 0>>, %l: tensor<32xf32>, %i: tensor<32xi32>) {
  // expected-error @below {{expected a list of 32 rows of 'f32' like}}
  %0:3 = tile.keep_best %s, %id into %b, %w replacing %l, %i, %i : (tensor<32x64xf32>, tensor<64xi32>, memref<1x16x40xf32, #tile.shared<swizzle = 0, pad = 0>>, memref<1x16x40xi32, #tile.shared<swizzle = 0, pad = 0>>, tensor<32xf32>, tensor<32xi32>, tensor<32xi32>) -> (tensor<32xf32>, tensor<32xi32>, tensor<32xi32>)
  return
}

// -----

// keep_best C3
func.func @f(%s: tensor<16x64xf32>, %id: tensor<64xi32>, %c: tensor<16x8xf32>, %b: memref<1x16x40xf32, #tile.shared<swizzle = 0, pad = 0>>, %w: memref<1x16x40xi32, #tile.shared<swizzle = 0, pad = 0>>, %h: memref<1x16x40xf32, #tile.shared<swizzle = 0, pad = 0>>, %l: tensor<16xf32>, %i: tensor<16xi32>) {
  // expected-error @below {{expected carried values like 'tensor<16x64xf32>', found 'tensor<16x8xf32>'}}
  %0:3 = tile.keep_best %s, %id carrying %c into %b, %w holding %h replacing %l, %i, %i : (tensor<16x64xf32>, tensor<64xi32>, tensor<16x8xf32>, memref<1x16x40xf32, #tile.shared<swizzle = 0, pad = 0>>, memref<1x16x40xi32, #tile.shared<swizzle = 0, pad = 0>>, memref<1x16x40xf32, #tile.shared<swizzle = 0, pad = 0>>, tensor<16xf32>, tensor<16xi32>, tensor<16xi32>) -> (tensor<16xf32>, tensor<16xi32>, tensor<16xi32>)
  return
}

// -----

// keep_best C3
func.func @f(%s: tensor<16x64xf32>, %id: tensor<64xi32>, %c: tensor<16x64xf32>, %b: memref<1x16x40xf32, #tile.shared<swizzle = 0, pad = 0>>, %w: memref<1x16x40xi32, #tile.shared<swizzle = 0, pad = 0>>, %l: tensor<16xf32>, %i: tensor<16xi32>) {
  // expected-error @below {{holds 0 values for 1 that are carried}}
  %0:3 = tile.keep_best %s, %id carrying %c into %b, %w replacing %l, %i, %i : (tensor<16x64xf32>, tensor<64xi32>, tensor<16x64xf32>, memref<1x16x40xf32, #tile.shared<swizzle = 0, pad = 0>>, memref<1x16x40xi32, #tile.shared<swizzle = 0, pad = 0>>, tensor<16xf32>, tensor<16xi32>, tensor<16xi32>) -> (tensor<16xf32>, tensor<16xi32>, tensor<16xi32>)
  return
}

// -----

// keep_best C4
func.func @f(%s: tensor<16x64xf32>, %id: tensor<64xi32>, %b: memref<1x16x40xf32, #tile.shared<swizzle = 0, pad = 0>>, %w: memref<1x16x40xi32, #tile.shared<swizzle = 0, pad = 0>>, %l: tensor<8xf32>, %i: tensor<16xi32>) {
  // expected-error @below {{expected a last one for each row of 'tensor<16x64xf32>', found 'tensor<8xf32>'}}
  %0:3 = tile.keep_best %s, %id into %b, %w replacing %l, %i, %i : (tensor<16x64xf32>, tensor<64xi32>, memref<1x16x40xf32, #tile.shared<swizzle = 0, pad = 0>>, memref<1x16x40xi32, #tile.shared<swizzle = 0, pad = 0>>, tensor<8xf32>, tensor<16xi32>, tensor<16xi32>) -> (tensor<8xf32>, tensor<16xi32>, tensor<16xi32>)
  return
}

// -----

// keep_best C4
func.func @f(%s: tensor<16x64xf32>, %id: tensor<64xi32>, %b: memref<1x16x40xf32, #tile.shared<swizzle = 0, pad = 0>>, %w: memref<1x16x40xi32, #tile.shared<swizzle = 0, pad = 0>>, %l: tensor<16xi32>, %i: tensor<16xi32>) {
  // expected-error @below {{expected worst scores of f32, found 'tensor<16xi32>'}}
  %0:3 = tile.keep_best %s, %id into %b, %w replacing %l, %i, %i : (tensor<16x64xf32>, tensor<64xi32>, memref<1x16x40xf32, #tile.shared<swizzle = 0, pad = 0>>, memref<1x16x40xi32, #tile.shared<swizzle = 0, pad = 0>>, tensor<16xi32>, tensor<16xi32>, tensor<16xi32>) -> (tensor<16xi32>, tensor<16xi32>, tensor<16xi32>)
  return
}

// -----

// keep_best C4
func.func @f(%s: tensor<16x64xf32>, %id: tensor<64xi32>, %b: memref<1x16x40xf32, #tile.shared<swizzle = 0, pad = 0>>, %w: memref<1x16x40xi32, #tile.shared<swizzle = 0, pad = 0>>, %l: tensor<16xf32>, %i: tensor<16xi32>) {
  // expected-error @below {{expected a result of type 'tensor<16xf32>', found 'tensor<8xf32>'}}
  %0:3 = tile.keep_best %s, %id into %b, %w replacing %l, %i, %i : (tensor<16x64xf32>, tensor<64xi32>, memref<1x16x40xf32, #tile.shared<swizzle = 0, pad = 0>>, memref<1x16x40xi32, #tile.shared<swizzle = 0, pad = 0>>, tensor<16xf32>, tensor<16xi32>, tensor<16xi32>) -> (tensor<8xf32>, tensor<16xi32>, tensor<16xi32>)
  return
}

// -----

// sort_lists C1
func.func @f(%a: memref<1x16x64xf32, #tile.shared<swizzle = 128, pad = 0>>) {
  // expected-error @below {{expected lists of one stage, a multiple of 16 rows and of 8 columns of 32 bits without a swizzle, found 'memref<1x16x64xf32}}
  tile.sort_lists by 1 %a : memref<1x16x64xf32, #tile.shared<swizzle = 128, pad = 0>>
  return
}

// -----

// sort_lists C1
func.func @f(%a: memref<1x16x40xf32, #tile.shared<swizzle = 0, pad = 0>>, %b: memref<1x16x48xf32, #tile.shared<swizzle = 0, pad = 0>>) {
  // expected-error @below {{expected lists of one shape, found}}
  tile.sort_lists by 1 %a, %b : memref<1x16x40xf32, #tile.shared<swizzle = 0, pad = 0>>, memref<1x16x48xf32, #tile.shared<swizzle = 0, pad = 0>>
  return
}

// -----

// sort_lists C2
func.func @f(%a: memref<1x16x40xf32, #tile.shared<swizzle = 0, pad = 0>>) {
  // expected-error @below {{expected 1 to 1 keys, found 2}}
  tile.sort_lists by 2 %a : memref<1x16x40xf32, #tile.shared<swizzle = 0, pad = 0>>
  return
}
