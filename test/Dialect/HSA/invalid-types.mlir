// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s -split-input-file -verify-diagnostics
//
// One case for each constraint of the types and of #hsa.axes.

// axes C1
// expected-error @below {{axis head stands after key, but the order is pos, head, chunk, slot, key, dim, each at most once}}
func.func private @f(tensor<8x8xf32, #hsa.axes<key, head>>)

// -----

// axes C2
// expected-error @below {{tensor has 2 axes, but 1 are named}}
func.func private @f(tensor<8x8xf32, #hsa.axes<key>>)

// -----

// axes C3
// expected-error @below {{axis key has size ?, but only chunk and slot may}}
func.func private @f(tensor<?xf32, #hsa.axes<key>>)

// -----

// axes C3
// expected-error @below {{axis key has size 0, but a positive size was expected}}
func.func private @f(tensor<0xf32, #hsa.axes<key>>)

// -----

// axes C4
// expected-error @below {{elements are 'f64', but f32, bf16, f16, i32 or i1 was expected}}
func.func private @f(tensor<8xf64, #hsa.axes<key>>)

// -----

// query C1
// expected-error @below {{elements are 'i32', but f32, bf16 or f16 was expected}}
func.func private @f(!hsa.query<i32, pos = 1, head = 16, dim = 64>)

// -----

// query C2
// expected-error @below {{head is 0, but a positive size was expected}}
func.func private @f(!hsa.query<f32, pos = 1, head = 0, dim = 64>)

// -----

// chunks C1
// expected-error @below {{elements are 'f64', but f32, bf16 or f16 was expected}}
func.func private @f(!hsa.chunks<"kv", f64, key = 64, dim = 64>)

// -----

// chunks C2
// expected-error @below {{key is -1, but a positive size was expected}}
func.func private @f(!hsa.chunks<"kv", f32, key = -1, dim = 64>)

// -----

// chunks C3
// expected-error @below {{the name of the partition is empty}}
func.func private @f(!hsa.chunks<"", f32, key = 64, dim = 64>)

// -----

// indices C1
// expected-error @below {{elements are 'i16', but i32 or i64 was expected}}
func.func private @f(!hsa.indices<"kv", i16, heads = kv>)

// -----

// indices C2
// expected-error @below {{the name of the partition is empty}}
func.func private @f(!hsa.indices<"", i32, heads = kv>)

// -----

// weights C1
// expected-error @below {{elements are 'i32', but f32, bf16 or f16 was expected}}
func.func private @f(!hsa.weights<"picks", i32, heads = kv>)

// -----

// weights C2
// expected-error @below {{the name of the indices is empty}}
func.func private @f(!hsa.weights<"", f32, heads = kv>)

// -----

// array C1
// expected-error @below {{elements are 'i32', but f32, bf16 or f16 was expected}}
func.func private @f(!hsa.array<i32, [head = 16]>)

// -----

// array C2
// expected-error @below {{array has an axis slot, but pos, head, chunk, key or dim was expected}}
func.func private @f(!hsa.array<f32, [slot = 8]>)

// -----

// array C2
// expected-error @below {{array has the axis head twice}}
func.func private @f(!hsa.array<f32, [head = 16, head = 16]>)

// -----

// array C3
// expected-error @below {{chunk is 8, but ? was expected}}
func.func private @f(!hsa.array<f32, [chunk = 8], of "kv">)

// -----

// array C3
// expected-error @below {{head is ?, but a positive size was expected}}
func.func private @f(!hsa.array<f32, [head = ?]>)

// -----

// array C4
// expected-error @below {{array has a key or chunk axis, but no partition (`of`)}}
func.func private @f(!hsa.array<f32, [key = 64]>)

// -----

// array C4
// expected-error @below {{array of partition "kv" has 2 key and chunk axes, but one was expected}}
func.func private @f(!hsa.array<f32, [chunk = ?, key = 64], of "kv">)

// -----

// array C5
// expected-error @below {{key is 0, but a positive size was expected}}
func.func private @f(!hsa.array<f32, [chunk = ?], of "kv", key = 0>)

// -----

// array C5
// expected-error @below {{array has key = 64 for its chunks, but no chunk axis}}
func.func private @f(!hsa.array<f32, [key = 64], of "kv", key = 64>)

// -----

// softmax_state C1
// expected-error @below {{the value is 'tensor<8xf32, #hsa.axes<dim>>', but an f32 tensor over pos, head, dim was expected}}
func.func private @f(!hsa.softmax_state<tensor<8xf32, #hsa.axes<dim>>>)
