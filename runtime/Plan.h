// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A plan is a compiled function: what it takes, what it returns, the steps that
// compute it, and the code of its kernels. It is plain data, made by the
// compiler and written as text followed by the code's bytes; `PlanText.cpp`
// prints it and `PlanParser.cpp` reads it.
//
//     ramify.plan 1
//     function "hsa"
//     backend cuda
//     note "schedule" "query_major"
//     array q bf16 [B, L, HQ, 64] align 16
//     array k bf16 [B, N, H, 64] align 16
//     scalar scale f32
//     let windows ceildiv(L, 4096)
//     result out bf16 [B, L, HQ, 64]
//     map kmap k box [1, 64, 1, 64] swizzle 128
//     workspace acc f32 [B, L, 16] zero
//     launch "hsa_0" grid (ceildiv(L, 4), H, B) block 128 shared 40960
//       cluster (1, 1, 1)
//       (q, map(kmap), scale, i32(N - L), ptr(acc), out)
//     memset out 0
//     for w < windows {
//       let rows min(4096, L - w * 4096)
//       view q0 = q axis 1 from w * 4096 size rows
//       workspace row f32 [B, rows]
//       launch "part" grid (1, H, B) block 128 (q0, row, i64(w * 4096))
//     }
//     do { ... }
//     if q.align >= 16 && N < 1000 { ... } else { ... }
//     code "sm_90a" ptx 18231
//     end
//     <18231 bytes>
//
// Arrays. A dimension is a number or the name of a size; a name that stands
// twice must have the same value. Arguments, results, workspaces and views
// share one name space. Results and workspaces are contiguous. Results are
// allocated anew for each call; `zero` fills them first. A workspace begins
// where it stands, filled with zeros there if it is `zero`, and ends with its
// block of steps: workspaces of different blocks may share memory
// (Workspace.h). A view is some places of an axis of another array; it has the
// array's strides.
//
// Symbols of expressions: the named sizes; integer scalar arguments; what `let`
// names, behind it and to the end of its block; loop variables inside their
// loop; `sms` (multiprocessors of the device; 1 on the CPU); and for an
// array argument `q`: `q.dim0`, `q.stride0` (elements), `q.align` (the power of
// two, at most 256, that divides its address and the byte strides of every
// dimension but the last), `q.span` (elements from its first to behind its
// last).
//
// Operands of a kernel, in order: an array gives a pointer, then its sizes,
// then its strides (i64, in elements); a scalar gives its value; `i32(expr)`
// and `i64(expr)` a computed integer; `ptr(x)` only the pointer; `map(m)` the
// 128 bytes of a tensor map. A CPU kernel `f` is entered through the symbol
// `f_packed`, of type void(void **), whose argument points to one pointer per
// parameter; behind the operands it has four i64: begin and end of a range of
// linear programs, nx and ny. Program (x, y, z) of the grid (nx, ny, nz) has
// the linear number x + nx * (y + ny * z). A launch with an empty grid is
// skipped. Who loads a plan for the CPU links its object and gives the runtime
// the addresses (CpuKernels in Executable.h); a GPU's code the driver loads.

#ifndef RAMIFY_RUNTIME_PLAN_H
#define RAMIFY_RUNTIME_PLAN_H

#include "runtime/DType.h"
#include "runtime/Expr.h"

#include <array>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace ramify::runtime {

enum class Backend : uint8_t { Cpu, Cuda };
enum class CodeKind : uint8_t { Object, Ptx, Cubin };

inline constexpr int maxRank = 8;

/// Anything with a name in a plan: an argument, or an array that it makes.
struct Value {
  enum class Role : uint8_t { Array, Scalar, Result, Workspace, View };
  std::string name;
  Role role = Role::Array;
  DType dtype = DType::F32;
  /// Sizes. Of an array argument: constants or single symbols.
  std::vector<Expr> shape;
  /// Array arguments: bytes that must divide the address and strides; 0 if
  /// anything goes.
  int64_t alignment = 0;
  /// Results and workspaces: filled with zero bytes when they begin.
  bool zero = false;

  bool isArgument() const {
    return role == Role::Array || role == Role::Scalar;
  }
  bool isArray() const { return role != Role::Scalar; }
  bool operator==(const Value &) const = default;
};

/// A tensor map over an array, encoded anew at each launch that uses it.
struct TensorMap {
  std::string name;
  int value = 0;            // position in Plan::values
  std::vector<int64_t> box; // elements per dimension, in the array's order
  int swizzle = 0;          // bytes: 0, 32, 64 or 128
  bool operator==(const TensorMap &) const = default;
};

