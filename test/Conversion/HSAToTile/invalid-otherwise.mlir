// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s --hsa-to-tile="schedule=chunk_major otherwise=union" --verify-diagnostics

// What both schedules refuse: the error of the second, and why not by the first.

!query = !hsa.query<f32, pos = 1, head = 2, dim = 16>
!rows = tensor<1x2x16xf32, #hsa.axes<pos, head, dim>>

// expected-error @below {{visits no selected chunks, which union is made for}}
// expected-note @below {{chunk_major: 'hsa.program' op visits no selected chunks, which chunk_major is made for}}
hsa.program @none(%q: !query) -> !rows attributes {group = 2 : i64} {
  %x = hsa.load %q : !query -> !rows
  hsa.return %x : !rows
}
