// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Prints a plan in the form that PlanParser.cpp reads.

#include "runtime/Plan.h"

#include <algorithm>
#include <sstream>

namespace ramify::runtime {

namespace {

class Printer {
public:
  explicit Printer(const Plan &plan) : plan(plan) {}

  std::string print() {
    out << "ramify.plan 1\nfunction " << quoted(plan.function) << "\nbackend "
        << name(plan.backend) << "\n";
    for (const auto &[key, text] : plan.notes)
      out << "note " << quoted(key) << " " << quoted(text) << "\n";
    auto isArgument = [](const Value &value) { return value.isArgument(); };
    auto isReturned = [](const Value &value) {
      return value.role == Value::Role::Result;
    };
    auto made =
        std::find_if_not(plan.values.begin(), plan.values.end(), isArgument);
    auto local = std::find_if_not(made, plan.values.end(), isReturned);
    for (auto value = plan.values.begin(); value != made; ++value)
      print(*value);
    for (const Let &let : plan.lets)
      print(let, "");
    for (auto value = made; value != local; ++value)
      print(*value);
    for (const TensorMap &map : plan.maps)
      print(map);
    for (const Step &step : plan.steps)
      print(step, "");
    for (const Code &code : plan.codes)
      out << "code " << quoted(code.target) << " " << name(code.kind) << " "
          << code.bytes.size() << "\n";
    out << "end\n";
    return out.str();
  }

private:
  static std::string quoted(const std::string &text) {
    std::string result = "\"";
    for (char c : text) {
      if (c == '"' || c == '\\')
        result += '\\';
      if (c == '\n')
        result += "\\n";
      else
        result += c;
    }
    return result + "\"";
  }

  std::string str(const Expr &expr) const { return expr.str(plan.symbols); }

  template <typename Range, typename Fn>
  std::string list(const Range &range, Fn &&text) const {
    std::string result;
    for (const auto &item : range)
      result += (result.empty() ? "" : ", ") + text(item);
    return result;
  }

  void print(const Value &value) {
    static constexpr const char *roles[] = {"array", "scalar", "result",
                                            "workspace"};
    out << roles[static_cast<int>(value.role)] << " " << value.name << " "
        << name(value.dtype);
    if (value.isArray())
      out << " [" << list(value.shape, [&](const Expr &e) { return str(e); })
          << "]";
    if (value.alignment)
      out << " align " << value.alignment;
    if (value.zero)
      out << " zero";
    out << "\n";
  }

  void print(const TensorMap &map) {
    out << "map " << map.name << " " << plan.values[map.value].name << " box ["
        << list(map.box, [](int64_t n) { return std::to_string(n); })
        << "] swizzle " << map.swizzle << "\n";
  }

  std::string text(const Operand &operand) const {
    switch (operand.kind) {
    case Operand::Kind::Value:
      return plan.values[operand.index].name;
    case Operand::Kind::Pointer:
      return "ptr(" + plan.values[operand.index].name + ")";
    case Operand::Kind::Map:
      return "map(" + plan.maps[operand.index].name + ")";
    case Operand::Kind::I32:
      return "i32(" + str(operand.expr) + ")";
    case Operand::Kind::I64:
      return "i64(" + str(operand.expr) + ")";
    }
    return "";
  }

  void print(const Step &step, const std::string &indent) {
    std::visit([&](const auto &action) { print(action, indent); }, step.action);
  }

  void printBody(const std::vector<Step> &steps, const std::string &indent) {
    out << "{\n";
    for (const Step &step : steps)
      print(step, indent + "  ");
    out << indent << "}";
  }

  void print(const Launch &launch, const std::string &indent) {
    out << indent << "launch " << quoted(launch.kernel) << " grid ("
        << list(launch.grid, [&](const Expr &e) { return str(e); })
        << ") block " << launch.block;
    if (launch.sharedBytes != Expr(0))
      out << " shared " << str(launch.sharedBytes);
    if (launch.cluster != std::array<int64_t, 3>{1, 1, 1})
      out << " cluster ("
          << list(launch.cluster, [](int64_t n) { return std::to_string(n); })
          << ")";
    out << "\n"
        << indent << "  ("
        << list(launch.operands, [&](const Operand &o) { return text(o); })
        << ")\n";
  }

  void print(const Memset &memset, const std::string &indent) {
    out << indent << "memset " << plan.values[memset.value].name << " "
        << memset.byte << "\n";
  }

  void print(const Let &let, const std::string &indent) {
    out << indent << "let " << plan.symbols.name(let.symbol) << " "
        << str(let.value) << "\n";
  }

  void print(const Make &make, const std::string &indent) {
    out << indent;
    print(plan.values[make.value]);
  }

  void print(const View &view, const std::string &indent) {
    const Value &value = plan.values[view.value];
    out << indent << "view " << value.name << " = "
        << plan.values[view.base].name << " axis " << view.axis << " from "
        << str(view.from) << " size " << str(value.shape[view.axis]) << "\n";
  }

  void print(const Scope &scope, const std::string &indent) {
    out << indent << "do ";
    printBody(scope.body, indent);
    out << "\n";
  }

  void print(const Loop &loop, const std::string &indent) {
    out << indent << "for " << plan.symbols.name(loop.variable) << " < "
        << str(loop.trip) << " ";
    printBody(loop.body, indent);
    out << "\n";
  }

  void print(const Guard &guard, const std::string &indent) {
    out << indent << "if " << str(guard.condition) << " ";
    printBody(guard.body, indent);
    if (!guard.otherwise.empty()) {
      out << " else ";
      printBody(guard.otherwise, indent);
    }
    out << "\n";
  }

  const Plan &plan;
  std::ostringstream out;
};

} // namespace

std::string Plan::text() const { return Printer(*this).print(); }

std::string Plan::serialize() const {
  std::string bytes = text();
  for (const Code &code : codes)
    bytes += code.bytes;
  return bytes;
}

} // namespace ramify::runtime
