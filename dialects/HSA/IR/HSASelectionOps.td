// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- HSASelectionOps.td - Streams over chunks, picks, slots -*-tablegen-*-===//

#ifndef RAMIFY_HSA_SELECTION_OPS_TD
#define RAMIFY_HSA_SELECTION_OPS_TD

include "dialects/HSA/IR/HSAOpBase.td"

//===----------------------------------------------------------------------===//
// Streams: tensors with a chunk axis, whose length is known at run time
//===----------------------------------------------------------------------===//

def HSA_StreamOp : HSA_Op<"stream", [Pure]> {
  let summary = "the rows of all chunks of a partition";
  let description = [{
    A tensor with a chunk axis is a stream: it is never stored. What uses it walks
    over the chunks and evaluates, for each stretch of them, the operations that
    the stream is made of. An operation that uses a value reduced from the same
    stream walks again.

    ```mlir
    %s = hsa.stream %lm : !hsa.landmarks<"kv", bf16, heads = kv, key = 64, dim = 128>
        -> tensor<?x128xbf16, #hsa.axes<chunk, dim>>
    %b = hsa.stream %bias : !hsa.array<f32, [chunk = ?, head = 16], of "kv">
        -> tensor<16x?xf32, #hsa.axes<head, chunk>>
    ```

    Constraints:
    - (C1) An array has a chunk axis.
    - (C2) The result has the source's element type. Of an array it has the axes, in
      canonical order.
    - (C3) Of landmarks, the result is over chunk = ? and dim, and over head if and
      only if `heads = query`.
  }];
  let arguments = (ins AnyTypeOf<[HSA_LandmarksType, HSA_ArrayType]>:$source);
  let results = (outs HSA_Named:$result);
  let assemblyFormat = "$source attr-dict `:` type($source) `->` type($result)";
  let hasVerifier = 1;
}

