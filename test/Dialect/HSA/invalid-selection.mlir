// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s -split-input-file -verify-diagnostics
//
// One case for each constraint of streams, picks and slots.

// landmarks C1
// expected-error @below {{elements are 'i32', but f32, bf16 or f16 was expected}}
func.func private @f(!hsa.landmarks<"kv", i32, heads = kv, key = 64, dim = 32>)

// -----

// landmarks C2
// expected-error @below {{key is 0, but a positive size was expected}}
func.func private @f(!hsa.landmarks<"kv", f32, heads = kv, key = 0, dim = 32>)

// -----

// landmarks C3
// expected-error @below {{the name of the partition is empty}}
func.func private @f(!hsa.landmarks<"", f32, heads = kv, key = 64, dim = 32>)

// -----

// indices C3
// expected-error @below {{slots is -1, but a positive size was expected}}
func.func private @f(!hsa.indices<"kv", i32, heads = kv, slots = -1>)

// -----

// weights C3
// expected-error @below {{slots is -2, but a positive size was expected}}
func.func private @f(!hsa.weights<"picks", f32, heads = kv, slots = -2>)

// -----

// stream C1
func.func @f(%a: !hsa.array<f32, [key = 64], of "kv">) {
  // expected-error @below {{source is '!hsa.array<f32, [key = 64], of "kv">', but landmarks or an array with a chunk axis was expected}}
  %0 = hsa.stream %a : !hsa.array<f32, [key = 64], of "kv"> -> tensor<64xf32, #hsa.axes<key>>
  return
}

// -----

// stream C2
func.func @f(%a: !hsa.array<bf16, [chunk = ?], of "kv">) {
  // expected-error @below {{result is 'tensor<?xf32, #hsa.axes<chunk>>', but 'tensor<?xbf16, #hsa.axes<chunk>>' was expected}}
  %0 = hsa.stream %a : !hsa.array<bf16, [chunk = ?], of "kv"> -> tensor<?xf32, #hsa.axes<chunk>>
  return
}

// -----

// stream C3
func.func @f(%a: !hsa.landmarks<"kv", f32, heads = kv, key = 64, dim = 32>) {
  // expected-error @below {{result is 'tensor<8x32xf32, #hsa.axes<chunk, dim>>', but 'tensor<?x32xf32, #hsa.axes<chunk, dim>>' was expected}}
  %0 = hsa.stream %a : !hsa.landmarks<"kv", f32, heads = kv, key = 64, dim = 32>
      -> tensor<8x32xf32, #hsa.axes<chunk, dim>>
  return
}

// -----

// stream C3
func.func @f(%a: !hsa.landmarks<"kv", f32, heads = query, key = 64, dim = 32>) {
  // expected-error @below {{result is 'tensor<?x32xf32, #hsa.axes<chunk, dim>>', but 'tensor<1x?x32xf32, #hsa.axes<head, chunk, dim>>' was expected}}
  %0 = hsa.stream %a : !hsa.landmarks<"kv", f32, heads = query, key = 64, dim = 32>
      -> tensor<?x32xf32, #hsa.axes<chunk, dim>>
  return
}

// -----

// chunk_info C1
func.func @f() {
  // expected-error @below {{result is 'tensor<?xf32, #hsa.axes<chunk>>', but 'tensor<?xi32, #hsa.axes<chunk>>' was expected}}
  %0 = hsa.chunk_info end in "kv" : tensor<?xf32, #hsa.axes<chunk>>
  return
}

// -----

// chunk_info C2
hsa.program @f(%lm: !hsa.landmarks<"kv", f32, heads = kv, key = 64, dim = 32>) attributes {group = 1} {
  // expected-error @below {{asks for chunks of "cmp", whose size no parameter tells}}
  %0 = hsa.chunk_info end in "cmp" : tensor<?xi32, #hsa.axes<chunk>>
  hsa.return
}

// -----

// topk C1
func.func @f(%s: tensor<1x?xf32, #hsa.axes<pos, chunk>>) {
  // expected-error @below {{k is 129, but 1 to 128 was expected}}
  %0 = hsa.topk %s k 129 order nearest : tensor<1x?xf32, #hsa.axes<pos, chunk>> -> tensor<1x129xi32, #hsa.axes<pos, slot>>
  return
}

// -----

