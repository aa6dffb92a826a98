// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- HSAReductionOps.td - Domains and reductions over them -*-tablegen-*-===//

#ifndef RAMIFY_HSA_REDUCTION_OPS_TD
#define RAMIFY_HSA_REDUCTION_OPS_TD

include "dialects/HSA/IR/HSAOpBase.td"

//===----------------------------------------------------------------------===//
// Domains
//===----------------------------------------------------------------------===//

def HSA_SelectedOp : HSA_Op<"selected", [Pure]> {
  let summary = "the chunks that the slots hold";
  let description = [{
    The slots are a parameter, or computed: then the operation says which partition
    they select from and gives them a name.

    ```mlir
    %d = hsa.selected %indices : !hsa.indices<"kv", i32, heads = kv> -> !hsa.domain<"kv", "indices">
    %e = hsa.selected %slots in "kv" as "picks"
        : tensor<1x8xi32, #hsa.axes<pos, slot>> -> !hsa.domain<"kv", "picks">
    ```

    Constraints:
    - (C1) Indices are a parameter of the program.
    - (C2) The domain names the indices' partition and that parameter, or the
      partition and the name that are given.
    - (C3) A partition and a name are given if and only if the slots are computed;
      no parameter has that name.
    - (C4) Computed slots are i32 over slot, and possibly over a pos and a head of
      size 1: the block visits one selection.
  }];
  let arguments = (ins AnyTypeOf<[HSA_IndicesType, HSA_Named]>:$indices,
                       OptionalAttr<StrAttr>:$partition, OptionalAttr<StrAttr>:$as);
  let results = (outs HSA_DomainType:$result);
  let assemblyFormat = [{
    $indices (`in` $partition^ `as` $as)? attr-dict
    `:` type($indices) `->` qualified(type($result))
  }];
  let extraClassDeclaration = [{
    /// Whether the program computes the slots.
    bool isComputed() { return ::ramify::hsa::isNamedTensor(getIndices().getType()); }
  }];
  let hasVerifier = 1;
}

class HSA_RangeDomainOp<string mnemonic> : HSA_Op<mnemonic, [Pure]> {
  let results = (outs HSA_DomainType:$result);
  let hasVerifier = 1;
  code rules = [{

    `outside` takes away the keys of another domain.

    Constraints:
    - (C1) The domain is of the source's partition and has no slots.
    - (C2) What it is outside of is a window, own or first of the same partition.
  }];
}

def HSA_WindowOp : HSA_RangeDomainOp<"window"> {
  let summary = "the last W keys up to the query";
  let description = [{
    Keys x with t - W < x <= t for a query at t; with `align`, the first key is
    rounded down to the start of its chunk.

    ```mlir
    %d = hsa.window %k last %w align outside %sink
        : !hsa.chunks<"kv", f32, key = 64, dim = 64>, !hsa.domain<"kv"> -> !hsa.domain<"kv">
    ```
  }] # rules;
  let arguments = (ins HSA_ChunksType:$source, I32:$last, UnitAttr:$align,
                       Optional<HSA_DomainType>:$outside);
  let assemblyFormat = [{
    $source `last` $last (`align` $align^)? (`outside` $outside^)? attr-dict
    `:` qualified(type($source)) (`,` qualified(type($outside))^)? `->` qualified(type($result))
  }];
}

def HSA_OwnOp : HSA_RangeDomainOp<"own"> {
  let summary = "the chunk that the query stands in";
  let description = [{
    Keys x with floor(x / S) = floor(t / S) for a query at t and chunks of S keys.

    ```mlir
    %d = hsa.own %k : !hsa.chunks<"kv", f32, key = 64, dim = 64> -> !hsa.domain<"kv">
    ```
  }] # rules;
  let arguments = (ins HSA_ChunksType:$source, Optional<HSA_DomainType>:$outside);
  let assemblyFormat = [{
    $source (`outside` $outside^)? attr-dict
    `:` qualified(type($source)) (`,` qualified(type($outside))^)? `->` qualified(type($result))
  }];
}

def HSA_FirstOp : HSA_RangeDomainOp<"first"> {
  let summary = "the first n keys";
  let description = [{
    Keys x with x < n.

    ```mlir
    %d = hsa.first %k keys %n : !hsa.chunks<"kv", f32, key = 64, dim = 64> -> !hsa.domain<"kv">
    ```
  }] # rules;
  let arguments = (ins HSA_ChunksType:$source, I32:$keys, Optional<HSA_DomainType>:$outside);
  let assemblyFormat = [{
    $source `keys` $keys (`outside` $outside^)? attr-dict
    `:` qualified(type($source)) (`,` qualified(type($outside))^)? `->` qualified(type($result))
  }];
}

