// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#key = #hsa.axes<key>
#key_dim = #hsa.axes<key, dim>
#pos = #hsa.axes<pos>
#pos_head = #hsa.axes<pos, head>
#pos_head_dim = #hsa.axes<pos, head, dim>
#pos_head_key = #hsa.axes<pos, head, key>
#pos_key = #hsa.axes<pos, key>
module {
  hsa.program @listed_window_kernel(%q: !hsa.query<f32, pos = 1, head = 2, dim = 16>, %k: !hsa.chunks<"kv", f32, key = 16, dim = 16>, %v: !hsa.chunks<"kv", f32, key = 16, dim = 32>, %indices: !hsa.indices<"kv", i32, heads = kv>, %scale: f32, %window: i32, %sink: i32) -> (tensor<1x2x32xf32, #pos_head_dim>, tensor<1x2xf32, #pos_head>) attributes {group = 2 : i64} {
    %cst = arith.constant dense<0xFF800000> : tensor<1x2x16xf32, #pos_head_key>
    %0 = hsa.load %q : !hsa.query<f32, pos = 1, head = 2, dim = 16> -> tensor<1x2x16xf32, #pos_head_dim>
    %1 = hsa.online_softmax : !hsa.softmax_state<tensor<1x2x32xf32, #pos_head_dim>>
    %2 = hsa.query_positions : tensor<1xi32, #pos>
    %3 = hsa.window %k last %window : !hsa.chunks<"kv", f32, key = 16, dim = 16> -> !hsa.domain<"kv">
    %4 = hsa.broadcast %scale : f32 to tensor<1x2x16xf32, #pos_head_key>
    %5 = hsa.reduce (%c) in %3 : !hsa.domain<"kv"> into (softmax %1 : !hsa.softmax_state<tensor<1x2x32xf32, #pos_head_dim>>) {
      %19 = hsa.chunk %k[%c : !hsa.chunk_id<"kv">] : !hsa.chunks<"kv", f32, key = 16, dim = 16> -> tensor<16x16xf32, #key_dim>
      %20 = hsa.dot %0, %19 over dim : tensor<1x2x16xf32, #pos_head_dim>, tensor<16x16xf32, #key_dim> -> tensor<1x2x16xf32, #pos_head_key>
      %21 = arith.mulf %20, %4 : tensor<1x2x16xf32, #pos_head_key>
      %22 = hsa.chunk %v[%c : !hsa.chunk_id<"kv">] : !hsa.chunks<"kv", f32, key = 16, dim = 32> -> tensor<16x32xf32, #key_dim>
      hsa.yield %21, %22 : tensor<1x2x16xf32, #pos_head_key>, tensor<16x32xf32, #key_dim>
    }
    %6 = hsa.first %k keys %sink outside %3 : !hsa.chunks<"kv", f32, key = 16, dim = 16>, !hsa.domain<"kv"> -> !hsa.domain<"kv">
    %7 = hsa.broadcast %2 : tensor<1xi32, #pos> to tensor<1x16xi32, #pos_key>
    %8 = hsa.broadcast %scale : f32 to tensor<1x2x16xf32, #pos_head_key>
    %9 = hsa.reduce (%c) in %6 : !hsa.domain<"kv"> into (softmax %5 : !hsa.softmax_state<tensor<1x2x32xf32, #pos_head_dim>>) {
      %19 = hsa.key_positions %c : !hsa.chunk_id<"kv"> -> tensor<16xi32, #key>
      %20 = hsa.broadcast %19 : tensor<16xi32, #key> to tensor<1x16xi32, #pos_key>
      %21 = arith.cmpi sle, %20, %7 : tensor<1x16xi32, #pos_key>
      %22 = hsa.chunk %k[%c : !hsa.chunk_id<"kv">] : !hsa.chunks<"kv", f32, key = 16, dim = 16> -> tensor<16x16xf32, #key_dim>
      %23 = hsa.dot %0, %22 over dim : tensor<1x2x16xf32, #pos_head_dim>, tensor<16x16xf32, #key_dim> -> tensor<1x2x16xf32, #pos_head_key>
      %24 = arith.mulf %23, %8 : tensor<1x2x16xf32, #pos_head_key>
      %25 = hsa.broadcast %21 : tensor<1x16xi1, #pos_key> to tensor<1x2x16xi1, #pos_head_key>
      %26 = arith.select %25, %24, %cst : tensor<1x2x16xi1, #pos_head_key>, tensor<1x2x16xf32, #pos_head_key>
      %27 = hsa.chunk %v[%c : !hsa.chunk_id<"kv">] : !hsa.chunks<"kv", f32, key = 16, dim = 32> -> tensor<16x32xf32, #key_dim>
      hsa.yield %26, %27 : tensor<1x2x16xf32, #pos_head_key>, tensor<16x32xf32, #key_dim>
    }
    %10 = hsa.selected %indices : !hsa.indices<"kv", i32, heads = kv> -> !hsa.domain<"kv", "indices">
    %11 = hsa.broadcast %sink : i32 to tensor<16xi32, #key>
    %12 = hsa.broadcast %window : i32 to tensor<1xi32, #pos>
    %13 = arith.subi %2, %12 : tensor<1xi32, #pos>
    %14 = hsa.broadcast %13 : tensor<1xi32, #pos> to tensor<1x16xi32, #pos_key>
    %15 = hsa.broadcast %scale : f32 to tensor<1x2x16xf32, #pos_head_key>
    %16 = hsa.reduce (%slot, %c) in %10 : !hsa.domain<"kv", "indices"> into (softmax %9 : !hsa.softmax_state<tensor<1x2x32xf32, #pos_head_dim>>) {
      %19 = hsa.key_positions %c : !hsa.chunk_id<"kv"> -> tensor<16xi32, #key>
      %20 = arith.cmpi sge, %19, %11 : tensor<16xi32, #key>
      %21 = hsa.broadcast %19 : tensor<16xi32, #key> to tensor<1x16xi32, #pos_key>
      %22 = arith.cmpi sle, %21, %14 : tensor<1x16xi32, #pos_key>
      %23 = hsa.broadcast %20 : tensor<16xi1, #key> to tensor<1x16xi1, #pos_key>
      %24 = arith.andi %23, %22 : tensor<1x16xi1, #pos_key>
      %25 = hsa.chunk %k[%c : !hsa.chunk_id<"kv">] : !hsa.chunks<"kv", f32, key = 16, dim = 16> -> tensor<16x16xf32, #key_dim>
      %26 = hsa.dot %0, %25 over dim : tensor<1x2x16xf32, #pos_head_dim>, tensor<16x16xf32, #key_dim> -> tensor<1x2x16xf32, #pos_head_key>
      %27 = arith.mulf %26, %15 : tensor<1x2x16xf32, #pos_head_key>
      %28 = hsa.broadcast %24 : tensor<1x16xi1, #pos_key> to tensor<1x2x16xi1, #pos_head_key>
      %29 = arith.select %28, %27, %cst : tensor<1x2x16xi1, #pos_head_key>, tensor<1x2x16xf32, #pos_head_key>
      %30 = hsa.chunk %v[%c : !hsa.chunk_id<"kv">] : !hsa.chunks<"kv", f32, key = 16, dim = 32> -> tensor<16x32xf32, #key_dim>
      hsa.yield %29, %30 : tensor<1x2x16xf32, #pos_head_key>, tensor<16x32xf32, #key_dim>
    }
    %17 = hsa.value %16 : !hsa.softmax_state<tensor<1x2x32xf32, #pos_head_dim>> -> tensor<1x2x32xf32, #pos_head_dim>
    %18 = hsa.lse %16 : !hsa.softmax_state<tensor<1x2x32xf32, #pos_head_dim>> -> tensor<1x2xf32, #pos_head>
    hsa.return %17, %18 : tensor<1x2x32xf32, #pos_head_dim>, tensor<1x2xf32, #pos_head>
  }
}