// topk C1
func.func @f(%s: tensor<1x?xf32, #hsa.axes<pos, chunk>>) {
  // expected-error @below {{k is 0, but 1 to 128 was expected}}
  %0 = hsa.topk %s k 0 order nearest : tensor<1x?xf32, #hsa.axes<pos, chunk>> -> tensor<1x1xi32, #hsa.axes<pos, slot>>
  return
}

// -----

// topk C2
func.func @f(%s: tensor<1x?xi32, #hsa.axes<pos, chunk>>) {
  // expected-error @below {{works on f32, but its elements are 'i32'}}
  %0 = hsa.topk %s k 8 order nearest : tensor<1x?xi32, #hsa.axes<pos, chunk>> -> tensor<1x8xi32, #hsa.axes<pos, slot>>
  return
}

// -----

// topk C2
func.func @f(%s: tensor<1x64xf32, #hsa.axes<pos, key>>) {
  // expected-error @below {{reads 'tensor<1x64xf32, #hsa.axes<pos, key>>', but a stream over chunk, with pos and head if at all, was expected}}
  %0 = hsa.topk %s k 8 order nearest : tensor<1x64xf32, #hsa.axes<pos, key>> -> tensor<1x8xi32, #hsa.axes<pos, slot>>
  return
}

// -----

// topk C3
func.func @f(%s: tensor<1x?xf32, #hsa.axes<pos, chunk>>) {
  // expected-error @below {{result is 'tensor<1x4xi32, #hsa.axes<pos, slot>>', but 'tensor<1x8xi32, #hsa.axes<pos, slot>>' was expected}}
  %0 = hsa.topk %s k 8 order nearest : tensor<1x?xf32, #hsa.axes<pos, chunk>> -> tensor<1x4xi32, #hsa.axes<pos, slot>>
  return
}

// -----

// take C1
func.func @f(%s: tensor<1x?xi1, #hsa.axes<pos, chunk>>, %k: tensor<1x8xi32, #hsa.axes<pos, slot>>) {
  // expected-error @below {{takes from a stream of 'i1', but f32 or i32 was expected}}
  %0 = hsa.take %s at %k : tensor<1x?xi1, #hsa.axes<pos, chunk>>, tensor<1x8xi32, #hsa.axes<pos, slot>>
      -> tensor<1x8xi1, #hsa.axes<pos, slot>>
  return
}

// -----

// take C1
func.func @f(%s: tensor<?x8xf32, #hsa.axes<chunk, dim>>, %k: tensor<1x8xi32, #hsa.axes<pos, slot>>) {
  // expected-error @below {{but a stream over chunk, with pos and head if at all, was expected}}
  %0 = hsa.take %s at %k : tensor<?x8xf32, #hsa.axes<chunk, dim>>, tensor<1x8xi32, #hsa.axes<pos, slot>>
      -> tensor<1x8x8xf32, #hsa.axes<pos, slot, dim>>
  return
}

// -----

// take C2
func.func @f(%s: tensor<1x?xf32, #hsa.axes<pos, chunk>>, %k: tensor<1x8xf32, #hsa.axes<pos, slot>>) {
  // expected-error @below {{slots are 'tensor<1x8xf32, #hsa.axes<pos, slot>>', but i32 over slot, with pos and head if at all, was expected}}
  %0 = hsa.take %s at %k : tensor<1x?xf32, #hsa.axes<pos, chunk>>, tensor<1x8xf32, #hsa.axes<pos, slot>>
      -> tensor<1x8xf32, #hsa.axes<pos, slot>>
  return
}

// -----

// take C3
func.func @f(%s: tensor<2x?xf32, #hsa.axes<pos, chunk>>, %k: tensor<1x8xi32, #hsa.axes<pos, slot>>) {
  // expected-error @below {{has an axis pos of 2 and of 1, but equal sizes were expected}}
  %0 = hsa.take %s at %k : tensor<2x?xf32, #hsa.axes<pos, chunk>>, tensor<1x8xi32, #hsa.axes<pos, slot>>
      -> tensor<1x8xf32, #hsa.axes<pos, slot>>
  return
}

// -----

