// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- CPUOrderTest.cpp - Scans, sorts and running lists of the best ------===//

#include "CPUKernel.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>

using namespace ramify;

namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

/// `text` with numbers for the names.
std::string
withNumbers(std::string text,
            std::initializer_list<std::pair<std::string, int>> numbers) {
  for (auto &[name, number] : numbers)
    for (size_t at = 0; (at = text.find(name, at)) != std::string::npos;)
      text.replace(at, name.size(), std::to_string(number));
  return text;
}

//===----------------------------------------------------------------------===//
// The best so far
//===----------------------------------------------------------------------===//

struct Picking {
  int rows, columns, k, turns; // columns in each of the turns
};

// The scores come tile by tile; each carries its double and its id's.
const char *const kPick = R"(
!F = memref<?xKKxf32, strided<[?, 1]>>
!I = memref<?xKKxi32, strided<[?, 1]>>
tile.kernel @k(%s: memref<?x?xCCxf32, strided<[?, ?, 1]>>, %b: !F, %w: !I, %d: !F, %e: !I) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %turns = arith.constant TURNS : index
  %cols = arith.constant CC : i32
  %r = tile.iota : tensor<RRxi32>
  %j = tile.iota : tensor<CCxi32>
  %best = arith.constant dense<0xFF800000> : tensor<RRxKKxf32>
  %which = arith.constant dense<-1> : tensor<RRxKKxi32>
  %zero = arith.constant dense<0.0> : tensor<RRxKKxf32>
  %none = arith.constant dense<0> : tensor<RRxKKxi32>
  %x:4 = scf.for %t = %c0 to %turns step %c1
      iter_args(%b0 = %best, %w0 = %which, %h0 = %zero, %g0 = %none)
      -> (tensor<RRxKKxf32>, tensor<RRxKKxi32>, tensor<RRxKKxf32>, tensor<RRxKKxi32>) {
    %t32 = arith.index_cast %t : index to i32
    %first = arith.muli %t32, %cols : i32
    %firsts = tensor.splat %first : tensor<CCxi32>
    %id = arith.addi %firsts, %j : tensor<CCxi32>
    %a = tile.gather %s[%t, %r] : (memref<?x?xCCxf32, strided<[?, ?, 1]>>, index, tensor<RRxi32>) -> tensor<RRxCCxf32>
    %double = arith.addf %a, %a : tensor<RRxCCxf32>
    %twice = arith.addi %id, %id : tensor<CCxi32>
    %ids = tile.broadcast %twice along 0 : tensor<CCxi32> -> tensor<RRxCCxi32>
    %y:4 = tile.topk %a, %id carrying %double, %ids : tensor<RRxCCxf32>, tensor<RRxCCxi32>
        into %b0, %w0 holding %h0, %g0 : tensor<RRxKKxf32>, tensor<RRxKKxi32> -> tensor<RRxKKxf32>, tensor<RRxKKxi32>
        : tensor<RRxCCxf32>, tensor<CCxi32>, tensor<RRxKKxf32>, tensor<RRxKKxi32>
    scf.yield %y#0, %y#1, %y#2, %y#3
        : tensor<RRxKKxf32>, tensor<RRxKKxi32>, tensor<RRxKKxf32>, tensor<RRxKKxi32>
  }
  tile.scatter %x#0 into %b[%r] : (tensor<RRxKKxf32>, !F, tensor<RRxi32>) -> ()
  tile.scatter %x#1 into %w[%r] : (tensor<RRxKKxi32>, !I, tensor<RRxi32>) -> ()
  tile.scatter %x#2 into %d[%r] : (tensor<RRxKKxf32>, !F, tensor<RRxi32>) -> ()
  tile.scatter %x#3 into %e[%r] : (tensor<RRxKKxi32>, !I, tensor<RRxi32>) -> ()
}
)";

class CPUTopK
    : public testing::TestWithParam<std::tuple<Picking, CPUVectorShape>> {};

