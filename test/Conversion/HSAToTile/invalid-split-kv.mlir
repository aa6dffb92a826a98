// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s --hsa-to-tile="schedule=split_kv" --split-input-file --verify-diagnostics

// What split_kv refuses, and why.

!query = !hsa.query<f32, pos = 1, head = 2, dim = 16>
!rows = tensor<1x2x16xf32, #hsa.axes<pos, head, dim>>

// expected-error @below {{has no reduction over chunks whose visits split_kv could cut}}
hsa.program @none(%q: !query) -> !rows attributes {group = 2 : i64} {
  %x = hsa.load %q : !query -> !rows
  hsa.return %x : !rows
}

// -----

// expected-error @below {{has no query, which split_kv needs}}
hsa.program @no_query(%scale: f32) attributes {group = 1 : i64} {
  hsa.return
}

// -----

// Sums over all queries, as gradients of keys and values are.
!query = !hsa.query<f32, pos = 1, head = 2, dim = 16>
!keys = !hsa.chunks<"kv", f32, key = 16, dim = 16>
!indices = !hsa.indices<"kv", i32, heads = kv>
!chunk = tensor<16x16xf32, #hsa.axes<key, dim>>

// expected-error @below {{returns gradients that are sums over all queries, those of keys, values or landmarks say, which split_kv does not do: query_major does}}
hsa.program @sums(%q: !query, %k: !keys, %indices: !indices) -> !hsa.sums<!keys> attributes {group = 2 : i64} {
  %zeros = hsa.zeros : !hsa.sums<!keys>
  %picks = hsa.selected %indices : !indices -> !hsa.domain<"kv", "indices">
  %sums = hsa.reduce (%slot, %c) in %picks : !hsa.domain<"kv", "indices"> into (sum %zeros : !hsa.sums<!keys>) {
    %kc = hsa.chunk %k[%c : !hsa.chunk_id<"kv">] : !keys -> !chunk
    hsa.yield %kc : !chunk
  }
  hsa.return %sums : !hsa.sums<!keys>
}

// -----

// Slots that a program computes are handed on in memory first.
!query = !hsa.query<f32, pos = 1, head = 2, dim = 16>
!keys = !hsa.chunks<"kv", f32, key = 16, dim = 16>
!slots = tensor<1x4xi32, #hsa.axes<pos, slot>>
!rows = tensor<1x2x16xf32, #hsa.axes<pos, head, dim>>
!scores = tensor<1x2x16xf32, #hsa.axes<pos, head, key>>
!chunk = tensor<16x16xf32, #hsa.axes<key, dim>>

hsa.program @computed(%q: !query, %k: !keys) -> !rows attributes {group = 2 : i64} {
  %x = hsa.load %q : !query -> !rows
  %zero = hsa.identity sum : !rows
  %slots = arith.constant dense<1> : !slots
  %picks = hsa.selected %slots in "kv" as "picks" : !slots -> !hsa.domain<"kv", "picks">
  // expected-error @below {{visits slots that the program computes, which split_kv cannot cut}}
  %out = hsa.reduce (%slot, %c) in %picks : !hsa.domain<"kv", "picks"> into (sum %zero : !rows) {
    %kc = hsa.chunk %k[%c : !hsa.chunk_id<"kv">] : !keys -> !chunk
    %s = hsa.dot %x, %kc over dim : !rows, !chunk -> !scores
    %o = hsa.dot %s, %kc over key in %c : !hsa.chunk_id<"kv"> : !scores, !chunk -> !rows
    hsa.yield %o : !rows
  }
  hsa.return %out : !rows
}
