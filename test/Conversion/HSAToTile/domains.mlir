// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-opt %s --hsa-to-tile --canonicalize --cse --split-input-file | FileCheck %s

// The own chunk of one position is one turn: floor(t / S), if it is not before
// the first key. All rows share their position, so masks are over keys alone.

#o = #hsa.axes<pos, head, dim>
#s = #hsa.axes<pos, head, key>
// CHECK-LABEL: tile.kernel @own
// CHECK:         %[[T:.*]] = arith.addi %{{.*}}, %{{.*}} overflow<nsw> : i32
// CHECK:         %[[ANY:.*]] = arith.maxsi %[[T]], %c0_i32
// CHECK:         %[[LOW:.*]] = arith.muli
// CHECK:         %[[BEFORE:.*]] = arith.cmpi slt, %[[T]], %c0_i32
// CHECK:         %[[BEHIND:.*]] = arith.addi %[[LOW]], %c32_i32
// CHECK:         %[[HIGH:.*]] = arith.select %[[BEFORE]], %c0_i32, %[[BEHIND]]
// Rows that are added up over keys are zero where a key is not valid: 0 * inf is
// no zero.
// CHECK:         scf.for
// CHECK:           %[[SEEN:.*]] = arith.cmpi sgt, %{{.*}}, %{{.*}} : tensor<32xi32>
// CHECK:           %[[OWN:.*]] = arith.andi %[[SEEN]], %{{.*}} : tensor<32xi1>
// CHECK:           %[[VALID:.*]] = arith.andi %{{.*}}, %[[OWN]] : tensor<32xi1>
// CHECK:           tile.gather %k[{{.*}}] where %[[VALID]]
// CHECK:           scf.if
// CHECK:             tile.broadcast %[[VALID]] along 0 : tensor<32xi1> -> tensor<16x32xi1>
hsa.program @own(%q: !hsa.query<f32, pos = 1, head = 4, dim = 16>, %k: !hsa.chunks<"kv", f32, key = 32, dim = 16>)
    -> tensor<1x4x16xf32, #o> attributes {group = 4 : i64} {
  %x = hsa.load %q : !hsa.query<f32, pos = 1, head = 4, dim = 16> -> tensor<1x4x16xf32, #o>
  %zero = hsa.identity sum : tensor<1x4x16xf32, #o>
  %d = hsa.own %k : !hsa.chunks<"kv", f32, key = 32, dim = 16> -> !hsa.domain<"kv">
  %o = hsa.reduce (%c) in %d : !hsa.domain<"kv"> into (sum %zero : tensor<1x4x16xf32, #o>) {
    %kc = hsa.chunk %k[%c : !hsa.chunk_id<"kv">] : !hsa.chunks<"kv", f32, key = 32, dim = 16> -> tensor<32x16xf32, #hsa.axes<key, dim>>
    %s = hsa.dot %x, %kc over dim : tensor<1x4x16xf32, #o>, tensor<32x16xf32, #hsa.axes<key, dim>> -> tensor<1x4x32xf32, #s>
    %y = hsa.dot %s, %kc over key in %c : !hsa.chunk_id<"kv"> : tensor<1x4x32xf32, #s>, tensor<32x16xf32, #hsa.axes<key, dim>> -> tensor<1x4x16xf32, #o>
    hsa.yield %y : tensor<1x4x16xf32, #o>
  }
  hsa.return %o : tensor<1x4x16xf32, #o>
}

// -----

// Every chunk: no position is asked for, and only the end of the keys is masked.

