// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "runtime/Plan.h"
#include "runtime/Error.h"

#include <gtest/gtest.h>

using namespace ramify::runtime;

namespace {

/// A plan that uses every construct of the form.
const std::string text = R"(ramify.plan 1
function "hsa"
backend cuda
note "schedule" "say \"what\"\nand why"
array q bf16 [B, L, HQ, 64] align 16
array k bf16 [B, N, H, 64]
scalar scale f32
scalar start i32
let windows ceildiv(L, 4096)
let last windows - 1
result out bf16 [B, L, HQ, 64]
map kmap k box [1, 64, 1, 64] swizzle 128
workspace acc f32 [B, ceildiv(L, 4)] zero
if q.align >= 16 && q.span < 2147483648 {
  launch "hsa_0" grid (ceildiv(L, 4), H, B) block 128 shared 40960 cluster (2, 1, 1)
    (q, k, map(kmap), scale, i32(N - L + start), ptr(acc), out)
} else {
  memset out 0
}
for w < windows {
  let rows min(4096, L - w * 4096)
  view part = q axis 1 from w * 4096 size rows
  workspace own f32 [rows]
  launch "part" grid (min(sms, H), 1, B) block 64
    (part, i64(w * 4096), out, own)
}
do {
  workspace last f32 [4]
  memset last 0
}
code "sm_90a" ptx 5
code "sm_80" cubin 3
end
)";

const std::string code = std::string("ab\0d\n", 5) + "xyz";

std::string errorOf(const std::string &bytes) {
  try {
    Plan::parse(bytes);
  } catch (const Error &error) {
    EXPECT_EQ(error.kind(), ErrorKind::Plan);
    return error.what();
  }
  return "";
}

std::string replaced(const std::string &from, const std::string &to) {
  std::string bytes = text + code;
  size_t at = bytes.find(from);
  EXPECT_NE(at, std::string::npos);
  return bytes.replace(at, from.size(), to);
}

TEST(Plan, ParsingAndPrintingRoundTrip) {
  Plan plan = Plan::parse(text + code);
  EXPECT_EQ(plan.text(), text);
  EXPECT_EQ(plan.serialize(), text + code);
  EXPECT_EQ(plan.backend, Backend::Cuda);
  EXPECT_EQ(plan.notes[0].second, "say \"what\"\nand why");
  EXPECT_EQ(plan.codes[0].bytes, code.substr(0, 5));
  EXPECT_EQ(plan.codes[1].bytes, "xyz");
  EXPECT_EQ(plan.kernels(), (std::vector<std::string>{"hsa_0", "part"}));
}

