// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s --hsa-to-tile --canonicalize --cse --split-input-file | FileCheck %s

// A group of four in tiles of 16 rows: rows without a query head read nothing and
// are not written. Weights per query head are looked up row by row; indices that
// all heads share are at head 0, and 64-bit ones are compared as they are.

#o = #hsa.axes<pos, head, dim>
// CHECK-LABEL: tile.kernel @heads
// CHECK:         %[[ROW:.*]] = tile.iota : tensor<16xi32>
// CHECK:         %[[INSIDE:.*]] = arith.cmpi slt, %[[ROW]], %{{.*}} : tensor<16xi32>
// CHECK:         %[[HEADS:.*]] = arith.addi
// CHECK:         tile.gather {{.*}} where %[[INSIDE]]
// CHECK:         scf.for %[[SLOT:[a-z0-9]+]] =
// CHECK:           %[[INDEX:.*]] = memref.load %i[%{{.*}}, %{{.*}}, %c0, %[[SLOT]]]
// CHECK:           %[[COUNT:.*]] = arith.extui %{{.*}} : i32 to i64
// CHECK:           arith.cmpi ult, %[[INDEX]], %[[COUNT]] : i64
// CHECK:           tile.lookup %w[%{{.*}}, %{{.*}}, %[[HEADS]], %[[SLOT]]] where %[[INSIDE]] : {{.*}} -> tensor<16xbf16>
// CHECK:         tile.scatter {{.*}} where %[[INSIDE]]
hsa.program @heads(%q: !hsa.query<f32, pos = 1, head = 4, dim = 16>, %v: !hsa.chunks<"kv", f32, key = 32, dim = 16>,
                   %w: !hsa.weights<"i", bf16, heads = query>, %i: !hsa.indices<"kv", i64, heads = one>)
    -> tensor<1x4x16xf32, #o> attributes {group = 4 : i64} {
  %x = hsa.load %q : !hsa.query<f32, pos = 1, head = 4, dim = 16> -> tensor<1x4x16xf32, #o>
  %zero = hsa.identity sum : tensor<1x4x16xf32, #o>
  %d = hsa.selected %i : !hsa.indices<"kv", i64, heads = one> -> !hsa.domain<"kv", "i">
  %o = hsa.reduce (%slot, %c) in %d : !hsa.domain<"kv", "i"> into (sum %zero : tensor<1x4x16xf32, #o>) {
    %narrow = hsa.at %w[%slot : !hsa.slot<"i">] : !hsa.weights<"i", bf16, heads = query> -> tensor<4xbf16, #hsa.axes<head>>
    %wide = arith.extf %narrow : tensor<4xbf16, #hsa.axes<head>> to tensor<4xf32, #hsa.axes<head>>
    %wb = hsa.broadcast %wide : tensor<4xf32, #hsa.axes<head>> to tensor<1x4x16xf32, #o>
    %y = arith.mulf %wb, %x : tensor<1x4x16xf32, #o>
    hsa.yield %y : tensor<1x4x16xf32, #o>
  }
  hsa.return %o : tensor<1x4x16xf32, #o>
}

// -----

// Indices per query head: a program for each query head, whose keys are those of
// the head's group.

#o = #hsa.axes<pos, head, dim>
// CHECK-LABEL: tile.kernel @query_indices
// CHECK:         %[[HEAD:.*]] = tile.program_id y
// CHECK:         %[[KV:.*]] = arith.divui %[[HEAD]], %c4
// CHECK:         memref.load %i[%{{.*}}, %{{.*}}, %[[HEAD]], %{{.*}}]
// CHECK:         tile.gather %v[%{{.*}}, %{{.*}}, %[[KV]]]
// CHECK-LABEL: tile.plan @query_indices_plan
// CHECK-SAME:    {ramify.dims = ["B", "rows", "HQ", "K"], ramify.name = "i"}
// CHECK:         %[[HQ:.*]] = memref.dim %{{.*}}, %c2
// CHECK:         tile.launch @query_indices grid(%{{.*}}, %[[HQ]], %{{.*}})
hsa.program @query_indices(%q: !hsa.query<f32, pos = 1, head = 1, dim = 16>, %v: !hsa.chunks<"kv", f32, key = 32, dim = 16>,
                           %i: !hsa.indices<"kv", i32, heads = query>)
    -> tensor<1x1x16xf32, #o> attributes {group = 4 : i64} {
  %x = hsa.load %q : !hsa.query<f32, pos = 1, head = 1, dim = 16> -> tensor<1x1x16xf32, #o>
  %zero = hsa.identity max : tensor<1x1x16xf32, #o>
  %d = hsa.selected %i : !hsa.indices<"kv", i32, heads = query> -> !hsa.domain<"kv", "i">
  %o = hsa.reduce (%slot, %c) in %d : !hsa.domain<"kv", "i"> into (max %zero : tensor<1x1x16xf32, #o>) {
    %vc = hsa.chunk %v[%c : !hsa.chunk_id<"kv">] : !hsa.chunks<"kv", f32, key = 32, dim = 16> -> tensor<32x16xf32, #hsa.axes<key, dim>>
    %m = hsa.fold max %vc over key in %c : !hsa.chunk_id<"kv"> : tensor<32x16xf32, #hsa.axes<key, dim>> -> tensor<16xf32, #hsa.axes<dim>>
    %y = hsa.broadcast %m : tensor<16xf32, #hsa.axes<dim>> to tensor<1x1x16xf32, #o>
    hsa.yield %y : tensor<1x1x16xf32, #o>
  }
  hsa.return %o : tensor<1x1x16xf32, #o>
}