/// The ids of a row's best, in order, without the empty places.
std::vector<int> bestOf(const std::vector<float> &scores, int k) {
  std::vector<int> ids;
  for (size_t i = 0; i < scores.size(); ++i)
    if (scores[i] > -kInf)
      ids.push_back(static_cast<int>(i));
  std::sort(ids.begin(), ids.end(), [&](int a, int b) {
    return scores[a] != scores[b] ? scores[a] > scores[b] : a > b;
  });
  ids.resize(std::min<size_t>(ids.size(), k));
  return ids;
}

TEST_P(CPUTopK, HoldsTheBestInOrderAndWhatTheyCarry) {
  auto [sizes, shape] = GetParam();
  auto [rows, columns, k, turns] = sizes;
  Kernel kernel(
      withNumbers(kPick,
                  {{"TURNS", turns}, {"RR", rows}, {"CC", columns}, {"KK", k}}),
      shape);
  ASSERT_TRUE(kernel);
  // Few different scores: ties. Some never count, some always do.
  std::mt19937 random(1);
  std::uniform_int_distribution<int> pick(-40, 40);
  std::vector<float> s(size_t(turns) * rows * columns);
  for (float &value : s) {
    int number = pick(random);
    value = number > 38    ? kNaN
            : number > 36  ? kInf
            : number < -30 ? -kInf
                           : static_cast<float>(number);
  }
  std::vector<float> best(rows * k), twice(rows * k);
  std::vector<int32_t> which(rows * k), ids(rows * k);
  kernel.run({{s.data(), {turns, rows, columns}},
              {best.data(), {rows, k}},
              {which.data(), {rows, k}},
              {twice.data(), {rows, k}},
              {ids.data(), {rows, k}}},
             1);
  for (int r = 0; r < rows; ++r) {
    std::vector<float> row;
    for (int t = 0; t < turns; ++t)
      for (int c = 0; c < columns; ++c)
        row.push_back(s[(t * rows + r) * columns + c]);
    std::vector<int> expected = bestOf(row, k);
    for (int i = 0; i < k; ++i) {
      bool isThere = i < static_cast<int>(expected.size());
      int id = isThere ? expected[i] : -1, at = r * k + i;
      EXPECT_EQ(which[at], id) << "row " << r << ", place " << i;
      EXPECT_EQ(best[at], isThere ? row[id] : -kInf);
      EXPECT_EQ(twice[at], isThere ? 2 * row[id] : 0);
      EXPECT_EQ(ids[at], isThere ? 2 * id : 0);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Sizes, CPUTopK,
    testing::Combine(
        testing::Values(Picking{16, 64, 8, 3}, Picking{16, 64, 1, 2},
                        Picking{5, 12, 3, 4}, Picking{1, 16, 8, 1},
                        Picking{32, 16, 16, 5}, Picking{16, 32, 128, 9},
                        Picking{12, 64, 40, 2}, Picking{64, 8, 4, 3}),
        testing::Values(CPUVectorShape::avx512(), CPUVectorShape::avx2())));

//===----------------------------------------------------------------------===//
// Sort and scan
//===----------------------------------------------------------------------===//

const char *const kSort = R"(
!F = memref<?xCCxf32, strided<[?, 1]>>
!I = memref<?xCCxi32, strided<[?, 1]>>
tile.kernel @k(%i: !I, %f: !F, %up: !I, %upf: !F, %down: !I, %downf: !F) {
  %r = tile.iota : tensor<RRxi32>
  %a = tile.gather %i[%r] : (!I, tensor<RRxi32>) -> tensor<RRxCCxi32>
  %b = tile.gather %f[%r] : (!F, tensor<RRxi32>) -> tensor<RRxCCxf32>
  %x:2 = tile.sort %a, %b : (tensor<RRxCCxi32>, tensor<RRxCCxf32>) -> (tensor<RRxCCxi32>, tensor<RRxCCxf32>)
  %y:2 = tile.sort descending %a, %b : (tensor<RRxCCxi32>, tensor<RRxCCxf32>) -> (tensor<RRxCCxi32>, tensor<RRxCCxf32>)
  tile.scatter %x#0 into %up[%r] : (tensor<RRxCCxi32>, !I, tensor<RRxi32>) -> ()
  tile.scatter %x#1 into %upf[%r] : (tensor<RRxCCxf32>, !F, tensor<RRxi32>) -> ()
  tile.scatter %y#0 into %down[%r] : (tensor<RRxCCxi32>, !I, tensor<RRxi32>) -> ()
  tile.scatter %y#1 into %downf[%r] : (tensor<RRxCCxf32>, !F, tensor<RRxi32>) -> ()
}
)";

struct Shape {
  int rows, columns;
};
class CPUOrder
    : public testing::TestWithParam<std::tuple<Shape, CPUVectorShape>> {};

TEST_P(CPUOrder, SortsRowsAndKeepsTheOrderOfEqualKeys) {
  auto [sizes, shape] = GetParam();
  auto [rows, columns] = sizes;
  Kernel kernel(withNumbers(kSort, {{"RR", rows}, {"CC", columns}}), shape);
  ASSERT_TRUE(kernel);
  size_t count = size_t(rows) * columns;
  std::mt19937 random(2);
  std::uniform_int_distribution<int> pick(-1, columns / 2);
  std::vector<int32_t> keys(count), up(count), down(count);
  std::vector<float> places(count), upPlaces(count), downPlaces(count);
  for (int32_t &key : keys)
    key = pick(random);
  std::iota(places.begin(), places.end(), 0.0f);
  kernel.run({{keys.data(), {rows, columns}},
              {places.data(), {rows, columns}},
              {up.data(), {rows, columns}},
              {upPlaces.data(), {rows, columns}},
              {down.data(), {rows, columns}},
              {downPlaces.data(), {rows, columns}}},
             1);
  for (int r = 0; r < rows; ++r) {
    std::vector<int> order(columns);
    std::iota(order.begin(), order.end(), r * columns);
    std::stable_sort(order.begin(), order.end(),
                     [&](int a, int b) { return keys[a] < keys[b]; });
    for (int c = 0; c < columns; ++c) {
      EXPECT_EQ(up[r * columns + c], keys[order[c]]);
      EXPECT_EQ(upPlaces[r * columns + c], static_cast<float>(order[c]));
    }
    std::iota(order.begin(), order.end(), r * columns);
    std::stable_sort(order.begin(), order.end(),
                     [&](int a, int b) { return keys[a] > keys[b]; });
    for (int c = 0; c < columns; ++c) {
      EXPECT_EQ(down[r * columns + c], keys[order[c]]);
      EXPECT_EQ(downPlaces[r * columns + c], static_cast<float>(order[c]));
    }
  }
}

const char *const kScan = R"(
!F = memref<?xCCxf32, strided<[?, 1]>>
tile.kernel @k(%f: !F, %out: !F) {
  %r = tile.iota : tensor<RRxi32>
  %x = tile.gather %f[%r] : (!F, tensor<RRxi32>) -> tensor<RRxCCxf32>
  %two = arith.addf %x, %x : tensor<RRxCCxf32>
  %y = tile.scan FLAGS %two along AXIS : tensor<RRxCCxf32>
  tile.scatter %y into %out[%r] : (tensor<RRxCCxf32>, !F, tensor<RRxi32>) -> ()
}
)";

