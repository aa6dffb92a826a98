// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- TileOps.td - Portable operations on tiles -----------*- tablegen -*-===//

#ifndef RAMIFY_TILE_OPS_TD
#define RAMIFY_TILE_OPS_TD

include "dialects/Tile/IR/TileAttributes.td"
include "mlir/IR/OpAsmInterface.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/FunctionInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"

// A tile, and so a vector, has a static shape without a zero. In the placed
// stage its encoding is a layout, and all constraints below hold there too.
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
    SingleBlockImplicitTerminator<"EndOp">,
    DeclareOpInterfaceMethods<OpAsmOpInterface, ["getAsmBlockArgumentNames"]>]> {
  let summary = "the work of one program of a grid";
  let description = [{
    Arguments are arrays and scalars. After lowering an array of rank r becomes a
    pointer, r sizes and r strides (i64, in elements). No two arrays overlap where
    one is written. An argument with the attribute `ramify.name` is printed with
    that name.

    ```mlir
    tile.kernel @double(%x: memref<?x64xf32, strided<[?, 1]>>, %y: memref<?x64xf32, strided<[?, 1]>>) {
      %row = tile.program_id x
      %t = tile.gather %x[%row] : (memref<?x64xf32, strided<[?, 1]>>, index) -> tensor<1x64xf32>
      %u = arith.addf %t, %t : tensor<1x64xf32>
      tile.scatter %u into %y[%row] : (tensor<1x64xf32>, memref<?x64xf32, strided<[?, 1]>>, index) -> ()
    }
    ```

    Constraints:
    - (C1) Each argument is an array (a memref of integers or floats in the
      default memory space) or a scalar (index, integer or float); a tile may stand
      for what some pass is tried on, but no plan can launch such a kernel.
    - (C2) An array starts at offset 0, and its last dimension is contiguous.
    - (C3) There are no results.
    - (C4) The body ends with tile.end.
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

def Tile_EndOp : Tile_Op<"end", [Terminator, Pure, ParentOneOf<["KernelOp", "PlanOp", "PlanForOp", "PlanDoOp", "DrainOp", "ElectOp"]>]> {
  let summary = "the end of a kernel, a plan or a region";
  let description = [{
    It need not be written.

    Constraints:
    - (C1) It stands in a tile.kernel, tile.plan, tile.plan_for, tile.drain or
      tile.elect.
  }];
  let assemblyFormat = "attr-dict";
}

def Tile_ProgramIdOp : Tile_Op<"program_id", [Pure]> {
  let summary = "this program's place in the grid";
  let description = [{
    At least 0, and less than the size of the grid of its tile.launch along the
    axis.

    ```mlir
    %block = tile.program_id x
    ```
  }];
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
    result[i] = i.

    ```mlir
    %i = tile.iota : tensor<64xi32>
    ```

    Constraints:
    - (C1) The result is a vector of i32.
  }];
  let results = (outs Tile_Rows:$result);
  let assemblyFormat = "attr-dict `:` type($result)";
  let hasVerifier = 1;
  let hasFolder = 1;
}

def Tile_BroadcastOp : Tile_Op<"broadcast", [Pure]> {
  let summary = "repeat a vector along a new axis of a tile";
  let description = [{
    result[i, j] = input[i] for `along 1`, input[j] for `along 0`.

    ```mlir
    %b = tile.broadcast %m along 1 : tensor<16xf32> -> tensor<16x64xf32>
    ```

    Constraints:
    - (C1) The result is a tile, and `along` one of its axes.
    - (C2) The input has the result's shape without that axis, and its elements.
  }];
  let arguments = (ins AnyRankedTensor:$input, I64Attr:$axis);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$input `along` $axis attr-dict `:` type($input) `->` type($result)";
  let hasVerifier = 1;
  let hasFolder = 1;
  let hasCanonicalizeMethod = 1;
}

def Tile_ReduceOp : Tile_Op<"reduce", [Pure]> {
  let summary = "combine a tile along one axis";
  let description = [{
    result[i] = input[i, 0] o input[i, 1] o ... for `along 1`, where o is addition,
    max or min; likewise down the columns for `along 0`. Integers are signed. The
    order is free.

    ```mlir
    %m = tile.reduce max %s along 1 : tensor<16x64xf32> -> tensor<16xf32>
    ```

    Constraints:
    - (C1) The input is a tile, and `along` one of its axes.
    - (C2) The result has the input's shape without that axis, and its elements.
    - (C3) Elements are floats, or integers of 32 or 64 bits.
  }];
  let arguments = (ins Tile_CombineAttr:$combine, AnyRankedTensor:$input, I64Attr:$axis);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$combine $input `along` $axis attr-dict `:` type($input) `->` type($result)";
  let hasVerifier = 1;
  let hasFolder = 1;
  let hasCanonicalizeMethod = 1;
}

def Tile_DotOp : Tile_Op<"dot", [Pure]> {
  let summary = "accumulate a product of two tiles";
  let description = [{
    result[i, j] = acc[i, j] + sum over k of lhs[i, k] rhs[k, j], or
    lhs[i, k] rhs[j, k] with `transposed`. Products are exact and sums are f32, in
    any order. An operand that is a constant zero contributes nothing, whatever
    the other one is.

    ```mlir
    %s = tile.dot %q, transposed %k, %zero
        : tensor<16x64xbf16>, tensor<32x64xbf16>, tensor<16x32xf32> -> tensor<16x32xf32>
    ```

    Constraints:
    - (C1) The operands are tiles of rank 2.
    - (C2) lhs and rhs have elements of one type: f32, bf16 or f16.
    - (C3) The accumulator has elements of f32.
    - (C4) lhs has as many columns as rhs has rows, or columns if transposed.
    - (C5) The accumulator has the rows of lhs and the columns of rhs, or its rows
      if transposed.
    - (C6) The result has the accumulator's type.
  }];
  let arguments = (ins AnyRankedTensor:$lhs, UnitAttr:$transposed, AnyRankedTensor:$rhs,
                       AnyRankedTensor:$acc);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $lhs `,` (`transposed` $transposed^)? $rhs `,` $acc attr-dict
    `:` type($lhs) `,` type($rhs) `,` type($acc) `->` type($result)
  }];
  let hasVerifier = 1;
  let hasFolder = 1;
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

    Constraints:
    - (C1) The result is a tile of rank 2.
    - (C2) The array has the tile's elements.
    - (C3) There is an index for each dimension of the array but the last.
    - (C4) Indices and masks that are tensors have an element for each row.
    - (C5) The array is in the default memory space, its last dimension contiguous.
  }];
  let arguments = (ins AnyMemRef:$source, Variadic<Tile_Index>:$indices, Optional<Tile_Mask>:$mask);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $source `[` $indices `]` (`where` $mask^)? attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
  let hasFolder = 1;
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

    Constraints:
    - (C1) The result is a vector.
    - (C2) The array has the vector's elements.
    - (C3) There is an index for each dimension of the array.
    - (C4) Indices and masks that are tensors have an element for each of the
      vector's.
    - (C5) The array is in the default memory space, its last dimension contiguous.
  }];
  let arguments = (ins AnyMemRef:$source, Variadic<Tile_Index>:$indices, Optional<Tile_Mask>:$mask);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $source `[` $indices `]` (`where` $mask^)? attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
  let hasFolder = 1;
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

    Where two rows are written to one place, either may stay.

    Constraints:
    - (C1) The value is a tile.
    - (C2) The array has the tile's elements.
    - (C3) There is an index for each dimension of the array, but for the last if
      the tile has rank 2.
    - (C4) Indices and masks that are tensors have an element for each row.
    - (C5) The array is in the default memory space, its last dimension contiguous.
  }];
  let arguments = (ins AnyRankedTensor:$value, AnyMemRef:$target, Variadic<Tile_Index>:$indices,
                       Optional<Tile_Mask>:$mask);
  let assemblyFormat = [{
    $value `into` $target `[` $indices `]` (`where` $mask^)? attr-dict
    `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
  let hasCanonicalizeMethod = 1;
}

#endif // RAMIFY_TILE_OPS_TD
