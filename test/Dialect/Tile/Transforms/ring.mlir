// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s --pass-pipeline='builtin.module(tile.kernel(tile-stage-through-shared{stages=2}),canonicalize,cse)' | FileCheck %s
// RUN: ramify-opt %s --pass-pipeline='builtin.module(tile.kernel(tile-stage-through-shared{stages=1}),canonicalize,cse)' | FileCheck %s --check-prefix=ONE
// RUN: ramify-opt %s --pass-pipeline='builtin.module(tile.kernel(tile-stage-through-shared{stages=3}),canonicalize,cse)' | FileCheck %s --check-prefix=THREE

!A = memref<?x64xbf16, strided<[?, 1]>>
!I = memref<?xi32, strided<[1]>>
!W = memref<?xf32, strided<[1]>>

// Keys and values of selected chunks. Two stages: index 0 and 1 are loaded and
// the copies of iteration 0 started before the loop.
// CHECK-LABEL: tile.kernel @selected(
// CHECK-SAME: %[[K:[a-z0-9]+]]: memref<?x64xbf16, strided<[?, 1]>>, %[[V:[a-z0-9]+]]: memref<?x64xbf16, strided<[?, 1]>>, %[[I:[a-z0-9]+]]: memref<?xi32
// CHECK-SAME: tile.stages = 2
tile.kernel @selected(%k: !A, %v: !A, %indices: !I, %weights: !W, %n: index, %chunks: i32, %out: !A) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c64 = arith.constant 64 : i32
  %q = arith.constant dense<1.0> : tensor<16x64xbf16>
  %zero = arith.constant dense<0.0> : tensor<16x64xf32>
  %rows = tile.iota : tensor<16xi32>
  // CHECK-DAG: %[[RV:.*]] = tile.alloc_shared : memref<2x64x64xbf16, #tile.shared<swizzle = 128, pad = 0>>
  // CHECK-DAG: %[[RK:.*]] = tile.alloc_shared : memref<2x64x64xbf16, #tile.shared<swizzle = 128, pad = 0>>
  // CHECK: %[[E0:.*]] = arith.cmpi sgt, %[[N:[a-z0-9]+]], %c0 : index
  // CHECK: %[[I0:.*]] = scf.if %[[E0]] -> (i32) {
  // CHECK-NEXT: memref.load %[[I]][%c0]
  // CHECK: %[[I1:.*]] = scf.if %{{.*}} -> (i32) {
  // CHECK-NEXT: memref.load %[[I]][%c1]
  // CHECK: %[[VALID0:.*]] = arith.cmpi ult, %[[I0]]
  // CHECK: %[[REACHED0:.*]] = arith.andi %[[E0]], %[[VALID0]]
  // CHECK: scf.if %[[REACHED0]] {
  // CHECK: tile.copy_async %{{.*}} into %{{.*}}[%c0]
  // CHECK: scf.for %[[S:.*]] = %c0 to %[[N]] step %c1 iter_args(%[[ACC:.*]] = %{{.*}}, %[[NOW:.*]] = %[[I0]], %[[NEXT:.*]] = %[[I1]], %[[STAGE:.*]] = %c0)
  %o = scf.for %s = %c0 to %n step %c1 iter_args(%acc = %zero) -> (tensor<16x64xf32>) {
    // All have read the stage that is filled now; then come the copies of the
    // next iteration, if there is one and its chunk is valid.
    // CHECK: %[[FILL:.*]] = arith.subi %c1, %[[STAGE]]
    // CHECK: tile.barrier
    // CHECK: %[[E:.*]] = arith.cmpi slt, %{{.*}}, %[[N]]
    // CHECK: %[[VALID:.*]] = arith.cmpi ult, %[[NEXT]]
    // CHECK: %[[REACHED:.*]] = arith.andi %[[E]], %[[VALID]]
    // CHECK: scf.if %[[REACHED]] {
    // CHECK: %[[X0:.*]] = arith.muli %[[NEXT]]
    // CHECK: %[[X0S:.*]] = tensor.splat %[[X0]]
    // CHECK: %[[ROWS:.*]] = arith.addi %[[X0S]]
    // CHECK: tile.copy_async %[[K]][%[[ROWS]]] into %[[RK]][%[[FILL]]]
    // CHECK-NEXT: tile.commit_group
    // CHECK-NEXT: tile.copy_async %[[V]][%[[ROWS]]] into %[[RV]][%[[FILL]]]
    // CHECK-NEXT: tile.commit_group
    // CHECK-NEXT: } else {
    // CHECK-NEXT: tile.commit_group
    // CHECK-NEXT: tile.commit_group
    // CHECK-NEXT: }
    // The index of the iteration after that is on its way.
    // CHECK: %[[COMING:.*]] = scf.if %{{.*}} -> (i32) {
    // CHECK-NEXT: memref.load %[[I]]
    %c = memref.load %indices[%s] : !I
    // CHECK: arith.cmpi ult, %[[NOW]]
    %valid = arith.cmpi ult, %c, %chunks : i32
    %next = scf.if %valid -> (tensor<16x64xf32>) {
      %x0 = arith.muli %c, %c64 : i32
      %x0s = tensor.splat %x0 : tensor<64xi32>
      %j = tile.iota : tensor<64xi32>
      %key = arith.addi %x0s, %j : tensor<64xi32>
      %kt = tile.gather %k[%key] : (!A, tensor<64xi32>) -> tensor<64x64xbf16>
      // The weight's load has moved up here.
      // CHECK: %[[W:.*]] = memref.load %{{.*}}[%[[S]]] : memref<?xf32
      // CHECK: tile.wait_group 3
      // CHECK-NEXT: tile.barrier
      // CHECK-NEXT: %[[KT:.*]] = tile.load_shared %[[RK]][%[[STAGE]]]
      // CHECK-NEXT: tile.dot %{{.*}}, transposed %[[KT]]
      %s0 = tile.dot %q, transposed %kt, %zero : tensor<16x64xbf16>, tensor<64x64xbf16>, tensor<16x64xf32> -> tensor<16x64xf32>
      %w = memref.load %weights[%s] : !W
      // CHECK: tensor.splat %[[W]]
      %ws = tensor.splat %w : tensor<16x64xf32>
      %p = arith.mulf %s0, %ws : tensor<16x64xf32>
      %pb = arith.truncf %p : tensor<16x64xf32> to tensor<16x64xbf16>
      %vt = tile.gather %v[%key] : (!A, tensor<64xi32>) -> tensor<64x64xbf16>
      // CHECK: tile.wait_group 2
      // CHECK-NEXT: tile.barrier
      // CHECK-NEXT: %[[VT:.*]] = tile.load_shared %[[RV]][%[[STAGE]]]
      // CHECK-NEXT: tile.dot %{{.*}}, %[[VT]], %[[ACC]]
      %acc1 = tile.dot %pb, %vt, %acc : tensor<16x64xbf16>, tensor<64x64xbf16>, tensor<16x64xf32> -> tensor<16x64xf32>
      scf.yield %acc1 : tensor<16x64xf32>
    } else {
      scf.yield %acc : tensor<16x64xf32>
    }
    // CHECK: scf.yield %{{.*}}, %[[NEXT]], %[[COMING]], %[[FILL]]
    scf.yield %next : tensor<16x64xf32>
  }
  %ob = arith.truncf %o : tensor<16x64xf32> to tensor<16x64xbf16>
  tile.scatter %ob into %out[%rows] : (tensor<16x64xbf16>, !A, tensor<16xi32>) -> ()
}

