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
    %0 = hsa.load %q : !hsa.query<f32, pos = 1, head = 2, dim = 16> -> tensor<1x2x16xf32, #pos_head_dim>
    %1 = hsa.stream %landmarks : !hsa.landmarks<"kv", f32, heads = query, key = 16, dim = 16> -> tensor<2x?x16xf32, #head_chunk_dim>
    %2 = hsa.stream %bias : !hsa.array<f32, [chunk = ?, head = 2], of "kv", batch> -> tensor<2x?xf32, #head_chunk>
    %3 = hsa.online_softmax : !hsa.softmax_state<tensor<1x2x32xf32, #pos_head_dim>>
    %4 = hsa.window %k last %window align : !hsa.chunks<"kv", f32, key = 16, dim = 16> -> !hsa.domain<"kv">
    %5 = hsa.broadcast %scale : f32 to tensor<1x2x16xf32, #pos_head_key>
    %6 = hsa.reduce (%c) in %4 : !hsa.domain<"kv"> into (softmax %3 : !hsa.softmax_state<tensor<1x2x32xf32, #pos_head_dim>>) {
      %75 = hsa.chunk %k[%c : !hsa.chunk_id<"kv">] : !hsa.chunks<"kv", f32, key = 16, dim = 16> -> tensor<16x16xf32, #key_dim>
      %76 = hsa.dot %0, %75 over dim : tensor<1x2x16xf32, #pos_head_dim>, tensor<16x16xf32, #key_dim> -> tensor<1x2x16xf32, #pos_head_key>
      %77 = arith.mulf %76, %5 : tensor<1x2x16xf32, #pos_head_key>
      %78 = hsa.chunk %v[%c : !hsa.chunk_id<"kv">] : !hsa.chunks<"kv", f32, key = 16, dim = 32> -> tensor<16x32xf32, #key_dim>
      hsa.yield %77, %78 : tensor<1x2x16xf32, #pos_head_key>, tensor<16x32xf32, #key_dim>
    }
    %7 = hsa.query_positions : tensor<1xi32, #pos>
    %8 = hsa.chunk_info end in "kv" : tensor<?xi32, #chunk>
    %9 = hsa.broadcast %8 : tensor<?xi32, #chunk> to tensor<1x?xi32, #pos_chunk>
    %10 = hsa.broadcast %7 : tensor<1xi32, #pos> to tensor<1x?xi32, #pos_chunk>
    %11 = arith.cmpi sle, %9, %10 : tensor<1x?xi32, #pos_chunk>
    %12 = hsa.chunk_info start in "kv" : tensor<?xi32, #chunk>
    %13 = hsa.broadcast %c16_i32 : i32 to tensor<?xi32, #chunk>
    %14 = arith.addi %12, %13 : tensor<?xi32, #chunk>
    %15 = hsa.broadcast %window : i32 to tensor<1xi32, #pos>
    %16 = arith.subi %7, %15 : tensor<1xi32, #pos>
    %17 = arith.addi %16, %cst_5 : tensor<1xi32, #pos>
    %18 = hsa.broadcast %14 : tensor<?xi32, #chunk> to tensor<1x?xi32, #pos_chunk>
    %19 = hsa.broadcast %17 : tensor<1xi32, #pos> to tensor<1x?xi32, #pos_chunk>
    %20 = arith.cmpi sle, %18, %19 : tensor<1x?xi32, #pos_chunk>
    %21 = arith.andi %11, %20 : tensor<1x?xi1, #pos_chunk>
    %22 = hsa.dot %0, %1 over dim : tensor<1x2x16xf32, #pos_head_dim>, tensor<2x?x16xf32, #head_chunk_dim> -> tensor<1x2x?xf32, #pos_head_chunk>
    %23 = hsa.broadcast %scale : f32 to tensor<1x2x?xf32, #pos_head_chunk>
    %24 = arith.mulf %22, %23 : tensor<1x2x?xf32, #pos_head_chunk>
    %25 = hsa.broadcast %2 : tensor<2x?xf32, #head_chunk> to tensor<1x2x?xf32, #pos_head_chunk>
    %26 = arith.addf %24, %25 : tensor<1x2x?xf32, #pos_head_chunk>
    %27 = hsa.broadcast %cst_4 : f32 to tensor<1x2x?xf32, #pos_head_chunk>
    %28 = hsa.broadcast %21 : tensor<1x?xi1, #pos_chunk> to tensor<1x2x?xi1, #pos_head_chunk>
    %29 = arith.select %28, %26, %27 : tensor<1x2x?xi1, #pos_head_chunk>, tensor<1x2x?xf32, #pos_head_chunk>
    %30 = hsa.logsumexp %29 over chunk : tensor<1x2x?xf32, #pos_head_chunk> -> tensor<1x2xf32, #pos_head>
    %31 = hsa.lse %6 : !hsa.softmax_state<tensor<1x2x32xf32, #pos_head_dim>> -> tensor<1x2xf32, #pos_head>
    %32 = arith.maximumf %30, %31 : tensor<1x2xf32, #pos_head>
    %33 = arith.subf %30, %32 : tensor<1x2xf32, #pos_head>
    %34 = math.exp %33 : tensor<1x2xf32, #pos_head>
    %35 = arith.cmpf oeq, %30, %cst_3 : tensor<1x2xf32, #pos_head>
    %36 = arith.select %35, %cst_2, %34 : tensor<1x2xi1, #pos_head>, tensor<1x2xf32, #pos_head>
    %37 = arith.subf %31, %32 : tensor<1x2xf32, #pos_head>
    %38 = math.exp %37 : tensor<1x2xf32, #pos_head>
    %39 = arith.cmpf oeq, %31, %cst_3 : tensor<1x2xf32, #pos_head>
    %40 = arith.select %39, %cst_2, %38 : tensor<1x2xi1, #pos_head>, tensor<1x2xf32, #pos_head>
    %41 = arith.addf %36, %40 : tensor<1x2xf32, #pos_head>
    %42 = math.log %41 : tensor<1x2xf32, #pos_head>
    %43 = arith.addf %32, %42 : tensor<1x2xf32, #pos_head>
    %44 = hsa.broadcast %43 : tensor<1x2xf32, #pos_head> to tensor<1x2x?xf32, #pos_head_chunk>
    %45 = arith.subf %29, %44 : tensor<1x2x?xf32, #pos_head_chunk>
    %46 = hsa.fold max %45 over head : tensor<1x2x?xf32, #pos_head_chunk> -> tensor<1x?xf32, #pos_chunk>
    %47 = hsa.topk %46 k 3 order  nearest : tensor<1x?xf32, #pos_chunk> -> tensor<1x3xi32, #pos_slot>
    %48 = hsa.take %29 at %47 : tensor<1x2x?xf32, #pos_head_chunk>, tensor<1x3xi32, #pos_slot> -> tensor<1x2x3xf32, #pos_head_slot>
    %49 = hsa.logsumexp %48 over slot : tensor<1x2x3xf32, #pos_head_slot> -> tensor<1x2xf32, #pos_head>
    %50 = arith.maximumf %49, %31 : tensor<1x2xf32, #pos_head>
    %51 = arith.subf %49, %50 : tensor<1x2xf32, #pos_head>
    %52 = math.exp %51 : tensor<1x2xf32, #pos_head>
    %53 = arith.cmpf oeq, %49, %cst_3 : tensor<1x2xf32, #pos_head>
    %54 = arith.select %53, %cst_2, %52 : tensor<1x2xi1, #pos_head>, tensor<1x2xf32, #pos_head>
    %55 = arith.subf %31, %50 : tensor<1x2xf32, #pos_head>
    %56 = math.exp %55 : tensor<1x2xf32, #pos_head>
    %57 = arith.select %39, %cst_2, %56 : tensor<1x2xi1, #pos_head>, tensor<1x2xf32, #pos_head>
    %58 = arith.addf %54, %57 : tensor<1x2xf32, #pos_head>
    %59 = math.log %58 : tensor<1x2xf32, #pos_head>
    %60 = arith.addf %50, %59 : tensor<1x2xf32, #pos_head>
    %61 = hsa.value %6 : !hsa.softmax_state<tensor<1x2x32xf32, #pos_head_dim>> -> tensor<1x2x32xf32, #pos_head_dim>
    %62 = arith.subf %31, %60 : tensor<1x2xf32, #pos_head>
    %63 = math.exp %62 : tensor<1x2xf32, #pos_head>
    %64 = arith.select %39, %cst_2, %63 : tensor<1x2xi1, #pos_head>, tensor<1x2xf32, #pos_head>
    %65 = hsa.broadcast %60 : tensor<1x2xf32, #pos_head> to tensor<1x2x3xf32, #pos_head_slot>
    %66 = arith.subf %48, %65 : tensor<1x2x3xf32, #pos_head_slot>
    %67 = math.exp %66 : tensor<1x2x3xf32, #pos_head_slot>
    %68 = arith.cmpf oeq, %48, %cst_1 : tensor<1x2x3xf32, #pos_head_slot>
    %69 = arith.select %68, %cst_0, %67 : tensor<1x2x3xi1, #pos_head_slot>, tensor<1x2x3xf32, #pos_head_slot>
    %70 = hsa.broadcast %64 : tensor<1x2xf32, #pos_head> to tensor<1x2x32xf32, #pos_head_dim>
    %71 = arith.mulf %70, %61 : tensor<1x2x32xf32, #pos_head_dim>
    %72 = hsa.selected %47 in "kv" as "slots" : tensor<1x3xi32, #pos_slot> -> !hsa.domain<"kv", "slots">
    %73 = hsa.broadcast %scale : f32 to tensor<1x2x16xf32, #pos_head_key>
    %74 = hsa.reduce (%slot, %c) in %72 : !hsa.domain<"kv", "slots"> into (sum %71 : tensor<1x2x32xf32, #pos_head_dim>) {
      %75 = hsa.key_positions %c : !hsa.chunk_id<"kv"> -> tensor<16xi32, #key>
      %76 = hsa.chunk_index %c : !hsa.chunk_id<"kv">
      %77 = arith.muli %76, %c16_i32 : i32
      %78 = arith.addi %77, %c15_i32 : i32
      %79 = hsa.broadcast %78 : i32 to tensor<16xi32, #key>
      %80 = arith.cmpi slt, %75, %79 : tensor<16xi32, #key>
      %81 = hsa.chunk %k[%c : !hsa.chunk_id<"kv">] : !hsa.chunks<"kv", f32, key = 16, dim = 16> -> tensor<16x16xf32, #key_dim>
      %82 = hsa.dot %0, %81 over dim : tensor<1x2x16xf32, #pos_head_dim>, tensor<16x16xf32, #key_dim> -> tensor<1x2x16xf32, #pos_head_key>
      %83 = arith.mulf %82, %73 : tensor<1x2x16xf32, #pos_head_key>
      %84 = hsa.broadcast %80 : tensor<16xi1, #key> to tensor<1x2x16xi1, #pos_head_key>
      %85 = arith.select %84, %83, %cst : tensor<1x2x16xi1, #pos_head_key>, tensor<1x2x16xf32, #pos_head_key>
      %86 = hsa.softmax %85 over key in %c : !hsa.chunk_id<"kv"> off_by 0.000000e+00 : tensor<1x2x16xf32, #pos_head_key>
      %87 = hsa.at %69[%slot : !hsa.slot<"slots">] : tensor<1x2x3xf32, #pos_head_slot> -> tensor<1x2xf32, #pos_head>
      %88 = hsa.chunk %v[%c : !hsa.chunk_id<"kv">] : !hsa.chunks<"kv", f32, key = 16, dim = 32> -> tensor<16x32xf32, #key_dim>
      %89 = hsa.dot %86, %88 over key in %c : !hsa.chunk_id<"kv"> : tensor<1x2x16xf32, #pos_head_key>, tensor<16x32xf32, #key_dim> -> tensor<1x2x32xf32, #pos_head_dim>
      %90 = hsa.broadcast %87 : tensor<1x2xf32, #pos_head> to tensor<1x2x32xf32, #pos_head_dim>
      %91 = arith.mulf %90, %89 : tensor<1x2x32xf32, #pos_head_dim>
      hsa.yield %91 : tensor<1x2x32xf32, #pos_head_dim>
    }
    hsa.return %74 : tensor<1x2x32xf32, #pos_head_dim>
  }
}
