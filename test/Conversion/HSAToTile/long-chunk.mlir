// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s --hsa-to-tile --canonicalize --cse | FileCheck %s

// A chunk of 208 keys is two tiles of 112 keys, the second with keys of no chunk
// behind its 96: these are masked always, not only in the last chunk. One
// softmax spans both tiles, and their products are a chain.

// CHECK-LABEL: tile.kernel @long
// CHECK:           %[[FIRST:.*]] = arith.muli %{{.*}}, %c208_i32
// CHECK:           %[[BEHIND:.*]] = arith.addi %[[FIRST]], %c208_i32
// CHECK:           %[[END:.*]] = arith.minsi %[[BEHIND]]
// CHECK:           %[[ENDS:.*]] = tensor.splat %[[END]] : tensor<112xi32>
// CHECK:           %[[LIVE0:.*]] = arith.cmpi slt, %[[KEYS0:.*]], %[[ENDS]]
// CHECK:           arith.addi %[[FIRST]], %c112_i32
// CHECK:           %[[LIVE1:.*]] = arith.cmpi slt, %[[KEYS1:.*]], %[[ENDS]]
// CHECK:           %[[K0:.*]] = tile.gather {{.*}}%[[KEYS0]]{{.*}} where %[[LIVE0]]
// CHECK:           %[[K1:.*]] = tile.gather {{.*}}%[[KEYS1]]{{.*}} where %[[LIVE1]]
// CHECK:           tile.dot %{{.*}}, transposed %[[K0]]
// CHECK:           tile.dot %{{.*}}, transposed %[[K1]]
// CHECK-NOT:       scf.if
// CHECK:           %[[S0:.*]] = arith.select
// CHECK:           %[[S1:.*]] = arith.select
// CHECK:           %[[M0:.*]] = tile.reduce max %[[S0]]
// CHECK:           %[[M1:.*]] = tile.reduce max %[[S1]]
// CHECK:           arith.maxnumf %[[M0]], %[[M1]]
// CHECK:           %[[L0:.*]] = tile.reduce sum
// CHECK:           %[[L1:.*]] = tile.reduce sum
// CHECK:           %[[L:.*]] = arith.addf %[[L0]], %[[L1]]
// CHECK:           arith.divf %{{.*}}, %[[L]]
// CHECK:           %[[O0:.*]] = tile.dot %{{.*}}, %[[K0]]
// CHECK:           %[[O1:.*]] = tile.dot %{{.*}}, %[[K1]], %[[O0]]
hsa.program @long(%q: !hsa.query<f16, pos = 1, head = 16, dim = 32>, %k: !hsa.chunks<"kv", f16, key = 208, dim = 32>,
                  %indices: !hsa.indices<"kv", i32, heads = kv>)
    -> tensor<1x16x32xf32, #hsa.axes<pos, head, dim>> attributes {group = 16 : i64} {
  %qt = hsa.load %q : !hsa.query<f16, pos = 1, head = 16, dim = 32> -> tensor<1x16x32xf16, #hsa.axes<pos, head, dim>>
  %zero = hsa.identity sum : tensor<1x16x32xf32, #hsa.axes<pos, head, dim>>
  %d = hsa.selected %indices : !hsa.indices<"kv", i32, heads = kv> -> !hsa.domain<"kv", "indices">
  %o = hsa.reduce (%slot, %c) in %d : !hsa.domain<"kv", "indices">
      into (sum %zero : tensor<1x16x32xf32, #hsa.axes<pos, head, dim>>) {
    %kc = hsa.chunk %k[%c : !hsa.chunk_id<"kv">] : !hsa.chunks<"kv", f16, key = 208, dim = 32> -> tensor<208x32xf16, #hsa.axes<key, dim>>
    %s = hsa.dot %qt, %kc over dim : tensor<1x16x32xf16, #hsa.axes<pos, head, dim>>, tensor<208x32xf16, #hsa.axes<key, dim>> -> tensor<1x16x208xf32, #hsa.axes<pos, head, key>>
    %p = hsa.softmax %s over key in %c : !hsa.chunk_id<"kv"> off_by 0.0 : tensor<1x16x208xf32, #hsa.axes<pos, head, key>>
    %x = hsa.dot %p, %kc over key in %c : !hsa.chunk_id<"kv"> : tensor<1x16x208xf32, #hsa.axes<pos, head, key>>, tensor<208x32xf16, #hsa.axes<key, dim>> -> tensor<1x16x32xf32, #hsa.axes<pos, head, dim>>
    hsa.yield %x : tensor<1x16x32xf32, #hsa.axes<pos, head, dim>>
  }
  hsa.return %o : tensor<1x16x32xf32, #hsa.axes<pos, head, dim>>
}
