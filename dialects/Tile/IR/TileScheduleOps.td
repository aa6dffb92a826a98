// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- TileScheduleOps.td - What schedules build from ------*- tablegen -*-===//
//
// Portable operations for schedules in which a program does not own what it
// writes, orders what it visits, or takes its work from a queue.
//
//===----------------------------------------------------------------------===//

#ifndef RAMIFY_TILE_SCHEDULE_OPS_TD
#define RAMIFY_TILE_SCHEDULE_OPS_TD

include "dialects/Tile/IR/TileOps.td"

//===----------------------------------------------------------------------===//
// Shapes and order inside a tile
//===----------------------------------------------------------------------===//

def Tile_TransposeOp : Tile_Op<"transpose", [Pure]> {
  let summary = "rows become columns";
  let description = [{
    result[j, i] = input[i, j].

    ```mlir
    %t = tile.transpose %p : tensor<16x64xbf16> -> tensor<64x16xbf16>
    ```

    Constraints:
    - (C1) The input is a tile of rank 2.
    - (C2) The result has the input's elements, and its sides exchanged.
  }];
  let arguments = (ins AnyRankedTensor:$input);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
  let hasVerifier = 1;
}

def Tile_ScanOp : Tile_Op<"scan", [Pure, AllTypesMatch<["input", "result"]>]> {
  let summary = "combine everything up to each element";
  let description = [{
    result[i] = input[0] o ... o input[i], or without input[i] if `exclusive` (the
    first is then 0, -inf or inf, or the least or greatest integer); along one
    axis of a tile of rank 2. With `reverse` from the other end: input[i] o
    input[i + 1] o ... Integers are signed. Sums of floats are formed in an order
    that is fixed for the target.

    ```mlir
    %s = tile.scan sum exclusive %x along 1 : tensor<16x8xf32>
    %t = tile.scan sum reverse %x along 1 : tensor<16x8xf32>
    ```

    Constraints:
    - (C1) The input is a tile, and `along` one of its axes.
    - (C2) Elements are floats, or integers of 32 or 64 bits.
  }];
  let arguments = (ins Tile_CombineAttr:$combine, UnitAttr:$exclusive,
                       UnitAttr:$reverse, AnyRankedTensor:$input, I64Attr:$axis);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $combine (`exclusive` $exclusive^)? (`reverse` $reverse^)? $input `along` $axis attr-dict `:` type($input)
  }];
  let hasVerifier = 1;
}

def Tile_RankOp : Tile_Op<"rank", [Pure, AllTypesMatch<["input", "result"]>]> {
  let summary = "how many equal keys stand before each";
  let description = [{
    result[i] = |{j < i : input[j] = input[i]}|. With the number of smaller keys
    added it is the place of i in a stable sort, whatever the threads do.

    ```mlir
    %r = tile.rank %chunks : tensor<512xi32>
    ```

    Constraints:
    - (C1) The input is a vector of i32.
  }];
  let arguments = (ins Tile_Rows:$input);
  let results = (outs Tile_Rows:$result);
  let assemblyFormat = "$input attr-dict `:` type($input)";
  let hasVerifier = 1;
}

def Tile_TallyOp : Tile_Op<"tally", [Pure, AllTypesMatch<["bins", "before"]>]> {
  let summary = "count what falls into each bin, and what did so before";
  let description = [{
    With n the length of `counts`, bins outside [0, n) are empty and
    counts[k] = |{j : bins[j] = k}|, before[i] = |{j < i : bins[j] = bins[i]}|, or 0
    if i has no bin. With the number of elements in smaller bins added, before[i] is
    the place of i in a stable sort, whatever the threads do.

    ```mlir
    %before, %counts = tile.tally %digits : tensor<4096xi32>, tensor<1024xi32>
    ```

    Constraints:
    - (C1) Bins and counts are vectors of i32.
    - (C2) before has the type of the bins.
  }];
  let arguments = (ins Tile_Rows:$bins);
  let results = (outs Tile_Rows:$before, Tile_Rows:$counts);
  let assemblyFormat = "$bins attr-dict `:` type($bins) `,` type($counts)";
  let hasVerifier = 1;
}

def Tile_SortOp : Tile_Op<"sort", [Pure]> {
  let summary = "sort each row by keys, and move others along";
  let description = [{
    Permutes each row of all inputs so that the row of the first is in ascending,
    or `descending`, order. Equal keys keep their order. A vector is one row.

    ```mlir
    %i, %s = tile.sort descending %index, %score
        : (tensor<64x8xi32>, tensor<64x8xf32>) -> (tensor<64x8xi32>, tensor<64x8xf32>)
    ```

    Constraints:
    - (C1) The inputs are tiles of one shape; there is at least one.
    - (C2) The results have the inputs' types.
  }];
  let arguments = (ins UnitAttr:$descending, Variadic<AnyRankedTensor>:$inputs);
  let results = (outs Variadic<AnyRankedTensor>:$outputs);
  let assemblyFormat = [{
    (`descending` $descending^)? $inputs attr-dict `:` functional-type($inputs, $outputs)
  }];
  let hasVerifier = 1;
}

