// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-translate --plan-to-text %s --split-input-file --verify-diagnostics | FileCheck %s

// Integer arithmetic becomes expressions; constants fold, and a kernel can be
// given a computed number. A result may not have the name of an argument.

!A = memref<?x?x64xf32, strided<[?, ?, 1]>>

tile.kernel @k(%x: !A, %n: i32, %blocks: index, %out: !A) {
}

// CHECK-LABEL: function "ops"
// CHECK:       array result0 f32 [B, L, 64]
// CHECK-NEXT:  scalar n i32
// CHECK-NEXT:  result result1 f32 [B, max(ceildiv(L, 8), 1), 64]
// CHECK-NEXT:  launch "k" grid (min(L, 100), mod(L, 3) + n, floordiv(L - B, 2) * 24) block 1
// CHECK-NEXT:    (result0, i32(n * 2), i64(ceildiv(L, 8)), result1)
tile.plan @ops_plan(%x: !A {ramify.name = "result0", ramify.dims = ["B", "L", "64"]},
                    %n: i32 {ramify.name = "n"}) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c3 = arith.constant 3 : index
  %c8 = arith.constant 8 : index
  %c100 = arith.constant 100 : index
  %two = arith.constant 2 : i32
  %B = memref.dim %x, %c0 : !A
  %L = memref.dim %x, %c1 : !A
  %D = memref.dim %x, %c2 : !A
  %blocks = arith.ceildivui %L, %c8 : index
  %some = arith.maxui %blocks, %c1 : index
  %out = tile.result shape(%B, %some, %D) : !A
  %x0 = arith.minui %L, %c100 : index
  %rest = arith.remui %L, %c3 : index
  %wide = arith.index_cast %n : i32 to index
  %y0 = arith.addi %rest, %wide : index
  %less = arith.subi %L, %B : index
  %half = arith.divui %less, %c2 : index
  %c24 = arith.muli %c3, %c8 : index
  %z0 = arith.muli %half, %c24 : index
  %twice = arith.muli %n, %two : i32
  tile.launch @k grid(%x0, %y0, %z0) (%x, %twice, %blocks, %out) : !A, i32, index, !A
}

// -----

// expected-error@+1 {{argument 0 has no ramify.name}}
tile.plan @unnamed(%n: i32) {
}

// -----

// expected-error@+1 {{argument "x" does not name its 2 sizes in ramify.dims}}
tile.plan @sizes(%x: memref<?x?xf32, strided<[?, 1]>> {ramify.name = "x", ramify.dims = ["L"]}) {
}

// -----

tile.plan @operation(%n: i32 {ramify.name = "n"}) {
  // expected-error@+1 {{is not an operation of a plan}}
  %m = arith.xori %n, %n : i32
}

// -----

tile.plan @dimension(%x: memref<?x?xf32, strided<[?, 1]>> {ramify.name = "x", ramify.dims = ["L", "M"]},
                     %n: i32 {ramify.name = "n"}) {
  %i = arith.index_cast %n : i32 to index
  // expected-error@+1 {{is not of an argument's known dimension}}
  %d = memref.dim %x, %i : memref<?x?xf32, strided<[?, 1]>>
}

// -----

tile.plan @number() {
  // expected-error@+1 {{is not an operation of a plan}}
  %x = arith.constant 1.0 : f32
}
