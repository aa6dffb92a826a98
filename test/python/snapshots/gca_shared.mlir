// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#key_dim = #hsa.axes<key, dim>
#pos_head_dim = #hsa.axes<pos, head, dim>
#pos_head_key = #hsa.axes<pos, head, key>
module {
  hsa.program @hsa_kernel(%q: !hsa.query<f32, pos = 16, head = 2, dim = 16>, %k: !hsa.chunks<"kv", f32, key = 16, dim = 16>, %v: !hsa.chunks<"kv", f32, key = 16, dim = 32>, %weights: !hsa.weights<"indices", f32, heads = kv>, %indices: !hsa.indices<"kv", i32, heads = kv>, %scale: f32) -> tensor<16x2x32xf32, #pos_head_dim> attributes {group = 2 : i64} {
    %0 = hsa.load %q : !hsa.query<f32, pos = 16, head = 2, dim = 16> -> tensor<16x2x16xf32, #pos_head_dim>
    %1 = hsa.identity sum : tensor<16x2x32xf32, #pos_head_dim>
    %2 = hsa.selected %indices : !hsa.indices<"kv", i32, heads = kv> -> !hsa.domain<"kv", "indices">
    %3 = hsa.broadcast %scale : f32 to tensor<16x2x16xf32, #pos_head_key>
    %4 = hsa.reduce (%slot, %c) in %2 : !hsa.domain<"kv", "indices"> into (sum %1 : tensor<16x2x32xf32, #pos_head_dim>) {
      %5 = hsa.chunk %k[%c : !hsa.chunk_id<"kv">] : !hsa.chunks<"kv", f32, key = 16, dim = 16> -> tensor<16x16xf32, #key_dim>
      %6 = hsa.dot %0, %5 over dim : tensor<16x2x16xf32, #pos_head_dim>, tensor<16x16xf32, #key_dim> -> tensor<16x2x16xf32, #pos_head_key>
      %7 = arith.mulf %6, %3 : tensor<16x2x16xf32, #pos_head_key>
      %8 = hsa.softmax %7 over key in %c : !hsa.chunk_id<"kv"> off_by 0.000000e+00 : tensor<16x2x16xf32, #pos_head_key>
      %9 = hsa.at %weights[%slot : !hsa.slot<"indices">] : !hsa.weights<"indices", f32, heads = kv> -> f32
      %10 = hsa.chunk %v[%c : !hsa.chunk_id<"kv">] : !hsa.chunks<"kv", f32, key = 16, dim = 32> -> tensor<16x32xf32, #key_dim>
      %11 = hsa.dot %8, %10 over key in %c : !hsa.chunk_id<"kv"> : tensor<16x2x16xf32, #pos_head_key>, tensor<16x32xf32, #key_dim> -> tensor<16x2x32xf32, #pos_head_dim>
      %12 = hsa.broadcast %9 : f32 to tensor<16x2x32xf32, #pos_head_dim>
      %13 = arith.mulf %12, %11 : tensor<16x2x32xf32, #pos_head_dim>
      hsa.yield %13 : tensor<16x2x32xf32, #pos_head_dim>
    }
    hsa.return %4 : tensor<16x2x32xf32, #pos_head_dim>
  }
}
