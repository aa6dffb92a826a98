// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s -hsa-differentiate="wrt=q" -canonicalize -cse -loop-invariant-code-motion | FileCheck %s
//
// Adjoints of what reduces or adds axes: sums, maxima, logsumexp, broadcasts, in
// a row and over the keys of a chunk, where keys that are not valid get nothing.

#query  = #hsa.axes<pos, head, dim>
#scores = #hsa.axes<pos, head, key>
!query  = !hsa.query<f32, pos = 1, head = 4, dim = 16>
!keys   = !hsa.chunks<"kv", f32, key = 8, dim = 16>
!rows   = tensor<1x4x16xf32, #query>
!row    = tensor<1x4xf32, #hsa.axes<pos, head>>
!score  = tensor<1x4x8xf32, #scores>
!chunk  = tensor<8x16xf32, #hsa.axes<key, dim>>

// dx = dy, at each element.
// CHECK-LABEL: hsa.program @row_sum_backward
// CHECK: %[[DY:.*]] = hsa.load %d_0
// CHECK: %[[DX:.*]] = hsa.broadcast %[[DY]]
// CHECK: hsa.return %[[DX]]
hsa.program @row_sum(%q: !query) -> !row attributes {group = 4 : i64} {
  %x = hsa.load %q : !query -> !rows
  %y = hsa.fold sum %x over dim : !rows -> !row
  hsa.return %y : !row
}

// To the elements that are the maximum, in equal parts.
// CHECK-LABEL: hsa.program @row_max_backward
// CHECK: %[[DY:.*]] = hsa.load %d_0
// CHECK: %[[X:.*]] = hsa.load %q
// CHECK: %[[Y:.*]] = hsa.fold max %[[X]] over dim
// CHECK: %[[YS:.*]] = hsa.broadcast %[[Y]]
// CHECK: %[[IS:.*]] = arith.cmpf oeq, %[[X]], %[[YS]]
// CHECK: %[[ONES:.*]] = arith.select %[[IS]]
// CHECK: %[[COUNT:.*]] = hsa.fold sum %[[ONES]] over dim
// CHECK: %[[PART:.*]] = arith.divf %[[DY]], %[[COUNT]]
// CHECK: %[[PARTS:.*]] = hsa.broadcast %[[PART]]
// CHECK: %[[DX:.*]] = arith.select %[[IS]], %[[PARTS]]
// CHECK: hsa.return %[[DX]]
hsa.program @row_max(%q: !query) -> !row attributes {group = 4 : i64} {
  %x = hsa.load %q : !query -> !rows
  %y = hsa.fold max %x over dim : !rows -> !row
  hsa.return %y : !row
}

// The sum of dy over the axes that the value lacked.
// CHECK-LABEL: hsa.program @broadcast_backward
// CHECK: %[[DY:.*]] = hsa.load %d_0
// CHECK: %[[SUM:.*]] = hsa.fold sum %[[DY]] over dim
// CHECK: hsa.broadcast %[[SUM]]
hsa.program @broadcast(%q: !query) -> !rows attributes {group = 4 : i64} {
  %x = hsa.load %q : !query -> !rows
  %y = hsa.fold sum %x over dim : !rows -> !row
  %z = hsa.broadcast %y : !row to !rows
  hsa.return %z : !rows
}

// Only valid keys are counted, and get a part.
// CHECK-LABEL: hsa.program @key_max_backward
// CHECK: %[[DY:.*]] = hsa.load %d_0
// CHECK: hsa.reduce (%[[C:.*]]) in
// CHECK: %[[K:.*]] = hsa.chunk %k
// CHECK: %[[S:.*]] = hsa.dot %{{.*}}, %[[K]] over dim
// CHECK: hsa.fold max %[[S]] over key in %[[C]]
// CHECK: %[[IS:.*]] = arith.cmpf oeq, %[[S]]
// CHECK: %[[ONES:.*]] = arith.select %[[IS]]
// CHECK: %[[COUNT:.*]] = hsa.fold sum %[[ONES]] over key in %[[C]]
// CHECK: %[[PART:.*]] = arith.divf %{{.*}}, %[[COUNT]]
// CHECK: %[[PARTS:.*]] = hsa.broadcast %[[PART]]
// CHECK: %[[DS:.*]] = arith.select %[[IS]], %[[PARTS]]
// CHECK: %[[VALID:.*]] = hsa.mask %[[DS]] in %[[C]]
// CHECK: hsa.dot %[[VALID]], %[[K]] over key in %[[C]]
hsa.program @key_max(%q: !query, %k: !keys) -> !row attributes {group = 4 : i64} {
  %x = hsa.load %q : !query -> !rows
  %zero = hsa.identity sum : !row
  %d = hsa.every %k : !keys -> !hsa.domain<"kv">
  %o = hsa.reduce (%c) in %d : !hsa.domain<"kv"> into (sum %zero : !row) {
    %kc = hsa.chunk %k[%c : !hsa.chunk_id<"kv">] : !keys -> !chunk
    %s = hsa.dot %x, %kc over dim : !rows, !chunk -> !score
    %m = hsa.fold max %s over key in %c : !hsa.chunk_id<"kv"> : !score -> !row
    hsa.yield %m : !row
  }
  hsa.return %o : !row
}

