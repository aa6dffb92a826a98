// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- HSAOps.td - Operations of the hsa dialect -----------*- tablegen -*-===//

#ifndef RAMIFY_HSA_OPS_TD
#define RAMIFY_HSA_OPS_TD

include "dialects/HSA/IR/HSATypes.td"
include "mlir/IR/BuiltinAttributeInterfaces.td"
include "mlir/IR/RegionKindInterface.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/FunctionInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"

class HSA_Op<string mnemonic, list<Trait> traits = []>
    : Op<HSA_Dialect, mnemonic, traits>;

// A tensor whose encoding is `#hsa.axes`.
def HSA_Named : Type<
    CPred<"::ramify::hsa::isNamedTensor($_self)">, "tensor with #hsa.axes",
    "::mlir::RankedTensorType">;
def HSA_NamedOrScalar : AnyTypeOf<[HSA_Named, F32, F16, BF16, I32, I1]>;

//===----------------------------------------------------------------------===//
// Program
//===----------------------------------------------------------------------===//

def HSA_ProgramOp : HSA_Op<"program", [
    FunctionOpInterface, IsolatedFromAbove, Symbol,
    SingleBlockImplicitTerminator<"ReturnOp">]> {
  let summary = "what one query block computes";
  let description = [{
    The parameters have role types or are scalars; the results are tensors over
    pos, head and possibly dim. `group` is G = HQ / H, the number of query heads
    that share a key/value head.

    ```mlir
    hsa.program @hsa(%q: !hsa.query<bf16, pos = 1, head = 16, dim = 64>, ...)
        -> (tensor<1x16x64xf32, #hsa.axes<pos, head, dim>>) attributes {group = 16 : i64} {
      ...
    }
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name,
                       TypeAttrOf<FunctionType>:$function_type,
                       I64Attr:$group,
                       OptionalAttr<DictArrayAttr>:$arg_attrs,
                       OptionalAttr<DictArrayAttr>:$res_attrs);
  let regions = (region SizedRegion<1>:$body);
  let hasCustomAssemblyFormat = 1;
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    ::mlir::ArrayRef<::mlir::Type> getArgumentTypes() { return getFunctionType().getInputs(); }
    ::mlir::ArrayRef<::mlir::Type> getResultTypes() { return getFunctionType().getResults(); }
    ::mlir::Region *getCallableRegion() { return &getBody(); }
  }];
}

def HSA_ReturnOp : HSA_Op<"return", [Terminator, HasParent<"ProgramOp">, Pure]> {
  let summary = "the results of a program";
  let arguments = (ins Variadic<HSA_Named>:$operands);
  let assemblyFormat = "($operands^ `:` type($operands))? attr-dict";
  let builders = [OpBuilder<(ins), [{}]>];
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Access
//===----------------------------------------------------------------------===//

def HSA_LoadOp : HSA_Op<"load", [Pure]> {
  let summary = "the block's part of a query or of an array without chunks";
  let description = [{
    ```mlir
    %q = hsa.load %query : !hsa.query<bf16, pos = 1, head = 16, dim = 64>
        -> tensor<1x16x64xbf16, #hsa.axes<pos, head, dim>>
    ```
  }];
  let arguments = (ins AnyTypeOf<[HSA_QueryType, HSA_ArrayType]>:$source);
  let results = (outs HSA_NamedOrScalar:$result);
  let assemblyFormat = "$source attr-dict `:` type($source) `->` type($result)";
  let hasVerifier = 1;
}

def HSA_ChunkOp : HSA_Op<"chunk", [Pure]> {
  let summary = "one chunk of a partitioned array";
  let description = [{
    Keys past the end of the array read as zero; what reduces over `key` leaves
    them out.

    ```mlir
    %kc = hsa.chunk %k[%c] : !hsa.chunks<"kv", bf16, key = 64, dim = 64>
        -> tensor<64x64xbf16, #hsa.axes<key, dim>>
    ```
  }];
  let arguments = (ins AnyTypeOf<[HSA_ChunksType, HSA_ArrayType]>:$source,
                       HSA_ChunkIdType:$chunk);
  let results = (outs HSA_NamedOrScalar:$result);
  let assemblyFormat = [{
    $source `[` $chunk `:` type($chunk) `]` attr-dict `:` type($source) `->` type($result)
  }];
  let hasVerifier = 1;
}

def HSA_AtOp : HSA_Op<"at", [Pure]> {
  let summary = "the weight of a slot";
  let description = [{
    A scalar for weights per key/value head, a tensor over `head` for weights
    per query head.

    ```mlir
    %w = hsa.at %weights[%slot : !hsa.slot<"indices">]
        : !hsa.weights<"indices", f32, heads = kv> -> f32
    ```
  }];
  let arguments = (ins HSA_WeightsType:$source, HSA_SlotType:$slot);
  let results = (outs HSA_NamedOrScalar:$result);
  let assemblyFormat = [{
    $source `[` $slot `:` type($slot) `]` attr-dict `:` type($source) `->` type($result)
  }];
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Positions
//===----------------------------------------------------------------------===//

def HSA_QueryPositionsOp : HSA_Op<"query_positions", [Pure]> {
  let summary = "where the block's queries stand among the keys";
  let arguments = (ins);
  let results = (outs HSA_Named:$result);
  let assemblyFormat = "attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def HSA_KeyPositionsOp : HSA_Op<"key_positions", [Pure]> {
  let summary = "the positions of a chunk's keys";
  let arguments = (ins HSA_ChunkIdType:$chunk);
  let results = (outs HSA_Named:$result);
  let assemblyFormat = "$chunk attr-dict `:` type($chunk) `->` type($result)";
  let hasVerifier = 1;
}

def HSA_ChunkIndexOp : HSA_Op<"chunk_index", [Pure]> {
  let summary = "the number of a chunk in its partition";
  let arguments = (ins HSA_ChunkIdType:$chunk);
  let results = (outs I32:$result);
  let assemblyFormat = "$chunk attr-dict `:` type($chunk)";
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
  }];
  let arguments = (ins HSA_NamedOrScalar:$input);
  let results = (outs HSA_Named:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `to` type($result)";
  let hasVerifier = 1;
  let hasFolder = 1;
}

def HSA_DotOp : HSA_Op<"dot", [Pure]> {
  let summary = "contract one axis";
  let description = [{
    result[...] = sum over `over` of lhs[...] * rhs[...], in f32. Axes that both
    sides have, other than `over`, are kept and matched. A contraction over `key`
    names its chunk; keys that are not valid there contribute nothing. An f32 side
    that meets a 16-bit side is rounded to that type.

    ```mlir
    %s = hsa.dot %q, %k over dim
        : tensor<1x16x64xbf16, #hsa.axes<pos, head, dim>>, tensor<64x64xbf16, #hsa.axes<key, dim>>
        -> tensor<1x16x64xf32, #hsa.axes<pos, head, key>>
    ```
  }];
  let arguments = (ins HSA_Named:$lhs, HSA_Named:$rhs, HSA_AxisAttr:$over,
                       Optional<HSA_ChunkIdType>:$chunk);
  let results = (outs HSA_Named:$result);
  let assemblyFormat = [{
    $lhs `,` $rhs `over` $over (`in` $chunk^ `:` type($chunk))? attr-dict
    `:` type($lhs) `,` type($rhs) `->` type($result)
  }];
  let hasVerifier = 1;
}

def HSA_SoftmaxOp : HSA_Op<"softmax", [Pure, SameOperandsAndResultType]> {
  let summary = "softmax along one axis, with n added to the denominator";
  let description = [{
    softmax_n(x)_i = exp(x_i) / (n + sum_j exp(x_j)) over the valid elements; 0
    where nothing is valid or all are -inf. No finite x overflows: the maximum
    taken out of the exponents is that of x, and of 0 where n > 0.

    ```mlir
    %p = hsa.softmax %s over key in %c : !hsa.chunk_id<"kv"> off_by 1.0
        : tensor<1x16x64xf32, #hsa.axes<pos, head, key>>
    ```
  }];
  let arguments = (ins HSA_Named:$input, HSA_AxisAttr:$over,
                       Optional<HSA_ChunkIdType>:$chunk, F64Attr:$n);
  let results = (outs HSA_Named:$result);
  let assemblyFormat = [{
    $input `over` $over (`in` $chunk^ `:` type($chunk))? `off_by` $n attr-dict `:` type($result)
  }];
  let hasVerifier = 1;
}

def HSA_FoldOp : HSA_Op<"fold", [Pure]> {
  let summary = "reduce one axis with sum, max or min";
  let description = [{
    The maximum of nothing is -inf, the minimum +inf, the sum 0.

    ```mlir
    %m = hsa.fold max %s over key in %c : !hsa.chunk_id<"kv">
        : tensor<1x16x64xf32, #hsa.axes<pos, head, key>> -> tensor<1x16xf32, #hsa.axes<pos, head>>
    ```
  }];
  let arguments = (ins HSA_MonoidAttr:$monoid, HSA_Named:$input, HSA_AxisAttr:$over,
                       Optional<HSA_ChunkIdType>:$chunk);
  let results = (outs HSA_NamedOrScalar:$result);
  let assemblyFormat = [{
    $monoid $input `over` $over (`in` $chunk^ `:` type($chunk))? attr-dict
    `:` type($input) `->` type($result)
  }];
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Domains
//===----------------------------------------------------------------------===//

def HSA_SelectedOp : HSA_Op<"selected", [Pure]> {
  let summary = "the chunks that the slots hold";
  let description = [{
    ```mlir
    %d = hsa.selected %indices : !hsa.indices<"kv", i32, heads = kv> -> !hsa.domain<"kv", "indices">
    ```
  }];
  let arguments = (ins HSA_IndicesType:$indices);
  let results = (outs HSA_DomainType:$result);
  let assemblyFormat = "$indices attr-dict `:` type($indices) `->` type($result)";
  let hasVerifier = 1;
}

class HSA_RangeDomainOp<string mnemonic> : HSA_Op<mnemonic, [Pure]> {
  let results = (outs HSA_DomainType:$result);
  let hasVerifier = 1;
}

def HSA_WindowOp : HSA_RangeDomainOp<"window"> {
  let summary = "the last W keys up to the query";
  let description = [{
    Keys x with t - W < x <= t for a query at t; with `align`, the first key is
    rounded down to the start of its chunk.

    ```mlir
    %d = hsa.window %k last %w outside %sink
        : !hsa.chunks<"kv", f32, key = 64, dim = 64>, !hsa.domain<"kv"> -> !hsa.domain<"kv">
    ```
  }];
  let arguments = (ins HSA_ChunksType:$source, I32:$last, UnitAttr:$align,
                       Optional<HSA_DomainType>:$outside);
  let assemblyFormat = [{
    $source `last` $last (`align` $align^)? (`outside` $outside^)? attr-dict
    `:` type($source) (`,` type($outside)^)? `->` type($result)
  }];
}

def HSA_OwnOp : HSA_RangeDomainOp<"own"> {
  let summary = "the chunk that the query stands in";
  let description = [{
    ```mlir
    %d = hsa.own %k : !hsa.chunks<"kv", f32, key = 64, dim = 64> -> !hsa.domain<"kv">
    ```
  }];
  let arguments = (ins HSA_ChunksType:$source, Optional<HSA_DomainType>:$outside);
  let assemblyFormat = [{
    $source (`outside` $outside^)? attr-dict
    `:` type($source) (`,` type($outside)^)? `->` type($result)
  }];
}

def HSA_FirstOp : HSA_RangeDomainOp<"first"> {
  let summary = "the first n keys";
  let description = [{
    ```mlir
    %d = hsa.first %k keys %n : !hsa.chunks<"kv", f32, key = 64, dim = 64> -> !hsa.domain<"kv">
    ```
  }];
  let arguments = (ins HSA_ChunksType:$source, I32:$keys, Optional<HSA_DomainType>:$outside);
  let assemblyFormat = [{
    $source `keys` $keys (`outside` $outside^)? attr-dict
    `:` type($source) (`,` type($outside)^)? `->` type($result)
  }];
}

def HSA_EveryOp : HSA_RangeDomainOp<"every"> {
  let summary = "all chunks of a partition";
  let description = [{
    ```mlir
    %d = hsa.every %k : !hsa.chunks<"kv", f32, key = 64, dim = 64> -> !hsa.domain<"kv">
    ```
  }];
  let arguments = (ins HSA_ChunksType:$source, Optional<HSA_DomainType>:$outside);
  let assemblyFormat = [{
    $source (`outside` $outside^)? attr-dict
    `:` type($source) (`,` type($outside)^)? `->` type($result)
  }];
}

//===----------------------------------------------------------------------===//
// The hierarchical reduction
//===----------------------------------------------------------------------===//

def HSA_IdentityOp : HSA_Op<"identity", [Pure]> {
  let summary = "the value of an empty reduction";
  let description = [{
    0 for sum, -inf for max, +inf for min.

    ```mlir
    %o = hsa.identity sum : tensor<1x16x64xf32, #hsa.axes<pos, head, dim>>
    ```
  }];
  let arguments = (ins HSA_MonoidAttr:$monoid);
  let results = (outs HSA_Named:$result);
  let assemblyFormat = "$monoid attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def HSA_OnlineSoftmaxOp : HSA_Op<"online_softmax", [Pure]> {
  let summary = "an empty running softmax";
  let arguments = (ins);
  let results = (outs HSA_SoftmaxStateType:$result);
  let assemblyFormat = "attr-dict `:` type($result)";
}

def HSA_PushOp : HSA_Op<"push", [Pure]> {
  let summary = "add one logit with its value to a running softmax";
  let arguments = (ins HSA_SoftmaxStateType:$state, HSA_Named:$logit, HSA_Named:$value);
  let results = (outs HSA_SoftmaxStateType:$result);
  let assemblyFormat = [{
    $logit `,` $value `into` $state attr-dict
    `:` type($logit) `,` type($value) `,` type($state)
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{}];
}

def HSA_ValueOp : HSA_Op<"value", [Pure]> {
  let summary = "the weighted mean of a running softmax; 0 if it is empty";
  let arguments = (ins HSA_SoftmaxStateType:$state);
  let results = (outs HSA_Named:$result);
  let assemblyFormat = "$state attr-dict `:` type($state) `->` type($result)";
  let hasVerifier = 1;
}

def HSA_LseOp : HSA_Op<"lse", [Pure]> {
  let summary = "the natural log of a running softmax's sum; -inf if it is empty";
  let arguments = (ins HSA_SoftmaxStateType:$state);
  let results = (outs HSA_Named:$result);
  let assemblyFormat = "$state attr-dict `:` type($state) `->` type($result)";
  let hasVerifier = 1;
}

def HSA_ReduceOp : HSA_Op<"reduce", [
    SingleBlockImplicitTerminator<"YieldOp">, RecursiveMemoryEffects]> {
  let summary = "the hierarchical reduction: visit the chunks of a domain";
  let description = [{
    Runs the region once for each chunk of the domain and combines what it yields
    into the accumulators, each with its monoid. The region does not see the
    accumulators, so visits may run in any order, split, or in parallel. A visit
    whose slot holds no chunk does not happen.

    The region yields one tensor for each sum, max or min, and two values for each
    softmax: scores with a key axis and values [key, dim] (merge; keys not valid in
    the chunk are left out), or one logit for each row and its value (push).

    ```mlir
    %o = hsa.reduce (%slot, %c) in %d : !hsa.domain<"kv", "indices">
        into (sum %zero : tensor<1x16x64xf32, #hsa.axes<pos, head, dim>>) {
      ...
      hsa.yield %x : tensor<1x16x64xf32, #hsa.axes<pos, head, dim>>
    }
    ```
  }];
  let arguments = (ins HSA_DomainType:$domain, Variadic<AnyTypeOf<[HSA_Named, HSA_SoftmaxStateType]>>:$inits,
                       I32ArrayAttr:$monoids);
  let results = (outs Variadic<AnyTypeOf<[HSA_Named, HSA_SoftmaxStateType]>>:$results);
  let regions = (region SizedRegion<1>:$body);
  let hasCustomAssemblyFormat = 1;
  let hasRegionVerifier = 1;
  let extraClassDeclaration = [{
    Monoid getMonoid(unsigned index) {
      return static_cast<Monoid>(::mlir::cast<::mlir::IntegerAttr>(getMonoids()[index]).getInt());
    }
    /// The slot argument, or null for a domain without slots.
    ::mlir::Value getSlot();
    ::mlir::Value getChunkId() { return getBody().front().getArguments().back(); }
  }];
}

def HSA_YieldOp : HSA_Op<"yield", [Terminator, HasParent<"ReduceOp">, Pure, ReturnLike]> {
  let summary = "what one visit contributes";
  let arguments = (ins Variadic<HSA_Named>:$operands);
  let assemblyFormat = "($operands^ `:` type($operands))? attr-dict";
  let builders = [OpBuilder<(ins), [{}]>];
}

#endif // RAMIFY_HSA_OPS_TD