def Tile_TopKOp : Tile_Op<"topk", [Pure, AttrSizedOperandSegments,
                                   AllTypesMatch<["best", "newBest"]>,
                                   AllTypesMatch<["which", "newWhich"]>]> {
  let summary = "the k best so far, after further candidates";
  let description = [{
    For each row, the k greatest of the row's `best` (with ids `which`) and of its
    `scores` (with `ids`, one for each column), in descending order. Equal scores:
    the greater id first. -inf and NaN are never taken; places that stay empty
    have the score -inf and the id -1, which is also how one begins.

    ```mlir
    %b, %w = tile.topk %scores, %ids into %best, %which
        : tensor<64x128xf32>, tensor<128xi32>, tensor<64x8xf32>, tensor<64x8xi32>
    ```

    Further values of each candidate can be carried along: what is held of those
    that were taken moves with them.

    ```mlir
    %b, %w, %h = tile.topk %scores, %ids carrying %x : tensor<64x128xf32>
        into %best, %which holding %held : tensor<64x8xf32> -> tensor<64x8xf32>
        : tensor<64x128xf32>, tensor<128xi32>, tensor<64x8xf32>, tensor<64x8xi32>
    ```

    Constraints:
    - (C1) Scores and best are tiles of f32 of rank 2 with the same rows.
    - (C2) There is an i32 id for each column of the scores, and for each of best.
    - (C3) Carried values have the scores' shape, held ones that of best; one is
      held for each that is carried, of its elements, 32-bit floats or integers.
  }];
  let arguments = (ins AnyRankedTensor:$scores, Tile_Rows:$ids,
                       Variadic<AnyRankedTensor>:$carried,
                       AnyRankedTensor:$best, Tile_Rows:$which,
                       Variadic<AnyRankedTensor>:$held);
  let results = (outs AnyRankedTensor:$newBest, Tile_Rows:$newWhich,
                      Variadic<AnyRankedTensor>:$newHeld);
  let assemblyFormat = [{
    $scores `,` $ids (`carrying` $carried^ `:` type($carried))?
    `into` $best `,` $which (`holding` $held^ `:` type($held) `->` type($newHeld))?
    attr-dict `:` type($scores) `,` type($ids) `,` type($best) `,` type($which)
  }];
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

def Tile_ReduceIntoOp : Tile_Op<"reduce_into", [AttrSizedOperandSegments,
                                                MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "combine a tile's rows into an array";
  let description = [{
    target[indices...] = target[indices...] o value, as scatter addresses it; other
    programs, and other rows of the tile, may do the same there. The order says
    what that means for sums of floats:

    - `free`: terms are rounded to the array's elements and added in any order,
      where they meet (atomics, or TMA).
    - `slots`: terms of programs that may meet are kept apart, and added afterwards
      in an order that follows from sizes and the device alone: the same bits each
      time. The schedule provides the room and the launches.
    - `owner`: no other program of the launch writes these rows; terms are added
      in this program's order.

    With a `run` of R, elements i and j of a vector are only at the same place if
    i / R = j / R, and those of a run whose mask is true all are. If it is said to
    be `distinct`, no two rows or elements whose mask is true are at the same place.

    ```mlir
    tile.reduce_into sum %o into %out[%b, %tokens, %head] where %picked order free
        : (tensor<64x64xbf16>, memref<?x?x?x64xbf16, strided<[?, ?, ?, 1]>>, index, tensor<64xi32>, tensor<64xi32>, tensor<64xi1>) -> ()
    ```

    Constraints:
    - (C1) The value is a tile.
    - (C2) Array, indices and mask are as for tile.scatter.
    - (C3) Elements are floats, or integers of 32 or 64 bits.
    - (C4) Runs are of a vector's elements, and divide their number; 0 says
      nothing.
  }];
  let arguments = (ins Tile_CombineAttr:$combine, AnyRankedTensor:$value,
                       AnyMemRef:$target, Variadic<Tile_Index>:$indices,
                       Optional<Tile_Mask>:$mask, Tile_OrderAttr:$order,
                       DefaultValuedAttr<I64Attr, "0">:$run,
                       UnitAttr:$distinct);
  let assemblyFormat = [{
    $combine $value `into` $target `[` $indices `]` (`where` $mask^)? `order` $order
    attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def Tile_FetchAddOp : Tile_Op<"fetch_add", [
    AttrSizedOperandSegments, AllTypesMatch<["value", "before"]>,
    MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "add to counters, and learn what they were";
  let description = [{
    before[i] = target[indices...], then target[indices...] += value[i], as one
    step that nothing comes between: other programs, and other rows of the vector,
    may do the same there. In which order is open: with ones added to a counter
    each row gets a ticket of its own, 0, 1, ... up to how many there are, and
    which gets which may differ from run to run. Rows that are masked add nothing,
    and their result is 0.

    ```mlir
    %ticket = tile.fetch_add %one into %counts[%region, %chunk] where %valid
        : (tensor<512xi32>, memref<?x?xi32, strided<[?, 1]>>, index, tensor<512xi32>, tensor<512xi1>) -> tensor<512xi32>
    ```

    Constraints:
    - (C1) The value is a vector of i32.
    - (C2) Array, indices and mask are as for tile.scatter.
    - (C3) The result has the value's type.
  }];
  let arguments = (ins Tile_Rows:$value, AnyMemRef:$target,
                       Variadic<Tile_Index>:$indices, Optional<Tile_Mask>:$mask);
  let results = (outs Tile_Rows:$before);
  let assemblyFormat = [{
    $value `into` $target `[` $indices `]` (`where` $mask^)? attr-dict
    `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def Tile_ScratchOp : Tile_Op<"scratch", [MemoryEffects<[MemAlloc]>]> {
  let summary = "memory of one program";
  let description = [{
    Uninitialised, at the top of a kernel; what the program has written there it
    reads later.

    ```mlir
    %list = tile.scratch : memref<512xi32>
    ```

    Constraints:
    - (C1) Its shape is static, its layout the plain one.
  }];
  let results = (outs AnyMemRef:$result);
  let assemblyFormat = "attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def Tile_BarrierOp : Tile_Op<"barrier"> {
  let summary = "all threads of the program meet";
  let description = [{
    What the program has written before it, to memory or to shared memory, all of
    its threads read behind it. Other programs do not take part. Where a program
    is one thread, as on the CPU, it does nothing.

    ```mlir
    tile.scatter %picks into %slots[%b, %row, %h] : ...
    tile.barrier
    %c = memref.load %slots[%b, %block, %h, %slot] : ...
    ```
  }];
  let assemblyFormat = "attr-dict";
}

//===----------------------------------------------------------------------===//
// Queues
//===----------------------------------------------------------------------===//

def Tile_DrainOp : Tile_Op<"drain", [SingleBlockImplicitTerminator<"EndOp">]> {
  let summary = "take units of work from a queue until it is empty";
  let description = [{
    Units are numbers 0, 1, ... below `count`. All programs of the launch that
    drain the queue share it: each unit is taken once, in ascending order, by the
    next program that is free. The queue is an i32 that is 0 before the launch.
    Ranges of the numbers can be kinds of units. A program may wait for units with
    smaller numbers (`tile.await`): they have been taken before.

    ```mlir
    tile.drain %unit of %queue below %count : memref<1xi32> {
      ...
    }
    ```

    Constraints:
    - (C1) The queue is an array of one i32.
    - (C2) The region has one argument, an index.
  }];
  let arguments = (ins AnyMemRef:$queue, Index:$count);
  let regions = (region SizedRegion<1>:$body);
  let hasCustomAssemblyFormat = 1;
  let hasVerifier = 1;
}

def Tile_SignalOp : Tile_Op<"signal"> {
  let summary = "count one more, after everything that was written before";
  let description = [{
    Adds 1 to an i32. Who has seen the sum by `tile.await` sees what this program
    wrote before.

    ```mlir
    tile.signal %zeroed[%window] : memref<?xi32, strided<[1]>>
    ```

    Constraints:
    - (C1) The array has elements of i32, and an index for each dimension.
  }];
  let arguments = (ins Arg<AnyMemRef, "", [MemRead, MemWrite]>:$target,
                       Variadic<Index>:$indices);
  let assemblyFormat = "$target `[` $indices `]` attr-dict `:` type($target)";
  let hasVerifier = 1;
}

def Tile_AwaitOp : Tile_Op<"await"> {
  let summary = "wait until so many have signalled";
  let description = [{
    Waits until the i32 is at least `count`.

    ```mlir
    tile.await %zeroed[%window] at_least %units : memref<?xi32, strided<[1]>>
    ```

    Constraints:
    - (C1) The array has elements of i32, and an index for each dimension.
  }];
  let arguments = (ins Arg<AnyMemRef, "", [MemRead, MemWrite]>:$target,
                       Variadic<Index>:$indices, I32:$count);
  let assemblyFormat = [{
    $target `[` $indices `]` `at_least` $count attr-dict `:` type($target)
  }];
  let hasVerifier = 1;
}

#endif // RAMIFY_TILE_SCHEDULE_OPS_TD
