// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- HSAAttributes.td - Axes, monoids ---------------------*- tablegen -*-===//

#ifndef RAMIFY_HSA_ATTRIBUTES_TD
#define RAMIFY_HSA_ATTRIBUTES_TD

include "dialects/HSA/IR/HSADialect.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/TensorEncoding.td"

class HSA_Enum<string name, string summary, list<I32EnumAttrCase> cases>
    : I32EnumAttr<name, summary, cases> {
  let cppNamespace = "::ramify::hsa";
  let genSpecializedAttr = 0;
}

// The order of the cases is the canonical order of axes in a tensor type.
def HSA_Axis : HSA_Enum<"Axis", "a named axis", [
  I32EnumAttrCase<"Pos", 0, "pos">, I32EnumAttrCase<"Head", 1, "head">,
  I32EnumAttrCase<"Chunk", 2, "chunk">, I32EnumAttrCase<"Slot", 3, "slot">,
  I32EnumAttrCase<"Key", 4, "key">, I32EnumAttrCase<"Dim", 5, "dim">]>;

def HSA_Monoid : HSA_Enum<"Monoid", "how a reduction combines", [
  I32EnumAttrCase<"Sum", 0, "sum">, I32EnumAttrCase<"Max", 1, "max">,
  I32EnumAttrCase<"Min", 2, "min">, I32EnumAttrCase<"Softmax", 3, "softmax">]>;

def HSA_Heads : HSA_Enum<"Heads", "which heads a selection tensor has", [
  I32EnumAttrCase<"One", 0, "one">, I32EnumAttrCase<"KV", 1, "kv">,
  I32EnumAttrCase<"Query", 2, "query">]>;

def HSA_Order : HSA_Enum<"Order", "in which order slots hold what was picked", [
  I32EnumAttrCase<"Nearest", 0, "nearest">, I32EnumAttrCase<"Ascending", 1, "ascending">,
  I32EnumAttrCase<"Score", 2, "score">]>;

def HSA_ChunkInfo : HSA_Enum<"ChunkInfo", "what is known of each chunk", [
  I32EnumAttrCase<"Start", 0, "start">, I32EnumAttrCase<"End", 1, "end">,
  I32EnumAttrCase<"Length", 2, "length">, I32EnumAttrCase<"Index", 3, "index">]>;

class HSA_EnumAttr<EnumAttrInfo info, string mnemonic>
    : EnumAttr<HSA_Dialect, info, mnemonic> {
  let assemblyFormat = "$value";
}
def HSA_AxisAttr : HSA_EnumAttr<HSA_Axis, "axis">;
def HSA_MonoidAttr : HSA_EnumAttr<HSA_Monoid, "monoid">;
def HSA_OrderAttr : HSA_EnumAttr<HSA_Order, "order">;
def HSA_ChunkInfoAttr : HSA_EnumAttr<HSA_ChunkInfo, "info">;

def HSA_AxesAttr : AttrDef<HSA_Dialect, "Axes",
    [DeclareAttrInterfaceMethods<VerifiableTensorEncoding>]> {
  let mnemonic = "axes";
  let summary = "the names of a tensor's axes";
  let description = [{
    The encoding of every tensor of the dialect: one name for each axis.

    ```mlir
    tensor<1x16x64xf32, #hsa.axes<pos, head, key>>
    ```

    Constraints:
    - (C1) The names are in the canonical order pos, head, chunk, slot, key, dim,
      each at most once.
    - (C2) There are as many names as the tensor has axes.
    - (C3) Sizes are positive; only chunk and slot may be `?`.
    - (C4) Elements are f32, bf16, f16, i32 or i1.
  }];
  let parameters = (ins ArrayRefParameter<"Axis">:$axes);
  let assemblyFormat = "`<` $axes `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// Index of `axis` in the tensor's shape, or -1.
    int64_t find(Axis axis) const;
    bool contains(Axis axis) const { return find(axis) >= 0; }
  }];
}

#endif // RAMIFY_HSA_ATTRIBUTES_TD
