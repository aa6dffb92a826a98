// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- BlockProgram.h - Each query block as one query -----------*- C++ -*-===//

#ifndef RAMIFY_LIB_CONVERSION_HSATOTILE_BLOCKPROGRAM_H
#define RAMIFY_LIB_CONVERSION_HSATOTILE_BLOCKPROGRAM_H

#include "dialects/HSA/IR/HSA.h"

namespace ramify {

/// Whether the blocks of the program have several positions, and nothing that
/// it computes differs between them.
bool computesForBlocks(hsa::ProgramOp program);

/// Makes such a program one of as many queries as there are blocks, and gives
/// numbers of single queries, which an earlier program handed on, their axis
/// pos. Returns whether it did either; else the program is as it was.
bool makeBlocksQueries(hsa::ProgramOp program);

} // namespace ramify

#endif // RAMIFY_LIB_CONVERSION_HSATOTILE_BLOCKPROGRAM_H
