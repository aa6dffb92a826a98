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

// Workspaces are steps and no results. A loop's variable has a name of its own,
// and steps keep their order. The multiprocessors are `sms`.

!A = memref<?x?xf32, strided<[?, 1]>>
!C = memref<?xi32, strided<[1]>>

tile.kernel @first(%x: !A, %counts: !C, %w: index) {
}
tile.kernel @second(%counts: !C, %part: !A, %out: !A, %first: i32) {
}

// CHECK-LABEL: function "steps"
// CHECK:       array x f32 [w0, L]
// CHECK-NEXT:  result result0 f32 [w0, L]
// CHECK-NEXT:  workspace workspace0 i32 [ceildiv(L, 4096)] zero
// CHECK-NEXT:  workspace workspace1 f32 [min(w0, sms * 2), L]
// CHECK-NEXT:  memset result0 255
// CHECK-NEXT:  for w1 < ceildiv(L, 4096) {
// CHECK-NEXT:    memset workspace0 0
// CHECK-NEXT:    launch "first" grid (ceildiv(L, 4096), 1, sms) block 1
// CHECK-NEXT:      (x, workspace0, i64(w1))
// CHECK-NEXT:    for w2 < sms {
// CHECK-NEXT:      launch "second" grid (1, 1, min(w0, sms * 2)) block 1
// CHECK-NEXT:        (workspace0, workspace1, result0, i32(w1 * 4096 + w2))
// CHECK-NEXT:    }
// CHECK-NEXT:  }
// CHECK-NEXT:  launch "first" grid (1, 1, 1) block 1
// CHECK-NEXT:    (x, workspace0, i64(0))
// CHECK-NEXT:  end
tile.plan @steps_plan(%x: !A {ramify.name = "x", ramify.dims = ["w0", "L"]}) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c4096 = arith.constant 4096 : index
  %rows = memref.dim %x, %c0 : !A
  %L = memref.dim %x, %c1 : !A
  %windows = arith.ceildivui %L, %c4096 : index
  %counts = tile.workspace shape(%windows) zero : !C
  %sms = tile.sms
  %twice = arith.muli %sms, %c2 : index
  %some = arith.minui %rows, %twice : index
  %part = tile.workspace shape(%some, %L) : !A
  %out = tile.result shape(%rows, %L) : !A
  tile.memset %out to 255 : !A
  tile.plan_for %w below %windows {
    tile.memset %counts to 0 : !C
    %n = memref.dim %counts, %c0 : !C
    tile.launch @first grid(%n, %c1, %sms) (%x, %counts, %w) : !A, !C, index
    %start = arith.muli %w, %c4096 : index
    tile.plan_for %v below %sms {
      %at = arith.addi %start, %v : index
      %at32 = arith.index_cast %at : index to i32
      %z = memref.dim %part, %c0 : !A
      tile.launch @second grid(%c1, %c1, %z) (%counts, %part, %out, %at32) : !C, !A, !A, i32
    }
  }
  tile.launch @first grid(%c1, %c1, %c1) (%x, %counts, %c0) : !A, !C, index
}

// -----

// What is long to write and used again gets a name, where it is known.

!A = memref<?x?xf32, strided<[?, 1]>>

tile.kernel @k(%x: !A, %n: index) {
}

// CHECK-LABEL: function "names"
// CHECK:       array x f32 [n0, L]
// CHECK-NEXT:  let n1 max(min(ceildiv(L, 8), n0), 1)
// CHECK-NEXT:  result result0 f32 [n1, n1 * 2]
// CHECK-NEXT:  for w0 < n1 {
// CHECK-NEXT:    let n2 ceildiv(L - w0 * 64, 2)
// CHECK-NEXT:    launch "k" grid (n2, n2, n1) block 1
// CHECK-NEXT:      (x, i64(n1 - 1))
tile.plan @names_plan(%x: !A {ramify.name = "x", ramify.dims = ["n0", "L"]}) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c8 = arith.constant 8 : index
  %c64 = arith.constant 64 : index
  %rows = memref.dim %x, %c0 : !A
  %L = memref.dim %x, %c1 : !A
  %parts = arith.ceildivui %L, %c8 : index
  %less = arith.minui %parts, %rows : index
  %some = arith.maxui %less, %c1 : index
  %twice = arith.muli %some, %c2 : index
  %out = tile.result shape(%some, %twice) : !A
  %last = arith.subi %some, %c1 : index
  tile.plan_for %w below %some {
    %first = arith.muli %w, %c64 : index
    %rest = arith.subi %L, %first : index
    %half = arith.ceildivui %rest, %c2 : index
    tile.launch @k grid(%half, %half, %some) (%x, %last) : !A, index
  }
}

// -----

// Steps of a window see views of the arrays; what they hand on lives for the
// window, and workspaces of their own with their block.

!A = memref<?x?xf32, strided<[?, 1]>>

tile.kernel @k(%x: !A, %handed: !A) {
}
tile.kernel @l(%handed: !A, %own: !A, %out: !A) {
}

// CHECK-LABEL: function "windows"
// CHECK:       array x f32 [B, L]
// CHECK-NEXT:  result result0 f32 [B, L]
// CHECK-NEXT:  for w0 < ceildiv(B, 8) {
// CHECK-NEXT:    let n0 min(8, B - w0 * 8)
// CHECK-NEXT:    view view0 = x axis 0 from w0 * 8 size n0
// CHECK-NEXT:    view view1 = result0 axis 0 from w0 * 8 size n0
// CHECK-NEXT:    workspace workspace0 f32 [n0, L]
// CHECK-NEXT:    launch "k" grid (n0, 1, 1) block 1
// CHECK-NEXT:      (view0, workspace0)
// CHECK-NEXT:    do {
// CHECK-NEXT:      workspace workspace1 f32 [4, L] zero
// CHECK-NEXT:      launch "l" grid (L, 1, 1) block 1
// CHECK-NEXT:        (workspace0, workspace1, view1)
// CHECK-NEXT:    }
// CHECK-NEXT:  }
tile.plan @windows_plan(%x: !A {ramify.name = "x", ramify.dims = ["B", "L"]}) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %c8 = arith.constant 8 : index
  %B = memref.dim %x, %c0 : !A
  %L = memref.dim %x, %c1 : !A
  %out = tile.result shape(%B, %L) : !A
  %windows = arith.ceildivui %B, %c8 : index
  tile.plan_for %w below %windows {
    %first = arith.muli %w, %c8 : index
    %rest = arith.subi %B, %first : index
    %some = arith.minui %c8, %rest : index
    %x0 = tile.view %x axis 0 from %first size %some : !A
    %out0 = tile.view %out axis 0 from %first size %some : !A
    %rows = memref.dim %x0, %c0 : !A
    %length = memref.dim %x0, %c1 : !A
    %handed = tile.workspace shape(%rows, %length) : !A
    tile.launch @k grid(%rows, %c1, %c1) (%x0, %handed) : !A, !A
    tile.plan_do {
      %own = tile.workspace shape(%c4, %length) zero : !A
      tile.launch @l grid(%length, %c1, %c1) (%handed, %own, %out0) : !A, !A, !A
    }
  }
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
  // expected-error@+1 {{is not of a known dimension}}
  %d = memref.dim %x, %i : memref<?x?xf32, strided<[?, 1]>>
}

// -----

tile.plan @number() {
  // expected-error@+1 {{is not an operation of a plan}}
  %x = arith.constant 1.0 : f32
}
