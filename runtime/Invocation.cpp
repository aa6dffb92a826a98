// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "runtime/Error.h"
#include "runtime/Executable.h"
#include "runtime/Workspace.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace ramify::runtime {

using SourceKind = SymbolSource::Kind;

Invocation::Invocation(const Executable &executable)
    : executable(executable), plan(executable.plan()),
      bound(plan.values.size()),
      environment(static_cast<size_t>(plan.symbols.size())) {
  for (size_t v = 0; v < bound.size(); ++v)
    bound[v].rank = static_cast<int>(plan.values[v].shape.size());
}

void Invocation::setArray(int value, const ArrayRef &array) {
  Bound &target = bound[value];
  target.data = array.data;
  std::copy_n(array.sizes, target.rank, target.sizes);
  std::copy_n(array.strides, target.rank, target.strides);
}

void Invocation::setScalar(int value, uint64_t bits) {
  bound[value].scalar = bits;
}

//===----------------------------------------------------------------------===//
// Binding
//===----------------------------------------------------------------------===//

/// An integer scalar's value, from its bits.
static int64_t integerValue(DType type, uint64_t bits) {
  switch (type) {
  case DType::I32:
    return static_cast<int32_t>(bits);
  case DType::I16:
    return static_cast<int16_t>(bits);
  case DType::I8:
    return static_cast<int8_t>(bits);
  default:
    return static_cast<int64_t>(bits);
  }
}

int64_t Invocation::alignmentOf(int value) const {
  const Bound &array = bound[value];
  uint64_t bits = 256 | reinterpret_cast<uint64_t>(array.data);
  for (int d = 0; d + 1 < array.rank; ++d)
    if (array.sizes[d] > 1)
      bits |= static_cast<uint64_t>(array.strides[d] *
                                    sizeOf(plan.values[value].dtype));
  return int64_t(1) << std::countr_zero(bits);
}

int64_t Invocation::spanOf(int value) const {
  const Bound &array = bound[value];
  int64_t last = 0;
  for (int d = 0; d < array.rank; ++d) {
    if (array.sizes[d] == 0)
      return 0;
    last += (array.sizes[d] - 1) * std::max<int64_t>(array.strides[d], 0);
  }
  return last + 1;
}

int64_t Invocation::symbolValue(const SymbolSource &source) const {
  switch (source.kind) {
  case SourceKind::Dim:
    return bound[source.value].sizes[source.dim];
  case SourceKind::Stride:
    return bound[source.value].strides[source.dim];
  case SourceKind::Align:
    return alignmentOf(source.value);
  case SourceKind::Span:
    return spanOf(source.value);
  case SourceKind::Scalar:
    return integerValue(plan.values[source.value].dtype,
                        bound[source.value].scalar);
  case SourceKind::Sms:
    return executable.multiprocessors();
  case SourceKind::Let:
  case SourceKind::LoopVariable:
  case SourceKind::Unknown:
    break;
  }
  return 0;
}

void Invocation::bind() {
  const std::vector<SymbolSource> &sources = executable.symbolSources();
  for (size_t s = 0; s < sources.size(); ++s)
    environment[s] = symbolValue(sources[s]);
  evaluateLets(plan, {environment.data(), sources.size()});
  for (int v = 0; v < static_cast<int>(bound.size()); ++v) {
    if (plan.values[v].role == Value::Role::Array)
      checkArgument(v);
    else if (plan.values[v].role == Value::Role::Result)
      computeShape(v);
  }
  workspaceSize =
      runtime::workspaceBytes(plan, {environment.data(), sources.size()});
}

void Invocation::checkArgument(int v) const {
  const Value &value = plan.values[v];
  for (int d = 0; d < bound[v].rank; ++d) {
    int64_t expected = evaluate(value.shape[d]);
    if (bound[v].sizes[d] == expected)
      continue;
    if (value.shape[d].isConstant())
      fail(ErrorKind::Argument, plan.function, "(): ", value.name, " has ",
           bound[v].sizes[d], " along axis ", d, ", expected ", expected);
    fail(ErrorKind::Argument, plan.function, "(): ", value.name, " has ",
         value.shape[d].str(plan.symbols), " = ", bound[v].sizes[d], " (axis ",
         d, "), expected ", expected);
  }
  if (value.alignment > 1 && alignmentOf(v) % value.alignment != 0)
    fail(ErrorKind::Argument, plan.function, "(): ", value.name,
         " is not aligned to ", value.alignment,
         " bytes, which this kernel was compiled for");
}

void Invocation::computeShape(int v) {
  countElements(plan, v, environment); // or it throws
  Bound &target = bound[v];
  int64_t stride = 1;
  for (int d = target.rank - 1; d >= 0; --d) {
    target.sizes[d] = evaluate(plan.values[v].shape[d]);
    target.strides[d] = stride;
    stride *= std::max<int64_t>(target.sizes[d], 1);
  }
}

int64_t Invocation::byteSize(int value) const {
  int64_t size = sizeOf(plan.values[value].dtype);
  for (int d = 0; d < bound[value].rank; ++d)
    size *= bound[value].sizes[d];
  return size;
}

