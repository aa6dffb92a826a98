// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- HSADialect.td - The hsa dialect ---------------------*- tablegen -*-===//

#ifndef RAMIFY_HSA_DIALECT_TD
#define RAMIFY_HSA_DIALECT_TD

include "mlir/IR/OpBase.td"

def HSA_Dialect : Dialect {
  let name = "hsa";
  let cppNamespace = "::ramify::hsa";
  let summary = "Hierarchical sparse attention: what one query block computes";
  let description = [{
    A program of this dialect states the mathematics of one query block and
    nothing about schedules, memory or threads. Values are builtin tensors whose
    encoding names their axes, `tensor<1x16x64xf32, #hsa.axes<pos, head, key>>`,
    so elementwise arithmetic is upstream `arith` and `math`. Parameters have a
    type for their role (query, chunks, weights, indices, array). Reductions
    over chunks name their monoid and cannot see their accumulator, so every
    order, split and parallel execution of them is legal.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::math::MathDialect"];
  let useDefaultAttributePrinterParser = 1;
  let useDefaultTypePrinterParser = 1;
  let hasConstantMaterializer = 1;
  let extraClassDeclaration = [{
    void registerAttributes();
    void registerTypes();
  }];
}

#endif // RAMIFY_HSA_DIALECT_TD
