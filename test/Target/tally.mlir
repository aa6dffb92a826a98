// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-translate --hsa-to-ptx --target=sm_80 %s -o %t.80.ptx
// RUN: FileCheck %s < %t.80.ptx
// RUN: ramify-translate --hsa-to-ptx --target=sm_90a %s -o %t.90.ptx
// RUN: %if ptxas %{ %ptxas %t.80.ptx %}
// RUN: %if ptxas %{ %ptxas %t.90.ptx %}

// Counts of bins, from portable tiles to PTX; test_schedules_gpu.py runs them.

!I = memref<?xi32, strided<[1]>>

// Eight registers of a thread: eleven ballots for each, then four bins.
// CHECK-LABEL: .entry tally(
// CHECK: .maxntid 256
// CHECK-COUNT-88: vote.sync.ballot.b32
// CHECK-NOT: vote.sync
// CHECK: ret
tile.kernel @tally(%x: !I, %before: !I, %counts: !I) {
  %i = tile.iota : tensor<2048xi32>
  %j = tile.iota : tensor<1024xi32>
  %bins = tile.lookup %x[%i] : (!I, tensor<2048xi32>) -> tensor<2048xi32>
  %b, %c = tile.tally %bins : tensor<2048xi32>, tensor<1024xi32>
  tile.scatter %b into %before[%i] : (tensor<2048xi32>, !I, tensor<2048xi32>) -> ()
  tile.scatter %c into %counts[%j] : (tensor<1024xi32>, !I, tensor<1024xi32>) -> ()
}

// Fewer bins than threads: those that have the same ones meet once more.
// CHECK-LABEL: .entry tally_few(
// CHECK: .maxntid 256
// CHECK-COUNT-5: vote.sync.ballot.b32
// CHECK-COUNT-3: bar.sync
// CHECK-NOT: bar.sync
// CHECK: ret
tile.kernel @tally_few(%x: !I, %before: !I, %counts: !I) {
  %i = tile.iota : tensor<256xi32>
  %j = tile.iota : tensor<12xi32>
  %bins = tile.lookup %x[%i] : (!I, tensor<256xi32>) -> tensor<256xi32>
  %b, %c = tile.tally %bins : tensor<256xi32>, tensor<12xi32>
  tile.scatter %b into %before[%i] : (tensor<256xi32>, !I, tensor<256xi32>) -> ()
  tile.scatter %c into %counts[%j] : (tensor<12xi32>, !I, tensor<12xi32>) -> ()
}

// What is behind each element: in registers, in lanes, in warps.
// CHECK-LABEL: .entry scan_back(
tile.kernel @scan_back(%x: !I, %least: !I, %sums: !I) {
  %i = tile.iota : tensor<512xi32>
  %v = tile.lookup %x[%i] : (!I, tensor<512xi32>) -> tensor<512xi32>
  %m = tile.scan min exclusive reverse %v along 0 : tensor<512xi32>
  %s = tile.scan sum reverse %v along 0 : tensor<512xi32>
  tile.scatter %m into %least[%i] : (tensor<512xi32>, !I, tensor<512xi32>) -> ()
  tile.scatter %s into %sums[%i] : (tensor<512xi32>, !I, tensor<512xi32>) -> ()
}
