// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- TilePlacedOps.td - What the placed stage adds -------*- tablegen -*-===//

#ifndef RAMIFY_TILE_PLACED_OPS_TD
#define RAMIFY_TILE_PLACED_OPS_TD

include "dialects/Tile/IR/TilePlanOps.td"
include "mlir/IR/AttrTypeBase.td"

//===----------------------------------------------------------------------===//
// Attributes
//===----------------------------------------------------------------------===//

class Tile_Attr<string name, string attrMnemonic>
    : AttrDef<Tile_Dialect, name> {
  let mnemonic = attrMnemonic;
}

def Tile_LayoutAttr : Tile_Attr<"Layout", "layout"> {
  let summary = "which thread holds which element of a tile";
  let description = [{
    The encoding of a tensor in the placed stage. `reg` and `lane` list, for each
    bit of the register number and of the lane number, the coordinates that this
    bit adds (by XOR) inside an atom of the tile; `warps` says how many warps the
    atoms are dealt to along each axis, and `repeat` how often that is repeated
    in further registers, the last axis fastest. `Layout.h` has the mathematics.

    ```mlir
    // The accumulator of mma.m16n8k16 for 16 x 64, one warp.
    #tile.layout<reg = [[0, 1], [8, 0]], lane = [[0, 2], [0, 4], [1, 0], [2, 0], [4, 0]],
                 warps = [1, 1], repeat = [1, 8]>
    ```

    Constraints:
    - (C1) There are 1 or 2 axes, and each basis, `warps` and `repeat` have a
      number for each.
    - (C2) There are bases for 5 lane bits.
    - (C3) A coordinate of a basis is 0 or a power of two.
    - (C4) Numbers of warps and repetitions are positive.
  }];
  let parameters = (ins
    ArrayRefParameter<"int64_t", "basis of each register bit, flattened">:$reg,
    ArrayRefParameter<"int64_t", "basis of each lane bit, flattened">:$lane,
    ArrayRefParameter<"int64_t", "warps along each axis">:$warps,
    ArrayRefParameter<"int64_t", "repetitions along each axis">:$repeat);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    int64_t getRank() const { return getRepeat().size(); }
  }];
}

def Tile_SharedAttr : Tile_Attr<"Shared", "shared"> {
  let summary = "how a buffer lies in shared memory";
  let description = [{
    The memory space of a shared buffer `memref<STAGESxROWSxCOLSxT, ...>`. With
    a swizzle of 32, 64 or 128 bytes a stage is cut into blocks of columns that
    wide; in a block the rows follow each other, and the 16-byte chunks of a row
    are permuted so that eight rows of one column of chunks lie in different
    banks. That is the form that TMA writes and wgmma reads. Without a swizzle,
    `swizzle = 0`, rows are `pad` bytes longer than their elements.

    ```mlir
    memref<2x64x64xbf16, #tile.shared<swizzle = 128, pad = 0>>
    ```

    Constraints:
    - (C1) The swizzle is 0, 32, 64 or 128.
    - (C2) The padding is a multiple of 16, and 0 beside a swizzle.
  }];
  let parameters = (ins "int64_t":$swizzle, "int64_t":$pad);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
}

//===----------------------------------------------------------------------===//
// Shared memory
//===----------------------------------------------------------------------===//