// take C4
func.func @f(%s: tensor<1x?xf32, #hsa.axes<pos, chunk>>, %k: tensor<1x8xi32, #hsa.axes<pos, slot>>) {
  // expected-error @below {{result is 'tensor<1x8xi32, #hsa.axes<pos, slot>>', but 'tensor<1x8xf32, #hsa.axes<pos, slot>>' was expected}}
  %0 = hsa.take %s at %k : tensor<1x?xf32, #hsa.axes<pos, chunk>>, tensor<1x8xi32, #hsa.axes<pos, slot>>
      -> tensor<1x8xi32, #hsa.axes<pos, slot>>
  return
}

// -----

// scan C1
func.func @f(%x: tensor<8xf32, #hsa.axes<slot>>) {
  // expected-error @below {{monoid is max, but sum was expected}}
  %0 = hsa.scan max %x over slot : tensor<8xf32, #hsa.axes<slot>>
  return
}

// -----

// scan C2
func.func @f(%x: tensor<8xi32, #hsa.axes<slot>>) {
  // expected-error @below {{works on f32, but its elements are 'i32'}}
  %0 = hsa.scan sum %x over slot : tensor<8xi32, #hsa.axes<slot>>
  return
}

// -----

// scan C3
func.func @f(%x: tensor<?xf32, #hsa.axes<chunk>>) {
  // expected-error @below {{goes over chunk, but slot was expected}}
  %0 = hsa.scan sum %x over chunk : tensor<?xf32, #hsa.axes<chunk>>
  return
}

// -----

// scan C3
func.func @f(%x: tensor<8xf32, #hsa.axes<head>>) {
  // expected-error @below {{goes over slot, but 'tensor<8xf32, #hsa.axes<head>>' has no such axis}}
  %0 = hsa.scan sum %x over slot : tensor<8xf32, #hsa.axes<head>>
  return
}

// -----

// logsumexp C1
func.func @f(%x: tensor<?xbf16, #hsa.axes<chunk>>) {
  // expected-error @below {{works on f32, but its elements are 'bf16'}}
  %0 = hsa.logsumexp %x over chunk : tensor<?xbf16, #hsa.axes<chunk>> -> bf16
  return
}

// -----

// logsumexp C2
func.func @f(%x: tensor<8xf32, #hsa.axes<slot>>) {
  // expected-error @below {{goes over chunk, but 'tensor<8xf32, #hsa.axes<slot>>' has no such axis}}
  %0 = hsa.logsumexp %x over chunk : tensor<8xf32, #hsa.axes<slot>> -> f32
  return
}

// -----

// logsumexp C3
func.func @f(%x: tensor<8xf32, #hsa.axes<key>>) {
  // expected-error @below {{goes over key, but names no chunk}}
  %0 = hsa.logsumexp %x over key : tensor<8xf32, #hsa.axes<key>> -> f32
  return
}

// -----

// logsumexp C4
func.func @f(%x: tensor<8xf32, #hsa.axes<slot>>) {
  // expected-error @below {{result is 'tensor<8xf32, #hsa.axes<slot>>', but 'f32' was expected}}
  %0 = hsa.logsumexp %x over slot : tensor<8xf32, #hsa.axes<slot>> -> tensor<8xf32, #hsa.axes<slot>>
  return
}

// -----

// load C3
func.func @f(%w: !hsa.weights<"picks", f32, heads = kv>) {
  // expected-error @below {{source is '!hsa.weights<"picks", f32, heads = kv>', but `slots` was expected to read it whole}}
  %0 = hsa.load %w : !hsa.weights<"picks", f32, heads = kv> -> tensor<8xf32, #hsa.axes<slot>>
  return
}

// -----

// load C4
func.func @f(%k: !hsa.indices<"kv", i64, heads = kv, slots = 8>) {
  // expected-error @below {{result is 'tensor<8xf32, #hsa.axes<slot>>', but 'tensor<8xi32, #hsa.axes<slot>>' was expected}}
  %0 = hsa.load %k : !hsa.indices<"kv", i64, heads = kv, slots = 8> -> tensor<8xf32, #hsa.axes<slot>>
  return
}

// -----

// load C4
func.func @f(%w: !hsa.weights<"picks", f32, heads = query, slots = 8>) {
  // expected-error @below {{result is 'tensor<8xf32, #hsa.axes<slot>>', but 'tensor<1x8xf32, #hsa.axes<head, slot>>' was expected}}
  %0 = hsa.load %w : !hsa.weights<"picks", f32, heads = query, slots = 8> -> tensor<8xf32, #hsa.axes<slot>>
  return
}

