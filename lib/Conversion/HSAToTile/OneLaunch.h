// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- OneLaunch.h - Programs of launches as one kernel ---------*- C++ -*-===//
//
// A function that selects and attends is launched as several programs, each
// over all query blocks. On request, or where each sequence has one query
// block, each program of the grid makes all steps for its own query block:
//
//   tile.plan @f_plan {                    tile.plan @f_plan {
//     %s = tile.workspace                    %s = tile.workspace
//     tile.launch @f_0 (%lm, %s)       ->    tile.launch @f (%lm, %s, %k, %o)
//     tile.launch @f_1 (%s, %k, %o)        }
//   }                                      tile.kernel @f(%lm, %s, %k, %o) {
//                                            the body of @f_0, which writes %s
//                                            tile.barrier
//                                            the body of @f_1, which reads %s
//                                          }
//
// What the steps hand on stays where it was, in memory: each program reads the
// rows only that it has written itself, so the threads of one program need to
// meet, and no others. For that, all steps have the same grid: a program owns
// one query block, also where it walks over streams, whose tiles have more rows
// for more queries else.
//
//===----------------------------------------------------------------------===//

#ifndef RAMIFY_LIB_CONVERSION_HSATOTILE_ONELAUNCH_H
#define RAMIFY_LIB_CONVERSION_HSATOTILE_ONELAUNCH_H

#include "Schedule.h"

namespace ramify {

/// A program that others launch, and the schedule that it goes by.
struct LaunchedProgram {
  hsa::ProgramOp program;
  const Schedule *schedule;
};

/// Why these programs cannot be one kernel; empty if they can.
std::string whyNotOneLaunch(llvm::ArrayRef<LaunchedProgram> programs,
                            const TileLimits &limits);

/// The limits by which each of them then has a program of the grid for each
/// query block.
TileLimits getLimitsOfOneLaunch(llvm::ArrayRef<LaunchedProgram> programs,
                                const TileLimits &limits);

/// Replaces the kernels that the plan launches by one, and the launches too.
void makeOneLaunch(tile::PlanOp plan);

} // namespace ramify

#endif // RAMIFY_LIB_CONVERSION_HSATOTILE_ONELAUNCH_H
