// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- HSATypes.td - Roles of parameters, loop ids, states -*- tablegen -*-===//

#ifndef RAMIFY_HSA_TYPES_TD
#define RAMIFY_HSA_TYPES_TD

include "dialects/HSA/IR/HSAAttributes.td"
include "mlir/IR/BuiltinTypes.td"

class HSA_Type<string name, string typeMnemonic, string text>
    : TypeDef<HSA_Dialect, name> {
  let mnemonic = typeMnemonic;
  let summary = text;
}

//===----------------------------------------------------------------------===//
// Roles of parameters
//===----------------------------------------------------------------------===//

def HSA_QueryType : HSA_Type<"Query", "query", "queries, [B, L, HQ, D] in memory"> {
  let description = [{
    One query block sees `pos` consecutive positions and `head` query heads.
    Where the blocks of a program have more positions, a query with `pos` = 1 has
    a row for each block, [B, rows, HQ, D], which is read without the axis pos.

    ```mlir
    !hsa.query<bf16, pos = 1, head = 16, dim = 64>
    ```

    Constraints:
    - (C1) Elements are f32, bf16 or f16.
    - (C2) Sizes are positive.
  }];
  let parameters = (ins "::mlir::Type":$elementType, "int64_t":$pos,
                        "int64_t":$head, "int64_t":$dim);
  let assemblyFormat = [{
    `<` $elementType `,` `pos` `=` $pos `,` `head` `=` $head `,` `dim` `=` $dim `>`
  }];
  let genVerifyDecl = 1;
}

def HSA_ChunksType : HSA_Type<"Chunks", "chunks",
    "keys or values cut into chunks, [B, N, H, D] in memory"> {
  let description = [{
    A named partition of N keys into chunks of `key` keys each.

    ```mlir
    !hsa.chunks<"kv", bf16, key = 64, dim = 64>
    ```

    Constraints:
    - (C1) Elements are f32, bf16 or f16.
    - (C2) Sizes are positive.
    - (C3) The partition has a name.
  }];
  let parameters = (ins StringRefParameter<>:$partition,
                        "::mlir::Type":$elementType, "int64_t":$key,
                        "int64_t":$dim);
  let assemblyFormat = [{
    `<` $partition `,` $elementType `,` `key` `=` $key `,` `dim` `=` $dim `>`
  }];
  let genVerifyDecl = 1;
}

def HSA_LandmarksType : HSA_Type<"Landmarks", "landmarks",
    "one row for each chunk, [B, C, heads, D] in memory"> {
  let description = [{
    What a partition's chunks are scored by. `key` is the number of keys in one of
    its chunks; `heads` says what the third axis holds: one row for all heads, one
    for each key/value head, or one for each query head.

    ```mlir
    !hsa.landmarks<"kv", bf16, heads = kv, key = 64, dim = 128>
    ```

    Constraints:
    - (C1) Elements are f32, bf16 or f16.
    - (C2) Sizes are positive.
    - (C3) The partition has a name.
  }];
  let parameters = (ins StringRefParameter<>:$partition,
                        "::mlir::Type":$elementType, EnumParameter<HSA_Heads>:$heads,
                        "int64_t":$key, "int64_t":$dim);
  let assemblyFormat = [{
    `<` $partition `,` $elementType `,` `heads` `=` $heads `,` `key` `=` $key `,`
    `dim` `=` $dim `>`
  }];
  let genVerifyDecl = 1;
}

def HSA_IndicesType : HSA_Type<"Indices", "indices",
    "selected chunks, [B, rows, heads, K] in memory"> {
  let description = [{
    One row of K slots for a query block; an index outside [0, C) selects nothing.
    `heads` says what the third axis holds: one row for all, one for each
    key/value head, or one for each query head. `slots` is K where the program
    depends on it, because it reads the row as a whole.

    ```mlir
    !hsa.indices<"kv", i32, heads = kv>
    !hsa.indices<"kv", i32, heads = kv, slots = 8>
    ```

    Constraints:
    - (C1) Elements are i32 or i64.
    - (C2) The partition has a name.
    - (C3) `slots` is positive where it is given.
  }];
  let parameters = (ins StringRefParameter<>:$partition,
                        "::mlir::Type":$elementType, EnumParameter<HSA_Heads>:$heads,
                        DefaultValuedParameter<"int64_t", "0">:$slots);
  let assemblyFormat = [{
    `<` $partition `,` $elementType `,` `heads` `=` $heads (`,` `slots` `=` $slots^)? `>`
  }];
  let genVerifyDecl = 1;
}

