// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s --split-input-file --hsa-to-tile="schedule=chunk_major registers=255" --canonicalize --cse | FileCheck %s
// RUN: ramify-opt %s --split-input-file --hsa-to-tile="schedule=chunk_major registers=255 shared-bytes=100000" --canonicalize --cse | FileCheck %s --check-prefix=SMALL
//
// What the owner of a chunk carries through its visits has to fit the registers
// of its warps.

// Four warps have 128 sums a thread, which leaves too few registers for the
// rest. A few are spilled: with twice the warps an SM had one program only.
// CHECK-LABEL: tile.kernel @f_visits(
// CHECK:         scf.for {{.*}} step %c4 iter_args({{.*}}) -> (tensor<64x128xf32>, tensor<64x128xf32>)
// CHECK:           tile.gather %q{{.*}} -> tensor<64x128xbf16>
// SMALL-LABEL: tile.kernel @f_visits(
// SMALL:         scf.for {{.*}} step %c4 iter_args({{.*}}) -> (tensor<64x128xf32>, tensor<64x128xf32>)
// SMALL:           tile.gather %q{{.*}} -> tensor<64x128xbf16>

#query  = #hsa.axes<pos, head, dim>
#scores = #hsa.axes<pos, head, key>
#chunk  = #hsa.axes<key, dim>
!query = !hsa.query<bf16, pos = 1, head = 16, dim = 128>
!keys = !hsa.chunks<"kv", bf16, key = 64, dim = 128>
!queries = tensor<1x16x128xbf16, #query>
!rows = tensor<1x16x128xf32, #query>
!scores = tensor<1x16x64xf32, #scores>
!chunk = tensor<64x128xbf16, #chunk>
!sums = tensor<64x128xf32, #chunk>

hsa.program @f(%q: !query, %k: !keys, %v: !keys, %d: !query, %indices: !hsa.indices<"kv", i32, heads = kv>)
    -> (!rows, !hsa.sums<!keys>, !hsa.sums<!keys>) attributes {group = 16 : i64} {
  %x = hsa.load %q : !query -> !queries
  %do = hsa.load %d : !query -> !queries
  %zero = hsa.identity sum : !rows
  %ks = hsa.zeros : !hsa.sums<!keys>
  %vs = hsa.zeros : !hsa.sums<!keys>
  %picks = hsa.selected %indices : !hsa.indices<"kv", i32, heads = kv> -> !hsa.domain<"kv", "indices">
  %out:3 = hsa.reduce (%slot, %c) in %picks : !hsa.domain<"kv", "indices">
      into (sum %zero : !rows, sum %ks : !hsa.sums<!keys>, sum %vs : !hsa.sums<!keys>) {
    %kc = hsa.chunk %k[%c : !hsa.chunk_id<"kv">] : !keys -> !chunk
    %vc = hsa.chunk %v[%c : !hsa.chunk_id<"kv">] : !keys -> !chunk
    %s = hsa.dot %x, %kc over dim : !queries, !chunk -> !scores
    %dp = hsa.dot %do, %vc over dim : !queries, !chunk -> !scores
    %dv = hsa.dot %s, %do over pos, head : !scores, !queries -> !sums
    %ds = arith.mulf %s, %dp : !scores
    %dk = hsa.dot %ds, %x over pos, head : !scores, !queries -> !sums
    %dq = hsa.dot %ds, %kc over key in %c : !hsa.chunk_id<"kv"> : !scores, !chunk -> !rows
    hsa.yield %dq, %dk, %dv : !rows, !sums, !sums
  }
  hsa.return %out#0, %out#1, %out#2 : !rows, !hsa.sums<!keys>, !hsa.sums<!keys>
}

// -----

// Of twice as many sums much more would be spilled: a tile of 128 rows has
// eight warps. That takes more shared memory, of which a small GPU has not
// enough: a pass over tiles of 16 keys, in which each adds its sums to memory.
// CHECK-LABEL: tile.kernel @f_visits(
// CHECK:         scf.for {{.*}} step %c8 iter_args({{.*}}) -> (tensor<64x256xf32>, tensor<64x256xf32>)
// CHECK:           tile.gather %q{{.*}} -> tensor<128x256xbf16>
// SMALL-LABEL: tile.kernel @f_visits(
// SMALL:         scf.for {{.*}} step %c4 {
// SMALL:           tile.gather %q{{.*}} -> tensor<64x256xbf16>
// SMALL:           scf.for {{.*}} to %c4 step %c1 iter_args({{.*}}) -> (tensor<64x256xf32>)
// SMALL:             tile.gather %k{{.*}} -> tensor<16x256xbf16>
// SMALL-COUNT-2:     tile.reduce_into sum {{.*}}(tensor<16x256xf32>

#query  = #hsa.axes<pos, head, dim>
#scores = #hsa.axes<pos, head, key>
#chunk  = #hsa.axes<key, dim>
!query = !hsa.query<bf16, pos = 1, head = 16, dim = 256>
!keys = !hsa.chunks<"kv", bf16, key = 64, dim = 256>
!queries = tensor<1x16x256xbf16, #query>
!rows = tensor<1x16x256xf32, #query>
!scores = tensor<1x16x64xf32, #scores>
!chunk = tensor<64x256xbf16, #chunk>
!sums = tensor<64x256xf32, #chunk>

hsa.program @f(%q: !query, %k: !keys, %v: !keys, %d: !query, %indices: !hsa.indices<"kv", i32, heads = kv>)
    -> (!rows, !hsa.sums<!keys>, !hsa.sums<!keys>) attributes {group = 16 : i64} {
  %x = hsa.load %q : !query -> !queries
  %do = hsa.load %d : !query -> !queries
  %zero = hsa.identity sum : !rows
  %ks = hsa.zeros : !hsa.sums<!keys>
  %vs = hsa.zeros : !hsa.sums<!keys>
  %picks = hsa.selected %indices : !hsa.indices<"kv", i32, heads = kv> -> !hsa.domain<"kv", "indices">
  %out:3 = hsa.reduce (%slot, %c) in %picks : !hsa.domain<"kv", "indices">
      into (sum %zero : !rows, sum %ks : !hsa.sums<!keys>, sum %vs : !hsa.sums<!keys>) {
    %kc = hsa.chunk %k[%c : !hsa.chunk_id<"kv">] : !keys -> !chunk
    %vc = hsa.chunk %v[%c : !hsa.chunk_id<"kv">] : !keys -> !chunk
    %s = hsa.dot %x, %kc over dim : !queries, !chunk -> !scores
    %dp = hsa.dot %do, %vc over dim : !queries, !chunk -> !scores
    %dv = hsa.dot %s, %do over pos, head : !scores, !queries -> !sums
    %ds = arith.mulf %s, %dp : !scores
    %dk = hsa.dot %ds, %x over pos, head : !scores, !queries -> !sums
    %dq = hsa.dot %ds, %kc over key in %c : !hsa.chunk_id<"kv"> : !scores, !chunk -> !rows
    hsa.yield %dq, %dk, %dv : !rows, !sums, !sums
  }
  hsa.return %out#0, %out#1, %out#2 : !rows, !hsa.sums<!keys>, !hsa.sums<!keys>
}
