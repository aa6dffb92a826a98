// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s --tile-merge-row-scales --canonicalize --split-input-file | FileCheck %s

// The scale of %p goes to each of its users: to the weight of one, behind the
// sum of another, and past a product to the weight that comes after it.
// CHECK-LABEL: tile.kernel @gradient
// CHECK-SAME:    %[[E:[a-z0-9]+]]: tensor<64x32xf32>, %[[X:[a-z0-9]+]]: tensor<64x32xf32>, %[[R:[a-z0-9]+]]: tensor<64xf32>, %[[W:[a-z0-9]+]]: tensor<64xf32>
// CHECK-DAG:     %[[RW:.*]] = arith.mulf %[[R]], %[[W]] : tensor<64xf32>
// CHECK-DAG:     %[[F:.*]] = tile.broadcast %[[RW]] along 1
// CHECK-DAG:     %[[PW:.*]] = arith.mulf %[[E]], %[[F]] : tensor<64x32xf32>
// CHECK-DAG:     %[[EX:.*]] = arith.mulf %[[E]], %[[X]] : tensor<64x32xf32>
// CHECK-DAG:     %[[SUM:.*]] = tile.reduce sum %[[EX]] along 1
// CHECK-DAG:     %[[D:.*]] = arith.mulf %[[SUM]], %[[R]] : tensor<64xf32>
// CHECK-DAG:     tile.scatter %[[PW]]
// CHECK-DAG:     tile.scatter %[[D]]
tile.kernel @gradient(%e: tensor<64x32xf32>, %x: tensor<64x32xf32>, %r: tensor<64xf32>,
                      %w: tensor<64xf32>, %c: f32, %out: memref<?x32xf32, strided<[?, 1]>>,
                      %sums: memref<?xf32, strided<[1]>>) {
  %i = tile.iota : tensor<64xi32>
  %rb = tile.broadcast %r along 1 : tensor<64xf32> -> tensor<64x32xf32>
  %wb = tile.broadcast %w along 1 : tensor<64xf32> -> tensor<64x32xf32>
  %p = arith.mulf %e, %rb : tensor<64x32xf32>
  %pw = arith.mulf %wb, %p : tensor<64x32xf32>
  tile.scatter %pw into %out[%i] : (tensor<64x32xf32>, memref<?x32xf32, strided<[?, 1]>>, tensor<64xi32>) -> ()
  %px = arith.mulf %p, %x : tensor<64x32xf32>
  %d = tile.reduce sum %px along 1 : tensor<64x32xf32> -> tensor<64xf32>
  tile.scatter %d into %sums[%i] : (tensor<64xf32>, memref<?xf32, strided<[1]>>, tensor<64xi32>) -> ()
  // CHECK:         %[[Y:.*]] = arith.subf %[[X]]
  // CHECK:         %[[EY:.*]] = arith.mulf %[[E]], %[[Y]] : tensor<64x32xf32>
  // CHECK:         %[[G:.*]] = arith.mulf %[[EY]], %{{.*}} : tensor<64x32xf32>
  // CHECK-NEXT:    tile.scatter %[[G]]
  %db = tile.broadcast %d along 1 : tensor<64xf32> -> tensor<64x32xf32>
  %y = arith.subf %x, %db : tensor<64x32xf32>
  %py = arith.mulf %p, %y : tensor<64x32xf32>
  %g = arith.mulf %py, %wb : tensor<64x32xf32>
  %cb = tensor.splat %c : tensor<64x32xf32>
  %gc = arith.mulf %cb, %g : tensor<64x32xf32>
  tile.scatter %gc into %out[%i] : (tensor<64x32xf32>, memref<?x32xf32, strided<[?, 1]>>, tensor<64xi32>) -> ()
}

// -----

// One user needs the scaled tile itself: nothing would be saved.
// CHECK-LABEL: tile.kernel @needed
// CHECK:         %[[P:.*]] = arith.mulf
// CHECK:         tile.scatter %[[P]]
// CHECK:         tile.reduce sum %[[P]] along 1
tile.kernel @needed(%e: tensor<64x32xf32>, %r: tensor<64xf32>, %out: memref<?x32xf32, strided<[?, 1]>>,
                    %sums: memref<?xf32, strided<[1]>>) {
  %i = tile.iota : tensor<64xi32>
  %rb = tile.broadcast %r along 1 : tensor<64xf32> -> tensor<64x32xf32>
  %p = arith.mulf %e, %rb : tensor<64x32xf32>
  tile.scatter %p into %out[%i] : (tensor<64x32xf32>, memref<?x32xf32, strided<[?, 1]>>, tensor<64xi32>) -> ()
  %d = tile.reduce sum %p along 1 : tensor<64x32xf32> -> tensor<64xf32>
  tile.scatter %d into %sums[%i] : (tensor<64xf32>, memref<?xf32, strided<[1]>>, tensor<64xi32>) -> ()
}

// -----

