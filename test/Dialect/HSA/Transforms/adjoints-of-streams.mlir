// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s -hsa-differentiate="wrt=q,lm" -canonicalize -cse | FileCheck %s
//
// What all chunks of a stream have a part in: its cotangent is a stream, which a
// sum over chunks takes to the query and hsa.add to the landmarks.

!query = !hsa.query<f32, pos = 1, head = 2, dim = 16>
!lm    = !hsa.landmarks<"kv", f32, heads = kv, key = 8, dim = 16>
!q     = tensor<1x2x16xf32, #hsa.axes<pos, head, dim>>
!l     = tensor<?x16xf32, #hsa.axes<chunk, dim>>
!s     = tensor<1x2x?xf32, #hsa.axes<pos, head, chunk>>
!t     = tensor<1x?xf32, #hsa.axes<pos, chunk>>
!rows  = tensor<1x2xf32, #hsa.axes<pos, head>>
!slots = tensor<1x3xi32, #hsa.axes<pos, slot>>
!taken = tensor<1x3xf32, #hsa.axes<pos, slot>>

// ds = dz exp(s - z), with z saved.
// CHECK-LABEL: hsa.program @lse_backward(
// CHECK-SAME:    %d_0: !hsa.array<f32, [pos = 1, head = 2], batch>, %saved_0: !hsa.array<f32, [pos = 1, head = 2], batch>)
// CHECK-NOT:     hsa.logsumexp
// CHECK-DAG:     %[[X:.*]] = hsa.load %q
// CHECK-DAG:     %[[L:.*]] = hsa.stream %lm
// CHECK-DAG:     %[[DZ:.*]] = hsa.load %d_0
// CHECK:         %[[SHARE:.*]] = math.exp %{{.*}} : tensor<1x2x?xf32, #pos_head_chunk>
// CHECK:         %[[EACH:.*]] = hsa.broadcast %[[DZ]] : {{.*}} to tensor<1x2x?xf32, #pos_head_chunk>
// CHECK:         %[[DS:.*]] = arith.mulf %[[EACH]], %[[SHARE]]
// CHECK-DAG:     %[[DL:.*]] = hsa.dot %[[DS]], %[[X]] over pos, head : {{.*}} -> tensor<?x16xf32, #chunk_dim>
// CHECK-DAG:     %[[DQ:.*]] = hsa.dot %[[DS]], %[[L]] over chunk : {{.*}} -> tensor<1x2x16xf32, #pos_head_dim>
// CHECK-DAG:     %[[NONE:.*]] = hsa.zeros
// CHECK:         %[[SUMS:.*]] = hsa.add %[[DL]] into %[[NONE]]
// CHECK:         hsa.return %[[DQ]], %[[SUMS]]
hsa.program @lse(%q: !query, %lm: !lm) -> !rows attributes {group = 2 : i64} {
  %x = hsa.load %q : !query -> !q
  %l = hsa.stream %lm : !lm -> !l
  %s = hsa.dot %x, %l over dim : !q, !l -> !s
  %z = hsa.logsumexp %s over chunk : !s -> !rows
  hsa.return %z : !rows
}

// The sum of scores that heads share: the cotangent is one number for all chunks,
// and no stream is left but the landmarks' own sum.
// CHECK-LABEL: hsa.program @sum_backward(
// CHECK:         %[[X:.*]] = hsa.load %q
// CHECK:         %[[ROW:.*]] = hsa.dot %{{.*}}, %[[X]] over pos, head : tensor<1x2xf32, #pos_head>, {{.*}} -> tensor<16xf32, #dim>
// CHECK:         %[[ALL:.*]] = hsa.broadcast %[[ROW]] : tensor<16xf32, #dim> to tensor<?x16xf32, #chunk_dim>
// CHECK:         hsa.add %[[ALL]] into
hsa.program @sum(%q: !query, %lm: !lm) -> !rows attributes {group = 2 : i64} {
  %x = hsa.load %q : !query -> !q
  %l = hsa.stream %lm : !lm -> !l
  %s = hsa.dot %x, %l over dim : !q, !l -> !s
  %z = hsa.fold sum %s over chunk : !s -> !rows
  hsa.return %z : !rows
}

