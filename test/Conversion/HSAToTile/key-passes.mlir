// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s --split-input-file --hsa-to-tile="registers=180" --tile-fold-row-scales --canonicalize --cse | FileCheck %s
// RUN: ramify-opt %s --split-input-file --hsa-to-tile="registers=255" --canonicalize --cse | FileCheck %s --check-prefix=ROOM

#q = #hsa.axes<pos, head, dim>
#s = #hsa.axes<pos, head, key>

// Two passes over the tiles of 64 keys: the first gives the maximum and the sum
// of all scores, the second computes the scores again and weighs the values
// straight into the accumulator of the slots. With more registers the chunk is
// one tile, and there is no loop in the loop.

// CHECK-LABEL: tile.kernel @softmax
// CHECK:         scf.for %{{.*}} iter_args(%[[ACC:.*]] = %{{.*}}) -> (tensor<16x64xf32>)
// CHECK:           %[[VALID:.*]] = arith.cmpi ult
// CHECK:           scf.if %[[VALID]]
// CHECK:             %[[STATISTICS:.*]]:2 = scf.for %{{.*}} = %c0 to %c2 {{.*}} iter_args(%[[M:.*]] = %{{.*}}, %[[L:.*]] = %{{.*}}) -> (tensor<16xf32>, tensor<16xf32>)
// CHECK:               %[[K0:.*]] = tile.gather %k
// CHECK-SAME:            tensor<64x64xbf16>
// CHECK:               tile.dot %{{.*}}, transposed %[[K0]]
// CHECK:               %[[HIGHEST:.*]] = tile.reduce max
// CHECK:               %[[M1:.*]] = arith.maxnumf %[[M]], %[[HIGHEST]]
// CHECK:               %[[DEAD:.*]] = arith.cmpf oeq, %[[M1]]
// CHECK:               %[[R:.*]] = arith.select %[[DEAD]], %{{.*}}, %[[M1]]
// CHECK:               %[[MOVED:.*]] = arith.subf %[[M]], %[[R]]
// CHECK:               %[[DECAY:.*]] = math.exp2 %[[MOVED]]
// CHECK:               %[[KEPT:.*]] = arith.mulf %[[L]], %[[DECAY]]
// CHECK:               %[[NEW:.*]] = tile.reduce sum
// CHECK:               %[[L1:.*]] = arith.addf %[[KEPT]], %[[NEW]]
// CHECK:               scf.yield %[[M1]], %[[L1]]
// CHECK:             %[[NEXT:.*]] = scf.for %{{.*}} = %c0 to %c2 {{.*}} iter_args(%[[SUM:.*]] = %[[ACC]]) -> (tensor<16x64xf32>)
// CHECK:               %[[K1:.*]] = tile.gather %k
// CHECK:               tile.dot %{{.*}}, transposed %[[K1]]
// CHECK-NOT:           tile.reduce
// CHECK:               arith.divf %{{.*}}, %[[STATISTICS]]#1
// CHECK:               %[[V:.*]] = tile.gather %v
// CHECK:               %[[O:.*]] = tile.dot %{{.*}}, %[[V]], %[[SUM]]
// CHECK:               scf.yield %[[O]]
// CHECK:             scf.yield %[[NEXT]]

