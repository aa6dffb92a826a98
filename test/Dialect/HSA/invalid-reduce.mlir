// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s -split-input-file -verify-diagnostics -allow-unregistered-dialect
//
// One case for each constraint of hsa.reduce, and what its assembly refuses.

func.func @f(%d: !hsa.domain<"kv">) {
  // reduce C1
  // expected-error @below {{has no accumulator, but at least one was expected}}
  hsa.reduce (%c) in %d : !hsa.domain<"kv"> into () {
    hsa.yield
  }
  return
}

// -----

!rows = tensor<1x2xf32, #hsa.axes<pos, head>>
func.func @f(%d: !hsa.domain<"kv">, %x: !rows) {
  // reduce C1
  // expected-error @below {{has 1 accumulators, 2 monoids and 1 results, but one of each, of equal types, was expected}}
  %0 = "hsa.reduce"(%d, %x) <{monoids = [#hsa<monoid sum>, #hsa<monoid max>]}> ({
  ^visit(%c: !hsa.chunk_id<"kv">):
    hsa.yield %x : !rows
  }) : (!hsa.domain<"kv">, !rows) -> !rows
  return
}

// -----

!rows = tensor<1x2xf32, #hsa.axes<pos, head>>
func.func @f(%d: !hsa.domain<"kv", "picks">, %x: !rows) {
  // reduce C2
  // expected-error @below {{region has arguments ('!hsa.chunk_id<"kv">'), but ('!hsa.slot<"picks">', '!hsa.chunk_id<"kv">') was expected}}
  %0 = "hsa.reduce"(%d, %x) <{monoids = [#hsa<monoid sum>]}> ({
  ^visit(%c: !hsa.chunk_id<"kv">):
    hsa.yield %x : !rows
  }) : (!hsa.domain<"kv", "picks">, !rows) -> !rows
  return
}

// -----

!rows = tensor<1x2xf32, #hsa.axes<pos, head>>
func.func @f(%d: !hsa.domain<"kv">, %x: !rows) {
  // reduce C2, where it is written
  // expected-error @below {{a reduction over '!hsa.domain<"kv">' has the argument (chunk)}}
  %0 = hsa.reduce (%slot, %c) in %d : !hsa.domain<"kv"> into (sum %x : !rows) {
    hsa.yield %x : !rows
  }
  return
}

// -----

!rows = tensor<1x2xf32, #hsa.axes<pos, head>>
func.func @f(%d: !hsa.domain<"kv">, %x: !rows) {
  // reduce C3
  // expected-error @below {{accumulates 'tensor<1x2xf32, #hsa.axes<pos, head>>' with softmax, but a softmax state was expected}}
  %0 = hsa.reduce (%c) in %d : !hsa.domain<"kv"> into (softmax %x : !rows) {
    hsa.yield %x, %x : !rows, !rows
  }
  return
}

// -----

!rows = tensor<1x2xbf16, #hsa.axes<pos, head>>
func.func @f(%d: !hsa.domain<"kv">, %x: !rows) {
  // reduce C3
  // expected-error @below {{accumulates 'tensor<1x2xbf16, #hsa.axes<pos, head>>' with sum, but an f32 tensor without a key, chunk or slot axis was expected}}
  %0 = hsa.reduce (%c) in %d : !hsa.domain<"kv"> into (sum %x : !rows) {
    hsa.yield %x : !rows
  }
  return
}

// -----

!keys = tensor<8xf32, #hsa.axes<key>>
func.func @f(%d: !hsa.domain<"kv">, %x: !keys) {
  // reduce C3
  // expected-error @below {{accumulates 'tensor<8xf32, #hsa.axes<key>>' with sum, but an f32 tensor without a key, chunk or slot axis was expected}}
  %0 = hsa.reduce (%c) in %d : !hsa.domain<"kv"> into (sum %x : !keys) {
    hsa.yield %x : !keys
  }
  return
}

// -----

!rows = tensor<1x2xf32, #hsa.axes<pos, head>>
func.func @f(%d: !hsa.domain<"kv">, %x: !rows) {
  // reduce C4
  // expected-error @below {{yields 1 values, but 2 were expected}}
  %0:2 = hsa.reduce (%c) in %d : !hsa.domain<"kv"> into (sum %x : !rows, max %x : !rows) {
    hsa.yield %x : !rows
  }
  return
}

// -----

