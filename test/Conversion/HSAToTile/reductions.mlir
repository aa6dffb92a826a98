// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s --hsa-to-tile --canonicalize --cse --split-input-file | FileCheck %s

// A dim of 24 is padded to 32. What comes from memory is zero in the padding;
// computed values are set to what the reduction ignores.

#o = #hsa.axes<pos, head, dim>
// CHECK-LABEL: tile.kernel @padded
// CHECK:         %[[Q:.*]] = tile.gather {{.*}} -> tensor<16x32xf32>
// CHECK:         %[[SQUARES:.*]] = arith.mulf %[[Q]], %[[Q]]
// CHECK:         %[[L2:.*]] = tile.reduce sum %[[SQUARES]] along 1
// CHECK:         %[[E:.*]] = math.exp2
// CHECK:         %[[COLUMN:.*]] = tile.iota : tensor<32xi32>
// CHECK:         %[[IN:.*]] = arith.cmpi slt, %[[COLUMN]], %{{.*}} : tensor<32xi32>
// CHECK:         %[[INB:.*]] = tile.broadcast %[[IN]] along 0
// CHECK:         %[[ONLY:.*]] = arith.select %[[INB]], %[[E]]
// CHECK:         tile.reduce max %[[ONLY]] along 1
hsa.program @padded(%q: !hsa.query<f32, pos = 1, head = 16, dim = 24>)
    -> (tensor<1x16xf32, #hsa.axes<pos, head>>, tensor<1x16xf32, #hsa.axes<pos, head>>) attributes {group = 16 : i64} {
  %x = hsa.load %q : !hsa.query<f32, pos = 1, head = 16, dim = 24> -> tensor<1x16x24xf32, #o>
  %n = hsa.dot %x, %x over dim : tensor<1x16x24xf32, #o>, tensor<1x16x24xf32, #o> -> tensor<1x16xf32, #hsa.axes<pos, head>>
  %e = math.exp %x : tensor<1x16x24xf32, #o>
  %m = hsa.fold max %e over dim : tensor<1x16x24xf32, #o> -> tensor<1x16xf32, #hsa.axes<pos, head>>
  hsa.return %n, %m : tensor<1x16xf32, #hsa.axes<pos, head>>, tensor<1x16xf32, #hsa.axes<pos, head>>
}

// -----

// A product over keys leaves out invalid keys: scores that are not a softmax are
// masked with zero where the chunk is partial. An f32 side is rounded to the
// type of the other.

#o = #hsa.axes<pos, head, dim>
#s = #hsa.axes<pos, head, key>
// CHECK-LABEL: tile.kernel @linear
// CHECK:         %[[S:.*]] = tile.dot %{{.*}}, transposed %[[K:.*]], %{{.*}} -> tensor<16x32xf32>
// CHECK:         %[[MASKED:.*]] = scf.if
// CHECK:           arith.select %{{.*}}, %[[S]], %[[ZERO:.*]] : tensor<16x32xi1>
// CHECK:         %[[NARROW:.*]] = arith.truncf %[[MASKED]] : tensor<16x32xf32> to tensor<16x32xbf16>
// CHECK:         tile.dot %[[NARROW]], %[[K]]
hsa.program @linear(%q: !hsa.query<bf16, pos = 1, head = 16, dim = 16>, %k: !hsa.chunks<"kv", bf16, key = 32, dim = 16>)
    -> tensor<1x16x16xf32, #o> attributes {group = 16 : i64} {
  %x = hsa.load %q : !hsa.query<bf16, pos = 1, head = 16, dim = 16> -> tensor<1x16x16xbf16, #o>
  %zero = hsa.identity sum : tensor<1x16x16xf32, #o>
  %d = hsa.every %k : !hsa.chunks<"kv", bf16, key = 32, dim = 16> -> !hsa.domain<"kv">
  %o = hsa.reduce (%c) in %d : !hsa.domain<"kv"> into (sum %zero : tensor<1x16x16xf32, #o>) {
    %kc = hsa.chunk %k[%c : !hsa.chunk_id<"kv">] : !hsa.chunks<"kv", bf16, key = 32, dim = 16> -> tensor<32x16xbf16, #hsa.axes<key, dim>>
    %s = hsa.dot %kc, %x over dim : tensor<32x16xbf16, #hsa.axes<key, dim>>, tensor<1x16x16xbf16, #o> -> tensor<1x16x32xf32, #s>
    %y = hsa.dot %s, %kc over key in %c : !hsa.chunk_id<"kv"> : tensor<1x16x32xf32, #s>, tensor<32x16xbf16, #hsa.axes<key, dim>> -> tensor<1x16x16xf32, #o>
    hsa.yield %y : tensor<1x16x16xf32, #o>
  }
  hsa.return %o : tensor<1x16x16xf32, #o>
}

