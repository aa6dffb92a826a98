// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reads a serialised plan: the text of Plan.h, then the bytes of its code. It
// trusts nothing: a plan may come from a damaged file.

#include "runtime/Error.h"
#include "runtime/ExprParser.h"
#include "runtime/Plan.h"

#include <optional>

namespace ramify::runtime {

namespace {

constexpr int maxNesting = 16; // of loops and guards
constexpr int64_t maxItems = 4096;

class PlanParser {
public:
  explicit PlanParser(std::string_view text) : lexer(text) {}

  /// Parses everything but the code's bytes, whose sizes it leaves in
  /// `codeSizes`.
  Plan parse(std::vector<int64_t> &codeSizes) {
    parseHeader();
    while (!lexer.accept("end"))
      parseItem(codeSizes);
    if (!lexer.atEnd())
      lexer.error("text behind 'end'");
    for (size_t i = 0; i < mapped.size(); ++i)
      plan.maps[i].value = valueNamed(mapped[i]);
    return std::move(plan);
  }

private:
  void parseHeader() {
    lexer.expect("ramify.plan");
    if (int64_t version = lexer.takeInteger("a version"); version != 1)
      lexer.error(
          concat("version ", version, " of the format; this runtime reads 1"));
    lexer.expect("function");
    plan.function = lexer.takeString("the function's name");
    lexer.expect("backend");
    if (lexer.accept("cuda"))
      plan.backend = Backend::Cuda;
    else
      lexer.expect("cpu");
  }

  void parseItem(std::vector<int64_t> &codeSizes) {
    if (++items > maxItems)
      lexer.error("too many items");
    if (lexer.accept("note")) {
      std::string key = lexer.takeString("a key");
      plan.notes.emplace_back(std::move(key), lexer.takeString("a text"));
    } else if (std::optional<Value::Role> role = acceptRole()) {
      parseValue(*role);
    } else if (lexer.accept("let")) {
      plan.lets.push_back(parseLet());
    } else if (lexer.accept("map")) {
      parseMap();
    } else if (lexer.accept("code")) {
      parseCode(codeSizes);
    } else {
      plan.steps.push_back(parseStep(0));
    }
  }

  std::optional<Value::Role> acceptRole() {
    if (lexer.accept("array"))
      return Value::Role::Array;
    if (lexer.accept("scalar"))
      return Value::Role::Scalar;
    if (lexer.accept("result"))
      return Value::Role::Result;
    return std::nullopt;
  }

  Expr expr() { return ExprParser(lexer, plan.symbols).parse(); }

  /// Its position.
  int parseValue(Value::Role role) {
    if (!plan.values.empty() && order(plan.values.back().role) > order(role))
      lexer.error("arguments come first, then results, then workspaces");
    Value value;
    value.role = role;
    value.name = lexer.takeName("a name");
    std::string type = lexer.takeName("a dtype");
    std::optional<DType> dtype = parseDType(type);
    if (!dtype)
      lexer.error("unknown dtype '" + type + "'");
    value.dtype = *dtype;
    if (value.isArray())
      parseShape(value);
    if (role == Value::Role::Array && lexer.accept("align"))
      value.alignment = lexer.takeInteger("an alignment");
    if (!value.isArgument())
      value.zero = lexer.accept("zero");
    return addValue(std::move(value));
  }

  int addValue(Value value) {
    plan.values.push_back(std::move(value));
    return static_cast<int>(plan.values.size()) - 1;
  }

  static int order(Value::Role role) {
    switch (role) {
    case Value::Role::Array:
    case Value::Role::Scalar:
      return 0;
    case Value::Role::Result:
      return 1;
    case Value::Role::Workspace:
    case Value::Role::View:
      return 2;
    }
    return 2;
  }

  void parseShape(Value &value) {
    lexer.expect("[");
    while (!lexer.accept("]")) {
      if (!value.shape.empty())
        lexer.expect(",");
      if (value.shape.size() == maxRank)
        lexer.error("too many dimensions");
      value.shape.push_back(expr());
    }
  }

  void parseMap() {
    TensorMap map;
    map.name = lexer.takeName("a name");
    mapped.push_back(lexer.takeName("an array"));
    lexer.expect("box");
    lexer.expect("[");
    do
      map.box.push_back(lexer.takeInteger("a size"));
    while (map.box.size() < maxRank && lexer.accept(","));
    lexer.expect("]");
    lexer.expect("swizzle");
    int64_t swizzle = lexer.takeInteger("bytes");
    map.swizzle = swizzle <= 128 ? static_cast<int>(swizzle) : -1;
    if (plan.findMap(map.name) >= 0)
      lexer.error("the tensor map '" + map.name + "' stands twice");
    plan.maps.push_back(std::move(map));
  }

  void parseCode(std::vector<int64_t> &codeSizes) {
    Code code;
    code.target = lexer.takeString("a target");
    if (lexer.accept("ptx"))
      code.kind = CodeKind::Ptx;
    else if (lexer.accept("cubin"))
      code.kind = CodeKind::Cubin;
    else
      lexer.expect("object");
    codeSizes.push_back(lexer.takeInteger("a size"));
    plan.codes.push_back(std::move(code));
  }

  int valueNamed(const std::string &name) {
    int index = plan.findValue(name);
    if (index < 0)
      lexer.error("nothing is called '" + name + "'");
    return index;
  }