// -----

// chunk C3
func.func @f(%lm: !hsa.landmarks<"kv", f32, heads = one, key = 64, dim = 32>, %c: !hsa.chunk_id<"kv">) {
  // expected-error @below {{result is 'tensor<4x32xf32, #hsa.axes<head, dim>>', but 'tensor<32xf32, #hsa.axes<dim>>' was expected}}
  %0 = hsa.chunk %lm[%c : !hsa.chunk_id<"kv">] : !hsa.landmarks<"kv", f32, heads = one, key = 64, dim = 32>
      -> tensor<4x32xf32, #hsa.axes<head, dim>>
  return
}

// -----

// at C3
func.func @f(%x: tensor<1x8xf32, #hsa.axes<pos, head>>, %slot: !hsa.slot<"picks">) {
  // expected-error @below {{reads 'tensor<1x8xf32, #hsa.axes<pos, head>>', but a tensor with a slot axis was expected}}
  %0 = hsa.at %x[%slot : !hsa.slot<"picks">] : tensor<1x8xf32, #hsa.axes<pos, head>> -> tensor<1xf32, #hsa.axes<pos>>
  return
}

// -----

// at C3
func.func @f(%x: tensor<1x8xf32, #hsa.axes<pos, slot>>, %slot: !hsa.slot<"picks">) {
  // expected-error @below {{result is 'f32', but 'tensor<1xf32, #hsa.axes<pos>>' was expected}}
  %0 = hsa.at %x[%slot : !hsa.slot<"picks">] : tensor<1x8xf32, #hsa.axes<pos, slot>> -> f32
  return
}

// -----

// at C4
func.func @f(%x: tensor<4xf32, #hsa.axes<slot>>, %slots: tensor<8xi32, #hsa.axes<slot>>,
             %zero: tensor<1x1xf32, #hsa.axes<pos, head>>) {
  %d = hsa.selected %slots in "kv" as "picks" : tensor<8xi32, #hsa.axes<slot>> -> !hsa.domain<"kv", "picks">
  %0 = hsa.reduce (%slot, %c) in %d : !hsa.domain<"kv", "picks"> into (sum %zero : tensor<1x1xf32, #hsa.axes<pos, head>>) {
    // expected-error @below {{reads 'tensor<4xf32, #hsa.axes<slot>>', but the selection has 8 slots}}
    %1 = hsa.at %x[%slot : !hsa.slot<"picks">] : tensor<4xf32, #hsa.axes<slot>> -> f32
    %2 = hsa.broadcast %1 : f32 to tensor<1x1xf32, #hsa.axes<pos, head>>
    hsa.yield %2 : tensor<1x1xf32, #hsa.axes<pos, head>>
  }
  return
}

// -----

// selected C2
func.func @f(%slots: tensor<8xi32, #hsa.axes<slot>>) {
  // expected-error @below {{result is '!hsa.domain<"cmp", "picks">', but '!hsa.domain<"kv", "picks">' was expected}}
  %d = hsa.selected %slots in "kv" as "picks" : tensor<8xi32, #hsa.axes<slot>> -> !hsa.domain<"cmp", "picks">
  return
}

// -----

// selected C3
func.func @f(%slots: tensor<8xi32, #hsa.axes<slot>>) {
  // expected-error @below {{visits computed slots, but gives them no partition and name (`in` and `as`)}}
  %d = hsa.selected %slots : tensor<8xi32, #hsa.axes<slot>> -> !hsa.domain<"kv", "picks">
  return
}

// -----

// selected C3
hsa.program @f(%k: !hsa.chunks<"kv", f32, key = 64, dim = 64>, %picks: !hsa.indices<"kv", i32, heads = kv>)
    attributes {group = 1} {
  // expected-error @below {{gives a parameter a partition and a name, as only computed slots have}}
  %0 = hsa.selected %picks in "kv" as "picks" : !hsa.indices<"kv", i32, heads = kv> -> !hsa.domain<"kv", "picks">
  hsa.return
}

// -----

