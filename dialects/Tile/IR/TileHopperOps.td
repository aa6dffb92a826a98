// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- TileHopperOps.td - TMA, mbarriers, wgmma ------------*- tablegen -*-===//
//
// The part of the placed stage that needs sm_90: copies by the TMA unit that
// arrive at barriers in shared memory, and products of a warpgroup that read
// shared memory themselves.
//
//===----------------------------------------------------------------------===//

#ifndef RAMIFY_TILE_HOPPER_OPS_TD
#define RAMIFY_TILE_HOPPER_OPS_TD

include "dialects/Tile/IR/TileListOps.td"

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

class Tile_Type<string name, string typeMnemonic>
    : TypeDef<Tile_Dialect, name> {
  let mnemonic = typeMnemonic;
}

def Tile_TensorMapType : Tile_Type<"TensorMap", "tensor_map"> {
  let summary = "where TMA finds an array, and how it lays boxes of it";
  let description = [{
    An argument of a kernel that the host encodes at the launch: the array with
    its strides, the box that one copy moves, and the swizzle of the box in
    shared memory (`#tile.shared`). Elements outside of the array read as zero.

    ```mlir
    !tile.tensor_map<tensor<64x64xbf16>, swizzle = 128>
    ```

    (C1) The swizzle is 32, 64 or 128 bytes.
    (C2) A row of the box has exactly as many bytes as the swizzle.
    (C3) No side of the box is longer than 256.
  }];
  let parameters = (ins "::mlir::RankedTensorType":$box, "int64_t":$swizzle);
  let assemblyFormat = "`<` $box `,` `swizzle` `=` $swizzle `>`";
  let genVerifyDecl = 1;
}

def Tile_MBarriersType : Tile_Type<"MBarriers", "mbarriers"> {
  let summary = "some barriers in shared memory";
  let description = [{
    Each completes a phase when all arrivals and all bytes that were announced
    have come; then the next phase begins. Phases have parity 0, 1, 0, ...

    (C1) There is at least one.
  }];
  let parameters = (ins "int64_t":$count);
  let assemblyFormat = "`<` $count `>`";
  let genVerifyDecl = 1;
}

//===----------------------------------------------------------------------===//
// Barriers
//===----------------------------------------------------------------------===//

def Tile_AllocMBarriersOp : Tile_Op<"alloc_mbarriers"> {
  let summary = "barriers in shared memory, ready for use";
  let description = [{
    All threads pass it; none goes on before the barriers are initialised. Each
    phase waits for `arrivals` arrivals.

    ```mlir
    %full = tile.alloc_mbarriers arrivals 1 : !tile.mbarriers<4>
    ```

    (C1) There is at least one arrival.
  }];
  let arguments = (ins I64Attr:$arrivals);
  let results = (outs Tile_MBarriersType:$result);
  let assemblyFormat = "`arrivals` $arrivals attr-dict `:` qualified(type($result))";
  let hasVerifier = 1;
}

def Tile_MBarrierArriveOp : Tile_Op<"mbarrier_arrive"> {
  let summary = "arrive, and maybe announce bytes that TMA will bring";
  let description = [{
    ```mlir
    tile.mbarrier_arrive %full[%stage] expect 16384 : !tile.mbarriers<4>
    ```
  }];
  let arguments = (ins Tile_MBarriersType:$barriers, Index:$index,
                       OptionalAttr<I64Attr>:$bytes);
  let assemblyFormat = [{
    $barriers `[` $index `]` (`expect` $bytes^)? attr-dict `:` qualified(type($barriers))
  }];
}

def Tile_MBarrierWaitOp : Tile_Op<"mbarrier_wait"> {
  let summary = "wait for the end of the phase with that parity";
  let description = [{
    ```mlir
    tile.mbarrier_wait %full[%stage] parity %p : !tile.mbarriers<4>
    ```
  }];
  let arguments = (ins Tile_MBarriersType:$barriers, Index:$index, I32:$parity);
  let assemblyFormat = [{
    $barriers `[` $index `]` `parity` $parity attr-dict `:` qualified(type($barriers))
  }];
}

//===----------------------------------------------------------------------===//
// One thread for all, and TMA
//===----------------------------------------------------------------------===//

def Tile_ElectOp : Tile_Op<"elect", [SingleBlockImplicitTerminator<"EndOp">]> {
  let summary = "what one thread of the program does";
  let description = [{
    ```mlir
    tile.elect {
      tile.mbarrier_arrive %full[%s] expect 8192 : !tile.mbarriers<4>
      tile.tma_load %map[%row, %col] into %ring[%s] signal %full[%s]
          : !tile.tensor_map<tensor<64x64xbf16>, swizzle = 128>,
            memref<4x64x64xbf16, #tile.shared<swizzle = 128, pad = 0>>, !tile.mbarriers<4>
    }
    ```

    (C1) No op inside has a tensor among its operands and results.
  }];
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "attr-dict-with-keyword $body";
  let hasVerifier = 1;
}

