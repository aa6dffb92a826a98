// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s -mlir-print-debuginfo -mlir-print-local-scope | FileCheck %s
//
// Parameters keep the locations that the front end gives them.

// CHECK: hsa.program @f(%scale: f32 loc("attention.py":7:12))
hsa.program @f(%scale: f32 loc("attention.py":7:12)) attributes {group = 1 : i64} {
  hsa.return
}
