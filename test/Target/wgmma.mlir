// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s --pass-pipeline="builtin.module(tile-verify-stage{stage=placed},convert-tile-to-gpu)" > %t.mlir
// RUN: ramify-translate --llvm-to-ptx --arch=sm_90a %t.mlir > %t.ptx
// RUN: FileCheck %s < %t.ptx
// RUN: %if ptxas %{ %ptxas %t.ptx %}

// The proof that the placed stage can say what Hopper's units want: two
// products whose operands come by TMA into rings of four stages with mbarriers,
// and that wgmma reads there. test/python/test_wgmma_gpu.py runs this file.

#acc = #tile.layout<reg = [[0, 1], [8, 0]], lane = [[0, 2], [0, 4], [1, 0], [2, 0], [4, 0]], warps = [4, 1], repeat = [1, 16]>
#rows = #tile.layout<reg = [[8]], lane = [[0], [0], [1], [2], [4]], warps = [4], repeat = [1]>
!MapA = !tile.tensor_map<tensor<64x64xbf16>, swizzle = 128>
!MapB = !tile.tensor_map<tensor<128x64xbf16>, swizzle = 128>
!RingA = memref<4x64x64xbf16, #tile.shared<swizzle = 128, pad = 0>>
!RingB = memref<4x128x64xbf16, #tile.shared<swizzle = 128, pad = 0>>
!C = memref<?x?x128xf32, strided<[?, ?, 1]>>

// c[64 x + i, y, j] = sum over k of a[64 x + i, k] b[128 y + j, k], k < 64 steps.
// CHECK: .target sm_90a
// CHECK: .visible .entry product(
// The maps are in the parameters themselves.
// CHECK: .param .align 64 .b8 product_param_0[128]
// CHECK: .param .align 64 .b8 product_param_1[128]
// CHECK: .maxntid 128
// CHECK-COUNT-4: mbarrier.init.shared::cta.b64
// CHECK: fence.mbarrier_init
// CHECK: bar.sync
// CHECK: mbarrier.arrive.expect_tx.shared::cta.b64
// CHECK-COUNT-2: cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes
// CHECK: mbarrier.try_wait.parity
// CHECK: wgmma.fence.sync.aligned
// CHECK-COUNT-4: wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16
// CHECK: wgmma.commit_group.sync.aligned
tile.kernel @product(%a: !MapA, %b: !MapB, %c: !C, %steps: index) attributes {tile.warps = 4 : i32} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c3 = arith.constant 3 : index
  %c64 = arith.constant 64 : index
  %c128 = arith.constant 128 : index
  %zero = arith.constant dense<0.0> : tensor<64x128xf32, #acc>
  %ra = tile.alloc_shared : !RingA
  %rb = tile.alloc_shared : !RingB
  %full = tile.alloc_mbarriers arrivals 1 : !tile.mbarriers<4>
  %x = tile.program_id x
  %y = tile.program_id y
  %row = arith.muli %x, %c64 : index
  %col = arith.muli %y, %c128 : index
  %row32 = arith.index_cast %row : index to i32
  %col32 = arith.index_cast %col : index to i32

  // Three stages are filled ahead.
  %ahead = arith.minsi %c3, %steps : index
  tile.elect {
    scf.for %i = %c0 to %ahead step %c1 {
      %k = arith.muli %i, %c64 : index
      %k32 = arith.index_cast %k : index to i32
      tile.mbarrier_arrive %full[%i] expect 24576 : !tile.mbarriers<4>
      tile.tma_load %a[%row32, %k32] into %ra[%i] signal %full[%i] : !MapA, !RingA, !tile.mbarriers<4>
      tile.tma_load %b[%col32, %k32] into %rb[%i] signal %full[%i] : !MapB, !RingB, !tile.mbarriers<4>
    }
  }
  %sum = scf.for %i = %c0 to %steps step %c1 iter_args(%acc = %zero) -> (tensor<64x128xf32, #acc>) {
    %stage = arith.andi %i, %c3 : index
    %round = arith.shrui %i, %c2 : index
    %odd = arith.andi %round, %c1 : index
    %parity = arith.index_cast %odd : index to i32
    tile.mbarrier_wait %full[%stage] parity %parity : !tile.mbarriers<4>
    %started = tile.wgmma %ra[%stage], transposed %rb[%stage], %acc : !RingA, !RingB, tensor<64x128xf32, #acc>
    // While it runs, the stage that the last iteration has read is filled.
    tile.barrier
    %coming = arith.addi %i, %c3 : index
    %more = arith.cmpi slt, %coming, %steps : index
    scf.if %more {
      tile.elect {
        %fill = arith.andi %coming, %c3 : index
        %k = arith.muli %coming, %c64 : index
        %k32 = arith.index_cast %k : index to i32
        tile.mbarrier_arrive %full[%fill] expect 24576 : !tile.mbarriers<4>
        tile.tma_load %a[%row32, %k32] into %ra[%fill] signal %full[%fill] : !MapA, !RingA, !tile.mbarriers<4>
        tile.tma_load %b[%col32, %k32] into %rb[%fill] signal %full[%fill] : !MapB, !RingB, !tile.mbarriers<4>
      }
    }
    %done = tile.wgmma_wait 0 %started : tensor<64x128xf32, #acc>
    scf.yield %done : tensor<64x128xf32, #acc>
  }
  %i = tile.iota : tensor<64xi32, #rows>
  %rows0 = tensor.splat %row32 : tensor<64xi32, #rows>
  %rows = arith.addi %i, %rows0 : tensor<64xi32, #rows>
  %size = memref.dim %c, %c0 : !C
  %size32 = arith.index_cast %size : index to i32
  %sizes = tensor.splat %size32 : tensor<64xi32, #rows>
  %inside = arith.cmpi slt, %rows, %sizes : tensor<64xi32, #rows>
  tile.scatter %sum into %c[%rows, %y] where %inside
      : (tensor<64x128xf32, #acc>, !C, tensor<64xi32, #rows>, index, tensor<64xi1, #rows>) -> ()
}

