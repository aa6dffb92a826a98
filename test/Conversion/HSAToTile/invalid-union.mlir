// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s --hsa-to-tile="schedule=union" --split-input-file --verify-diagnostics

// What union refuses, and why.

// expected-error @below {{has no query, which union needs}}
hsa.program @no_query(%scale: f32) attributes {group = 1 : i64} {
  hsa.return
}

// -----

!query = !hsa.query<f32, pos = 1, head = 2, dim = 16>
!rows = tensor<1x2x16xf32, #hsa.axes<pos, head, dim>>

// expected-error @below {{visits no selected chunks, which union is made for}}
hsa.program @none(%q: !query) -> !rows attributes {group = 2 : i64} {
  %x = hsa.load %q : !query -> !rows
  hsa.return %x : !rows
}

// -----

// Sums over all queries, as gradients of keys and values are.
!query = !hsa.query<f32, pos = 1, head = 2, dim = 16>
!keys = !hsa.chunks<"kv", f32, key = 16, dim = 16>
!indices = !hsa.indices<"kv", i32, heads = kv>
!chunk = tensor<16x16xf32, #hsa.axes<key, dim>>

// expected-error @below {{returns gradients that are sums over all queries, those of keys, values or landmarks say, which union does not do: query_major does}}
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
  // expected-error @below {{visits slots that the program computes, which union cannot unite}}
  %out = hsa.reduce (%slot, %c) in %picks : !hsa.domain<"kv", "picks"> into (sum %zero : !rows) {
    %kc = hsa.chunk %k[%c : !hsa.chunk_id<"kv">] : !keys -> !chunk
    %s = hsa.dot %x, %kc over dim : !rows, !chunk -> !scores
    %o = hsa.dot %s, %kc over key in %c : !hsa.chunk_id<"kv"> : !scores, !chunk -> !rows
    hsa.yield %o : !rows
  }
  hsa.return %out : !rows
}

// -----

// Rows of several blocks would be summed.
!query = !hsa.query<f32, pos = 1, head = 2, dim = 16>
!keys = !hsa.chunks<"kv", f32, key = 16, dim = 16>
!indices = !hsa.indices<"kv", i32, heads = kv>
!rows = tensor<1x2x16xf32, #hsa.axes<pos, head, dim>>
!scores = tensor<1x2x16xf32, #hsa.axes<pos, head, key>>
!shared = tensor<1x16xf32, #hsa.axes<pos, key>>
!chunk = tensor<16x16xf32, #hsa.axes<key, dim>>

hsa.program @heads(%q: !query, %k: !keys, %indices: !indices) -> !rows attributes {group = 2 : i64} {
  %x = hsa.load %q : !query -> !rows
  %zero = hsa.identity sum : !rows
  %picks = hsa.selected %indices : !indices -> !hsa.domain<"kv", "indices">
  %out = hsa.reduce (%slot, %c) in %picks : !hsa.domain<"kv", "indices"> into (sum %zero : !rows) {
    %kc = hsa.chunk %k[%c : !hsa.chunk_id<"kv">] : !keys -> !chunk
    %s = hsa.dot %x, %kc over dim : !rows, !chunk -> !scores
    // expected-error @below {{goes over the rows of a query block, which union has several of in a tile: query_major can do it}}
    %all = hsa.fold sum %s over head : !scores -> !shared
    %each = hsa.broadcast %all : !shared to !scores
    %o = hsa.dot %each, %kc over key in %c : !hsa.chunk_id<"kv"> : !scores, !chunk -> !rows
    hsa.yield %o : !rows
  }
  hsa.return %out : !rows
}

// -----

// A number of a block of several positions: which of them has the chunk differs.
!query = !hsa.query<f32, pos = 2, head = 2, dim = 16>
!keys = !hsa.chunks<"kv", f32, key = 16, dim = 16>
!indices = !hsa.indices<"kv", i32, heads = kv>
!rows = tensor<2x2x16xf32, #hsa.axes<pos, head, dim>>
!scores = tensor<2x2x16xf32, #hsa.axes<pos, head, key>>
!chunk = tensor<16x16xf32, #hsa.axes<key, dim>>

hsa.program @numbers(%q: !query, %k: !keys, %indices: !indices) -> !rows attributes {group = 2 : i64} {
  %x = hsa.load %q : !query -> !rows
  %zero = hsa.identity sum : !rows
  %none = hsa.identity sum : f32
  %one = arith.constant 1.0 : f32
  %picks = hsa.selected %indices : !indices -> !hsa.domain<"kv", "indices">
  %own = hsa.own %k : !keys -> !hsa.domain<"kv">
  // expected-error @below {{accumulates a number over a range of several positions, which union does not do: query_major does}}
  %count = hsa.reduce (%c) in %own : !hsa.domain<"kv"> into (sum %none : f32) {
    hsa.yield %one : f32
  }
  %out = hsa.reduce (%slot, %c) in %picks : !hsa.domain<"kv", "indices"> into (sum %zero : !rows) {
    %kc = hsa.chunk %k[%c : !hsa.chunk_id<"kv">] : !keys -> !chunk
    %s = hsa.dot %x, %kc over dim : !rows, !chunk -> !scores
    %o = hsa.dot %s, %kc over key in %c : !hsa.chunk_id<"kv"> : !scores, !chunk -> !rows
    hsa.yield %o : !rows
  }
  %counts = hsa.broadcast %count : f32 to !rows
  %both = arith.addf %out, %counts : !rows
  hsa.return %both : !rows
}
