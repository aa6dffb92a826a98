// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- HSAOps.td - Operations of the hsa dialect -----------*- tablegen -*-===//

#ifndef RAMIFY_HSA_OPS_TD
#define RAMIFY_HSA_OPS_TD

include "dialects/HSA/IR/HSAOpBase.td"

//===----------------------------------------------------------------------===//
// Program
//===----------------------------------------------------------------------===//

def HSA_ProgramOp : HSA_Op<"program", [
    FunctionOpInterface, IsolatedFromAbove, SingleBlockImplicitTerminator<"ReturnOp">,
    DeclareOpInterfaceMethods<OpAsmOpInterface, ["getAsmBlockArgumentNames"]>]> {
  let summary = "what one query block computes";
  let description = [{
    The parameters have role types or are scalars; the results are tensors over
    pos, head and possibly dim, or over pos, possibly head, and slot, or sums over all
    blocks. `group` is G = HQ / H, the number of query heads
    that share a key/value head. What all positions of a block share has no axis
    pos, and a row for each block in memory. A program with `block` computes
    nothing else: each of its queries, with pos = 1, is a block of as many
    positions, and stands where the first of them does. The names of the parameters are kept: weights and
    domains refer to an indices parameter by its name.

    ```mlir
    hsa.program @hsa(%q: !hsa.query<bf16, pos = 1, head = 16, dim = 64>, %scale: f32)
        -> tensor<1x16x64xf32, #hsa.axes<pos, head, dim>> attributes {group = 16 : i64} {
      ...
      hsa.return %o : tensor<1x16x64xf32, #hsa.axes<pos, head, dim>>
    }
    ```

    Constraints:
    - (C1) Each parameter has a role type (query, chunks, landmarks, weights,
      indices, array, num_keys, q_start, q_positions), is sums that an earlier
      program began, or is i32 or f32.
    - (C2) Each parameter has a name of its own, a letter or `_` first.
    - (C3) `group` is a positive multiple of the size of the head axis.
    - (C4) Parameters agree on the sizes of pos and head, but that pos may be 1.
    - (C5) Parameters of one partition agree on the number of keys in a chunk.
    - (C6) Weights name an indices parameter, and indices the partition of a
      chunks, landmarks or array parameter.
    - (C7) Results are f32 tensors over pos, head or over pos, head, dim; f32 or i32
      tensors over pos, slot or over pos, head, slot; or sums. Where blocks have
      several positions, they may be without pos.
    - (C8) Tensors and softmax states in the body have the parameters' pos and
      head, but that results of launches may have pos = 1.
    - (C9) A key axis that an operation ties to a chunk is as long as the chunks of
      that partition.
    - (C10) The body ends with hsa.return.
    - (C11) Sums are used once, unless they are hsa.zeros.
    - (C12) At most one parameter is of role num_keys, and at most one says where
      the queries stand: q_start, q_positions or num_keys from the end.
    - (C13) `block` is at least 2.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name,
                       TypeAttrOf<FunctionType>:$function_type,
                       StrArrayAttr:$arg_names,
                       I64Attr:$group,
                       OptionalAttr<I64Attr>:$block,
                       OptionalAttr<DictArrayAttr>:$arg_attrs,
                       OptionalAttr<DictArrayAttr>:$res_attrs);
  let regions = (region SizedRegion<1>:$body);
  let hasCustomAssemblyFormat = 1;
  let hasVerifier = 1;
  let hasRegionVerifier = 1;
  let extraClassDeclaration = [{
    ::mlir::ArrayRef<::mlir::Type> getArgumentTypes() { return getFunctionType().getInputs(); }
    ::mlir::ArrayRef<::mlir::Type> getResultTypes() { return getFunctionType().getResults(); }
    ::mlir::Region *getCallableRegion() { return &getBody(); }

    /// The name of a parameter, without the `%`.
    ::llvm::StringRef getParameterName(unsigned index);
    /// The parameter with that name, or null.
    ::mlir::BlockArgument getParameter(::llvm::StringRef name);
    /// The size of the pos or head axis as the parameters tell it, or 0; pos is
    /// 1 where each query is a block.
    int64_t getAxisSize(Axis axis);
    /// Positions of a query block in the arrays of whole queries, at least 1.
    int64_t getBlockSize();
    /// Whether blocks have several positions and `type` is of queries, or of an
    /// array, that have one row for all of them.
    bool isOfBlocks(::mlir::Type type);
    /// The number of keys in a chunk of `partition`, or 0 where no parameter tells.
    int64_t getChunkSize(::llvm::StringRef partition);
  }];
}

def HSA_ReturnOp : HSA_Op<"return", [Terminator, HasParent<"ProgramOp">, Pure]> {
  let summary = "the results of a program";
  let description = [{
    ```mlir
    hsa.return %o : tensor<1x16x64xf32, #hsa.axes<pos, head, dim>>
    ```

    Constraints:
    - (C1) The types are those of the program's results.
  }];
  let arguments = (ins Variadic<AnyTypeOf<[HSA_Named, HSA_SumsType]>>:$operands);
  let assemblyFormat = "($operands^ `:` type($operands))? attr-dict";
  let builders = [OpBuilder<(ins), [{}]>];
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Access
//===----------------------------------------------------------------------===//

def HSA_LoadOp : HSA_Op<"load", [Pure]> {
  let summary = "the block's part of a query, an array without chunks, or a selection";
  let description = [{
    Indices and weights are read as the whole row of the block, if their type has
    `slots`. The indices are i32; what i32 cannot hold is -1.

    ```mlir
    %x = hsa.load %q : !hsa.query<bf16, pos = 1, head = 16, dim = 64>
        -> tensor<1x16x64xbf16, #hsa.axes<pos, head, dim>>
    ```

    Constraints:
    - (C1) An array has neither a key nor a chunk axis.
    - (C2) The result has the source's element type and axes, in canonical order;
      it is a scalar where there are no axes. A row that all positions of a block
      share is without pos, unless each query of the program is a block.
    - (C3) Indices and weights have `slots`.
    - (C4) The result of weights has their element type, that of indices i32; it is
      over slot, and over head if and only if `heads = query`.
    - (C5) Sums are those of weights, which are read back as the block's own visits
      have filled them, in f32.
  }];
  let arguments = (ins AnyTypeOf<[HSA_QueryType, HSA_ArrayType, HSA_IndicesType,
                                  HSA_WeightsType, HSA_SumsType]>:$source);
  let results = (outs HSA_NamedOrScalar:$result);
  let assemblyFormat = "$source attr-dict `:` type($source) `->` type($result)";
  let hasVerifier = 1;
}

def HSA_ChunkOp : HSA_Op<"chunk", [Pure]> {
  let summary = "one chunk of a partitioned array";
  let description = [{
    Keys past the end of the array read as zero; what reduces over `key` leaves
    them out. Of landmarks and of an array with a chunk axis, it is what belongs to
    that chunk.

    ```mlir
    %kc = hsa.chunk %k[%c : !hsa.chunk_id<"kv">] : !hsa.chunks<"kv", bf16, key = 64, dim = 64>
        -> tensor<64x64xbf16, #hsa.axes<key, dim>>
    ```

    Constraints:
    - (C1) The source is of the chunk's partition.
    - (C2) The result has the source's element type and axes without chunk, in
      canonical order; it is a scalar where none is left.
    - (C3) Of landmarks, the result is over dim, and over head if and only if
      `heads = query`.
  }];
  let arguments = (ins AnyTypeOf<[HSA_ChunksType, HSA_LandmarksType, HSA_ArrayType]>:$source,
                       HSA_ChunkIdType:$chunk);
  let results = (outs HSA_NamedOrScalar:$result);
  let assemblyFormat = [{
    $source `[` $chunk `:` qualified(type($chunk)) `]` attr-dict `:` type($source) `->` type($result)
  }];
  let hasVerifier = 1;
}

def HSA_AtOp : HSA_Op<"at", [Pure]> {
  let summary = "the weight, or any tensor's element, of a slot";
  let description = [{
    A scalar for weights per key/value head, a tensor over `head` for weights
    per query head. A tensor loses its slot axis.

    ```mlir
    %w = hsa.at %weights[%slot : !hsa.slot<"indices">]
        : !hsa.weights<"indices", f32, heads = kv> -> f32
    %x = hsa.at %t[%slot : !hsa.slot<"picks">]
        : tensor<1x8xf32, #hsa.axes<pos, slot>> -> tensor<1xf32, #hsa.axes<pos>>
    ```

    Constraints:
    - (C1) The slot is of the indices that the weights name.
    - (C2) The result has the weights' element type, over head if and only if
      `heads = query`.
    - (C3) A tensor has a slot axis; the result is the tensor without it, a scalar
      where no axis is left.
    - (C4) A tensor has as many slots as the slots that the reduction visits, if
      the program computes them.
  }];
  let arguments = (ins AnyTypeOf<[HSA_WeightsType, HSA_Named]>:$source, HSA_SlotType:$slot);
  let results = (outs HSA_NamedOrScalar:$result);
  let assemblyFormat = [{
    $source `[` $slot `:` qualified(type($slot)) `]` attr-dict `:` type($source) `->` type($result)
  }];
  let hasVerifier = 1;
  let hasCanonicalizeMethod = 1;
}

//===----------------------------------------------------------------------===//
// Positions
//===----------------------------------------------------------------------===//

def HSA_QueryPositionsOp : HSA_Op<"query_positions", [Pure]> {
  let summary = "where the block's queries stand among the keys";
  let description = [{
    ```mlir
    %t = hsa.query_positions : tensor<1xi32, #hsa.axes<pos>>
    ```

    Constraints:
    - (C1) The result is an i32 tensor over pos.
  }];
  let arguments = (ins);
  let results = (outs HSA_Named:$result);
  let assemblyFormat = "attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def HSA_BlockPositionOp : HSA_Op<"block_position", [Pure]> {
  let summary = "where the block's first query stands among the keys";
  let description = [{
    What one selection for all positions of a block knows of them.

    ```mlir
    %t = hsa.block_position : i32
    ```
  }];
  let arguments = (ins);
  let results = (outs I32:$result);
  let assemblyFormat = "attr-dict `:` type($result)";
}

def HSA_KeyPositionsOp : HSA_Op<"key_positions", [Pure]> {
  let summary = "the positions of a chunk's keys";
  let description = [{
    ```mlir
    %x = hsa.key_positions %c : !hsa.chunk_id<"kv"> -> tensor<64xi32, #hsa.axes<key>>
    ```

    Constraints:
    - (C1) The result is an i32 tensor over key.
  }];
  let arguments = (ins HSA_ChunkIdType:$chunk);
  let results = (outs HSA_Named:$result);
  let assemblyFormat = "$chunk attr-dict `:` qualified(type($chunk)) `->` type($result)";
  let hasVerifier = 1;
}

def HSA_ChunkIndexOp : HSA_Op<"chunk_index", [Pure]> {
  let summary = "the number of a chunk in its partition";
  let description = [{
    ```mlir
    %i = hsa.chunk_index %c : !hsa.chunk_id<"kv">
    ```
  }];
  let arguments = (ins HSA_ChunkIdType:$chunk);
  let results = (outs I32:$result);
  let assemblyFormat = "$chunk attr-dict `:` qualified(type($chunk))";
}

def HSA_ChunkEndOp : HSA_Op<"chunk_end", [Pure]> {
  let summary = "the position behind the last key of a chunk";
  let description = [{
    Of chunk i of a partition of N keys in chunks of S: min((i + 1) S, N).

    ```mlir
    %e = hsa.chunk_end %c : !hsa.chunk_id<"kv">
    ```
  }];
  let arguments = (ins HSA_ChunkIdType:$chunk);
  let results = (outs I32:$result);
  let assemblyFormat = "$chunk attr-dict `:` qualified(type($chunk))";
}

//===----------------------------------------------------------------------===//
// Mathematics over named axes
//===----------------------------------------------------------------------===//

def HSA_BroadcastOp : HSA_Op<"broadcast", [Pure]> {
  let summary = "repeat a value along the axes that it lacks";
  let description = [{
    ```mlir
    %b = hsa.broadcast %bias : tensor<16xf32, #hsa.axes<head>>
        to tensor<1x16x64xf32, #hsa.axes<pos, head, key>>
    ```

    Constraints:
    - (C1) Input and result have the same element type.
    - (C2) The result has each axis of the input, with the same size.
  }];
  let arguments = (ins HSA_NamedOrScalar:$input);
  let results = (outs HSA_Named:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `to` type($result)";
  let hasVerifier = 1;
  let hasFolder = 1;
}

def HSA_DotOp : HSA_Op<"dot", [Pure]> {
  let summary = "contract axes";
  let description = [{
    result[...] = sum over `over` of lhs[...] * rhs[...], in f32. Axes that both
    sides have, other than `over`, are kept and matched. A contraction over `key`
    names its chunk; keys that are not valid there contribute nothing. Neither do,
    over `pos`, positions past the end of the queries. Over `chunk` a stream of
    weights meets a stream of rows. An f32 side that meets a 16-bit side is rounded
    to that type.

    ```mlir
    %s = hsa.dot %q, %k over dim
        : tensor<1x16x64xbf16, #hsa.axes<pos, head, dim>>, tensor<64x64xbf16, #hsa.axes<key, dim>>
        -> tensor<1x16x64xf32, #hsa.axes<pos, head, key>>
    %o = hsa.dot %p, %v over key in %c : !hsa.chunk_id<"kv">
        : tensor<1x16x64xf32, #hsa.axes<pos, head, key>>, tensor<64x64xbf16, #hsa.axes<key, dim>>
        -> tensor<1x16x64xf32, #hsa.axes<pos, head, dim>>
    %dv = hsa.dot %p, %do over pos, head
        : tensor<1x16x64xf32, #hsa.axes<pos, head, key>>, tensor<1x16x64xbf16, #hsa.axes<pos, head, dim>>
        -> tensor<64x64xf32, #hsa.axes<key, dim>>
    ```

    Constraints:
    - (C1) Elements are f32, bf16 or f16; two 16-bit sides have the same type.
    - (C2) Both sides have each axis of `over`: at least one of pos, head, chunk,
      key and dim.
    - (C3) Axes that both sides have are equally long.
    - (C4) The result is f32 over the axes of both sides without `over`; a scalar
      where none is left.
    - (C5) A chunk is named if and only if `over` contains key.
  }];
  let arguments = (ins HSA_Named:$lhs, HSA_Named:$rhs, HSA_AxesAttr:$over,
                       Optional<HSA_ChunkIdType>:$chunk);
  let results = (outs HSA_NamedOrScalar:$result);
  let assemblyFormat = [{
    $lhs `,` $rhs `over` custom<Over>($over) (`in` $chunk^ `:` qualified(type($chunk)))? attr-dict
    `:` type($lhs) `,` type($rhs) `->` type($result)
  }];
  let hasVerifier = 1;
  let hasCanonicalizeMethod = 1;
}

def HSA_SoftmaxOp : HSA_Op<"softmax", [Pure, AllTypesMatch<["input", "result"]>]> {
  let summary = "softmax along one axis, with n added to the denominator";
  let description = [{
    softmax_n(x)_i = exp(x_i) / (n + sum_j exp(x_j)) over the valid elements; 0
    where nothing is valid or all are -inf. No finite x overflows: the maximum
    taken out of the exponents is that of x, and of 0 where n > 0.

    ```mlir
    %p = hsa.softmax %s over key in %c : !hsa.chunk_id<"kv"> off_by 1.0
        : tensor<1x16x64xf32, #hsa.axes<pos, head, key>>
    ```

    Constraints:
    - (C1) Elements are f32.
    - (C2) The input has the axis `over`.
    - (C3) A chunk is named if and only if `over` is key.
    - (C4) n is finite and not negative.
  }];
  let arguments = (ins HSA_Named:$input, HSA_AxisAttr:$over,
                       Optional<HSA_ChunkIdType>:$chunk, F64Attr:$n);
  let results = (outs HSA_Named:$result);
  let assemblyFormat = [{
    $input `over` `` $over (`in` $chunk^ `:` qualified(type($chunk)))? `off_by` $n attr-dict `:` type($result)
  }];
  let hasVerifier = 1;
}

def HSA_FoldOp : HSA_Op<"fold", [Pure]> {
  let summary = "reduce axes with sum, max or min";
  let description = [{
    The maximum of nothing is -inf, the minimum +inf, the sum 0. Over `pos`,
    positions past the end of the queries are left out.

    ```mlir
    %m = hsa.fold max %s over key in %c : !hsa.chunk_id<"kv">
        : tensor<1x16x64xf32, #hsa.axes<pos, head, key>> -> tensor<1x16xf32, #hsa.axes<pos, head>>
    ```

    Constraints:
    - (C1) The monoid is sum, max or min.
    - (C2) Elements are f32.
    - (C3) The input has each axis of `over`, at least one.
    - (C4) A chunk is named if and only if `over` contains key.
    - (C5) The result is the input without `over`; a scalar where no axis is left.
  }];
  let arguments = (ins HSA_MonoidAttr:$monoid, HSA_Named:$input, HSA_AxesAttr:$over,
                       Optional<HSA_ChunkIdType>:$chunk);
  let results = (outs HSA_NamedOrScalar:$result);
  let assemblyFormat = [{
    `` $monoid $input `over` custom<Over>($over) (`in` $chunk^ `:` qualified(type($chunk)))? attr-dict
    `:` type($input) `->` type($result)
  }];
  let hasVerifier = 1;
}

include "dialects/HSA/IR/HSASelectionOps.td"
include "dialects/HSA/IR/HSAReductionOps.td"
include "dialects/HSA/IR/HSAGradientOps.td"
include "dialects/HSA/IR/HSALaunchOps.td"

#endif // RAMIFY_HSA_OPS_TD
