// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s | ramify-opt | FileCheck %s
// RUN: ramify-opt %s -mlir-print-op-generic | ramify-opt | FileCheck %s
//
// Kernels, and the plans that launch them.

!rows = memref<?x64xbf16, strided<[?, 1]>>

// Every kind of argument; the end is written and printed.
// CHECK-LABEL: tile.kernel @arguments(%arg0: memref<?x64xbf16, strided<[?, 1]>>, %arg1: memref<f32>, %arg2: memref<4x8xi32>, %arg3: f32, %arg4: i64, %arg5: index) attributes {tile.warps = 2 : i32}
tile.kernel @arguments(%array: !rows, %one: memref<f32>, %whole: memref<4x8xi32>, %scale: f32, %seed: i64, %size: index)
    attributes {tile.warps = 2 : i32} {
  // CHECK: tile.end
  tile.end
}

// Its end need not be written.
// CHECK-LABEL: tile.kernel @programs
tile.kernel @programs() {
  // CHECK-NEXT: tile.program_id x
  // CHECK-NEXT: tile.program_id y
  // CHECK-NEXT: tile.program_id z
  // CHECK-NEXT: tile.end
  %x = tile.program_id x
  %y = tile.program_id y
  %z = tile.program_id z
}

// CHECK-LABEL: tile.kernel @double
tile.kernel @double(%x: !rows, %y: !rows, %scale: f32) {
}

// Attributes of arguments are kept for the runtime.
// CHECK-LABEL: tile.plan @double_plan(
// CHECK-SAME: %[[X:.*]]: memref<?x64xbf16, strided<[?, 1]>> {ramify.name = "x"}, %[[S:.*]]: f32 {ramify.name = "scale"})
tile.plan @double_plan(%x: !rows {ramify.name = "x"}, %scale: f32 {ramify.name = "scale"}) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c64 = arith.constant 64 : index
  %rows = memref.dim %x, %c0 : !rows
  // CHECK: %[[OUT:.*]] = tile.result shape(%{{.*}}, %{{.*}}) : memref<?x64xbf16, strided<[?, 1]>>
  %out = tile.result shape(%rows, %c64) : !rows
  // CHECK: tile.launch @double grid(%{{.*}}, %{{.*}}, %{{.*}}) (%[[X]], %[[OUT]], %[[S]]) : memref<?x64xbf16, strided<[?, 1]>>, memref<?x64xbf16, strided<[?, 1]>>, f32
  tile.launch @double grid(%rows, %c1, %c1) (%x, %out, %scale) : !rows, !rows, f32
  // CHECK-NEXT: tile.end
}

// A kernel without arguments, and a result without dimensions.
// CHECK-LABEL: tile.plan @small_plan()
tile.plan @small_plan() {
  // CHECK: tile.result shape() : memref<f32>
  // CHECK: tile.launch @programs grid(%{{.*}}, %{{.*}}, %{{.*}}) ()
  %c1 = arith.constant 1 : index
  %out = tile.result shape() : memref<f32>
  tile.launch @programs grid(%c1, %c1, %c1) ()
}

// Arrays between launches, steps that are repeated, what the device is.
// CHECK-LABEL: tile.plan @windows_plan
tile.plan @windows_plan(%x: !rows, %n: index, %scale: f32) {
  // CHECK: %[[SMS:.*]] = tile.sms
  // CHECK: %[[P:.*]] = tile.workspace shape(%{{.*}}, %{{.*}}) : memref<?x64xbf16, strided<[?, 1]>>
  // CHECK: tile.workspace shape(%{{.*}}) zero : memref<?xi32, strided<[1]>>
  %c64 = arith.constant 64 : index
  %sms = tile.sms
  %part = tile.workspace shape(%sms, %c64) : !rows
  %counts = tile.workspace shape(%n) zero : memref<?xi32, strided<[1]>>
  // CHECK: tile.plan_for %[[W:.*]] below %{{.*}} {
  // CHECK-NEXT: tile.memset %[[P]] to 255 : memref<?x64xbf16, strided<[?, 1]>>
  // CHECK-NEXT: tile.launch @double grid(%[[W]], %[[SMS]], %[[SMS]])
  // CHECK-NEXT: }
  // CHECK-NEXT: tile.plan_do {
  // CHECK-NEXT:   %[[V:.*]] = tile.view %{{.*}} axis 0 from %{{.*}} size %[[SMS]] : memref<?x64xbf16, strided<[?, 1]>>
  // CHECK-NEXT:   %[[Q:.*]] = tile.workspace shape(%{{.*}}, %{{.*}}) zero : memref<?x64xbf16, strided<[?, 1]>>
  // CHECK-NEXT:   tile.launch @double grid({{.*}}) (%[[V]], %[[Q]], %{{.*}})
  // CHECK-NEXT: }
  tile.plan_for %w below %n {
    tile.memset %part to 255 : !rows
    tile.launch @double grid(%w, %sms, %sms) (%x, %part, %scale) : !rows, !rows, f32
  }
  tile.plan_do {
    %v = tile.view %x axis 0 from %n size %sms : !rows
    %q = tile.workspace shape(%n, %c64) zero : !rows
    tile.launch @double grid(%n, %n, %n) (%v, %q, %scale) : !rows, !rows, f32
  }
}

// Arguments are printed with the names that they carry.
// CHECK-LABEL: tile.kernel @named(
// CHECK-SAME:    %scale: f32 {ramify.name = "scale"}, %arg0: i32)
tile.kernel @named(%0: f32 {ramify.name = "scale"}, %1: i32) {
}
// CHECK-LABEL: tile.plan @named_plan(%scale: f32 {ramify.name = "scale"})
tile.plan @named_plan(%0: f32 {ramify.name = "scale"}) {
}
