// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s --hsa-to-tile="schedule=chunk_major" --split-input-file --verify-diagnostics

// What chunk_major refuses, and why.

!query = !hsa.query<f32, pos = 1, head = 2, dim = 16>
!rows = tensor<1x2x16xf32, #hsa.axes<pos, head, dim>>

// expected-error @below {{visits no selected chunks, which chunk_major is made for}}
hsa.program @none(%q: !query) -> !rows attributes {group = 2 : i64} {
  %x = hsa.load %q : !query -> !rows
  hsa.return %x : !rows
}

// -----

// A reduction whose visits need the sum of another one.
!query = !hsa.query<f32, pos = 1, head = 2, dim = 16>
!keys = !hsa.chunks<"kv", f32, key = 16, dim = 16>
!indices = !hsa.indices<"kv", i32, heads = kv>
!rows = tensor<1x2x16xf32, #hsa.axes<pos, head, dim>>
!scores = tensor<1x2x16xf32, #hsa.axes<pos, head, key>>
!chunk = tensor<16x16xf32, #hsa.axes<key, dim>>

hsa.program @chained(%q: !query, %k: !keys, %indices: !indices) -> !rows attributes {group = 2 : i64} {
  %x = hsa.load %q : !query -> !rows
  %zero = hsa.identity sum : !rows
  %picks = hsa.selected %indices : !indices -> !hsa.domain<"kv", "indices">
  %first = hsa.reduce (%slot, %c) in %picks : !hsa.domain<"kv", "indices"> into (sum %zero : !rows) {
    %kc = hsa.chunk %k[%c : !hsa.chunk_id<"kv">] : !keys -> !chunk
    %s = hsa.dot %x, %kc over dim : !rows, !chunk -> !scores
    %o = hsa.dot %s, %kc over key in %c : !hsa.chunk_id<"kv"> : !scores, !chunk -> !rows
    hsa.yield %o : !rows
  }
  // expected-error @below {{depends on the result of another reduction, which chunk_major does not have yet when it visits the chunks}}
  %second = hsa.reduce (%slot, %c) in %picks : !hsa.domain<"kv", "indices"> into (sum %zero : !rows) {
    %kc = hsa.chunk %k[%c : !hsa.chunk_id<"kv">] : !keys -> !chunk
    %s = hsa.dot %first, %kc over dim : !rows, !chunk -> !scores
    %o = hsa.dot %s, %kc over key in %c : !hsa.chunk_id<"kv"> : !scores, !chunk -> !rows
    hsa.yield %o : !rows
  }
  hsa.return %second : !rows
}

// -----

// Sums over all queries to which each visit adds the same.
!query = !hsa.query<f32, pos = 1, head = 2, dim = 16>
!keys = !hsa.chunks<"kv", f32, key = 16, dim = 16>
!indices = !hsa.indices<"kv", i32, heads = kv>
!chunk = tensor<16x16xf32, #hsa.axes<key, dim>>

hsa.program @sums(%q: !query, %k: !keys, %indices: !indices) -> !hsa.sums<!keys> attributes {group = 2 : i64} {
  %zeros = hsa.zeros : !hsa.sums<!keys>
  %picks = hsa.selected %indices : !indices -> !hsa.domain<"kv", "indices">
  // expected-error @below {{adds the same for each query block that visits a chunk, which chunk_major does not count: query_major does}}
  %sums = hsa.reduce (%slot, %c) in %picks : !hsa.domain<"kv", "indices"> into (sum %zeros : !hsa.sums<!keys>) {
    %kc = hsa.chunk %k[%c : !hsa.chunk_id<"kv">] : !keys -> !chunk
    hsa.yield %kc : !chunk
  }
  hsa.return %sums : !hsa.sums<!keys>
}

// -----

// A sum over the heads of one block, where a tile has rows of several.
!query = !hsa.query<f32, pos = 1, head = 2, dim = 16>
!keys = !hsa.chunks<"kv", f32, key = 16, dim = 16>
!indices = !hsa.indices<"kv", i32, heads = kv>
!rows = tensor<1x2x16xf32, #hsa.axes<pos, head, dim>>
!scores = tensor<1x2x16xf32, #hsa.axes<pos, head, key>>
!summed = tensor<1x16xf32, #hsa.axes<pos, key>>
!chunk = tensor<16x16xf32, #hsa.axes<key, dim>>

hsa.program @summed(%q: !query, %k: !keys, %indices: !indices) -> !rows attributes {group = 2 : i64} {
  %x = hsa.load %q : !query -> !rows
  %zero = hsa.identity sum : !rows
  %picks = hsa.selected %indices : !indices -> !hsa.domain<"kv", "indices">
  %out = hsa.reduce (%slot, %c) in %picks : !hsa.domain<"kv", "indices"> into (sum %zero : !rows) {
    %kc = hsa.chunk %k[%c : !hsa.chunk_id<"kv">] : !keys -> !chunk
    %s = hsa.dot %x, %kc over dim : !rows, !chunk -> !scores
    // expected-error @below {{reduces head of [pos, head, key], but the schedule has rows of several query blocks in a tile, and does so only for gradients: query_major can do it}}
    %t = hsa.fold sum %s over head : !scores -> !summed
    %b = hsa.broadcast %t : !summed to !scores
    %o = hsa.dot %b, %kc over key in %c : !hsa.chunk_id<"kv"> : !scores, !chunk -> !rows
    hsa.yield %o : !rows
  }
  hsa.return %out : !rows
}
