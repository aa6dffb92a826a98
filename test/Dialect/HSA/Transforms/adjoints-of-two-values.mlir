// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s -hsa-differentiate="wrt=q,r" -canonicalize -cse | FileCheck %s
//
// Adjoints of functions of two values, x of q and z of r: dy is d_0, the
// gradient of the result.

!query = !hsa.query<f32, pos = 1, head = 4, dim = 16>
!rows  = tensor<1x4x16xf32, #hsa.axes<pos, head, dim>>

// dx = dz = dy.
// CHECK-LABEL: hsa.program @addf_backward
// CHECK: %[[DY:.*]] = hsa.load %d_0
// CHECK: hsa.return %[[DY]], %[[DY]] :
hsa.program @addf(%q: !query, %r: !query) -> !rows attributes {group = 4 : i64} {
  %x = hsa.load %q : !query -> !rows
  %z = hsa.load %r : !query -> !rows
  %y = arith.addf %x, %z : !rows
  hsa.return %y : !rows
}

// dx = dy, dz = -dy.
// CHECK-LABEL: hsa.program @subf_backward
// CHECK: %[[DY:.*]] = hsa.load %d_0
// CHECK: %[[DZ:.*]] = arith.negf %[[DY]]
// CHECK: hsa.return %[[DY]], %[[DZ]] :
hsa.program @subf(%q: !query, %r: !query) -> !rows attributes {group = 4 : i64} {
  %x = hsa.load %q : !query -> !rows
  %z = hsa.load %r : !query -> !rows
  %y = arith.subf %x, %z : !rows
  hsa.return %y : !rows
}

// dx = dy z, dz = dy x.
// CHECK-LABEL: hsa.program @mulf_backward
// CHECK: %[[DY:.*]] = hsa.load %d_0
// CHECK: %[[X:.*]] = hsa.load %q
// CHECK: %[[Z:.*]] = hsa.load %r
// CHECK: %[[DX:.*]] = arith.mulf %[[DY]], %[[Z]]
// CHECK: %[[DZ:.*]] = arith.mulf %[[DY]], %[[X]]
// CHECK: hsa.return %[[DX]], %[[DZ]] :
hsa.program @mulf(%q: !query, %r: !query) -> !rows attributes {group = 4 : i64} {
  %x = hsa.load %q : !query -> !rows
  %z = hsa.load %r : !query -> !rows
  %y = arith.mulf %x, %z : !rows
  hsa.return %y : !rows
}

// dx = dy / z, dz = -(dy / z) y.
// CHECK-LABEL: hsa.program @divf_backward
// CHECK: %[[DY:.*]] = hsa.load %d_0
// CHECK: %[[X:.*]] = hsa.load %q
// CHECK: %[[Z:.*]] = hsa.load %r
// CHECK: %[[Y:.*]] = arith.divf %[[X]], %[[Z]]
// CHECK: %[[DX:.*]] = arith.divf %[[DY]], %[[Z]]
// CHECK: %[[P:.*]] = arith.mulf %[[DX]], %[[Y]]
// CHECK: %[[DZ:.*]] = arith.negf %[[P]]
// CHECK: hsa.return %[[DX]], %[[DZ]] :
hsa.program @divf(%q: !query, %r: !query) -> !rows attributes {group = 4 : i64} {
  %x = hsa.load %q : !query -> !rows
  %z = hsa.load %r : !query -> !rows
  %y = arith.divf %x, %z : !rows
  hsa.return %y : !rows
}

// To the greater, to both by half where they are equal.
// CHECK-LABEL: hsa.program @maximumf_backward
// CHECK: %[[DY:.*]] = hsa.load %d_0
// CHECK: %[[X:.*]] = hsa.load %q
// CHECK: %[[Z:.*]] = hsa.load %r
// CHECK: %[[HALF:.*]] = arith.mulf %[[DY]]
// CHECK: %[[EQUAL:.*]] = arith.cmpf oeq, %[[X]], %[[Z]]
// CHECK: %[[XTIE:.*]] = arith.select %[[EQUAL]], %[[HALF]], %[[ZERO:.*]] :
// CHECK: %[[XWINS:.*]] = arith.cmpf ogt, %[[X]], %[[Z]]
// CHECK: %[[DX:.*]] = arith.select %[[XWINS]], %[[DY]], %[[XTIE]]
// CHECK: %[[ZTIE:.*]] = arith.select %{{.*}}, %[[HALF]], %[[ZERO]]
// CHECK: %[[ZWINS:.*]] = arith.cmpf ogt, %[[Z]], %[[X]]
// CHECK: %[[DZ:.*]] = arith.select %[[ZWINS]], %[[DY]], %[[ZTIE]]
// CHECK: hsa.return %[[DX]], %[[DZ]] :
hsa.program @maximumf(%q: !query, %r: !query) -> !rows attributes {group = 4 : i64} {
  %x = hsa.load %q : !query -> !rows
  %z = hsa.load %r : !query -> !rows
  %y = arith.maximumf %x, %z : !rows
  hsa.return %y : !rows
}

