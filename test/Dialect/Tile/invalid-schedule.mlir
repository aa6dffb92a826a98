// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s --split-input-file --verify-diagnostics

// transpose C1
tile.kernel @f(%x: tensor<16xf32>) {
  // expected-error @below {{expected an input of a static shape of rank 2, found 'tensor<16xf32>'}}
  %t = tile.transpose %x : tensor<16xf32> -> tensor<16xf32>
}

// -----

// transpose C2
tile.kernel @f(%x: tensor<16x8xf32>) {
  // expected-error @below {{expected a result with the sides of 'tensor<16x8xf32>' exchanged, found 'tensor<16x8xf32>'}}
  %t = tile.transpose %x : tensor<16x8xf32> -> tensor<16x8xf32>
}

// -----

// scan C1
tile.kernel @f(%x: tensor<16xf32>) {
  // expected-error @below {{expected an axis of 'tensor<16xf32>', found 1}}
  %s = tile.scan sum %x along 1 : tensor<16xf32>
}

// -----

// scan C2
tile.kernel @f(%x: tensor<16xi8>) {
  // expected-error @below {{expected floats, or integers of 32 or 64 bits, found 'tensor<16xi8>'}}
  %s = tile.scan sum %x along 0 : tensor<16xi8>
}

// -----

// rank C1
tile.kernel @f(%x: tensor<16x8xi32>) {
  // expected-error @below {{expected an input of a static shape of rank 1, found 'tensor<16x8xi32>'}}
  %r = tile.rank %x : tensor<16x8xi32>
}

// -----

// tally C1
tile.kernel @f(%x: tensor<16x8xi32>) {
  // expected-error @below {{expected bins of a static shape of rank 1, found 'tensor<16x8xi32>'}}
  %b, %c = tile.tally %x : tensor<16x8xi32>, tensor<4xi32>
}

// -----

// tally C1
tile.kernel @f(%x: tensor<16xi32>) {
  // expected-error @below {{expected counts of a static shape of rank 1, found 'tensor<4x4xi32>'}}
  %b, %c = tile.tally %x : tensor<16xi32>, tensor<4x4xi32>
}

// -----

// tally C2
tile.kernel @f(%x: tensor<16xi32>) {
  // expected-error @below {{all of {bins, before} have same type}}
  %b, %c = "tile.tally"(%x) : (tensor<16xi32>) -> (tensor<8xi32>, tensor<4xi32>)
}

// -----

// sort C1
tile.kernel @f(%x: tensor<16xi32>, %y: tensor<8xi32>) {
  // expected-error @below {{expected inputs of one shape, found 'tensor<16xi32>' and 'tensor<8xi32>'}}
  %s:2 = tile.sort %x, %y : (tensor<16xi32>, tensor<8xi32>) -> (tensor<16xi32>, tensor<8xi32>)
}

// -----

// sort C2
tile.kernel @f(%x: tensor<16xi32>) {
  // expected-error @below {{expected results of the inputs' types}}
  %s = tile.sort %x : (tensor<16xi32>) -> tensor<16xf32>
}

// -----

// topk C1
tile.kernel @f(%s: tensor<16x32xf32>, %i: tensor<32xi32>, %b: tensor<8x4xf32>, %w: tensor<8x4xi32>) {
  // expected-error @below {{expected scores and best of f32 with the same rows}}
  %t:2 = tile.topk %s, %i into %b, %w : tensor<16x32xf32>, tensor<32xi32>, tensor<8x4xf32>, tensor<8x4xi32>
}

// -----

// topk C2
tile.kernel @f(%s: tensor<16x32xf32>, %i: tensor<16xi32>, %b: tensor<16x4xf32>, %w: tensor<16x4xi32>) {
  // expected-error @below {{expected an id for each column of}}
  %t:2 = tile.topk %s, %i into %b, %w : tensor<16x32xf32>, tensor<16xi32>, tensor<16x4xf32>, tensor<16x4xi32>
}

// -----

// topk C3
tile.kernel @f(%s: tensor<16x32xf32>, %i: tensor<32xi32>, %b: tensor<16x4xf32>, %w: tensor<16x4xi32>, %x: tensor<16x32xi32>) {
  // expected-error @below {{expected 32-bit elements carried like 'tensor<16x32xf32>' and held like 'tensor<16x4xf32>', found 'tensor<16x32xi32>' and 'tensor<16x4xf32>'}}
  %t:3 = tile.topk %s, %i carrying %x : tensor<16x32xi32> into %b, %w holding %b : tensor<16x4xf32> -> tensor<16x4xf32>
      : tensor<16x32xf32>, tensor<32xi32>, tensor<16x4xf32>, tensor<16x4xi32>
}

// -----

// topk C3
tile.kernel @f(%s: tensor<16x32xf32>, %i: tensor<32xi32>, %b: tensor<16x4xf32>, %w: tensor<16x4xi32>) {
  // expected-error @below {{expected one held tile for each that is carried}}
  %t:2 = tile.topk %s, %i carrying %s : tensor<16x32xf32> into %b, %w
      : tensor<16x32xf32>, tensor<32xi32>, tensor<16x4xf32>, tensor<16x4xi32>
}

// -----