struct Operand {
  enum class Kind : uint8_t { Value, Pointer, Map, I32, I64 };
  Kind kind = Kind::Value;
  int index = 0; // of the value or the map
  Expr expr;     // of I32 and I64
  bool operator==(const Operand &) const = default;
};

struct Launch {
  std::string kernel;
  std::array<Expr, 3> grid = {Expr(1), Expr(1), Expr(1)};
  int64_t block = 1;
  Expr sharedBytes;
  std::array<int64_t, 3> cluster = {1, 1, 1};
  std::vector<Operand> operands;
  bool operator==(const Launch &) const = default;
};

/// A number with a name, where several steps need it.
struct Let {
  int symbol = 0;
  Expr value;
  bool operator==(const Let &) const = default;
};

struct Memset {
  int value = 0; // position of a result or workspace
  int64_t byte = 0;
  bool operator==(const Memset &) const = default;
};

/// A workspace begins.
struct Make {
  int value = 0;
  bool operator==(const Make &) const = default;
};

/// A view begins: of the array `base`, as many places of `axis` as the view's
/// shape says, from `from` on.
struct View {
  int value = 0;
  int base = 0;
  int axis = 0;
  Expr from;
  bool operator==(const View &) const = default;
};

struct Step;

/// A block of steps, at whose end its workspaces end.
struct Scope {
  std::vector<Step> body;
  bool operator==(const Scope &) const;
};

struct Loop {
  int variable = 0; // symbol
  Expr trip;
  std::vector<Step> body;
  bool operator==(const Loop &) const;
};

struct Guard {
  Expr condition;
  std::vector<Step> body;
  std::vector<Step> otherwise;
  bool operator==(const Guard &) const;
};

struct Step {
  std::variant<Launch, Memset, Let, Make, View, Scope, Loop, Guard> action;
  bool operator==(const Step &) const = default;
};

inline bool Scope::operator==(const Scope &) const = default;
inline bool Loop::operator==(const Loop &) const = default;
inline bool Guard::operator==(const Guard &) const = default;

/// Calls `visit` for each block of steps that the step holds.
template <typename Visitor> void visitBlocks(const Step &step, Visitor visit) {
  if (auto *scope = std::get_if<Scope>(&step.action)) {
    visit(scope->body);
  } else if (auto *loop = std::get_if<Loop>(&step.action)) {
    visit(loop->body);
  } else if (auto *guard = std::get_if<Guard>(&step.action)) {
    visit(guard->body);
    visit(guard->otherwise);
  }
}

struct Code {
  std::string target; // "sm_90a", "x86_64"
  CodeKind kind = CodeKind::Object;
  std::string bytes;
  bool operator==(const Code &) const = default;
};

struct Plan {
  std::string function;
  Backend backend = Backend::Cpu;
  std::vector<std::pair<std::string, std::string>> notes;
  SymbolTable symbols;
  std::vector<Value> values; // arguments, then results, then all others
  std::vector<Let> lets;     // outside of blocks; may use those before it
  std::vector<TensorMap> maps;
  std::vector<Step> steps;
  std::vector<Code> codes;

  /// The position of a value or map, or -1.
  int findValue(std::string_view name) const;
  int findMap(std::string_view name) const;
  /// The names of all kernels, each once, in order.
  std::vector<std::string> kernels() const;

  /// Checks everything that the executors rely on. Throws Error(Plan).
  void verify() const;

  /// The text, up to and with the line `end`.
  std::string text() const;
  /// The text and the code's bytes.
  std::string serialize() const;
  /// Reads and verifies; any damage throws Error(Plan).
  static Plan parse(std::string_view bytes);
};

/// How a symbol's value is found when a plan runs.
struct SymbolSource {
  enum class Kind : uint8_t {
    Unknown,
    Dim,
    Stride,
    Align,
    Span,
    Scalar,
    Sms,
    Let,
    LoopVariable
  };
  Kind kind = Kind::Unknown;
  int value = 0;
  int dim = 0;
};

/// Fills in what `let` names outside of blocks; all other symbols that are
/// known there are filled in.
void evaluateLets(const Plan &plan, std::span<int64_t> environment);

/// One source per symbol of the plan; Unknown where nothing defines it.
std::vector<SymbolSource> resolveSymbols(const Plan &plan);

const char *name(Backend backend);
const char *name(CodeKind kind);

} // namespace ramify::runtime

#endif