// ds = dy exp(s - y): the share of each key; of nothing, y is -inf.
// CHECK-LABEL: hsa.program @key_logsumexp_backward
// CHECK: hsa.reduce (%[[C:.*]]) in
// CHECK: %[[S:.*]] = hsa.dot
// CHECK: %[[Y:.*]] = hsa.logsumexp %[[S]] over key in %[[C]]
// CHECK: %[[NONE:.*]] = arith.cmpf oeq, %[[Y]]
// CHECK: %[[R:.*]] = arith.select %[[NONE]], %{{.*}}, %[[Y]]
// CHECK: %[[RS:.*]] = hsa.broadcast %[[R]]
// CHECK: %[[T:.*]] = arith.subf %[[S]], %[[RS]]
// CHECK: %[[SHARE:.*]] = math.exp %[[T]]
// CHECK: %[[DS:.*]] = arith.mulf %{{.*}}, %[[SHARE]]
// CHECK: hsa.mask %[[DS]] in %[[C]]
hsa.program @key_logsumexp(%q: !query, %k: !keys) -> !row attributes {group = 4 : i64} {
  %x = hsa.load %q : !query -> !rows
  %zero = hsa.identity sum : !row
  %d = hsa.every %k : !keys -> !hsa.domain<"kv">
  %o = hsa.reduce (%c) in %d : !hsa.domain<"kv"> into (sum %zero : !row) {
    %kc = hsa.chunk %k[%c : !hsa.chunk_id<"kv">] : !keys -> !chunk
    %s = hsa.dot %x, %kc over dim : !rows, !chunk -> !score
    %m = hsa.logsumexp %s over key in %c : !hsa.chunk_id<"kv"> : !score -> !row
    hsa.yield %m : !row
  }
  hsa.return %o : !row
}

// A maximum over chunks is computed again, and its visits are counted.
// CHECK-LABEL: hsa.program @most_of_chunks_backward
// CHECK: %[[DY:.*]] = hsa.load %d_0
// CHECK: %[[MOST:.*]] = hsa.reduce (%{{.*}}) in %{{.*}} into (max
// CHECK: %[[COUNT:.*]] = hsa.reduce (%[[C:.*]]) in %{{.*}} into (sum
// CHECK: %[[Y:.*]] = hsa.fold sum
// CHECK: %[[IS:.*]] = arith.cmpf oeq, %[[Y]], %[[MOST]]
// CHECK: %[[ONE:.*]] = arith.select %[[IS]]
// CHECK: %[[VALID:.*]] = hsa.mask %[[ONE]] in %[[C]]
// CHECK: hsa.yield %[[VALID]]
// CHECK: %[[SOME:.*]] = arith.maximumf %[[COUNT]]
// CHECK: %[[PART:.*]] = arith.divf %[[DY]], %[[SOME]]
// CHECK: hsa.reduce (%[[D:.*]]) in %{{.*}} into (sum
// CHECK: %[[IS:.*]] = arith.cmpf oeq, %{{.*}}, %[[MOST]]
// CHECK: arith.select %[[IS]], %[[PART]]
hsa.program @most_of_chunks(%q: !query, %k: !keys) -> !row attributes {group = 4 : i64} {
  %x = hsa.load %q : !query -> !rows
  %low = hsa.identity max : !row
  %d = hsa.every %k : !keys -> !hsa.domain<"kv">
  %o = hsa.reduce (%c) in %d : !hsa.domain<"kv"> into (max %low : !row) {
    %kc = hsa.chunk %k[%c : !hsa.chunk_id<"kv">] : !keys -> !chunk
    %s = hsa.dot %x, %kc over dim : !rows, !chunk -> !score
    %m = hsa.fold sum %s over key in %c : !hsa.chunk_id<"kv"> : !score -> !row
    hsa.yield %m : !row
  }
  hsa.return %o : !row
}
