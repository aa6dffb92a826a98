// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- Compiler.h - From the text of a program to a plan --------*- C++ -*-===//
//
// The compiler as a library: hsa text in, a serialised plan with its code out
// (runtime/Plan.h). No state is kept between calls, and calls may run at once.
// This header needs nothing of LLVM, so that users with exceptions and RTTI can
// include it.
//
//===----------------------------------------------------------------------===//

#ifndef RAMIFY_COMPILER_COMPILER_H
#define RAMIFY_COMPILER_COMPILER_H

#include <string>
#include <string_view>
#include <vector>

namespace ramify {

struct CompileOptions {
  /// "cpu", or a GPU architecture of KnownTargets.h.
  std::string target = "cpu";
  std::string schedule = "query_major";
  /// The schedule of programs that `schedule` refuses, and of all if a kernel
  /// of `schedule` has too much shared memory; "" to say why it does.
  std::string otherwise;
  /// Addresses and strides of the arrays are multiples of 16 bytes.
  bool aligned = true;
  /// Whether the caller gives no `q_start`, which then is N - L.
  bool defaultQStart = false;
  /// "" for the program itself; "forward" for the program with what its
  /// gradient needs as further results; "backward" for its gradient. The text
  /// is that of the program itself each time.
  std::string derivative;
  /// The parameters that gradients are taken by, with commas between them.
  std::string wrt;
  /// Names of indices, with commas between them, whose inverse index the plan
  /// of chunk_major takes as further arguments instead of making it.
  std::string imported;
  /// Queries of a window of chunk_major; 0 leaves it to the compiler.
  int windowTokens = 0;
  /// Bytes of what the steps of a function hand on at a time; 0 leaves it to
  /// the compiler.
  int handedBytes = 0;
  /// A function that selects and attends is launched once, if it can be: one
  /// program for each query block makes all steps.
  bool oneLaunch = false;
  /// Sums are added in the same order each time: the same bits.
  bool deterministic = false;
  /// Sums of so few terms that they may be rounded to 16 bits in between.
  bool narrowSums = false;
  /// chunk_major refuses programs whose sums it would keep in memory of their
  /// own and finish in a launch more, unless chunks have many keys for each
  /// row.
  bool inPlace = false;
  /// chunk_major refuses programs whose chunks have fewer keys for each row of
  /// a query block; 0 refuses none.
  int keysPerRow = 0;
  /// Stages of the rings in shared memory (GPU); 0 leaves it to the compiler.
  int stages = 0;
  /// Keys whose scores are computed at once: longer chunks are cut, shorter
  /// ones are visited several at once. 0 leaves it to the target.
  int keyTile = 0;
  /// Registers of a thread that are counted with: scores of a chunk that need
  /// more are computed tile by tile, in passes. 0 leaves it to the target.
  int registers = 0;
  /// Slices of the visits of a query block (split_kv); 0 leaves it to the plan.
  int slices = 0;
};

/// An error with its place: that of the program's `loc(...)`, else of the text.
struct CompileDiagnostic {
  std::string message;
  std::string file;
  int line = 0, column = 0; ///< from 1; 0 if there is none
};

struct CompileResult {
  std::string output;
  std::vector<CompileDiagnostic> errors;
  bool succeeded = false;
};

/// The plan of the program in `text`, with the code of its kernels.
CompileResult compile(std::string_view text, const CompileOptions &options);

/// What the program is at one of these levels, as text or, for an object,
/// bytes. For a GPU the text may also be kernels over placed tiles, which go on
/// from there to llvm or ptx.
///   hsa     the program, canonicalised
///   tile    kernels and plan over portable tiles
///   placed  kernels over tiles with layouts (GPU)
///   llvm    LLVM IR, optimised
///   ptx     (GPU)   asm, object   (CPU)
///   plan    the plan without its code
CompileResult lower(std::string_view text, std::string_view level,
                    const CompileOptions &options);

} // namespace ramify

#endif // RAMIFY_COMPILER_COMPILER_H