// To the smaller.
// CHECK-LABEL: hsa.program @minimumf_backward
// CHECK: %[[DY:.*]] = hsa.load %d_0
// CHECK: %[[X:.*]] = hsa.load %q
// CHECK: %[[Z:.*]] = hsa.load %r
// CHECK: %[[HALF:.*]] = arith.mulf %[[DY]]
// CHECK: %[[EQUAL:.*]] = arith.cmpf oeq, %[[X]], %[[Z]]
// CHECK: %[[XTIE:.*]] = arith.select %[[EQUAL]], %[[HALF]], %[[ZERO:.*]] :
// CHECK: %[[XWINS:.*]] = arith.cmpf olt, %[[X]], %[[Z]]
// CHECK: %[[DX:.*]] = arith.select %[[XWINS]], %[[DY]], %[[XTIE]]
// CHECK: %[[ZTIE:.*]] = arith.select %{{.*}}, %[[HALF]], %[[ZERO]]
// CHECK: %[[ZWINS:.*]] = arith.cmpf olt, %[[Z]], %[[X]]
// CHECK: %[[DZ:.*]] = arith.select %[[ZWINS]], %[[DY]], %[[ZTIE]]
// CHECK: hsa.return %[[DX]], %[[DZ]] :
hsa.program @minimumf(%q: !query, %r: !query) -> !rows attributes {group = 4 : i64} {
  %x = hsa.load %q : !query -> !rows
  %z = hsa.load %r : !query -> !rows
  %y = arith.minimumf %x, %z : !rows
  hsa.return %y : !rows
}

// As maximumf: NaN is neither greater nor equal.
// CHECK-LABEL: hsa.program @maxnumf_backward
// CHECK: %[[DY:.*]] = hsa.load %d_0
// CHECK: %[[X:.*]] = hsa.load %q
// CHECK: %[[Z:.*]] = hsa.load %r
// CHECK: %[[HALF:.*]] = arith.mulf %[[DY]]
// CHECK: %[[EQUAL:.*]] = arith.cmpf oeq, %[[X]], %[[Z]]
// CHECK: %[[XTIE:.*]] = arith.select %[[EQUAL]], %[[HALF]], %[[ZERO:.*]] :
// CHECK: %[[XWINS:.*]] = arith.cmpf ogt, %[[X]], %[[Z]]
// CHECK: %[[DX:.*]] = arith.select %[[XWINS]], %[[DY]], %[[XTIE]]
// CHECK: %[[ZTIE:.*]] = arith.select %{{.*}}, %[[HALF]], %[[ZERO]]
// CHECK: %[[ZWINS:.*]] = arith.cmpf ogt, %[[Z]], %[[X]]
// CHECK: %[[DZ:.*]] = arith.select %[[ZWINS]], %[[DY]], %[[ZTIE]]
// CHECK: hsa.return %[[DX]], %[[DZ]] :
hsa.program @maxnumf(%q: !query, %r: !query) -> !rows attributes {group = 4 : i64} {
  %x = hsa.load %q : !query -> !rows
  %z = hsa.load %r : !query -> !rows
  %y = arith.maxnumf %x, %z : !rows
  hsa.return %y : !rows
}

// As minimumf.
// CHECK-LABEL: hsa.program @minnumf_backward
// CHECK: %[[DY:.*]] = hsa.load %d_0
// CHECK: %[[X:.*]] = hsa.load %q
// CHECK: %[[Z:.*]] = hsa.load %r
// CHECK: %[[HALF:.*]] = arith.mulf %[[DY]]
// CHECK: %[[EQUAL:.*]] = arith.cmpf oeq, %[[X]], %[[Z]]
// CHECK: %[[XTIE:.*]] = arith.select %[[EQUAL]], %[[HALF]], %[[ZERO:.*]] :
// CHECK: %[[XWINS:.*]] = arith.cmpf olt, %[[X]], %[[Z]]
// CHECK: %[[DX:.*]] = arith.select %[[XWINS]], %[[DY]], %[[XTIE]]
// CHECK: %[[ZTIE:.*]] = arith.select %{{.*}}, %[[HALF]], %[[ZERO]]
// CHECK: %[[ZWINS:.*]] = arith.cmpf olt, %[[Z]], %[[X]]
// CHECK: %[[DZ:.*]] = arith.select %[[ZWINS]], %[[DY]], %[[ZTIE]]
// CHECK: hsa.return %[[DX]], %[[DZ]] :
hsa.program @minnumf(%q: !query, %r: !query) -> !rows attributes {group = 4 : i64} {
  %x = hsa.load %q : !query -> !rows
  %z = hsa.load %r : !query -> !rows
  %y = arith.minnumf %x, %z : !rows
  hsa.return %y : !rows
}

// To the side that was chosen; nothing to the condition.
// CHECK-LABEL: hsa.program @select_backward
// CHECK: %[[DY:.*]] = hsa.load %d_0
// CHECK: %[[X:.*]] = hsa.load %q
// CHECK: %[[Z:.*]] = hsa.load %r
// CHECK: %[[C:.*]] = arith.cmpf ogt, %[[X]], %[[Z]]
// CHECK: %[[DX:.*]] = arith.select %[[C]], %[[DY]], %[[ZERO:.*]] :
// CHECK: %[[DZ:.*]] = arith.select %[[C]], %[[ZERO]], %[[DY]]
// CHECK: hsa.return %[[DX]], %[[DZ]] :
hsa.program @select(%q: !query, %r: !query) -> !rows attributes {group = 4 : i64} {
  %x = hsa.load %q : !query -> !rows
  %z = hsa.load %r : !query -> !rows
  %c = arith.cmpf ogt, %x, %z : !rows
  %y = arith.select %c, %x, %z : tensor<1x4x16xi1, #hsa.axes<pos, head, dim>>, !rows
  hsa.return %y : !rows
}
