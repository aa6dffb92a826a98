// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s --hsa-to-tile='deterministic=true' -split-input-file -verify-diagnostics | FileCheck %s

!lm = !hsa.landmarks<"kv", f32, heads = kv, key = 64, dim = 16>
!l = tensor<?x16xf32, #hsa.axes<chunk, dim>>

// Each program of the grid adds to the same chunks.
hsa.program @shared(%q: !hsa.query<f32, pos = 1, head = 4, dim = 16>, %lm: !lm) -> !hsa.sums<!lm> attributes {group = 4 : i64} {
  %l = hsa.stream %lm : !lm -> !l
  %none = hsa.zeros : !hsa.sums<!lm>
  // expected-error @below {{the gradient of lm is a sum to which several programs add in any order, but the same bits are asked for (deterministic=True)}}
  %sums = hsa.add %l into %none : !l, !hsa.sums<!lm>
  hsa.return %sums : !hsa.sums<!lm>
}

// -----

!own = !hsa.array<f32, [pos = 1, head = 4], batch>
!lm = !hsa.landmarks<"kv", f32, heads = kv, key = 64, dim = 16>
!rows = tensor<1x4xf32, #hsa.axes<pos, head>>

// A query's own element has one program that adds to it.
// CHECK-LABEL: tile.kernel @own(
// CHECK-NOT: order free
// CHECK: tile.reduce_into sum {{.*}} order owner
// CHECK-NOT: order free
hsa.program @own(%q: !hsa.query<f32, pos = 1, head = 4, dim = 16>, %lm: !lm, %own: !own) -> !hsa.sums<!own> attributes {group = 4 : i64} {
  %i = hsa.chunk_info index in "kv" : tensor<?xi32, #hsa.axes<chunk>>
  %f = arith.sitofp %i : tensor<?xi32, #hsa.axes<chunk>> to tensor<?xf32, #hsa.axes<chunk>>
  %s = hsa.broadcast %f : tensor<?xf32, #hsa.axes<chunk>> to tensor<1x4x?xf32, #hsa.axes<pos, head, chunk>>
  %z = hsa.fold sum %s over chunk : tensor<1x4x?xf32, #hsa.axes<pos, head, chunk>> -> !rows
  %none = hsa.zeros : !hsa.sums<!own>
  %sums = hsa.add %z into %none : !rows, !hsa.sums<!own>
  hsa.return %sums : !hsa.sums<!own>
}

// -----

!own = !hsa.array<f32, [pos = 1], batch>
!lm = !hsa.landmarks<"kv", f32, heads = kv, key = 64, dim = 16>

// The heads of a query share it, and each key head is a program of its own.
hsa.program @heads(%q: !hsa.query<f32, pos = 1, head = 4, dim = 16>, %lm: !lm, %own: !own) -> !hsa.sums<!own> attributes {group = 4 : i64} {
  %i = hsa.chunk_info index in "kv" : tensor<?xi32, #hsa.axes<chunk>>
  %f = arith.sitofp %i : tensor<?xi32, #hsa.axes<chunk>> to tensor<?xf32, #hsa.axes<chunk>>
  %s = hsa.broadcast %f : tensor<?xf32, #hsa.axes<chunk>> to tensor<1x4x?xf32, #hsa.axes<pos, head, chunk>>
  %z = hsa.fold sum %s over chunk : tensor<1x4x?xf32, #hsa.axes<pos, head, chunk>> -> tensor<1x4xf32, #hsa.axes<pos, head>>
  %none = hsa.zeros : !hsa.sums<!own>
  // expected-error @below {{the gradient of own is a sum to which several programs add in any order, but the same bits are asked for (deterministic=True)}}
  %sums = hsa.add %z into %none : tensor<1x4xf32, #hsa.axes<pos, head>>, !hsa.sums<!own>
  hsa.return %sums : !hsa.sums<!own>
}