// Neither does a square or a maximum take a scale.
// CHECK-LABEL: tile.kernel @others
// CHECK:         %[[P:.*]] = arith.mulf %{{.*}}, %{{.*}} : tensor<64x32xf32>
// CHECK:         %[[Q:.*]] = arith.mulf %[[P]], %[[P]]
// CHECK:         tile.reduce sum %[[Q]] along 1
// CHECK:         %[[M:.*]] = arith.mulf %{{.*}}, %{{.*}} : tensor<64x32xf32>
// CHECK:         tile.reduce max %[[M]] along 1
tile.kernel @others(%e: tensor<64x32xf32>, %r: tensor<64xf32>, %sums: memref<?xf32, strided<[1]>>) {
  %i = tile.iota : tensor<64xi32>
  %rb = tile.broadcast %r along 1 : tensor<64xf32> -> tensor<64x32xf32>
  %p = arith.mulf %e, %rb : tensor<64x32xf32>
  %q = arith.mulf %p, %p : tensor<64x32xf32>
  %d = tile.reduce sum %q along 1 : tensor<64x32xf32> -> tensor<64xf32>
  tile.scatter %d into %sums[%i] : (tensor<64xf32>, memref<?xf32, strided<[1]>>, tensor<64xi32>) -> ()
  %f = math.exp2 %e : tensor<64x32xf32>
  %s = arith.mulf %f, %rb : tensor<64x32xf32>
  %m = tile.reduce max %s along 1 : tensor<64x32xf32> -> tensor<64xf32>
  tile.scatter %m into %sums[%i] : (tensor<64xf32>, memref<?xf32, strided<[1]>>, tensor<64xi32>) -> ()
}

// -----

// One warp's.
// CHECK-LABEL: tile.kernel @warp
// CHECK:         %[[P:.*]] = arith.mulf
// CHECK:         arith.mulf %[[P]],
tile.kernel @warp(%e: tensor<16x32xf32>, %r: tensor<16xf32>, %w: tensor<16xf32>,
                  %out: memref<?x32xf32, strided<[?, 1]>>) {
  %i = tile.iota : tensor<16xi32>
  %rb = tile.broadcast %r along 1 : tensor<16xf32> -> tensor<16x32xf32>
  %wb = tile.broadcast %w along 1 : tensor<16xf32> -> tensor<16x32xf32>
  %p = arith.mulf %e, %rb : tensor<16x32xf32>
  %pw = arith.mulf %p, %wb : tensor<16x32xf32>
  tile.scatter %pw into %out[%i] : (tensor<16x32xf32>, memref<?x32xf32, strided<[?, 1]>>, tensor<16xi32>) -> ()
}

// -----

// A user may be a factor of another one, before or behind it in the list of uses.
// CHECK-LABEL: tile.kernel @chained
// CHECK:         %[[EX:.*]] = arith.mulf %[[E:[a-z0-9]+]], %{{.*}} : tensor<64x32xf32>
// CHECK-NOT:     tile.broadcast
// CHECK:         %[[SUM:.*]] = tile.reduce sum
// CHECK:         %[[ONCE:.*]] = arith.mulf %{{.*}}, %{{.*}} : tensor<64xf32>
// CHECK:         %[[TWICE:.*]] = arith.mulf %{{.*}}, %{{.*}} : tensor<64xf32>
// CHECK:         tile.scatter %[[TWICE]]
// CHECK-LABEL: tile.kernel @chained_other_order
// CHECK-NOT:     tile.broadcast
// CHECK:         tile.reduce sum
// CHECK-COUNT-2: arith.mulf %{{.*}}, %{{.*}} : tensor<64xf32>
// CHECK:         tile.scatter
tile.kernel @chained(%e: tensor<64x32xf32>, %x: tensor<64x32xf32>, %r: tensor<64xf32>, %sums: memref<?xf32, strided<[1]>>) {
  %i = tile.iota : tensor<64xi32>
  %rb = tile.broadcast %r along 1 : tensor<64xf32> -> tensor<64x32xf32>
  %p = arith.mulf %e, %rb : tensor<64x32xf32>
  %p1 = arith.mulf %p, %x : tensor<64x32xf32>
  %p2 = arith.mulf %p, %p1 : tensor<64x32xf32>
  %d = tile.reduce sum %p2 along 1 : tensor<64x32xf32> -> tensor<64xf32>
  tile.scatter %d into %sums[%i] : (tensor<64xf32>, memref<?xf32, strided<[1]>>, tensor<64xi32>) -> ()
}

tile.kernel @chained_other_order(%e: tensor<64x32xf32>, %x: tensor<64x32xf32>, %r: tensor<64xf32>, %w: tensor<64xf32>, %sums: memref<?xf32, strided<[1]>>) {
  %i = tile.iota : tensor<64xi32>
  %rb = tile.broadcast %r along 1 : tensor<64xf32> -> tensor<64x32xf32>
  %wb = tile.broadcast %w along 1 : tensor<64xf32> -> tensor<64x32xf32>
  %p = arith.mulf %e, %rb : tensor<64x32xf32>
  %pw = arith.mulf %p, %wb : tensor<64x32xf32>
  %p1 = arith.mulf %pw, %x : tensor<64x32xf32>
  %p2 = arith.mulf %pw, %p1 : tensor<64x32xf32>
  %d = tile.reduce sum %p2 along 1 : tensor<64x32xf32> -> tensor<64xf32>
  tile.scatter %d into %sums[%i] : (tensor<64xf32>, memref<?xf32, strided<[1]>>, tensor<64xi32>) -> ()
}
