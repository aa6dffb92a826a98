// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s -split-input-file -verify-diagnostics
//
// One case for each constraint of sums, mask and add.

// sums C1
// expected-error @below {{sums are of '!hsa.query<f32, pos = 1, head = 4, dim = 8>', but chunks, landmarks, weights or an array was expected}}
func.func private @f(!hsa.sums<!hsa.query<f32, pos = 1, head = 4, dim = 8>>)

// -----

// mask C1
func.func @f(%x: tensor<8xbf16, #hsa.axes<key>>, %c: !hsa.chunk_id<"kv">) {
  // expected-error @below {{works on f32, but its elements are 'bf16'}}
  %0 = hsa.mask %x in %c : !hsa.chunk_id<"kv"> : tensor<8xbf16, #hsa.axes<key>>
  return
}

// -----

// add C1
func.func @f(%x: tensor<4x8xf32, #hsa.axes<key, dim>>, %s: !hsa.sums<!hsa.chunks<"kv", f32, key = 4, dim = 8>>) {
  // expected-error @below {{adds to '!hsa.sums<!hsa.chunks<"kv", f32, key = 4, dim = 8>>', but sums of landmarks or of an array without a key axis were expected}}
  %0 = hsa.add %x into %s : tensor<4x8xf32, #hsa.axes<key, dim>>, !hsa.sums<!hsa.chunks<"kv", f32, key = 4, dim = 8>>
  return
}

// -----

// add C2
func.func @f(%x: tensor<4xbf16, #hsa.axes<head>>, %s: !hsa.sums<!hsa.array<bf16, [head = 4]>>) {
  // expected-error @below {{works on f32, but its elements are 'bf16'}}
  %0 = hsa.add %x into %s : tensor<4xbf16, #hsa.axes<head>>, !hsa.sums<!hsa.array<bf16, [head = 4]>>
  return
}

// -----

// add C2
func.func @f(%x: tensor<4xf32, #hsa.axes<head>>, %s: !hsa.sums<!hsa.array<f32, [head = 8]>>) {
  // expected-error @below {{adds 'tensor<4xf32, #hsa.axes<head>>', but head = 8 was expected}}
  %0 = hsa.add %x into %s : tensor<4xf32, #hsa.axes<head>>, !hsa.sums<!hsa.array<f32, [head = 8]>>
  return
}

// -----

// reduce C3: sums of another partition
!other = !hsa.sums<!hsa.chunks<"other", f32, key = 4, dim = 8>>
func.func @f(%d: !hsa.domain<"kv">, %s: !other, %x: tensor<4x8xf32, #hsa.axes<key, dim>>) {
  // expected-error @below {{accumulates '!hsa.sums<!hsa.chunks<"other", f32, key = 4, dim = 8>>', but visits '!hsa.domain<"kv">'}}
  %0 = hsa.reduce (%c) in %d : !hsa.domain<"kv"> into (sum %s : !other) {
    hsa.yield %x : tensor<4x8xf32, #hsa.axes<key, dim>>
  }
  return
}

// -----

// reduce C3: sums of weights where there are no slots
!sums = !hsa.sums<!hsa.weights<"indices", f32, heads = kv>>
func.func @f(%d: !hsa.domain<"kv">, %s: !sums, %x: f32) {
  // expected-error @below {{accumulates '!hsa.sums<!hsa.weights<"indices", f32, heads = kv>>', but visits '!hsa.domain<"kv">'}}
  %0 = hsa.reduce (%c) in %d : !hsa.domain<"kv"> into (sum %s : !sums) {
    hsa.yield %x : f32
  }
  return
}

// -----

// reduce C3: only sum accumulates sums
!sums = !hsa.sums<!hsa.chunks<"kv", f32, key = 4, dim = 8>>
func.func @f(%d: !hsa.domain<"kv">, %s: !sums, %x: tensor<4x8xf32, #hsa.axes<key, dim>>) {
  // expected-error @below {{accumulates '!hsa.sums<!hsa.chunks<"kv", f32, key = 4, dim = 8>>' with max, but an f32 tensor without a key, chunk or slot axis was expected}}
  %0 = hsa.reduce (%c) in %d : !hsa.domain<"kv"> into (max %s : !sums) {
    hsa.yield %x : tensor<4x8xf32, #hsa.axes<key, dim>>
  }
  return
}

