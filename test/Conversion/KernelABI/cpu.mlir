// RUN: ramify-opt %s --ramify-kernel-abi | FileCheck %s

// On the CPU pointers are generic, and the programs to run come last.
// CHECK-LABEL: llvm.func @first(
// CHECK-SAME: %[[X:[a-z0-9]+]]: !llvm.ptr {llvm.noalias, llvm.readonly}, %{{[a-z0-9]+}}: i64, %{{[a-z0-9]+}}: i64, %[[BEGIN:[a-z0-9]+]]: i64, %{{[a-z0-9]+}}: i64)
// CHECK-NOT: nvvm
func.func @first(%x: memref<?xf32, strided<[1]>>, %begin: i64, %end: i64) attributes {ramify.kernel} {
  %c0 = arith.constant 0 : index
  // CHECK: memref.load
  %v = memref.load %x[%c0] : memref<?xf32, strided<[1]>>
  // CHECK: cmpi ult, %[[BEGIN]]
  %in = arith.cmpi ult, %begin, %end : i64
  // CHECK: llvm.return
  return
}

// Other functions stay.
// CHECK: func.func @other
func.func @other(%x: f32) {
  return
}