def Tile_AllocSharedOp : Tile_Op<"alloc_shared"> {
  let summary = "a buffer in shared memory";
  let description = [{
    Stages x rows x columns; uninitialised. It stands at the top of the kernel
    and lives as long as the program.

    ```mlir
    %ring = tile.alloc_shared : memref<2x64x64xbf16, #tile.shared<swizzle = 128, pad = 0>>
    ```

    Constraints:
    - (C1) The result is a buffer: a memref of stages x rows x columns, dense, of a
      static shape, in a space that #tile.shared describes.
    - (C2) Its rows are a multiple of the swizzle long, or of 16 bytes.
  }];
  let results = (outs AnyMemRef:$result);
  let assemblyFormat = "attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def Tile_CopyAsyncOp : Tile_Op<"copy_async", [AttrSizedOperandSegments]> {
  let summary = "rows of an array into a stage of a shared buffer";
  let description = [{
    What `tile.gather` reads, started without waiting. Rows whose mask is false,
    and columns past the end of the last dimension, become zero. All warps of the
    program take part; `layout` says which thread copies which elements.

    ```mlir
    tile.copy_async %keys[%b, %rows, %h] where %valid into %ring[%stage]
        : (memref<?x?x?x64xbf16, strided<[?, ?, ?, 1]>>, index, tensor<64xi32>, index, tensor<64xi1>,
           memref<2x64x64xbf16, #tile.shared<swizzle = 128, pad = 0>>, index) -> ()
    ```

    Constraints:
    - (C1) The target is a buffer as in (C1) and (C2) of tile.alloc_shared.
    - (C2) The array has the buffer's elements.
    - (C3) There is an index for each dimension of the array but the last.
    - (C4) Indices and masks that are tensors have an element for each row.
    - (C5) The array is in the default memory space, its last dimension contiguous.
  }];
  let arguments = (ins Arg<AnyMemRef, "", [MemRead]>:$source,
                       Variadic<Tile_Index>:$indices, Optional<Tile_Mask>:$mask,
                       Arg<AnyMemRef, "", [MemWrite]>:$target, Index:$stage,
                       OptionalAttr<Tile_LayoutAttr>:$layout);
  let assemblyFormat = [{
    $source `[` $indices `]` (`where` $mask^)? `into` $target `[` $stage `]` attr-dict
    `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def Tile_CommitGroupOp : Tile_Op<"commit_group"> {
  let summary = "the copies since the last commit are one group";
  let assemblyFormat = "attr-dict";
}

def Tile_WaitGroupOp : Tile_Op<"wait_group"> {
  let summary = "wait until at most `pending` groups are under way";
  let description = [{
    Waits for this thread's own copies; a barrier must follow before another
    thread's are read.

    ```mlir
    tile.wait_group 1
    ```

    Constraints:
    - (C1) `pending` is not negative.
  }];
  let arguments = (ins ConfinedAttr<I64Attr, [IntNonNegative]>:$pending);
  let assemblyFormat = "$pending attr-dict";
}

def Tile_LoadSharedOp : Tile_Op<"load_shared"> {
  let summary = "a stage of a shared buffer as a tile";
  let description = [{
    With `transposed` rows of the buffer are columns of the tile.

    ```mlir
    %k = tile.load_shared %ring[%stage]
        : memref<2x64x64xbf16, #tile.shared<swizzle = 128, pad = 0>> -> tensor<64x64xbf16>
    %t = tile.load_shared transposed %p[%c0]
        : memref<1x16x64xbf16, #tile.shared<swizzle = 128, pad = 0>> -> tensor<64x16xbf16>
    ```

    Constraints:
    - (C1) The source is a buffer as in (C1) and (C2) of tile.alloc_shared.
    - (C2) The result has the shape of a stage, its sides exchanged if
      `transposed`, and the buffer's elements.
  }];
  let arguments = (ins Arg<AnyMemRef, "", [MemRead]>:$source, Index:$stage,
                       UnitAttr:$transposed);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    (`transposed` $transposed^)? $source `[` $stage `]` attr-dict
    `:` type($source) `->` type($result)
  }];
  let hasVerifier = 1;
}

def Tile_StoreSharedOp : Tile_Op<"store_shared"> {
  let summary = "a tile into a stage of a shared buffer";
  let description = [{
    A barrier must follow before another thread reads it, and must have come after
    the last read of what was there (`tile-insert-barriers`).

    ```mlir
    tile.store_shared %p into %buffer[%c0]
        : tensor<64x64xbf16>, memref<1x64x64xbf16, #tile.shared<swizzle = 128, pad = 0>>
    ```

    Constraints:
    - (C1) The target is a buffer as in (C1) and (C2) of tile.alloc_shared.
    - (C2) The value has the shape of a stage and the buffer's elements.
  }];
  let arguments = (ins AnyRankedTensor:$value, Arg<AnyMemRef, "", [MemWrite]>:$target,
                       Index:$stage);
  let assemblyFormat = [{
    $value `into` $target `[` $stage `]` attr-dict `:` type($value) `,` type($target)
  }];
  let hasVerifier = 1;
}

def Tile_ConvertLayoutOp : Tile_Op<"convert_layout", [Pure]> {
  let summary = "the same tile, held by other threads";
  let description = [{
    ```mlir
    %u = tile.convert_layout %t : tensor<16x64xf32, #a> -> tensor<16x64xf32, #b>
    ```

    Constraints:
    - (C1) Input and result have one shape and one element type.
  }];
  let arguments = (ins AnyRankedTensor:$input);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
  let hasVerifier = 1;
  let hasFolder = 1;
}

#endif // RAMIFY_TILE_PLACED_OPS_TD
