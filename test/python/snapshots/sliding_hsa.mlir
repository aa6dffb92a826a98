// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#key_dim = #hsa.axes<key, dim>
#pos_head_dim = #hsa.axes<pos, head, dim>
#pos_head_key = #hsa.axes<pos, head, key>
module {
  hsa.program @sliding_hsa_kernel(%q: !hsa.query<f32, pos = 1, head = 2, dim = 16>, %k: !hsa.chunks<"kv", f32, key = 16, dim = 16>, %v: !hsa.chunks<"kv", f32, key = 16, dim = 32>, %weights: !hsa.weights<"indices", f32, heads = kv>, %indices: !hsa.indices<"kv", i32, heads = kv>, %scale: f32, %window: i32) -> tensor<1x2x32xf32, #pos_head_dim> attributes {group = 2 : i64} {
    %0 = hsa.load %q : !hsa.query<f32, pos = 1, head = 2, dim = 16> -> tensor<1x2x16xf32, #pos_head_dim>
    %1 = hsa.online_softmax : !hsa.softmax_state<tensor<1x2x32xf32, #pos_head_dim>>
    %2 = hsa.window %k last %window : !hsa.chunks<"kv", f32, key = 16, dim = 16> -> !hsa.domain<"kv">
    %3 = hsa.broadcast %scale : f32 to tensor<1x2x16xf32, #pos_head_key>
    %4 = hsa.reduce (%c) in %2 : !hsa.domain<"kv"> into (softmax %1 : !hsa.softmax_state<tensor<1x2x32xf32, #pos_head_dim>>) {
      %11 = hsa.chunk %k[%c : !hsa.chunk_id<"kv">] : !hsa.chunks<"kv", f32, key = 16, dim = 16> -> tensor<16x16xf32, #key_dim>
      %12 = hsa.dot %0, %11 over dim : tensor<1x2x16xf32, #pos_head_dim>, tensor<16x16xf32, #key_dim> -> tensor<1x2x16xf32, #pos_head_key>
      %13 = arith.mulf %12, %3 : tensor<1x2x16xf32, #pos_head_key>
      %14 = hsa.chunk %v[%c : !hsa.chunk_id<"kv">] : !hsa.chunks<"kv", f32, key = 16, dim = 32> -> tensor<16x32xf32, #key_dim>
      hsa.yield %13, %14 : tensor<1x2x16xf32, #pos_head_key>, tensor<16x32xf32, #key_dim>
    }
    %5 = hsa.identity sum : tensor<1x2x32xf32, #pos_head_dim>
    %6 = hsa.selected %indices : !hsa.indices<"kv", i32, heads = kv> -> !hsa.domain<"kv", "indices">
    %7 = hsa.broadcast %scale : f32 to tensor<1x2x16xf32, #pos_head_key>
    %8 = hsa.reduce (%slot, %c) in %6 : !hsa.domain<"kv", "indices"> into (sum %5 : tensor<1x2x32xf32, #pos_head_dim>) {
      %11 = hsa.chunk %k[%c : !hsa.chunk_id<"kv">] : !hsa.chunks<"kv", f32, key = 16, dim = 16> -> tensor<16x16xf32, #key_dim>
      %12 = hsa.dot %0, %11 over dim : tensor<1x2x16xf32, #pos_head_dim>, tensor<16x16xf32, #key_dim> -> tensor<1x2x16xf32, #pos_head_key>
      %13 = arith.mulf %12, %7 : tensor<1x2x16xf32, #pos_head_key>
      %14 = hsa.softmax %13 over key in %c : !hsa.chunk_id<"kv"> off_by 0.000000e+00 : tensor<1x2x16xf32, #pos_head_key>
      %15 = hsa.at %weights[%slot : !hsa.slot<"indices">] : !hsa.weights<"indices", f32, heads = kv> -> f32
      %16 = hsa.chunk %v[%c : !hsa.chunk_id<"kv">] : !hsa.chunks<"kv", f32, key = 16, dim = 32> -> tensor<16x32xf32, #key_dim>
      %17 = hsa.dot %14, %16 over key in %c : !hsa.chunk_id<"kv"> : tensor<1x2x16xf32, #pos_head_key>, tensor<16x32xf32, #key_dim> -> tensor<1x2x32xf32, #pos_head_dim>
      %18 = hsa.broadcast %15 : f32 to tensor<1x2x32xf32, #pos_head_dim>
      %19 = arith.mulf %18, %17 : tensor<1x2x32xf32, #pos_head_dim>
      hsa.yield %19 : tensor<1x2x32xf32, #pos_head_dim>
    }
    %9 = hsa.value %4 : !hsa.softmax_state<tensor<1x2x32xf32, #pos_head_dim>> -> tensor<1x2x32xf32, #pos_head_dim>
    %10 = arith.addf %9, %8 : tensor<1x2x32xf32, #pos_head_dim>
    hsa.return %10 : tensor<1x2x32xf32, #pos_head_dim>
  }
}