// -----

// reduce C5: a part of keys
!sums = !hsa.sums<!hsa.chunks<"kv", bf16, key = 4, dim = 8>>
func.func @f(%d: !hsa.domain<"kv">, %s: !sums, %x: tensor<8xf32, #hsa.axes<dim>>) {
  // expected-error @below {{what is yielded is 'tensor<8xf32, #hsa.axes<dim>>', but 'tensor<4x8xf32, #hsa.axes<key, dim>>' was expected}}
  %0 = hsa.reduce (%c) in %d : !hsa.domain<"kv"> into (sum %s : !sums) {
    hsa.yield %x : tensor<8xf32, #hsa.axes<dim>>
  }
  return
}

// -----

// reduce C5: a part of weights per query head
!sums = !hsa.sums<!hsa.weights<"indices", f32, heads = query>>
func.func @f(%d: !hsa.domain<"kv", "indices">, %s: !sums, %x: f32) {
  // expected-error @below {{what is yielded is 'f32', but a tensor of 'f32' over head was expected}}
  %0 = hsa.reduce (%slot, %c) in %d : !hsa.domain<"kv", "indices"> into (sum %s : !sums) {
    hsa.yield %x : f32
  }
  return
}

// -----

// program C11
!sums = !hsa.sums<!hsa.array<f32, [head = 4]>>
hsa.program @f(%b: !hsa.array<f32, [head = 4]>) -> (!sums, !sums) attributes {group = 4 : i64} {
  %x = hsa.load %b : !hsa.array<f32, [head = 4]> -> tensor<4xf32, #hsa.axes<head>>
  %zero = hsa.zeros : !sums
  // expected-error @below {{makes sums that are used more than once}}
  %0 = hsa.add %x into %zero : tensor<4xf32, #hsa.axes<head>>, !sums
  hsa.return %0, %0 : !sums, !sums
}

// -----

// add C2: landmarks have rows by chunk and dim
!sums = !hsa.sums<!hsa.landmarks<"kv", f32, heads = kv, key = 4, dim = 8>>
func.func @f(%x: tensor<?x16xf32, #hsa.axes<chunk, dim>>, %s: !sums) {
  // expected-error @below {{adds 'tensor<?x16xf32, #hsa.axes<chunk, dim>>', but dim = 8 was expected}}
  %0 = hsa.add %x into %s : tensor<?x16xf32, #hsa.axes<chunk, dim>>, !sums
  return
}

// -----

// add C2: landmarks of query heads
!sums = !hsa.sums<!hsa.landmarks<"kv", f32, heads = query, key = 4, dim = 8>>
func.func @f(%x: tensor<?x8xf32, #hsa.axes<chunk, dim>>, %s: !sums) {
  // expected-error @below {{adds 'tensor<?x8xf32, #hsa.axes<chunk, dim>>', but head = 1 was expected}}
  %0 = hsa.add %x into %s : tensor<?x8xf32, #hsa.axes<chunk, dim>>, !sums
  return
}

// -----

// add C2, program C8: the program tells how many query heads have rows
!lm = !hsa.landmarks<"kv", f32, heads = query, key = 4, dim = 8>
hsa.program @f(%q: !hsa.query<f32, pos = 1, head = 4, dim = 8>, %lm: !lm) -> !hsa.sums<!lm> attributes {group = 4 : i64} {
  // expected-error @below {{makes head = 2, but the program's parameters have 4}}
  %x = hsa.stream %lm : !lm -> tensor<2x?x8xf32, #hsa.axes<head, chunk, dim>>
  %none = hsa.zeros : !hsa.sums<!lm>
  %0 = hsa.add %x into %none : tensor<2x?x8xf32, #hsa.axes<head, chunk, dim>>, !hsa.sums<!lm>
  hsa.return %0 : !hsa.sums<!lm>
}

// -----

// add C2: an element for each chunk
!sums = !hsa.sums<!hsa.array<f32, [chunk = ?, head = 4], of "kv">>
func.func @f(%x: tensor<4xf32, #hsa.axes<head>>, %s: !sums) {
  // expected-error @below {{adds 'tensor<4xf32, #hsa.axes<head>>', but chunk = ? was expected}}
  %0 = hsa.add %x into %s : tensor<4xf32, #hsa.axes<head>>, !sums
  return
}