def HSA_WeightsType : HSA_Type<"Weights", "weights",
    "a weight for each slot, [B, rows, heads, K] in memory"> {
  let description = [{
    The weights of the slots of the indices parameter that it names. `slots` is K
    where the program depends on it, because it reads the row as a whole.

    ```mlir
    !hsa.weights<"indices", f32, heads = query>
    !hsa.weights<"indices", f32, heads = kv, slots = 8>
    ```

    Constraints:
    - (C1) Elements are f32, bf16 or f16.
    - (C2) The indices parameter has a name.
    - (C3) `slots` is positive where it is given.
  }];
  let parameters = (ins StringRefParameter<>:$indices,
                        "::mlir::Type":$elementType, EnumParameter<HSA_Heads>:$heads,
                        DefaultValuedParameter<"int64_t", "0">:$slots);
  let assemblyFormat = [{
    `<` $indices `,` $elementType `,` `heads` `=` $heads (`,` `slots` `=` $slots^)? `>`
  }];
  let genVerifyDecl = 1;
}

def HSA_ArrayType : HSA_Type<"Array", "array", "any other array, its axes in the order of memory"> {
  let description = [{
    Axes carry their size in a block or chunk, except `chunk`, whose size is `?`.
    Where blocks have more positions, `pos` = 1 is a row for each block, as of a
    query.
    `of` names the partition of a key or chunk axis; `batch` says that a batch
    axis comes first. A head axis spans all query heads in memory and `head` of
    them in a block. `key` is the number of keys in a chunk of a chunk axis, where
    the array tells it: another parameter of its partition may.

    ```mlir
    !hsa.array<f32, []>
    !hsa.array<f32, [head = 16]>
    !hsa.array<f32, [chunk = ?, head = 16], of "kv", batch>
    !hsa.array<f32, [chunk = ?], of "kv", key = 64>
    ```

    Constraints:
    - (C1) Elements are f32, bf16 or f16.
    - (C2) Axes are pos, head, chunk, key or dim, each at most once.
    - (C3) Sizes are positive; the size of chunk, and no other, is `?`.
    - (C4) It has a key or a chunk axis, not both, if and only if it names a
      partition.
    - (C5) `key` is positive, and stands only with a chunk axis.
  }];
  let parameters = (ins "::mlir::Type":$elementType, ArrayRefParameter<"Axis">:$axes,
                        ArrayRefParameter<"int64_t">:$shape,
                        StringRefParameter<"", [{""}]>:$partition, "bool":$batch,
                        "int64_t":$key);
  let builders = [TypeBuilder<(ins "::mlir::Type":$elementType,
      "::llvm::ArrayRef<Axis>":$axes, "::llvm::ArrayRef<int64_t>":$shape,
      "::llvm::StringRef":$partition, "bool":$batch), [{
    return $_get($_ctxt, elementType, axes, shape, partition, batch,
                 ::mlir::ShapedType::kDynamic);
  }]>];
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
}

//===----------------------------------------------------------------------===//
// Roles of what a call tells beside the function's own parameters
//===----------------------------------------------------------------------===//

def HSA_NumKeysType : HSA_Type<"NumKeys", "num_keys",
    "the number of keys of each sequence, i32 [B] in memory"> {
  let description = [{
    Every partition of sequence b has N = min(its keys, num_keys[b]) keys. No
    operation reads it: it says what the partitions are. With `from_end` the last
    query stands at the last key of its sequence, q_start[b] = num_keys[b] - L;
    else the call tells where the queries stand.

    ```mlir
    !hsa.num_keys
    !hsa.num_keys<from_end>
    ```
  }];
  let parameters = (ins "bool":$fromEnd);
  let hasCustomAssemblyFormat = 1;
}