def Tile_TmaLoadOp : Tile_Op<"tma_load"> {
  let summary = "a box of an array into a stage of a shared buffer";
  let description = [{
    Coordinates are elements, in the array's order of dimensions. Done by one
    thread (`tile.elect`); the bytes are counted at the barrier.

    (C1) There is one coordinate for each dimension of the box.
    (C2) A stage of the buffer has the box's element type and swizzle, and, apart
         from sides of 1, its shape. It may be several boxes wide; then `block`
         says which of them this is.

    ```mlir
    tile.tma_load %map[%row, %col] into %ring[%s] block 1 signal %full[%s]
        : !tile.tensor_map<tensor<64x64xbf16>, swizzle = 128>,
          memref<2x64x128xbf16, #tile.shared<swizzle = 128, pad = 0>>, !tile.mbarriers<2>
    ```
  }];
  let arguments = (ins Tile_TensorMapType:$map, Variadic<I32>:$coordinates,
                       Arg<AnyMemRef, "", [MemWrite]>:$target, Index:$stage,
                       OptionalAttr<I64Attr>:$block, Tile_MBarriersType:$barriers, Index:$index);
  let assemblyFormat = [{
    $map `[` $coordinates `]` `into` $target `[` $stage `]` (`block` $block^)?
    `signal` $barriers `[` $index `]` attr-dict
    `:` qualified(type($map)) `,` type($target) `,` qualified(type($barriers))
  }];
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Products of a warpgroup
//===----------------------------------------------------------------------===//

def Tile_WgmmaOp : Tile_Op<"wgmma", [AllTypesMatch<["acc", "result"]>]> {
  let summary = "start acc + a b, with operands in shared memory";
  let description = [{
    result = acc + lhs rhs, with each side as it is or `transposed`, as
    `tile.dot`. Warpgroups of four warps have 64 rows each, so there are 16 rows
    for each warp of the kernel; the lowering refuses others. The rhs is in shared
    memory, the lhs there or in registers. An accumulator that is a constant zero
    is not read. The result is under way: only `tile.wgmma` as an accumulator and
    `tile.wgmma_wait` may take it.

    ```mlir
    %s = tile.wgmma %a[%i], transposed %b[%i], %acc
        : memref<4x64x64xbf16, #tile.shared<swizzle = 128, pad = 0>>,
          memref<4x128x64xbf16, #tile.shared<swizzle = 128, pad = 0>>,
          tensor<64x128xf32, #acc>
    %o = tile.wgmma %p, %b[%i], %acc
        : tensor<64x128xbf16, #acc>,
          memref<4x128x64xbf16, #tile.shared<swizzle = 128, pad = 0>>,
          tensor<64x64xf32, #acc>
    ```

    (C1) Stages have a 128-byte swizzle and 16-bit elements of one type.
    (C2) The lhs has 64 rows for each warpgroup, as the accumulator.
    (C3) The shapes are those of a product over a multiple of 16; the accumulator
         is f32 and has a multiple of 8 and at most 256 columns.
    (C4) The result goes only to tile.wgmma and tile.wgmma_wait.
    (C5) A lhs in shared memory has a stage; one in registers has none, is not
         transposed, and has its elements as the accumulator.
  }];
  let arguments = (ins UnitAttr:$lhsTransposed,
                       Arg<AnyTypeOf<[AnyMemRef, AnyRankedTensor]>, "", [MemRead]>:$lhs,
                       UnitAttr:$transposed, Arg<AnyMemRef, "", [MemRead]>:$rhs,
                       Index:$rhsStage, AnyRankedTensor:$acc,
                       Optional<Index>:$lhsStage);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    (`transposed` $lhsTransposed^)? $lhs (`[` $lhsStage^ `]`)? `,`
    (`transposed` $transposed^)? $rhs `[` $rhsStage `]` `,` $acc attr-dict
    `:` type($lhs) `,` type($rhs) `,` type($acc)
  }];
  let hasVerifier = 1;
}

def Tile_WgmmaWaitOp : Tile_Op<"wgmma_wait", [AllTypesMatch<["input", "result"]>]> {
  let summary = "an accumulator when at most `pending` products are under way";
  let description = [{
    Products finish in the order in which they were started; `pending` counts
    those that were started behind the last one that is waited for. Only the
    result of the product `input` may be taken from here on.

    ```mlir
    %t = tile.wgmma_wait 0 %s : tensor<64x128xf32, #acc>
    ```
  }];
  let arguments = (ins I64Attr:$pending, AnyRankedTensor:$input);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$pending $input attr-dict `:` type($input)";
}

#endif // RAMIFY_TILE_HOPPER_OPS_TD
