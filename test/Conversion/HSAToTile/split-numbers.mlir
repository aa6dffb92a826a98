// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s --hsa-split-launches --canonicalize | FileCheck %s
//
// What is computed of numbers of heads and slots is handed on to the visits, but
// computed again behind them, from the weights themselves.

!query = !hsa.query<f32, pos = 1, head = 2, dim = 16>
!keys = !hsa.chunks<"kv", f32, key = 16, dim = 16>
!weights = !hsa.weights<"indices", f32, heads = query, slots = 3>
!q = tensor<1x2x16xf32, #hsa.axes<pos, head, dim>>
!row = tensor<1x2xf32, #hsa.axes<pos, head>>
!slots = tensor<1x2x3xf32, #hsa.axes<pos, head, slot>>
!s = tensor<1x2x16xf32, #hsa.axes<pos, head, key>>

// CHECK-LABEL: hsa.program @f_0(
// CHECK:         %[[E:.*]] = math.exp %{{.*}} : tensor<1x2x3xf32, #pos_head_slot>
// CHECK:         %[[Z:.*]] = hsa.fold sum %[[E]] over slot
// CHECK-NEXT:    hsa.return %[[Z]] : tensor<1x2xf32, #pos_head>
// CHECK-LABEL: hsa.program @f_1(
// CHECK-NOT:     %w:
// CHECK-SAME:    %rows0: !hsa.array
// CHECK-LABEL: hsa.program @f_2(
// CHECK-SAME:    %w: !hsa.weights
// CHECK-SAME:    %rows0: !hsa.array
// CHECK-NOT:     %rows1
// CHECK:         %[[AGAIN:.*]] = math.exp %{{.*}} : tensor<1x2x3xf32, #pos_head_slot>
// CHECK:         arith.mulf %{{.*}}, %[[AGAIN]]
// CHECK-LABEL: hsa.program @f(
// CHECK:         %[[A:.*]] = hsa.launch @f_0
// CHECK-NEXT:    %[[B:.*]] = hsa.launch @f_1(%q, %k, %[[A]])
// CHECK-NEXT:    hsa.launch @f_2(%q, %k, %indices, %w, %[[B]])
hsa.program @f(%q: !query, %k: !keys, %indices: !hsa.indices<"kv", i32, heads = kv, slots = 3>, %w: !weights) -> !slots attributes {group = 2 : i64} {
  %x = hsa.load %q : !query -> !q
  %all = hsa.load %w : !weights -> tensor<2x3xf32, #hsa.axes<head, slot>>
  %spread = hsa.broadcast %all : tensor<2x3xf32, #hsa.axes<head, slot>> to !slots
  %e = math.exp %spread : !slots
  %z = hsa.fold sum %e over slot : !slots -> !row
  %zk = hsa.broadcast %z : !row to !s
  %zero = hsa.identity sum : !row
  %d = hsa.every %k : !keys -> !hsa.domain<"kv">
  %o = hsa.reduce (%c) in %d : !hsa.domain<"kv"> into (sum %zero : !row) {
    %kc = hsa.chunk %k[%c : !hsa.chunk_id<"kv">] : !keys -> tensor<16x16xf32, #hsa.axes<key, dim>>
    %s = hsa.dot %x, %kc over dim : !q, tensor<16x16xf32, #hsa.axes<key, dim>> -> !s
    %p = arith.mulf %s, %zk : !s
    %r = hsa.fold sum %p over key in %c : !hsa.chunk_id<"kv"> : !s -> !row
    hsa.yield %r : !row
  }
  %sum = arith.addf %o, %z : !row
  %back = hsa.broadcast %sum : !row to !slots
  %y = arith.mulf %back, %e : !slots
  hsa.return %y : !slots
}
