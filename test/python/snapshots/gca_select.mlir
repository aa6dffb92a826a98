// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#chunk = #hsa.axes<chunk>
#chunk_dim = #hsa.axes<chunk, dim>
#pos = #hsa.axes<pos>
#pos_chunk = #hsa.axes<pos, chunk>
#pos_head_chunk = #hsa.axes<pos, head, chunk>
#pos_head_dim = #hsa.axes<pos, head, dim>
#pos_slot = #hsa.axes<pos, slot>
module {
  hsa.program @gca_select_kernel(%r: !hsa.query<f32, pos = 1, head = 2, dim = 64>, %landmarks: !hsa.landmarks<"kv", f32, heads = kv, key = 16, dim = 64>, %scale: f32, %first: i32) -> (tensor<1x3xf32, #pos_slot>, tensor<1x3xi32, #pos_slot>) attributes {group = 2 : i64} {
    %cst = arith.constant 0xFF800000 : f32
    %c16_i32 = arith.constant 16 : i32
    %cst_0 = arith.constant dense<16> : tensor<1xi32, #pos>
    %0 = hsa.load %r : !hsa.query<f32, pos = 1, head = 2, dim = 64> -> tensor<1x2x64xf32, #pos_head_dim>
    %1 = hsa.stream %landmarks : !hsa.landmarks<"kv", f32, heads = kv, key = 16, dim = 64> -> tensor<?x64xf32, #chunk_dim>
    %2 = hsa.query_positions : tensor<1xi32, #pos>
    %3 = arith.muli %2, %cst_0 : tensor<1xi32, #pos>
    %4 = hsa.broadcast %first : i32 to tensor<1xi32, #pos>
    %5 = arith.addi %3, %4 : tensor<1xi32, #pos>
    %6 = hsa.dot %0, %1 over dim : tensor<1x2x64xf32, #pos_head_dim>, tensor<?x64xf32, #chunk_dim> -> tensor<1x2x?xf32, #pos_head_chunk>
    %7 = hsa.broadcast %scale : f32 to tensor<1x2x?xf32, #pos_head_chunk>
    %8 = arith.mulf %6, %7 : tensor<1x2x?xf32, #pos_head_chunk>
    %9 = hsa.fold sum %8 over head : tensor<1x2x?xf32, #pos_head_chunk> -> tensor<1x?xf32, #pos_chunk>
    %10 = hsa.chunk_info start in "kv" : tensor<?xi32, #chunk>
    %11 = hsa.broadcast %c16_i32 : i32 to tensor<?xi32, #chunk>
    %12 = arith.addi %10, %11 : tensor<?xi32, #chunk>
    %13 = hsa.broadcast %12 : tensor<?xi32, #chunk> to tensor<1x?xi32, #pos_chunk>
    %14 = hsa.broadcast %5 : tensor<1xi32, #pos> to tensor<1x?xi32, #pos_chunk>
    %15 = arith.cmpi sle, %13, %14 : tensor<1x?xi32, #pos_chunk>
    %16 = hsa.broadcast %cst : f32 to tensor<1x?xf32, #pos_chunk>
    %17 = arith.select %15, %9, %16 : tensor<1x?xi1, #pos_chunk>, tensor<1x?xf32, #pos_chunk>
    %18 = hsa.topk %17 k 3 order  nearest : tensor<1x?xf32, #pos_chunk> -> tensor<1x3xi32, #pos_slot>
    %19 = hsa.take %17 at %18 : tensor<1x?xf32, #pos_chunk>, tensor<1x3xi32, #pos_slot> -> tensor<1x3xf32, #pos_slot>
    %20 = hsa.softmax %19 over slot off_by 0.000000e+00 : tensor<1x3xf32, #pos_slot>
    hsa.return %20, %18 : tensor<1x3xf32, #pos_slot>, tensor<1x3xi32, #pos_slot>
  }
}