TEST(Plan, AViewIsPartOfItsArray) {
  Plan plan = Plan::parse(text + code);
  View &view =
      std::get<View>(std::get<Loop>(plan.steps[2].action).body[1].action);
  auto errorOfPlan = [&]() -> std::string {
    try {
      plan.verify();
    } catch (const Error &error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(errorOfPlan(), "");
  view.axis = 4;
  EXPECT_EQ(errorOfPlan(), "plan of hsa: 'part' is no part of 'q'");
  view.axis = 1;
  plan.values[view.value].dtype = DType::F32;
  EXPECT_EQ(errorOfPlan(), "plan of hsa: 'part' is no part of 'q'");
}

TEST(Plan, SymbolsHaveSources) {
  Plan plan = Plan::parse(text + code);
  std::vector<SymbolSource> sources = resolveSymbols(plan);
  auto source = [&](const char *name) {
    return sources[plan.symbols.find(name)];
  };
  EXPECT_EQ(source("L").kind, SymbolSource::Kind::Dim);
  EXPECT_EQ(source("L").dim, 1);
  EXPECT_EQ(source("q.align").kind, SymbolSource::Kind::Align);
  EXPECT_EQ(source("q.span").kind, SymbolSource::Kind::Span);
  EXPECT_EQ(source("start").kind, SymbolSource::Kind::Scalar);
  EXPECT_EQ(source("sms").kind, SymbolSource::Kind::Sms);
  EXPECT_EQ(source("w").kind, SymbolSource::Kind::LoopVariable);
  EXPECT_EQ(source("windows").kind, SymbolSource::Kind::Let);
}

TEST(Plan, LetsAreEvaluatedInOrder) {
  Plan plan = Plan::parse(text + code);
  std::vector<int64_t> environment(plan.symbols.size());
  environment[plan.symbols.find("L")] = 10000;
  evaluateLets(plan, environment);
  EXPECT_EQ(environment[plan.symbols.find("windows")], 3);
  EXPECT_EQ(environment[plan.symbols.find("last")], 2);
}

TEST(Plan, MistakesAreErrors) {
  EXPECT_EQ(errorOf(replaced("ramify.plan 1", "ramify.plan 2")),
            "plan, line 2: version 2 of the format; this runtime reads 1");
  EXPECT_EQ(
      errorOf(replaced("L, HQ, 64] align", "L + 1, HQ, 64] align")),
      "plan of hsa: a size of the argument 'q' is neither a number nor a name");
  EXPECT_EQ(errorOf(replaced("scalar start", "scalar scale")),
            "plan of hsa: the name 'scale' stands twice");
  EXPECT_EQ(errorOf(replaced("bf16 [B, N", "bf15 [B, N")),
            "plan, line 6: unknown dtype 'bf15'");
  EXPECT_EQ(errorOf(replaced("N - L", "M - L")),
            "plan of hsa: nothing defines the symbol 'M'");
  EXPECT_EQ(errorOf(replaced("q.align", "q.stride4")),
            "plan of hsa: nothing defines the symbol 'q.stride4'");
  EXPECT_EQ(errorOf(replaced("grid (min(sms, H)", "grid (scale")),
            "plan of hsa: nothing defines the symbol 'scale'");
  EXPECT_EQ(errorOf(replaced("cluster (2, 1, 1)", "cluster (17, 1, 1)")),
            "plan of hsa: 'hsa_0' has a cluster dimension of 17");
  EXPECT_EQ(errorOf(replaced("block 128", "block 2048")),
            "plan of hsa: 'hsa_0' has a block of 2048 threads");
  EXPECT_EQ(errorOf(replaced("shared 40960", "shared w")),
            "plan of hsa: 'w' is used outside its loop");
  EXPECT_EQ(errorOf(replaced("for w <", "for L <")),
            "plan of hsa: the loop variable 'L' hides another symbol");
  EXPECT_EQ(
      errorOf(replaced("let windows ceildiv", "let windows last + ceildiv")),
      "plan of hsa: 'last' is used before it is defined");
  EXPECT_EQ(errorOf(replaced("let last", "let windows")),
            "plan of hsa: 'windows' is defined twice");
  EXPECT_EQ(errorOf(replaced("let last", "let L")),
            "plan of hsa: 'L' is defined twice");
  EXPECT_EQ(errorOf(replaced("let last windows", "let last w")),
            "plan of hsa: 'w' is used outside its loop");
  EXPECT_EQ(errorOf(replaced("memset out", "memset q")),
            "plan of hsa: memset takes a result or a workspace");
  EXPECT_EQ(errorOf(replaced("map(kmap)", "map(vmap)")),
            "plan, line 16: no tensor map is called 'vmap'");
  EXPECT_EQ(errorOf(replaced("memset out", "memset own")),
            "plan, line 18: nothing is called 'own'");
  EXPECT_EQ(errorOf(replaced("memset last", "memset part")),
            "plan of hsa: memset takes a result or a workspace");
  EXPECT_EQ(errorOf(replaced("memset last 0", "memset own 0")),
            "plan of hsa: memset takes a result or a workspace")
      << "which ended with its block";
  EXPECT_EQ(errorOf(replaced("last f32 [4]", "last f32 [rows]")),
            "plan of hsa: 'rows' is used before it is defined");
  EXPECT_EQ(errorOf(replaced("workspace last", "workspace own")),
            "plan, line 29: nothing is called 'last'");
  EXPECT_EQ(errorOf(replaced("= q axis 1", "= own axis 1")),
            "plan, line 22: nothing is called 'own'");
  EXPECT_EQ(errorOf(replaced("= q axis 1", "= scale axis 1")),
            "plan, line 22: 'scale' has no axis 1");
  EXPECT_EQ(errorOf(replaced("= q axis 1", "= q axis 4")),
            "plan, line 22: 'q' has no axis 4");
  EXPECT_EQ(errorOf(replaced("(part, i64", "(last, i64")),
            "plan, line 25: nothing is called 'last'");
  EXPECT_EQ(errorOf(replaced("map kmap k", "map kmap z")),
            "plan, line 34: nothing is called 'z'");
  EXPECT_EQ(errorOf(replaced("ptr(acc)", "ptr(scale)")),
            "plan of hsa: 'hsa_0' has an operand that its place cannot take");
  EXPECT_EQ(errorOf(replaced("backend cuda", "backend cpu")),
            "plan of hsa: 'hsa_0' has an operand that its place cannot take");
  EXPECT_EQ(errorOf(replaced("swizzle 128", "swizzle 16")),
            "plan of hsa: the tensor map 'kmap' has a swizzle of 16 bytes");
  EXPECT_EQ(errorOf(replaced("cubin 3", "cubin 4")),
            "plan of hsa: code is cut short");
  EXPECT_EQ(errorOf(replaced("cubin 3", "cubin 2")),
            "plan of hsa: 1 bytes too many");
}

TEST(Plan, EveryTruncationIsAnError) {
  std::string bytes = text + code;
  for (size_t size = 0; size < bytes.size(); ++size)
    EXPECT_NE(errorOf(bytes.substr(0, size)), "")
        << "cut to " << size << " bytes";
}

TEST(Plan, DamageGivesAnErrorOrAnotherValidPlan) {
  std::string bytes = text + code;
  int errors = 0;
  for (size_t i = 0; i < bytes.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = bytes;
      damaged[i] = static_cast<char>(damaged[i] ^ (1 << bit));
      try {
        Plan plan = Plan::parse(damaged);
        EXPECT_EQ(Plan::parse(plan.serialize()).text(), plan.text());
      } catch (const Error &error) {
        EXPECT_EQ(error.kind(), ErrorKind::Plan);
        ++errors;
      }
    }
  }
  EXPECT_GT(errors, 1000);
}

TEST(Plan, DeepNestingIsAnError) {
  std::string nested;
  for (int i = 0; i < 100000; ++i)
    nested += "if 1 {";
  EXPECT_NE(errorOf(replaced("memset out 0", nested)).find("too many steps"),
            std::string::npos);
}

} // namespace