// A maximum sends to the chunks that are equal to it, in equal parts; it is
// computed again, so that its bits are those of the scores.
// CHECK-LABEL: hsa.program @max_backward(
// CHECK-NOT:     %saved
// CHECK:         %[[S:.*]] = hsa.dot %{{.*}} over dim
// CHECK:         %[[M:.*]] = hsa.fold max %[[S]] over chunk
// CHECK:         %[[MS:.*]] = hsa.broadcast %[[M]]
// CHECK:         %[[IS:.*]] = arith.cmpf oeq, %[[S]], %[[MS]]
// CHECK:         %[[ONE:.*]] = arith.select %[[IS]]
// CHECK:         %[[N:.*]] = hsa.fold sum %[[ONE]] over chunk
// CHECK:         arith.divf %{{.*}}, %[[N]]
hsa.program @max(%q: !query, %lm: !lm) -> !rows attributes {group = 2 : i64} {
  %x = hsa.load %q : !query -> !q
  %l = hsa.stream %lm : !lm -> !l
  %s = hsa.dot %x, %l over dim : !q, !l -> !s
  %z = hsa.fold max %s over chunk : !s -> !rows
  hsa.return %z : !rows
}

// Shares of all chunks, taken at slots: what goes back to the shares is a stream
// that is zero but at the picks; what goes on to the scores is not. No picks are
// visited. Heads share the scores, so the query's heads have one gradient.
// CHECK-LABEL: hsa.program @shares_backward(
// CHECK-DAG:     %[[L:.*]] = hsa.stream %lm
// CHECK-DAG:     %[[P:.*]] = hsa.softmax %{{.*}} over chunk
// CHECK-DAG:     %[[SLOTS:.*]] = hsa.broadcast %{{.*}} : tensor<3xi32, #slot> to tensor<1x3xi32, #pos_slot>
// CHECK:         %[[DP:.*]] = hsa.put %{{.*}} at %[[SLOTS]] : {{.*}} -> tensor<1x?xf32, #pos_chunk>
// CHECK:         %[[EACH:.*]] = arith.mulf %[[P]], %[[DP]]
// CHECK:         hsa.fold sum %[[EACH]] over chunk
// CHECK:         %[[DS:.*]] = arith.mulf %[[P]], %{{.*}}
// CHECK-NOT:     hsa.reduce
// CHECK:         %[[DQ:.*]] = hsa.dot %[[DS]], %[[L]] over chunk : {{.*}} -> tensor<1x16xf32, #pos_dim>
// CHECK:         hsa.broadcast %[[DQ]] : tensor<1x16xf32, #pos_dim> to tensor<1x2x16xf32, #pos_head_dim>
hsa.program @shares(%q: !query, %lm: !lm) -> (!taken, !slots) attributes {group = 2 : i64} {
  %x = hsa.load %q : !query -> !q
  %l = hsa.stream %lm : !lm -> !l
  %s = hsa.dot %x, %l over dim : !q, !l -> !s
  %t = hsa.fold sum %s over head : !s -> !t
  %p = hsa.softmax %t over chunk off_by 0.0 : !t
  %slots = hsa.topk %t k 3 order nearest : !t -> !slots
  %w = hsa.take %p at %slots : !t, !slots -> !taken
  hsa.return %w, %slots : !taken, !slots
}

// What nothing is returned of sends nothing back: the picks are visited, as if
// the scores had not been compared with all others.
// CHECK-LABEL: hsa.program @only_picks_by_shares_backward(
// CHECK-NOT:     hsa.put
// CHECK:         hsa.reduce (%{{.*}}, %{{.*}}) in
hsa.program @only_picks_by_shares(%q: !query, %lm: !lm) -> (!taken, !slots) attributes {group = 2 : i64} {
  %x = hsa.load %q : !query -> !q
  %l = hsa.stream %lm : !lm -> !l
  %s = hsa.dot %x, %l over dim : !q, !l -> !s
  %t = hsa.fold sum %s over head : !s -> !t
  %z = hsa.logsumexp %t over chunk : !t -> tensor<1xf32, #hsa.axes<pos>>
  %zs = hsa.broadcast %z : tensor<1xf32, #hsa.axes<pos>> to !t
  %n = arith.subf %t, %zs : !t
  %slots = hsa.topk %n k 3 order nearest : !t -> !slots
  %w = hsa.take %t at %slots : !t, !slots -> !taken
  hsa.return %w, %slots : !taken, !slots
}
