// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s -split-input-file -verify-diagnostics -allow-unregistered-dialect
//
// One case for each constraint of hsa.program and hsa.return.

// program C1
// expected-error @below {{parameter "x" is 'index', but a query, chunks, landmarks, weights, indices, array, num_keys, q_start, q_positions, sums, f32 or i32 was expected}}
hsa.program @f(%x: index) attributes {group = 1} {
  hsa.return
}

// -----

// program C2
// expected-error @below {{has a parameter named "0", but a letter or _ was expected first}}
hsa.program @f(%0: f32) attributes {group = 1} {
  hsa.return
}

// -----

// program C2
// expected-error @below {{has two parameters named "x"}}
"hsa.program"() <{sym_name = "f", function_type = (f32, f32) -> (), arg_names = ["x", "x"], group = 1}> ({
^entry(%0: f32, %1: f32):
  hsa.return
}) : () -> ()

// -----

// program C2
// expected-error @below {{has 0 names for 1 parameters}}
"hsa.program"() <{sym_name = "f", function_type = (f32) -> (), arg_names = [], group = 1}> ({
^entry(%0: f32):
  hsa.return
}) : () -> ()

// -----

// program C3
// expected-error @below {{group is 8, but a positive multiple of the size of the head axis, 16, was expected}}
hsa.program @f(%q: !hsa.query<f32, pos = 1, head = 16, dim = 64>) attributes {group = 8} {
  hsa.return
}

// -----

// program C3
// expected-error @below {{group is 0, but a positive multiple}}
hsa.program @f() attributes {group = 0} {
  hsa.return
}

// -----

// program C4
// expected-error @below {{parameter "bias" has head = 8, but another has 16}}
hsa.program @f(%q: !hsa.query<f32, pos = 1, head = 16, dim = 64>, %bias: !hsa.array<f32, [head = 8]>)
    attributes {group = 16} {
  hsa.return
}

// -----

// program C5
// expected-error @below {{parameter "bias" has chunks of 32 keys, but another of partition "kv" has 64}}
hsa.program @f(%k: !hsa.chunks<"kv", f32, key = 64, dim = 64>, %bias: !hsa.array<f32, [key = 32], of "kv">)
    attributes {group = 1} {
  hsa.return
}

// -----

// program C6
// expected-error @below {{parameter "w" weighs "picks", which is no indices parameter}}
hsa.program @f(%w: !hsa.weights<"picks", f32, heads = kv>, %picks: f32) attributes {group = 1} {
  hsa.return
}

// -----

// program C6
// expected-error @below {{parameter "picks" selects from "kv", which is no parameter's partition}}
hsa.program @f(%picks: !hsa.indices<"kv", i32, heads = kv>) attributes {group = 1} {
  hsa.return
}

// -----

// program C7
// expected-error @below {{result is 'tensor<16xf32, #hsa.axes<head>>', but an f32 tensor over pos, head or over pos, head, dim, an f32 or i32 tensor over pos, slot or over pos, head, slot, or sums was expected}}
hsa.program @f(%x: f32) -> tensor<16xf32, #hsa.axes<head>> attributes {group = 16} {
  %0 = hsa.broadcast %x : f32 to tensor<16xf32, #hsa.axes<head>>
  hsa.return %0 : tensor<16xf32, #hsa.axes<head>>
}

// -----

// program C8
hsa.program @f(%q: !hsa.query<f32, pos = 1, head = 16, dim = 64>) attributes {group = 16} {
  // expected-error @below {{makes pos = 2, but the program's parameters have 1}}
  %0 = hsa.query_positions : tensor<2xi32, #hsa.axes<pos>>
  hsa.return
}

// -----

// program C8
hsa.program @f(%q: !hsa.query<f32, pos = 1, head = 16, dim = 64>) attributes {group = 16} {
  // expected-error @below {{makes head = 8, but the program's parameters have 16}}
  %0 = hsa.online_softmax : !hsa.softmax_state<tensor<1x8x64xf32, #hsa.axes<pos, head, dim>>>
  hsa.return
}

// -----

