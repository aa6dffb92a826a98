// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- ArrayAccess.cpp - What kernels do with their arrays ----------------===//

#include "dialects/Tile/IR/ArrayAccess.h"

#include "dialects/Tile/IR/Tile.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Interfaces/ViewLikeInterface.h"

using namespace mlir;
using namespace ramify;

bool tile::isOnlyRead(Value array) {
  return llvm::all_of(array.getUsers(), [&](Operation *user) {
    if (isMemoryEffectFree(user))
      return !isa<ViewLikeOpInterface, UnrealizedConversionCastOp>(user);
    auto interface = dyn_cast<MemoryEffectOpInterface>(user);
    if (!interface)
      return false;
    SmallVector<MemoryEffects::EffectInstance> effects;
    interface.getEffects(effects);
    return llvm::all_of(effects, [&](MemoryEffects::EffectInstance &effect) {
      bool other = effect.getValue() && effect.getValue() != array;
      return other || isa<MemoryEffects::Read>(effect.getEffect());
    });
  });
}

bool tile::isReadOfConstantArray(Operation *op) {
  Value array;
  if (auto load = dyn_cast<memref::LoadOp>(op))
    array = load.getMemRef();
  else if (auto lookup = dyn_cast<LookupOp>(op))
    array = lookup.getSource();
  else
    return false;
  auto argument = dyn_cast<BlockArgument>(array);
  return argument && isa<KernelOp>(argument.getOwner()->getParentOp()) &&
         isOnlyRead(argument);
}
