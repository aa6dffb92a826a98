// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#head = #hsa.axes<head>
#key = #hsa.axes<key>
#key_dim = #hsa.axes<key, dim>
#pos_head = #hsa.axes<pos, head>
#pos_head_dim = #hsa.axes<pos, head, dim>
#pos_head_key = #hsa.axes<pos, head, key>
module {
  hsa.program @hils_kernel(%q: !hsa.query<f32, pos = 1, head = 2, dim = 16>, %k: !hsa.chunks<"kv", f32, key = 16, dim = 16>, %v: !hsa.chunks<"kv", f32, key = 16, dim = 32>, %near: !hsa.query<f32, pos = 1, head = 2, dim = 32>, %share: !hsa.array<f32, [pos = 1, head = 2], batch>, %weights: !hsa.weights<"indices", f32, heads = query>, %indices: !hsa.indices<"kv", i32, heads = kv>, %scale: f32) -> tensor<1x2x32xf32, #pos_head_dim> attributes {group = 2 : i64} {
    %c15_i32 = arith.constant 15 : i32
    %cst = arith.constant dense<0xFF800000> : tensor<1x2x16xf32, #pos_head_key>
    %c16_i32 = arith.constant 16 : i32
    %0 = hsa.load %share : !hsa.array<f32, [pos = 1, head = 2], batch> -> tensor<1x2xf32, #pos_head>
    %1 = hsa.load %near : !hsa.query<f32, pos = 1, head = 2, dim = 32> -> tensor<1x2x32xf32, #pos_head_dim>
    %2 = hsa.load %q : !hsa.query<f32, pos = 1, head = 2, dim = 16> -> tensor<1x2x16xf32, #pos_head_dim>
    %3 = hsa.broadcast %0 : tensor<1x2xf32, #pos_head> to tensor<1x2x32xf32, #pos_head_dim>
    %4 = arith.mulf %3, %1 : tensor<1x2x32xf32, #pos_head_dim>
    %5 = hsa.selected %indices : !hsa.indices<"kv", i32, heads = kv> -> !hsa.domain<"kv", "indices">
    %6 = hsa.broadcast %scale : f32 to tensor<1x2x16xf32, #pos_head_key>
    %7 = hsa.reduce (%slot, %c) in %5 : !hsa.domain<"kv", "indices"> into (sum %4 : tensor<1x2x32xf32, #pos_head_dim>) {
      %8 = hsa.key_positions %c : !hsa.chunk_id<"kv"> -> tensor<16xi32, #key>
      %9 = hsa.chunk_index %c : !hsa.chunk_id<"kv">
      %10 = arith.muli %9, %c16_i32 : i32
      %11 = arith.addi %10, %c15_i32 : i32
      %12 = hsa.broadcast %11 : i32 to tensor<16xi32, #key>
      %13 = arith.cmpi slt, %8, %12 : tensor<16xi32, #key>
      %14 = hsa.chunk %k[%c : !hsa.chunk_id<"kv">] : !hsa.chunks<"kv", f32, key = 16, dim = 16> -> tensor<16x16xf32, #key_dim>
      %15 = hsa.dot %2, %14 over dim : tensor<1x2x16xf32, #pos_head_dim>, tensor<16x16xf32, #key_dim> -> tensor<1x2x16xf32, #pos_head_key>
      %16 = arith.mulf %15, %6 : tensor<1x2x16xf32, #pos_head_key>
      %17 = hsa.broadcast %13 : tensor<16xi1, #key> to tensor<1x2x16xi1, #pos_head_key>
      %18 = arith.select %17, %16, %cst : tensor<1x2x16xi1, #pos_head_key>, tensor<1x2x16xf32, #pos_head_key>
      %19 = hsa.softmax %18 over key in %c : !hsa.chunk_id<"kv"> off_by 0.000000e+00 : tensor<1x2x16xf32, #pos_head_key>
      %20 = hsa.at %weights[%slot : !hsa.slot<"indices">] : !hsa.weights<"indices", f32, heads = query> -> tensor<2xf32, #head>
      %21 = hsa.chunk %v[%c : !hsa.chunk_id<"kv">] : !hsa.chunks<"kv", f32, key = 16, dim = 32> -> tensor<16x32xf32, #key_dim>
      %22 = hsa.dot %19, %21 over key in %c : !hsa.chunk_id<"kv"> : tensor<1x2x16xf32, #pos_head_key>, tensor<16x32xf32, #key_dim> -> tensor<1x2x32xf32, #pos_head_dim>
      %23 = hsa.broadcast %20 : tensor<2xf32, #head> to tensor<1x2x32xf32, #pos_head_dim>
      %24 = arith.mulf %23, %22 : tensor<1x2x32xf32, #pos_head_dim>
      hsa.yield %24 : tensor<1x2x32xf32, #pos_head_dim>
    }
    hsa.return %7 : tensor<1x2x32xf32, #pos_head_dim>
  }
}
