// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s --split-input-file --hsa-to-tile=keys-at-once=32 --tile-fold-row-scales --canonicalize --cse | FileCheck %s

// Chunks of 16 keys, two at once. The second slot is read where it exists; a
// turn is skipped if both are empty.

// CHECK-LABEL: tile.kernel @hsa(
// CHECK:         scf.for %[[SLOT0:[a-z0-9]+]] = %c0 to %[[K:[a-z0-9_]+]] step %c2 iter_args(%[[ACC:.*]] = {{.*}})
// CHECK:           %[[I0:.*]] = memref.load %indices[{{.*}}, %[[SLOT0]]]
// CHECK:           %[[VALID0:.*]] = arith.cmpi ult, %[[I0]]
// CHECK:           %[[NEXT:.*]] = arith.addi %[[SLOT0]], %c1
// CHECK:           %[[EXISTS:.*]] = arith.cmpi slt, %[[NEXT]], %[[K]]
// CHECK:           %[[LAST:.*]] = arith.subi %[[K]], %c1
// CHECK:           %[[SLOT1:.*]] = arith.minsi %[[NEXT]], %[[LAST]]
// CHECK:           %[[I1:.*]] = memref.load %indices[{{.*}}, %[[SLOT1]]]
// CHECK:           %[[CHUNK1:.*]] = arith.cmpi ult, %[[I1]]
// CHECK:           %[[VALID1:.*]] = arith.andi %[[EXISTS]], %[[CHUNK1]]
// CHECK:           %[[SOME:.*]] = arith.ori %[[VALID0]], %[[VALID1]]
// CHECK:           scf.if %[[SOME]]

// An empty slot is chunk 0 without live keys.
// CHECK:             %[[N0:.*]] = arith.select %[[VALID0]], %[[I0]], %c0_i32
// CHECK:             %[[END0:.*]] = arith.select %[[VALID0]], %{{.*}}, %c0_i32
// CHECK:             %[[LIVE0:.*]] = arith.cmpi slt, %{{.*}} : tensor<16xi32>
// CHECK:             %[[N1:.*]] = arith.select %[[VALID1]], %[[I1]], %c0_i32
// CHECK:             %[[LIVE1:.*]] = arith.cmpi slt, %{{.*}} : tensor<16xi32>
// CHECK:             %[[NONE1:.*]] = arith.xori %[[VALID1]], %true
// CHECK:             arith.ori %{{.*}}, %[[NONE1]]

// Keys of both chunks, then scores of both; each has a softmax of its own.
// CHECK:             %[[K0:.*]] = tile.gather %k[{{.*}}] where %[[LIVE0]] {{.*}} -> tensor<16x64xbf16>
// CHECK:             %[[K1:.*]] = tile.gather %k[{{.*}}] where %[[LIVE1]]
// CHECK:             tile.dot %{{.*}}, transposed %[[K0]]
// CHECK:             tile.dot %{{.*}}, transposed %[[K1]]
// CHECK:             %[[S:.*]]:2 = scf.if
// CHECK:             tile.reduce max %[[S]]#0 along 1
// CHECK:             tile.reduce sum
// CHECK:             tile.reduce max %[[S]]#1 along 1
// CHECK:             tile.reduce sum

// The weight of an empty slot is 0, whatever memory holds.
// CHECK:             %[[V0:.*]] = tile.gather %v
// CHECK:             %[[V1:.*]] = tile.gather %v
// CHECK:             %[[W0:.*]] = memref.load %weights[{{.*}}, %[[SLOT0]]]
// CHECK:             arith.select %[[VALID0]], %[[W0]], %{{.*}} : f32
// CHECK:             %[[W1:.*]] = memref.load %weights[{{.*}}, %[[SLOT1]]]
// CHECK:             arith.select %[[VALID1]], %[[W1]], %{{.*}} : f32
// CHECK:             %[[O0:.*]] = tile.dot %{{.*}}, %[[V0]], %[[ACC]]
// CHECK:             %[[O1:.*]] = tile.dot %{{.*}}, %[[V1]], %[[O0]]
// CHECK:             scf.yield %[[O1]]

