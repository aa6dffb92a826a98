// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===- HSAOps.cpp - The generated half of the operations ------------------===//
//
// What is written by hand stands in one file for each group of operations.

#include "dialects/HSA/IR/HSA.h"

using namespace mlir;

#define GET_OP_CLASSES
#include "dialects/HSA/IR/HSAOps.cpp.inc"
