// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- HSADialect.cpp - What the hsa dialect registers --------------------===//

#include "dialects/HSA/IR/HSA.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace ramify::hsa;

#include "dialects/HSA/IR/HSADialect.cpp.inc"

namespace {

/// Prints `#hsa.axes<pos, head, key>` as `#pos_head_key`, defined once above
/// the module, so that types stay short enough to read.
struct AxesAliases : OpAsmDialectInterface {
  using OpAsmDialectInterface::OpAsmDialectInterface;

  AliasResult getAlias(Attribute attr, raw_ostream &os) const final {
    auto axes = dyn_cast<AxesAttr>(attr);
    if (!axes || axes.getAxes().empty())
      return AliasResult::NoAlias;
    llvm::interleave(
        axes.getAxes(), os, [&](Axis axis) { os << stringifyAxis(axis); }, "_");
    return AliasResult::FinalAlias;
  }
};

} // namespace

void HSADialect::initialize() {
  registerAttributes();
  registerTypes();
  addOperations<
#define GET_OP_LIST
#include "dialects/HSA/IR/HSAOps.cpp.inc"
      >();
  addInterfaces<AxesAliases>();
}

Operation *HSADialect::materializeConstant(OpBuilder &builder, Attribute value,
                                           Type type, Location loc) {
  return arith::ConstantOp::materialize(builder, value, type, loc);
}
