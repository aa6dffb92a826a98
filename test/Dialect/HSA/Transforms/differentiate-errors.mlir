// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s -hsa-differentiate="wrt=q" -split-input-file -verify-diagnostics
//
// What has no gradient is an error at its own line.

!query = !hsa.query<f32, pos = 1, head = 4, dim = 16>
!rows  = tensor<1x4x16xf32, #hsa.axes<pos, head, dim>>

hsa.program @unknown(%q: !query) -> !rows attributes {group = 4 : i64} {
  %x = hsa.load %q : !query -> !rows
  // expected-error @below {{no gradient is known of math.erf; rl.detach(x) makes a value a constant to differentiation}}
  %y = math.erf %x : !rows
  hsa.return %y : !rows
}

// -----

!query = !hsa.query<f32, pos = 1, head = 4, dim = 16>
!keys  = !hsa.chunks<"kv", f32, key = 8, dim = 16>
!rows  = tensor<1x4x16xf32, #hsa.axes<pos, head, dim>>

hsa.program @begins_with(%q: !query, %k: !keys) -> !rows attributes {group = 4 : i64} {
  %x = hsa.load %q : !query -> !rows
  %d = hsa.every %k : !keys -> !hsa.domain<"kv">
  // expected-error @below {{no gradient is known of a max over chunks that begins with a value that needs one; begin with rl.zeros(..., init=-rl.inf)}}
  %y = hsa.reduce (%c) in %d : !hsa.domain<"kv"> into (max %x : !rows) {
    hsa.yield %x : !rows
  }
  hsa.return %y : !rows
}

// -----

!rows = tensor<1x4x16xf32, #hsa.axes<pos, head, dim>>

// expected-error @below {{there is no gradient by "q", which is 'f32'}}
hsa.program @scalar(%q: f32, %x: !hsa.query<f32, pos = 1, head = 4, dim = 16>) -> !rows attributes {group = 4 : i64} {
  %y = hsa.load %x : !hsa.query<f32, pos = 1, head = 4, dim = 16> -> !rows
  hsa.return %y : !rows
}

// -----

!rows = tensor<1x4x16xf32, #hsa.axes<pos, head, dim>>

// expected-error @below {{there is no parameter "q" to differentiate by}}
hsa.program @other(%x: !hsa.query<f32, pos = 1, head = 4, dim = 16>) -> !rows attributes {group = 4 : i64} {
  %y = hsa.load %x : !hsa.query<f32, pos = 1, head = 4, dim = 16> -> !rows
  hsa.return %y : !rows
}

// -----

!query = !hsa.query<f32, pos = 2, head = 4, dim = 16>
!picks = !hsa.indices<"kv", i32, heads = kv>
!slots = tensor<2x3xf32, #hsa.axes<pos, slot>>
!row   = tensor<2x4xf32, #hsa.axes<pos, head>>
!pos   = tensor<2xf32, #hsa.axes<pos>>

hsa.program @of_positions(%q: !query, %k: !hsa.chunks<"kv", f32, key = 8, dim = 16>, %picks: !picks) -> !row attributes {group = 4 : i64} {
  %x = hsa.load %q : !query -> tensor<2x4x16xf32, #hsa.axes<pos, head, dim>>
  %sum = hsa.fold sum %x over head, dim : tensor<2x4x16xf32, #hsa.axes<pos, head, dim>> -> !pos
  %p = hsa.broadcast %sum : !pos to !slots
  %zero = hsa.identity sum : !row
  %d = hsa.selected %picks : !picks -> !hsa.domain<"kv", "picks">
  %y = hsa.reduce (%slot, %c) in %d : !hsa.domain<"kv", "picks"> into (sum %zero : !row) {
    // expected-error @below {{no gradient is known of a slot's element of a value that differs between the positions of a block}}
    %own = hsa.at %p[%slot : !hsa.slot<"picks">] : !slots -> !pos
    %owns = hsa.broadcast %own : !pos to !row
    hsa.yield %owns : !row
  }
  hsa.return %y : !row
}

// -----

!landmarks = !hsa.landmarks<"kv", f32, heads = kv, key = 8, dim = 16>
!scores    = tensor<1x4x?xf32, #hsa.axes<pos, head, chunk>>
!score     = tensor<1x?xf32, #hsa.axes<pos, chunk>>
!picks     = tensor<1x3xi32, #hsa.axes<pos, slot>>

// expected-error @below {{no gradient is known of results over slots, 'tensor<1x3xi32, #hsa.axes<pos, slot>>', at which nothing is read of a stream; picks are constants}}
hsa.program @picks(%q: !hsa.query<f32, pos = 1, head = 4, dim = 16>, %landmarks: !landmarks) -> !picks attributes {group = 4 : i64} {
  %x = hsa.load %q : !hsa.query<f32, pos = 1, head = 4, dim = 16> -> tensor<1x4x16xf32, #hsa.axes<pos, head, dim>>
  %l = hsa.stream %landmarks : !landmarks -> tensor<?x16xf32, #hsa.axes<chunk, dim>>
  %s = hsa.dot %x, %l over dim : tensor<1x4x16xf32, #hsa.axes<pos, head, dim>>, tensor<?x16xf32, #hsa.axes<chunk, dim>> -> !scores
  %t = hsa.fold sum %s over head : !scores -> !score
  %slots = hsa.topk %t k 3 order nearest : !score -> !picks
  hsa.return %slots : !picks
}

// -----

!query = !hsa.query<f32, pos = 1, head = 1, dim = 16>
!keys  = !hsa.chunks<"kv", f32, key = 8, dim = 16>
!lms   = !hsa.landmarks<"kv", f32, heads = kv, key = 8, dim = 16>
!rows  = tensor<1x1x16xf32, #hsa.axes<pos, head, dim>>
!s     = tensor<1x1x?xf32, #hsa.axes<pos, head, chunk>>
!slots = tensor<1x1x3xi32, #hsa.axes<pos, head, slot>>

hsa.program @two_selections(%q: !query, %k: !keys, %lm: !lms)
    -> (tensor<1x1x3xf32, #hsa.axes<pos, head, slot>>, tensor<1x1x3xf32, #hsa.axes<pos, head, slot>>) attributes {group = 1 : i64} {
  %x = hsa.load %q : !query -> !rows
  %l = hsa.stream %lm : !lms -> tensor<?x16xf32, #hsa.axes<chunk, dim>>
  %s = hsa.dot %x, %l over dim : !rows, tensor<?x16xf32, #hsa.axes<chunk, dim>> -> !s
  %a = hsa.topk %s k 3 order nearest : !s -> !slots
  %b = hsa.topk %s k 3 order score : !s -> !slots
  %t = hsa.take %s at %a : !s, !slots -> tensor<1x1x3xf32, #hsa.axes<pos, head, slot>>
  // expected-error @below {{no gradient is known of a function that takes values at two different selections, or visits them: a gradient visits again what one selection picked}}
  %u = hsa.take %s at %b : !s, !slots -> tensor<1x1x3xf32, #hsa.axes<pos, head, slot>>
  hsa.return %t, %u : tensor<1x1x3xf32, #hsa.axes<pos, head, slot>>, tensor<1x1x3xf32, #hsa.axes<pos, head, slot>>
}
