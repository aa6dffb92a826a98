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
    index; results are made by `tile.result`, kernels launched by `tile.launch`.
    A plan is data, not code: it is translated for the runtime, which interprets
    it without a synchronisation with the device.

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
