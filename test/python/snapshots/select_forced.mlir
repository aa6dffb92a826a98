// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#chunk = #hsa.axes<chunk>
#chunk_dim = #hsa.axes<chunk, dim>
#pos = #hsa.axes<pos>
#pos_chunk = #hsa.axes<pos, chunk>
#pos_head_chunk = #hsa.axes<pos, head, chunk>
#pos_head_dim = #hsa.axes<pos, head, dim>
#pos_slot = #hsa.axes<pos, slot>
module {
  hsa.program @select_kernel(%r: !hsa.query<f32, pos = 1, head = 2, dim = 64>, %landmarks: !hsa.landmarks<"kv", f32, heads = kv, key = 16, dim = 64>, %scale: f32, %window: i32) -> (tensor<1x3xf32, #pos_slot>, tensor<1x3xi32, #pos_slot>) attributes {group = 2 : i64} {
    %cst = arith.constant dense<0.000000e+00> : tensor<1x3xf32, #pos_slot>
    %cst_0 = arith.constant dense<0> : tensor<1x3xi32, #pos_slot>
    %cst_1 = arith.constant dense<1.000000e+00> : tensor<1xf32, #pos>
    %cst_2 = arith.constant 0.000000e+00 : f32
    %cst_3 = arith.constant 1.000000e+00 : f32
    %cst_4 = arith.constant 0x7F800000 : f32
    %c1_i32 = arith.constant 1 : i32
    %cst_5 = arith.constant 0xFF800000 : f32
    %c16_i32 = arith.constant 16 : i32
    %0 = hsa.load %r : !hsa.query<f32, pos = 1, head = 2, dim = 64> -> tensor<1x2x64xf32, #pos_head_dim>
    %1 = hsa.stream %landmarks : !hsa.landmarks<"kv", f32, heads = kv, key = 16, dim = 64> -> tensor<?x64xf32, #chunk_dim>
    %2 = hsa.dot %0, %1 over dim : tensor<1x2x64xf32, #pos_head_dim>, tensor<?x64xf32, #chunk_dim> -> tensor<1x2x?xf32, #pos_head_chunk>
    %3 = hsa.broadcast %scale : f32 to tensor<1x2x?xf32, #pos_head_chunk>
    %4 = arith.mulf %2, %3 : tensor<1x2x?xf32, #pos_head_chunk>
    %5 = hsa.fold max %4 over head : tensor<1x2x?xf32, #pos_head_chunk> -> tensor<1x?xf32, #pos_chunk>
    %6 = hsa.query_positions : tensor<1xi32, #pos>
    %7 = hsa.chunk_info start in "kv" : tensor<?xi32, #chunk>
    %8 = hsa.chunk_info length in "kv" : tensor<?xi32, #chunk>
    %9 = hsa.broadcast %c16_i32 : i32 to tensor<?xi32, #chunk>
    %10 = arith.cmpi eq, %8, %9 : tensor<?xi32, #chunk>
    %11 = hsa.chunk_info end in "kv" : tensor<?xi32, #chunk>
    %12 = hsa.broadcast %11 : tensor<?xi32, #chunk> to tensor<1x?xi32, #pos_chunk>
    %13 = hsa.broadcast %6 : tensor<1xi32, #pos> to tensor<1x?xi32, #pos_chunk>
    %14 = arith.cmpi sle, %12, %13 : tensor<1x?xi32, #pos_chunk>
    %15 = hsa.broadcast %10 : tensor<?xi1, #chunk> to tensor<1x?xi1, #pos_chunk>
    %16 = arith.andi %15, %14 : tensor<1x?xi1, #pos_chunk>
    %17 = hsa.broadcast %window : i32 to tensor<1xi32, #pos>
    %18 = arith.subi %6, %17 : tensor<1xi32, #pos>
    %19 = hsa.broadcast %7 : tensor<?xi32, #chunk> to tensor<1x?xi32, #pos_chunk>
    %20 = hsa.broadcast %18 : tensor<1xi32, #pos> to tensor<1x?xi32, #pos_chunk>
    %21 = arith.cmpi sle, %19, %20 : tensor<1x?xi32, #pos_chunk>
    %22 = arith.andi %16, %21 : tensor<1x?xi1, #pos_chunk>
    %23 = arith.cmpf oeq, %5, %5 : tensor<1x?xf32, #pos_chunk>
    %24 = arith.andi %22, %23 : tensor<1x?xi1, #pos_chunk>
    %25 = hsa.broadcast %cst_5 : f32 to tensor<1x?xf32, #pos_chunk>
    %26 = arith.select %24, %5, %25 : tensor<1x?xi1, #pos_chunk>, tensor<1x?xf32, #pos_chunk>
    %27 = hsa.chunk_info index in "kv" : tensor<?xi32, #chunk>
    %28 = hsa.broadcast %c1_i32 : i32 to tensor<?xi32, #chunk>
    %29 = arith.cmpi slt, %27, %28 : tensor<?xi32, #chunk>
    %30 = hsa.broadcast %29 : tensor<?xi1, #chunk> to tensor<1x?xi1, #pos_chunk>
    %31 = arith.andi %22, %30 : tensor<1x?xi1, #pos_chunk>
    %32 = hsa.broadcast %cst_4 : f32 to tensor<1x?xf32, #pos_chunk>
    %33 = arith.select %31, %32, %26 : tensor<1x?xi1, #pos_chunk>, tensor<1x?xf32, #pos_chunk>
    %34 = hsa.broadcast %cst_3 : f32 to tensor<1x?xf32, #pos_chunk>
    %35 = hsa.broadcast %cst_2 : f32 to tensor<1x?xf32, #pos_chunk>
    %36 = arith.select %22, %34, %35 : tensor<1x?xi1, #pos_chunk>, tensor<1x?xf32, #pos_chunk>
    %37 = hsa.fold sum %36 over chunk : tensor<1x?xf32, #pos_chunk> -> tensor<1xf32, #pos>
    %38 = arith.subf %37, %cst_1 : tensor<1xf32, #pos>
    %39 = arith.sitofp %27 : tensor<?xi32, #chunk> to tensor<?xf32, #chunk>
    %40 = hsa.broadcast %39 : tensor<?xf32, #chunk> to tensor<1x?xf32, #pos_chunk>
    %41 = hsa.broadcast %38 : tensor<1xf32, #pos> to tensor<1x?xf32, #pos_chunk>
    %42 = arith.cmpf oge, %40, %41 : tensor<1x?xf32, #pos_chunk>
    %43 = arith.andi %22, %42 : tensor<1x?xi1, #pos_chunk>
    %44 = arith.select %43, %32, %33 : tensor<1x?xi1, #pos_chunk>, tensor<1x?xf32, #pos_chunk>
    %45 = arith.cmpi sle, %19, %13 : tensor<1x?xi32, #pos_chunk>
    %46 = arith.addi %7, %9 : tensor<?xi32, #chunk>
    %47 = hsa.broadcast %46 : tensor<?xi32, #chunk> to tensor<1x?xi32, #pos_chunk>
    %48 = arith.cmpi slt, %13, %47 : tensor<1x?xi32, #pos_chunk>
    %49 = arith.andi %45, %48 : tensor<1x?xi1, #pos_chunk>
    %50 = arith.select %49, %32, %44 : tensor<1x?xi1, #pos_chunk>, tensor<1x?xf32, #pos_chunk>
    %51 = arith.select %49, %35, %26 : tensor<1x?xi1, #pos_chunk>, tensor<1x?xf32, #pos_chunk>
    %52 = hsa.topk %50 k 3 order  nearest : tensor<1x?xf32, #pos_chunk> -> tensor<1x3xi32, #pos_slot>
    %53 = hsa.take %51 at %52 : tensor<1x?xf32, #pos_chunk>, tensor<1x3xi32, #pos_slot> -> tensor<1x3xf32, #pos_slot>
    %54 = arith.cmpi sge, %52, %cst_0 : tensor<1x3xi32, #pos_slot>
    %55 = arith.select %54, %53, %cst : tensor<1x3xi1, #pos_slot>, tensor<1x3xf32, #pos_slot>
    hsa.return %55, %52 : tensor<1x3xf32, #pos_slot>, tensor<1x3xi32, #pos_slot>
  }
}
