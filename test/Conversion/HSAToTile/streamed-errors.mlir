// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s --hsa-to-tile -split-input-file -verify-diagnostics

// A stream at slots that other slots decide is not known when they are picked.
hsa.program @itself(%r: !hsa.query<f32, pos = 1, head = 1, dim = 16>,
                    %landmarks: !hsa.landmarks<"kv", f32, heads = kv, key = 64, dim = 16>)
    -> tensor<1x8xf32, #hsa.axes<pos, slot>> attributes {group = 1 : i64} {
  %b = hsa.chunk_info index in "kv" : tensor<?xi32, #hsa.axes<chunk>>
  %f = arith.sitofp %b : tensor<?xi32, #hsa.axes<chunk>> to tensor<?xf32, #hsa.axes<chunk>>
  %s = hsa.broadcast %f : tensor<?xf32, #hsa.axes<chunk>> to tensor<1x?xf32, #hsa.axes<pos, chunk>>
  // expected-error @below {{picks by a value at its own slots}}
  %slots = hsa.topk %s k 8 order score : tensor<1x?xf32, #hsa.axes<pos, chunk>> -> tensor<1x8xi32, #hsa.axes<pos, slot>>
  %x = hsa.take %s at %slots : tensor<1x?xf32, #hsa.axes<pos, chunk>>, tensor<1x8xi32, #hsa.axes<pos, slot>>
      -> tensor<1x8xf32, #hsa.axes<pos, slot>>
  %m = hsa.fold max %x over slot : tensor<1x8xf32, #hsa.axes<pos, slot>> -> tensor<1xf32, #hsa.axes<pos>>
  %ms = hsa.broadcast %m : tensor<1xf32, #hsa.axes<pos>> to tensor<1x?xf32, #hsa.axes<pos, chunk>>
  %d = arith.subf %s, %ms : tensor<1x?xf32, #hsa.axes<pos, chunk>>
  %y = hsa.take %d at %slots : tensor<1x?xf32, #hsa.axes<pos, chunk>>, tensor<1x8xi32, #hsa.axes<pos, slot>>
      -> tensor<1x8xf32, #hsa.axes<pos, slot>>
  hsa.return %y : tensor<1x8xf32, #hsa.axes<pos, slot>>
}

// -----

hsa.program @positions(%r: !hsa.query<f32, pos = 4, head = 1, dim = 16>,
                       %landmarks: !hsa.landmarks<"kv", f32, heads = kv, key = 64, dim = 16>)
    -> tensor<4x8xi32, #hsa.axes<pos, slot>> attributes {group = 1 : i64} {
  %q = hsa.load %r : !hsa.query<f32, pos = 4, head = 1, dim = 16> -> tensor<4x1x16xf32, #hsa.axes<pos, head, dim>>
  %l = hsa.stream %landmarks : !hsa.landmarks<"kv", f32, heads = kv, key = 64, dim = 16> -> tensor<?x16xf32, #hsa.axes<chunk, dim>>
  // expected-error @below {{one for the 4 positions of a query block (q_block=4), but this differs between them}}
  %d = hsa.dot %q, %l over dim : tensor<4x1x16xf32, #hsa.axes<pos, head, dim>>, tensor<?x16xf32, #hsa.axes<chunk, dim>>
      -> tensor<4x1x?xf32, #hsa.axes<pos, head, chunk>>
  %s = hsa.fold sum %d over head : tensor<4x1x?xf32, #hsa.axes<pos, head, chunk>> -> tensor<4x?xf32, #hsa.axes<pos, chunk>>
  %slots = hsa.topk %s k 8 order score : tensor<4x?xf32, #hsa.axes<pos, chunk>> -> tensor<4x8xi32, #hsa.axes<pos, slot>>
  hsa.return %slots : tensor<4x8xi32, #hsa.axes<pos, slot>>
}

// -----

// A sum over positions is one of all query blocks of the tile.
hsa.program @of_all_blocks(%r: !hsa.query<f32, pos = 1, head = 2, dim = 16>,
                           %landmarks: !hsa.landmarks<"kv", f32, heads = kv, key = 64, dim = 16>)
    -> tensor<1x2xf32, #hsa.axes<pos, head>> attributes {group = 2 : i64} {
  %q = hsa.load %r : !hsa.query<f32, pos = 1, head = 2, dim = 16> -> tensor<1x2x16xf32, #hsa.axes<pos, head, dim>>
  %l = hsa.stream %landmarks : !hsa.landmarks<"kv", f32, heads = kv, key = 64, dim = 16> -> tensor<?x16xf32, #hsa.axes<chunk, dim>>
  // expected-error @below {{sums over the positions of a query block, which a schedule over streams does for gradients of what query blocks share only}}
  %x = hsa.fold sum %q over pos : tensor<1x2x16xf32, #hsa.axes<pos, head, dim>> -> tensor<2x16xf32, #hsa.axes<head, dim>>
  %xs = hsa.broadcast %x : tensor<2x16xf32, #hsa.axes<head, dim>> to tensor<1x2x16xf32, #hsa.axes<pos, head, dim>>
  %s = hsa.dot %xs, %l over dim : tensor<1x2x16xf32, #hsa.axes<pos, head, dim>>, tensor<?x16xf32, #hsa.axes<chunk, dim>>
      -> tensor<1x2x?xf32, #hsa.axes<pos, head, chunk>>
  %z = hsa.fold sum %s over chunk : tensor<1x2x?xf32, #hsa.axes<pos, head, chunk>> -> tensor<1x2xf32, #hsa.axes<pos, head>>
  hsa.return %z : tensor<1x2xf32, #hsa.axes<pos, head>>
}
