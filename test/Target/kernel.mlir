// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-translate --llvm-to-ptx --arch=sm_80 %s > %t.sm_80.ptx
// RUN: FileCheck %s --check-prefixes=CHECK,AMPERE < %t.sm_80.ptx
// RUN: ramify-translate --llvm-to-ptx --arch=sm_90a %s > %t.sm_90a.ptx
// RUN: FileCheck %s --check-prefixes=CHECK,HOPPER < %t.sm_90a.ptx
// RUN: not ramify-translate --llvm-to-ptx --arch=sm_1 %s 2>&1 | FileCheck %s --check-prefix=UNKNOWN
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
llvm.func @scale(%in: !llvm.ptr<1> {llvm.noalias, llvm.readonly}, %out: !llvm.ptr<1> {llvm.noalias}, %a: f32)
    attributes {nvvm.kernel, nvvm.maxntid = array<i32: 64>, nvvm.minctasm = 4 : i32} {
  %x = llvm.load %in : !llvm.ptr<1> -> f32
  // Products and sums join, denormals are flushed.
  // CHECK: fma.rn.ftz.f32
  %y = llvm.fmul %x, %a : f32
  %z = llvm.fadd %y, %a : f32
  // Exact unless asked otherwise.
  // CHECK: div.rn.ftz.f32
  %w = llvm.fdiv %z, %x : f32
  // CHECK: st.global.f32
  llvm.store %w, %out : f32, !llvm.ptr<1>
  llvm.return
}

// What a CTA shares is addressed by 32 bits.
// CHECK: .visible .entry shared(
// CHECK: ld.shared.f32 %{{f[0-9]+}}, [%r{{[0-9]+}}]
llvm.mlir.global external @buffer() {addr_space = 3 : i32, alignment = 1024 : i64} : !llvm.array<0 x i8>
llvm.func @shared(%out: !llvm.ptr<1>, %i: i32) attributes {nvvm.kernel} {
  %base = llvm.mlir.addressof @buffer : !llvm.ptr<3>
  %place = llvm.getelementptr %base[%i] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, f32
  %x = llvm.load %place : !llvm.ptr<3> -> f32
  llvm.store %x, %out : f32, !llvm.ptr<1>
  llvm.return
}
