// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt --tile-assign-layouts --convert-tile-to-gpu --canonicalize --cse --split-input-file %s | FileCheck %s

!R = memref<?xf32, strided<[1]>>
!O = memref<?x16xf32, strided<[?, 1]>>

// A maximum along rows: four columns a thread and row, then the quad.
// CHECK-LABEL: llvm.func @reduce(
// CHECK-COUNT-3: llvm.intr.maximum
// CHECK:         llvm.call_intrinsic "llvm.nvvm.shfl.sync.bfly.f32"(%{{.*}}, %[[X:.*]], %[[ONE:.*]], %{{.*}})
// CHECK:         llvm.intr.maximum
// CHECK:         llvm.call_intrinsic "llvm.nvvm.shfl.sync.bfly.f32"
// CHECK:         llvm.intr.maximum
// CHECK-COUNT-3: llvm.intr.maximum
// CHECK:         llvm.call_intrinsic "llvm.nvvm.shfl.sync.bfly.f32"
// CHECK:         llvm.call_intrinsic "llvm.nvvm.shfl.sync.bfly.f32"
// CHECK-NOT:     shfl
tile.kernel @reduce(%x: !O, %out: !R) {
  %r = tile.iota : tensor<16xi32>
  %a = tile.gather %x[%r] : (!O, tensor<16xi32>) -> tensor<16x16xf32>
  %m = tile.reduce max %a along 1 : tensor<16x16xf32> -> tensor<16xf32>
  tile.scatter %m into %out[%r] : (tensor<16xf32>, !R, tensor<16xi32>) -> ()
}

// -----

!O = memref<?x16xf32, strided<[?, 1]>>
!H = memref<?x16xbf16, strided<[?, 1]>>

// Rows that a mask leaves out are not read: a branch for each of the thread's
// two rows. Two bf16 are one 4-byte access.
// CHECK-LABEL: llvm.func @masks(
// CHECK:         llvm.cond_br
// CHECK:         llvm.load %{{.*}} {alignment = 4 : i64} : !llvm.ptr<1> -> i32
// CHECK-NEXT:    llvm.getelementptr
// CHECK-NEXT:    llvm.load %{{.*}} {alignment = 4 : i64} : !llvm.ptr<1> -> i32
// CHECK:         llvm.br
// CHECK:         llvm.cond_br
// CHECK-COUNT-2: llvm.load %{{.*}} {alignment = 4 : i64} : !llvm.ptr<1> -> i32
// CHECK-NOT:     llvm.load
// CHECK:         llvm.shl %{{.*}} : i32
// CHECK:         llvm.store %{{.*}} {alignment = 8 : i64} : vector<2xf32>, !llvm.ptr<1>
tile.kernel @masks(%x: !H, %n: i32, %out: !O) {
  %r = tile.iota : tensor<16xi32>
  %ns = tensor.splat %n : tensor<16xi32>
  %live = arith.cmpi slt, %r, %ns : tensor<16xi32>
  %a = tile.gather %x[%r] where %live : (!H, tensor<16xi32>, tensor<16xi1>) -> tensor<16x16xbf16>
  %f = arith.extf %a : tensor<16x16xbf16> to tensor<16x16xf32>
  tile.scatter %f into %out[%r] where %live : (tensor<16x16xf32>, !O, tensor<16xi32>, tensor<16xi1>) -> ()
}

// -----

!O = memref<?x8xf32, strided<[?, 1]>>

// Columns past the end of the array are zero and not read; 8 of the 16 here.
// CHECK-LABEL: llvm.func @columns(
// CHECK-COUNT-2: llvm.load %{{.*}} : !llvm.ptr<1> -> vector<2xf32>
// CHECK-NOT:     llvm.load
// CHECK-COUNT-2: llvm.store
// CHECK-NOT:     llvm.store
tile.kernel @columns(%x: !O, %out: !O) {
  %r = tile.iota : tensor<16xi32>
  %a = tile.gather %x[%r] : (!O, tensor<16xi32>) -> tensor<16x16xf32>
  tile.scatter %a into %out[%r] : (tensor<16x16xf32>, !O, tensor<16xi32>) -> ()
}

// -----

!R = memref<?xf32, strided<[1]>>

