// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s --tile-fold-row-scales --split-input-file | FileCheck %s

// A weight joins the scale that the rows have already; bf16 is rounded once,
// after both.
// CHECK-LABEL: tile.kernel @bf16
// CHECK-SAME:    %[[ACC:[a-z0-9]+]]: tensor<16x64xf32>, %[[E:[a-z0-9]+]]: tensor<16x32xf32>, %[[R:[a-z0-9]+]]: tensor<16xf32>, %[[V:[a-z0-9]+]]: tensor<32x64xbf16>, %[[W:[a-z0-9]+]]: f32
// CHECK:         %[[WV:.*]] = tensor.splat %[[W]] : tensor<16xf32>
// CHECK:         %[[F:.*]] = arith.mulf %[[R]], %[[WV]] : tensor<16xf32>
// CHECK:         %[[FB:.*]] = tile.broadcast %[[F]] along 1 : tensor<16xf32> -> tensor<16x32xf32>
// CHECK:         %[[P:.*]] = arith.mulf %[[E]], %[[FB]]
// CHECK:         %[[PB:.*]] = arith.truncf %[[P]]
// CHECK:         %[[NEXT:.*]] = tile.dot %[[PB]], %[[V]], %[[ACC]]
// CHECK:         tile.scatter %[[NEXT]]
tile.kernel @bf16(%acc: tensor<16x64xf32>, %e: tensor<16x32xf32>, %r: tensor<16xf32>,
                  %v: tensor<32x64xbf16>, %w: f32, %out: memref<?x64xf32, strided<[?, 1]>>) {
  %rb = tile.broadcast %r along 1 : tensor<16xf32> -> tensor<16x32xf32>
  %p = arith.mulf %e, %rb : tensor<16x32xf32>
  %pb = arith.truncf %p : tensor<16x32xf32> to tensor<16x32xbf16>
  %zero = arith.constant dense<0.0> : tensor<16x64xf32>
  %o = tile.dot %pb, %v, %zero : tensor<16x32xbf16>, tensor<32x64xbf16>, tensor<16x64xf32> -> tensor<16x64xf32>
  %wb = tensor.splat %w : tensor<16x64xf32>
  %ow = arith.mulf %wb, %o : tensor<16x64xf32>
  %next = arith.addf %acc, %ow : tensor<16x64xf32>
  %i = tile.iota : tensor<16xi32>
  tile.scatter %next into %out[%i] : (tensor<16x64xf32>, memref<?x64xf32, strided<[?, 1]>>, tensor<16xi32>) -> ()
}

// -----

// f16 could underflow: the scale stays behind the product.
// CHECK-LABEL: tile.kernel @f16
// CHECK:         %[[O:.*]] = tile.dot
// CHECK:         %[[OW:.*]] = arith.mulf {{.*}}, %[[O]]
// CHECK:         arith.addf {{.*}}, %[[OW]]
tile.kernel @f16(%acc: tensor<16x64xf32>, %p: tensor<16x32xf32>, %v: tensor<32x64xf16>,
                 %w: f32, %out: memref<?x64xf32, strided<[?, 1]>>) {
  %ph = arith.truncf %p : tensor<16x32xf32> to tensor<16x32xf16>
  %zero = arith.constant dense<0.0> : tensor<16x64xf32>
  %o = tile.dot %ph, %v, %zero : tensor<16x32xf16>, tensor<32x64xf16>, tensor<16x64xf32> -> tensor<16x64xf32>
  %wb = tensor.splat %w : tensor<16x64xf32>
  %ow = arith.mulf %wb, %o : tensor<16x64xf32>
  %next = arith.addf %acc, %ow : tensor<16x64xf32>
  %i = tile.iota : tensor<16xi32>
  tile.scatter %next into %out[%i] : (tensor<16x64xf32>, memref<?x64xf32, strided<[?, 1]>>, tensor<16xi32>) -> ()
}

// -----

