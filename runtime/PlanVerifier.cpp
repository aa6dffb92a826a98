// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What executors may rely on: every symbol has a source and is in scope, every
// index points to something of the right role, and every number is within the
// hardware's general limits.

#include "runtime/Error.h"
#include "runtime/Plan.h"

#include <algorithm>

namespace ramify::runtime {

namespace {

class Verifier {
public:
  explicit Verifier(const Plan &plan)
      : plan(plan), sources(resolveSymbols(plan)) {}

  void run() {
    for (const Let &let : plan.lets)
      check(let);
    for (int v = 0; v < static_cast<int>(plan.values.size()); ++v) {
      checkName(plan.values[v]);
      if (plan.values[v].role > Value::Role::Result)
        continue;
      checkValue(plan.values[v]);
      known.push_back(v);
    }
    for (const TensorMap &map : plan.maps)
      checkMap(map);
    checkSteps(plan.steps);
  }

private:
  template <typename... Ts> [[noreturn]] void error(Ts &&...parts) const {
    fail(ErrorKind::Plan, "plan of ", plan.function, ": ",
         std::forward<Ts>(parts)...);
  }

  void checkExpr(const Expr &expr) const {
    for (const Expr::Instr &instr : expr.instructions()) {
      if (instr.op != Expr::Op::Symbol)
        continue;
      const std::string &name =
          plan.symbols.name(static_cast<int>(instr.value));
      SymbolSource::Kind kind = sources[instr.value].kind;
      if (kind == SymbolSource::Kind::Unknown)
        error("nothing defines the symbol '", name, "'");
      if (kind == SymbolSource::Kind::Let &&
          !isDefined(static_cast<int>(instr.value)))
        error("'", name, "' is used before it is defined");
      if (kind == SymbolSource::Kind::LoopVariable &&
          !inScope(static_cast<int>(instr.value)))
        error("'", name, "' is used outside its loop");
    }
  }

  bool inScope(int symbol) const {
    return std::find(loops.begin(), loops.end(), symbol) != loops.end();
  }

  bool isDefined(int symbol) const {
    return std::find(defined.begin(), defined.end(), symbol) != defined.end();
  }

  bool isKnown(int value) const {
    return std::find(known.begin(), known.end(), value) != known.end();
  }

  void check(const Let &let) {
    checkExpr(let.value);
    if (sources[let.symbol].kind != SymbolSource::Kind::Let ||
        isDefined(let.symbol))
      error("'", plan.symbols.name(let.symbol), "' is defined twice");
    defined.push_back(let.symbol);
  }

  void checkName(const Value &value) const {
    auto same = [&](const Value &other) { return other.name == value.name; };
    if (std::count_if(plan.values.begin(), plan.values.end(), same) != 1)
      error("the name '", value.name, "' stands twice");
  }

  void checkValue(const Value &value) const {
    if (value.shape.size() > maxRank)
      error("'", value.name, "' has more than ", maxRank, " dimensions");
    if (value.alignment < 0 || value.alignment > 256)
      error("'", value.name, "' has alignment ", value.alignment);
    for (const Expr &size : value.shape) {
      checkExpr(size);
      if (value.role == Value::Role::Array && size.instructions().size() != 1)
        error("a size of the argument '", value.name,
              "' is neither a number nor a name");
    }
  }

  void checkMap(const TensorMap &map) const {
    if (!isArray(map.value))
      error("the tensor map '", map.name, "' is not over an array");
    if (map.box.empty() || map.box.size() > 5 ||
        map.box.size() != plan.values[map.value].shape.size())
      error("the box of the tensor map '", map.name,
            "' does not fit its array");
    for (int64_t size : map.box)
      if (size < 1 || size > 256)
        error("the tensor map '", map.name, "' has a box size of ", size);
    if (map.swizzle != 0 && map.swizzle != 32 && map.swizzle != 64 &&
        map.swizzle != 128)
      error("the tensor map '", map.name, "' has a swizzle of ", map.swizzle,
            " bytes");
  }

