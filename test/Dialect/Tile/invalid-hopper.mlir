// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s --split-input-file --verify-diagnostics

// expected-error @below {{expected a swizzle of 32, 64 or 128 bytes, found 16}}
tile.kernel @map_c1(%map: !tile.tensor_map<tensor<8x8xbf16>, swizzle = 16>) {
}

// -----

// expected-error @below {{expected rows of 128 bytes, found 256}}
tile.kernel @map_c2(%map: !tile.tensor_map<tensor<64x128xbf16>, swizzle = 128>) {
}

// -----

// expected-error @below {{expected sides of at most 256, found 'tensor<512x64xbf16>'}}
tile.kernel @map_c3(%map: !tile.tensor_map<tensor<512x64xbf16>, swizzle = 128>) {
}

// -----

tile.kernel @barriers_c1() {
  // expected-error @below {{expected at least one barrier, found 0}}
  %full = tile.alloc_mbarriers arrivals 1 : !tile.mbarriers<0>
}

// -----

tile.kernel @alloc_c1() {
  // expected-error @below {{expected at least one arrival, found 0}}
  %full = tile.alloc_mbarriers arrivals 0 : !tile.mbarriers<2>
}

// -----

tile.kernel @elect_c1() {
  tile.elect {
    // expected-error @below {{has a tensor, which one thread alone does not hold}}
    %i = tile.iota : tensor<16xi32>
  }
}

// -----

!Map = !tile.tensor_map<tensor<64x64xbf16>, swizzle = 128>
!S = memref<2x64x64xbf16, #tile.shared<swizzle = 128, pad = 0>>
tile.kernel @load_c1(%map: !Map, %x: i32, %i: index) {
  %a = tile.alloc_shared : !S
  %full = tile.alloc_mbarriers arrivals 1 : !tile.mbarriers<2>
  // expected-error @below {{expected 2 coordinates for}}
  tile.tma_load %map[%x] into %a[%i] signal %full[%i] : !Map, !S, !tile.mbarriers<2>
}

// -----

!Map = !tile.tensor_map<tensor<64x64xbf16>, swizzle = 128>
!S = memref<2x32x64xbf16, #tile.shared<swizzle = 128, pad = 0>>
tile.kernel @load_c2(%map: !Map, %x: i32, %i: index) {
  %a = tile.alloc_shared : !S
  %full = tile.alloc_mbarriers arrivals 1 : !tile.mbarriers<2>
  // expected-error @below {{expected stages that hold a box of '!tile.tensor_map<tensor<64x64xbf16>, swizzle = 128>', found 'memref<2x32x64xbf16}}
  tile.tma_load %map[%x, %x] into %a[%i] signal %full[%i] : !Map, !S, !tile.mbarriers<2>
}

// -----

!S = memref<2x64x64xf32, #tile.shared<swizzle = 128, pad = 0>>
tile.kernel @wgmma_c1(%i: index) {
  %zero = arith.constant dense<0.0> : tensor<64x64xf32>
  %a = tile.alloc_shared : !S
  // expected-error @below {{expected 16-bit elements of one type with a 128-byte swizzle}}
  %s = tile.wgmma %a[%i], transposed %a[%i], %zero : !S, !S, tensor<64x64xf32>
}

// -----

!S = memref<2x32x64xbf16, #tile.shared<swizzle = 128, pad = 0>>
tile.kernel @wgmma_c2(%i: index) {
  %zero = arith.constant dense<0.0> : tensor<64x32xf32>
  %a = tile.alloc_shared : !S
  // expected-error @below {{expected an lhs of 64 rows for each warpgroup}}
  %s = tile.wgmma %a[%i], transposed %a[%i], %zero : !S, !S, tensor<64x32xf32>
}

// -----

!S = memref<2x64x64xbf16, #tile.shared<swizzle = 128, pad = 0>>
tile.kernel @wgmma_c3(%i: index) {
  %zero = arith.constant dense<0.0> : tensor<64x32xf32>
  %a = tile.alloc_shared : !S
  // expected-error @below {{expected the shapes of a product}}
  %s = tile.wgmma %a[%i], transposed %a[%i], %zero : !S, !S, tensor<64x32xf32>
}

// -----

!S = memref<2x64x64xbf16, #tile.shared<swizzle = 128, pad = 0>>
tile.kernel @wgmma_c4(%i: index) {
  %zero = arith.constant dense<0.0> : tensor<64x64xf32>
  %a = tile.alloc_shared : !S
  // expected-error @below {{its result is under way and may not go to arith.addf}}
  %s = tile.wgmma %a[%i], transposed %a[%i], %zero : !S, !S, tensor<64x64xf32>
  %t = arith.addf %s, %s : tensor<64x64xf32>
}

// -----

!S = memref<2x64x64xbf16, #tile.shared<swizzle = 128, pad = 0>>
tile.kernel @wgmma_c5_stage(%i: index) {
  %zero = arith.constant dense<0.0> : tensor<64x64xf32>
  %a = tile.alloc_shared : !S
  // expected-error @below {{expected a stage of an lhs in shared memory}}
  %s = tile.wgmma %a, transposed %a[%i], %zero : !S, !S, tensor<64x64xf32>
}

// -----

#one = #tile.layout<reg = [[0, 1], [8, 0]], lane = [[0, 2], [0, 4], [1, 0], [2, 0], [4, 0]], warps = [1, 1], repeat = [4, 8]>
!S = memref<2x64x64xbf16, #tile.shared<swizzle = 128, pad = 0>>
tile.kernel @wgmma_c5_layout(%p: tensor<64x64xbf16, #one>, %i: index) {
  %zero = arith.constant dense<0.0> : tensor<64x64xf32>
  %a = tile.alloc_shared : !S
  // expected-error @below {{expected an lhs that warpgroups hold as wgmma does, 64 rows each, not transposed and without a stage, found 'tensor<64x64xbf16, #tile.layout}}
  %s = tile.wgmma %p, %a[%i], %zero : tensor<64x64xbf16, #one>, !S, tensor<64x64xf32>
}

// -----

!P = memref<2x24x64xbf16, #tile.shared<swizzle = 128, pad = 0>>
tile.kernel @wgmma_c3_depth(%i: index) {
  %zero = arith.constant dense<0.0> : tensor<64x64xf32>
  %a = tile.alloc_shared : !P
  // expected-error @below {{expected the shapes of a product}}
  %s = tile.wgmma transposed %a[%i], %a[%i], %zero : !P, !P, tensor<64x64xf32>
}
