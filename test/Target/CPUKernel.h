// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- CPUKernel.h - Kernels that tests compile and call --------*- C++ -*-===//

#ifndef RAMIFY_TEST_TARGET_CPUKERNEL_H
#define RAMIFY_TEST_TARGET_CPUKERNEL_H

#include "dialects/Tile/IR/Tile.h"
#include "ramify/Target/CPU.h"
#include "ramify/Target/CPULoader.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"

#include <gtest/gtest.h>

namespace ramify {

/// Compiles the kernel @k of `text`; its packed entry is called with run().
class Kernel {
public:
  Kernel(const std::string &text, CPUVectorShape shape) {
    using namespace mlir;
    MLIRContext context(MLIRContext::Threading::DISABLED);
    context.loadDialect<arith::ArithDialect, LLVM::LLVMDialect,
                        math::MathDialect, memref::MemRefDialect,
                        scf::SCFDialect, tensor::TensorDialect,
                        vector::VectorDialect, tile::TileDialect>();
    auto module = parseSourceString<ModuleOp>(text, &context);
    PassManager passes(&context);
    buildTileToCPUPipeline(passes, shape);
    if (!module || failed(passes.run(*module)))
      return;
    auto bytes = emitObject(*module);
    std::string error;
    object =
        LoadedObject::load({bytes.data(), bytes.size()}, {"k_packed"}, error);
    EXPECT_EQ(error, "");
    if (object)
      entry = reinterpret_cast<void (*)(void **)>(object->addresses()[0]);
  }

  explicit operator bool() const { return entry != nullptr; }

  /// Arrays in the order of the kernel's arguments, dense; `count` programs.
  struct Array {
    void *data;
    std::vector<int64_t> sizes;
  };
  void run(const std::vector<Array> &arrays, int64_t count) {
    std::vector<int64_t> numbers;
    std::vector<void *> data, pointers;
    numbers.reserve(64);
    data.reserve(arrays.size());
    auto push = [&](int64_t number) {
      numbers.push_back(number);
      pointers.push_back(&numbers.back());
    };
    for (const Array &array : arrays) {
      data.push_back(array.data);
      pointers.push_back(&data.back());
      for (int64_t size : array.sizes)
        push(size);
      for (size_t i = 0; i < array.sizes.size(); ++i) {
        int64_t stride = 1;
        for (size_t j = i + 1; j < array.sizes.size(); ++j)
          stride *= array.sizes[j];
        push(stride);
      }
    }
    for (int64_t number : {int64_t(0), count, count, int64_t(1)})
      push(number);
    entry(pointers.data());
  }

private:
  std::shared_ptr<LoadedObject> object;
  void (*entry)(void **) = nullptr;
};

} // namespace ramify

#endif // RAMIFY_TEST_TARGET_CPUKERNEL_H
