// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt --expand-cpu-math %s | FileCheck %s
// RUN: ramify-opt --expand-cpu-math --cpu-to-llvm %s | FileCheck %s --check-prefix=LLVM

// 2^x = 2^(n-1) * (2 * 2^f), where n is x rounded and |f| <= 1/2. Clamped to
// where 2^(n-1) is a number; the comparisons keep NaN.

// CHECK-LABEL: llvm.func @exp2(
// CHECK-SAME:    %[[X:.+]]: vector<16xf32>
// CHECK-DAG:     %[[LOW:.+]] = arith.constant dense<-1.260000e+02>
// CHECK-DAG:     %[[HIGH:.+]] = arith.constant dense<1.280000e+02>
// CHECK-DAG:     %[[ROUND:.+]] = arith.constant dense<0x4B400000>
// CHECK-DAG:     %[[BIAS:.+]] = arith.constant dense<126>
// CHECK:         %[[BELOW:.+]] = arith.cmpf ogt, %[[LOW]], %[[X]]
// CHECK:         %[[UP:.+]] = arith.select %[[BELOW]], %[[LOW]], %[[X]]
// CHECK:         %[[ABOVE:.+]] = arith.cmpf olt, %[[HIGH]], %[[UP]]
// CHECK:         %[[IN:.+]] = arith.select %[[ABOVE]], %[[HIGH]], %[[UP]]
// CHECK:         %[[SHIFTED:.+]] = arith.addf %[[IN]], %[[ROUND]]
// CHECK:         %[[N:.+]] = arith.subf %[[SHIFTED]], %[[ROUND]]
// CHECK:         %[[F:.+]] = arith.subf %[[IN]], %[[N]]
// CHECK-COUNT-6: math.fma
// CHECK:         %[[BITS:.+]] = arith.bitcast %[[SHIFTED]] : vector<16xf32> to vector<16xi32>
// CHECK:         arith.addi %[[BITS]], %[[BIAS]]
// CHECK:         arith.shli
// CHECK:         arith.mulf

// No function is called.
// LLVM-LABEL: llvm.func @exp2(
// LLVM-NOT:     llvm.call
// LLVM-NOT:     llvm.intr.exp2
llvm.func @exp2(%x: vector<16xf32>) -> vector<16xf32> {
  %y = math.exp2 %x : vector<16xf32>
  llvm.return %y : vector<16xf32>
}

// CHECK-LABEL: llvm.func @others(
// CHECK-NOT:     math.{{exp|log|tanh}}
// CHECK:         math.sqrt
// CHECK:         llvm.return

// LLVM-LABEL: llvm.func @others(
// LLVM-NOT:     llvm.call
// LLVM:         llvm.intr.sqrt
llvm.func @others(%x: vector<16xf32>) -> vector<16xf32> {
  %a = math.exp %x : vector<16xf32>
  %b = math.log %a : vector<16xf32>
  %c = math.tanh %b : vector<16xf32>
  %d = math.sqrt %c : vector<16xf32>
  llvm.return %d : vector<16xf32>
}
