// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s | ramify-opt | FileCheck %s
// RUN: ramify-opt %s -mlir-print-op-generic | ramify-opt | FileCheck %s
//
// Each type and attribute prints as it was written.

// CHECK-DAG: #[[QUERY:.*]] = #hsa.axes<pos, head, dim>
// CHECK-DAG: #[[STREAM:.*]] = #hsa.axes<pos, head, chunk>

// CHECK: @roles(!hsa.query<bf16, pos = 1, head = 16, dim = 64>,
// CHECK-SAME: !hsa.chunks<"kv", f32, key = 32, dim = 80>,
// CHECK-SAME: !hsa.indices<"kv", i64, heads = one>,
// CHECK-SAME: !hsa.weights<"picks", f16, heads = query>)
func.func private @roles(!hsa.query<bf16, pos = 1, head = 16, dim = 64>,
                         !hsa.chunks<"kv", f32, key = 32, dim = 80>,
                         !hsa.indices<"kv", i64, heads = one>,
                         !hsa.weights<"picks", f16, heads = query>)

// CHECK: @arrays(!hsa.array<f32, []>, !hsa.array<f32, [head = 16], batch>,
// CHECK-SAME: !hsa.array<f32, [key = 64], of "kv">,
// CHECK-SAME: !hsa.array<bf16, [head = 16, chunk = ?], of "kv", batch>,
// CHECK-SAME: !hsa.array<f16, [chunk = ?], of "kv", key = 64, batch>)
func.func private @arrays(!hsa.array<f32, []>, !hsa.array<f32, [head = 16], batch>,
                          !hsa.array<f32, [key = 64], of "kv">,
                          !hsa.array<bf16, [head = 16, chunk = ?], of "kv", batch>,
                          !hsa.array<f16, [chunk = ?], of "kv", key = 64, batch>)

// CHECK: @sequences(!hsa.num_keys, !hsa.num_keys<from_end>, !hsa.q_start, !hsa.q_positions,
// CHECK-SAME: !hsa.q_positions<batch>)
func.func private @sequences(!hsa.num_keys, !hsa.num_keys<from_end>, !hsa.q_start,
                             !hsa.q_positions, !hsa.q_positions<batch>)

// CHECK: @values(!hsa.domain<"kv">, !hsa.domain<"kv", "picks">, !hsa.chunk_id<"kv">,
// CHECK-SAME: !hsa.slot<"picks">,
// CHECK-SAME: !hsa.softmax_state<tensor<1x16x64xf32, #[[QUERY]]>>)
func.func private @values(!hsa.domain<"kv">, !hsa.domain<"kv", "picks">, !hsa.chunk_id<"kv">,
                          !hsa.slot<"picks">,
                          !hsa.softmax_state<tensor<1x16x64xf32, #hsa.axes<pos, head, dim>>>)

// CHECK: @stream(tensor<1x16x?xf32, #[[STREAM]]>)
func.func private @stream(tensor<1x16x?xf32, #hsa.axes<pos, head, chunk>>)