  bool isValue(int index) const {
    return index >= 0 && index < static_cast<int>(plan.values.size());
  }
  /// An array or scalar that is there at this step.
  bool isThere(int index) const { return isValue(index) && isKnown(index); }
  bool isArray(int index) const {
    return isValue(index) && plan.values[index].isArray();
  }

  void checkSteps(const std::vector<Step> &steps) {
    size_t lets = defined.size(), values = known.size();
    for (const Step &step : steps)
      std::visit([&](const auto &action) { check(action); }, step.action);
    defined.resize(lets);
    known.resize(values);
  }

  void begin(int value, Value::Role role) {
    if (!isValue(value) || plan.values[value].role != role || isKnown(value))
      error("a step makes what is no array of its own");
    checkValue(plan.values[value]);
    known.push_back(value);
  }

  void check(const Make &make) { begin(make.value, Value::Role::Workspace); }

  void check(const View &view) {
    checkExpr(view.from);
    begin(view.value, Value::Role::View);
    const Value &value = plan.values[view.value];
    if (!isArray(view.base) || !isKnown(view.base) || view.base == view.value)
      error("'", value.name, "' is a view of what is no array there");
    const Value &base = plan.values[view.base];
    if (view.axis < 0 || view.axis >= static_cast<int>(base.shape.size()) ||
        value.shape.size() != base.shape.size() || value.dtype != base.dtype)
      error("'", value.name, "' is no part of '", base.name, "'");
  }

  void check(const Scope &scope) { checkSteps(scope.body); }

  void check(const Launch &launch) const {
    for (const Expr &size : launch.grid)
      checkExpr(size);
    checkExpr(launch.sharedBytes);
    if (launch.block < 1 || launch.block > 1024)
      error("'", launch.kernel, "' has a block of ", launch.block, " threads");
    for (int64_t size : launch.cluster)
      if (size < 1 || size > 16)
        error("'", launch.kernel, "' has a cluster dimension of ", size);
    for (const Operand &operand : launch.operands)
      checkOperand(launch, operand);
  }

  void checkOperand(const Launch &launch, const Operand &operand) const {
    bool right = true;
    if (operand.kind == Operand::Kind::Value)
      right = isThere(operand.index);
    else if (operand.kind == Operand::Kind::Pointer)
      right = isThere(operand.index) && isArray(operand.index);
    else if (operand.kind == Operand::Kind::Map)
      right = operand.index >= 0 &&
              operand.index < static_cast<int>(plan.maps.size()) &&
              isThere(plan.maps[operand.index].value) &&
              plan.backend == Backend::Cuda;
    else
      checkExpr(operand.expr);
    if (!right)
      error("'", launch.kernel, "' has an operand that its place cannot take");
  }

  void check(const Memset &memset) const {
    auto isMade = [](Value::Role role) {
      return role == Value::Role::Result || role == Value::Role::Workspace;
    };
    if (!isThere(memset.value) || !isMade(plan.values[memset.value].role))
      error("memset takes a result or a workspace");
    if (memset.byte < 0 || memset.byte > 255)
      error("memset to ", memset.byte, ", which is no byte");
  }

  void check(const Loop &loop) {
    checkExpr(loop.trip);
    if (sources[loop.variable].kind != SymbolSource::Kind::LoopVariable ||
        inScope(loop.variable))
      error("the loop variable '", plan.symbols.name(loop.variable),
            "' hides another symbol");
    loops.push_back(loop.variable);
    checkSteps(loop.body);
    loops.pop_back();
  }

  void check(const Guard &guard) {
    checkExpr(guard.condition);
    checkSteps(guard.body);
    checkSteps(guard.otherwise);
  }

  const Plan &plan;
  std::vector<SymbolSource> sources;
  std::vector<int> loops;   ///< their variables
  std::vector<int> defined; ///< by let
  std::vector<int> known;   ///< values
};

} // namespace

void Plan::verify() const { Verifier(*this).run(); }

} // namespace ramify::runtime
