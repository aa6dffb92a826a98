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
