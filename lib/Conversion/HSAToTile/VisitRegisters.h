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

/// Where a visit leaves its products of rows.
enum class ProductsOfRows {
  InMemory,   ///< made beside what else there is, and added at once
  InRegisters ///< added to sums that the program carries through its visits
};

/// Whether `op` contracts the rows of two tiles, keys of the one becoming the
/// rows of the result [key, dim].
bool isProductOfRows(hsa::DotOp op);
/// Whether some visit of `program` has such a product.
bool hasProductsOfRows(hsa::ProgramOp program);

/// Registers that the tiles of a visit of `program` take in a thread at most,
/// with `keys` keys at a time and `rows` rows in a program of the grid, which
/// `warps` warps share. Sums in registers are not among them.
int64_t countVisitRegisters(hsa::ProgramOp program, int64_t keys, int64_t rows,
                            int64_t warps, ProductsOfRows products);

/// The warps that can share both so many rows and so many keys.
int64_t countCommonWarps(int64_t rows, int64_t keys);
/// Of the warps that share so many rows, those that share a product with
/// `columns` columns whose rows are the keys: where these are fewer, by
/// columns.
int64_t countOwnerWarps(int64_t rows, int64_t keys, int64_t columns);

} // namespace ramify

#endif // RAMIFY_LIB_CONVERSION_HSATOTILE_VISITREGISTERS_H