// A chain of products, the parts of a long chunk, folds as a whole.
// CHECK-LABEL: tile.kernel @chain
// CHECK-SAME:    %[[ACC:[a-z0-9]+]]: tensor<16x64xf32>, %[[P0:[a-z0-9]+]]: tensor<16x32xf32>, %[[P1:[a-z0-9]+]]: tensor<16x32xf32>, %[[V:[a-z0-9]+]]: tensor<32x64xf32>
// CHECK:         %[[FIRST:.*]] = tile.dot %{{.*}}, %[[V]], %[[ACC]]
// CHECK:         %[[SECOND:.*]] = tile.dot %{{.*}}, %[[V]], %[[FIRST]]
// CHECK-NOT:     arith.addf
// CHECK:         tile.scatter %[[SECOND]]
tile.kernel @chain(%acc: tensor<16x64xf32>, %p0: tensor<16x32xf32>, %p1: tensor<16x32xf32>,
                   %v: tensor<32x64xf32>, %w: tensor<16xf32>, %out: memref<?x64xf32, strided<[?, 1]>>) {
  %zero = arith.constant dense<0.0> : tensor<16x64xf32>
  %o0 = tile.dot %p0, %v, %zero : tensor<16x32xf32>, tensor<32x64xf32>, tensor<16x64xf32> -> tensor<16x64xf32>
  %o1 = tile.dot %p1, %v, %o0 : tensor<16x32xf32>, tensor<32x64xf32>, tensor<16x64xf32> -> tensor<16x64xf32>
  %wb = tile.broadcast %w along 1 : tensor<16xf32> -> tensor<16x64xf32>
  %ow = arith.mulf %wb, %o1 : tensor<16x64xf32>
  %next = arith.addf %ow, %acc : tensor<16x64xf32>
  %i = tile.iota : tensor<16xi32>
  tile.scatter %next into %out[%i] : (tensor<16x64xf32>, memref<?x64xf32, strided<[?, 1]>>, tensor<16xi32>) -> ()
}

// -----

// What a loop in a loop sums starts from what it is added to, each of its terms
// scaled; in f16 the scale stays outside the product.
// CHECK-LABEL: tile.kernel @loop
// CHECK-SAME:    %[[P:[a-z0-9]+]]: tensor<16x32xf16>, %[[V:[a-z0-9]+]]: tensor<32x64xf16>
// CHECK:         scf.for {{.*}} iter_args(%[[ACC:.*]] = %{{.*}})
// CHECK:           %[[NEXT:.*]] = scf.for {{.*}} iter_args(%[[SUM:.*]] = %[[ACC]])
// CHECK:             %[[X:.*]] = tile.dot %[[P]], %[[V]], %{{cst.*}} :
// CHECK:             %[[WX:.*]] = arith.mulf %[[X]], %{{.*}}
// CHECK:             %[[MORE:.*]] = arith.addf %[[SUM]], %[[WX]]
// CHECK:             scf.yield %[[MORE]]
// CHECK-NOT:       arith.addf
// CHECK:           scf.yield %[[NEXT]]
tile.kernel @loop(%p: tensor<16x32xf16>, %v: tensor<32x64xf16>, %w: tensor<16xf32>,
                  %n: index, %out: memref<?x64xf32, strided<[?, 1]>>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant dense<0.0> : tensor<16x64xf32>
  %wb = tile.broadcast %w along 1 : tensor<16xf32> -> tensor<16x64xf32>
  %all = scf.for %i = %c0 to %n step %c1 iter_args(%acc = %zero) -> (tensor<16x64xf32>) {
    %o = scf.for %j = %c0 to %n step %c1 iter_args(%sum = %zero) -> (tensor<16x64xf32>) {
      %x = tile.dot %p, %v, %sum : tensor<16x32xf16>, tensor<32x64xf16>, tensor<16x64xf32> -> tensor<16x64xf32>
      scf.yield %x : tensor<16x64xf32>
    }
    %ow = arith.mulf %wb, %o : tensor<16x64xf32>
    %next = arith.addf %acc, %ow : tensor<16x64xf32>
    scf.yield %next : tensor<16x64xf32>
  }
  %r = tile.iota : tensor<16xi32>
  tile.scatter %all into %out[%r] : (tensor<16x64xf32>, memref<?x64xf32, strided<[?, 1]>>, tensor<16xi32>) -> ()
}