  Step parseStep(int nesting) {
    if (nesting > maxNesting || ++items > maxItems)
      lexer.error("too many steps");
    if (lexer.accept("launch"))
      return Step{parseLaunch()};
    if (lexer.accept("memset")) {
      Memset memset;
      memset.value = valueNamed(lexer.takeName("a result or workspace"));
      memset.byte = lexer.takeInteger("a byte");
      return Step{memset};
    }
    if (lexer.accept("workspace"))
      return Step{Make{parseValue(Value::Role::Workspace)}};
    if (lexer.accept("view"))
      return Step{parseView()};
    if (nesting && lexer.accept("let"))
      return Step{parseLet()};
    if (lexer.accept("do"))
      return Step{Scope{parseBody(nesting)}};
    if (lexer.accept("for"))
      return Step{parseLoop(nesting)};
    if (lexer.accept("if"))
      return Step{parseGuard(nesting)};
    lexer.error("unexpected '" + lexer.peek().text + "'");
  }

  std::vector<Step> parseBody(int nesting) {
    std::vector<Step> steps;
    lexer.expect("{");
    while (!lexer.accept("}"))
      steps.push_back(parseStep(nesting + 1));
    return steps;
  }

  Let parseLet() {
    Let let;
    let.symbol = plan.symbols.intern(lexer.takeName("a name"));
    let.value = expr();
    return let;
  }

  View parseView() {
    View view;
    Value value;
    value.role = Value::Role::View;
    value.name = lexer.takeName("a name");
    lexer.expect("=");
    view.base = valueNamed(lexer.takeName("an array"));
    value.dtype = plan.values[view.base].dtype;
    value.shape = plan.values[view.base].shape;
    lexer.expect("axis");
    int64_t axis = lexer.takeInteger("an axis");
    if (axis < 0 || axis >= static_cast<int64_t>(value.shape.size()))
      lexer.error("'" + plan.values[view.base].name + "' has no axis " +
                  std::to_string(axis));
    view.axis = static_cast<int>(axis);
    lexer.expect("from");
    view.from = expr();
    lexer.expect("size");
    value.shape[view.axis] = expr();
    view.value = addValue(std::move(value));
    return view;
  }

  Loop parseLoop(int nesting) {
    Loop loop;
    loop.variable = plan.symbols.intern(lexer.takeName("a loop variable"));
    lexer.expect("<");
    loop.trip = expr();
    loop.body = parseBody(nesting);
    return loop;
  }

  Guard parseGuard(int nesting) {
    Guard guard;
    guard.condition = expr();
    guard.body = parseBody(nesting);
    if (lexer.accept("else"))
      guard.otherwise = parseBody(nesting);
    return guard;
  }

  Launch parseLaunch() {
    Launch launch;
    launch.kernel = lexer.takeString("a kernel");
    lexer.expect("grid");
    lexer.expect("(");
    for (int i = 0; i < 3; ++i) {
      if (i)
        lexer.expect(",");
      launch.grid[i] = expr();
    }
    lexer.expect(")");
    lexer.expect("block");
    launch.block = lexer.takeInteger("threads");
    if (lexer.accept("shared"))
      launch.sharedBytes = expr();
    if (lexer.accept("cluster"))
      parseCluster(launch);
    lexer.expect("(");
    while (!lexer.accept(")")) {
      if (!launch.operands.empty())
        lexer.expect(",");
      launch.operands.push_back(parseOperand());
    }
    return launch;
  }

  void parseCluster(Launch &launch) {
    lexer.expect("(");
    for (int i = 0; i < 3; ++i) {
      if (i)
        lexer.expect(",");
      launch.cluster[i] = lexer.takeInteger("a size");
    }
    lexer.expect(")");
  }

  Operand parseOperand() {
    Operand operand;
    std::string word = lexer.takeName("an operand");
    if (!lexer.accept("(")) {
      operand.index = valueNamed(word);
      return operand;
    }
    if (word == "i32" || word == "i64") {
      operand.kind = word == "i32" ? Operand::Kind::I32 : Operand::Kind::I64;
      operand.expr = expr();
    } else if (word == "ptr") {
      operand.kind = Operand::Kind::Pointer;
      operand.index = valueNamed(lexer.takeName("an array"));
    } else if (word == "map") {
      operand.kind = Operand::Kind::Map;
      std::string name = lexer.takeName("a tensor map");
      operand.index = plan.findMap(name);
      if (operand.index < 0)
        lexer.error("no tensor map is called '" + name + "'");
    } else {
      lexer.error("unknown kind of operand '" + word + "'");
    }
    lexer.expect(")");
    return operand;
  }

  Lexer lexer;
  Plan plan;
  std::vector<std::string> mapped; ///< the array of each tensor map
  int64_t items = 0;
};

} // namespace

Plan Plan::parse(std::string_view bytes) {
  static constexpr std::string_view marker = "\nend\n";
  size_t end = bytes.find(marker);
  if (end == std::string_view::npos)
    fail(ErrorKind::Plan, "plan: no line 'end'");
  end += marker.size();
  std::vector<int64_t> codeSizes;
  Plan plan = PlanParser(bytes.substr(0, end)).parse(codeSizes);
  std::string_view rest = bytes.substr(end);
  for (size_t i = 0; i < codeSizes.size(); ++i) {
    if (static_cast<uint64_t>(codeSizes[i]) > rest.size())
      fail(ErrorKind::Plan, "plan of ", plan.function, ": code is cut short");
    plan.codes[i].bytes = rest.substr(0, codeSizes[i]);
    rest.remove_prefix(codeSizes[i]);
  }
  if (!rest.empty())
    fail(ErrorKind::Plan, "plan of ", plan.function, ": ", rest.size(),
         " bytes too many");
  plan.verify();
  return plan;
}

} // namespace ramify::runtime
