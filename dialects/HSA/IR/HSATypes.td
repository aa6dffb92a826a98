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

def HSA_QueryType : HSA_Type<"Query", "query", "queries, [B, L, HQ, D] in memory"> {
  let description = [{
    One query block sees `pos` consecutive positions and `head` query heads.

    ```mlir
    !hsa.query<bf16, pos = 1, head = 16, dim = 64>
    ```
  }];
  let parameters = (ins "::mlir::Type":$elementType, "int64_t":$pos,
                        "int64_t":$head, "int64_t":$dim);
  let assemblyFormat = [{
    `<` $elementType `,` `pos` `=` $pos `,` `head` `=` $head `,` `dim` `=` $dim `>`
  }];
  let genVerifyDecl = 1;
}

def HSA_ChunksType : HSA_Type<"Chunks", "chunks", "keys or values cut into chunks, [B, N, H, D] in memory"> {
  let description = [{
    A named partition of N keys into chunks of `key` keys each.

    ```mlir
    !hsa.chunks<"kv", bf16, key = 64, dim = 64>
    ```
  }];
  let parameters = (ins StringRefParameter<>:$partition,
                        "::mlir::Type":$elementType, "int64_t":$key,
                        "int64_t":$dim);
  let assemblyFormat = [{
    `<` $partition `,` $elementType `,` `key` `=` $key `,` `dim` `=` $dim `>`
  }];
  let genVerifyDecl = 1;
}

def HSA_IndicesType : HSA_Type<"Indices", "indices", "selected chunks, [B, rows, heads, K] in memory"> {
  let description = [{
    One row of K slots for a query block; an index outside [0, C) selects nothing.

    ```mlir
    !hsa.indices<"kv", i32, heads = kv>
    ```
  }];
  let parameters = (ins StringRefParameter<>:$partition,
                        "::mlir::Type":$elementType, EnumParameter<HSA_Heads>:$heads);
  let assemblyFormat = "`<` $partition `,` $elementType `,` `heads` `=` $heads `>`";
  let genVerifyDecl = 1;
}

def HSA_WeightsType : HSA_Type<"Weights", "weights", "a weight for each slot, [B, rows, heads, K] in memory"> {
  let description = [{
    The weights of the slots of the indices parameter that it names.

    ```mlir
    !hsa.weights<"indices", f32, heads = query>
    ```
  }];
  let parameters = (ins StringRefParameter<>:$indices,
                        "::mlir::Type":$elementType, EnumParameter<HSA_Heads>:$heads);
  let assemblyFormat = "`<` $indices `,` $elementType `,` `heads` `=` $heads `>`";
  let genVerifyDecl = 1;
}

def HSA_ArrayType : HSA_Type<"Array", "array", "any other array, its axes in the order of memory"> {
  let description = [{
    Axes carry their size, except `chunk`, whose size is `?`. `of` names the
    partition of a key or chunk axis; `batch` says that a batch axis comes first.
    A head axis spans all query heads in memory and `head` of them in a block.

    ```mlir
    !hsa.array<f32, [head = 16]>
    !hsa.array<f32, [chunk = ?, head = 16], of "kv", batch>
    ```
  }];
  let parameters = (ins "::mlir::Type":$elementType, ArrayRefParameter<"Axis">:$axes,
                        ArrayRefParameter<"int64_t">:$shape,
                        StringRefParameter<>:$partition, "bool":$batch);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
}

def HSA_DomainType : HSA_Type<"Domain", "domain", "a set of chunks to visit, and of keys valid in each"> {
  let description = [{
    The chunks of a partition that a reduction visits. With the name of an
    indices parameter, each visit also has a slot.

    ```mlir
    !hsa.domain<"kv">
    !hsa.domain<"kv", "indices">
    ```
  }];
  let parameters = (ins StringRefParameter<>:$partition,
                        OptionalParameter<"::llvm::StringRef">:$indices);
  let hasCustomAssemblyFormat = 1;
}

def HSA_ChunkIdType : HSA_Type<"ChunkId", "chunk_id", "the chunk that a visit is at"> {
  let parameters = (ins StringRefParameter<>:$partition);
  let assemblyFormat = "`<` $partition `>`";
}

def HSA_SlotType : HSA_Type<"Slot", "slot", "the slot that a visit is at"> {
  let parameters = (ins StringRefParameter<>:$indices);
  let assemblyFormat = "`<` $indices `>`";
}

def HSA_SoftmaxStateType : HSA_Type<"SoftmaxState", "softmax_state", "a running softmax: maximum, sum and weighted values"> {
  let description = [{
    The state of one softmax over everything merged or pushed so far, for each
    row: m = max s, l = sum exp(s - m), a = sum exp(s - m) v. `value` is the type
    of a, with a dim axis last; m and l have its other axes.

    ```mlir
    !hsa.softmax_state<tensor<1x16x64xf32, #hsa.axes<pos, head, dim>>>
    ```
  }];
  let parameters = (ins "::mlir::RankedTensorType":$value);
  let assemblyFormat = "`<` $value `>`";
  let genVerifyDecl = 1;
}

#endif // RAMIFY_HSA_TYPES_TD
