// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- CPUTest.cpp - What compiled kernels compute on this processor ------===//
//
// Small kernels go the whole way: portable tile, vectors, LLVM, an object file,
// the process. For both vector shapes.
//
//===----------------------------------------------------------------------===//

#include "CPUKernel.h"

#include <cmath>
#include <gtest/gtest.h>
#include <limits>
#include <random>
#include <sys/mman.h>
#include <unistd.h>

using namespace mlir;
using namespace ramify;

namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

/// y[i] = op(x[i]), 12 elements a program.
std::string elementwise(const std::string &op) {
  return R"(
!A = memref<?x12xf32, strided<[?, 1]>>
tile.kernel @k(%x: !A, %y: !A) {
  %p = tile.program_id x
  %i = tile.iota : tensor<12xi32>
  %a = tile.lookup %x[%p, %i] : (!A, index, tensor<12xi32>) -> tensor<12xf32>
  %b = )" +
         op + R"( %a : tensor<12xf32>
  tile.scatter %b into %y[%p, %i] : (tensor<12xf32>, !A, index, tensor<12xi32>) -> ()
}
)";
}

struct Function {
  const char *op;
  double (*exact)(double);
  float low, high; // where it is measured
  double ulps;
  float zeroBelow; // results this small may be 0
};

void PrintTo(const Function &function, std::ostream *out) {
  *out << function.op;
}

class CPUMath
    : public testing::TestWithParam<std::tuple<Function, CPUVectorShape>> {
protected:
  std::vector<float> apply(const std::vector<float> &x) {
    auto [function, shape] = GetParam();
    Kernel kernel(elementwise(function.op), shape);
    EXPECT_TRUE(kernel);
    std::vector<float> in(x), out;
    in.resize((x.size() + 11) / 12 * 12);
    out.resize(in.size());
    auto rows = static_cast<int64_t>(in.size() / 12);
    if (kernel)
      kernel.run({{in.data(), {rows, 12}}, {out.data(), {rows, 12}}}, rows);
    out.resize(x.size());
    return out;
  }
};

TEST_P(CPUMath, IsRightToAFewUlps) {
  Function function = std::get<0>(GetParam());
  std::mt19937 random(1);
  std::uniform_real_distribution<float> pick(function.low, function.high);
  std::vector<float> x(12000);
  for (float &value : x)
    value = pick(random);
  std::vector<float> y = apply(x);
  for (size_t i = 0; i < x.size(); ++i) {
    double exact = function.exact(x[i]);
    if (std::fabs(exact) < function.zeroBelow && y[i] == 0)
      continue;
    auto rounded = static_cast<float>(std::fabs(exact));
    double ulp = std::nextafterf(rounded, kInf) - rounded;
    EXPECT_LE(std::fabs(y[i] - exact), function.ulps * ulp) << "at " << x[i];
  }
}

TEST_P(CPUMath, KeepsNaN) { EXPECT_TRUE(std::isnan(apply({kNaN})[0])); }

TEST_P(CPUMath, AgreesAtTheEnds) {
  Function function = std::get<0>(GetParam());
  std::vector<float> x = {0.0f, 1.0f, kInf};
  if (function.low < 0)
    x.insert(x.end(), {-kInf, -1e30f, -1000.0f, 1e30f});
  std::vector<float> y = apply(x);
  for (size_t i = 0; i < x.size(); ++i) {
    auto exact = static_cast<float>(function.exact(x[i]));
    if (std::isinf(exact) || exact == 0)
      EXPECT_EQ(y[i], exact) << "at " << x[i];
    else
      EXPECT_NEAR(y[i], exact, 1e-6 * std::fabs(exact)) << "at " << x[i];
  }
}

INSTANTIATE_TEST_SUITE_P(
    Functions, CPUMath,
    testing::Combine(
        testing::Values(
            Function{"math.exp2", std::exp2, -140, 127.9f, 1.5, 0x1p-125f},
            Function{"math.exp", std::exp, -95, 88.7f, 2, 0x1p-125f},
            Function{"math.log", std::log, 1e-30f, 1e30f, 2, 0},
            Function{"math.tanh", std::tanh, -9, 9, 5, 0},
            Function{"math.sqrt", std::sqrt, 0, 1e30f, 0.5, 0}),
        testing::Values(CPUVectorShape::avx512(), CPUVectorShape::avx2())));

