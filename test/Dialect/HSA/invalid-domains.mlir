// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s -split-input-file -verify-diagnostics
//
// One case for each constraint of the domains.

// selected C1
func.func @f(%picks: !hsa.indices<"kv", i32, heads = kv>) {
  // expected-error @below {{indices are not a parameter of the program}}
  %0 = hsa.selected %picks : !hsa.indices<"kv", i32, heads = kv> -> !hsa.domain<"kv", "picks">
  return
}

// -----

// selected C2
hsa.program @f(%k: !hsa.chunks<"kv", f32, key = 64, dim = 64>, %picks: !hsa.indices<"kv", i32, heads = kv>)
    attributes {group = 1} {
  // expected-error @below {{result is '!hsa.domain<"kv", "others">', but '!hsa.domain<"kv", "picks">' was expected}}
  %0 = hsa.selected %picks : !hsa.indices<"kv", i32, heads = kv> -> !hsa.domain<"kv", "others">
  hsa.return
}

// -----

// window C1
func.func @f(%k: !hsa.chunks<"kv", f32, key = 64, dim = 64>, %n: i32) {
  // expected-error @below {{result is '!hsa.domain<"cmp">', but '!hsa.domain<"kv">' was expected}}
  %0 = hsa.window %k last %n : !hsa.chunks<"kv", f32, key = 64, dim = 64> -> !hsa.domain<"cmp">
  return
}

// -----

// window C2
func.func @f(%k: !hsa.chunks<"kv", f32, key = 64, dim = 64>, %n: i32) {
  %every = hsa.every %k : !hsa.chunks<"kv", f32, key = 64, dim = 64> -> !hsa.domain<"kv">
  // expected-error @below {{is outside of hsa.every, but a window, own or first was expected}}
  %0 = hsa.window %k last %n outside %every
      : !hsa.chunks<"kv", f32, key = 64, dim = 64>, !hsa.domain<"kv"> -> !hsa.domain<"kv">
  return
}

// -----

// own C1
func.func @f(%k: !hsa.chunks<"kv", f32, key = 64, dim = 64>) {
  // expected-error @below {{result is '!hsa.domain<"kv", "picks">', but '!hsa.domain<"kv">' was expected}}
  %0 = hsa.own %k : !hsa.chunks<"kv", f32, key = 64, dim = 64> -> !hsa.domain<"kv", "picks">
  return
}

// -----

// own C2
func.func @f(%k: !hsa.chunks<"kv", f32, key = 64, dim = 64>, %d: !hsa.domain<"kv", "picks">) {
  // expected-error @below {{outside is '!hsa.domain<"kv", "picks">', but '!hsa.domain<"kv">' was expected}}
  %0 = hsa.own %k outside %d
      : !hsa.chunks<"kv", f32, key = 64, dim = 64>, !hsa.domain<"kv", "picks"> -> !hsa.domain<"kv">
  return
}

// -----

// first C1
func.func @f(%k: !hsa.chunks<"kv", f32, key = 64, dim = 64>, %n: i32) {
  // expected-error @below {{result is '!hsa.domain<"cmp">', but '!hsa.domain<"kv">' was expected}}
  %0 = hsa.first %k keys %n : !hsa.chunks<"kv", f32, key = 64, dim = 64> -> !hsa.domain<"cmp">
  return
}

// -----

// first C2
func.func @f(%k: !hsa.chunks<"kv", f32, key = 64, dim = 64>, %n: i32, %d: !hsa.domain<"cmp">) {
  // expected-error @below {{outside is '!hsa.domain<"cmp">', but '!hsa.domain<"kv">' was expected}}
  %0 = hsa.first %k keys %n outside %d
      : !hsa.chunks<"kv", f32, key = 64, dim = 64>, !hsa.domain<"cmp"> -> !hsa.domain<"kv">
  return
}

// -----

// every C1
func.func @f(%k: !hsa.chunks<"kv", f32, key = 64, dim = 64>) {
  // expected-error @below {{result is '!hsa.domain<"cmp">', but '!hsa.domain<"kv">' was expected}}
  %0 = hsa.every %k : !hsa.chunks<"kv", f32, key = 64, dim = 64> -> !hsa.domain<"cmp">
  return
}

// -----

// every C2
func.func @f(%k: !hsa.chunks<"kv", f32, key = 64, dim = 64>, %d: !hsa.domain<"cmp">) {
  // expected-error @below {{outside is '!hsa.domain<"cmp">', but '!hsa.domain<"kv">' was expected}}
  %0 = hsa.every %k outside %d
      : !hsa.chunks<"kv", f32, key = 64, dim = 64>, !hsa.domain<"cmp"> -> !hsa.domain<"kv">
  return
}
