// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s -split-input-file -pass-pipeline='builtin.module(tile-verify-stage{stage=portable})' \
// RUN:   -verify-diagnostics -o /dev/null
//
// What the portable stage may not hold, after one module that is in order.

!rows = memref<?x64xf32, strided<[?, 1]>>

tile.kernel @scale(%x: !rows, %y: !rows, %scale: f32) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant dense<0.0> : tensor<4x64xf32>
  %n = memref.dim %x, %c0 : !rows
  %sum = scf.for %i = %c0 to %n step %c1 iter_args(%acc = %zero) -> (tensor<4x64xf32>) {
    %j = tile.iota : tensor<4xi32>
    %t = tile.gather %x[%j] : (!rows, tensor<4xi32>) -> tensor<4x64xf32>
    %s = tensor.splat %scale : tensor<4x64xf32>
    %u = arith.mulf %t, %s : tensor<4x64xf32>
    %next = arith.addf %acc, %u : tensor<4x64xf32>
    scf.yield %next : tensor<4x64xf32>
  }
  %e = math.exp2 %sum : tensor<4x64xf32>
  %k = tile.iota : tensor<4xi32>
  tile.scatter %e into %y[%k] : (tensor<4x64xf32>, !rows, tensor<4xi32>) -> ()
}
tile.plan @scale_plan(%x: !rows, %scale: f32) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c64 = arith.constant 64 : index
  %n = memref.dim %x, %c0 : !rows
  %blocks = arith.ceildivui %n, %c64 : index
  %y = tile.result shape(%n, %c64) : !rows
  tile.launch @scale grid(%blocks, %c1, %c1) (%x, %y, %scale) : !rows, !rows, f32
}

// -----

// S1
// expected-error @below {{expected tile.kernel and tile.plan only}}
func.func @f() {
  return
}

// -----

// S2
tile.plan @f(%x: f32) {
  // expected-error @below {{is no operation of a plan}}
  %0 = math.exp %x : f32
}

// -----

// S2
tile.plan @f(%n: index) {
  // expected-error @below {{makes a tile in a plan: 'tensor<4xf32>'}}
  %0 = arith.constant dense<1.0> : tensor<4xf32>
}

// -----

// S3
// expected-error @below {{expected argument 1 to be an array or a scalar, found 'tensor<4xf32>'}}
tile.kernel @f(%x: f32, %t: tensor<4xf32>) {
}

// -----

// S4
tile.kernel @f(%x: memref<4xf32>) {
  // expected-error @below {{is no operation of the portable stage}}
  %0 = memref.subview %x[0] [2] [1] : memref<4xf32> to memref<2xf32, strided<[1]>>
}

// -----

// S4
tile.kernel @f(%x: f32) {
  // expected-error @below {{is no operation of the portable stage}}
  %0 = vector.broadcast %x : f32 to vector<4xf32>
}

// -----

// S5
tile.kernel @f() {
  // expected-error @below {{expected a tile that is the same everywhere, found dense<[1, 2]> : tensor<2xi32>}}
  %0 = arith.constant dense<[1, 2]> : tensor<2xi32>
}

// -----

// S6
tile.kernel @f() {
  // expected-error @below {{is no operation of the portable stage}}
  tile.commit_group
}

// -----

// S6, inside a loop
tile.kernel @f(%n: index) {
  scf.for %i = %n to %n step %n {
    // expected-error @below {{is no operation of the portable stage}}
    tile.commit_group
  }
}

// -----

// S7
#rows = #tile.layout<reg = [[8]], lane = [[0], [0], [1], [2], [4]], warps = [1], repeat = [1]>

tile.kernel @f() {
  // expected-error @below {{expected a tile without an encoding, found 'tensor<16xi32, #tile.layout<reg = [[8]]}}
  %0 = tile.iota : tensor<16xi32, #rows>
}
