// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s --hsa-split-launches --canonicalize | FileCheck %s
// RUN: ramify-opt %s --hsa-split-launches --canonicalize --hsa-to-tile --canonicalize --cse | FileCheck %s --check-prefix=TILE
//
// What is made of slots is one program, and what visits chunks another: with the
// row that the first hands on, spread over keys. A value is added to sums where
// it is made. Sums come with the parameter whose shape they have, those to which
// nothing is added too: with those of the visits.

!query = !hsa.query<f32, pos = 1, head = 2, dim = 16>
!keys = !hsa.chunks<"kv", f32, key = 16, dim = 16>
!row = tensor<1x2xf32, #hsa.axes<pos, head>>
!s = tensor<1x2x16xf32, #hsa.axes<pos, head, key>>
!array = !hsa.array<f32, [pos = 1, head = 2], batch>
!bias = !hsa.array<f32, [chunk = ?, head = 2], of "kv", batch>

// CHECK-LABEL: hsa.program @f_0(
// CHECK-SAME:    %w: !hsa.weights<
// CHECK-SAME:    %lse: !hsa.array<f32, [pos = 1, head = 2], batch>)
// CHECK:         %[[Z:.*]] = hsa.fold sum %{{.*}} over slot
// CHECK:         %[[D:.*]] = hsa.add %[[Z]] into
// CHECK-NEXT:    hsa.return %[[Z]], %[[D]]
// CHECK-LABEL: hsa.program @f_1(
// CHECK-SAME:    %bias: !hsa.array<f32, [chunk = ?, head = 2], of "kv", batch>
// CHECK-SAME:    %rows0: !hsa.array<f32, [pos = 1, head = 2], batch>)
// CHECK-DAG:     %[[ROW:.*]] = hsa.load %rows0
// CHECK-DAG:     hsa.broadcast %[[ROW]] : {{.*}} to tensor<1x2x16xf32, #pos_head_key>
// CHECK-NOT:     hsa.add
// CHECK:         hsa.return %{{.*}}, %{{.*}}
// CHECK-LABEL: hsa.program @f(
// CHECK:         hsa.launch @f_0
// CHECK-NEXT:    hsa.launch @f_1

// TILE-LABEL: tile.kernel @f_0
// TILE-LABEL: tile.kernel @f_1
// TILE-LABEL: tile.plan @f_plan
// TILE-COUNT-2: tile.launch
hsa.program @f(%q: !query, %k: !keys, %indices: !hsa.indices<"kv", i32, heads = kv, slots = 3>, %w: !hsa.weights<"indices", f32, heads = query, slots = 3>, %lse: !array, %bias: !bias) -> (!row, !hsa.sums<!array>, !hsa.sums<!bias>) attributes {group = 2 : i64} {
  %x = hsa.load %q : !query -> tensor<1x2x16xf32, #hsa.axes<pos, head, dim>>
  %all = hsa.load %w : !hsa.weights<"indices", f32, heads = query, slots = 3> -> tensor<2x3xf32, #hsa.axes<head, slot>>
  %spread = hsa.broadcast %all : tensor<2x3xf32, #hsa.axes<head, slot>> to tensor<1x2x3xf32, #hsa.axes<pos, head, slot>>
  %z = hsa.fold sum %spread over slot : tensor<1x2x3xf32, #hsa.axes<pos, head, slot>> -> !row
  %zk = hsa.broadcast %z : !row to !s
  %d = hsa.every %k : !keys -> !hsa.domain<"kv">
  %zero = hsa.identity sum : !row
  %o = hsa.reduce (%c) in %d : !hsa.domain<"kv"> into (sum %zero : !row) {
    %kc = hsa.chunk %k[%c : !hsa.chunk_id<"kv">] : !keys -> tensor<16x16xf32, #hsa.axes<key, dim>>
    %s = hsa.dot %x, %kc over dim : tensor<1x2x16xf32, #hsa.axes<pos, head, dim>>, tensor<16x16xf32, #hsa.axes<key, dim>> -> !s
    %p = arith.mulf %s, %zk : !s
    %r = hsa.fold sum %p over key in %c : !hsa.chunk_id<"kv"> : !s -> !row
    hsa.yield %r : !row
  }
  %none = hsa.zeros : !hsa.sums<!array>
  %dz = hsa.add %z into %none : !row, !hsa.sums<!array>
  %nothing = hsa.zeros : !hsa.sums<!bias>
  hsa.return %o, %dz, %nothing : !row, !hsa.sums<!array>, !hsa.sums<!bias>
}
