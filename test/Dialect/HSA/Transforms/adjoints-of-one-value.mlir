// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s -hsa-differentiate="wrt=q" -canonicalize -cse | FileCheck %s
//
// Adjoints of functions of one value: dy is d_0, the gradient of the result.

!query = !hsa.query<f32, pos = 1, head = 4, dim = 16>
!rows  = tensor<1x4x16xf32, #hsa.axes<pos, head, dim>>

// dx = -dy.
// CHECK-LABEL: hsa.program @negf_backward
// CHECK: %[[DY:.*]] = hsa.load %d_0
// CHECK: %[[DX:.*]] = arith.negf %[[DY]]
// CHECK: hsa.return %[[DX]]
hsa.program @negf(%q: !query) -> !rows attributes {group = 4 : i64} {
  %x = hsa.load %q : !query -> !rows
  %y = arith.negf %x : !rows
  hsa.return %y : !rows
}

// dx = dy y, and 0 where dy is, whatever y.
// CHECK-LABEL: hsa.program @exp_backward
// CHECK: %[[DY:.*]] = hsa.load %d_0
// CHECK: %[[X:.*]] = hsa.load %q
// CHECK: %[[Y:.*]] = math.exp %[[X]]
// CHECK: %[[P:.*]] = arith.mulf %[[DY]], %[[Y]]
// CHECK: %[[NONE:.*]] = arith.cmpf oeq, %[[DY]], %[[ZERO:.*]] :
// CHECK: %[[DX:.*]] = arith.select %[[NONE]], %[[ZERO]], %[[P]]
// CHECK: hsa.return %[[DX]]
hsa.program @exp(%q: !query) -> !rows attributes {group = 4 : i64} {
  %x = hsa.load %q : !query -> !rows
  %y = math.exp %x : !rows
  hsa.return %y : !rows
}

// dx = dy y ln 2, and 0 where dy is.
// CHECK-LABEL: hsa.program @exp2_backward
// CHECK: %[[LN2:.*]] = arith.constant dense<0.693147182>
// CHECK: %[[Y:.*]] = math.exp2 %[[X:.*]] :
// CHECK: %[[P:.*]] = arith.mulf %[[DY:.*]], %[[Y]]
// CHECK: %[[L:.*]] = arith.mulf %[[P]], %[[LN2]]
// CHECK: %[[NONE:.*]] = arith.cmpf oeq, %[[DY]], %[[ZERO:.*]] :
// CHECK: %[[DX:.*]] = arith.select %[[NONE]], %[[ZERO]], %[[L]]
// CHECK: hsa.return %[[DX]]
hsa.program @exp2(%q: !query) -> !rows attributes {group = 4 : i64} {
  %x = hsa.load %q : !query -> !rows
  %y = math.exp2 %x : !rows
  hsa.return %y : !rows
}

// dx = dy / x, and 0 where x is.
// CHECK-LABEL: hsa.program @log_backward
// CHECK: %[[DY:.*]] = hsa.load %d_0
// CHECK: %[[X:.*]] = hsa.load %q
// CHECK: %[[Q:.*]] = arith.divf %[[DY]], %[[X]]
// CHECK: %[[NONE:.*]] = arith.cmpf oeq, %[[X]], %[[ZERO:.*]] :
// CHECK: %[[DX:.*]] = arith.select %[[NONE]], %[[ZERO]], %[[Q]]
// CHECK: hsa.return %[[DX]]
hsa.program @log(%q: !query) -> !rows attributes {group = 4 : i64} {
  %x = hsa.load %q : !query -> !rows
  %y = math.log %x : !rows
  hsa.return %y : !rows
}

// dx = dy / 2 / y, and 0 where y is.
// CHECK-LABEL: hsa.program @sqrt_backward
// CHECK: %[[HALF:.*]] = arith.constant dense<5.000000e-01>
// CHECK: %[[Y:.*]] = math.sqrt %[[X:.*]] :
// CHECK: %[[H:.*]] = arith.mulf %[[DY:.*]], %[[HALF]]
// CHECK: %[[Q:.*]] = arith.divf %[[H]], %[[Y]]
// CHECK: %[[NONE:.*]] = arith.cmpf oeq, %[[Y]], %[[ZERO:.*]] :
// CHECK: %[[DX:.*]] = arith.select %[[NONE]], %[[ZERO]], %[[Q]]
// CHECK: hsa.return %[[DX]]
hsa.program @sqrt(%q: !query) -> !rows attributes {group = 4 : i64} {
  %x = hsa.load %q : !query -> !rows
  %y = math.sqrt %x : !rows
  hsa.return %y : !rows
}

// dx = dy (1 - y y).
// CHECK-LABEL: hsa.program @tanh_backward
// CHECK: %[[ONE:.*]] = arith.constant dense<1.000000e+00>
// CHECK: %[[Y:.*]] = math.tanh %[[X:.*]] :
// CHECK: %[[YY:.*]] = arith.mulf %[[Y]], %[[Y]]
// CHECK: %[[SLOPE:.*]] = arith.subf %[[ONE]], %[[YY]]
// CHECK: %[[DX:.*]] = arith.mulf %[[DY:.*]], %[[SLOPE]]
// CHECK: hsa.return %[[DX]]
hsa.program @tanh(%q: !query) -> !rows attributes {group = 4 : i64} {
  %x = hsa.load %q : !query -> !rows
  %y = math.tanh %x : !rows
  hsa.return %y : !rows
}

// dx = dy, -dy or 0 by the sign of x.
// CHECK-LABEL: hsa.program @absf_backward
// CHECK: %[[DY:.*]] = hsa.load %d_0
// CHECK: %[[X:.*]] = hsa.load %q
// CHECK: %[[MINUS:.*]] = arith.negf %[[DY]]
// CHECK: %[[BELOW:.*]] = arith.cmpf olt, %[[X]], %[[ZERO:.*]] :
// CHECK: %[[OTHERS:.*]] = arith.select %[[BELOW]], %[[MINUS]], %[[ZERO]]
// CHECK: %[[ABOVE:.*]] = arith.cmpf ogt, %[[X]], %[[ZERO]]
// CHECK: %[[DX:.*]] = arith.select %[[ABOVE]], %[[DY]], %[[OTHERS]]
// CHECK: hsa.return %[[DX]]
hsa.program @absf(%q: !query) -> !rows attributes {group = 4 : i64} {
  %x = hsa.load %q : !query -> !rows
  %y = math.absf %x : !rows
  hsa.return %y : !rows
}

// dx = dy through both casts: what is rounded is not differentiated.
// CHECK-LABEL: hsa.program @casts_backward
// CHECK: %[[DY:.*]] = hsa.load %d_0
// CHECK-NEXT: hsa.return %[[DY]]
hsa.program @casts(%q: !query) -> !rows attributes {group = 4 : i64} {
  %x = hsa.load %q : !query -> !rows
  %narrow = arith.truncf %x : !rows to tensor<1x4x16xbf16, #hsa.axes<pos, head, dim>>
  %y = arith.extf %narrow : tensor<1x4x16xbf16, #hsa.axes<pos, head, dim>> to !rows
  hsa.return %y : !rows
}
