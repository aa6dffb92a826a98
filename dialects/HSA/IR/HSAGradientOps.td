// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- HSAGradientOps.td - What gradients are written with -*- tablegen -*-===//

#ifndef RAMIFY_HSA_GRADIENT_OPS_TD
#define RAMIFY_HSA_GRADIENT_OPS_TD

include "dialects/HSA/IR/HSAOpBase.td"

//===----------------------------------------------------------------------===//
// Before differentiation
//===----------------------------------------------------------------------===//

def HSA_DetachOp : HSA_Op<"detach", [Pure, AllTypesMatch<["input", "result"]>]> {
  let summary = "the value, as a constant to differentiation";
  let description = [{
    No gradient passes. Canonicalisation drops it, so a program is differentiated
    before it is canonicalised.

    ```mlir
    %m = hsa.detach %x : tensor<1x16xf32, #hsa.axes<pos, head>>
    ```
  }];
  let arguments = (ins HSA_NamedOrScalar:$input);
  let results = (outs HSA_NamedOrScalar:$result);
  let assemblyFormat = "$input attr-dict `:` type($input)";
  let hasCanonicalizeMethod = 1;
}

//===----------------------------------------------------------------------===//
// After differentiation
//===----------------------------------------------------------------------===//

def HSA_MaskOp : HSA_Op<"mask", [Pure, AllTypesMatch<["input", "result"]>]> {
  let summary = "zero where the visit has no business";
  let description = [{
    The input at the keys that are valid for the row in the chunk, and 0 at the
    others; of a value without a key axis, the input in the rows that have a valid
    key there, and 0 in the others. It is what a reduction over keys, or a visit,
    does to its input, and so to its input's gradient.

    ```mlir
    %p = hsa.mask %e in %c : !hsa.chunk_id<"kv"> : tensor<1x16x64xf32, #hsa.axes<pos, head, key>>
    ```

    Constraints:
    - (C1) Elements are f32.
  }];
  let arguments = (ins HSA_NamedOrScalar:$input, HSA_ChunkIdType:$chunk);
  let results = (outs HSA_NamedOrScalar:$result);
  let assemblyFormat = "$input `in` $chunk attr-dict `:` qualified(type($chunk)) `:` type($input)";
  let hasVerifier = 1;
  let hasFolder = 1;
}

def HSA_ZerosOp : HSA_Op<"zeros", [Pure]> {
  let summary = "sums to which nothing has been added";
  let description = [{
    ```mlir
    %dk = hsa.zeros : !hsa.sums<!hsa.chunks<"kv", bf16, key = 64, dim = 64>>
    ```
  }];
  let arguments = (ins);
  let results = (outs HSA_SumsType:$result);
  let assemblyFormat = "attr-dict `:` qualified(type($result))";
}

def HSA_AddOp : HSA_Op<"add", [Pure, AllTypesMatch<["sums", "result"]>]> {
  let summary = "add a block's part to sums";
  let description = [{
    Outside of reductions, for arrays that have no keys: those that do not belong
    to chunks, and those that a stream was read from. Axes that only the value has
    are summed; positions past the end of the queries, and chunks past the end of
    the partition, add nothing.

    ```mlir
    %db = hsa.add %x into %zeros
        : tensor<1x16xf32, #hsa.axes<pos, head>>, !hsa.sums<!hsa.array<f32, [head = 16]>>
    %dl = hsa.add %y into %none
        : tensor<?x64xf32, #hsa.axes<chunk, dim>>, !hsa.sums<!hsa.landmarks<"kv", f32, heads = kv, dim = 64>>
    ```

    Constraints:
    - (C1) The sums are of landmarks, or of an array without a key axis.
    - (C2) The value is f32 and has each axis of the array, with the same size. Of
      landmarks it has chunk, and dim with the same size; where each query head
      has a row also head, whose size is not told by landmarks but by the program.
  }];
  let arguments = (ins HSA_NamedOrScalar:$value, HSA_SumsType:$sums);
  let results = (outs HSA_SumsType:$result);
  let assemblyFormat = [{
    $value `into` $sums attr-dict `:` type($value) `,` qualified(type($sums))
  }];
  let hasVerifier = 1;
}

#endif // RAMIFY_HSA_GRADIENT_OPS_TD