def HSA_ChunkInfoOp : HSA_Op<"chunk_info", [Pure]> {
  let summary = "the start, end, length or index of every chunk";
  let description = [{
    Chunk i of a partition of N keys in chunks of S starts at iS and ends before
    min((i + 1) S, N); its length is the difference, its index is i.

    ```mlir
    %e = hsa.chunk_info end in "kv" : tensor<?xi32, #hsa.axes<chunk>>
    ```

    Constraints:
    - (C1) The result is i32 over chunk = ?.
    - (C2) A parameter of the program tells the partition's chunk size.
  }];
  let arguments = (ins HSA_ChunkInfoAttr:$info, StrAttr:$partition);
  let results = (outs HSA_Named:$result);
  let assemblyFormat = "`` $info `in` $partition attr-dict `:` type($result)";
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Picks
//===----------------------------------------------------------------------===//

def HSA_TopKOp : HSA_Op<"topk", [Pure]> {
  let summary = "the chunks with the largest scores";
  let description = [{
    For each row, the indices of the k chunks with the largest scores. A NaN counts
    as -inf, and a chunk with -inf is never picked; +inf forces a pick. Of equal
    scores the higher index wins. Fewer than k chunks leave slots empty: -1, at the
    end. `nearest` orders by descending index, `ascending` by ascending index,
    `score` by descending score, of equal ones the higher index first.

    The picks of a part of the chunks, merged with the picks of the rest, are the
    picks of all: chunks may be visited in any order.

    ```mlir
    %slots = hsa.topk %s k 8 order nearest
        : tensor<1x?xf32, #hsa.axes<pos, chunk>> -> tensor<1x8xi32, #hsa.axes<pos, slot>>
    ```

    Constraints:
    - (C1) k is from 1 to 128.
    - (C2) The scores are an f32 stream: they have a chunk axis, and no slot, key or
      dim axis.
    - (C3) The result is i32 over the axes of the scores, with slot = k in place of
      chunk.
  }];
  let arguments = (ins HSA_Named:$scores, I64Attr:$k, HSA_OrderAttr:$order);
  let results = (outs HSA_Named:$result);
  let assemblyFormat = [{
    $scores `k` $k `order` $order attr-dict `:` type($scores) `->` type($result)
  }];
  let hasVerifier = 1;
}

def HSA_TakeOp : HSA_Op<"take", [Pure]> {
  let summary = "a stream's value at each slot";
  let description = [{
    result[..., k] = stream[..., slots[..., k]]; where the slot holds no chunk (it
    is outside [0, C)), -inf, or 0 for an i32 stream.

    ```mlir
    %x = hsa.take %s at %slots
        : tensor<1x16x?xf32, #hsa.axes<pos, head, chunk>>, tensor<1x8xi32, #hsa.axes<pos, slot>>
        -> tensor<1x16x8xf32, #hsa.axes<pos, head, slot>>
    ```

    Constraints:
    - (C1) The stream is f32 or i32, has a chunk axis, and no slot, key or dim axis.
    - (C2) The slots are i32, with a slot axis and otherwise pos and head.
    - (C3) Axes that both have are equally long.
    - (C4) The result has the stream's element type and the axes of both, without
      chunk.
  }];
  let arguments = (ins HSA_Named:$stream, HSA_Named:$slots);
  let results = (outs HSA_Named:$result);
  let assemblyFormat = [{
    $stream `at` $slots attr-dict `:` type($stream) `,` type($slots) `->` type($result)
  }];
  let hasVerifier = 1;
}

def HSA_PutOp : HSA_Op<"put", [Pure]> {
  let summary = "the stream that has values at slots, and else zeros";
  let description = [{
    result[..., i] = the sum over k with slots[..., k] = i of values[..., k]: what a
    stream's gradient is, given that of what was taken at the slots. A slot that
    holds no chunk adds nothing, whatever its value.

    ```mlir
    %ds = hsa.put %dx at %slots
        : tensor<1x16x8xf32, #hsa.axes<pos, head, slot>>, tensor<1x8xi32, #hsa.axes<pos, slot>>
        -> tensor<1x16x?xf32, #hsa.axes<pos, head, chunk>>
    ```

    Constraints:
    - (C1) The values are f32.
    - (C2) The slots are i32, with a slot axis and otherwise pos and head.
    - (C3) The values have each axis of the slots, with the same size.
    - (C4) The result is f32 and has the axes of the values, with chunk in place of
      slot.
  }];
  let arguments = (ins HSA_Named:$values, HSA_Named:$slots);
  let results = (outs HSA_Named:$result);
  let assemblyFormat = [{
    $values `at` $slots attr-dict `:` type($values) `,` type($slots) `->` type($result)
  }];
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Mathematics along slots and chunks
//===----------------------------------------------------------------------===//

def HSA_ScanOp : HSA_Op<"scan", [Pure, AllTypesMatch<["input", "result"]>]> {
  let summary = "running sum along the slots";
  let description = [{
    result_k = sum over m <= k of input_m; m < k with `exclusive`; from the other
    end, m >= k or m > k, with `reverse`.

    ```mlir
    %c = hsa.scan sum exclusive %x over slot : tensor<1x8xf32, #hsa.axes<pos, slot>>
    ```

    Constraints:
    - (C1) The monoid is sum.
    - (C2) Elements are f32.
    - (C3) The axis is slot, and the input has it.
  }];
  let arguments = (ins HSA_MonoidAttr:$monoid, UnitAttr:$exclusive, UnitAttr:$reverse,
                       HSA_Named:$input, HSA_AxisAttr:$over);
  let results = (outs HSA_Named:$result);
  let assemblyFormat = [{
    `` $monoid (`exclusive` $exclusive^)? (`reverse` $reverse^)? $input `over` `` $over
    attr-dict `:` type($result)
  }];
  let hasVerifier = 1;
  let hasFolder = 1;
}

def HSA_LogSumExpOp : HSA_Op<"logsumexp", [Pure]> {
  let summary = "natural logarithm of a sum of exponentials along one axis";
  let description = [{
    log sum_i exp(x_i) over the valid elements, with the maximum taken out of the
    exponents; -inf where nothing is valid or all are -inf.

    ```mlir
    %z = hsa.logsumexp %s over chunk
        : tensor<1x16x?xf32, #hsa.axes<pos, head, chunk>> -> tensor<1x16xf32, #hsa.axes<pos, head>>
    %l = hsa.logsumexp %x over key in %c : !hsa.chunk_id<"kv">
        : tensor<1x16x64xf32, #hsa.axes<pos, head, key>> -> tensor<1x16xf32, #hsa.axes<pos, head>>
    ```

    Constraints:
    - (C1) Elements are f32.
    - (C2) The input has the axis `over`.
    - (C3) A chunk is named if and only if `over` is key.
    - (C4) The result is the input without `over`; a scalar where no axis is left.
  }];
  let arguments = (ins HSA_Named:$input, HSA_AxisAttr:$over,
                       Optional<HSA_ChunkIdType>:$chunk);
  let results = (outs HSA_NamedOrScalar:$result);
  let assemblyFormat = [{
    $input `over` `` $over (`in` $chunk^ `:` qualified(type($chunk)))? attr-dict
    `:` type($input) `->` type($result)
  }];
  let hasVerifier = 1;
}

#endif // RAMIFY_HSA_SELECTION_OPS_TD