// The same with b[64 i + k, 128 y + j]: the right operand as values lie, which
// wgmma transposes. A row of it has two blocks of 128 bytes, a box of b one. One
// stage and no copies ahead.
// CHECK: .visible .entry values(
// CHECK: wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16
// CHECK-SAME: p, 1, 1, 0, 1;
// CHECK: wgmma.commit_group.sync.aligned
// CHECK: wgmma.wait_group.sync.aligned 0
// CHECK-COUNT-3: cp.async.bulk.tensor.2d
!Ring1A = memref<1x64x64xbf16, #tile.shared<swizzle = 128, pad = 0>>
!Ring1B = memref<1x64x128xbf16, #tile.shared<swizzle = 128, pad = 0>>
tile.kernel @values(%a: !MapA, %b: !MapA, %c: !C, %steps: index) attributes {tile.warps = 4 : i32} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c64 = arith.constant 64 : index
  %c128 = arith.constant 128 : index
  %c64_i32 = arith.constant 64 : i32
  %zero = arith.constant dense<0.0> : tensor<64x128xf32, #acc>
  %ra = tile.alloc_shared : !Ring1A
  %rb = tile.alloc_shared : !Ring1B
  %full = tile.alloc_mbarriers arrivals 1 : !tile.mbarriers<1>
  %x = tile.program_id x
  %y = tile.program_id y
  %row = arith.muli %x, %c64 : index
  %col = arith.muli %y, %c128 : index
  %row32 = arith.index_cast %row : index to i32
  %col32 = arith.index_cast %col : index to i32
  %second = arith.addi %col32, %c64_i32 : i32
  %sum = scf.for %i = %c0 to %steps step %c1 iter_args(%acc = %zero) -> (tensor<64x128xf32, #acc>) {
    tile.barrier
    tile.elect {
      %k = arith.muli %i, %c64 : index
      %k32 = arith.index_cast %k : index to i32
      tile.mbarrier_arrive %full[%c0] expect 24576 : !tile.mbarriers<1>
      tile.tma_load %a[%row32, %k32] into %ra[%c0] signal %full[%c0] : !MapA, !Ring1A, !tile.mbarriers<1>
      tile.tma_load %b[%k32, %col32] into %rb[%c0] block 0 signal %full[%c0] : !MapA, !Ring1B, !tile.mbarriers<1>
      tile.tma_load %b[%k32, %second] into %rb[%c0] block 1 signal %full[%c0] : !MapA, !Ring1B, !tile.mbarriers<1>
    }
    %odd = arith.andi %i, %c1 : index
    %parity = arith.index_cast %odd : index to i32
    tile.mbarrier_wait %full[%c0] parity %parity : !tile.mbarriers<1>
    %started = tile.wgmma %ra[%c0], %rb[%c0], %acc : !Ring1A, !Ring1B, tensor<64x128xf32, #acc>
    %done = tile.wgmma_wait 0 %started : tensor<64x128xf32, #acc>
    scf.yield %done : tensor<64x128xf32, #acc>
  }
  %i = tile.iota : tensor<64xi32, #rows>
  %rows0 = tensor.splat %row32 : tensor<64xi32, #rows>
  %rows = arith.addi %i, %rows0 : tensor<64xi32, #rows>
  %size = memref.dim %c, %c0 : !C
  %size32 = arith.index_cast %size : index to i32
  %sizes = tensor.splat %size32 : tensor<64xi32, #rows>
  %inside = arith.cmpi slt, %rows, %sizes : tensor<64xi32, #rows>
  tile.scatter %sum into %c[%rows, %y] where %inside
      : (tensor<64x128xf32, #acc>, !C, tensor<64xi32, #rows>, index, tensor<64xi1, #rows>) -> ()
}
