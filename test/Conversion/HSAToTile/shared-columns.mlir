// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt --hsa-to-tile="registers=255" --canonicalize %s | FileCheck %s
// RUN: ramify-opt --hsa-to-tile --canonicalize %s | FileCheck %s --check-prefix=ALL

// The columns of an accumulator of 256 f32 are shared by two warps, which then
// have the same 16 rows: the 32 of a query block are two programs. The warps
// have room for the scores of 32 keys at a time.
// CHECK-LABEL: tile.kernel @wide(
// CHECK:         scf.for {{.*}} -> (tensor<16x256xf32>)
// CHECK:           tile.dot {{.*}}tensor<16x256xf32>, tensor<32x256xf32>, tensor<16x32xf32>
// CHECK-LABEL: tile.plan
// CHECK:         %[[L:.*]] = memref.dim %{{.*}}, %c1
// CHECK:         arith.muli %[[L]], %c2

// With registers enough a program has all rows, and all keys.
// ALL-LABEL: tile.kernel @wide(
// ALL:         tile.dot {{.*}}tensor<32x256xf32>, tensor<64x256xf32>, tensor<32x64xf32>
hsa.program @wide(%q: !hsa.query<f32, pos = 1, head = 32, dim = 256>, %k: !hsa.chunks<"kv", f32, key = 64, dim = 256>,
                  %indices: !hsa.indices<"kv", i32, heads = kv>)
    -> tensor<1x32x256xf32, #hsa.axes<pos, head, dim>> attributes {group = 32 : i64} {
  %qt = hsa.load %q : !hsa.query<f32, pos = 1, head = 32, dim = 256> -> tensor<1x32x256xf32, #hsa.axes<pos, head, dim>>
  %zero = hsa.identity sum : tensor<1x32x256xf32, #hsa.axes<pos, head, dim>>
  %d = hsa.selected %indices : !hsa.indices<"kv", i32, heads = kv> -> !hsa.domain<"kv", "indices">
  %o = hsa.reduce (%slot, %c) in %d : !hsa.domain<"kv", "indices">
      into (sum %zero : tensor<1x32x256xf32, #hsa.axes<pos, head, dim>>) {
    %kc = hsa.chunk %k[%c : !hsa.chunk_id<"kv">] : !hsa.chunks<"kv", f32, key = 64, dim = 256> -> tensor<64x256xf32, #hsa.axes<key, dim>>
    %s = hsa.dot %qt, %kc over dim : tensor<1x32x256xf32, #hsa.axes<pos, head, dim>>, tensor<64x256xf32, #hsa.axes<key, dim>> -> tensor<1x32x64xf32, #hsa.axes<pos, head, key>>
    %p = hsa.softmax %s over key in %c : !hsa.chunk_id<"kv"> off_by 0.0 : tensor<1x32x64xf32, #hsa.axes<pos, head, key>>
    %x = hsa.dot %p, %kc over key in %c : !hsa.chunk_id<"kv"> : tensor<1x32x64xf32, #hsa.axes<pos, head, key>>, tensor<64x256xf32, #hsa.axes<key, dim>> -> tensor<1x32x256xf32, #hsa.axes<pos, head, dim>>
    hsa.yield %x : tensor<1x32x256xf32, #hsa.axes<pos, head, dim>>
  }
  hsa.return %o : tensor<1x32x256xf32, #hsa.axes<pos, head, dim>>
}
