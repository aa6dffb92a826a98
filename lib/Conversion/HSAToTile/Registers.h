// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- Registers.h - What a thread of a query block holds -------*- C++ -*-===//
//
// An estimate of a GPU thread's registers, when a warp has 16 rows: a column of
// a tile of 32-bit elements takes 16 / 32 of one. It was fitted to what ptxas
// reports for selected chunks with D from 64 to 256 and S from 64 to 256, and
// need not be closer than that: it decides between a chunk at once and tiles of
// 128, 64, 32 or 16 keys.
//
//===----------------------------------------------------------------------===//

#ifndef RAMIFY_LIB_CONVERSION_HSATOTILE_REGISTERS_H
#define RAMIFY_LIB_CONVERSION_HSATOTILE_REGISTERS_H

#include "dialects/HSA/IR/HSA.h"

namespace ramify {

/// Registers of a thread with the tiles of `keys` keys, the accumulators and
/// the queries of `program`; `inPasses` if these are one tile of several. Of
/// gradients, where a program of the grid has `rows` rows of the queries and
/// adds to memory what it has for each key (VisitRegisters.h); else 0.
int64_t estimateRegisters(hsa::ProgramOp program, int64_t keys, int64_t rows,
                          bool inPasses);

/// The same of gradients where a program owns a chunk, which `rows` rows of the
/// queries visit at a time: it carries the sums of all its keys through the
/// visits, unless these are made in passes. Warps share the rows, and of what
/// has fewer rows the columns (HomeLayouts.h).
int64_t estimateOwnerRegisters(hsa::ProgramOp program, int64_t keys,
                               int64_t rows, bool inPasses);
/// And its shared memory, without passes.
int64_t estimateOwnerSharedBytes(hsa::ProgramOp program, int64_t keys,
                                 int64_t rows);

/// Whether keys or values are f32, whose products are made of split factors.
bool hasF32Chunks(hsa::ProgramOp program);

/// Whether accumulators of `program` are so wide that two warps share the
/// columns of each (AssignLayouts.h). A program of the grid then has 16 rows.
bool sharesColumns(hsa::ProgramOp program);

/// The same where the keys are those of several chunks.
int64_t estimateGatheredRegisters(hsa::ProgramOp program, int64_t keys);

/// Whether a thread has no room for the accumulators of `program` twice: what
/// they were before a visit, beside what they are after it.
bool fillsRegisters(hsa::ProgramOp program);

} // namespace ramify

#endif // RAMIFY_LIB_CONVERSION_HSATOTILE_REGISTERS_H
