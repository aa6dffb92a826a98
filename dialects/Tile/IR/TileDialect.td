// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- TileDialect.td - The tile dialect -------------------*- tablegen -*-===//

#ifndef RAMIFY_TILE_DIALECT_TD
#define RAMIFY_TILE_DIALECT_TD

include "mlir/IR/OpBase.td"

def Tile_Dialect : Dialect {
  let name = "tile";
  let cppNamespace = "::ramify::tile";
  let summary = "Programs over tiles, and the plan that launches them";
  let description = [{
    A `tile.kernel` is the work of one program of a grid, over tiles of at most
    two dimensions. Arrays are memrefs, tiles are builtin tensors, arithmetic is
    upstream `arith` and `math`, control flow is `scf`. A `tile.plan` is what the
    host does: result shapes, workspace, launches.

    The dialect has two stages, each with a verifier for its set of ops. In the
    *portable* stage tensors have no encoding and the ops say nothing of threads;
    the CPU lowering starts there. In the *placed* stage each tensor's encoding is
    a layout that says which thread holds which element, and copies, rings and
    matrix instructions are explicit.
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::math::MathDialect",
    "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect",
    "::mlir::tensor::TensorDialect"];
  let useDefaultAttributePrinterParser = 1;
  let hasConstantMaterializer = 1;
  let useDefaultTypePrinterParser = 1;
}

#endif // RAMIFY_TILE_DIALECT_TD
