// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#chunk = #hsa.axes<chunk>
#chunk_dim = #hsa.axes<chunk, dim>
#key = #hsa.axes<key>
#key_dim = #hsa.axes<key, dim>
#pos = #hsa.axes<pos>
#pos_chunk = #hsa.axes<pos, chunk>
#pos_head = #hsa.axes<pos, head>
#pos_head_chunk = #hsa.axes<pos, head, chunk>
#pos_head_dim = #hsa.axes<pos, head, dim>
#pos_head_key = #hsa.axes<pos, head, key>
#pos_head_slot = #hsa.axes<pos, head, slot>
#pos_key = #hsa.axes<pos, key>
module {
  hsa.program @moba_kernel(%q: !hsa.query<f32, pos = 1, head = 1, dim = 16>, %k: !hsa.chunks<"kv", f32, key = 16, dim = 16>, %v: !hsa.chunks<"kv", f32, key = 16, dim = 32>, %means: !hsa.landmarks<"kv", f32, heads = kv, key = 16, dim = 16>, %scale: f32) -> (tensor<1x1x32xf32, #pos_head_dim>, tensor<1x1xf32, #pos_head>, tensor<1x1x3xi32, #pos_head_slot>) attributes {group = 2 : i64} {
    %cst = arith.constant dense<0xFF800000> : tensor<1x1x16xf32, #pos_head_key>
    %cst_0 = arith.constant 0x7F800000 : f32
    %cst_1 = arith.constant 0xFF800000 : f32
    %0 = hsa.load %q : !hsa.query<f32, pos = 1, head = 1, dim = 16> -> tensor<1x1x16xf32, #pos_head_dim>
    %1 = hsa.stream %means : !hsa.landmarks<"kv", f32, heads = kv, key = 16, dim = 16> -> tensor<?x16xf32, #chunk_dim>
    %2 = hsa.query_positions : tensor<1xi32, #pos>
    %3 = hsa.chunk_info end in "kv" : tensor<?xi32, #chunk>
    %4 = hsa.broadcast %3 : tensor<?xi32, #chunk> to tensor<1x?xi32, #pos_chunk>
    %5 = hsa.broadcast %2 : tensor<1xi32, #pos> to tensor<1x?xi32, #pos_chunk>
    %6 = arith.cmpi sle, %4, %5 : tensor<1x?xi32, #pos_chunk>
    %7 = hsa.dot %0, %1 over dim : tensor<1x1x16xf32, #pos_head_dim>, tensor<?x16xf32, #chunk_dim> -> tensor<1x1x?xf32, #pos_head_chunk>
    %8 = hsa.broadcast %cst_1 : f32 to tensor<1x1x?xf32, #pos_head_chunk>
    %9 = hsa.broadcast %6 : tensor<1x?xi1, #pos_chunk> to tensor<1x1x?xi1, #pos_head_chunk>
    %10 = arith.select %9, %7, %8 : tensor<1x1x?xi1, #pos_head_chunk>, tensor<1x1x?xf32, #pos_head_chunk>
    %11 = hsa.chunk_info start in "kv" : tensor<?xi32, #chunk>
    %12 = hsa.broadcast %11 : tensor<?xi32, #chunk> to tensor<1x?xi32, #pos_chunk>
    %13 = arith.cmpi sle, %12, %5 : tensor<1x?xi32, #pos_chunk>
    %14 = arith.cmpi slt, %5, %4 : tensor<1x?xi32, #pos_chunk>
    %15 = arith.andi %13, %14 : tensor<1x?xi1, #pos_chunk>
    %16 = hsa.broadcast %cst_0 : f32 to tensor<1x1x?xf32, #pos_head_chunk>
    %17 = hsa.broadcast %15 : tensor<1x?xi1, #pos_chunk> to tensor<1x1x?xi1, #pos_head_chunk>
    %18 = arith.select %17, %16, %10 : tensor<1x1x?xi1, #pos_head_chunk>, tensor<1x1x?xf32, #pos_head_chunk>
    %19 = hsa.topk %18 k 3 order  nearest : tensor<1x1x?xf32, #pos_head_chunk> -> tensor<1x1x3xi32, #pos_head_slot>
    %20 = hsa.online_softmax : !hsa.softmax_state<tensor<1x1x32xf32, #pos_head_dim>>
    %21 = hsa.selected %19 in "kv" as "slots" : tensor<1x1x3xi32, #pos_head_slot> -> !hsa.domain<"kv", "slots">
    %22 = hsa.broadcast %2 : tensor<1xi32, #pos> to tensor<1x16xi32, #pos_key>
    %23 = hsa.broadcast %scale : f32 to tensor<1x1x16xf32, #pos_head_key>
    %24 = hsa.reduce (%slot, %c) in %21 : !hsa.domain<"kv", "slots"> into (softmax %20 : !hsa.softmax_state<tensor<1x1x32xf32, #pos_head_dim>>) {
      %27 = hsa.key_positions %c : !hsa.chunk_id<"kv"> -> tensor<16xi32, #key>
      %28 = hsa.broadcast %27 : tensor<16xi32, #key> to tensor<1x16xi32, #pos_key>
      %29 = arith.cmpi sle, %28, %22 : tensor<1x16xi32, #pos_key>
      %30 = hsa.chunk %k[%c : !hsa.chunk_id<"kv">] : !hsa.chunks<"kv", f32, key = 16, dim = 16> -> tensor<16x16xf32, #key_dim>
      %31 = hsa.dot %0, %30 over dim : tensor<1x1x16xf32, #pos_head_dim>, tensor<16x16xf32, #key_dim> -> tensor<1x1x16xf32, #pos_head_key>
      %32 = arith.mulf %31, %23 : tensor<1x1x16xf32, #pos_head_key>
      %33 = hsa.broadcast %29 : tensor<1x16xi1, #pos_key> to tensor<1x1x16xi1, #pos_head_key>
      %34 = arith.select %33, %32, %cst : tensor<1x1x16xi1, #pos_head_key>, tensor<1x1x16xf32, #pos_head_key>
      %35 = hsa.chunk %v[%c : !hsa.chunk_id<"kv">] : !hsa.chunks<"kv", f32, key = 16, dim = 32> -> tensor<16x32xf32, #key_dim>
      hsa.yield %34, %35 : tensor<1x1x16xf32, #pos_head_key>, tensor<16x32xf32, #key_dim>
    }
    %25 = hsa.value %24 : !hsa.softmax_state<tensor<1x1x32xf32, #pos_head_dim>> -> tensor<1x1x32xf32, #pos_head_dim>
    %26 = hsa.lse %24 : !hsa.softmax_state<tensor<1x1x32xf32, #pos_head_dim>> -> tensor<1x1xf32, #pos_head>
    hsa.return %25, %26, %19 : tensor<1x1x32xf32, #pos_head_dim>, tensor<1x1xf32, #pos_head>, tensor<1x1x3xi32, #pos_head_slot>
  }
}
