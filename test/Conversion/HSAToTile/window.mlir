// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s --hsa-to-tile --canonicalize --cse | FileCheck %s

// A window over a block of two positions, into one running softmax. The chunks to
// visit are those from the first query's first key to the last query's last; a
// mask is made only where a chunk does not lie in the window of both.

// CHECK-LABEL: tile.kernel @window
// CHECK-SAME:    %last: i32 {{.*}}, %q_start: i32 {{.*}}, %result0: memref<?x?x?x16xf32{{.*}}, %result1: memref<?x?x?xf32

// Rows: 8 of 16, pos-major; the last block may have one position only.
// CHECK:         %[[ROW:.*]] = tile.iota : tensor<16xi32>
// CHECK:         arith.divui %[[ROW]], %{{.*}} : tensor<16xi32>
// CHECK:         arith.remui %[[ROW]], %{{.*}} : tensor<16xi32>
// CHECK:         %[[INSIDE:.*]] = arith.andi
// CHECK:         %[[TIME:.*]] = arith.addi %[[POSITION:.*]], %{{.*}} overflow<nsw> : tensor<16xi32>
// CHECK:         tile.gather {{.*}}%[[POSITION]], {{.*}} where %[[INSIDE]]

// CHECK:         %[[LOW:.*]] = arith.divui
// CHECK:         %[[HIGH:.*]] = arith.divui
// CHECK:         %[[FROM:.*]] = arith.index_cast %[[LOW]]
// CHECK:         %[[TO:.*]] = arith.index_cast %[[HIGH]]
// CHECK:         %[[STATE:.*]]:3 = scf.for %{{.*}} = %[[FROM]] to %[[TO]] step %c1 iter_args(%[[M:.*]] = %{{.*}}, %[[L:.*]] = %{{.*}}, %[[A:.*]] = %{{.*}})
// CHECK:           scf.if
// CHECK:             %[[TB:.*]] = tile.broadcast %{{.*}} along 1 : tensor<16xi32> -> tensor<16x64xi32>
// CHECK:             %[[XB:.*]] = tile.broadcast %{{.*}} along 0 : tensor<64xi32> -> tensor<16x64xi32>
// CHECK:             arith.cmpi sgt, %[[TB]], %[[XB]]
// CHECK:             arith.cmpi sle, %{{.*}}, %[[XB]]
// CHECK:             arith.select

// The running maximum moves; what is there is scaled by 2^(m - m').
// CHECK:           %[[CHUNK:.*]] = tile.reduce max
// CHECK:           %[[NEXT:.*]] = arith.maxnumf %[[M]], %[[CHUNK]]
// CHECK:           %[[REFERENCE:.*]] = arith.select
// CHECK:           arith.subf %[[M]], %[[REFERENCE]]
// CHECK:           %[[DECAY:.*]] = math.exp2
// CHECK:           %[[L1:.*]] = arith.mulf %[[L]], %[[DECAY]]
// CHECK:           %[[A1:.*]] = arith.mulf %[[A]]
// CHECK:           %[[L2:.*]] = arith.addf %[[L1]]
// CHECK:           %[[A2:.*]] = tile.dot %{{.*}}, %{{.*}}, %[[A1]]
// CHECK:           scf.yield %[[NEXT]], %[[L2]], %[[A2]]

// value = a / l, 0 if l is 0; lse = ln 2 * m + log l, -inf if l is 0.
// CHECK:         arith.divf %{{.*}}, %[[STATE]]#1
// CHECK:         %[[VALUE:.*]] = arith.mulf %[[STATE]]#2
// CHECK:         arith.mulf %[[STATE]]#0
// CHECK:         math.log %[[STATE]]#1
// CHECK:         %[[RESULT:.*]] = arith.select
// CHECK:         tile.scatter %[[VALUE]] into %result0{{.*}} where %[[INSIDE]]
// CHECK:         tile.scatter %[[RESULT]] into %result1{{.*}} where %[[INSIDE]]

// CHECK-LABEL: tile.plan @window_plan
// CHECK-SAME:    i32 {ramify.default = ["N", "L"], ramify.name = "q_start", ramify.role = "q_start"}
// CHECK:         %[[UP:.*]] = arith.addi %{{.*}}, %c1
// CHECK:         arith.divui %[[UP]], %c2
hsa.program @window(%q: !hsa.query<f32, pos = 2, head = 4, dim = 16>, %k: !hsa.chunks<"kv", f32, key = 64, dim = 16>, %last: i32)
    -> (tensor<2x4x16xf32, #hsa.axes<pos, head, dim>>, tensor<2x4xf32, #hsa.axes<pos, head>>) attributes {group = 4 : i64} {
  %qt = hsa.load %q : !hsa.query<f32, pos = 2, head = 4, dim = 16> -> tensor<2x4x16xf32, #hsa.axes<pos, head, dim>>
  %empty = hsa.online_softmax : !hsa.softmax_state<tensor<2x4x16xf32, #hsa.axes<pos, head, dim>>>
  %d = hsa.window %k last %last : !hsa.chunks<"kv", f32, key = 64, dim = 16> -> !hsa.domain<"kv">
  %s = hsa.reduce (%c) in %d : !hsa.domain<"kv">
      into (softmax %empty : !hsa.softmax_state<tensor<2x4x16xf32, #hsa.axes<pos, head, dim>>>) {
    %kc = hsa.chunk %k[%c : !hsa.chunk_id<"kv">] : !hsa.chunks<"kv", f32, key = 64, dim = 16> -> tensor<64x16xf32, #hsa.axes<key, dim>>
    %x = hsa.dot %qt, %kc over dim : tensor<2x4x16xf32, #hsa.axes<pos, head, dim>>, tensor<64x16xf32, #hsa.axes<key, dim>> -> tensor<2x4x64xf32, #hsa.axes<pos, head, key>>
    hsa.yield %x, %kc : tensor<2x4x64xf32, #hsa.axes<pos, head, key>>, tensor<64x16xf32, #hsa.axes<key, dim>>
  }
  %o = hsa.value %s : !hsa.softmax_state<tensor<2x4x16xf32, #hsa.axes<pos, head, dim>>> -> tensor<2x4x16xf32, #hsa.axes<pos, head, dim>>
  %l = hsa.lse %s : !hsa.softmax_state<tensor<2x4x16xf32, #hsa.axes<pos, head, dim>>> -> tensor<2x4xf32, #hsa.axes<pos, head>>
  hsa.return %o, %l : tensor<2x4x16xf32, #hsa.axes<pos, head, dim>>, tensor<2x4xf32, #hsa.axes<pos, head>>
}
