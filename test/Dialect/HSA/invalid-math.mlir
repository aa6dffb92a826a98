// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s -split-input-file -verify-diagnostics
//
// One case for each constraint of broadcast, dot, softmax and fold.

// broadcast C1
func.func @f(%x: bf16) {
  // expected-error @below {{input has elements of 'bf16', but those of the result are 'f32'}}
  %0 = hsa.broadcast %x : bf16 to tensor<8xf32, #hsa.axes<key>>
  return
}

// -----

// broadcast C2
func.func @f(%x: tensor<8xf32, #hsa.axes<head>>) {
  // expected-error @below {{input has the axis head, but the result 'tensor<8xf32, #hsa.axes<key>>' has not}}
  %0 = hsa.broadcast %x : tensor<8xf32, #hsa.axes<head>> to tensor<8xf32, #hsa.axes<key>>
  return
}

// -----

// broadcast C2
func.func @f(%x: tensor<1xf32, #hsa.axes<key>>) {
  // expected-error @below {{input has key = 1, but the result has 8}}
  %0 = hsa.broadcast %x : tensor<1xf32, #hsa.axes<key>> to tensor<8xf32, #hsa.axes<key>>
  return
}

// -----

// dot C1
func.func @f(%a: tensor<4x8xi32, #hsa.axes<head, dim>>) {
  // expected-error @below {{has elements of 'i32', but f32, bf16 or f16 was expected}}
  %0 = hsa.dot %a, %a over dim : tensor<4x8xi32, #hsa.axes<head, dim>>, tensor<4x8xi32, #hsa.axes<head, dim>>
      -> tensor<4xf32, #hsa.axes<head>>
  return
}

// -----

// dot C1
func.func @f(%a: tensor<4x8xf16, #hsa.axes<head, dim>>, %b: tensor<8xbf16, #hsa.axes<dim>>) {
  // expected-error @below {{has elements of 'f16' and 'bf16', but one 16-bit type was expected}}
  %0 = hsa.dot %a, %b over dim : tensor<4x8xf16, #hsa.axes<head, dim>>, tensor<8xbf16, #hsa.axes<dim>>
      -> tensor<4xf32, #hsa.axes<head>>
  return
}

// -----

// dot C2
func.func @f(%a: tensor<4x8xf32, #hsa.axes<slot, dim>>) {
  // expected-error @below {{goes over slot, but pos, head, chunk, key or dim was expected}}
  %0 = hsa.dot %a, %a over slot : tensor<4x8xf32, #hsa.axes<slot, dim>>, tensor<4x8xf32, #hsa.axes<slot, dim>>
      -> tensor<8xf32, #hsa.axes<dim>>
  return
}

// -----

// dot C2
func.func @f(%a: tensor<4x8xf32, #hsa.axes<head, dim>>, %b: tensor<8xf32, #hsa.axes<key>>) {
  // expected-error @below {{goes over dim, but 'tensor<8xf32, #hsa.axes<key>>' has no such axis}}
  %0 = hsa.dot %a, %b over dim : tensor<4x8xf32, #hsa.axes<head, dim>>, tensor<8xf32, #hsa.axes<key>>
      -> tensor<4x8xf32, #hsa.axes<head, key>>
  return
}

// -----

// dot C2
func.func @f(%a: tensor<4x8xf32, #hsa.axes<head, dim>>, %b: tensor<4xf32, #hsa.axes<head>>) {
  // expected-error @below {{goes over dim, but 'tensor<4xf32, #hsa.axes<head>>' has no such axis}}
  %0 = hsa.dot %a, %b over head, dim : tensor<4x8xf32, #hsa.axes<head, dim>>, tensor<4xf32, #hsa.axes<head>> -> f32
  return
}

// -----

// dot C3
func.func @f(%a: tensor<4x8xf32, #hsa.axes<head, dim>>, %b: tensor<16xf32, #hsa.axes<dim>>) {
  // expected-error @below {{has an axis dim of 8 and of 16, but equal sizes were expected}}
  %0 = hsa.dot %a, %b over dim : tensor<4x8xf32, #hsa.axes<head, dim>>, tensor<16xf32, #hsa.axes<dim>>
      -> tensor<4xf32, #hsa.axes<head>>
  return
}

// -----

// dot C4
func.func @f(%a: tensor<4x8xf16, #hsa.axes<head, dim>>) {
  // expected-error @below {{result is 'tensor<4xf16, #hsa.axes<head>>', but 'tensor<4xf32, #hsa.axes<head>>' was expected}}
  %0 = hsa.dot %a, %a over dim : tensor<4x8xf16, #hsa.axes<head, dim>>, tensor<4x8xf16, #hsa.axes<head, dim>>
      -> tensor<4xf16, #hsa.axes<head>>
  return
}