// CHECK:       tile.plan @hsa_plan
// CHECK:       tile.tiles = "2 chunks of 16 keys at once"

#q = #hsa.axes<pos, head, dim>
#s = #hsa.axes<pos, head, key>
hsa.program @hsa(
    %q: !hsa.query<bf16, pos = 1, head = 16, dim = 64>,
    %k: !hsa.chunks<"kv", bf16, key = 16, dim = 64>,
    %v: !hsa.chunks<"kv", bf16, key = 16, dim = 64>,
    %weights: !hsa.weights<"indices", f32, heads = kv>,
    %indices: !hsa.indices<"kv", i32, heads = kv>) -> (tensor<1x16x64xf32, #q>) attributes {group = 16} {
  %qt  = hsa.load %q : !hsa.query<bf16, pos = 1, head = 16, dim = 64> -> tensor<1x16x64xbf16, #q>
  %out = hsa.identity sum : tensor<1x16x64xf32, #q>
  %d   = hsa.selected %indices : !hsa.indices<"kv", i32, heads = kv> -> !hsa.domain<"kv", "indices">
  %o   = hsa.reduce (%slot, %c) in %d : !hsa.domain<"kv", "indices"> into (sum %out : tensor<1x16x64xf32, #q>) {
    %kc = hsa.chunk %k[%c : !hsa.chunk_id<"kv">] : !hsa.chunks<"kv", bf16, key = 16, dim = 64> -> tensor<16x64xbf16, #hsa.axes<key, dim>>
    %s  = hsa.dot %qt, %kc over dim : tensor<1x16x64xbf16, #q>, tensor<16x64xbf16, #hsa.axes<key, dim>> -> tensor<1x16x16xf32, #s>
    %p  = hsa.softmax %s over key in %c : !hsa.chunk_id<"kv"> off_by 0.0 : tensor<1x16x16xf32, #s>
    %vc = hsa.chunk %v[%c : !hsa.chunk_id<"kv">] : !hsa.chunks<"kv", bf16, key = 16, dim = 64> -> tensor<16x64xbf16, #hsa.axes<key, dim>>
    %o1 = hsa.dot %p, %vc over key in %c : !hsa.chunk_id<"kv"> : tensor<1x16x16xf32, #s>, tensor<16x64xbf16, #hsa.axes<key, dim>> -> tensor<1x16x64xf32, #q>
    %w  = hsa.at %weights[%slot : !hsa.slot<"indices">] : !hsa.weights<"indices", f32, heads = kv> -> f32
    %wb = hsa.broadcast %w : f32 to tensor<1x16x64xf32, #q>
    %o2 = arith.mulf %wb, %o1 : tensor<1x16x64xf32, #q>
    hsa.yield %o2 : tensor<1x16x64xf32, #q>
  }
  hsa.return %o : tensor<1x16x64xf32, #q>
}

// -----

// A running softmax takes the scores of both chunks in one step: one maximum,
// one scaling of what is there.

// CHECK-LABEL: tile.kernel @joint(
// CHECK:         scf.for {{.*}} step %c2
// CHECK:           %[[S:.*]]:2 = scf.if
// CHECK:           %[[M0:.*]] = tile.reduce max %[[S]]#0 along 1
// CHECK:           %[[M1:.*]] = tile.reduce max %[[S]]#1 along 1
// CHECK:           %[[M:.*]] = arith.maxnumf %[[M0]], %[[M1]]
// CHECK:           arith.maxnumf %{{.*}}, %[[M]]
// CHECK:           %[[O:.*]] = tile.dot
// CHECK:           tile.dot %{{.*}}, %{{.*}}, %[[O]]

