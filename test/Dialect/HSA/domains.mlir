// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s | ramify-opt | FileCheck %s
// RUN: ramify-opt %s -mlir-print-op-generic | ramify-opt | FileCheck %s
//
// Which chunks a reduction visits.

!chunks = !hsa.chunks<"kv", f32, key = 64, dim = 64>
!picks = !hsa.indices<"kv", i32, heads = kv>

// CHECK-LABEL: hsa.program @domains
hsa.program @domains(%k: !chunks, %picks: !picks, %n: i32) attributes {group = 1 : i64} {
  // CHECK: hsa.selected %picks : !hsa.indices<"kv", i32, heads = kv> -> !hsa.domain<"kv", "picks">
  %0 = hsa.selected %picks : !picks -> !hsa.domain<"kv", "picks">
  // CHECK: %[[FIRST:.*]] = hsa.first %k keys %n : !hsa.chunks<"kv", f32, key = 64, dim = 64> -> !hsa.domain<"kv">
  %1 = hsa.first %k keys %n : !chunks -> !hsa.domain<"kv">
  // CHECK: %[[WINDOW:.*]] = hsa.window %k last %n align outside %[[FIRST]] : !hsa.chunks<"kv", f32, key = 64, dim = 64>, !hsa.domain<"kv"> -> !hsa.domain<"kv">
  %2 = hsa.window %k last %n align outside %1 : !chunks, !hsa.domain<"kv"> -> !hsa.domain<"kv">
  // CHECK: hsa.window %k last %n : !hsa.chunks<"kv", f32, key = 64, dim = 64> -> !hsa.domain<"kv">
  %3 = hsa.window %k last %n : !chunks -> !hsa.domain<"kv">
  // CHECK: hsa.own %k outside %[[WINDOW]] : !hsa.chunks<"kv", f32, key = 64, dim = 64>, !hsa.domain<"kv"> -> !hsa.domain<"kv">
  %4 = hsa.own %k outside %2 : !chunks, !hsa.domain<"kv"> -> !hsa.domain<"kv">
  // CHECK: hsa.every %k : !hsa.chunks<"kv", f32, key = 64, dim = 64> -> !hsa.domain<"kv">
  %5 = hsa.every %k : !chunks -> !hsa.domain<"kv">
  hsa.return
}
