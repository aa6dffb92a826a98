// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s -split-input-file -pass-pipeline='builtin.module(tile-verify-stage{stage=placed})' \
// RUN:   -verify-diagnostics -o /dev/null
//
// What the placed stage may not hold, after one module that is in order.

#tile = #tile.layout<reg = [[0, 1], [8, 0]], lane = [[0, 2], [0, 4], [1, 0], [2, 0], [4, 0]], warps = [1, 1], repeat = [1, 2]>
#rows = #tile.layout<reg = [[8]], lane = [[0], [0], [1], [2], [4]], warps = [1], repeat = [1]>
!rows = memref<?x16xf32, strided<[?, 1]>>
!ring = memref<1x16x16xf32, #tile.shared<swizzle = 64, pad = 0>>

tile.kernel @in_order(%x: !rows, %y: !rows) attributes {tile.warps = 1 : i32} {
  %c0 = arith.constant 0 : index
  %ring = tile.alloc_shared : !ring
  %i = tile.iota : tensor<16xi32, #rows>
  tile.copy_async %x[%i] into %ring[%c0] {layout = #tile} : (!rows, tensor<16xi32, #rows>, !ring, index) -> ()
  tile.commit_group
  tile.wait_group 0
  tile.barrier
  %t = tile.load_shared %ring[%c0] : !ring -> tensor<16x16xf32, #tile>
  %u = arith.negf %t : tensor<16x16xf32, #tile>
  tile.scatter %u into %y[%i] : (tensor<16x16xf32, #tile>, !rows, tensor<16xi32, #rows>) -> ()
}

// -----

// S8
tile.kernel @f(%x: f32) attributes {tile.warps = 1 : i32} {
  // expected-error @below {{is no operation of the placed stage}}
  %0 = vector.broadcast %x : f32 to vector<4xf32>
}

// -----

// S9
tile.kernel @f(%x: f32) attributes {tile.warps = 1 : i32} {
  // expected-error @below {{expected a tile with a layout, found 'tensor<f32>'}}
  %0 = tensor.splat %x : tensor<f32>
}

// -----

// S9
tile.kernel @f() attributes {tile.warps = 1 : i32} {
  // expected-error @below {{expected a tile with a layout, found 'tensor<16xi32>'}}
  %0 = tile.iota : tensor<16xi32>
}

// -----

// S9
#rows = #tile.layout<reg = [[8]], lane = [[0], [0], [1], [2], [4]], warps = [1], repeat = [1]>

tile.kernel @f(%x: f32) attributes {tile.warps = 1 : i32} {
  // expected-error @below {{expected a layout of 16x16, found one of 16}}
  %0 = tensor.splat %x : tensor<16x16xf32, #rows>
}

// -----

// S9
#rows = #tile.layout<reg = [[8]], lane = [[0], [0], [1], [2], [4]], warps = [2], repeat = [1]>

tile.kernel @f() attributes {tile.warps = 1 : i32} {
  // expected-error @below {{expected a layout of at most 1 warps, found 2}}
  %0 = tile.iota : tensor<32xi32, #rows>
}

// -----

// S9: lanes hold element 0 or 2; nobody has 1.
#rows = #tile.layout<reg = [], lane = [[0], [2], [0], [0], [0]], warps = [1], repeat = [1]>

tile.kernel @f() attributes {tile.warps = 1 : i32} {
  // expected-error @below {{expected a layout that holds each element equally often, found #tile.layout<reg = []}}
  %0 = tile.iota : tensor<3xi32, #rows>
}

// -----

// S9, where a region begins
tile.kernel @f(%n: index) attributes {tile.warps = 1 : i32} {
  // expected-error @below {{expected a tile with a layout, found 'tensor<4xf32>'}}
  %0 = arith.constant dense<1.0> : tensor<4xf32>
  scf.for %i = %n to %n step %n iter_args(%acc = %0) -> (tensor<4xf32>) {
    scf.yield %acc : tensor<4xf32>
  }
}

// -----

// S10
#narrow = #tile.layout<reg = [[8]], lane = [[0], [0], [1], [2], [4]], warps = [1], repeat = [1]>
#wide = #tile.layout<reg = [[1]], lane = [[2], [4], [8], [0], [0]], warps = [1], repeat = [1]>

tile.kernel @f(%x: f32) attributes {tile.warps = 1 : i32} {
  %0 = tensor.splat %x : tensor<16xf32, #narrow>
  %1 = tile.iota : tensor<16xi32, #wide>
  // expected-error-re @below {{expected one layout, found #tile.layout<reg = {{.*}}> and #tile.layout<reg = {{.*}}>}}
  %2 = math.fpowi %0, %1 : tensor<16xf32, #narrow>, tensor<16xi32, #wide>
}

// -----

// S11
#tile = #tile.layout<reg = [[0, 1], [8, 0]], lane = [[0, 2], [0, 4], [1, 0], [2, 0], [4, 0]], warps = [1, 1], repeat = [1, 2]>
#other = #tile.layout<reg = [[1]], lane = [[2], [4], [8], [0], [0]], warps = [1], repeat = [1]>

tile.kernel @f() attributes {tile.warps = 1 : i32} {
  %0 = tile.iota : tensor<16xi32, #other>
  // expected-error-re @below {{expected an input with the layout #tile.layout<reg = {{.*}}>, found #tile.layout<reg = {{.*}}>}}
  %1 = tile.broadcast %0 along 1 : tensor<16xi32, #other> -> tensor<16x16xi32, #tile>
}

// -----

// S11
#tile = #tile.layout<reg = [[0, 1], [8, 0]], lane = [[0, 2], [0, 4], [1, 0], [2, 0], [4, 0]], warps = [1, 1], repeat = [1, 2]>
#rows = #tile.layout<reg = [[8]], lane = [[0], [0], [1], [2], [4]], warps = [1], repeat = [1]>

tile.kernel @f(%x: f32) attributes {tile.warps = 1 : i32} {
  %0 = tensor.splat %x : tensor<16x16xf32, #tile>
  // expected-error-re @below {{expected a result with the layout #tile.layout<reg = {{.*}}>, found #tile.layout<reg = {{.*}}>}}
  %1 = tile.reduce sum %0 along 0 : tensor<16x16xf32, #tile> -> tensor<16xf32, #rows>
}

// -----

// S11
#tile = #tile.layout<reg = [[0, 1], [8, 0]], lane = [[0, 2], [0, 4], [1, 0], [2, 0], [4, 0]], warps = [1, 1], repeat = [1, 2]>
#other = #tile.layout<reg = [[1]], lane = [[2], [4], [8], [0], [0]], warps = [1], repeat = [1]>

tile.kernel @f(%x: memref<?x16xf32>) attributes {tile.warps = 1 : i32} {
  %i = tile.iota : tensor<16xi32, #other>
  // expected-error-re @below {{expected an index with the layout #tile.layout<reg = {{.*}}>, found #tile.layout<reg = {{.*}}>}}
  %0 = tile.gather %x[%i] : (memref<?x16xf32>, tensor<16xi32, #other>) -> tensor<16x16xf32, #tile>
}

// -----

// S11
#rows = #tile.layout<reg = [[8]], lane = [[0], [0], [1], [2], [4]], warps = [1], repeat = [1]>
#other = #tile.layout<reg = [[1]], lane = [[2], [4], [8], [0], [0]], warps = [1], repeat = [1]>

tile.kernel @f(%x: memref<?xf32>) attributes {tile.warps = 1 : i32} {
  %i = tile.iota : tensor<16xi32, #rows>
  %mask = arith.constant dense<true> : tensor<16xi1, #other>
  // expected-error-re @below {{expected a mask with the layout #tile.layout<reg = {{.*}}>, found #tile.layout<reg = {{.*}}>}}
  %0 = tile.lookup %x[%i] where %mask : (memref<?xf32>, tensor<16xi32, #rows>, tensor<16xi1, #other>) -> tensor<16xf32, #rows>
}

// -----

// S11
#tile = #tile.layout<reg = [[0, 1], [8, 0]], lane = [[0, 2], [0, 4], [1, 0], [2, 0], [4, 0]], warps = [1, 1], repeat = [1, 2]>
#other = #tile.layout<reg = [[1]], lane = [[2], [4], [8], [0], [0]], warps = [1], repeat = [1]>

tile.kernel @f(%x: memref<?x16xf32>, %n: f32) attributes {tile.warps = 1 : i32} {
  %0 = tensor.splat %n : tensor<16x16xf32, #tile>
  %i = tile.iota : tensor<16xi32, #other>
  // expected-error-re @below {{expected an index with the layout #tile.layout<reg = {{.*}}>, found #tile.layout<reg = {{.*}}>}}
  tile.scatter %0 into %x[%i] : (tensor<16x16xf32, #tile>, memref<?x16xf32>, tensor<16xi32, #other>) -> ()
}

// -----

// S11
#tile = #tile.layout<reg = [[0, 1], [8, 0]], lane = [[0, 2], [0, 4], [1, 0], [2, 0], [4, 0]], warps = [1, 1], repeat = [1, 2]>
#other = #tile.layout<reg = [[1]], lane = [[2], [4], [8], [0], [0]], warps = [1], repeat = [1]>

tile.kernel @f(%x: memref<?x16xf32>, %s: index) attributes {tile.warps = 1 : i32} {
  %ring = tile.alloc_shared : memref<1x16x16xf32, #tile.shared<swizzle = 64, pad = 0>>
  %i = tile.iota : tensor<16xi32, #other>
  // expected-error-re @below {{expected an index with the layout #tile.layout<reg = {{.*}}>, found #tile.layout<reg = {{.*}}>}}
  tile.copy_async %x[%i] into %ring[%s] {layout = #tile} : (memref<?x16xf32>, tensor<16xi32, #other>, memref<1x16x16xf32, #tile.shared<swizzle = 64, pad = 0>>, index) -> ()
}

// -----

// S12
tile.kernel @f(%x: memref<?x16xf32>, %i: index) attributes {tile.warps = 1 : i32} {
  %ring = tile.alloc_shared : memref<1x16x16xf32, #tile.shared<swizzle = 64, pad = 0>>
  // expected-error @below {{expected a layout, found none}}
  tile.copy_async %x[%i] into %ring[%i] : (memref<?x16xf32>, index, memref<1x16x16xf32, #tile.shared<swizzle = 64, pad = 0>>, index) -> ()
}

// -----

// S12
tile.kernel @f(%n: index) attributes {tile.warps = 1 : i32} {
  scf.for %i = %n to %n step %n {
    // expected-error @below {{expected to stand at the top of its kernel}}
    %ring = tile.alloc_shared : memref<1x16x16xf32, #tile.shared<swizzle = 64, pad = 0>>
  }
}

// -----

// S12
// expected-error @below {{expected an attribute tile.warps with the number of its warps}}
tile.kernel @f(%x: f32) {
}

// -----

// S12
// expected-error @below {{expected an attribute tile.warps with the number of its warps}}
tile.kernel @f(%x: f32) attributes {tile.warps = 0 : i32} {
}