// -----

// Other arrays: a scalar, one element for each row, for each key, for the chunk
// and each row, and rows of a dim; a batch axis comes first.

#o = #hsa.axes<pos, head, dim>
// CHECK-LABEL: tile.kernel @arrays
// CHECK-SAME:    %scalar: memref<f32> {{.*}}, %head: memref<?xf32, strided<[1]>>
// CHECK-SAME:    %key: memref<?x?xf32, strided<[?, 1]>> {{.*}}, %chunk: memref<?x?xf32, strided<[?, 1]>>
// CHECK-SAME:    %L: memref<?x16xf32, strided<[?, 1]>>
// CHECK:         %[[HEADS:.*]] = arith.addi {{.*}} : tensor<16xi32>
// CHECK:         memref.load %scalar[]
// CHECK:         tile.lookup %head[%[[HEADS]]] where
// CHECK:         tile.gather %L[%{{.*}}]
// CHECK:         scf.for %[[I:[a-z0-9]+]] =
// CHECK:           tile.lookup %key[%{{.*}}, %{{.*}}] where %{{.*}} : {{.*}} -> tensor<32xf32>
// CHECK:           tile.lookup %chunk[%[[I]], %[[HEADS]]] where
// CHECK-LABEL: tile.plan @arrays_plan
// CHECK-SAME:    memref<f32> {ramify.dims = [], ramify.name = "scalar"}
// CHECK-SAME:    {ramify.dims = ["HQ"], ramify.name = "head"}
// CHECK-SAME:    {ramify.dims = ["B", "N"], ramify.name = "key"}
// CHECK-SAME:    {ramify.dims = ["C", "HQ"], ramify.name = "chunk"}
// CHECK-SAME:    {ramify.dims = ["L_", "16"], ramify.name = "L"}
hsa.program @arrays(%q: !hsa.query<f32, pos = 1, head = 4, dim = 16>, %k: !hsa.chunks<"kv", f32, key = 32, dim = 16>,
                    %scalar: !hsa.array<f32, []>, %head: !hsa.array<f32, [head = 4]>,
                    %key: !hsa.array<f32, [key = 32], of "kv", batch>,
                    %chunk: !hsa.array<f32, [chunk = ?, head = 4], of "kv">,
                    %L: !hsa.array<f32, [pos = 1, dim = 16]>)
    -> tensor<1x4x16xf32, #o> attributes {group = 4 : i64} {
  %a = hsa.load %scalar : !hsa.array<f32, []> -> f32
  %b = hsa.load %head : !hsa.array<f32, [head = 4]> -> tensor<4xf32, #hsa.axes<head>>
  %e = hsa.load %L : !hsa.array<f32, [pos = 1, dim = 16]> -> tensor<1x16xf32, #hsa.axes<pos, dim>>
  %a1 = hsa.broadcast %a : f32 to tensor<1x4x32xf32, #hsa.axes<pos, head, key>>
  %e1 = hsa.broadcast %e : tensor<1x16xf32, #hsa.axes<pos, dim>> to tensor<1x4x16xf32, #o>
  %b1 = hsa.broadcast %b : tensor<4xf32, #hsa.axes<head>> to tensor<1x4x16xf32, #o>
  %zero = hsa.identity sum : tensor<1x4x16xf32, #o>
  %d = hsa.every %k : !hsa.chunks<"kv", f32, key = 32, dim = 16> -> !hsa.domain<"kv">
  %o = hsa.reduce (%c) in %d : !hsa.domain<"kv"> into (sum %zero : tensor<1x4x16xf32, #o>) {
    %x = hsa.chunk %key[%c : !hsa.chunk_id<"kv">] : !hsa.array<f32, [key = 32], of "kv", batch> -> tensor<32xf32, #hsa.axes<key>>
    %y = hsa.chunk %chunk[%c : !hsa.chunk_id<"kv">] : !hsa.array<f32, [chunk = ?, head = 4], of "kv"> -> tensor<4xf32, #hsa.axes<head>>
    %x1 = hsa.broadcast %x : tensor<32xf32, #hsa.axes<key>> to tensor<1x4x32xf32, #hsa.axes<pos, head, key>>
    %z = arith.mulf %x1, %a1 : tensor<1x4x32xf32, #hsa.axes<pos, head, key>>
    %m = hsa.fold sum %z over key in %c : !hsa.chunk_id<"kv"> : tensor<1x4x32xf32, #hsa.axes<pos, head, key>> -> tensor<1x4xf32, #hsa.axes<pos, head>>
    %m1 = hsa.broadcast %m : tensor<1x4xf32, #hsa.axes<pos, head>> to tensor<1x4x16xf32, #o>
    %y1 = hsa.broadcast %y : tensor<4xf32, #hsa.axes<head>> to tensor<1x4x16xf32, #o>
    %r = arith.addf %m1, %y1 : tensor<1x4x16xf32, #o>
    hsa.yield %r : tensor<1x4x16xf32, #o>
  }
  %r1 = arith.addf %o, %b1 : tensor<1x4x16xf32, #o>
  %r2 = arith.addf %r1, %e1 : tensor<1x4x16xf32, #o>
  hsa.return %r2 : tensor<1x4x16xf32, #o>
}
