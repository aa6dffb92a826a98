// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#key = #hsa.axes<key>
#key_dim = #hsa.axes<key, dim>
#pos = #hsa.axes<pos>
#pos_head = #hsa.axes<pos, head>
#pos_head_dim = #hsa.axes<pos, head, dim>
#pos_head_key = #hsa.axes<pos, head, key>
#pos_key = #hsa.axes<pos, key>
module {
  hsa.program @sliding_window_kernel(%q: !hsa.query<f32, pos = 1, head = 2, dim = 16>, %k: !hsa.chunks<"kv", f32, key = 16, dim = 16>, %v: !hsa.chunks<"kv", f32, key = 16, dim = 32>, %scale: f32, %window: i32, %sink: i32) -> (tensor<1x2x32xf32, #pos_head_dim>, tensor<1x2xf32, #pos_head>) attributes {group = 2 : i64} {
    %cst = arith.constant dense<0xFF800000> : tensor<1x2x16xf32, #pos_head_key>
    %0 = hsa.load %q : !hsa.query<f32, pos = 1, head = 2, dim = 16> -> tensor<1x2x16xf32, #pos_head_dim>
    %1 = hsa.online_softmax : !hsa.softmax_state<tensor<1x2x32xf32, #pos_head_dim>>
    %2 = hsa.window %k last %window : !hsa.chunks<"kv", f32, key = 16, dim = 16> -> !hsa.domain<"kv">
    %3 = hsa.broadcast %scale : f32 to tensor<1x2x16xf32, #pos_head_key>
    %4 = hsa.reduce (%c) in %2 : !hsa.domain<"kv"> into (softmax %1 : !hsa.softmax_state<tensor<1x2x32xf32, #pos_head_dim>>) {
      %12 = hsa.chunk %k[%c : !hsa.chunk_id<"kv">] : !hsa.chunks<"kv", f32, key = 16, dim = 16> -> tensor<16x16xf32, #key_dim>
      %13 = hsa.dot %0, %12 over dim : tensor<1x2x16xf32, #pos_head_dim>, tensor<16x16xf32, #key_dim> -> tensor<1x2x16xf32, #pos_head_key>
      %14 = arith.mulf %13, %3 : tensor<1x2x16xf32, #pos_head_key>
      %15 = hsa.chunk %v[%c : !hsa.chunk_id<"kv">] : !hsa.chunks<"kv", f32, key = 16, dim = 32> -> tensor<16x32xf32, #key_dim>
      hsa.yield %14, %15 : tensor<1x2x16xf32, #pos_head_key>, tensor<16x32xf32, #key_dim>
    }
    %5 = hsa.first %k keys %sink outside %2 : !hsa.chunks<"kv", f32, key = 16, dim = 16>, !hsa.domain<"kv"> -> !hsa.domain<"kv">
    %6 = hsa.broadcast %scale : f32 to tensor<1x2x16xf32, #pos_head_key>
    %7 = hsa.query_positions : tensor<1xi32, #pos>
    %8 = hsa.broadcast %7 : tensor<1xi32, #pos> to tensor<1x16xi32, #pos_key>
    %9 = hsa.reduce (%c) in %5 : !hsa.domain<"kv"> into (softmax %4 : !hsa.softmax_state<tensor<1x2x32xf32, #pos_head_dim>>) {
      %12 = hsa.chunk %k[%c : !hsa.chunk_id<"kv">] : !hsa.chunks<"kv", f32, key = 16, dim = 16> -> tensor<16x16xf32, #key_dim>
      %13 = hsa.dot %0, %12 over dim : tensor<1x2x16xf32, #pos_head_dim>, tensor<16x16xf32, #key_dim> -> tensor<1x2x16xf32, #pos_head_key>
      %14 = arith.mulf %13, %6 : tensor<1x2x16xf32, #pos_head_key>
      %15 = hsa.key_positions %c : !hsa.chunk_id<"kv"> -> tensor<16xi32, #key>
      %16 = hsa.broadcast %15 : tensor<16xi32, #key> to tensor<1x16xi32, #pos_key>
      %17 = arith.cmpi sle, %16, %8 : tensor<1x16xi32, #pos_key>
      %18 = hsa.broadcast %17 : tensor<1x16xi1, #pos_key> to tensor<1x2x16xi1, #pos_head_key>
      %19 = arith.select %18, %14, %cst : tensor<1x2x16xi1, #pos_head_key>, tensor<1x2x16xf32, #pos_head_key>
      %20 = hsa.chunk %v[%c : !hsa.chunk_id<"kv">] : !hsa.chunks<"kv", f32, key = 16, dim = 32> -> tensor<16x32xf32, #key_dim>
      hsa.yield %19, %20 : tensor<1x2x16xf32, #pos_head_key>, tensor<16x32xf32, #key_dim>
    }
    %10 = hsa.value %9 : !hsa.softmax_state<tensor<1x2x32xf32, #pos_head_dim>> -> tensor<1x2x32xf32, #pos_head_dim>
    %11 = hsa.lse %9 : !hsa.softmax_state<tensor<1x2x32xf32, #pos_head_dim>> -> tensor<1x2xf32, #pos_head>
    hsa.return %10, %11 : tensor<1x2x32xf32, #pos_head_dim>, tensor<1x2xf32, #pos_head>
  }
}