// ROOM-LABEL: tile.kernel @softmax
// ROOM:         scf.for
// ROOM-NOT:     scf.for
// ROOM:         tile.gather %k{{.*}}tensor<128x64xbf16>
// ROOM-NOT:     scf.for
// ROOM:         tile.end
hsa.program @softmax(%q: !hsa.query<bf16, pos = 1, head = 16, dim = 64>,
                     %k: !hsa.chunks<"kv", bf16, key = 128, dim = 64>, %v: !hsa.chunks<"kv", bf16, key = 128, dim = 64>,
                     %weights: !hsa.weights<"indices", f32, heads = kv>, %indices: !hsa.indices<"kv", i32, heads = kv>)
    -> tensor<1x16x64xf32, #q> attributes {group = 16 : i64} {
  %qt = hsa.load %q : !hsa.query<bf16, pos = 1, head = 16, dim = 64> -> tensor<1x16x64xbf16, #q>
  %zero = hsa.identity sum : tensor<1x16x64xf32, #q>
  %d = hsa.selected %indices : !hsa.indices<"kv", i32, heads = kv> -> !hsa.domain<"kv", "indices">
  %o = hsa.reduce (%slot, %c) in %d : !hsa.domain<"kv", "indices"> into (sum %zero : tensor<1x16x64xf32, #q>) {
    %kc = hsa.chunk %k[%c : !hsa.chunk_id<"kv">] : !hsa.chunks<"kv", bf16, key = 128, dim = 64> -> tensor<128x64xbf16, #hsa.axes<key, dim>>
    %s = hsa.dot %qt, %kc over dim : tensor<1x16x64xbf16, #q>, tensor<128x64xbf16, #hsa.axes<key, dim>> -> tensor<1x16x128xf32, #s>
    %p = hsa.softmax %s over key in %c : !hsa.chunk_id<"kv"> off_by 0.0 : tensor<1x16x128xf32, #s>
    %vc = hsa.chunk %v[%c : !hsa.chunk_id<"kv">] : !hsa.chunks<"kv", bf16, key = 128, dim = 64> -> tensor<128x64xbf16, #hsa.axes<key, dim>>
    %x = hsa.dot %p, %vc over key in %c : !hsa.chunk_id<"kv"> : tensor<1x16x128xf32, #s>, tensor<128x64xbf16, #hsa.axes<key, dim>> -> tensor<1x16x64xf32, #q>
    %w = hsa.at %weights[%slot : !hsa.slot<"indices">] : !hsa.weights<"indices", f32, heads = kv> -> f32
    %wb = hsa.broadcast %w : f32 to tensor<1x16x64xf32, #q>
    %wx = arith.mulf %wb, %x : tensor<1x16x64xf32, #q>
    hsa.yield %wx : tensor<1x16x64xf32, #q>
  }
  hsa.return %o : tensor<1x16x64xf32, #q>
}

// -----

#q = #hsa.axes<pos, head, dim>
#s = #hsa.axes<pos, head, key>

// Scores of a running softmax are merged tile by tile: one pass.

// CHECK-LABEL: tile.kernel @merge
// CHECK:         scf.if
// CHECK:           %[[STATE:.*]]:3 = scf.for %{{.*}} = %c0 to %c2 {{.*}} -> (tensor<16xf32>, tensor<16xf32>, tensor<16x64xf32>)
// CHECK:             %[[K:.*]] = tile.gather %k
// CHECK:             tile.dot %{{.*}}, transposed %[[K]]
// CHECK:             tile.reduce max
// CHECK:             tile.reduce sum
// CHECK:             tile.dot %{{.*}}, %[[K]]
// CHECK:           }
// CHECK-NOT:       scf.for
// CHECK:           scf.yield %[[STATE]]#0, %[[STATE]]#1, %[[STATE]]#2

