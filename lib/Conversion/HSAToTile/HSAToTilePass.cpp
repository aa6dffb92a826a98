// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- HSAToTilePass.cpp - Choosing a schedule and lowering with it -------===//

#include "ramify/Conversion/HSAToTile.h"

#include "Schedule.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace ramify;

namespace ramify {
#define GEN_PASS_DEF_HSATOTILE
#include "lib/Conversion/HSAToTile/Passes.h.inc"
} // namespace ramify

namespace {
class HSAToTilePass : public ramify::impl::HSAToTileBase<HSAToTilePass> {
public:
  using HSAToTileBase::HSAToTileBase;

  void runOnOperation() override {
    const Schedule *chosen =
        llvm::find_if(schedules, [&](const Schedule &candidate) {
          return candidate.name == schedule;
        });
    if (chosen == std::end(schedules)) {
      emitError(getOperation().getLoc())
          << "there is no schedule \"" << schedule << "\"; there "
          << (std::size(schedules) == 1 ? "is" : "are") << " "
          << llvm::join(llvm::map_range(schedules,
                                        [](const Schedule &candidate) {
                                          return candidate.name.str();
                                        }),
                        ", ");
      return signalPassFailure();
    }
    TileLimits limits{rowsMultiple, colsMultiple, maxRows, maxKeyTile,
                      registers};
    for (auto program :
         llvm::make_early_inc_range(getOperation().getOps<hsa::ProgramOp>())) {
      if (failed(chosen->lower(program, limits)))
        return signalPassFailure();
      program.erase();
    }
  }
};
} // namespace