/// The 16-bit floats nearest to f32 values, ties to even.
std::vector<uint16_t> rounded(const std::vector<float> &x,
                              const std::string &type) {
  std::string text = R"(
tile.kernel @k(%x: memref<?xf32, strided<[1]>>, %y: memref<?xTYPE, strided<[1]>>) {
  %i = tile.iota : tensor<8xi32>
  %a = tile.lookup %x[%i] : (memref<?xf32, strided<[1]>>, tensor<8xi32>) -> tensor<8xf32>
  %b = arith.truncf %a : tensor<8xf32> to tensor<8xTYPE>
  tile.scatter %b into %y[%i] : (tensor<8xTYPE>, memref<?xTYPE, strided<[1]>>, tensor<8xi32>) -> ()
}
)";
  for (size_t at; (at = text.find("TYPE")) != std::string::npos;)
    text.replace(at, 4, type);
  Kernel kernel(text, hostCPU().vectorShape());
  EXPECT_TRUE(kernel);
  std::vector<float> in(x);
  in.resize(8);
  std::vector<uint16_t> out(8);
  if (kernel)
    kernel.run({{in.data(), {8}}, {out.data(), {8}}}, 1);
  out.resize(x.size());
  return out;
}

TEST(CPURounding, BF16TiesToEven) {
  // 1 + 1/256 lies between 1 and 1 + 1/128; so do its neighbours.
  EXPECT_EQ(
      rounded({1.0f, 0x1.01p0f, 0x1.03p0f, 0x1.010002p0f, -kInf, 0x1.ffffp127f},
              "bf16"),
      (std::vector<uint16_t>{0x3f80, 0x3f80, 0x3f82, 0x3f81, 0xff80, 0x7f80}));
  uint16_t nan = rounded({kNaN}, "bf16")[0];
  EXPECT_GT(nan & 0x7fff, 0x7f80);
}

TEST(CPURounding, F16TiesToEven) {
  EXPECT_EQ(
      rounded({1.0f, 0x1.002p0f, 0x1.006p0f, 65504.0f, 65520.0f, 0x1p-24f},
              "f16"),
      (std::vector<uint16_t>{0x3c00, 0x3c00, 0x3c02, 0x7bff, 0x7c00, 0x0001}));
}