!rows = tensor<1x2xf32, #hsa.axes<pos, head>>
func.func @f(%d: !hsa.domain<"kv">, %x: !rows, %y: tensor<2xf32, #hsa.axes<head>>) {
  // reduce C5
  // expected-error @below {{what is yielded is 'tensor<2xf32, #hsa.axes<head>>', but 'tensor<1x2xf32, #hsa.axes<pos, head>>' was expected}}
  %0 = hsa.reduce (%c) in %d : !hsa.domain<"kv"> into (sum %x : !rows) {
    hsa.yield %y : tensor<2xf32, #hsa.axes<head>>
  }
  return
}

// -----

!state = !hsa.softmax_state<tensor<1x2x8xf32, #hsa.axes<pos, head, dim>>>
!scores = tensor<2x4xf32, #hsa.axes<head, key>>
!values = tensor<4x8xbf16, #hsa.axes<key, dim>>
func.func @f(%d: !hsa.domain<"kv">, %x: !state, %s: !scores, %v: !values) {
  // reduce C6
  // expected-error @below {{what is merged is 'tensor<2x4xf32, #hsa.axes<head, key>>', but 'tensor<1x2x4xf32, #hsa.axes<pos, head, key>>' was expected}}
  %0 = hsa.reduce (%c) in %d : !hsa.domain<"kv"> into (softmax %x : !state) {
    hsa.yield %s, %v : !scores, !values
  }
  return
}

// -----

!state = !hsa.softmax_state<tensor<1x2x8xf32, #hsa.axes<pos, head, dim>>>
!scores = tensor<1x2x4xf32, #hsa.axes<pos, head, key>>
!values = tensor<3x8xbf16, #hsa.axes<key, dim>>
func.func @f(%d: !hsa.domain<"kv">, %x: !state, %s: !scores, %v: !values) {
  // reduce C6
  // expected-error @below {{the values of what is merged is 'tensor<3x8xbf16, #hsa.axes<key, dim>>', but 'tensor<4x8xbf16, #hsa.axes<key, dim>>' was expected}}
  %0 = hsa.reduce (%c) in %d : !hsa.domain<"kv"> into (softmax %x : !state) {
    hsa.yield %s, %v : !scores, !values
  }
  return
}

// -----

!state = !hsa.softmax_state<tensor<1x2x8xf32, #hsa.axes<pos, head, dim>>>
!scores = tensor<1x2x4xf32, #hsa.axes<pos, head, key>>
!values = tensor<4x8xi32, #hsa.axes<key, dim>>
func.func @f(%d: !hsa.domain<"kv">, %x: !state, %s: !scores, %v: !values) {
  // reduce C6
  // expected-error @below {{the values of what is merged are of 'i32', but f32, bf16 or f16 was expected}}
  %0 = hsa.reduce (%c) in %d : !hsa.domain<"kv"> into (softmax %x : !state) {
    hsa.yield %s, %v : !scores, !values
  }
  return
}

// -----

!state = !hsa.softmax_state<tensor<1x2x8xf32, #hsa.axes<pos, head, dim>>>
!rows = tensor<1x2xf32, #hsa.axes<pos, head>>
func.func @f(%d: !hsa.domain<"kv">, %x: !state, %s: !rows) {
  // reduce C7
  // expected-error @below {{the value is 'tensor<1x2xf32, #hsa.axes<pos, head>>', but 'tensor<8xf32, #hsa.axes<dim>>' or 'tensor<1x2x8xf32, #hsa.axes<pos, head, dim>>' was expected}}
  %0 = hsa.reduce (%c) in %d : !hsa.domain<"kv"> into (softmax %x : !state) {
    hsa.yield %s, %s : !rows, !rows
  }
  return
}

// -----

!rows = tensor<1x2xf32, #hsa.axes<pos, head>>
func.func @f(%d: !hsa.domain<"kv">, %x: !rows) {
  // reduce C8
  // expected-error @below {{expects regions to end with 'hsa.yield', found 'other.end'}}
  // expected-note @below {{in custom textual format, the absence of terminator implies 'hsa.yield'}}
  %0 = hsa.reduce (%c) in %d : !hsa.domain<"kv"> into (sum %x : !rows) {
    "other.end"() : () -> ()
  }
  return
}

// -----

!rows = tensor<1x2xf32, #hsa.axes<pos, head>>
func.func @f(%d: !hsa.domain<"kv">, %x: !rows) {
  // A visit's chunk means nothing after the reduction.
  %0 = hsa.reduce (%c) in %d : !hsa.domain<"kv"> into (sum %x : !rows) {
    hsa.yield %x : !rows
  }
  // expected-error @below {{use of undeclared SSA value name}}
  %1 = hsa.chunk_index %c : !hsa.chunk_id<"kv">
  return
}
