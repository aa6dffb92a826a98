// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- HSAOpBase.td - What the operations have in common ---*- tablegen -*-===//

#ifndef RAMIFY_HSA_OP_BASE_TD
#define RAMIFY_HSA_OP_BASE_TD

include "dialects/HSA/IR/HSATypes.td"
include "mlir/IR/OpAsmInterface.td"
include "mlir/Interfaces/FunctionInterfaces.td"
include "mlir/Interfaces/LoopLikeInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

class HSA_Op<string mnemonic, list<Trait> traits = []>
    : Op<HSA_Dialect, mnemonic, traits>;

// A tensor whose encoding is `#hsa.axes`.
def HSA_Named : Type<
    CPred<"::ramify::hsa::isNamedTensor($_self)">, "tensor with #hsa.axes",
    "::mlir::RankedTensorType">;
def HSA_NamedOrScalar : AnyTypeOf<[HSA_Named, F32, F16, BF16, I32, I1]>;

def HSA_MonoidArrayAttr : TypedArrayAttrBase<HSA_MonoidAttr, "array of monoids">;

#endif // RAMIFY_HSA_OP_BASE_TD
