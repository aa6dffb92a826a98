// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- TilePlanOps.td - What the host does -----------------*- tablegen -*-===//

#ifndef RAMIFY_TILE_PLAN_OPS_TD
#define RAMIFY_TILE_PLAN_OPS_TD

include "dialects/Tile/IR/TileScheduleOps.td"

def Tile_PlanOp : Tile_Op<"plan", [
    FunctionOpInterface, IsolatedFromAbove, Symbol,
    SingleBlockImplicitTerminator<"EndOp">,
    DeclareOpInterfaceMethods<OpAsmOpInterface, ["getAsmBlockArgumentNames"]>]> {
  let summary = "what the host does for one call";
  let description = [{
    Sizes are `memref.dim` of the arguments, arithmetic on them is `arith` on
    index; results are made by `tile.result`, what launches hand to each other by
    `tile.workspace`, kernels launched by `tile.launch`, some of them again and
    again by `tile.plan_for`. A plan is data, not code: it is translated for the
    runtime, which interprets it without a synchronisation with the device.

    ```mlir
    tile.plan @hsa(%q: memref<?x?x?x64xbf16, strided<[?, ?, ?, 1]>>, ..., %scale: f32) {
      %c0 = arith.constant 0 : index
      %B = memref.dim %q, %c0 : memref<...>
      ...
      %out = tile.result shape(%B, %L, %HQ, %D) : memref<?x?x?x64xbf16, strided<[?, ?, ?, 1]>>
      tile.launch @hsa_kernel grid(%L, %H, %B) (%q, ..., %scale, %out) : ...
    }
    ```

    Constraints:
    - (C1) Each argument is an array (a memref of integers or floats in the
      default memory space) or a scalar (index, integer or float).
    - (C2) An array starts at offset 0, and its last dimension is contiguous.
    - (C3) The type has no results; tile.result makes them.
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

def Tile_ResultOp : Tile_Op<"result", [HasParent<"PlanOp">]> {
  let summary = "an array that the call returns";
  let description = [{
    Allocated by the caller's framework, dense, in the order of the ops. Its
    elements are undefined until a kernel writes them. Sizes are not negative, and
    that of a static dimension is the type's.

    ```mlir
    %out = tile.result shape(%B, %L, %HQ, %c64) : memref<?x?x?x64xbf16, strided<[?, ?, ?, 1]>>
    ```

    Constraints:
    - (C1) It stands in a tile.plan.
    - (C2) It is an array as in (C1) and (C2) of tile.plan.
    - (C3) There is a size for each dimension.
  }];
  let arguments = (ins Variadic<Index>:$shape);
  let results = (outs AnyMemRef:$result);
  let assemblyFormat = "`shape` `(` $shape `)` attr-dict `:` type($result)";
  let hasVerifier = 1;
  let hasCanonicalizer = 1;
}

def Tile_WorkspaceOp : Tile_Op<"workspace", [
    ParentOneOf<["PlanOp", "PlanForOp", "PlanDoOp"]>]> {
  let summary = "an array that lives from here to the end of the block";
  let description = [{
    Like tile.result, but it is not returned, and workspaces of different blocks may
    share memory. With `zero` it is filled with zero bytes where it stands;
    otherwise its elements are undefined until something writes them.

    ```mlir
    %counts = tile.workspace shape(%regions, %chunks) zero : memref<?x?xi32, strided<[?, 1]>>
    ```

    Constraints:
    - (C1) It stands in a tile.plan, a tile.plan_for or a tile.plan_do.
    - (C2) It is an array as in (C1) and (C2) of tile.plan.
    - (C3) There is a size for each dimension.
  }];
  let arguments = (ins Variadic<Index>:$shape, UnitAttr:$zero);
  let results = (outs AnyMemRef:$result);
  let assemblyFormat = [{
    `shape` `(` $shape `)` (`zero` $zero^)? attr-dict `:` type($result)
  }];
  let hasVerifier = 1;
  let hasCanonicalizer = 1;
}

def Tile_ViewOp : Tile_Op<"view", [
    Pure, AllTypesMatch<["array", "result"]>]> {
  let summary = "some places of an axis of an array";
  let description = [{
    `size` places of the dimension `axis`, from the place `from` on; the strides are
    the array's. The places exist: what the runtime finds to be outside of the array
    is an error of the plan.

    ```mlir
    %q0 = tile.view %q axis 1 from %first size %rows : memref<?x?x16x64xbf16, strided<[?, ?, ?, 1]>>
    ```

    Constraints:
    - (C1) It stands in a tile.plan.
    - (C2) The array has the dimension, and its type does not say its size.
  }];
  let arguments = (ins AnyMemRef:$array, I64Attr:$axis, Index:$from, Index:$size);
  let results = (outs AnyMemRef:$result);
  let assemblyFormat = [{
    $array `axis` $axis `from` $from `size` $size attr-dict `:` type($array)
  }];
  let hasVerifier = 1;
  let hasCanonicalizer = 1;
}

def Tile_MemsetOp : Tile_Op<"memset"> {
  let summary = "fill an array with one byte";
  let description = [{
    Every byte of the array becomes `byte`, after the launches before it and
    before those behind it: 0 gives zeros, 255 gives -1 in integers.

    ```mlir
    tile.memset %counts to 0 : memref<?x?xi32, strided<[?, 1]>>
    ```

    Constraints:
    - (C1) It stands in a tile.plan.
    - (C2) The array is a tile.result or a tile.workspace.
    - (C3) The byte is a number from 0 to 255.
  }];
  let arguments = (ins Arg<AnyMemRef, "", [MemWrite]>:$target, I64Attr:$byte);
  let assemblyFormat = "$target `to` $byte attr-dict `:` type($target)";
  let hasVerifier = 1;
}

def Tile_PlanForOp : Tile_Op<"plan_for", [
    SingleBlockImplicitTerminator<"EndOp">]> {
  let summary = "steps that are repeated";
  let description = [{
    The steps of the body, for 0, 1, ... below `count`, one after the other: the
    windows of a long sequence, say, that share a workspace.

    ```mlir
    tile.plan_for %w below %windows {
      tile.memset %counts to 0 : memref<?x?xi32, strided<[?, 1]>>
      tile.launch @window grid(%c1, %H, %B) (%q, %w, %counts) : ...
    }
    ```

    Constraints:
    - (C1) It stands in a tile.plan.
    - (C2) The region has one argument, an index.
    - (C3) It makes no results.
  }];
  let arguments = (ins Index:$count);
  let regions = (region SizedRegion<1>:$body);
  let hasCustomAssemblyFormat = 1;
  let hasVerifier = 1;
}

def Tile_PlanDoOp : Tile_Op<"plan_do", [
    SingleBlockImplicitTerminator<"EndOp">]> {
  let summary = "steps whose workspaces end with them";
  let description = [{
    The steps of the body, once. Workspaces that it makes share memory with those
    of the blocks before and behind it.

    ```mlir
    tile.plan_do {
      %counts = tile.workspace shape(%chunks) zero : memref<?xi32, strided<[1]>>
      tile.launch @count grid(%c1, %H, %B) (%indices, %counts) : ...
    }
    ```

    Constraints:
    - (C1) It stands in a tile.plan.
    - (C2) The region has no arguments.
    - (C3) It makes no results.
  }];
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$body attr-dict";
  let hasVerifier = 1;
}

def Tile_SmsOp : Tile_Op<"sms", [Pure]> {
  let summary = "the multiprocessors of the device";
  let description = [{
    How many programs of a persistent kernel run together, up to a factor: a GPU's
    streaming multiprocessors; 1 on the CPU.

    ```mlir
    %sms = tile.sms
    ```

    Constraints:
    - (C1) It stands in a tile.plan.
  }];
  let results = (outs Index:$result);
  let assemblyFormat = "attr-dict";
  let hasVerifier = 1;
}

def Tile_LaunchOp : Tile_Op<"launch", [
    DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "run a kernel over a grid";
  let description = [{
    Its programs run in any order and together. Launches of a plan run one after
    the other. A grid with an empty axis runs nothing.

    ```mlir
    tile.launch @double grid(%rows, %c1, %c1) (%x, %y)
        : memref<?x64xf32, strided<[?, 1]>>, memref<?x64xf32, strided<[?, 1]>>
    ```

    Constraints:
    - (C1) It stands in a tile.plan.
    - (C2) It names a tile.kernel, or the llvm.func that a lowering made of one.
    - (C3) Its operands have the types of the kernel's arguments.
  }];
  let arguments = (ins FlatSymbolRefAttr:$kernel, Index:$x, Index:$y, Index:$z,
                       Variadic<AnyType>:$inputs);
  let assemblyFormat = [{
    $kernel `grid` `(` $x `,` $y `,` $z `)` `(` $inputs `)` attr-dict (`:` type($inputs)^)?
  }];
  let hasVerifier = 1;
}

#endif // RAMIFY_TILE_PLAN_OPS_TD
