// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- Passes.td - Passes on the hsa dialect ---------------*- tablegen -*-===//

#ifndef RAMIFY_HSA_PASSES_TD
#define RAMIFY_HSA_PASSES_TD

include "mlir/Pass/PassBase.td"

def Differentiate : Pass<"hsa-differentiate", "::mlir::ModuleOp"> {
  let summary = "the gradient of a program, or the program that saves for it";
  let description = [{
    See Differentiate.h.
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::math::MathDialect",
    "::ramify::hsa::HSADialect"];
  let options = [
    Option<"wrt", "wrt", "std::string", "\"\"",
           "parameters to differentiate by, with commas between them">,
    Option<"mode", "mode", "std::string", "\"backward\"",
           "forward (save what the gradient needs) or backward">];
}

def SumHeadsFirst : Pass<"hsa-sum-heads-first"> {
  let summary = "sums over heads of products become products of sums";
  let description = [{
    See SumHeadsFirst.cpp.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect"];
}

#endif // RAMIFY_HSA_PASSES_TD
