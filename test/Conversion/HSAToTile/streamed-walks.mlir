// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s --hsa-to-tile='stream-rows=64 stream-chunks=64 registers=255' --canonicalize --cse | FileCheck %s
// RUN: ramify-opt %s --hsa-to-tile='stream-rows=64 stream-chunks=64' --canonicalize --cse | FileCheck %s --check-prefix=ALL

!query = !hsa.query<bf16, pos = 1, head = 4, dim = 128>
!lm = !hsa.landmarks<"kv", bf16, heads = kv, key = 64, dim = 128>
!x = tensor<1x4x128xbf16, #hsa.axes<pos, head, dim>>
!y = tensor<1x4x128xf32, #hsa.axes<pos, head, dim>>
!l = tensor<?x128xbf16, #hsa.axes<chunk, dim>>
!dl = tensor<?x128xf32, #hsa.axes<chunk, dim>>
!each = tensor<1x4x?xf32, #hsa.axes<pos, head, chunk>>
!shared = tensor<1x?xf32, #hsa.axes<pos, chunk>>

// A thread has no room for sums with 128 columns of four heads: two walks make
// those of two heads each, which are written before the next walk begins, and a
// third adds to memory.
// CHECK-LABEL: tile.kernel @heads(
// CHECK-SAME:    %result0: memref<?x?x?x128x
// CHECK:         %[[A:.*]]:2 = scf.for {{.*}} -> (tensor<64x128xf32>, tensor<64x128xf32>)
// CHECK:         %[[A0:.*]] = arith.truncf %[[A]]#0 :
// CHECK:         tile.scatter %[[A0]] into %result0[
// CHECK:         %[[A1:.*]] = arith.truncf %[[A]]#1 :
// CHECK:         tile.scatter %[[A1]] into %result0[
// CHECK:         %[[B:.*]]:2 = scf.for {{.*}} -> (tensor<64x128xf32>, tensor<64x128xf32>)
// CHECK-NOT:       tile.reduce_into
// CHECK:         %[[B0:.*]] = arith.truncf %[[B]]#0 :
// CHECK:         tile.scatter %[[B0]] into %result0[
// CHECK:         %[[B1:.*]] = arith.truncf %[[B]]#1 :
// CHECK:         tile.scatter %[[B1]] into %result0[
// CHECK:         scf.for
// CHECK:           tile.reduce_into sum %{{.*}} into %result1[
// CHECK:         tile.end
// CHECK:         tile.tiles = "64 queries walk over the chunks 3 times, 32 at a time"
// Where registers are not counted, one walk does it all.
// ALL-LABEL: tile.kernel @heads(
// ALL:         tile.tiles = "64 queries walk over the chunks once, 64 at a time"
hsa.program @heads(%q: !query, %lm: !lm) -> (!y, !hsa.sums<!lm>) attributes {group = 4 : i64} {
  %x = hsa.load %q : !query -> !x
  %l = hsa.stream %lm : !lm -> !l
  %s = hsa.dot %x, %l over dim : !x, !l -> !each
  %m = hsa.fold max %s over head : !each -> !shared
  %ms = hsa.broadcast %m : !shared to !each
  %ds = arith.subf %s, %ms : !each
  %dq = hsa.dot %ds, %l over chunk : !each, !l -> !y
  %dl = hsa.dot %ds, %x over pos, head : !each, !x -> !dl
  %none = hsa.zeros : !hsa.sums<!lm>
  %sums = hsa.add %dl into %none : !dl, !hsa.sums<!lm>
  hsa.return %dq, %sums : !y, !hsa.sums<!lm>
}
