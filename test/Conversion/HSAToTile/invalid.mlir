// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s --hsa-to-tile --split-input-file --verify-diagnostics

#o = #hsa.axes<pos, head, dim>
hsa.program @rows(%q: !hsa.query<f32, pos = 1, head = 4, dim = 16>) -> tensor<1x4xf32, #hsa.axes<pos, head>> attributes {group = 4 : i64} {
  %x = hsa.load %q : !hsa.query<f32, pos = 1, head = 4, dim = 16> -> tensor<1x4x16xf32, #o>
  // expected-error@+1 {{goes over head, which this schedule keeps whole in a tile's rows: only key and dim can be reduced}}
  %s = hsa.softmax %x over head off_by 0.0 : tensor<1x4x16xf32, #o>
  %r = hsa.fold sum %s over dim : tensor<1x4x16xf32, #o> -> tensor<1x4xf32, #hsa.axes<pos, head>>
  hsa.return %r : tensor<1x4xf32, #hsa.axes<pos, head>>
}

// -----

// expected-error@+1 {{has no query, which query_major needs}}
hsa.program @none(%scale: f32) attributes {group = 1 : i64} {
  hsa.return
}

// -----

// expected-error@+1 {{selects for each query head, so its head axis must be 1, but it is 4}}
hsa.program @heads(%q: !hsa.query<f32, pos = 1, head = 4, dim = 16>, %k: !hsa.chunks<"kv", f32, key = 32, dim = 16>, %i: !hsa.indices<"kv", i32, heads = query>)
    -> tensor<1x4x16xf32, #hsa.axes<pos, head, dim>> attributes {group = 4 : i64} {
  %x = hsa.load %q : !hsa.query<f32, pos = 1, head = 4, dim = 16> -> tensor<1x4x16xf32, #hsa.axes<pos, head, dim>>
  hsa.return %x : tensor<1x4x16xf32, #hsa.axes<pos, head, dim>>
}

// -----

#o = #hsa.axes<pos, head, dim>
#h = #hsa.axes<pos, dim>
hsa.program @heads(%q: !hsa.query<f32, pos = 2, head = 4, dim = 16>) -> tensor<2x4x16xf32, #o> attributes {group = 4 : i64} {
  %x = hsa.load %q : !hsa.query<f32, pos = 2, head = 4, dim = 16> -> tensor<2x4x16xf32, #o>
  // expected-error@+1 {{reduces head of [pos, head, dim] for each of the 2 positions of a query block, which schedules do only for gradients: one position a block (q_block=1) can do it}}
  %s = hsa.fold sum %x over head : tensor<2x4x16xf32, #o> -> tensor<2x16xf32, #h>
  %b = hsa.broadcast %s : tensor<2x16xf32, #h> to tensor<2x4x16xf32, #o>
  hsa.return %b : tensor<2x4x16xf32, #o>
}

// -----

// Each position sees other keys: without a pos axis the sum would have no meaning.
#o = #hsa.axes<pos, head, dim>
hsa.program @window(%q: !hsa.query<f32, pos = 2, head = 4, dim = 16>, %k: !hsa.chunks<"kv", f32, key = 32, dim = 16>, %w: i32)
    -> tensor<2x4x16xf32, #o> attributes {group = 4 : i64} {
  %zero = hsa.identity sum : tensor<2x4x16xf32, #o>
  %d = hsa.window %k last %w : !hsa.chunks<"kv", f32, key = 32, dim = 16> -> !hsa.domain<"kv">
  %o = hsa.reduce (%c) in %d : !hsa.domain<"kv"> into (sum %zero : tensor<2x4x16xf32, #o>) {
    %kc = hsa.chunk %k[%c : !hsa.chunk_id<"kv">] : !hsa.chunks<"kv", f32, key = 32, dim = 16> -> tensor<32x16xf32, #hsa.axes<key, dim>>
    // expected-error@+1 {{reduces keys that are not valid for every position of the query block alike, of a value without a pos axis}}
    %m = hsa.fold sum %kc over key in %c : !hsa.chunk_id<"kv"> : tensor<32x16xf32, #hsa.axes<key, dim>> -> tensor<16xf32, #hsa.axes<dim>>
    %y = hsa.broadcast %m : tensor<16xf32, #hsa.axes<dim>> to tensor<2x4x16xf32, #o>
    hsa.yield %y : tensor<2x4x16xf32, #o>
  }
  hsa.return %o : tensor<2x4x16xf32, #o>
}
