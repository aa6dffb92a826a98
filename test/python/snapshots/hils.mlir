// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#chunk = #hsa.axes<chunk>
#head_chunk = #hsa.axes<head, chunk>
#head_chunk_dim = #hsa.axes<head, chunk, dim>
#key = #hsa.axes<key>
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
  hsa.program @hils_kernel(%q: !hsa.query<f32, pos = 1, head = 2, dim = 16>, %k: !hsa.chunks<"kv", f32, key = 16, dim = 16>, %v: !hsa.chunks<"kv", f32, key = 16, dim = 32>, %landmarks: !hsa.landmarks<"kv", f32, heads = query, key = 16, dim = 16>, %bias: !hsa.array<f32, [chunk = ?, head = 2], of "kv", batch>, %scale: f32, %window: i32) -> tensor<1x2x32xf32, #pos_head_dim> attributes {group = 2 : i64} {
    %c15_i32 = arith.constant 15 : i32
    %cst = arith.constant dense<0xFF800000> : tensor<1x2x16xf32, #pos_head_key>
    %cst_0 = arith.constant dense<0.000000e+00> : tensor<1x2x3xf32, #pos_head_slot>
    %cst_1 = arith.constant dense<0xFF800000> : tensor<1x2x3xf32, #pos_head_slot>
    %cst_2 = arith.constant dense<0.000000e+00> : tensor<1x2xf32, #pos_head>
    %cst_3 = arith.constant dense<0xFF800000> : tensor<1x2xf32, #pos_head>
    %cst_4 = arith.constant 0xFF800000 : f32
    %cst_5 = arith.constant dense<1> : tensor<1xi32, #pos>
    %c16_i32 = arith.constant 16 : i32
    %cst_6 = arith.constant dense<0> : tensor<1xi32, #pos>
    %0 = hsa.load %q : !hsa.query<f32, pos = 1, head = 2, dim = 16> -> tensor<1x2x16xf32, #pos_head_dim>
    %1 = hsa.stream %landmarks : !hsa.landmarks<"kv", f32, heads = query, key = 16, dim = 16> -> tensor<2x?x16xf32, #head_chunk_dim>
    %2 = hsa.stream %bias : !hsa.array<f32, [chunk = ?, head = 2], of "kv", batch> -> tensor<2x?xf32, #head_chunk>
    %3 = hsa.online_softmax : !hsa.softmax_state<tensor<1x2x32xf32, #pos_head_dim>>
    %4 = hsa.window %k last %window align : !hsa.chunks<"kv", f32, key = 16, dim = 16> -> !hsa.domain<"kv">
    %5 = hsa.broadcast %scale : f32 to tensor<1x2x16xf32, #pos_head_key>
    %6 = hsa.reduce (%c) in %4 : !hsa.domain<"kv"> into (softmax %3 : !hsa.softmax_state<tensor<1x2x32xf32, #pos_head_dim>>) {
      %72 = hsa.chunk %k[%c : !hsa.chunk_id<"kv">] : !hsa.chunks<"kv", f32, key = 16, dim = 16> -> tensor<16x16xf32, #key_dim>
      %73 = hsa.dot %0, %72 over dim : tensor<1x2x16xf32, #pos_head_dim>, tensor<16x16xf32, #key_dim> -> tensor<1x2x16xf32, #pos_head_key>
      %74 = arith.mulf %73, %5 : tensor<1x2x16xf32, #pos_head_key>
      %75 = hsa.chunk %v[%c : !hsa.chunk_id<"kv">] : !hsa.chunks<"kv", f32, key = 16, dim = 32> -> tensor<16x32xf32, #key_dim>
      hsa.yield %74, %75 : tensor<1x2x16xf32, #pos_head_key>, tensor<16x32xf32, #key_dim>
    }
    %7 = hsa.query_positions : tensor<1xi32, #pos>
    %8 = arith.cmpi sgt, %7, %cst_6 : tensor<1xi32, #pos>
    %9 = arith.select %8, %7, %cst_6 : tensor<1xi1, #pos>, tensor<1xi32, #pos>
    %10 = hsa.chunk_info start in "kv" : tensor<?xi32, #chunk>
    %11 = hsa.broadcast %c16_i32 : i32 to tensor<?xi32, #chunk>
    %12 = arith.addi %10, %11 : tensor<?xi32, #chunk>
    %13 = hsa.broadcast %window : i32 to tensor<1xi32, #pos>
    %14 = arith.subi %9, %13 : tensor<1xi32, #pos>
    %15 = arith.addi %14, %cst_5 : tensor<1xi32, #pos>
    %16 = hsa.broadcast %12 : tensor<?xi32, #chunk> to tensor<1x?xi32, #pos_chunk>
    %17 = hsa.broadcast %15 : tensor<1xi32, #pos> to tensor<1x?xi32, #pos_chunk>
    %18 = arith.cmpi sle, %16, %17 : tensor<1x?xi32, #pos_chunk>
    %19 = hsa.dot %0, %1 over dim : tensor<1x2x16xf32, #pos_head_dim>, tensor<2x?x16xf32, #head_chunk_dim> -> tensor<1x2x?xf32, #pos_head_chunk>
    %20 = hsa.broadcast %scale : f32 to tensor<1x2x?xf32, #pos_head_chunk>
    %21 = arith.mulf %19, %20 : tensor<1x2x?xf32, #pos_head_chunk>
    %22 = hsa.broadcast %2 : tensor<2x?xf32, #head_chunk> to tensor<1x2x?xf32, #pos_head_chunk>
    %23 = arith.addf %21, %22 : tensor<1x2x?xf32, #pos_head_chunk>
    %24 = hsa.broadcast %cst_4 : f32 to tensor<1x2x?xf32, #pos_head_chunk>
    %25 = hsa.broadcast %18 : tensor<1x?xi1, #pos_chunk> to tensor<1x2x?xi1, #pos_head_chunk>
    %26 = arith.select %25, %23, %24 : tensor<1x2x?xi1, #pos_head_chunk>, tensor<1x2x?xf32, #pos_head_chunk>
    %27 = hsa.logsumexp %26 over chunk : tensor<1x2x?xf32, #pos_head_chunk> -> tensor<1x2xf32, #pos_head>
    %28 = hsa.lse %6 : !hsa.softmax_state<tensor<1x2x32xf32, #pos_head_dim>> -> tensor<1x2xf32, #pos_head>
    %29 = arith.maximumf %27, %28 : tensor<1x2xf32, #pos_head>
    %30 = arith.subf %27, %29 : tensor<1x2xf32, #pos_head>
    %31 = math.exp %30 : tensor<1x2xf32, #pos_head>
    %32 = arith.cmpf oeq, %27, %cst_3 : tensor<1x2xf32, #pos_head>
    %33 = arith.select %32, %cst_2, %31 : tensor<1x2xi1, #pos_head>, tensor<1x2xf32, #pos_head>
    %34 = arith.subf %28, %29 : tensor<1x2xf32, #pos_head>
    %35 = math.exp %34 : tensor<1x2xf32, #pos_head>
    %36 = arith.cmpf oeq, %28, %cst_3 : tensor<1x2xf32, #pos_head>
    %37 = arith.select %36, %cst_2, %35 : tensor<1x2xi1, #pos_head>, tensor<1x2xf32, #pos_head>
    %38 = arith.addf %33, %37 : tensor<1x2xf32, #pos_head>
    %39 = math.log %38 : tensor<1x2xf32, #pos_head>
    %40 = arith.addf %29, %39 : tensor<1x2xf32, #pos_head>
    %41 = hsa.broadcast %40 : tensor<1x2xf32, #pos_head> to tensor<1x2x?xf32, #pos_head_chunk>
    %42 = arith.subf %26, %41 : tensor<1x2x?xf32, #pos_head_chunk>
    %43 = hsa.fold max %42 over head : tensor<1x2x?xf32, #pos_head_chunk> -> tensor<1x?xf32, #pos_chunk>
    %44 = hsa.topk %43 k 3 order  nearest : tensor<1x?xf32, #pos_chunk> -> tensor<1x3xi32, #pos_slot>
    %45 = hsa.take %26 at %44 : tensor<1x2x?xf32, #pos_head_chunk>, tensor<1x3xi32, #pos_slot> -> tensor<1x2x3xf32, #pos_head_slot>
    %46 = hsa.logsumexp %45 over slot : tensor<1x2x3xf32, #pos_head_slot> -> tensor<1x2xf32, #pos_head>
    %47 = arith.maximumf %46, %28 : tensor<1x2xf32, #pos_head>
    %48 = arith.subf %46, %47 : tensor<1x2xf32, #pos_head>
    %49 = math.exp %48 : tensor<1x2xf32, #pos_head>
    %50 = arith.cmpf oeq, %46, %cst_3 : tensor<1x2xf32, #pos_head>
    %51 = arith.select %50, %cst_2, %49 : tensor<1x2xi1, #pos_head>, tensor<1x2xf32, #pos_head>
    %52 = arith.subf %28, %47 : tensor<1x2xf32, #pos_head>
    %53 = math.exp %52 : tensor<1x2xf32, #pos_head>
    %54 = arith.select %36, %cst_2, %53 : tensor<1x2xi1, #pos_head>, tensor<1x2xf32, #pos_head>
    %55 = arith.addf %51, %54 : tensor<1x2xf32, #pos_head>
    %56 = math.log %55 : tensor<1x2xf32, #pos_head>
    %57 = arith.addf %47, %56 : tensor<1x2xf32, #pos_head>
    %58 = hsa.value %6 : !hsa.softmax_state<tensor<1x2x32xf32, #pos_head_dim>> -> tensor<1x2x32xf32, #pos_head_dim>
    %59 = arith.subf %28, %57 : tensor<1x2xf32, #pos_head>
    %60 = math.exp %59 : tensor<1x2xf32, #pos_head>
    %61 = arith.select %36, %cst_2, %60 : tensor<1x2xi1, #pos_head>, tensor<1x2xf32, #pos_head>
    %62 = hsa.broadcast %57 : tensor<1x2xf32, #pos_head> to tensor<1x2x3xf32, #pos_head_slot>
    %63 = arith.subf %45, %62 : tensor<1x2x3xf32, #pos_head_slot>
    %64 = math.exp %63 : tensor<1x2x3xf32, #pos_head_slot>
    %65 = arith.cmpf oeq, %45, %cst_1 : tensor<1x2x3xf32, #pos_head_slot>
    %66 = arith.select %65, %cst_0, %64 : tensor<1x2x3xi1, #pos_head_slot>, tensor<1x2x3xf32, #pos_head_slot>
    %67 = hsa.broadcast %61 : tensor<1x2xf32, #pos_head> to tensor<1x2x32xf32, #pos_head_dim>
    %68 = arith.mulf %67, %58 : tensor<1x2x32xf32, #pos_head_dim>
    %69 = hsa.selected %44 in "kv" as "slots" : tensor<1x3xi32, #pos_slot> -> !hsa.domain<"kv", "slots">
    %70 = hsa.broadcast %scale : f32 to tensor<1x2x16xf32, #pos_head_key>
    %71 = hsa.reduce (%slot, %c) in %69 : !hsa.domain<"kv", "slots"> into (sum %68 : tensor<1x2x32xf32, #pos_head_dim>) {
      %72 = hsa.key_positions %c : !hsa.chunk_id<"kv"> -> tensor<16xi32, #key>
      %73 = hsa.chunk_index %c : !hsa.chunk_id<"kv">
      %74 = arith.muli %73, %c16_i32 : i32
      %75 = arith.addi %74, %c15_i32 : i32
      %76 = hsa.broadcast %75 : i32 to tensor<16xi32, #key>
      %77 = arith.cmpi slt, %72, %76 : tensor<16xi32, #key>
      %78 = hsa.chunk %k[%c : !hsa.chunk_id<"kv">] : !hsa.chunks<"kv", f32, key = 16, dim = 16> -> tensor<16x16xf32, #key_dim>
      %79 = hsa.dot %0, %78 over dim : tensor<1x2x16xf32, #pos_head_dim>, tensor<16x16xf32, #key_dim> -> tensor<1x2x16xf32, #pos_head_key>
      %80 = arith.mulf %79, %70 : tensor<1x2x16xf32, #pos_head_key>
      %81 = hsa.broadcast %77 : tensor<16xi1, #key> to tensor<1x2x16xi1, #pos_head_key>
      %82 = arith.select %81, %80, %cst : tensor<1x2x16xi1, #pos_head_key>, tensor<1x2x16xf32, #pos_head_key>
      %83 = hsa.softmax %82 over key in %c : !hsa.chunk_id<"kv"> off_by 0.000000e+00 : tensor<1x2x16xf32, #pos_head_key>
      %84 = hsa.at %66[%slot : !hsa.slot<"slots">] : tensor<1x2x3xf32, #pos_head_slot> -> tensor<1x2xf32, #pos_head>
      %85 = hsa.chunk %v[%c : !hsa.chunk_id<"kv">] : !hsa.chunks<"kv", f32, key = 16, dim = 32> -> tensor<16x32xf32, #key_dim>
      %86 = hsa.dot %83, %85 over key in %c : !hsa.chunk_id<"kv"> : tensor<1x2x16xf32, #pos_head_key>, tensor<16x32xf32, #key_dim> -> tensor<1x2x32xf32, #pos_head_dim>
      %87 = hsa.broadcast %84 : tensor<1x2xf32, #pos_head> to tensor<1x2x32xf32, #pos_head_dim>
      %88 = arith.mulf %87, %86 : tensor<1x2x32xf32, #pos_head_dim>
      hsa.yield %88 : tensor<1x2x32xf32, #pos_head_dim>
    }
    hsa.return %71 : tensor<1x2x32xf32, #pos_head_dim>
  }
}