// program C9
hsa.program @f(%k: !hsa.chunks<"kv", f32, key = 64, dim = 64>, %x: f32) attributes {group = 1} {
  %d = hsa.every %k : !hsa.chunks<"kv", f32, key = 64, dim = 64> -> !hsa.domain<"kv">
  %zero = hsa.identity sum : tensor<1xf32, #hsa.axes<pos>>
  %o = hsa.reduce (%c) in %d : !hsa.domain<"kv"> into (sum %zero : tensor<1xf32, #hsa.axes<pos>>) {
    // expected-error @below {{has key = 32, but chunks of partition "kv" have 64}}
    %0 = hsa.key_positions %c : !hsa.chunk_id<"kv"> -> tensor<32xi32, #hsa.axes<key>>
    hsa.yield %zero : tensor<1xf32, #hsa.axes<pos>>
  }
  hsa.return
}

// -----

// program C9
!rows = tensor<1x1xf32, #hsa.axes<pos, head>>
!value = tensor<1x1x64xf32, #hsa.axes<pos, head, dim>>
hsa.program @f(%k: !hsa.chunks<"kv", f32, key = 64, dim = 64>, %x: f32) attributes {group = 1} {
  %d = hsa.every %k : !hsa.chunks<"kv", f32, key = 64, dim = 64> -> !hsa.domain<"kv">
  %empty = hsa.online_softmax : !hsa.softmax_state<!value>
  %s = hsa.broadcast %x : f32 to tensor<1x1x32xf32, #hsa.axes<pos, head, key>>
  %v = hsa.broadcast %x : f32 to tensor<32x64xf32, #hsa.axes<key, dim>>
  %o = hsa.reduce (%c) in %d : !hsa.domain<"kv"> into (softmax %empty : !hsa.softmax_state<!value>) {
    // expected-error @below {{has key = 32, but chunks of partition "kv" have 64}}
    hsa.yield %s, %v : tensor<1x1x32xf32, #hsa.axes<pos, head, key>>, tensor<32x64xf32, #hsa.axes<key, dim>>
  }
  hsa.return
}

// -----

// program C10
// expected-error @below {{expects regions to end with 'hsa.return', found 'other.end'}}
// expected-note @below {{in custom textual format, the absence of terminator implies 'hsa.return'}}
hsa.program @f() attributes {group = 1} {
  "other.end"() : () -> ()
}

// -----

// program C12
// expected-error @below {{has two parameters of role num_keys}}
hsa.program @f(%a: !hsa.num_keys, %b: !hsa.num_keys) attributes {group = 1} {
  hsa.return
}

// -----

// program C12
// expected-error @below {{says twice where its queries stand, by '!hsa.num_keys<from_end>' and '!hsa.q_positions<batch>'}}
hsa.program @f(%a: !hsa.num_keys<from_end>, %b: !hsa.q_positions<batch>) attributes {group = 1} {
  hsa.return
}

// -----

// return C1
hsa.program @f() -> tensor<1x1xf32, #hsa.axes<pos, head>> attributes {group = 1} {
  // expected-error @below {{returns 0 values, but the program has 1 results}}
  hsa.return
}

// -----

// return C1
hsa.program @f(%x: f32) -> tensor<1x1xf32, #hsa.axes<pos, head>> attributes {group = 1} {
  %0 = hsa.broadcast %x : f32 to tensor<2x1xf32, #hsa.axes<pos, head>>
  // expected-error @below {{result 0 is 'tensor<2x1xf32, #hsa.axes<pos, head>>', but 'tensor<1x1xf32, #hsa.axes<pos, head>>' was expected}}
  hsa.return %0 : tensor<2x1xf32, #hsa.axes<pos, head>>
}

// -----

// program C13: a block of one position is a position.
// expected-error @below {{block is 1, but at least 2 was expected}}
hsa.program @f(%x: f32) attributes {block = 1, group = 1} {
  hsa.return
}

// -----

// load C2: of a block there is one row, and not one for each position.
hsa.program @f(%q: !hsa.query<f32, pos = 4, head = 1, dim = 16>, %r: !hsa.query<f32, pos = 1, head = 1, dim = 16>) attributes {group = 1} {
  // expected-error @below {{result is 'tensor<1x1x16xf32, #hsa.axes<pos, head, dim>>', but 'tensor<1x16xf32, #hsa.axes<head, dim>>' was expected}}
  %x = hsa.load %r : !hsa.query<f32, pos = 1, head = 1, dim = 16> -> tensor<1x1x16xf32, #hsa.axes<pos, head, dim>>
  hsa.return
}