// One stage: the iteration's own copies, with the index that the iteration
// before has loaded.
// ONE-LABEL: tile.kernel @selected(
// ONE-NOT: tile.copy_async
// ONE: scf.for %{{.*}} iter_args(%{{.*}} = %{{.*}}, %[[NOW:.*]] = %{{.*}})
// ONE-NEXT: tile.barrier
// ONE-NEXT: %[[VALID:.*]] = arith.cmpi ult, %[[NOW]]
// ONE-NEXT: scf.if %[[VALID]] {
// ONE: tile.copy_async %{{.*}} into %{{.*}}[%c0]
// ONE: scf.if %[[VALID]] -> (tensor<16x64xf32>) {
// ONE: tile.wait_group 1
// ONE: tile.wait_group 0

// Three stages turn by comparison.
// THREE-LABEL: tile.kernel @selected(
// THREE-COUNT-3: memref.load
// THREE-COUNT-4: tile.copy_async
// THREE: scf.for {{.*}} iter_args(%{{.*}} = %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %[[STAGE:.*]] = %c0)
// THREE: %[[AT0:.*]] = arith.cmpi eq, %[[STAGE]], %c0
// THREE: %[[FILL:.*]] = arith.select %[[AT0]], %c2, %{{.*}} : index
// THREE: %[[AT2:.*]] = arith.cmpi eq, %[[STAGE]], %c2
// THREE: %[[TURN:.*]] = arith.select %[[AT2]], %c0, %{{.*}} : index
// THREE: tile.copy_async %{{.*}} into %{{.*}}[%[[FILL]]]
// THREE: tile.wait_group 5
// THREE: tile.wait_group 4
// THREE: scf.yield {{.*}}, %[[TURN]] :

