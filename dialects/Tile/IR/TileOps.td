// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- TileOps.td - Portable operations on tiles -----------*- tablegen -*-===//

#ifndef RAMIFY_TILE_OPS_TD
#define RAMIFY_TILE_OPS_TD

include "dialects/Tile/IR/TileAttributes.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/FunctionInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"

class Tile_Op<string mnemonic, list<Trait> traits = []>
    : Op<Tile_Dialect, mnemonic, traits>;

def Tile_Rows : RankedTensorOf<[I32]>;
def Tile_Index : AnyTypeOf<[Index, Tile_Rows]>;
def Tile_Mask : RankedTensorOf<[I1]>;

//===----------------------------------------------------------------------===//
// Kernel
//===----------------------------------------------------------------------===//

def Tile_KernelOp : Tile_Op<"kernel", [
    FunctionOpInterface, IsolatedFromAbove, Symbol,
    SingleBlockImplicitTerminator<"EndOp">]> {
  let summary = "the work of one program of a grid";
  let description = [{
    Arguments are memrefs with the last dimension contiguous,
    `memref<?x?x?x64xbf16, strided<[?, ?, ?, 1]>>`, and scalars. After lowering
    a memref of rank r becomes a pointer, r sizes and r strides (i64, in elements).
  }];
  let arguments = (ins SymbolNameAttr:$sym_name,
                       TypeAttrOf<FunctionType>:$function_type,
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

def Tile_EndOp : Tile_Op<"end", [Terminator, Pure]> {
  let summary = "the end of a kernel or plan";
  let assemblyFormat = "attr-dict";
}

def Tile_ProgramIdOp : Tile_Op<"program_id", [Pure]> {
  let summary = "this program's place in the grid";
  let arguments = (ins Tile_GridAxisAttr:$axis);
  let results = (outs Index:$result);
  let assemblyFormat = "$axis attr-dict";
}

//===----------------------------------------------------------------------===//
// Making and shaping tiles
//===----------------------------------------------------------------------===//

def Tile_IotaOp : Tile_Op<"iota", [Pure]> {
  let summary = "0, 1, 2, ...";
  let description = [{
    ```mlir
    %i = tile.iota : tensor<64xi32>
    ```
  }];
  let results = (outs Tile_Rows:$result);
  let assemblyFormat = "attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def Tile_BroadcastOp : Tile_Op<"broadcast", [Pure]> {
  let summary = "repeat a vector along a new axis of a tile";
  let description = [{
    result[i, j] = input[i] for `along 1`, input[j] for `along 0`.

    ```mlir
    %b = tile.broadcast %m along 1 : tensor<16xf32> -> tensor<16x64xf32>
    ```
  }];
  let arguments = (ins AnyRankedTensor:$input, I64Attr:$axis);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$input `along` $axis attr-dict `:` type($input) `->` type($result)";
  let hasVerifier = 1;
}

def Tile_ReduceOp : Tile_Op<"reduce", [Pure]> {
  let summary = "combine a tile along one axis";
  let description = [{
    ```mlir
    %m = tile.reduce max %s along 1 : tensor<16x64xf32> -> tensor<16xf32>
    ```
  }];
  let arguments = (ins Tile_CombineAttr:$combine, AnyRankedTensor:$input, I64Attr:$axis);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$combine $input `along` $axis attr-dict `:` type($input) `->` type($result)";
  let hasVerifier = 1;
}

def Tile_DotOp : Tile_Op<"dot", [Pure]> {
  let summary = "accumulate a product of two tiles";
  let description = [{
    result = acc + lhs rhs, or acc + lhs rhs^T with `transposed`; 16-bit or f32
    operands of one type, f32 accumulator.

    ```mlir
    %s = tile.dot %q, transposed %k, %zero
        : tensor<16x64xbf16>, tensor<64x64xbf16>, tensor<16x64xf32>
    ```
  }];
  let arguments = (ins AnyRankedTensor:$lhs, UnitAttr:$transposed, AnyRankedTensor:$rhs,
                       AnyRankedTensor:$acc);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $lhs `,` (`transposed` $transposed^)? $rhs `,` $acc attr-dict
    `:` type($lhs) `,` type($rhs) `,` type($acc) `->` type($result)
  }];
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

def Tile_GatherOp : Tile_Op<"gather", [AttrSizedOperandSegments, MemoryEffects<[MemRead]>]> {
  let summary = "rows of an array as a tile";
  let description = [{
    Row i of the result is source[indices..., :], where an index that is a tensor
    is taken at i. There is one index for each dimension but the last. Rows whose
    mask is false, and columns past the end of the last dimension, read as zero;
    nothing is read for them.

    ```mlir
    %k = tile.gather %keys[%b, %rows, %h] where %valid
        : (memref<?x?x?x64xbf16, strided<[?, ?, ?, 1]>>, index, tensor<64xi32>, index, tensor<64xi1>)
        -> tensor<64x64xbf16>
    ```
  }];
  let arguments = (ins AnyMemRef:$source, Variadic<Tile_Index>:$indices, Optional<Tile_Mask>:$mask);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $source `[` $indices `]` (`where` $mask^)? attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def Tile_LookupOp : Tile_Op<"lookup", [AttrSizedOperandSegments, MemoryEffects<[MemRead]>]> {
  let summary = "single elements of an array as a vector";
  let description = [{
    Element i of the result is source[indices...] with each tensor index taken at
    i; there is one index for each dimension. Where the mask is false it is zero
    and nothing is read.

    ```mlir
    %w = tile.lookup %weights[%b, %r, %heads, %slot] where %valid
        : (memref<?x?x?x?xf32, strided<[?, ?, ?, 1]>>, index, index, tensor<16xi32>, index, tensor<16xi1>)
        -> tensor<16xf32>
    ```
  }];
  let arguments = (ins AnyMemRef:$source, Variadic<Tile_Index>:$indices, Optional<Tile_Mask>:$mask);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $source `[` $indices `]` (`where` $mask^)? attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def Tile_ScatterOp : Tile_Op<"scatter", [AttrSizedOperandSegments, MemoryEffects<[MemWrite]>]> {
  let summary = "write a tile's rows into an array";
  let description = [{
    The inverse of gather: rows whose mask is false, and columns past the end of
    the last dimension, are not written. A vector is written element by element,
    with one index for each dimension.

    ```mlir
    tile.scatter %o into %out[%b, %pos, %head] where %inside
        : (tensor<16x64xbf16>, memref<?x?x?x64xbf16, strided<[?, ?, ?, 1]>>, index, tensor<16xi32>, tensor<16xi32>, tensor<16xi1>) -> ()
    ```
  }];
  let arguments = (ins AnyRankedTensor:$value, AnyMemRef:$target, Variadic<Tile_Index>:$indices,
                       Optional<Tile_Mask>:$mask);
  let assemblyFormat = [{
    $value `into` $target `[` $indices `]` (`where` $mask^)? attr-dict
    `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

#endif // RAMIFY_TILE_OPS_TD
