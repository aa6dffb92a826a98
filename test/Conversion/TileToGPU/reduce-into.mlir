// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: split-file %s %t
// RUN: ramify-translate --hsa-to-ptx --target=sm_80 %t/free.mlir -o %t/80.ptx
// RUN: FileCheck %t/free.mlir --check-prefixes=CHECK,SM80 < %t/80.ptx
// RUN: ramify-translate --hsa-to-ptx --target=sm_90a %t/free.mlir -o %t/90.ptx
// RUN: FileCheck %t/free.mlir --check-prefixes=CHECK,SM90 < %t/90.ptx
// RUN: %if ptxas %{ %ptxas %t/80.ptx %}
// RUN: %if ptxas %{ %ptxas %t/90.ptx %}
// RUN: ramify-translate --hsa-to-ptx --target=sm_80 %t/owner.mlir -o %t/owner.ptx
// RUN: FileCheck %t/owner.mlir < %t/owner.ptx
// RUN: %if ptxas %{ %ptxas %t/owner.ptx %}
// RUN: not ramify-translate --hsa-to-ptx --target=sm_80 %t/rows.mlir 2>&1 | FileCheck %t/rows.mlir
// RUN: not ramify-translate --hsa-to-ptx --target=sm_80 %t/slots.mlir 2>&1 | FileCheck %t/slots.mlir

//--- free.mlir
!F = memref<?x64xf32, strided<[?, 1]>>
!H = memref<?x64xbf16, strided<[?, 1]>>
!N = memref<?x20xf32, strided<[?, 1]>>
!R = memref<?xf32, strided<[1]>>
!C = memref<?xi32, strided<[1]>>

// 64 x 64 over four warps: 32 elements a thread. Hopper adds 16 bytes at a
// time, which a lane puts together with its neighbour's.
// CHECK-LABEL: .entry f32(
// SM80-COUNT-32: red.global.add.f32
// SM90-COUNT-8:  red.global.add.v4.f32
// CHECK-NOT: {{[[:space:]]red[.]}}
// CHECK: ret
tile.kernel @f32(%x: !F, %out: !F) {
  %i = tile.iota : tensor<64xi32>
  %a = tile.gather %x[%i] : (!F, tensor<64xi32>) -> tensor<64x64xf32>
  tile.reduce_into sum %a into %out[%i] order free : (tensor<64x64xf32>, !F, tensor<64xi32>) -> ()
}

// Two bf16 a word; before Hopper by compare and swap.
// CHECK-LABEL: .entry bf16(
// SM80-COUNT-16: atom.global.cas.b32
// SM90-COUNT-4:  red.global.add.noftz.v4.bf16x2
// CHECK-NOT: {{[[:space:]]red[.]}}
// CHECK: ret
tile.kernel @bf16(%x: !H, %out: !H) {
  %i = tile.iota : tensor<64xi32>
  %a = tile.gather %x[%i] : (!H, tensor<64xi32>) -> tensor<64x64xbf16>
  tile.reduce_into sum %a into %out[%i] order free : (tensor<64x64xbf16>, !H, tensor<64xi32>) -> ()
}

// Columns past the end of the array are not added: 20 of the tile's 32.
// CHECK-LABEL: .entry columns(
// SM80-COUNT-12: red.global.add.f32
// SM90-COUNT-6:  red.global.add.v2.f32
// CHECK-NOT: {{[[:space:]]red[.]}}
// CHECK: ret
tile.kernel @columns(%x: !N, %out: !N) {
  %i = tile.iota : tensor<16xi32>
  %a = tile.gather %x[%i] : (!N, tensor<16xi32>) -> tensor<16x32xf32>
  tile.reduce_into sum %a into %out[%i] order free : (tensor<16x32xf32>, !N, tensor<16xi32>) -> ()
}

