// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s --hsa-to-tile --canonicalize --cse --split-input-file | FileCheck %s

// exp is taken to base 2. Where the argument is a product with something small,
// the factor log2(e) goes there: to each side of a sum, into constants.

#o = #hsa.axes<pos, head, dim>
// CHECK-LABEL: tile.kernel @folded
// CHECK-SAME:    %[[SCALE:[a-z0-9]+]]: f32
// CHECK:         %[[X:.*]] = tile.gather
// CHECK:         %[[BIAS:.*]] = tile.lookup
// CHECK:         %[[SCALE2:.*]] = arith.mulf %[[SCALE]], %{{.*}} : f32
// CHECK:         %[[SCALES:.*]] = tensor.splat %[[SCALE2]] : tensor<16x16xf32>
// CHECK:         %[[XS:.*]] = arith.mulf %[[X]], %[[SCALES]] : tensor<16x16xf32>
// CHECK:         %[[BIAS2:.*]] = arith.mulf %[[BIAS]], %{{.*}} : tensor<16xf32>
// CHECK:         %[[BIASES:.*]] = tile.broadcast %[[BIAS2]] along 1
// CHECK:         %[[SUM:.*]] = arith.subf %[[XS]], %[[BIASES]]
// CHECK-NEXT:    math.exp2 %[[SUM]]
hsa.program @folded(%q: !hsa.query<f32, pos = 1, head = 16, dim = 16>, %scale: f32, %bias: !hsa.array<f32, [head = 16]>)
    -> tensor<1x16x16xf32, #o> attributes {group = 16 : i64} {
  %x = hsa.load %q : !hsa.query<f32, pos = 1, head = 16, dim = 16> -> tensor<1x16x16xf32, #o>
  %l = hsa.load %bias : !hsa.array<f32, [head = 16]> -> tensor<16xf32, #hsa.axes<head>>
  %s = hsa.broadcast %scale : f32 to tensor<1x16x16xf32, #o>
  %b = hsa.broadcast %l : tensor<16xf32, #hsa.axes<head>> to tensor<1x16x16xf32, #o>
  %xs = arith.mulf %x, %s : tensor<1x16x16xf32, #o>
  %y = arith.subf %xs, %b : tensor<1x16x16xf32, #o>
  %e = math.exp %y : tensor<1x16x16xf32, #o>
  hsa.return %e : tensor<1x16x16xf32, #o>
}

// -----

// Where nothing takes the factor it is one multiplication.

#o = #hsa.axes<pos, head, dim>
// CHECK-LABEL: tile.kernel @plain
// CHECK:         %[[LOG2E:.*]] = arith.constant dense<1.44269502> : tensor<16x16xf32>
// CHECK:         %[[X:.*]] = tile.gather
// CHECK:         %[[Y:.*]] = arith.mulf %[[X]], %[[X]]
// CHECK:         %[[Z:.*]] = arith.mulf %[[Y]], %[[LOG2E]]
// CHECK-NEXT:    math.exp2 %[[Z]]
hsa.program @plain(%q: !hsa.query<f32, pos = 1, head = 16, dim = 16>)
    -> tensor<1x16x16xf32, #o> attributes {group = 16 : i64} {
  %x = hsa.load %q : !hsa.query<f32, pos = 1, head = 16, dim = 16> -> tensor<1x16x16xf32, #o>
  %y = arith.mulf %x, %x : tensor<1x16x16xf32, #o>
  %e = math.exp %y : tensor<1x16x16xf32, #o>
  hsa.return %e : tensor<1x16x16xf32, #o>
}
