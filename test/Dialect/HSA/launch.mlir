// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s | ramify-opt | FileCheck %s

// A program of launches; what one returns the next one takes in a role.

!query = !hsa.query<f32, pos = 1, head = 4, dim = 16>
!q = tensor<1x4x16xf32, #hsa.axes<pos, head, dim>>
!rows = tensor<1x4xf32, #hsa.axes<pos, head>>

hsa.program @norm(%q: !query) -> !rows attributes {group = 4 : i64} {
  %x = hsa.load %q : !query -> !q
  %n = hsa.fold max %x over dim : !q -> !rows
  hsa.return %n : !rows
}

hsa.program @scale(%q: !query, %n: !hsa.array<f32, [pos = 1, head = 4], batch>) -> !q attributes {group = 4 : i64} {
  %x = hsa.load %q : !query -> !q
  %r = hsa.load %n : !hsa.array<f32, [pos = 1, head = 4], batch> -> !rows
  %rs = hsa.broadcast %r : !rows to !q
  %y = arith.divf %x, %rs : !q
  hsa.return %y : !q
}

// CHECK-LABEL: hsa.program @whole
// CHECK:         %[[N:.*]] = hsa.launch @norm(%q) : (!hsa.query<f32, pos = 1, head = 4, dim = 16>) -> tensor<1x4xf32, #pos_head>
// CHECK-NEXT:    %[[Y:.*]] = hsa.launch @scale(%q, %[[N]]) : ({{.*}}, tensor<1x4xf32, #pos_head>) -> tensor<1x4x16xf32, #pos_head_dim>
// CHECK-NEXT:    hsa.return %[[Y]]
hsa.program @whole(%q: !query) -> !q attributes {group = 4 : i64} {
  %n = hsa.launch @norm(%q) : (!query) -> !rows
  %y = hsa.launch @scale(%q, %n) : (!query, !rows) -> !q
  hsa.return %y : !q
}

// A number that was repeated along pos and head is one again.
// CHECK-LABEL: hsa.program @once
// CHECK:         hsa.same %{{.*}} : tensor<1x4xf32, #pos_head> -> f32
// CHECK:         hsa.same %{{.*}} : tensor<1x4xf32, #pos_head> -> tensor<1xf32, #pos>
hsa.program @once(%n: !hsa.array<f32, [pos = 1, head = 4], batch>) attributes {group = 4 : i64} {
  %r = hsa.load %n : !hsa.array<f32, [pos = 1, head = 4], batch> -> !rows
  %all = hsa.same %r : !rows -> f32
  %heads = hsa.same %r : !rows -> tensor<1xf32, #hsa.axes<pos>>
  hsa.return
}
