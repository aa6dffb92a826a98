// RUN: ramify-opt %s --ramify-kernel-abi=gpu --split-input-file | FileCheck %s

// A pointer, sizes and strides for each array; scalars as they are. What is
// only read says so; the launch bounds follow the warps.
// CHECK-LABEL: llvm.func @scale(
// CHECK-SAME: %[[X:[a-z0-9]+]]: !llvm.ptr<1> {llvm.noalias, llvm.readonly}, %[[N:[a-z0-9]+]]: i64, %{{[a-z0-9]+}}: i64, %[[S:[a-z0-9]+]]: i64, %{{[a-z0-9]+}}: i64, %{{[a-z0-9]+}}: !llvm.ptr<1> {llvm.noalias}, %{{[a-z0-9]+}}: i64, %{{[a-z0-9]+}}: i64, %{{[a-z0-9]+}}: i64, %{{[a-z0-9]+}}: i64,
// CHECK-SAME: %[[A:[a-z0-9]+]]: f32, %[[I:[a-z0-9]+]]: i64)
// CHECK-SAME: nvvm.kernel, nvvm.maxntid = array<i32: 64>
tile.kernel @scale(%x: memref<?x64xf32, strided<[?, 1]>>, %y: memref<?x64xf32, strided<[?, 1]>>,
                   %a: f32, %i: index) attributes {tile.warps = 2 : i32} {
  // CHECK-DAG: llvm.insertvalue %[[N]], %{{.*}}[3, 0]
  // CHECK-DAG: llvm.insertvalue %[[S]], %{{.*}}[4, 0]
  // CHECK: %[[MEM:.*]] = builtin.unrealized_conversion_cast %{{.*}} : !llvm.struct<(ptr, ptr, i64, array<2 x i64>, array<2 x i64>)> to memref<?x64xf32, strided<[?, 1]>>
  // CHECK: %[[ID:.*]] = nvvm.read.ptx.sreg.ctaid.x : i32
  // CHECK: %[[P:.*]] = arith.index_castui %[[ID]] : i32 to index
  %p = tile.program_id x
  // CHECK: memref.load %[[MEM]][%[[P]], %{{.*}}]
  %v = memref.load %x[%p, %i] : memref<?x64xf32, strided<[?, 1]>>
  // CHECK: arith.mulf %{{.*}}, %[[A]]
  %w = arith.mulf %v, %a : f32
  memref.store %w, %y[%p, %i] : memref<?x64xf32, strided<[?, 1]>>
  // CHECK: llvm.return
}

// -----

// Rows that a gather reads are only read; those that a scatter writes are not.
// CHECK-LABEL: llvm.func @rows(
// CHECK-SAME: !llvm.ptr<1> {llvm.noalias, llvm.readonly}
// CHECK-SAME: !llvm.ptr<1> {llvm.noalias},
tile.kernel @rows(%x: memref<?x64xf32, strided<[?, 1]>>, %y: memref<?x64xf32, strided<[?, 1]>>) {
  %i = tile.iota : tensor<16xi32>
  %t = tile.gather %x[%i] : (memref<?x64xf32, strided<[?, 1]>>, tensor<16xi32>) -> tensor<16x64xf32>
  tile.scatter %t into %y[%i] : (tensor<16x64xf32>, memref<?x64xf32, strided<[?, 1]>>, tensor<16xi32>) -> ()
}