#o = #hsa.axes<pos, head, dim>
#s = #hsa.axes<pos, head, key>
// CHECK-LABEL: tile.kernel @every
// CHECK-NOT:     %q_start
// CHECK:         %[[N:.*]] = memref.dim %k, %c1
// CHECK:         %[[KEYS:.*]] = arith.index_cast %[[N]]
// CHECK:         %[[UP:.*]] = arith.addi %[[KEYS]], %c31_i32
// CHECK:         scf.for %{{.*}} = %c0 to
// CHECK:           %[[PARTIAL:.*]] = arith.cmpi sgt, %{{.*}}, %[[KEYS]]
// CHECK:           scf.if %[[PARTIAL]]
hsa.program @every(%q: !hsa.query<f32, pos = 1, head = 4, dim = 16>, %k: !hsa.chunks<"kv", f32, key = 32, dim = 16>)
    -> tensor<1x4x16xf32, #o> attributes {group = 4 : i64} {
  %x = hsa.load %q : !hsa.query<f32, pos = 1, head = 4, dim = 16> -> tensor<1x4x16xf32, #o>
  %zero = hsa.identity sum : tensor<1x4x16xf32, #o>
  %d = hsa.every %k : !hsa.chunks<"kv", f32, key = 32, dim = 16> -> !hsa.domain<"kv">
  %o = hsa.reduce (%c) in %d : !hsa.domain<"kv"> into (sum %zero : tensor<1x4x16xf32, #o>) {
    %kc = hsa.chunk %k[%c : !hsa.chunk_id<"kv">] : !hsa.chunks<"kv", f32, key = 32, dim = 16> -> tensor<32x16xf32, #hsa.axes<key, dim>>
    %s = hsa.dot %x, %kc over dim : tensor<1x4x16xf32, #o>, tensor<32x16xf32, #hsa.axes<key, dim>> -> tensor<1x4x32xf32, #s>
    %y = hsa.dot %s, %kc over key in %c : !hsa.chunk_id<"kv"> : tensor<1x4x32xf32, #s>, tensor<32x16xf32, #hsa.axes<key, dim>> -> tensor<1x4x16xf32, #o>
    hsa.yield %y : tensor<1x4x16xf32, #o>
  }
  hsa.return %o : tensor<1x4x16xf32, #o>
}

// -----

// The first n keys, but not those of a window. What is yielded does not reduce
// over keys, so rows without a valid key in the chunk must be left out by hand.

#o = #hsa.axes<pos, head, dim>
// CHECK-LABEL: tile.kernel @outside
// CHECK:         %[[FIRST:.*]] = arith.maxsi %n, %c0_i32
// CHECK:         scf.for
// CHECK:           %[[IN:.*]] = arith.cmpi sgt, %{{.*}} : tensor<32xi32>
// CHECK:           %[[UPTO:.*]] = arith.cmpi sgt, %{{.*}} : tensor<32xi32>
// CHECK:           %[[FROM:.*]] = arith.cmpi sle, %{{.*}} : tensor<32xi32>
// CHECK:           %[[WINDOW:.*]] = arith.andi %[[UPTO]], %[[FROM]]
// CHECK:           %[[NOT:.*]] = arith.xori %[[WINDOW]]
// CHECK:           arith.andi %[[IN]], %[[NOT]]
// CHECK:           %[[COUNT:.*]] = tile.reduce max {{.*}} along 1 : tensor<16x32xf32> -> tensor<16xf32>
// CHECK:           %[[VISITED:.*]] = arith.cmpf ogt, %[[COUNT]]
// CHECK:           tile.broadcast %[[VISITED]] along 1 : tensor<16xi1> -> tensor<16x16xi1>
// CHECK:           arith.select
hsa.program @outside(%q: !hsa.query<f32, pos = 1, head = 4, dim = 16>, %k: !hsa.chunks<"kv", f32, key = 32, dim = 16>, %n: i32)
    -> tensor<1x4x16xf32, #o> attributes {group = 4 : i64} {
  %x = hsa.load %q : !hsa.query<f32, pos = 1, head = 4, dim = 16> -> tensor<1x4x16xf32, #o>
  %zero = hsa.identity sum : tensor<1x4x16xf32, #o>
  %w = arith.constant 100 : i32
  %window = hsa.window %k last %w : !hsa.chunks<"kv", f32, key = 32, dim = 16> -> !hsa.domain<"kv">
  %d = hsa.first %k keys %n outside %window : !hsa.chunks<"kv", f32, key = 32, dim = 16>, !hsa.domain<"kv"> -> !hsa.domain<"kv">
  %o = hsa.reduce (%c) in %d : !hsa.domain<"kv"> into (sum %zero : tensor<1x4x16xf32, #o>) {
    hsa.yield %x : tensor<1x4x16xf32, #o>
  }
  hsa.return %o : tensor<1x4x16xf32, #o>
}
