// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- TileAttributes.td - Enumerations of the tile dialect -*- tablegen -*-==//

#ifndef RAMIFY_TILE_ATTRIBUTES_TD
#define RAMIFY_TILE_ATTRIBUTES_TD

include "dialects/Tile/IR/TileDialect.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"

class Tile_Enum<string name, string summary, list<I32EnumAttrCase> cases>
    : I32EnumAttr<name, summary, cases> {
  let cppNamespace = "::ramify::tile";
  let genSpecializedAttr = 0;
}
class Tile_EnumAttr<EnumAttrInfo info, string mnemonic>
    : EnumAttr<Tile_Dialect, info, mnemonic> {
  let assemblyFormat = "$value";
}

def Tile_Combine : Tile_Enum<"Combine", "how a reduction combines", [
  I32EnumAttrCase<"Sum", 0, "sum">, I32EnumAttrCase<"Max", 1, "max">,
  I32EnumAttrCase<"Min", 2, "min">]>;
def Tile_CombineAttr : Tile_EnumAttr<Tile_Combine, "combine">;

def Tile_GridAxis : Tile_Enum<"GridAxis", "an axis of the grid", [
  I32EnumAttrCase<"X", 0, "x">, I32EnumAttrCase<"Y", 1, "y">,
  I32EnumAttrCase<"Z", 2, "z">]>;
def Tile_GridAxisAttr : Tile_EnumAttr<Tile_GridAxis, "grid_axis">;

def Tile_Order : Tile_Enum<"Order", "in which order terms are added", [
  I32EnumAttrCase<"Free", 0, "free">, I32EnumAttrCase<"Slots", 1, "slots">,
  I32EnumAttrCase<"Owner", 2, "owner">]>;
def Tile_OrderAttr : Tile_EnumAttr<Tile_Order, "order">;

#endif // RAMIFY_TILE_ATTRIBUTES_TD
