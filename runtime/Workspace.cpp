// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "runtime/Workspace.h"

#include "runtime/Error.h"

#include <algorithm>

namespace ramify::runtime {

int64_t countElements(const Plan &plan, int value,
                      std::span<const int64_t> environment) {
  int64_t elements = 1;
  const std::vector<Expr> &shape = plan.values[value].shape;
  for (size_t d = shape.size(); d-- > 0;) {
    int64_t size = shape[d].evaluate(environment);
    bool overflow =
        __builtin_mul_overflow(elements, std::max<int64_t>(size, 1), &elements);
    if (size < 0 || overflow || elements > (int64_t(1) << 60))
      fail(ErrorKind::Argument, plan.function, "(): the size of ",
           plan.values[value].name, " is ", size, " along axis ", d,
           ", which cannot be allocated");
  }
  auto isEmpty = [&](const Expr &size) {
    return size.evaluate(environment) == 0;
  };
  return std::any_of(shape.begin(), shape.end(), isEmpty) ? 0 : elements;
}

/// No machine has so much memory.
static constexpr int64_t mostBytes = int64_t(1) << 60;

int64_t slotBytes(const Plan &plan, int value,
                  std::span<const int64_t> environment) {
  constexpr int64_t alignment = 256;
  int64_t elements = countElements(plan, value, environment);
  int64_t size = sizeOf(plan.values[value].dtype);
  if (elements > mostBytes / size)
    fail(ErrorKind::Argument, plan.function, "(): ", plan.values[value].name,
         " has ", elements, " elements, which cannot be allocated");
  int64_t bytes = elements * size;
  return (bytes + alignment - 1) / alignment * alignment;
}

static bool makesWorkspaces(const std::vector<Step> &steps) {
  return std::any_of(steps.begin(), steps.end(), [](const Step &step) {
    bool makes = std::holds_alternative<Make>(step.action);
    visitBlocks(step, [&](const std::vector<Step> &body) {
      makes = makes || makesWorkspaces(body);
    });
    return makes;
  });
}

namespace {
/// Goes through the steps of a call without doing any.
class Measurement {
public:
  Measurement(const Plan &plan, std::span<int64_t> environment)
      : plan(plan), environment(environment) {}

  void walk(const std::vector<Step> &steps) {
    int64_t before = top;
    for (const Step &step : steps)
      std::visit([&](const auto &action) { meet(action); }, step.action);
    top = before;
  }

  int64_t most = 0;

private:
  int64_t &symbol(int number) {
    return environment[static_cast<size_t>(number)];
  }
  void meet(const Launch &) {}
  void meet(const Memset &) {}
  void meet(const View &) {}
  void meet(const Let &let) {
    symbol(let.symbol) = let.value.evaluate(environment);
  }
  void meet(const Make &make) {
    top += slotBytes(plan, make.value, environment);
    if (top > mostBytes)
      fail(ErrorKind::Argument, plan.function,
           "(): its workspaces take more than ", mostBytes,
           " bytes, which cannot be allocated");
    most = std::max(most, top);
  }
  void meet(const Scope &scope) { walk(scope.body); }
  void meet(const Loop &loop) {
    if (!makesWorkspaces(loop.body))
      return;
    int64_t trip = loop.trip.evaluate(environment);
    for (int64_t i = 0; i < trip; ++i) {
      symbol(loop.variable) = i;
      walk(loop.body);
    }
  }
  void meet(const Guard &guard) {
    walk(guard.condition.evaluate(environment) ? guard.body : guard.otherwise);
  }

  const Plan &plan;
  std::span<int64_t> environment;
  int64_t top = 0;
};
} // namespace

int64_t workspaceBytes(const Plan &plan, std::span<int64_t> environment) {
  Measurement measurement(plan, environment);
  measurement.walk(plan.steps);
  return measurement.most;
}

} // namespace ramify::runtime
