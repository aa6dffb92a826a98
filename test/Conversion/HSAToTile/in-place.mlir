// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s --hsa-to-tile="schedule=chunk_major otherwise=query_major in-place" --split-input-file | FileCheck %s
// RUN: not ramify-opt %s --hsa-to-tile="schedule=chunk_major in-place" --split-input-file 2>&1 | FileCheck %s --check-prefix=ALONE
// RUN: not ramify-opt %s --hsa-to-tile="schedule=chunk_major keys-per-row=9" --split-input-file 2>&1 | FileCheck %s --check-prefix=FEW

// Sums that visits add to a result need no launch behind them.

!query = !hsa.query<f32, pos = 1, head = 2, dim = 16>
!keys = !hsa.chunks<"kv", f32, key = 16, dim = 16>
!indices = !hsa.indices<"kv", i32, heads = kv>
!rows = tensor<1x2x16xf32, #hsa.axes<pos, head, dim>>
!scores = tensor<1x2x16xf32, #hsa.axes<pos, head, key>>
!chunk = tensor<16x16xf32, #hsa.axes<key, dim>>

// FEW: 'hsa.program' op has chunks of 16 keys for query blocks of 2 rows, of which chunk_major is asked to have 9 each
// CHECK: tile.kernel @summed_visits(
// CHECK: tile.plan @summed_plan
hsa.program @summed(%q: !query, %k: !keys, %indices: !indices) -> !rows attributes {group = 2 : i64} {
  %x = hsa.load %q : !query -> !rows
  %zero = hsa.identity sum : !rows
  %picks = hsa.selected %indices : !indices -> !hsa.domain<"kv", "indices">
  %sum = hsa.reduce (%slot, %c) in %picks : !hsa.domain<"kv", "indices"> into (sum %zero : !rows) {
    %kc = hsa.chunk %k[%c : !hsa.chunk_id<"kv">] : !keys -> !chunk
    %s = hsa.dot %x, %kc over dim : !rows, !chunk -> !scores
    %o = hsa.dot %s, %kc over key in %c : !hsa.chunk_id<"kv"> : !scores, !chunk -> !rows
    hsa.yield %o : !rows
  }
  hsa.return %sum : !rows
}

// -----

// What is still to be multiplied is another schedule's.

!query = !hsa.query<f32, pos = 1, head = 2, dim = 16>
!keys = !hsa.chunks<"kv", f32, key = 16, dim = 16>
!indices = !hsa.indices<"kv", i32, heads = kv>
!rows = tensor<1x2x16xf32, #hsa.axes<pos, head, dim>>
!scores = tensor<1x2x16xf32, #hsa.axes<pos, head, key>>
!chunk = tensor<16x16xf32, #hsa.axes<key, dim>>

// CHECK: tile.kernel @finished(
// CHECK-NOT: tile.kernel
// CHECK: tile.plan @finished_plan
// ALONE: 'hsa.program' op is asked for visits that add to results, but needs a launch to finish them
hsa.program @finished(%q: !query, %k: !keys, %indices: !indices) -> !rows attributes {group = 2 : i64} {
  %x = hsa.load %q : !query -> !rows
  %zero = hsa.identity sum : !rows
  %picks = hsa.selected %indices : !indices -> !hsa.domain<"kv", "indices">
  %sum = hsa.reduce (%slot, %c) in %picks : !hsa.domain<"kv", "indices"> into (sum %zero : !rows) {
    %kc = hsa.chunk %k[%c : !hsa.chunk_id<"kv">] : !keys -> !chunk
    %s = hsa.dot %x, %kc over dim : !rows, !chunk -> !scores
    %o = hsa.dot %s, %kc over key in %c : !hsa.chunk_id<"kv"> : !scores, !chunk -> !rows
    hsa.yield %o : !rows
  }
  %product = arith.mulf %sum, %x : !rows
  hsa.return %product : !rows
}
