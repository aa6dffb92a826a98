// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s --split-input-file --convert-tile-to-gpu | FileCheck %s

#rows = #tile.layout<reg = [], lane = [[1], [2], [4], [8], [0]], warps = [1], repeat = [1]>

// A pointer, sizes and strides for each array; scalars as they are. What is
// only read says so; the launch bounds follow the warps.
// CHECK-LABEL: llvm.func @scale(
// CHECK-SAME: %[[X:[a-z0-9]+]]: !llvm.ptr<1> {llvm.noalias, llvm.readonly}, %{{[a-z0-9]+}}: i64, %{{[a-z0-9]+}}: i64, %[[S:[a-z0-9]+]]: i64, %{{[a-z0-9]+}}: i64, %[[Y:[a-z0-9]+]]: !llvm.ptr<1> {llvm.noalias}, %{{[a-z0-9]+}}: i64, %{{[a-z0-9]+}}: i64, %{{[a-z0-9]+}}: i64, %{{[a-z0-9]+}}: i64,
// CHECK-SAME: %[[A:[a-z0-9]+]]: f32, %[[I:[a-z0-9]+]]: i64)
// CHECK-SAME: nvvm.kernel, nvvm.maxntid = array<i32: 64>
tile.kernel @scale(%x: memref<?x64xf32, strided<[?, 1]>>, %y: memref<?x64xf32, strided<[?, 1]>>,
                   %a: f32, %i: index) attributes {tile.warps = 2 : i32} {
  // CHECK: "llvm.nvvm.read.ptx.sreg.ctaid.x"
  %p = tile.program_id x
  // CHECK: llvm.mul %[[S]], %{{.*}}
  // CHECK: %[[V:.*]] = llvm.load %{{.*}} : !llvm.ptr<1> -> f32
  %v = memref.load %x[%p, %i] : memref<?x64xf32, strided<[?, 1]>>
  // CHECK: %[[W:.*]] = llvm.fmul %[[V]], %[[A]]
  %w = arith.mulf %v, %a : f32
  // CHECK: llvm.store %[[W]], %{{.*}} : f32, !llvm.ptr<1>
  // CHECK: llvm.return
  %r = tile.iota : tensor<16xi32, #rows>
  %ws = tensor.splat %w : tensor<16xf32, #rows>
  tile.scatter %ws into %y[%r, %i] : (tensor<16xf32, #rows>, memref<?x64xf32, strided<[?, 1]>>, tensor<16xi32, #rows>, index) -> ()
}

// -----

// A tensor map is a parameter of 128 bytes.
// CHECK-LABEL: llvm.func @map(
// CHECK-SAME: %{{[a-z0-9]+}}: !llvm.ptr {llvm.align = 64 : i64, llvm.byval = !llvm.array<128 x i8>, nvvm.grid_constant}, %{{[a-z0-9]+}}: i32)
tile.kernel @map(%m: !tile.tensor_map<tensor<64x64xbf16>, swizzle = 128>, %n: i32) attributes {tile.warps = 1 : i32} {
}
