// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#chunk = #hsa.axes<chunk>
#head_chunk = #hsa.axes<head, chunk>
#head_chunk_dim = #hsa.axes<head, chunk, dim>
#key_dim = #hsa.axes<key, dim>
#pos = #hsa.axes<pos>
#pos_chunk = #hsa.axes<pos, chunk>
#pos_head = #hsa.axes<pos, head>
#pos_head_chunk = #hsa.axes<pos, head, chunk>
#pos_head_dim = #hsa.axes<pos, head, dim>
#pos_head_key = #hsa.axes<pos, head, key>
#pos_head_slot = #hsa.axes<pos, head, slot>
#pos_slot = #hsa.axes<pos, slot>
module {
  hsa.program @hils_select_kernel(%q: !hsa.query<f32, pos = 1, head = 2, dim = 16>, %k: !hsa.chunks<"kv", f32, key = 16, dim = 16>, %v: !hsa.chunks<"kv", f32, key = 16, dim = 32>, %landmarks: !hsa.landmarks<"kv", f32, heads = query, key = 16, dim = 16>, %bias: !hsa.array<f32, [chunk = ?, head = 2], of "kv", batch>, %scale: f32, %window: i32) -> (tensor<1x2x32xf32, #pos_head_dim>, tensor<1x2xf32, #pos_head>, tensor<1x2x3xf32, #pos_head_slot>, tensor<1x3xi32, #pos_slot>) attributes {group = 2 : i64} {
    %cst = arith.constant dense<0.000000e+00> : tensor<1x2x3xf32, #pos_head_slot>
    %cst_0 = arith.constant dense<0xFF800000> : tensor<1x2x3xf32, #pos_head_slot>
    %cst_1 = arith.constant dense<0.000000e+00> : tensor<1x2xf32, #pos_head>
    %cst_2 = arith.constant dense<0xFF800000> : tensor<1x2xf32, #pos_head>
    %cst_3 = arith.constant 0xFF800000 : f32
    %cst_4 = arith.constant dense<1> : tensor<1xi32, #pos>
    %c16_i32 = arith.constant 16 : i32
    %0 = hsa.load %q : !hsa.query<f32, pos = 1, head = 2, dim = 16> -> tensor<1x2x16xf32, #pos_head_dim>
    %1 = hsa.stream %landmarks : !hsa.landmarks<"kv", f32, heads = query, key = 16, dim = 16> -> tensor<2x?x16xf32, #head_chunk_dim>
    %2 = hsa.stream %bias : !hsa.array<f32, [chunk = ?, head = 2], of "kv", batch> -> tensor<2x?xf32, #head_chunk>
    %3 = hsa.online_softmax : !hsa.softmax_state<tensor<1x2x32xf32, #pos_head_dim>>
    %4 = hsa.window %k last %window align : !hsa.chunks<"kv", f32, key = 16, dim = 16> -> !hsa.domain<"kv">
    %5 = hsa.broadcast %scale : f32 to tensor<1x2x16xf32, #pos_head_key>
    %6 = hsa.reduce (%c) in %4 : !hsa.domain<"kv"> into (softmax %3 : !hsa.softmax_state<tensor<1x2x32xf32, #pos_head_dim>>) {
      %65 = hsa.chunk %k[%c : !hsa.chunk_id<"kv">] : !hsa.chunks<"kv", f32, key = 16, dim = 16> -> tensor<16x16xf32, #key_dim>
      %66 = hsa.dot %0, %65 over dim : tensor<1x2x16xf32, #pos_head_dim>, tensor<16x16xf32, #key_dim> -> tensor<1x2x16xf32, #pos_head_key>
      %67 = arith.mulf %66, %5 : tensor<1x2x16xf32, #pos_head_key>
      %68 = hsa.chunk %v[%c : !hsa.chunk_id<"kv">] : !hsa.chunks<"kv", f32, key = 16, dim = 32> -> tensor<16x32xf32, #key_dim>
      hsa.yield %67, %68 : tensor<1x2x16xf32, #pos_head_key>, tensor<16x32xf32, #key_dim>
    }
    %7 = hsa.chunk_info start in "kv" : tensor<?xi32, #chunk>
    %8 = hsa.broadcast %c16_i32 : i32 to tensor<?xi32, #chunk>
    %9 = arith.addi %7, %8 : tensor<?xi32, #chunk>
    %10 = hsa.query_positions : tensor<1xi32, #pos>
    %11 = hsa.broadcast %window : i32 to tensor<1xi32, #pos>
    %12 = arith.subi %10, %11 : tensor<1xi32, #pos>
    %13 = arith.addi %12, %cst_4 : tensor<1xi32, #pos>
    %14 = hsa.broadcast %9 : tensor<?xi32, #chunk> to tensor<1x?xi32, #pos_chunk>
    %15 = hsa.broadcast %13 : tensor<1xi32, #pos> to tensor<1x?xi32, #pos_chunk>
    %16 = arith.cmpi sle, %14, %15 : tensor<1x?xi32, #pos_chunk>
    %17 = hsa.dot %0, %1 over dim : tensor<1x2x16xf32, #pos_head_dim>, tensor<2x?x16xf32, #head_chunk_dim> -> tensor<1x2x?xf32, #pos_head_chunk>
    %18 = hsa.broadcast %scale : f32 to tensor<1x2x?xf32, #pos_head_chunk>
    %19 = arith.mulf %17, %18 : tensor<1x2x?xf32, #pos_head_chunk>
    %20 = hsa.broadcast %2 : tensor<2x?xf32, #head_chunk> to tensor<1x2x?xf32, #pos_head_chunk>
    %21 = arith.addf %19, %20 : tensor<1x2x?xf32, #pos_head_chunk>
    %22 = hsa.broadcast %cst_3 : f32 to tensor<1x2x?xf32, #pos_head_chunk>
    %23 = hsa.broadcast %16 : tensor<1x?xi1, #pos_chunk> to tensor<1x2x?xi1, #pos_head_chunk>
    %24 = arith.select %23, %21, %22 : tensor<1x2x?xi1, #pos_head_chunk>, tensor<1x2x?xf32, #pos_head_chunk>
    %25 = hsa.logsumexp %24 over chunk : tensor<1x2x?xf32, #pos_head_chunk> -> tensor<1x2xf32, #pos_head>
    %26 = hsa.lse %6 : !hsa.softmax_state<tensor<1x2x32xf32, #pos_head_dim>> -> tensor<1x2xf32, #pos_head>
    %27 = arith.maximumf %25, %26 : tensor<1x2xf32, #pos_head>
    %28 = arith.subf %25, %27 : tensor<1x2xf32, #pos_head>
    %29 = math.exp %28 : tensor<1x2xf32, #pos_head>
    %30 = arith.cmpf oeq, %25, %cst_2 : tensor<1x2xf32, #pos_head>
    %31 = arith.select %30, %cst_1, %29 : tensor<1x2xi1, #pos_head>, tensor<1x2xf32, #pos_head>
    %32 = arith.subf %26, %27 : tensor<1x2xf32, #pos_head>
    %33 = math.exp %32 : tensor<1x2xf32, #pos_head>
    %34 = arith.cmpf oeq, %26, %cst_2 : tensor<1x2xf32, #pos_head>
    %35 = arith.select %34, %cst_1, %33 : tensor<1x2xi1, #pos_head>, tensor<1x2xf32, #pos_head>
    %36 = arith.addf %31, %35 : tensor<1x2xf32, #pos_head>
    %37 = math.log %36 : tensor<1x2xf32, #pos_head>
    %38 = arith.addf %27, %37 : tensor<1x2xf32, #pos_head>
    %39 = hsa.broadcast %38 : tensor<1x2xf32, #pos_head> to tensor<1x2x?xf32, #pos_head_chunk>
    %40 = arith.subf %24, %39 : tensor<1x2x?xf32, #pos_head_chunk>
    %41 = hsa.fold max %40 over head : tensor<1x2x?xf32, #pos_head_chunk> -> tensor<1x?xf32, #pos_chunk>
    %42 = hsa.topk %41 k 3 order  nearest : tensor<1x?xf32, #pos_chunk> -> tensor<1x3xi32, #pos_slot>
    %43 = hsa.take %24 at %42 : tensor<1x2x?xf32, #pos_head_chunk>, tensor<1x3xi32, #pos_slot> -> tensor<1x2x3xf32, #pos_head_slot>
    %44 = hsa.logsumexp %43 over slot : tensor<1x2x3xf32, #pos_head_slot> -> tensor<1x2xf32, #pos_head>
    %45 = arith.maximumf %44, %26 : tensor<1x2xf32, #pos_head>
    %46 = arith.subf %44, %45 : tensor<1x2xf32, #pos_head>
    %47 = math.exp %46 : tensor<1x2xf32, #pos_head>
    %48 = arith.cmpf oeq, %44, %cst_2 : tensor<1x2xf32, #pos_head>
    %49 = arith.select %48, %cst_1, %47 : tensor<1x2xi1, #pos_head>, tensor<1x2xf32, #pos_head>
    %50 = arith.subf %26, %45 : tensor<1x2xf32, #pos_head>
    %51 = math.exp %50 : tensor<1x2xf32, #pos_head>
    %52 = arith.select %34, %cst_1, %51 : tensor<1x2xi1, #pos_head>, tensor<1x2xf32, #pos_head>
    %53 = arith.addf %49, %52 : tensor<1x2xf32, #pos_head>
    %54 = math.log %53 : tensor<1x2xf32, #pos_head>
    %55 = arith.addf %45, %54 : tensor<1x2xf32, #pos_head>
    %56 = hsa.value %6 : !hsa.softmax_state<tensor<1x2x32xf32, #pos_head_dim>> -> tensor<1x2x32xf32, #pos_head_dim>
    %57 = arith.subf %26, %55 : tensor<1x2xf32, #pos_head>
    %58 = math.exp %57 : tensor<1x2xf32, #pos_head>
    %59 = arith.select %34, %cst_1, %58 : tensor<1x2xi1, #pos_head>, tensor<1x2xf32, #pos_head>
    %60 = hsa.broadcast %55 : tensor<1x2xf32, #pos_head> to tensor<1x2x3xf32, #pos_head_slot>
    %61 = arith.subf %43, %60 : tensor<1x2x3xf32, #pos_head_slot>
    %62 = math.exp %61 : tensor<1x2x3xf32, #pos_head_slot>
    %63 = arith.cmpf oeq, %43, %cst_0 : tensor<1x2x3xf32, #pos_head_slot>
    %64 = arith.select %63, %cst, %62 : tensor<1x2x3xi1, #pos_head_slot>, tensor<1x2x3xf32, #pos_head_slot>
    hsa.return %56, %59, %64, %42 : tensor<1x2x32xf32, #pos_head_dim>, tensor<1x2xf32, #pos_head>, tensor<1x2x3xf32, #pos_head_slot>, tensor<1x3xi32, #pos_slot>
  }
}
