// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s -split-input-file -verify-diagnostics
//
// One case for each constraint of identity, push, value and lse.

// identity C1
func.func @f() {
  // expected-error @below {{monoid is softmax, but sum, max or min was expected}}
  %0 = hsa.identity softmax : tensor<8xf32, #hsa.axes<head>>
  return
}

// -----

// identity C2
func.func @f() {
  // expected-error @below {{works on f32, but its elements are 'i32'}}
  %0 = hsa.identity sum : tensor<8xi32, #hsa.axes<head>>
  return
}

// -----

// push C1
!state = !hsa.softmax_state<tensor<1x2x8xf32, #hsa.axes<pos, head, dim>>>
func.func @f(%s: !state, %logit: tensor<2xf32, #hsa.axes<head>>, %v: tensor<8xf32, #hsa.axes<dim>>) {
  // expected-error @below {{the logit is 'tensor<2xf32, #hsa.axes<head>>', but 'tensor<1x2xf32, #hsa.axes<pos, head>>' was expected}}
  %0 = hsa.push %logit, %v into %s : tensor<2xf32, #hsa.axes<head>>, tensor<8xf32, #hsa.axes<dim>>, !state
  return
}

// -----

// push C2
!state = !hsa.softmax_state<tensor<1x2x8xf32, #hsa.axes<pos, head, dim>>>
!rows = tensor<1x2xf32, #hsa.axes<pos, head>>
func.func @f(%s: !state, %logit: !rows, %v: tensor<4xf32, #hsa.axes<dim>>) {
  // expected-error @below {{the value is 'tensor<4xf32, #hsa.axes<dim>>', but 'tensor<8xf32, #hsa.axes<dim>>' or 'tensor<1x2x8xf32, #hsa.axes<pos, head, dim>>' was expected}}
  %0 = hsa.push %logit, %v into %s : !rows, tensor<4xf32, #hsa.axes<dim>>, !state
  return
}

// -----

// value C1
!state = !hsa.softmax_state<tensor<1x2x8xf32, #hsa.axes<pos, head, dim>>>
func.func @f(%s: !state) {
  // expected-error @below {{result is 'tensor<8xf32, #hsa.axes<dim>>', but 'tensor<1x2x8xf32, #hsa.axes<pos, head, dim>>' was expected}}
  %0 = hsa.value %s : !state -> tensor<8xf32, #hsa.axes<dim>>
  return
}

// -----

// lse C1
!state = !hsa.softmax_state<tensor<1x2x8xf32, #hsa.axes<pos, head, dim>>>
func.func @f(%s: !state) {
  // expected-error @below {{result is 'tensor<2xf32, #hsa.axes<head>>', but 'tensor<1x2xf32, #hsa.axes<pos, head>>' was expected}}
  %0 = hsa.lse %s : !state -> tensor<2xf32, #hsa.axes<head>>
  return
}
