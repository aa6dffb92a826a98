// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s -split-input-file -verify-diagnostics

// One case for each constraint of hsa.launch.

!query = !hsa.query<f32, pos = 1, head = 4, dim = 16>
!q = tensor<1x4x16xf32, #hsa.axes<pos, head, dim>>

hsa.program @inner(%q: !query) -> !q attributes {group = 4 : i64} {
  %x = hsa.load %q : !query -> !q
  hsa.return %x : !q
}

// launch C1
hsa.program @f(%q: !query) -> !q attributes {group = 4 : i64} {
  %x = hsa.load %q : !query -> !q
  // expected-error @below {{expected nothing but launches and a return beside it, found hsa.load}}
  %y = hsa.launch @inner(%q) : (!query) -> !q
  hsa.return %y : !q
}

// -----

!query = !hsa.query<f32, pos = 1, head = 4, dim = 16>
!q = tensor<1x4x16xf32, #hsa.axes<pos, head, dim>>

// launch C2
hsa.program @f(%q: !query) -> !q attributes {group = 4 : i64} {
  // expected-error @below {{expected an hsa.program nobody in the module}}
  %y = hsa.launch @nobody(%q) : (!query) -> !q
  hsa.return %y : !q
}

// -----

!query = !hsa.query<f32, pos = 1, head = 4, dim = 16>
!q = tensor<1x4x16xf32, #hsa.axes<pos, head, dim>>

hsa.program @inner(%q: !query) -> !q attributes {group = 4 : i64} {
  %x = hsa.load %q : !query -> !q
  hsa.return %x : !q
}

// launch C3
hsa.program @f(%q: !query, %s: f32) -> !q attributes {group = 4 : i64} {
  // expected-error @below {{or the result of a launch, found 'f32'}}
  %y = hsa.launch @inner(%s) : (f32) -> !q
  hsa.return %y : !q
}

// -----

!query = !hsa.query<f32, pos = 1, head = 4, dim = 16>
!q = tensor<1x4x16xf32, #hsa.axes<pos, head, dim>>

hsa.program @inner(%q: !query) -> !q attributes {group = 4 : i64} {
  %x = hsa.load %q : !query -> !q
  hsa.return %x : !q
}

// launch C4
hsa.program @f(%q: !query) -> tensor<1x4xf32, #hsa.axes<pos, head>> attributes {group = 4 : i64} {
  // expected-error @below {{expected the results of inner}}
  %y = hsa.launch @inner(%q) : (!query) -> tensor<1x4xf32, #hsa.axes<pos, head>>
  hsa.return %y : tensor<1x4xf32, #hsa.axes<pos, head>>
}

// -----

// same C1
hsa.program @f(%q: !hsa.query<f32, pos = 1, head = 4, dim = 16>) attributes {group = 4 : i64} {
  %x = hsa.load %q : !hsa.query<f32, pos = 1, head = 4, dim = 16> -> tensor<1x4x16xf32, #hsa.axes<pos, head, dim>>
  // expected-error @below {{result is 'tensor<1xf32, #hsa.axes<pos>>', but 'tensor<1x16xf32, #hsa.axes<pos, dim>>' was expected}}
  %y = hsa.same %x : tensor<1x4x16xf32, #hsa.axes<pos, head, dim>> -> tensor<1xf32, #hsa.axes<pos>>
  hsa.return
}