def HSA_QStartType : HSA_Type<"QStart", "q_start",
    "where the first query of each sequence stands, i32 [B] in memory"> {
  let description = [{
    Query j of sequence b stands at q_start[b] + j among the keys.

    ```mlir
    !hsa.q_start
    ```
  }];
}

def HSA_QPositionsType : HSA_Type<"QPositions", "q_positions",
    "where each query stands, i32 [L] or [B, L] in memory"> {
  let description = [{
    Query j stands at q_positions[j]; with `batch` each sequence has its own
    positions. One below 0 is a padding row: it contributes nothing, and its
    results are 0, or -inf without a dim axis.

    ```mlir
    !hsa.q_positions
    !hsa.q_positions<batch>
    ```
  }];
  let parameters = (ins "bool":$batch);
  let hasCustomAssemblyFormat = 1;
}

//===----------------------------------------------------------------------===//
// Values of a program
//===----------------------------------------------------------------------===//

def HSA_DomainType : HSA_Type<"Domain", "domain",
    "a set of chunks to visit, and of keys valid in each"> {
  let description = [{
    The chunks of a partition that a reduction visits. With the name of an
    indices parameter, or of slots that the program computes, each visit also has
    a slot.

    ```mlir
    !hsa.domain<"kv">
    !hsa.domain<"kv", "indices">
    ```
  }];
  let parameters = (ins StringRefParameter<>:$partition,
                        StringRefParameter<"", [{""}]>:$indices);
  let assemblyFormat = "`<` $partition (`,` $indices^)? `>`";
  let extraClassDeclaration = [{
    /// Whether each visit has a slot.
    bool hasSlots() const { return !getIndices().empty(); }
  }];
}

def HSA_ChunkIdType : HSA_Type<"ChunkId", "chunk_id", "the chunk that a visit is at"> {
  let description = [{
    ```mlir
    !hsa.chunk_id<"kv">
    ```
  }];
  let parameters = (ins StringRefParameter<>:$partition);
  let assemblyFormat = "`<` $partition `>`";
}

def HSA_SlotType : HSA_Type<"Slot", "slot", "the slot that a visit is at"> {
  let description = [{
    ```mlir
    !hsa.slot<"indices">
    ```
  }];
  let parameters = (ins StringRefParameter<>:$indices);
  let assemblyFormat = "`<` $indices `>`";
}

def HSA_SoftmaxStateType : HSA_Type<"SoftmaxState", "softmax_state",
    "a running softmax: maximum, sum and weighted values"> {
  let description = [{
    The state of one softmax over everything merged or pushed so far, for each
    row: m = max s, l = sum exp(s - m), a = sum exp(s - m) v. `value` is the type
    of a; m and l have its pos and head axes.

    ```mlir
    !hsa.softmax_state<tensor<1x16x64xf32, #hsa.axes<pos, head, dim>>>
    ```

    Constraints:
    - (C1) The value is an f32 tensor over pos, head, dim.
  }];
  let parameters = (ins "::mlir::RankedTensorType":$value);
  let assemblyFormat = "`<` $value `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// The type of m, l and the lse: f32 over pos, head.
    ::mlir::RankedTensorType getRowType() const;
  }];
}

//===----------------------------------------------------------------------===//
// Gradients
//===----------------------------------------------------------------------===//

def HSA_SumsType : HSA_Type<"Sums", "sums",
    "a sum for each element of a parameter, over all query blocks"> {
  let description = [{
    What all query blocks together add to an array of the shape of a parameter
    with that role, in f32. A program that returns it fills such an array, of the
    role's elements: this is how a gradient of keys, values or weights is said. As
    a parameter it is an array of f32, which the program adds more to.

    ```mlir
    !hsa.sums<!hsa.chunks<"kv", bf16, key = 64, dim = 64>>
    ```

    Constraints:
    - (C1) The role is chunks, landmarks, weights or array.
  }];
  let parameters = (ins "::mlir::Type":$role);
  let assemblyFormat = "`<` $role `>`";
  let genVerifyDecl = 1;
}

#endif // RAMIFY_HSA_TYPES_TD