// selected C3
hsa.program @f(%k: !hsa.chunks<"kv", f32, key = 64, dim = 64>, %picks: !hsa.indices<"kv", i32, heads = kv, slots = 8>)
    attributes {group = 1} {
  %slots = hsa.load %picks : !hsa.indices<"kv", i32, heads = kv, slots = 8> -> tensor<8xi32, #hsa.axes<slot>>
  // expected-error @below {{names its slots "picks", but a parameter has that name}}
  %0 = hsa.selected %slots in "kv" as "picks" : tensor<8xi32, #hsa.axes<slot>> -> !hsa.domain<"kv", "picks">
  hsa.return
}

// -----

// selected C4
func.func @f(%slots: tensor<2x8xi32, #hsa.axes<pos, slot>>) {
  // expected-error @below {{slots are 'tensor<2x8xi32, #hsa.axes<pos, slot>>', but i32 over slot, with pos and head of size 1 if at all, was expected}}
  %d = hsa.selected %slots in "kv" as "picks" : tensor<2x8xi32, #hsa.axes<pos, slot>> -> !hsa.domain<"kv", "picks">
  return
}

// -----

// program C5
// expected-error @below {{parameter "lm" has chunks of 32 keys, but another of partition "kv" has 64}}
hsa.program @f(%k: !hsa.chunks<"kv", f32, key = 64, dim = 64>,
               %lm: !hsa.landmarks<"kv", f32, heads = kv, key = 32, dim = 64>) attributes {group = 1} {
  hsa.return
}

// -----

// program C7
// expected-error @below {{result is 'tensor<1x8xi1, #hsa.axes<pos, slot>>', but an f32 tensor over pos, head or over pos, head, dim, an f32 or i32 tensor over pos, slot or over pos, head, slot, or sums was expected}}
hsa.program @f() -> tensor<1x8xi1, #hsa.axes<pos, slot>> attributes {group = 1} {
  %0 = arith.constant dense<true> : tensor<1x8xi1, #hsa.axes<pos, slot>>
  hsa.return %0 : tensor<1x8xi1, #hsa.axes<pos, slot>>
}

// -----

// put C1
func.func @f(%x: tensor<1x8xbf16, #hsa.axes<pos, slot>>, %k: tensor<1x8xi32, #hsa.axes<pos, slot>>) {
  // expected-error @below {{works on f32, but its elements are 'bf16'}}
  %0 = hsa.put %x at %k : tensor<1x8xbf16, #hsa.axes<pos, slot>>, tensor<1x8xi32, #hsa.axes<pos, slot>>
      -> tensor<1x?xbf16, #hsa.axes<pos, chunk>>
  return
}

// -----

// put C2
func.func @f(%x: tensor<1x8xf32, #hsa.axes<pos, slot>>) {
  // expected-error @below {{slots are 'tensor<1x8xf32, #hsa.axes<pos, slot>>', but i32 over slot, with pos and head if at all, was expected}}
  %0 = hsa.put %x at %x : tensor<1x8xf32, #hsa.axes<pos, slot>>, tensor<1x8xf32, #hsa.axes<pos, slot>>
      -> tensor<1x?xf32, #hsa.axes<pos, chunk>>
  return
}

// -----

// put C3
func.func @f(%x: tensor<1x4xf32, #hsa.axes<pos, slot>>, %k: tensor<1x8xi32, #hsa.axes<pos, slot>>) {
  // expected-error @below {{puts 'tensor<1x4xf32, #hsa.axes<pos, slot>>', but slot = 8 was expected}}
  %0 = hsa.put %x at %k : tensor<1x4xf32, #hsa.axes<pos, slot>>, tensor<1x8xi32, #hsa.axes<pos, slot>>
      -> tensor<1x?xf32, #hsa.axes<pos, chunk>>
  return
}

// -----

// put C4
func.func @f(%x: tensor<1x8xf32, #hsa.axes<pos, slot>>, %k: tensor<1x8xi32, #hsa.axes<pos, slot>>) {
  // expected-error @below {{result is 'tensor<?xf32, #hsa.axes<chunk>>', but 'tensor<1x?xf32, #hsa.axes<pos, chunk>>' was expected}}
  %0 = hsa.put %x at %k : tensor<1x8xf32, #hsa.axes<pos, slot>>, tensor<1x8xi32, #hsa.axes<pos, slot>>
      -> tensor<?xf32, #hsa.axes<chunk>>
  return
}