// Functions become the fast instructions, with base-2 scaling where needed.
// CHECK-LABEL: llvm.func @functions(
// CHECK-DAG:     %[[LOG2E:.*]] = llvm.mlir.constant(1.44269502 : f32)
// CHECK-DAG:     %[[LN2:.*]] = llvm.mlir.constant(0.693147182 : f32)
// CHECK:         %[[Y:.*]] = llvm.fmul %{{.*}}, %[[LOG2E]]
// CHECK:         %[[E:.*]] = llvm.call_intrinsic "llvm.nvvm.ex2.approx.ftz.f"(%[[Y]])
// CHECK:         %[[L:.*]] = llvm.call_intrinsic "llvm.nvvm.lg2.approx.ftz.f"(%[[E]])
// CHECK:         llvm.fmul %[[L]], %[[LN2]]
// CHECK:         llvm.inline_asm {{.*}}"div.full.ftz.f32
tile.kernel @functions(%x: !R, %out: !R) {
  %c0 = arith.constant 0 : index
  %a = memref.load %x[%c0] : !R
  %e = math.exp %a : f32
  %l = math.log %e : f32
  %d = arith.divf %l, %a : f32
  %ds = tensor.splat %d : tensor<16xf32>
  %r = tile.iota : tensor<16xi32>
  tile.scatter %ds into %out[%r] : (tensor<16xf32>, !R, tensor<16xi32>) -> ()
}

// -----

!R = memref<?xf32, strided<[1]>>
!O = memref<?x16xf32, strided<[?, 1]>>

// A sum of rows that four warps have: each thread's two, for each of its four
// columns, the eight lanes that hold others, and the warps through shared memory,
// in the same order in each of them.
// CHECK-LABEL: llvm.func @down(
// CHECK-COUNT-12: llvm.call_intrinsic "llvm.nvvm.shfl.sync.bfly.f32"
// CHECK-NOT:     shfl
// CHECK:         barrier0
// CHECK-COUNT-4: llvm.store %{{.*}} : f32, !llvm.ptr<3>
// CHECK:         barrier0
// CHECK-COUNT-16: llvm.load %{{.*}} : !llvm.ptr<3> -> f32
// CHECK-NOT:     llvm.load
// CHECK-NOT:     shfl
// CHECK:         llvm.store %{{.*}} : f32, !llvm.ptr<1>
tile.kernel @down(%x: !O, %out: !R) attributes {tile.warps = 4 : i32} {
  %r = tile.iota : tensor<64xi32>
  %j = tile.iota : tensor<16xi32>
  %a = tile.gather %x[%r] : (!O, tensor<64xi32>) -> tensor<64x16xf32>
  %s = tile.reduce sum %a along 0 : tensor<64x16xf32> -> tensor<16xf32>
  tile.scatter %s into %out[%j] : (tensor<16xf32>, !R, tensor<16xi32>) -> ()
}

// -----

!R = memref<?xf32, strided<[1]>>
!O = memref<?x16xf32, strided<[?, 1]>>

// A vector over four warps becomes one number: each thread's two rows, the eight
// lanes that hold others, and the warps through shared memory, a word for each.
// CHECK-LABEL: llvm.func @number(
// CHECK:         llvm.fadd
// CHECK-COUNT-3: llvm.call_intrinsic "llvm.nvvm.shfl.sync.bfly.f32"
// CHECK-NOT:     shfl
// CHECK:         barrier0
// CHECK:         llvm.store %{{.*}} : f32, !llvm.ptr<3>
// CHECK:         barrier0
// CHECK-COUNT-4: llvm.load %{{.*}} : !llvm.ptr<3> -> f32
// CHECK-NOT:     llvm.load
// CHECK-COUNT-3: llvm.fadd
// CHECK:         llvm.store %{{.*}} : f32, !llvm.ptr<1>
tile.kernel @number(%x: !O, %out: !R) attributes {tile.warps = 4 : i32} {
  %c0 = arith.constant 0 : index
  %r = tile.iota : tensor<64xi32>
  %a = tile.gather %x[%r] : (!O, tensor<64xi32>) -> tensor<64x16xf32>
  %m = tile.reduce max %a along 1 : tensor<64x16xf32> -> tensor<64xf32>
  %s = tile.reduce sum %m along 0 : tensor<64xf32> -> tensor<f32>
  %n = tensor.extract %s[] : tensor<f32>
  memref.store %n, %out[%c0] : !R
}