TEST_P(CPUOrder, ScansAlongBothAxes) {
  auto [sizes, shape] = GetParam();
  auto [rows, columns] = sizes;
  std::vector<float> x(size_t(rows) * columns), y(x.size());
  for (size_t i = 0; i < x.size(); ++i)
    x[i] = static_cast<float>(i * 7 % 11) - 5;
  for (std::string flags :
       {"sum", "sum exclusive", "sum reverse", "max exclusive reverse"})
    for (int axis : {0, 1}) {
      std::string text =
          withNumbers(kScan, {{"RR", rows}, {"CC", columns}, {"AXIS", axis}});
      text.replace(text.find("FLAGS"), 5, flags);
      Kernel kernel(text, shape);
      ASSERT_TRUE(kernel);
      kernel.run({{x.data(), {rows, columns}}, {y.data(), {rows, columns}}}, 1);
      bool isSum = flags.starts_with("sum");
      bool exclusive = flags.find("exclusive") != std::string::npos;
      bool reverse = flags.find("reverse") != std::string::npos;
      int length = axis ? columns : rows, lines = axis ? rows : columns;
      for (int line = 0; line < lines; ++line) {
        float running = isSum ? 0 : -kInf;
        for (int step = 0; step < length; ++step) {
          int i = reverse ? length - 1 - step : step;
          int at = axis ? line * columns + i : i * columns + line;
          float next =
              isSum ? running + 2 * x[at] : std::max(running, 2 * x[at]);
          EXPECT_EQ(y[at], exclusive ? running : next)
              << flags << " along " << axis << " at " << at;
          running = next;
        }
      }
    }
}