// -----

// n in the denominator: the maximum that is taken out includes 0, and the sum
// gets n 2^(-m). Nothing can be 0 / 0 then.

#s = #hsa.axes<pos, head, key>
// CHECK-LABEL: tile.kernel @softmax_n
// CHECK:         %[[M0:.*]] = tile.reduce max
// CHECK:         %[[M:.*]] = arith.maxnumf %[[M0]], %[[ZERO:.*]] : tensor<16xf32>
// CHECK:         %[[L0:.*]] = tile.reduce sum
// CHECK:         %[[NEGATIVE:.*]] = arith.subf %[[ZERO]], %[[M]]
// CHECK:         %[[TERM:.*]] = math.exp2 %[[NEGATIVE]]
// CHECK:         %[[NTERM:.*]] = arith.mulf %[[TERM]], %{{.*}}
// CHECK:         %[[L:.*]] = arith.addf %[[L0]], %[[NTERM]]
// CHECK:         arith.divf %{{.*}}, %[[L]]
// CHECK-NOT:     arith.select
// CHECK:         tile.scatter
hsa.program @softmax_n(%q: !hsa.query<f32, pos = 1, head = 16, dim = 16>)
    -> tensor<1x16x16xf32, #hsa.axes<pos, head, dim>> attributes {group = 16 : i64} {
  %x = hsa.load %q : !hsa.query<f32, pos = 1, head = 16, dim = 16> -> tensor<1x16x16xf32, #hsa.axes<pos, head, dim>>
  %p = hsa.softmax %x over dim off_by 2.0 : tensor<1x16x16xf32, #hsa.axes<pos, head, dim>>
  hsa.return %p : tensor<1x16x16xf32, #hsa.axes<pos, head, dim>>
}

// -----

// One more logit with its own value joins a running softmax.

#o = #hsa.axes<pos, head, dim>
// CHECK-LABEL: tile.kernel @push
// CHECK:         %[[LOGIT:.*]] = tile.lookup
// CHECK:         %[[LOG2:.*]] = arith.mulf %[[LOGIT]], %{{.*}} : tensor<16xf32>
// CHECK:         %[[M:.*]] = arith.select {{.*}}, %[[LOG2]]
// CHECK:         %[[DECAY:.*]] = math.exp2
// CHECK:         arith.mulf %[[DECAY]]
// CHECK:         arith.subf %[[LOG2]], %[[M]]
// CHECK:         %[[P:.*]] = math.exp2
// CHECK:         %[[SUM:.*]] = arith.addf %{{.*}}, %[[P]]
// CHECK:         math.log %[[SUM]]
hsa.program @push(%q: !hsa.query<f32, pos = 1, head = 16, dim = 16>, %sink: !hsa.array<f32, [head = 16]>)
    -> tensor<1x16xf32, #hsa.axes<pos, head>> attributes {group = 16 : i64} {
  %x = hsa.load %q : !hsa.query<f32, pos = 1, head = 16, dim = 16> -> tensor<1x16x16xf32, #o>
  %l = hsa.load %sink : !hsa.array<f32, [head = 16]> -> tensor<16xf32, #hsa.axes<head>>
  %lb = hsa.broadcast %l : tensor<16xf32, #hsa.axes<head>> to tensor<1x16xf32, #hsa.axes<pos, head>>
  %empty = hsa.online_softmax : !hsa.softmax_state<tensor<1x16x16xf32, #o>>
  %s = hsa.push %lb, %x into %empty : tensor<1x16xf32, #hsa.axes<pos, head>>, tensor<1x16x16xf32, #o>, !hsa.softmax_state<tensor<1x16x16xf32, #o>>
  %r = hsa.lse %s : !hsa.softmax_state<tensor<1x16x16xf32, #o>> -> tensor<1x16xf32, #hsa.axes<pos, head>>
  hsa.return %r : tensor<1x16xf32, #hsa.axes<pos, head>>
}
