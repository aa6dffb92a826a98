// RUN: ramify-opt %s --ramify-kernel-abi=gpu --canonicalize > %t.mlir
// RUN: ramify-translate --llvm-to-ptx --arch=sm_80 %t.mlir > %t.sm_80.ptx
// RUN: FileCheck %s --check-prefixes=CHECK,AMPERE < %t.sm_80.ptx
// RUN: ramify-translate --llvm-to-ptx --arch=sm_90a %t.mlir > %t.sm_90a.ptx
// RUN: FileCheck %s --check-prefixes=CHECK,HOPPER < %t.sm_90a.ptx
// RUN: not ramify-translate --llvm-to-ptx --arch=sm_1 %t.mlir 2>&1 | FileCheck %s --check-prefix=UNKNOWN
// RUN: %if ptxas %{ %ptxas %t.sm_80.ptx %}
// RUN: %if ptxas %{ %ptxas %t.sm_90a.ptx %}

// UNKNOWN: unknown target sm_1
// AMPERE: .target sm_80
// HOPPER: .target sm_90a
// CHECK: .visible .entry scale(
// CHECK: .maxntid 64, 1, 1
// CHECK: .minnctapersm 4
// What is only read comes through the read-only cache.
// CHECK: ld.global.nc.f32
tile.kernel @scale(%in: memref<?xf32, strided<[1]>>, %a: f32) attributes {tile.warps = 2 : i32, tile.min_ctas = 4 : i32} {
  %array = builtin.unrealized_conversion_cast %in : memref<?xf32, strided<[1]>> to !llvm.struct<(ptr, ptr, i64, array<1 x i64>, array<1 x i64>)>
  %pointer = llvm.extractvalue %array[1] : !llvm.struct<(ptr, ptr, i64, array<1 x i64>, array<1 x i64>)>
  %b = llvm.load %pointer : !llvm.ptr -> f32
  %x = llvm.mlir.addressof @input : !llvm.ptr<1>
  // CHECK: ld.volatile.global.f32
  %v = llvm.load volatile %x : !llvm.ptr<1> -> f32
  // Denormals are flushed.
  // CHECK: fma.rn.ftz.f32
  %c = llvm.fmul %v, %a : f32
  %w = llvm.fadd %c, %b : f32
  // Exact unless asked otherwise.
  // CHECK: div.rn.ftz.f32
  %y = llvm.fdiv %w, %v : f32
  // CHECK: st.volatile.global.f32
  llvm.store volatile %y, %x : f32, !llvm.ptr<1>
}
llvm.mlir.global internal @input(0.0 : f32) {addr_space = 1 : i32} : f32