// Four lanes hold a row's sum; the one whose number is a multiple of four adds.
// CHECK-LABEL: .entry rows(
// CHECK:     mov.u32 %[[TID:r[0-9]+]], %tid.x
// CHECK:     and.b32 %[[QUAD:r[0-9]+]], %[[TID]], 3
// CHECK:     setp.{{ne|eq}}.s32 %{{p[0-9]+}}, %[[QUAD]], 0
// CHECK-COUNT-2: red.global.add.f32
// CHECK-NOT: {{[[:space:]]red[.]}}
// CHECK: ret
tile.kernel @rows(%x: !F, %out: !R) {
  %i = tile.iota : tensor<16xi32>
  %a = tile.gather %x[%i] : (!F, tensor<16xi32>) -> tensor<16x64xf32>
  %s = tile.reduce sum %a along 1 : tensor<16x64xf32> -> tensor<16xf32>
  tile.reduce_into sum %s into %out[%i] order free : (tensor<16xf32>, !R, tensor<16xi32>) -> ()
}

// Counting: a thread for each of 128 elements; only valid ones count. Integers
// may be added in any order by an owner, too.
// CHECK-LABEL: .entry counts(
// CHECK:     .maxntid 128
// CHECK:     red.global.add.u32
// CHECK:     red.global.max.s32
// CHECK-NOT: {{[[:space:]]red[.]}}
// CHECK: ret
tile.kernel @counts(%c: !C, %limit: i32, %out: !C, %most: !C) {
  %i = tile.iota : tensor<128xi32>
  %one = arith.constant dense<1> : tensor<128xi32>
  %at = tile.lookup %c[%i] : (!C, tensor<128xi32>) -> tensor<128xi32>
  %limits = tensor.splat %limit : tensor<128xi32>
  %valid = arith.cmpi ult, %at, %limits : tensor<128xi32>
  tile.reduce_into sum %one into %out[%at] where %valid order owner
      : (tensor<128xi32>, !C, tensor<128xi32>, tensor<128xi1>) -> ()
  tile.reduce_into max %i into %most[%at] where %valid order free
      : (tensor<128xi32>, !C, tensor<128xi32>, tensor<128xi1>) -> ()
}

//--- owner.mlir
!F = memref<?x64xf32, strided<[?, 1]>>
!R = memref<?xf32, strided<[1]>>
!C = memref<?xi32, strided<[1]>>

// An owner's rows that are surely different are read, added to and written.
// CHECK-LABEL: .entry rows(
// CHECK-NOT: {{[[:space:]]red[.]}}
// CHECK: ld.global.v2.f32
// CHECK: st.global.v2.f32
// CHECK-NOT: {{[[:space:]]red[.]}}
// CHECK: ret
tile.kernel @rows(%x: !F, %first: i32, %out: !F) {
  %i = tile.iota : tensor<64xi32>
  %firsts = tensor.splat %first : tensor<64xi32>
  %row = arith.addi %firsts, %i : tensor<64xi32>
  %a = tile.gather %x[%i] : (!F, tensor<64xi32>) -> tensor<64x64xf32>
  tile.reduce_into sum %a into %out[%row] order owner : (tensor<64x64xf32>, !F, tensor<64xi32>) -> ()
}

// Elements that may meet are laid in shared memory between two barriers, and
// the first of each address adds them in their order.
// CHECK-LABEL: .entry elements(
// CHECK: bar.sync
// CHECK: st.shared.u64
// CHECK: st.shared.f32
// CHECK: bar.sync
// CHECK: ld.shared.u64
// CHECK: ld.shared.{{(v[24].)?}}f32
// CHECK: st.global.f32
// CHECK-NOT: {{[[:space:]]red[.]}}
// CHECK: ret
tile.kernel @elements(%x: !R, %c: !C, %out: !R) {
  %i = tile.iota : tensor<64xi32>
  %at = tile.lookup %c[%i] : (!C, tensor<64xi32>) -> tensor<64xi32>
  %a = tile.lookup %x[%i] : (!R, tensor<64xi32>) -> tensor<64xf32>
  tile.reduce_into sum %a into %out[%at] order owner : (tensor<64xf32>, !R, tensor<64xi32>) -> ()
}

