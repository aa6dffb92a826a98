// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- VisitRegisters.h - What a visit with gradients holds -----*- C++ -*-===//
//
// The body of a gradient holds several tiles at a time, which ones depends on
// the function. They are counted from the body itself, in its order: a tile
// lives from the operation that makes it to the last that reads it.
//
//     %s  = dot %q, %k over dim         s
//     %p  = exp (%s - lse)              p           instead of s
//     %dp = dot %do, %v over dim        p dp
//     %dv = dot %p, %do over pos, head  p dp dv     dv is [key, dim], and goes
//     %ds = %p * (%dp - delta)          ds          to memory at once
//     %dk = dot %ds, %q over pos, head  ds dk
//
// Keys and values are in shared memory, masks and positions are computed where
// they are read, and sums of [head, dim] are accumulators.
//
//===----------------------------------------------------------------------===//

#ifndef RAMIFY_LIB_CONVERSION_HSATOTILE_VISITREGISTERS_H
#define RAMIFY_LIB_CONVERSION_HSATOTILE_VISITREGISTERS_H

#include "dialects/HSA/IR/HSA.h"

namespace ramify {

/// Whether `op` contracts the rows of two tiles, keys of the one becoming the
/// rows of the result [key, dim].
bool isProductOfRows(hsa::DotOp op);
/// Whether some visit of `program` has such a product.
bool hasProductsOfRows(hsa::ProgramOp program);

/// Registers that the tiles of a visit of `program` take in a thread at most,
/// with `keys` keys at a time and `rows` rows in a program of the grid. Warps
/// share both the rows and the keys.
int64_t countVisitRegisters(hsa::ProgramOp program, int64_t keys, int64_t rows);

} // namespace ramify

#endif // RAMIFY_LIB_CONVERSION_HSATOTILE_VISITREGISTERS_H
