// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s --hsa-to-tile --canonicalize --cse | FileCheck %s

// What a call tells of each sequence: how many keys it has, where its queries
// stand, which rows are padding.

// The keys of a sequence are no more than its own number; its last query stands
// at the last of them. There is no scalar q_start.
// CHECK-LABEL: tile.kernel @lengths
// CHECK-SAME:    %num_keys: memref<?xi32{{.*}} {ramify.name = "num_keys"}, %result0: {{.*}} {ramify.name = "result1"}) {
// CHECK:         %[[B:.*]] = tile.program_id z
// CHECK:         %[[L:.*]] = arith.index_cast
// CHECK:         %[[N:.*]] = memref.dim %k
// CHECK:         %[[N32:.*]] = arith.index_cast %[[N]]
// CHECK:         %[[OWN:.*]] = memref.load %num_keys[%[[B]]]
// CHECK:         %[[LESS:.*]] = arith.minsi %[[OWN]], %[[N32]]
// CHECK:         %[[KEYS:.*]] = arith.maxsi %[[LESS]], %c0_i32
// CHECK:         arith.subi %[[KEYS]], %[[L]]
// CHECK-LABEL: tile.plan @lengths_plan
// CHECK-SAME:    {ramify.dims = ["B"], ramify.name = "num_keys"}
// CHECK-NOT:     q_start
hsa.program @lengths(%q: !hsa.query<f32, pos = 1, head = 4, dim = 16>, %k: !hsa.chunks<"kv", f32, key = 64, dim = 16>, %num_keys: !hsa.num_keys<from_end>)
    -> (tensor<1x4x16xf32, #hsa.axes<pos, head, dim>>, tensor<1x4xf32, #hsa.axes<pos, head>>) attributes {group = 4 : i64} {
  %qt = hsa.load %q : !hsa.query<f32, pos = 1, head = 4, dim = 16> -> tensor<1x4x16xf32, #hsa.axes<pos, head, dim>>
  %empty = hsa.online_softmax : !hsa.softmax_state<tensor<1x4x16xf32, #hsa.axes<pos, head, dim>>>
  %d = hsa.own %k : !hsa.chunks<"kv", f32, key = 64, dim = 16> -> !hsa.domain<"kv">
  %s = hsa.reduce (%c) in %d : !hsa.domain<"kv">
      into (softmax %empty : !hsa.softmax_state<tensor<1x4x16xf32, #hsa.axes<pos, head, dim>>>) {
    %kc = hsa.chunk %k[%c : !hsa.chunk_id<"kv">] : !hsa.chunks<"kv", f32, key = 64, dim = 16> -> tensor<64x16xf32, #hsa.axes<key, dim>>
    %x = hsa.dot %qt, %kc over dim : tensor<1x4x16xf32, #hsa.axes<pos, head, dim>>, tensor<64x16xf32, #hsa.axes<key, dim>> -> tensor<1x4x64xf32, #hsa.axes<pos, head, key>>
    hsa.yield %x, %kc : tensor<1x4x64xf32, #hsa.axes<pos, head, key>>, tensor<64x16xf32, #hsa.axes<key, dim>>
  }
  %o = hsa.value %s : !hsa.softmax_state<tensor<1x4x16xf32, #hsa.axes<pos, head, dim>>> -> tensor<1x4x16xf32, #hsa.axes<pos, head, dim>>
  %l = hsa.lse %s : !hsa.softmax_state<tensor<1x4x16xf32, #hsa.axes<pos, head, dim>>> -> tensor<1x4xf32, #hsa.axes<pos, head>>
  hsa.return %o, %l : tensor<1x4x16xf32, #hsa.axes<pos, head, dim>>, tensor<1x4xf32, #hsa.axes<pos, head>>
}