def HSA_EveryOp : HSA_RangeDomainOp<"every"> {
  let summary = "all chunks of a partition";
  let description = [{
    ```mlir
    %d = hsa.every %k : !hsa.chunks<"kv", f32, key = 64, dim = 64> -> !hsa.domain<"kv">
    ```
  }] # rules;
  let arguments = (ins HSA_ChunksType:$source, Optional<HSA_DomainType>:$outside);
  let assemblyFormat = [{
    $source (`outside` $outside^)? attr-dict
    `:` qualified(type($source)) (`,` qualified(type($outside))^)? `->` qualified(type($result))
  }];
}

//===----------------------------------------------------------------------===//
// Accumulators
//===----------------------------------------------------------------------===//

def HSA_IdentityOp : HSA_Op<"identity", [Pure]> {
  let summary = "the value of an empty reduction";
  let description = [{
    0 for sum, -inf for max, +inf for min.

    ```mlir
    %o = hsa.identity sum : tensor<1x16x64xf32, #hsa.axes<pos, head, dim>>
    ```

    Constraints:
    - (C1) The monoid is sum, max or min.
    - (C2) Elements are f32.
  }];
  let arguments = (ins HSA_MonoidAttr:$monoid);
  let results = (outs HSA_NamedOrScalar:$result);
  let assemblyFormat = "`` $monoid attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def HSA_OnlineSoftmaxOp : HSA_Op<"online_softmax", [Pure]> {
  let summary = "an empty running softmax";
  let description = [{
    ```mlir
    %s = hsa.online_softmax
        : !hsa.softmax_state<tensor<1x16x64xf32, #hsa.axes<pos, head, dim>>>
    ```
  }];
  let arguments = (ins);
  let results = (outs HSA_SoftmaxStateType:$result);
  let assemblyFormat = "attr-dict `:` qualified(type($result))";
}

def HSA_PushOp : HSA_Op<"push", [Pure, AllTypesMatch<["state", "result"]>]> {
  let summary = "add one logit with its value to a running softmax";
  let description = [{
    For each row: l' = l + exp(logit), a' = a + exp(logit) value, with the maximum
    taken out of the exponents. A logit of -inf adds nothing.

    ```mlir
    %t = hsa.push %logit, %value into %s
        : tensor<1x16xf32, #hsa.axes<pos, head>>, tensor<64xf32, #hsa.axes<dim>>,
          !hsa.softmax_state<tensor<1x16x64xf32, #hsa.axes<pos, head, dim>>>
    ```

    Constraints:
    - (C1) The logit is f32 over the state's pos and head.
    - (C2) The value is f32 over the state's dim or its pos, head and dim.
  }];
  let arguments = (ins HSA_SoftmaxStateType:$state, HSA_Named:$logit, HSA_Named:$value);
  let results = (outs HSA_SoftmaxStateType:$result);
  let assemblyFormat = [{
    $logit `,` $value `into` $state attr-dict
    `:` type($logit) `,` type($value) `,` qualified(type($state))
  }];
  let hasVerifier = 1;
}

def HSA_ValueOp : HSA_Op<"value", [Pure]> {
  let summary = "the weighted mean of a running softmax; 0 if it is empty";
  let description = [{
    a / l for each row, 0 where l is 0.

    ```mlir
    %o = hsa.value %s : !hsa.softmax_state<tensor<1x16x64xf32, #hsa.axes<pos, head, dim>>>
        -> tensor<1x16x64xf32, #hsa.axes<pos, head, dim>>
    ```

    Constraints:
    - (C1) The result has the type of the state's value.
  }];
  let arguments = (ins HSA_SoftmaxStateType:$state);
  let results = (outs HSA_Named:$result);
  let assemblyFormat = "$state attr-dict `:` qualified(type($state)) `->` type($result)";
  let hasVerifier = 1;
  let hasFolder = 1;
}

def HSA_LseOp : HSA_Op<"lse", [Pure]> {
  let summary = "the natural log of a running softmax's sum; -inf if it is empty";
  let description = [{
    m + log l for each row.

    ```mlir
    %l = hsa.lse %s : !hsa.softmax_state<tensor<1x16x64xf32, #hsa.axes<pos, head, dim>>>
        -> tensor<1x16xf32, #hsa.axes<pos, head>>
    ```

    Constraints:
    - (C1) The result is f32 over the state's pos and head.
  }];
  let arguments = (ins HSA_SoftmaxStateType:$state);
  let results = (outs HSA_Named:$result);
  let assemblyFormat = "$state attr-dict `:` qualified(type($state)) `->` type($result)";
  let hasVerifier = 1;
  let hasFolder = 1;
}

