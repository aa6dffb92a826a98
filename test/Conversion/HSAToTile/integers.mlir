// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s --hsa-to-tile --canonicalize --cse | FileCheck %s

// Integer operations that the targets do not have: |x| = max(x, -x), and the
// quotient rounded down.

#p = #hsa.axes<pos>
// CHECK-LABEL: tile.kernel @integers
// CHECK:         %[[MINUS:.*]] = arith.subi %{{.*}}, %[[T:splat_?[0-9]*]] overflow<nsw>
// CHECK:         %[[ABS:.*]] = arith.maxsi %[[T]], %[[MINUS]]
// CHECK:         %[[Q:.*]] = arith.divsi %[[T]], %[[D:.*]] : tensor<16xi32>
// CHECK:         %[[BACK:.*]] = arith.muli %[[Q]], %[[D]]
// CHECK:         %[[REST:.*]] = arith.subi %[[T]], %[[BACK]]
// CHECK:         %[[SIGNS:.*]] = arith.xori %[[T]], %[[D]]
// CHECK:         %[[SOME:.*]] = arith.cmpi ne, %[[REST]]
// CHECK:         %[[DIFFER:.*]] = arith.cmpi slt, %[[SIGNS]]
// CHECK:         %[[BELOW:.*]] = arith.andi %[[SOME]], %[[DIFFER]]
// CHECK:         %[[LESS:.*]] = arith.subi %[[Q]]
// CHECK:         arith.select %[[BELOW]], %[[LESS]], %[[Q]]
hsa.program @integers(%q: !hsa.query<f32, pos = 1, head = 16, dim = 16>)
    -> tensor<1x16xf32, #hsa.axes<pos, head>> attributes {group = 16 : i64} {
  %t = hsa.query_positions : tensor<1xi32, #p>
  %a = math.absi %t : tensor<1xi32, #p>
  %d = arith.constant dense<-3> : tensor<1xi32, #p>
  %f = arith.floordivsi %t, %d : tensor<1xi32, #p>
  %s = arith.addi %a, %f : tensor<1xi32, #p>
  %w = arith.sitofp %s : tensor<1xi32, #p> to tensor<1xf32, #p>
  %r = hsa.broadcast %w : tensor<1xf32, #p> to tensor<1x16xf32, #hsa.axes<pos, head>>
  hsa.return %r : tensor<1x16xf32, #hsa.axes<pos, head>>
}
