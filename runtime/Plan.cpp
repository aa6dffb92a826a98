// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "runtime/Plan.h"

#include "runtime/Error.h"

#include <algorithm>
#include <charconv>

namespace ramify::runtime {

using SourceKind = SymbolSource::Kind;

const char *name(Backend backend) {
  return backend == Backend::Cpu ? "cpu" : "cuda";
}

const char *name(CodeKind kind) {
  switch (kind) {
  case CodeKind::Object:
    return "object";
  case CodeKind::Ptx:
    return "ptx";
  case CodeKind::Cubin:
    return "cubin";
  }
  return "";
}

template <typename Range>
static int findByName(const Range &range, std::string_view name) {
  auto it = std::find_if(range.begin(), range.end(),
                         [&](const auto &x) { return x.name == name; });
  return it == range.end() ? -1 : static_cast<int>(it - range.begin());
}

int Plan::findValue(std::string_view name) const {
  return findByName(values, name);
}
int Plan::findMap(std::string_view name) const {
  return findByName(maps, name);
}

static void collectKernels(const std::vector<Step> &steps,
                           std::vector<std::string> &out) {
  for (const Step &step : steps) {
    if (auto *launch = std::get_if<Launch>(&step.action)) {
      if (std::find(out.begin(), out.end(), launch->kernel) == out.end())
        out.push_back(launch->kernel);
    }
    visitBlocks(step, [&](const auto &body) { collectKernels(body, out); });
  }
}

std::vector<std::string> Plan::kernels() const {
  std::vector<std::string> names;
  collectKernels(steps, names);
  return names;
}

//===----------------------------------------------------------------------===//
// Symbols
//===----------------------------------------------------------------------===//

/// The source of `q.align`, `q.stride2` and the like.
static SymbolSource attributeSource(const Plan &plan, std::string_view name) {
  size_t dot = name.rfind('.');
  if (dot == std::string_view::npos)
    return {};
  int value = plan.findValue(name.substr(0, dot));
  if (value < 0 || plan.values[value].role != Value::Role::Array)
    return {};
  std::string_view attribute = name.substr(dot + 1);
  if (attribute == "align")
    return {SourceKind::Align, value, 0};
  if (attribute == "span")
    return {SourceKind::Span, value, 0};
  bool isDim = attribute.starts_with("dim");
  if (!isDim && !attribute.starts_with("stride"))
    return {};
  std::string_view digits = attribute.substr(isDim ? 3 : 6);
  unsigned dim = 0;
  auto [end, code] =
      std::from_chars(digits.data(), digits.data() + digits.size(), dim);
  if (code != std::errc() || end != digits.data() + digits.size() ||
      dim >= plan.values[value].shape.size())
    return {};
  return {isDim ? SourceKind::Dim : SourceKind::Stride, value,
          static_cast<int>(dim)};
}

/// Symbols that steps define.
static void markDefined(const std::vector<Step> &steps,
                        std::vector<SymbolSource> &sources) {
  auto mark = [&](int symbol, SourceKind kind) {
    if (sources[symbol].kind == SourceKind::Unknown)
      sources[symbol].kind = kind;
  };
  for (const Step &step : steps) {
    if (auto *loop = std::get_if<Loop>(&step.action))
      mark(loop->variable, SourceKind::LoopVariable);
    else if (auto *let = std::get_if<Let>(&step.action))
      mark(let->symbol, SourceKind::Let);
    visitBlocks(step, [&](const auto &body) { markDefined(body, sources); });
  }
}

std::vector<SymbolSource> resolveSymbols(const Plan &plan) {
  std::vector<SymbolSource> sources(plan.symbols.size());
  for (int v = 0; v < static_cast<int>(plan.values.size()); ++v) {
    const Value &value = plan.values[v];
    if (value.role == Value::Role::Scalar && !isFloat(value.dtype)) {
      if (int symbol = plan.symbols.find(value.name); symbol >= 0)
        sources[symbol] = {SourceKind::Scalar, v, 0};
    }
    if (value.role != Value::Role::Array)
      continue;
    for (int d = 0; d < static_cast<int>(value.shape.size()); ++d) {
      const Expr::Instr &instr = value.shape[d].instructions()[0];
      if (instr.op == Expr::Op::Symbol &&
          sources[instr.value].kind == SourceKind::Unknown)
        sources[instr.value] = {SourceKind::Dim, v, d};
    }
  }
  for (int s = 0; s < plan.symbols.size(); ++s) {
    if (sources[s].kind != SourceKind::Unknown)
      continue;
    if (plan.symbols.name(s) == "sms")
      sources[s].kind = SourceKind::Sms;
    else
      sources[s] = attributeSource(plan, plan.symbols.name(s));
  }
  for (const Let &let : plan.lets)
    if (sources[let.symbol].kind == SourceKind::Unknown)
      sources[let.symbol].kind = SourceKind::Let;
  markDefined(plan.steps, sources);
  return sources;
}

void evaluateLets(const Plan &plan, std::span<int64_t> environment) {
  for (const Let &let : plan.lets)
    environment[static_cast<size_t>(let.symbol)] =
        let.value.evaluate(environment);
}

} // namespace ramify::runtime
