// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s -split-input-file -verify-diagnostics
//
// One case for each constraint of load, chunk, at and the positions.

// load C1
func.func @f(%a: !hsa.array<f32, [key = 64], of "kv">) {
  // expected-error @below {{source is '!hsa.array<f32, [key = 64], of "kv">', but an array without key and chunk axes was expected; use hsa.chunk}}
  %0 = hsa.load %a : !hsa.array<f32, [key = 64], of "kv"> -> tensor<64xf32, #hsa.axes<key>>
  return
}

// -----

// load C2
func.func @f(%q: !hsa.query<bf16, pos = 1, head = 16, dim = 64>) {
  // expected-error @below {{result is 'bf16', but 'tensor<1x16x64xbf16, #hsa.axes<pos, head, dim>>' was expected}}
  %0 = hsa.load %q : !hsa.query<bf16, pos = 1, head = 16, dim = 64> -> bf16
  return
}

// -----

// load C2
func.func @f(%a: !hsa.array<f32, [head = 16, pos = 1]>) {
  // expected-error @below {{result is 'tensor<16xf32, #hsa.axes<head>>', but 'tensor<1x16xf32, #hsa.axes<pos, head>>' was expected}}
  %0 = hsa.load %a : !hsa.array<f32, [head = 16, pos = 1]> -> tensor<16xf32, #hsa.axes<head>>
  return
}

// -----

// chunk C1
func.func @f(%a: !hsa.array<f32, []>, %c: !hsa.chunk_id<"kv">) {
  // expected-error @below {{source is '!hsa.array<f32, []>', but one of partition "kv" was expected}}
  %0 = hsa.chunk %a[%c : !hsa.chunk_id<"kv">] : !hsa.array<f32, []> -> f32
  return
}

// -----

// chunk C2
func.func @f(%k: !hsa.chunks<"kv", f32, key = 64, dim = 32>, %c: !hsa.chunk_id<"kv">) {
  // expected-error @below {{result is 'tensor<32x64xf32, #hsa.axes<key, dim>>', but 'tensor<64x32xf32, #hsa.axes<key, dim>>' was expected}}
  %0 = hsa.chunk %k[%c : !hsa.chunk_id<"kv">] : !hsa.chunks<"kv", f32, key = 64, dim = 32>
      -> tensor<32x64xf32, #hsa.axes<key, dim>>
  return
}

// -----

// at C1
func.func @f(%w: !hsa.weights<"picks", f32, heads = kv>, %slot: !hsa.slot<"others">) {
  // expected-error @below {{weights are of "picks", but the slot is of "others"}}
  %0 = hsa.at %w[%slot : !hsa.slot<"others">] : !hsa.weights<"picks", f32, heads = kv> -> f32
  return
}

// -----

// at C2
func.func @f(%w: !hsa.weights<"picks", bf16, heads = one>, %slot: !hsa.slot<"picks">) {
  // expected-error @below {{result is 'f32', but 'bf16' was expected}}
  %0 = hsa.at %w[%slot : !hsa.slot<"picks">] : !hsa.weights<"picks", bf16, heads = one> -> f32
  return
}

// -----

// at C2
func.func @f(%w: !hsa.weights<"picks", f32, heads = query>, %slot: !hsa.slot<"picks">) {
  // expected-error @below {{result is 'f32', but a tensor of 'f32' over head was expected}}
  %0 = hsa.at %w[%slot : !hsa.slot<"picks">] : !hsa.weights<"picks", f32, heads = query> -> f32
  return
}

// -----

// query_positions C1
func.func @f() {
  // expected-error @below {{result is 'tensor<1xf32, #hsa.axes<pos>>', but a tensor of 'i32' over pos was expected}}
  %0 = hsa.query_positions : tensor<1xf32, #hsa.axes<pos>>
  return
}

// -----

// key_positions C1
func.func @f(%c: !hsa.chunk_id<"kv">) {
  // expected-error @below {{result is 'tensor<64xi32, #hsa.axes<pos>>', but a tensor of 'i32' over key was expected}}
  %0 = hsa.key_positions %c : !hsa.chunk_id<"kv"> -> tensor<64xi32, #hsa.axes<pos>>
  return
}

// -----

// load C5
func.func @f(%dk: !hsa.sums<!hsa.chunks<"kv", f32, key = 64, dim = 64>>) {
  // expected-error @below {{source is '!hsa.sums<!hsa.chunks<"kv", f32, key = 64, dim = 64>>', but sums of weights were expected}}
  %0 = hsa.load %dk : !hsa.sums<!hsa.chunks<"kv", f32, key = 64, dim = 64>> -> tensor<64xf32, #hsa.axes<key>>
  return
}