// Those of a run of 16 are in one warp: eight lanes add up two elements each
// after the sums along two rows, and one of them adds the sum. The address, in
// two words, is that of any whose mask is true.
// CHECK-LABEL: .entry runs(
// CHECK-NOT: bar.sync
// CHECK-COUNT-4: shfl.sync.bfly.b32
// CHECK-COUNT-9: shfl.sync.bfly.b32
// CHECK-NOT: shfl
// CHECK: st.global.f32
// CHECK-NOT: st.global
// CHECK: ret
tile.kernel @runs(%x: !F, %c: !C, %n: i32, %out: !R) {
  %i = tile.iota : tensor<64xi32>
  %n64 = tensor.splat %n : tensor<64xi32>
  %mask = arith.cmpi slt, %i, %n64 : tensor<64xi32>
  %at = tile.lookup %c[%i] : (!C, tensor<64xi32>) -> tensor<64xi32>
  %a = tile.gather %x[%i] : (!F, tensor<64xi32>) -> tensor<64x64xf32>
  %s = tile.reduce sum %a along 1 : tensor<64x64xf32> -> tensor<64xf32>
  tile.reduce_into sum %s into %out[%at] where %mask order owner {run = 16 : i64}
      : (tensor<64xf32>, !R, tensor<64xi32>, tensor<64xi1>) -> ()
}

// What one warp has added another may add to: they meet in between.
// CHECK-LABEL: .entry again(
// CHECK-NOT: bar.sync
// CHECK: st.global.f32
// CHECK: bar.sync
// CHECK: ld.global.f32
// CHECK: st.global.f32
// CHECK-NOT: bar.sync
// CHECK: ret
tile.kernel @again(%x: !F, %y: !F, %c: !C, %out: !R) {
  %i = tile.iota : tensor<64xi32>
  %at = tile.lookup %c[%i] : (!C, tensor<64xi32>) -> tensor<64xi32>
  %a = tile.gather %x[%i] : (!F, tensor<64xi32>) -> tensor<64x64xf32>
  %s = tile.reduce sum %a along 1 : tensor<64x64xf32> -> tensor<64xf32>
  %j = tile.iota : tensor<16xi32>
  %to = tile.lookup %c[%j] : (!C, tensor<16xi32>) -> tensor<16xi32>
  %b = tile.gather %y[%j] : (!F, tensor<16xi32>) -> tensor<16x64xf32>
  %t = tile.reduce sum %b along 1 : tensor<16x64xf32> -> tensor<16xf32>
  tile.reduce_into sum %s into %out[%at] order owner {run = 16 : i64}
      : (tensor<64xf32>, !R, tensor<64xi32>) -> ()
  tile.reduce_into sum %t into %out[%to] order owner {run = 16 : i64}
      : (tensor<16xf32>, !R, tensor<16xi32>) -> ()
}

//--- rows.mlir
!F = memref<?x64xf32, strided<[?, 1]>>
!C = memref<?xi32, strided<[1]>>
tile.kernel @rows(%x: !F, %c: !C, %out: !F) {
  %i = tile.iota : tensor<64xi32>
  %at = tile.lookup %c[%i] : (!C, tensor<64xi32>) -> tensor<64xi32>
  %a = tile.gather %x[%i] : (!F, tensor<64xi32>) -> tensor<64x64xf32>
  // CHECK: of an owner: expected rows that are surely different
  tile.reduce_into sum %a into %out[%at] order owner : (tensor<64x64xf32>, !F, tensor<64xi32>) -> ()
}

//--- slots.mlir
!F = memref<?x64xf32, strided<[?, 1]>>
tile.kernel @slots(%x: !F, %out: !F) {
  %i = tile.iota : tensor<64xi32>
  %a = tile.gather %x[%i] : (!F, tensor<64xi32>) -> tensor<64x64xf32>
  // CHECK: in the order of slots has no lowering to the GPU
  tile.reduce_into sum %a into %out[%i] order slots : (tensor<64x64xf32>, !F, tensor<64xi32>) -> ()
}