/// Floats between two pages that must not be touched, next to the first or to
/// the second.
class GuardedArray {
public:
  explicit GuardedArray(size_t count, bool atStart)
      : page(static_cast<size_t>(::sysconf(_SC_PAGESIZE))) {
    size_t bytes = count * sizeof(float);
    size_t inside = (bytes + page - 1) / page * page;
    size = inside + 2 * page;
    base = static_cast<char *>(
        ::mmap(nullptr, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    ::mprotect(base + page, inside, PROT_READ | PROT_WRITE);
    first =
        reinterpret_cast<float *>(base + page + (atStart ? 0 : inside - bytes));
  }
  ~GuardedArray() { ::munmap(base, size); }
  GuardedArray(const GuardedArray &) = delete;

  float *data() { return first; }
  float &operator[](size_t i) { return first[i]; }

private:
  size_t page, size;
  char *base;
  float *first;
};

/// out = q k^T, then out v: rows, keys, dim.
struct Sizes {
  int rows, keys, dim;
};
class CPUDot
    : public testing::TestWithParam<std::tuple<Sizes, CPUVectorShape>> {};

TEST_P(CPUDot, BothProductsAgreeWithSumsAndTouchNothingElse) {
  auto [sizes, shape] = GetParam();
  auto [rows, keys, dim] = sizes;
  std::string text = R"(
!Q = memref<?xDxf32, strided<[?, 1]>>
tile.kernel @k(%q: !Q, %k: !Q, %v: !Q, %out: !Q) {
  %r = tile.iota : tensor<Rxi32>
  %x = tile.iota : tensor<Kxi32>
  %zero = arith.constant dense<0.0> : tensor<RxKxf32>
  %half = arith.constant dense<0.5> : tensor<RxDxf32>
  %qt = tile.gather %q[%r] : (!Q, tensor<Rxi32>) -> tensor<RxDxf32>
  %kt = tile.gather %k[%x] : (!Q, tensor<Kxi32>) -> tensor<KxDxf32>
  %vt = tile.gather %v[%x] : (!Q, tensor<Kxi32>) -> tensor<KxDxf32>
  %s = tile.dot %qt, transposed %kt, %zero : tensor<RxDxf32>, tensor<KxDxf32>, tensor<RxKxf32> -> tensor<RxKxf32>
  %o = tile.dot %s, %vt, %half : tensor<RxKxf32>, tensor<KxDxf32>, tensor<RxDxf32> -> tensor<RxDxf32>
  tile.scatter %o into %out[%r] : (tensor<RxDxf32>, !Q, tensor<Rxi32>) -> ()
}
)";
  auto set = [&](const std::string &name, int value) {
    for (size_t at = 0; (at = text.find(name, at)) != std::string::npos;)
      text.replace(at, name.size(), std::to_string(value) + "x");
  };
  set("Rx", rows), set("Kx", keys), set("Dx", dim);
  Kernel kernel(text, shape);
  ASSERT_TRUE(kernel);

  std::mt19937 random(1);
  std::uniform_int_distribution<int> pick(-3, 3); // sums are exact
  for (bool atStart : {false, true}) {
    GuardedArray q(rows * dim, atStart), k(keys * dim, atStart),
        v(keys * dim, atStart), out(rows * dim, atStart);
    for (auto [array, height] : {std::pair(&q, rows), {&k, keys}, {&v, keys}})
      for (int i = 0; i < height * dim; ++i)
        (*array)[i] = static_cast<float>(pick(random));
    kernel.run({{q.data(), {rows, dim}},
                {k.data(), {keys, dim}},
                {v.data(), {keys, dim}},
                {out.data(), {rows, dim}}},
               1);
    for (int r = 0; r < rows; ++r)
      for (int d = 0; d < dim; ++d) {
        float sum = 0.5f;
        for (int x = 0; x < keys; ++x) {
          float score = 0;
          for (int e = 0; e < dim; ++e)
            score += q[r * dim + e] * k[x * dim + e];
          sum += score * v[x * dim + d];
        }
        EXPECT_EQ(out[r * dim + d], sum) << "at " << r << ", " << d;
      }
  }
}

/// x y, where y = 2 x x^T + x is computed as columns and wanted as rows.
TEST(CPUDotOfComputed, TakesProductsAndSums) {
  Kernel kernel(R"(
!A = memref<?x8xf32, strided<[?, 1]>>
tile.kernel @k(%x: !A, %out: !A) {
  %r = tile.iota : tensor<8xi32>
  %zero = arith.constant dense<0.0> : tensor<8x8xf32>
  %a = tile.gather %x[%r] : (!A, tensor<8xi32>) -> tensor<8x8xf32>
  %s = tile.dot %a, transposed %a, %zero : tensor<8x8xf32>, tensor<8x8xf32>, tensor<8x8xf32> -> tensor<8x8xf32>
  %t = arith.addf %s, %s : tensor<8x8xf32>
  %y = arith.addf %t, %a : tensor<8x8xf32>
  %o = tile.dot %a, %y, %zero : tensor<8x8xf32>, tensor<8x8xf32>, tensor<8x8xf32> -> tensor<8x8xf32>
  %p = tile.dot %a, %s, %o : tensor<8x8xf32>, tensor<8x8xf32>, tensor<8x8xf32> -> tensor<8x8xf32>
  tile.scatter %p into %out[%r] : (tensor<8x8xf32>, !A, tensor<8xi32>) -> ()
}
)",
                hostCPU().vectorShape());
  ASSERT_TRUE(kernel);
  std::vector<float> x(64), out(64);
  for (int i = 0; i < 64; ++i)
    x[i] = static_cast<float>(i * 7 % 5 - 2);
  kernel.run({{x.data(), {8, 8}}, {out.data(), {8, 8}}}, 1);
  for (int i = 0; i < 8; ++i)
    for (int j = 0; j < 8; ++j) {
      float sum = 0;
      for (int k = 0; k < 8; ++k) {
        float square = 0; // of x x^T
        for (int d = 0; d < 8; ++d)
          square += x[k * 8 + d] * x[j * 8 + d];
        sum += x[i * 8 + k] * (3 * square + x[k * 8 + j]);
      }
      EXPECT_EQ(out[i * 8 + j], sum) << "at " << i << ", " << j;
    }
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, CPUDot,
    testing::Combine(
        testing::Values(Sizes{1, 16, 8}, Sizes{2, 32, 16}, Sizes{3, 16, 24},
                        Sizes{4, 48, 64}, Sizes{8, 64, 80}, Sizes{12, 16, 32},
                        Sizes{16, 64, 64}, Sizes{20, 32, 40}, Sizes{64, 16, 8},
                        Sizes{80, 16, 16}, Sizes{5, 7, 3}),
        testing::Values(CPUVectorShape::avx512(), CPUVectorShape::avx2())));

} // namespace