#q = #hsa.axes<pos, head, dim>
#s = #hsa.axes<pos, head, key>
!state = !hsa.softmax_state<tensor<1x16x64xf32, #q>>
hsa.program @joint(
    %q: !hsa.query<bf16, pos = 1, head = 16, dim = 64>,
    %k: !hsa.chunks<"kv", bf16, key = 16, dim = 64>,
    %indices: !hsa.indices<"kv", i32, heads = kv>) -> (tensor<1x16x64xf32, #q>) attributes {group = 16} {
  %qt  = hsa.load %q : !hsa.query<bf16, pos = 1, head = 16, dim = 64> -> tensor<1x16x64xbf16, #q>
  %a = hsa.online_softmax : !state
  %d = hsa.selected %indices : !hsa.indices<"kv", i32, heads = kv> -> !hsa.domain<"kv", "indices">
  %o = hsa.reduce (%slot, %c) in %d : !hsa.domain<"kv", "indices"> into (softmax %a : !state) {
    %kc = hsa.chunk %k[%c : !hsa.chunk_id<"kv">] : !hsa.chunks<"kv", bf16, key = 16, dim = 64> -> tensor<16x64xbf16, #hsa.axes<key, dim>>
    %s  = hsa.dot %qt, %kc over dim : tensor<1x16x64xbf16, #q>, tensor<16x64xbf16, #hsa.axes<key, dim>> -> tensor<1x16x16xf32, #s>
    hsa.yield %s, %kc : tensor<1x16x16xf32, #s>, tensor<16x64xbf16, #hsa.axes<key, dim>>
  }
  %x = hsa.value %o : !state -> tensor<1x16x64xf32, #q>
  hsa.return %x : tensor<1x16x64xf32, #q>
}

// -----

// Of a window two consecutive chunks are visited at once, the second if it is
// before the end. Masks go by position; a sum over visits is masked for rows,
// and for a chunk that is not there.

// CHECK-LABEL: tile.kernel @window(
// CHECK:         scf.for %[[I:[a-z0-9]+]] = %{{.*}} to %{{.*}} step %c2
// CHECK:           %[[C0:.*]] = arith.index_cast %[[I]]
// CHECK:           %[[C1:.*]] = arith.addi %[[C0]], %c1_i32
// CHECK:           %[[HERE:.*]] = arith.cmpi slt, %[[C1]], %{{.*}} : i32
// CHECK:           arith.select %[[HERE]], %[[C1]], %c0_i32
// CHECK:           %[[BEHIND:.*]] = arith.addi %{{.*}}, %c32_i32
// CHECK:           arith.cmpi sgt, %[[BEHIND]]

#q = #hsa.axes<pos, head, dim>
#r = #hsa.axes<pos, head>
#s = #hsa.axes<pos, head, key>
hsa.program @window(
    %q: !hsa.query<bf16, pos = 2, head = 8, dim = 64>,
    %k: !hsa.chunks<"kv", bf16, key = 16, dim = 64>, %last: i32) -> (tensor<2x8xf32, #r>) attributes {group = 8} {
  %qt  = hsa.load %q : !hsa.query<bf16, pos = 2, head = 8, dim = 64> -> tensor<2x8x64xbf16, #q>
  %a = hsa.identity sum : tensor<2x8xf32, #r>
  %d = hsa.window %k last %last : !hsa.chunks<"kv", bf16, key = 16, dim = 64> -> !hsa.domain<"kv">
  %o = hsa.reduce (%c) in %d : !hsa.domain<"kv"> into (sum %a : tensor<2x8xf32, #r>) {
    %kc = hsa.chunk %k[%c : !hsa.chunk_id<"kv">] : !hsa.chunks<"kv", bf16, key = 16, dim = 64> -> tensor<16x64xbf16, #hsa.axes<key, dim>>
    %s  = hsa.dot %qt, %kc over dim : tensor<2x8x64xbf16, #q>, tensor<16x64xbf16, #hsa.axes<key, dim>> -> tensor<2x8x16xf32, #s>
    %x  = hsa.fold sum %s over key in %c : !hsa.chunk_id<"kv"> : tensor<2x8x16xf32, #s> -> tensor<2x8xf32, #r>
    hsa.yield %x : tensor<2x8xf32, #r>
  }
  hsa.return %o : tensor<2x8xf32, #r>
}