// ROOM-LABEL: tile.kernel @merge
hsa.program @merge(%q: !hsa.query<bf16, pos = 1, head = 16, dim = 64>, %k: !hsa.chunks<"kv", bf16, key = 128, dim = 64>,
                   %indices: !hsa.indices<"kv", i32, heads = kv>)
    -> tensor<1x16x64xf32, #q> attributes {group = 16 : i64} {
  %qt = hsa.load %q : !hsa.query<bf16, pos = 1, head = 16, dim = 64> -> tensor<1x16x64xbf16, #q>
  %empty = hsa.online_softmax : !hsa.softmax_state<tensor<1x16x64xf32, #q>>
  %d = hsa.selected %indices : !hsa.indices<"kv", i32, heads = kv> -> !hsa.domain<"kv", "indices">
  %state = hsa.reduce (%slot, %c) in %d : !hsa.domain<"kv", "indices">
      into (softmax %empty : !hsa.softmax_state<tensor<1x16x64xf32, #q>>) {
    %kc = hsa.chunk %k[%c : !hsa.chunk_id<"kv">] : !hsa.chunks<"kv", bf16, key = 128, dim = 64> -> tensor<128x64xbf16, #hsa.axes<key, dim>>
    %s = hsa.dot %qt, %kc over dim : tensor<1x16x64xbf16, #q>, tensor<128x64xbf16, #hsa.axes<key, dim>> -> tensor<1x16x128xf32, #s>
    hsa.yield %s, %kc : tensor<1x16x128xf32, #s>, tensor<128x64xbf16, #hsa.axes<key, dim>>
  }
  %o = hsa.value %state : !hsa.softmax_state<tensor<1x16x64xf32, #q>> -> tensor<1x16x64xf32, #q>
  hsa.return %o : tensor<1x16x64xf32, #q>
}

// -----

#q = #hsa.axes<pos, head, dim>

// A chunk of one tile is visited once, whatever the registers.

// CHECK-LABEL: tile.kernel @short
// CHECK:         scf.for
// CHECK-NOT:     scf.for
// CHECK:         tile.gather %k{{.*}}tensor<16x64xbf16>
// CHECK-NOT:     scf.for
// CHECK:         tile.end

// ROOM-LABEL: tile.kernel @short
hsa.program @short(%q: !hsa.query<bf16, pos = 1, head = 16, dim = 512>, %k: !hsa.chunks<"kv", bf16, key = 16, dim = 64>,
                   %indices: !hsa.indices<"kv", i32, heads = kv>)
    -> tensor<1x16x512xf32, #q> attributes {group = 16 : i64} {
  %qt = hsa.load %q : !hsa.query<bf16, pos = 1, head = 16, dim = 512> -> tensor<1x16x512xbf16, #q>
  %wide = arith.extf %qt : tensor<1x16x512xbf16, #q> to tensor<1x16x512xf32, #q>
  %zero = hsa.identity sum : tensor<1x16x512xf32, #q>
  %d = hsa.selected %indices : !hsa.indices<"kv", i32, heads = kv> -> !hsa.domain<"kv", "indices">
  %o = hsa.reduce (%slot, %c) in %d : !hsa.domain<"kv", "indices"> into (sum %zero : tensor<1x16x512xf32, #q>) {
    %kc = hsa.chunk %k[%c : !hsa.chunk_id<"kv">] : !hsa.chunks<"kv", bf16, key = 16, dim = 64> -> tensor<16x64xbf16, #hsa.axes<key, dim>>
    %y = arith.extf %kc : tensor<16x64xbf16, #hsa.axes<key, dim>> to tensor<16x64xf32, #hsa.axes<key, dim>>
    %v = hsa.fold sum %y over dim : tensor<16x64xf32, #hsa.axes<key, dim>> -> tensor<16xf32, #hsa.axes<key>>
    %b = hsa.broadcast %v : tensor<16xf32, #hsa.axes<key>> to tensor<1x16x16xf32, #hsa.axes<pos, head, key>>
    %f = hsa.fold sum %b over key in %c : !hsa.chunk_id<"kv"> : tensor<1x16x16xf32, #hsa.axes<pos, head, key>> -> tensor<1x16xf32, #hsa.axes<pos, head>>
    %x = hsa.broadcast %f : tensor<1x16xf32, #hsa.axes<pos, head>> to tensor<1x16x512xf32, #q>
    %wx = arith.mulf %x, %wide : tensor<1x16x512xf32, #q>
    hsa.yield %wx : tensor<1x16x512xf32, #q>
  }
  hsa.return %o : tensor<1x16x512xf32, #q>
}
