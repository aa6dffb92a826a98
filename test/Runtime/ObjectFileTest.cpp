// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "TestKernel.h"

#include "runtime/Error.h"
#include "runtime/ObjectFile.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

using namespace ramify::runtime;

namespace {

ErrorKind kindOf(const std::string &bytes) {
  try {
    ObjectFile object(bytes);
  } catch (const Error &error) {
    return error.kind();
  }
  ADD_FAILURE() << "the object was loaded";
  return ErrorKind::Argument;
}

TEST(ObjectFile, LinksCodeDataAndFunctionsOfTheProcess) {
  ObjectFile object(testKernel());
  auto *kernel =
      reinterpret_cast<void (*)(const float *, int64_t, int64_t, int64_t, float,
                                float *, int64_t, int64_t)>(
          object.find("scale_rows"));
  ASSERT_TRUE(kernel);
  float x[6] = {0, 1, 2, 3, 4, 5}, out[4] = {};
  kernel(x, 2, 2, 3, 0.5f, out, 0, 2);
  EXPECT_FLOAT_EQ(out[0], 0.5f * std::exp(0.0f));
  EXPECT_FLOAT_EQ(out[1], 0.5f * std::exp(1.0f) * 2);
  EXPECT_FLOAT_EQ(out[3], 0.5f * std::exp(4.0f) * 2);
  EXPECT_EQ(*static_cast<int *>(object.find("calls")), 1);
  EXPECT_EQ(object.find("memset"), nullptr)
      << "a function of the process is not the object's";
}

TEST(ObjectFile, TwoObjectsHaveTheirOwnData) {
  ObjectFile first(testKernel()), second(testKernel());
  *static_cast<int *>(first.find("calls")) = 7;
  EXPECT_EQ(*static_cast<int *>(second.find("calls")), 0);
}

TEST(ObjectFile, OtherFilesAreErrors) {
  EXPECT_EQ(kindOf(""), ErrorKind::Plan);
  EXPECT_EQ(kindOf(std::string(1000, 'x')), ErrorKind::Plan);
  std::string arm = testKernel();
  arm[18] = static_cast<char>(183); // e_machine
  EXPECT_EQ(kindOf(arm), ErrorKind::Unsupported);
}

TEST(ObjectFile, AMissingFunctionIsNamed) {
  std::string bytes = testKernel();
  size_t at = bytes.find("expf");
  ASSERT_NE(at, std::string::npos);
  bytes.replace(at, 4, "expq");
  try {
    ObjectFile object(bytes);
    FAIL();
  } catch (const Error &error) {
    EXPECT_STREQ(error.what(),
                 "object code needs the function 'expq', which is not there");
  }
}

TEST(ObjectFile, EveryTruncationIsAnError) {
  std::string bytes = testKernel();
  for (size_t size = 0; size < bytes.size(); size += 7)
    EXPECT_EQ(kindOf(bytes.substr(0, size)), ErrorKind::Plan)
        << size << " bytes";
}

} // namespace
