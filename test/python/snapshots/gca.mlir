// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#chunk = #hsa.axes<chunk>
#chunk_dim = #hsa.axes<chunk, dim>
#head_chunk = #hsa.axes<head, chunk>
#head_dim = #hsa.axes<head, dim>
#key_dim = #hsa.axes<key, dim>
#pos_head_dim = #hsa.axes<pos, head, dim>
#pos_head_key = #hsa.axes<pos, head, key>
#slot = #hsa.axes<slot>
module {
  hsa.program @gca_kernel(%q: !hsa.query<f32, pos = 16, head = 2, dim = 16>, %k: !hsa.chunks<"kv", f32, key = 16, dim = 16>, %v: !hsa.chunks<"kv", f32, key = 16, dim = 32>, %r: !hsa.query<f32, pos = 1, head = 2, dim = 64>, %landmarks: !hsa.landmarks<"kv", f32, heads = kv, key = 16, dim = 64>, %scale: f32, %scale_r: f32) -> tensor<16x2x32xf32, #pos_head_dim> attributes {group = 2 : i64} {
    %cst = arith.constant 0xFF800000 : f32
    %c16_i32 = arith.constant 16 : i32
    %0 = hsa.load %r : !hsa.query<f32, pos = 1, head = 2, dim = 64> -> tensor<2x64xf32, #head_dim>
    %1 = hsa.stream %landmarks : !hsa.landmarks<"kv", f32, heads = kv, key = 16, dim = 64> -> tensor<?x64xf32, #chunk_dim>
    %2 = hsa.load %q : !hsa.query<f32, pos = 16, head = 2, dim = 16> -> tensor<16x2x16xf32, #pos_head_dim>
    %3 = hsa.block_position : i32
    %4 = hsa.dot %0, %1 over dim : tensor<2x64xf32, #head_dim>, tensor<?x64xf32, #chunk_dim> -> tensor<2x?xf32, #head_chunk>
    %5 = hsa.broadcast %scale_r : f32 to tensor<2x?xf32, #head_chunk>
    %6 = arith.mulf %4, %5 : tensor<2x?xf32, #head_chunk>
    %7 = hsa.fold sum %6 over head : tensor<2x?xf32, #head_chunk> -> tensor<?xf32, #chunk>
    %8 = hsa.chunk_info start in "kv" : tensor<?xi32, #chunk>
    %9 = hsa.broadcast %c16_i32 : i32 to tensor<?xi32, #chunk>
    %10 = arith.addi %8, %9 : tensor<?xi32, #chunk>
    %11 = hsa.broadcast %3 : i32 to tensor<?xi32, #chunk>
    %12 = arith.cmpi sle, %10, %11 : tensor<?xi32, #chunk>
    %13 = hsa.broadcast %cst : f32 to tensor<?xf32, #chunk>
    %14 = arith.select %12, %7, %13 : tensor<?xi1, #chunk>, tensor<?xf32, #chunk>
    %15 = hsa.topk %14 k 3 order  nearest : tensor<?xf32, #chunk> -> tensor<3xi32, #slot>
    %16 = hsa.take %14 at %15 : tensor<?xf32, #chunk>, tensor<3xi32, #slot> -> tensor<3xf32, #slot>
    %17 = hsa.softmax %16 over slot off_by 0.000000e+00 : tensor<3xf32, #slot>
    %18 = hsa.identity sum : tensor<16x2x32xf32, #pos_head_dim>
    %19 = hsa.selected %15 in "kv" as "slots" : tensor<3xi32, #slot> -> !hsa.domain<"kv", "slots">
    %20 = hsa.broadcast %scale : f32 to tensor<16x2x16xf32, #pos_head_key>
    %21 = hsa.reduce (%slot, %c) in %19 : !hsa.domain<"kv", "slots"> into (sum %18 : tensor<16x2x32xf32, #pos_head_dim>) {
      %22 = hsa.chunk %k[%c : !hsa.chunk_id<"kv">] : !hsa.chunks<"kv", f32, key = 16, dim = 16> -> tensor<16x16xf32, #key_dim>
      %23 = hsa.dot %2, %22 over dim : tensor<16x2x16xf32, #pos_head_dim>, tensor<16x16xf32, #key_dim> -> tensor<16x2x16xf32, #pos_head_key>
      %24 = arith.mulf %23, %20 : tensor<16x2x16xf32, #pos_head_key>
      %25 = hsa.softmax %24 over key in %c : !hsa.chunk_id<"kv"> off_by 0.000000e+00 : tensor<16x2x16xf32, #pos_head_key>
      %26 = hsa.at %17[%slot : !hsa.slot<"slots">] : tensor<3xf32, #slot> -> f32
      %27 = hsa.chunk %v[%c : !hsa.chunk_id<"kv">] : !hsa.chunks<"kv", f32, key = 16, dim = 32> -> tensor<16x32xf32, #key_dim>
      %28 = hsa.dot %25, %27 over key in %c : !hsa.chunk_id<"kv"> : tensor<16x2x16xf32, #pos_head_key>, tensor<16x32xf32, #key_dim> -> tensor<16x2x32xf32, #pos_head_dim>
      %29 = hsa.broadcast %26 : f32 to tensor<16x2x32xf32, #pos_head_dim>
      %30 = arith.mulf %29, %28 : tensor<16x2x32xf32, #pos_head_dim>
      hsa.yield %30 : tensor<16x2x32xf32, #pos_head_dim>
    }
    hsa.return %21 : tensor<16x2x32xf32, #pos_head_dim>
  }
}