// reduce_into C1
tile.kernel @f(%a: memref<?x16xf32, strided<[?, 1]>>, %i: tensor<2xi32>) {
  %x = arith.constant dense<0.0> : tensor<2x2x2xf32>
  // expected-error @below {{expected a value of a static shape of rank 1 or 2}}
  tile.reduce_into sum %x into %a[%i] order free : (tensor<2x2x2xf32>, memref<?x16xf32, strided<[?, 1]>>, tensor<2xi32>) -> ()
}

// -----

// reduce_into C2
tile.kernel @f(%x: tensor<16x16xf32>, %a: memref<?x16xf32, strided<[?, 1]>>, %i: tensor<8xi32>) {
  // expected-error @below {{expected an index with 16 elements, found 'tensor<8xi32>'}}
  tile.reduce_into sum %x into %a[%i] order free : (tensor<16x16xf32>, memref<?x16xf32, strided<[?, 1]>>, tensor<8xi32>) -> ()
}

// -----

// reduce_into C3
tile.kernel @f(%x: tensor<16xi8>, %a: memref<?xi8, strided<[1]>>, %i: tensor<16xi32>) {
  // expected-error @below {{expected floats, or integers of 32 or 64 bits, found 'tensor<16xi8>'}}
  tile.reduce_into sum %x into %a[%i] order owner : (tensor<16xi8>, memref<?xi8, strided<[1]>>, tensor<16xi32>) -> ()
}

// -----

// reduce_into C4
tile.kernel @f(%a: memref<?xf32, strided<[1]>>, %x: tensor<16xf32>, %i: tensor<16xi32>) {
  // expected-error @below {{expected runs that divide a vector, found runs of 12 elements of 'tensor<16xf32>'}}
  tile.reduce_into sum %x into %a[%i] order owner {run = 12 : i64} : (tensor<16xf32>, memref<?xf32, strided<[1]>>, tensor<16xi32>) -> ()
}

// -----

// fetch_add C1
tile.kernel @f(%x: tensor<4x4xi32>, %a: memref<?x4xi32, strided<[?, 1]>>, %i: tensor<4xi32>) {
  // expected-error @below {{expected a value of a static shape of rank 1, found 'tensor<4x4xi32>'}}
  %0 = tile.fetch_add %x into %a[%i] : (tensor<4x4xi32>, memref<?x4xi32, strided<[?, 1]>>, tensor<4xi32>) -> tensor<4x4xi32>
}

// -----

// fetch_add C2
tile.kernel @f(%x: tensor<16xi32>, %a: memref<?xi32, strided<[1]>>, %i: tensor<8xi32>) {
  // expected-error @below {{expected an index with 16 elements, found 'tensor<8xi32>'}}
  %0 = tile.fetch_add %x into %a[%i] : (tensor<16xi32>, memref<?xi32, strided<[1]>>, tensor<8xi32>) -> tensor<16xi32>
}

// -----

// fetch_add C2
tile.kernel @f(%x: tensor<16xi32>, %a: memref<?xf32, strided<[1]>>, %i: tensor<16xi32>) {
  // expected-error @below {{element type of the array, 'f32', differs from the tile's, 'i32'}}
  %0 = tile.fetch_add %x into %a[%i] : (tensor<16xi32>, memref<?xf32, strided<[1]>>, tensor<16xi32>) -> tensor<16xi32>
}

// -----

// fetch_add C3
tile.kernel @f(%x: tensor<16xi32>, %a: memref<?xi32, strided<[1]>>, %i: tensor<16xi32>) {
  // expected-error @below {{all of {value, before} have same type}}
  %0 = tile.fetch_add %x into %a[%i] : (tensor<16xi32>, memref<?xi32, strided<[1]>>, tensor<16xi32>) -> tensor<8xi32>
}

// -----

// scratch C1
tile.kernel @f() {
  // expected-error @below {{expected a memref of static shape and plain layout, found 'memref<?xi32>'}}
  %s = tile.scratch : memref<?xi32>
}

// -----

// drain C1
tile.kernel @f(%queue: memref<2xi32>, %n: index) {
  // expected-error @below {{expected a queue of one i32, found 'memref<2xi32>'}}
  tile.drain %unit of %queue below %n : memref<2xi32> {
  }
}

// -----

// drain C2
tile.kernel @f(%queue: memref<1xi32>, %n: index) {
  // expected-error @below {{expected a region with one argument, an index}}
  "tile.drain"(%queue, %n) ({
  ^entry(%unit: i32):
    tile.end
  }) : (memref<1xi32>, index) -> ()
}

// -----

// signal C1
tile.kernel @f(%x: memref<?xf32, strided<[1]>>, %i: index) {
  // expected-error @below {{expected an array of i32 with 1 dimensions, found 'memref<?xf32, strided<[1]>>'}}
  tile.signal %x[%i] : memref<?xf32, strided<[1]>>
}

// -----

// await C1
tile.kernel @f(%x: memref<?x?xi32, strided<[?, 1]>>, %i: index, %n: i32) {
  // expected-error @below {{expected an array of i32 with 1 dimensions, found 'memref<?x?xi32, strided<[?, 1]>>'}}
  tile.await %x[%i] at_least %n : memref<?x?xi32, strided<[?, 1]>>
}