const char *const kTally = R"(
!I = memref<?xi32, strided<[1]>>
tile.kernel @k(%x: !I, %before: !I, %counts: !I) {
  %i = tile.iota : tensor<RRxi32>
  %j = tile.iota : tensor<CCxi32>
  %bins = tile.lookup %x[%i] : (!I, tensor<RRxi32>) -> tensor<RRxi32>
  %b, %c = tile.tally %bins : tensor<RRxi32>, tensor<CCxi32>
  %b2 = arith.addi %b, %b : tensor<RRxi32>
  tile.scatter %b2 into %before[%i] : (tensor<RRxi32>, !I, tensor<RRxi32>) -> ()
  tile.scatter %c into %counts[%j] : (tensor<CCxi32>, !I, tensor<CCxi32>) -> ()
}
)";

TEST_P(CPUOrder, CountsWhatFallsIntoEachBin) {
  auto [sizes, shape] = GetParam();
  auto [length, bins] = sizes;
  Kernel kernel(withNumbers(kTally, {{"RR", length}, {"CC", bins}}), shape);
  ASSERT_TRUE(kernel);
  std::mt19937 random(3);
  std::uniform_int_distribution<int> pick(-2, bins + 1);
  std::vector<int32_t> x(length), before(length, -1), counts(bins, -1);
  for (int32_t &bin : x)
    bin = pick(random);
  kernel.run({{x.data(), {length}},
              {before.data(), {length}},
              {counts.data(), {bins}}},
             1);
  std::vector<int32_t> seen(bins);
  for (int i = 0; i < length; ++i) {
    bool valid = x[i] >= 0 && x[i] < bins;
    EXPECT_EQ(before[i], valid ? 2 * seen[x[i]]++ : 0) << i;
  }
  EXPECT_EQ(counts, seen);
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, CPUOrder,
    testing::Combine(
        testing::Values(Shape{16, 8}, Shape{3, 1}, Shape{12, 5}, Shape{32, 16},
                        Shape{16, 24}, Shape{16, 128}, Shape{1, 40}),
        testing::Values(CPUVectorShape::avx512(), CPUVectorShape::avx2())));

TEST(CPUScanOfVector, CountsUp) {
  Kernel kernel(R"(
!V = memref<?xi32, strided<[1]>>
tile.kernel @k(%x: !V, %y: !V) {
  %i = tile.iota : tensor<20xi32>
  %a = tile.lookup %x[%i] : (!V, tensor<20xi32>) -> tensor<20xi32>
  %b = tile.scan sum exclusive %a along 0 : tensor<20xi32>
  %c = arith.addi %b, %i : tensor<20xi32>
  tile.scatter %c into %y[%i] : (tensor<20xi32>, !V, tensor<20xi32>) -> ()
}
)",
                hostCPU().vectorShape());
  ASSERT_TRUE(kernel);
  std::vector<int32_t> x(20), y(20);
  for (int i = 0; i < 20; ++i)
    x[i] = i * i % 7;
  kernel.run({{x.data(), {20}}, {y.data(), {20}}}, 1);
  int32_t sum = 0;
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(y[i], sum + i);
    sum += x[i];
  }
}

} // namespace