//===----------------------------------------------------------------------===//
// Running
//===----------------------------------------------------------------------===//

void Invocation::run(const RunContext &where) {
  context = &where;
  auto steps = [](void *self) {
    auto *call = static_cast<Invocation *>(self);
    for (size_t v = 0; v < call->bound.size(); ++v)
      if (call->plan.values[v].role == Value::Role::Result &&
          call->plan.values[v].zero)
        call->perform(Memset{static_cast<int>(v), 0});
    call->runSteps(call->plan.steps);
  };
  executable.runSteps(where, steps, this);
  context = nullptr;
}

void Invocation::runSteps(const std::vector<Step> &steps) {
  int64_t before = workspaceTop;
  for (const Step &step : steps)
    std::visit([&](const auto &action) { perform(action); }, step.action);
  workspaceTop = before;
}

void Invocation::perform(const Memset &memset) {
  if (int64_t size = byteSize(memset.value))
    executable.fill(bound[memset.value].data, static_cast<int>(memset.byte),
                    size, *context);
}

void Invocation::perform(const Let &let) {
  environment[let.symbol] = evaluate(let.value);
}

void Invocation::perform(const Make &make) {
  computeShape(make.value);
  bound[make.value].data = workspace + workspaceTop;
  workspaceTop += slotBytes(plan, make.value, environment);
  if (plan.values[make.value].zero)
    perform(Memset{make.value, 0});
}

void Invocation::perform(const View &view) {
  Bound &part = bound[view.value];
  const Bound &base = bound[view.base];
  std::copy_n(base.sizes, base.rank, part.sizes);
  std::copy_n(base.strides, base.rank, part.strides);
  int64_t from = evaluate(view.from);
  int64_t size = evaluate(plan.values[view.value].shape[view.axis]);
  if (from < 0 || size < 0 || size > base.sizes[view.axis] - from)
    fail(ErrorKind::Plan, "plan of ", plan.function, ": ",
         plan.values[view.value].name, " has places ", from, " to ",
         from + size, " of the ", base.sizes[view.axis], " of ",
         plan.values[view.base].name);
  part.sizes[view.axis] = size;
  part.data =
      static_cast<char *>(base.data) +
      from * base.strides[view.axis] * sizeOf(plan.values[view.base].dtype);
}

void Invocation::perform(const Scope &scope) { runSteps(scope.body); }

void Invocation::perform(const Loop &loop) {
  int64_t trip = evaluate(loop.trip);
  for (int64_t i = 0; i < trip; ++i) {
    environment[loop.variable] = i;
    runSteps(loop.body);
  }
}

void Invocation::perform(const Guard &guard) {
  runSteps(evaluate(guard.condition) ? guard.body : guard.otherwise);
}

void Invocation::perform(const Launch &launch) {
  ReadyLaunch ready;
  ready.step = &launch;
  for (int i = 0; i < 3; ++i) {
    ready.grid[i] = evaluate(launch.grid[i]);
    if (ready.grid[i] <= 0)
      return;
  }
  ready.sharedBytes = evaluate(launch.sharedBytes);
  ready.kernel = executable.kernelIndex(launch.kernel);

  size_t values = 0, maps = 0;
  for (const Operand &operand : launch.operands) {
    maps += operand.kind == Operand::Kind::Map;
    values += 1;
    if (operand.kind == Operand::Kind::Value)
      values += 2 * static_cast<size_t>(bound[operand.index].rank);
  }
  ParameterList parameters(values, maps);
  for (const Operand &operand : launch.operands)
    pushOperand(operand, parameters);
  executable.launch(ready, parameters, *context);
}

void Invocation::pushOperand(const Operand &operand,
                             ParameterList &parameters) const {
  if (operand.kind == Operand::Kind::I32 ||
      operand.kind == Operand::Kind::I64) {
    int64_t value = evaluate(operand.expr);
    if (operand.kind == Operand::Kind::I32 &&
        value != static_cast<int32_t>(value))
      fail(ErrorKind::Argument, plan.function,
           "(): ", operand.expr.str(plan.symbols), " = ", value,
           " does not fit 32 bits");
    return parameters.push(static_cast<uint64_t>(value));
  }
  if (operand.kind == Operand::Kind::Map) {
    const TensorMap &map = plan.maps[operand.index];
    const Bound &array = bound[map.value];
    return parameters.push(
        executable.encode(map, plan.values[map.value].dtype,
                          {array.data, array.sizes, array.strides}));
  }
  const Bound &value = bound[operand.index];
  if (plan.values[operand.index].role == Value::Role::Scalar)
    return parameters.push(value.scalar);
  parameters.push(reinterpret_cast<uint64_t>(value.data));
  if (operand.kind == Operand::Kind::Pointer)
    return;
  for (int d = 0; d < value.rank; ++d)
    parameters.push(static_cast<uint64_t>(value.sizes[d]));
  for (int d = 0; d < value.rank; ++d)
    parameters.push(static_cast<uint64_t>(value.strides[d]));
}

} // namespace ramify::runtime
