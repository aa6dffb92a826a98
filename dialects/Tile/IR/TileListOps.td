// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- TileListOps.td - Lists of rows in shared memory -----*- tablegen -*-===//
//
// What `tile.topk` and `tile.sort` become where the lists of a program take more
// registers than its threads have (KeepLists.h).
//
//===----------------------------------------------------------------------===//

#ifndef RAMIFY_TILE_LIST_OPS_TD
#define RAMIFY_TILE_LIST_OPS_TD

include "dialects/Tile/IR/TilePlacedOps.td"

def Tile_KeepBestOp : Tile_Op<"keep_best", [AttrSizedOperandSegments]> {
  let summary = "the k best so far in shared memory, after further candidates";
  let description = [{
    As `tile.topk`, but the lists are buffers of one stage and in no order. Of
    each row's list the last one is known, which the next candidate that is taken
    replaces: its score `worst`, its id `worstId` and the column that it stands
    in, `place`. An empty list has a score of -inf and an id of -1 in every place.

    ```mlir
    %w, %i, %p = tile.keep_best %scores, %ids into %best, %which replacing %w0, %i0, %p0
        : (tensor<64x64xf32>, tensor<64xi32>,
           memref<1x64x128xf32, #tile.shared<swizzle = 0, pad = 32>>,
           memref<1x64x128xi32, #tile.shared<swizzle = 0, pad = 32>>,
           tensor<64xf32>, tensor<64xi32>, tensor<64xi32>)
        -> (tensor<64xf32>, tensor<64xi32>, tensor<64xi32>)
    ```

    A warp has the rows of its own scores to itself, so no barrier stands between
    two of these; one must stand before whatever else reads or writes the lists
    (`tile-insert-barriers`).

    Constraints:
    - (C1) Scores are a tile of f32 of rank 2, and there is an i32 id for each of
      their columns.
    - (C2) Lists are buffers as in (C1) and (C2) of tile.alloc_shared, of one shape,
      one stage and 32-bit elements, without a swizzle, with a multiple of 8
      columns and a row for each of the scores', a multiple of 16; `best` is of
      f32, `which` of i32.
    - (C3) Carried values have the scores' shape; one is held for each that is
      carried, of its elements, 32-bit floats or integers.
    - (C4) Worst scores, of f32, their ids and places, of i32, have an element for
      each row; the results have their types.
  }];
  let arguments = (ins AnyRankedTensor:$scores, Tile_Rows:$ids,
                       Variadic<AnyRankedTensor>:$carried,
                       Arg<AnyMemRef, "", [MemRead, MemWrite]>:$best,
                       Arg<AnyMemRef, "", [MemRead, MemWrite]>:$which,
                       Arg<Variadic<AnyMemRef>, "", [MemRead, MemWrite]>:$held,
                       AnyRankedTensor:$worst, Tile_Rows:$worstId, Tile_Rows:$place);
  let results = (outs AnyRankedTensor:$newWorst, Tile_Rows:$newWorstId,
                      Tile_Rows:$newPlace);
  let assemblyFormat = [{
    $scores `,` $ids (`carrying` $carried^)? `into` $best `,` $which (`holding` $held^)?
    `replacing` $worst `,` $worstId `,` $place attr-dict
    `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def Tile_SortListsOp : Tile_Op<"sort_lists"> {
  let summary = "sort each row of lists in shared memory";
  let description = [{
    As `tile.sort`, in place, by the first `keys` lists: where rows of one list
    are equal the next decides, and what is equal in all of them keeps its order.

    ```mlir
    tile.sort_lists descending by 2 %best, %which
        : memref<1x64x128xf32, #tile.shared<swizzle = 0, pad = 32>>,
          memref<1x64x128xi32, #tile.shared<swizzle = 0, pad = 32>>
    ```

    Constraints:
    - (C1) The lists are buffers as in (C1) and (C2) of tile.alloc_shared, of one
      shape, one stage and 32-bit elements, without a swizzle, with a multiple of 8
      columns and of 16 rows.
    - (C2) There are as many keys as lists or fewer, at least one.
  }];
  let arguments = (ins UnitAttr:$descending, I64Attr:$keys,
                       Arg<Variadic<AnyMemRef>, "", [MemRead, MemWrite]>:$lists);
  let assemblyFormat = [{
    (`descending` $descending^)? `by` $keys $lists attr-dict `:` type($lists)
  }];
  let hasVerifier = 1;
}

#endif // RAMIFY_TILE_LIST_OPS_TD
