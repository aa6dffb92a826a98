// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s --hsa-to-tile --canonicalize --cse | FileCheck %s
// RUN: ramify-opt %s --hsa-to-tile="rows-multiple=1 cols-multiple=1" --canonicalize --cse | FileCheck %s --check-prefix=PLAIN

// 16 positions of 5 heads are 80 rows: two programs of 48 rows each, of which the
// second has 32.

#o = #hsa.axes<pos, head, dim>
// CHECK-LABEL: tile.kernel @rows
// CHECK:         %[[X:.*]] = tile.program_id x
// CHECK:         %[[BLOCK:.*]] = arith.divui %[[X]], %c2
// CHECK:         %[[PART:.*]] = arith.remui %[[X]], %c2
// CHECK:         %[[IN:.*]] = tile.iota : tensor<48xi32>
// CHECK:         %[[PART32:.*]] = arith.index_cast %[[PART]]
// CHECK:         %[[FIRST:.*]] = arith.muli %[[PART32]], %c48_i32
// CHECK:         %[[FIRSTS:.*]] = tensor.splat %[[FIRST]]
// CHECK:         %[[ROW:.*]] = arith.addi %[[IN]], %[[FIRSTS]]
// CHECK:         arith.cmpi slt, %[[ROW]], %{{.*}} : tensor<48xi32>
// CHECK:         arith.divui %[[ROW]]
// CHECK:         arith.remui %[[ROW]]
// CHECK:         tile.gather {{.*}} -> tensor<48x32xf32>
// CHECK-LABEL: tile.plan @rows_plan
// CHECK:         %[[UP:.*]] = arith.addi %{{.*}}, %c15
// CHECK:         %[[BLOCKS:.*]] = arith.divui %[[UP]], %c16
// CHECK:         %[[GRID:.*]] = arith.muli %[[BLOCKS]], %c2
// CHECK:         tile.launch @rows grid(%[[GRID]]

// Without padding 40 rows each.
// PLAIN-LABEL: tile.kernel @rows
// PLAIN:         tile.gather {{.*}} -> tensor<40x24xf32>
hsa.program @rows(%q: !hsa.query<f32, pos = 16, head = 5, dim = 24>) -> tensor<16x5x24xf32, #o> attributes {group = 5 : i64} {
  %x = hsa.load %q : !hsa.query<f32, pos = 16, head = 5, dim = 24> -> tensor<16x5x24xf32, #o>
  hsa.return %x : tensor<16x5x24xf32, #o>
}