// CHECK-LABEL: tile.kernel @starts
// CHECK-SAME:    %q_start: memref<?xi32{{.*}} {ramify.name = "q_start"}
// CHECK:         %[[START:.*]] = memref.load %q_start[
// CHECK:         arith.addi %{{.*}}, %[[START]]
hsa.program @starts(%q: !hsa.query<f32, pos = 1, head = 4, dim = 16>, %k: !hsa.chunks<"kv", f32, key = 64, dim = 16>, %q_start: !hsa.q_start)
    -> (tensor<1x4x16xf32, #hsa.axes<pos, head, dim>>, tensor<1x4xf32, #hsa.axes<pos, head>>) attributes {group = 4 : i64} {
  %qt = hsa.load %q : !hsa.query<f32, pos = 1, head = 4, dim = 16> -> tensor<1x4x16xf32, #hsa.axes<pos, head, dim>>
  %empty = hsa.online_softmax : !hsa.softmax_state<tensor<1x4x16xf32, #hsa.axes<pos, head, dim>>>
  %d = hsa.own %k : !hsa.chunks<"kv", f32, key = 64, dim = 16> -> !hsa.domain<"kv">
  %s = hsa.reduce (%c) in %d : !hsa.domain<"kv">
      into (softmax %empty : !hsa.softmax_state<tensor<1x4x16xf32, #hsa.axes<pos, head, dim>>>) {
    %kc = hsa.chunk %k[%c : !hsa.chunk_id<"kv">] : !hsa.chunks<"kv", f32, key = 64, dim = 16> -> tensor<64x16xf32, #hsa.axes<key, dim>>
    %x = hsa.dot %qt, %kc over dim : tensor<1x4x16xf32, #hsa.axes<pos, head, dim>>, tensor<64x16xf32, #hsa.axes<key, dim>> -> tensor<1x4x64xf32, #hsa.axes<pos, head, key>>
    hsa.yield %x, %kc : tensor<1x4x64xf32, #hsa.axes<pos, head, key>>, tensor<64x16xf32, #hsa.axes<key, dim>>
  }
  %o = hsa.value %s : !hsa.softmax_state<tensor<1x4x16xf32, #hsa.axes<pos, head, dim>>> -> tensor<1x4x16xf32, #hsa.axes<pos, head, dim>>
  %l = hsa.lse %s : !hsa.softmax_state<tensor<1x4x16xf32, #hsa.axes<pos, head, dim>>> -> tensor<1x4xf32, #hsa.axes<pos, head>>
  hsa.return %o, %l : tensor<1x4x16xf32, #hsa.axes<pos, head, dim>>, tensor<1x4xf32, #hsa.axes<pos, head>>
}

// A padding row's query is read as zeros, and its results are 0 and -inf. The
// chunks to visit go from the least to the greatest place of the block's rows.
// CHECK-LABEL: tile.kernel @positions
// CHECK-SAME:    %q_positions: memref<?x?xi32{{.*}} {ramify.name = "q_positions"}
// CHECK:         %[[STORED:.*]] = arith.andi
// CHECK:         %[[TIME:.*]] = tile.lookup %q_positions[%{{.*}}, %{{.*}}] where %[[STORED]]
// CHECK:         %[[BOUNDS:.*]]:2 = scf.for {{.*}} iter_args(%[[LOW:.*]] = %c2147483647_i32, %[[HIGH:.*]] = %c-1_i32)
// CHECK:           memref.load %q_positions
// CHECK:         arith.minsi %[[BOUNDS]]#0, %[[BOUNDS]]#1
// CHECK:         arith.cmpi sge, %[[TIME]]
// CHECK:         %[[INSIDE:.*]] = arith.andi %[[STORED]]
// CHECK:         tile.gather %{{.*}} where %[[INSIDE]]
// CHECK:         arith.select
// CHECK:         tile.scatter %{{.*}} into %result0{{.*}} where %[[STORED]]
// CHECK:         tile.scatter %{{.*}} into %result1{{.*}} where %[[STORED]]
hsa.program @positions(%q: !hsa.query<f32, pos = 2, head = 4, dim = 16>, %k: !hsa.chunks<"kv", f32, key = 64, dim = 16>, %q_positions: !hsa.q_positions<batch>)
    -> (tensor<2x4x16xf32, #hsa.axes<pos, head, dim>>, tensor<2x4xf32, #hsa.axes<pos, head>>) attributes {group = 4 : i64} {
  %qt = hsa.load %q : !hsa.query<f32, pos = 2, head = 4, dim = 16> -> tensor<2x4x16xf32, #hsa.axes<pos, head, dim>>
  %empty = hsa.online_softmax : !hsa.softmax_state<tensor<2x4x16xf32, #hsa.axes<pos, head, dim>>>
  %d = hsa.own %k : !hsa.chunks<"kv", f32, key = 64, dim = 16> -> !hsa.domain<"kv">
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