// -----

// dot C4
func.func @f(%a: tensor<8xf32, #hsa.axes<dim>>) {
  // expected-error @below {{result is 'tensor<8xf32, #hsa.axes<dim>>', but 'f32' was expected}}
  %0 = hsa.dot %a, %a over dim : tensor<8xf32, #hsa.axes<dim>>, tensor<8xf32, #hsa.axes<dim>>
      -> tensor<8xf32, #hsa.axes<dim>>
  return
}

// -----

// dot C5
func.func @f(%a: tensor<4x8xf32, #hsa.axes<head, key>>) {
  // expected-error @below {{goes over key, but names no chunk}}
  %0 = hsa.dot %a, %a over key : tensor<4x8xf32, #hsa.axes<head, key>>, tensor<4x8xf32, #hsa.axes<head, key>>
      -> tensor<4xf32, #hsa.axes<head>>
  return
}

// -----

// dot C5
func.func @f(%a: tensor<4x8xf32, #hsa.axes<head, dim>>, %c: !hsa.chunk_id<"kv">) {
  // expected-error @below {{goes over dim, but names a chunk, as only key may}}
  %0 = hsa.dot %a, %a over dim in %c : !hsa.chunk_id<"kv">
      : tensor<4x8xf32, #hsa.axes<head, dim>>, tensor<4x8xf32, #hsa.axes<head, dim>>
      -> tensor<4xf32, #hsa.axes<head>>
  return
}

// -----

// softmax C1
func.func @f(%x: tensor<8xbf16, #hsa.axes<head>>) {
  // expected-error @below {{works on f32, but its elements are 'bf16'}}
  %0 = hsa.softmax %x over head off_by 0.0 : tensor<8xbf16, #hsa.axes<head>>
  return
}

// -----

// softmax C2
func.func @f(%x: tensor<8xf32, #hsa.axes<head>>) {
  // expected-error @below {{goes over pos, but 'tensor<8xf32, #hsa.axes<head>>' has no such axis}}
  %0 = hsa.softmax %x over pos off_by 0.0 : tensor<8xf32, #hsa.axes<head>>
  return
}

// -----

// softmax C3
func.func @f(%x: tensor<8xf32, #hsa.axes<key>>) {
  // expected-error @below {{goes over key, but names no chunk}}
  %0 = hsa.softmax %x over key off_by 0.0 : tensor<8xf32, #hsa.axes<key>>
  return
}

// -----

// softmax C4
func.func @f(%x: tensor<8xf32, #hsa.axes<head>>) {
  // expected-error-re @below {{n is -1{{.*}}, but a finite number that is not negative was expected}}
  %0 = hsa.softmax %x over head off_by -1.0 : tensor<8xf32, #hsa.axes<head>>
  return
}

// -----

// fold C1
func.func @f(%x: tensor<8xf32, #hsa.axes<head>>) {
  // expected-error @below {{monoid is softmax, but sum, max or min was expected}}
  %0 = hsa.fold softmax %x over head : tensor<8xf32, #hsa.axes<head>> -> f32
  return
}

// -----

// fold C2
func.func @f(%x: tensor<8xi32, #hsa.axes<head>>) {
  // expected-error @below {{works on f32, but its elements are 'i32'}}
  %0 = hsa.fold sum %x over head : tensor<8xi32, #hsa.axes<head>> -> i32
  return
}

// -----

// fold C3
func.func @f(%x: tensor<8xf32, #hsa.axes<head>>) {
  // expected-error @below {{goes over dim, but 'tensor<8xf32, #hsa.axes<head>>' has no such axis}}
  %0 = hsa.fold sum %x over dim : tensor<8xf32, #hsa.axes<head>> -> f32
  return
}

// -----

// fold C4
func.func @f(%x: tensor<8xf32, #hsa.axes<key>>) {
  // expected-error @below {{goes over key, but names no chunk}}
  %0 = hsa.fold sum %x over key : tensor<8xf32, #hsa.axes<key>> -> f32
  return
}

// -----

// fold C5
func.func @f(%x: tensor<8xf32, #hsa.axes<head>>) {
  // expected-error @below {{result is 'tensor<8xf32, #hsa.axes<head>>', but 'f32' was expected}}
  %0 = hsa.fold sum %x over head : tensor<8xf32, #hsa.axes<head>> -> tensor<8xf32, #hsa.axes<head>>
  return
}