// Two chunks of keys at once, then two of values: gathers of one array beside
// each other are one group, with one wait and one barrier.
// ONE-LABEL: tile.kernel @two_chunks(
// ONE: scf.for
// ONE: tile.copy_async %k[
// ONE-NOT: tile.commit_group
// ONE: tile.copy_async %k[
// ONE-NEXT: tile.commit_group
// ONE-NEXT: tile.copy_async %v[
// ONE-NEXT: tile.copy_async %v[
// ONE-NEXT: tile.commit_group
// ONE: tile.wait_group 1
// ONE-NEXT: tile.barrier
// ONE-NEXT: tile.load_shared
// ONE-NOT: tile.barrier
// ONE: tile.load_shared
// ONE: tile.wait_group 0
// ONE-NEXT: tile.barrier
// ONE-NEXT: tile.load_shared
// ONE-NOT: tile.barrier
// ONE: tile.load_shared
tile.kernel @two_chunks(%k: !A {ramify.name = "k"}, %v: !A {ramify.name = "v"}, %indices: !I, %n: index, %out: !A) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %q = arith.constant dense<1.0> : tensor<16x64xbf16>
  %zero = arith.constant dense<0.0> : tensor<16x64xf32>
  %none = arith.constant dense<0.0> : tensor<16x16xf32>
  %rows = tile.iota : tensor<16xi32>
  %o = scf.for %s = %c0 to %n step %c2 iter_args(%acc = %zero) -> (tensor<16x64xf32>) {
    %t = arith.addi %s, %c1 : index
    %a = memref.load %indices[%s] : !I
    %b = memref.load %indices[%t] : !I
    %as = tensor.splat %a : tensor<16xi32>
    %bs = tensor.splat %b : tensor<16xi32>
    %ka = arith.addi %as, %rows : tensor<16xi32>
    %kb = arith.addi %bs, %rows : tensor<16xi32>
    %k0 = tile.gather %k[%ka] : (!A, tensor<16xi32>) -> tensor<16x64xbf16>
    %k1 = tile.gather %k[%kb] : (!A, tensor<16xi32>) -> tensor<16x64xbf16>
    %s0 = tile.dot %q, transposed %k0, %none : tensor<16x64xbf16>, tensor<16x64xbf16>, tensor<16x16xf32> -> tensor<16x16xf32>
    %s1 = tile.dot %q, transposed %k1, %none : tensor<16x64xbf16>, tensor<16x64xbf16>, tensor<16x16xf32> -> tensor<16x16xf32>
    %p0 = arith.truncf %s0 : tensor<16x16xf32> to tensor<16x16xbf16>
    %p1 = arith.truncf %s1 : tensor<16x16xf32> to tensor<16x16xbf16>
    %v0 = tile.gather %v[%ka] : (!A, tensor<16xi32>) -> tensor<16x64xbf16>
    %v1 = tile.gather %v[%kb] : (!A, tensor<16xi32>) -> tensor<16x64xbf16>
    %acc0 = tile.dot %p0, %v0, %acc : tensor<16x16xbf16>, tensor<16x64xbf16>, tensor<16x64xf32> -> tensor<16x64xf32>
    %acc1 = tile.dot %p1, %v1, %acc0 : tensor<16x16xbf16>, tensor<16x64xbf16>, tensor<16x64xf32> -> tensor<16x64xf32>
    scf.yield %acc1 : tensor<16x64xf32>
  }
  %ob = arith.truncf %o : tensor<16x64xf32> to tensor<16x64xbf16>
  tile.scatter %ob into %out[%rows] : (tensor<16x64xbf16>, !A, tensor<16xi32>) -> ()
}