//===----------------------------------------------------------------------===//
// The hierarchical reduction
//===----------------------------------------------------------------------===//

def HSA_Accumulator : AnyTypeOf<[HSA_Named, F32, HSA_SoftmaxStateType, HSA_SumsType]>;

def HSA_ReduceOp : HSA_Op<"reduce", [
    SingleBlockImplicitTerminator<"YieldOp">, RecursiveMemoryEffects,
    DeclareOpInterfaceMethods<LoopLikeOpInterface>,
    DeclareOpInterfaceMethods<OpAsmOpInterface, ["getAsmBlockArgumentNames"]>]> {
  let summary = "the hierarchical reduction: visit the chunks of a domain";
  let description = [{
    Runs the region once for each chunk of the domain and combines what it yields
    into the accumulators, each with its monoid. The region does not see the
    accumulators, so visits may run in any order, split, or in parallel. A visit
    whose slot holds no chunk does not happen.

    The region yields one tensor for each sum, max or min, and two values for each
    softmax: scores with a key axis and values [key, dim] (merge; keys not valid in
    the chunk are left out), or one logit for each row and its value (push). Where
    the accumulator is `!hsa.sums`, a visit yields what it adds at its own chunk or
    slot; keys past the end of the array are left out.

    ```mlir
    %o = hsa.reduce (%slot, %c) in %d : !hsa.domain<"kv", "indices">
        into (sum %zero : tensor<1x16x64xf32, #hsa.axes<pos, head, dim>>) {
      ...
      hsa.yield %x : tensor<1x16x64xf32, #hsa.axes<pos, head, dim>>
    }
    %s = hsa.reduce (%c) in %d : !hsa.domain<"kv">
        into (softmax %empty : !hsa.softmax_state<tensor<1x16x64xf32, #hsa.axes<pos, head, dim>>>) {
      ...
      hsa.yield %scores, %values : tensor<1x16x64xf32, #hsa.axes<pos, head, key>>,
                                   tensor<64x64xbf16, #hsa.axes<key, dim>>
    }
    ```

    Constraints:
    - (C1) There is at least one accumulator; each has a monoid and a result of its
      type.
    - (C2) The region's arguments are the slot, if the domain has slots, and the
      chunk, of the domain's indices and partition.
    - (C3) softmax accumulates a softmax state, the others an f32 scalar or tensor
      without a key, chunk or slot axis; sum also accumulates sums, of the weights
      of the domain's slots or of chunks or an array of its partition.
    - (C4) The region yields one value for each sum, max or min and two for each
      softmax.
    - (C5) What is yielded for a sum, max or min has the accumulator's type; for
      sums it is f32 over key, dim (chunks), over head for weights per query head
      and else a scalar (weights), or over the axes without chunk (array).
    - (C6) Merged scores are f32 over the state's pos and head and a key axis; their
      values are f32, bf16 or f16 over that key axis and the state's dim.
    - (C7) A pushed logit and its value are as in hsa.push.
    - (C8) The region ends with hsa.yield.
  }];
  let arguments = (ins HSA_DomainType:$domain,
                       Variadic<HSA_Accumulator>:$accumulators,
                       HSA_MonoidArrayAttr:$monoids);
  let results = (outs Variadic<HSA_Accumulator>:$results);
  let regions = (region SizedRegion<1>:$body);
  let hasCustomAssemblyFormat = 1;
  let hasVerifier = 1;
  let hasRegionVerifier = 1;
  let hasCanonicalizer = 1;
  let extraClassDeclaration = [{
    Monoid getMonoid(unsigned index) {
      return ::mlir::cast<MonoidAttr>(getMonoids()[index]).getValue();
    }
    /// The slot argument, or null for a domain without slots.
    ::mlir::Value getSlot();
    ::mlir::Value getChunkId() { return getBody().front().getArguments().back(); }
    /// What the region yields for an accumulator: one value, or two for a softmax.
    ::mlir::OperandRange getYielded(unsigned index);
  }];
}

def HSA_YieldOp : HSA_Op<"yield", [Terminator, HasParent<"ReduceOp">, Pure]> {
  let summary = "what one visit contributes";
  let description = [{
    ```mlir
    hsa.yield %x : tensor<1x16x64xf32, #hsa.axes<pos, head, dim>>
    ```
  }];
  let arguments = (ins Variadic<HSA_NamedOrScalar>:$operands);
  let assemblyFormat = "($operands^ `:` type($operands))? attr-dict";
  let builders = [OpBuilder<(ins), [{}]>];
}

#endif // RAMIFY_HSA_REDUCTION_OPS_TD
