// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt --tile-stage-through-shared --canonicalize --cse --tile-assign-layouts --canonicalize --cse --convert-tile-to-gpu %s -o %t.mlir
// RUN: ramify-translate --llvm-to-ptx --arch=sm_80 %t.mlir -o %t.ptx
// RUN: FileCheck %s < %t.ptx
// RUN: %if ptxas %{ %ptxas %t.ptx %}

// The whole forward kernel in bf16: one warp for the 16 query heads of a
// position, keys and values through a ring in shared memory.

// Copies of 16 bytes; the loop multiplies by ldmatrix and mma, and takes
// exponentials, with the probabilities never leaving the registers.
// CHECK-LABEL: .entry hsa(
// CHECK-NOT: st.shared
// CHECK-NOT: ld.shared
// CHECK-DAG: cp.async.cg.shared.global
// CHECK-DAG: ldmatrix.sync.aligned.m8n8.x4.shared.b16
// CHECK-DAG: mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32
// CHECK-DAG: shfl.sync.bfly.b32
// CHECK-DAG: ex2.approx.ftz.f32
// CHECK-DAG: cvt.rn.bf16x2.f32
// CHECK-DAG: ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16
// CHECK-DAG: st.global
!A = memref<?x?x?x64xbf16, strided<[?, ?, ?, 1]>>
!W = memref<?x?x?x?xf32, strided<[?, ?, ?, 1]>>
!I = memref<?x?x?x?xi32, strided<[?, ?, ?, 1]>>
tile.kernel @hsa(%q: !A, %k: !A, %v: !A, %weights: !W, %indices: !I, %scale: f32, %out: !A) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %c16_i32 = arith.constant 16 : i32
  %c64_i32 = arith.constant 64 : i32
  %c63_i32 = arith.constant 63 : i32
  %log2e = arith.constant 1.44269504 : f32
  %zero_o = arith.constant dense<0.0> : tensor<16x64xf32>
  %zero_s = arith.constant dense<0.0> : tensor<16x64xf32>
  %zero_r = arith.constant dense<0.0> : tensor<16xf32>
  %one_r = arith.constant dense<1.0> : tensor<16xf32>
  %ninf_s = arith.constant dense<0xFF800000> : tensor<16x64xf32>
  %ninf_r = arith.constant dense<0xFF800000> : tensor<16xf32>
  %block = tile.program_id x
  %h = tile.program_id y
  %b = tile.program_id z
  %L = memref.dim %q, %c1 : !A
  %N = memref.dim %k, %c1 : !A
  %K = memref.dim %indices, %c3 : !I
  %L32 = arith.index_cast %L : index to i32
  %N32 = arith.index_cast %N : index to i32
  %Nup = arith.addi %N32, %c63_i32 : i32
  %C = arith.divui %Nup, %c64_i32 : i32
  // Rows: pos-major, head fastest.
  %r = tile.iota : tensor<16xi32>
  %block32 = arith.index_cast %block : index to i32
  %h32 = arith.index_cast %h : index to i32
  %pos = tensor.splat %block32 : tensor<16xi32>
  %h16 = arith.muli %h32, %c16_i32 : i32
  %h16s = tensor.splat %h16 : tensor<16xi32>
  %head = arith.addi %r, %h16s : tensor<16xi32>
  %Ls = tensor.splat %L32 : tensor<16xi32>
  %inside = arith.cmpi ult, %pos, %Ls : tensor<16xi32>
  %qt = tile.gather %q[%b, %pos, %head] where %inside : (!A, index, tensor<16xi32>, tensor<16xi32>, tensor<16xi1>) -> tensor<16x64xbf16>
  %scale2 = arith.mulf %scale, %log2e : f32
  %scale_s = tensor.splat %scale2 : tensor<16x64xf32>
  %o = scf.for %slot = %c0 to %K step %c1 iter_args(%acc = %zero_o) -> (tensor<16x64xf32>) {
    %c = memref.load %indices[%b, %block, %h, %slot] : !I
    %valid = arith.cmpi ult, %c, %C : i32
    %next = scf.if %valid -> (tensor<16x64xf32>) {
      %x0 = arith.muli %c, %c64_i32 : i32
      %x0s = tensor.splat %x0 : tensor<64xi32>
      %j = tile.iota : tensor<64xi32>
      %key = arith.addi %x0s, %j : tensor<64xi32>
      %Ns = tensor.splat %N32 : tensor<64xi32>
      %live = arith.cmpi slt, %key, %Ns : tensor<64xi32>
      %kt = tile.gather %k[%b, %key, %h] where %live : (!A, index, tensor<64xi32>, index, tensor<64xi1>) -> tensor<64x64xbf16>
      %s0 = tile.dot %qt, transposed %kt, %zero_s : tensor<16x64xbf16>, tensor<64x64xbf16>, tensor<16x64xf32> -> tensor<16x64xf32>
      %s1 = arith.mulf %s0, %scale_s : tensor<16x64xf32>
      %x1 = arith.addi %x0, %c64_i32 : i32
      %partial = arith.cmpi sgt, %x1, %N32 : i32
      %s2 = scf.if %partial -> (tensor<16x64xf32>) {
        %lb = tile.broadcast %live along 0 : tensor<64xi1> -> tensor<16x64xi1>
        %masked = arith.select %lb, %s1, %ninf_s : tensor<16x64xi1>, tensor<16x64xf32>
        scf.yield %masked : tensor<16x64xf32>
      } else {
        scf.yield %s1 : tensor<16x64xf32>
      }
      %m0 = tile.reduce max %s2 along 1 : tensor<16x64xf32> -> tensor<16xf32>
      %dead = arith.cmpf oeq, %m0, %ninf_r : tensor<16xf32>
      %m = arith.select %dead, %zero_r, %m0 : tensor<16xi1>, tensor<16xf32>
      %mb = tile.broadcast %m along 1 : tensor<16xf32> -> tensor<16x64xf32>
      %d = arith.subf %s2, %mb : tensor<16x64xf32>
      %p = math.exp2 %d : tensor<16x64xf32>
      %l = tile.reduce sum %p along 1 : tensor<16x64xf32> -> tensor<16xf32>
      %w = memref.load %weights[%b, %block, %h, %slot] : !W
      %ws = tensor.splat %w : tensor<16xf32>
      %empty = arith.cmpf oeq, %l, %zero_r : tensor<16xf32>
      %f0 = arith.divf %ws, %l : tensor<16xf32>
      %f = arith.select %empty, %zero_r, %f0 : tensor<16xi1>, tensor<16xf32>
      %fb = tile.broadcast %f along 1 : tensor<16xf32> -> tensor<16x64xf32>
      %pw = arith.mulf %p, %fb : tensor<16x64xf32>
      %pb = arith.truncf %pw : tensor<16x64xf32> to tensor<16x64xbf16>
      %vt = tile.gather %v[%b, %key, %h] where %live : (!A, index, tensor<64xi32>, index, tensor<64xi1>) -> tensor<64x64xbf16>
      %acc1 = tile.dot %pb, %vt, %acc : tensor<16x64xbf16>, tensor<64x64xbf16>, tensor<16x64xf32> -> tensor<16x64xf32>
      scf.yield %acc1 : tensor<16x64xf32>
    } else {
      scf.yield %acc : tensor<16x64xf32>
    }
    scf.yield %next : tensor<16x64xf32>
  }
  %ob = arith.truncf %o : tensor<16x64xf32> to tensor<16x64xbf16>
  tile.scatter %ob into %out[%b, %pos, %head] where %inside : (tensor<16x64xbf16>, !A, index, tensor<16xi32>, tensor<16xi32>, tensor<16xi1>) -> ()
}
