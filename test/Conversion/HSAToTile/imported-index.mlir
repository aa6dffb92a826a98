// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s --hsa-to-tile="schedule=chunk_major imported=indices" --canonicalize --cse | FileCheck %s
// RUN: ramify-opt %s --hsa-to-tile="schedule=chunk_major imported=others" | FileCheck %s --check-prefix=OWN
// RUN: ramify-opt %s --hsa-to-tile="schedule=query_major imported=indices" | FileCheck %s --check-prefix=OWN

// It may be for more chunks than the sequence has: their items are not visited.
// CHECK-LABEL: tile.kernel @f_visits(
// CHECK:         %[[COUNT:.*]] = memref.load %counts
// CHECK:         scf.if
// CHECK:           %[[CHUNK:.*]] = memref.load %items
// CHECK:           %[[EXISTS:.*]] = arith.cmpi slt, %[[CHUNK]]
// CHECK:           scf.if %[[EXISTS]]

// An index that the call brings along: no kernel makes one, and its arrays are
// the last arguments of the plan.
// CHECK-NOT:   tile.kernel @f_indices
// CHECK:       tile.plan @f_plan(%q:
// CHECK-SAME:    %indices__counts: {{[^{]*}} {ramify.dims = ["B", "indices__windows", "H", "indices__sizes"], ramify.name = "indices__counts"}
// CHECK-SAME:    %indices__items: {{[^{]*}} {ramify.dims = ["B", "indices__windows", "H", "indices__words"]
// CHECK-SAME:    %indices__entries: {{[^{]*}} {ramify.dims = ["B", "indices__windows", "H", "indices__picks"]

// The entries of a window tell how many rows it has; a visit is told the number
// of its window among all.
// CHECK-DAG:     %[[SLOTS:.*]] = memref.dim %indices, %c3
// CHECK-DAG:     %[[WORDS:.*]] = memref.dim %indices__items, %c3
// CHECK-DAG:     %[[ITEMS:.*]] = arith.divui %[[WORDS]], %c4
// CHECK-DAG:     %[[PICKS:.*]] = memref.dim %indices__entries, %c3
// CHECK:         %[[ROWS:.*]] = arith.divui %[[PICKS]], %
// CHECK:         tile.plan_for
// CHECK:           tile.plan_for
// CHECK:             %[[WINDOW:.*]] = arith.addi
// CHECK:             %[[NUMBER:.*]] = arith.index_cast %[[WINDOW]] : index to i32
// CHECK:             tile.launch @f_visits grid(%[[ITEMS]], {{.*}}) ({{.*}}%indices__counts, %indices__items, %indices__entries, %{{[0-9]+}}, %[[NUMBER]],

// OWN-NOT: __counts

!query = !hsa.query<f32, pos = 1, head = 2, dim = 16>
!keys = !hsa.chunks<"kv", f32, key = 16, dim = 16>
!indices = !hsa.indices<"kv", i32, heads = kv>
!rows = tensor<1x2x16xf32, #hsa.axes<pos, head, dim>>
!scores = tensor<1x2x16xf32, #hsa.axes<pos, head, key>>
!chunk = tensor<16x16xf32, #hsa.axes<key, dim>>

hsa.program @f(%q: !query, %k: !keys, %indices: !indices) -> !rows attributes {group = 2 : i64} {
  %x = hsa.load %q : !query -> !rows
  %zero = hsa.identity sum : !rows
  %picks = hsa.selected %indices : !indices -> !hsa.domain<"kv", "indices">
  %o = hsa.reduce (%slot, %c) in %picks : !hsa.domain<"kv", "indices"> into (sum %zero : !rows) {
    %kc = hsa.chunk %k[%c : !hsa.chunk_id<"kv">] : !keys -> !chunk
    %s = hsa.dot %x, %kc over dim : !rows, !chunk -> !scores
    %v = hsa.dot %s, %kc over key in %c : !hsa.chunk_id<"kv"> : !scores, !chunk -> !rows
    hsa.yield %v : !rows
  }
  hsa.return %o : !rows
}
