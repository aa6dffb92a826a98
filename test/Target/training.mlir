// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: ramify-translate --hsa-to-ptx --target=sm_80 %s -o %t.80.ptx
// RUN: FileCheck %s --check-prefixes=CHECK,SM80 < %t.80.ptx
// RUN: ramify-translate --hsa-to-ptx --target=sm_90a %s -o %t.90.ptx
// RUN: FileCheck %s --check-prefixes=CHECK,SM90 < %t.90.ptx
// RUN: %if ptxas %{ %ptxas %t.80.ptx %}
// RUN: %if ptxas %{ %ptxas %t.90.ptx %}

// What training needs, from portable tiles to PTX.
// test/python/test_schedules_gpu.py runs these kernels.

!H = memref<?x64xbf16, strided<[?, 1]>>
!HF = memref<?x64xf16, strided<[?, 1]>>
!F = memref<?x64xf32, strided<[?, 1]>>
!F8 = memref<?x8xf32, strided<[?, 1]>>
!I8 = memref<?x8xi32, strided<[?, 1]>>
!I = memref<?xi32, strided<[1]>>
!R = memref<?xf32, strided<[1]>>

// out += P^T A, with P = A B^T / 8: 16 rows, of one warp, whose 16-bit results
// are transposed in registers, eight words each way.
// CHECK-LABEL: .entry gradient16(
// CHECK: .maxntid 32
// CHECK-NOT: st.shared
// CHECK-COUNT-16: movmatrix.sync.aligned.m8n8.trans.b16
// CHECK-NOT: movmatrix
// SM80: red.global.add.f32
// SM90: red.global.add.v4.f32
tile.kernel @gradient16(%a: !H, %b: !H, %out: !F) {
  %scale = arith.constant dense<0.125> : tensor<16x64xf32>
  %zero = arith.constant dense<0.0> : tensor<16x64xf32>
  %zero_g = arith.constant dense<0.0> : tensor<64x64xf32>
  %i = tile.iota : tensor<16xi32>
  %j = tile.iota : tensor<64xi32>
  %at = tile.gather %a[%i] : (!H, tensor<16xi32>) -> tensor<16x64xbf16>
  %bt = tile.gather %b[%j] : (!H, tensor<64xi32>) -> tensor<64x64xbf16>
  %s = tile.dot %at, transposed %bt, %zero : tensor<16x64xbf16>, tensor<64x64xbf16>, tensor<16x64xf32> -> tensor<16x64xf32>
  %p = arith.mulf %s, %scale : tensor<16x64xf32>
  %pb = arith.truncf %p : tensor<16x64xf32> to tensor<16x64xbf16>
  %pt = tile.transpose %pb : tensor<16x64xbf16> -> tensor<64x16xbf16>
  %g = tile.dot %pt, %at, %zero_g : tensor<64x16xbf16>, tensor<16x64xbf16>, tensor<64x64xf32> -> tensor<64x64xf32>
  tile.reduce_into sum %g into %out[%j] order free : (tensor<64x64xf32>, !F, tensor<64xi32>) -> ()
}

// The same for 64 rows of four warps: P goes to shared memory, whole matrices at
// a time on Hopper, and comes back across behind a barrier; wgmma reads it there.
// CHECK-LABEL: .entry gradient64(
// CHECK: .maxntid 128
// CHECK-NOT: movmatrix
// SM80-COUNT-16: st.shared.b32
// SM90-COUNT-4: stmatrix.sync.aligned.m8n8.x4.shared.b16
// SM90: fence.proxy.async.shared::cta
// CHECK: bar.sync
// SM80: ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16
// SM90-NOT: ldmatrix
// SM90: wgmma.fence.sync.aligned
// SM90-COUNT-4: wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {{.*}}, p, 1, 1, 1, 1;
// SM90: wgmma.commit_group.sync.aligned
// SM90: wgmma.wait_group.sync.aligned 0
// SM80: red.global.add.f32
// SM90: red.global.add.v4.f32
tile.kernel @gradient64(%a: !H, %b: !H, %out: !F) {
  %scale = arith.constant dense<0.125> : tensor<64x64xf32>
  %zero = arith.constant dense<0.0> : tensor<64x64xf32>
  %i = tile.iota : tensor<64xi32>
  %at = tile.gather %a[%i] : (!H, tensor<64xi32>) -> tensor<64x64xbf16>
  %bt = tile.gather %b[%i] : (!H, tensor<64xi32>) -> tensor<64x64xbf16>
  %s = tile.dot %at, transposed %bt, %zero : tensor<64x64xbf16>, tensor<64x64xbf16>, tensor<64x64xf32> -> tensor<64x64xf32>
  %p = arith.mulf %s, %scale : tensor<64x64xf32>
  %pb = arith.truncf %p : tensor<64x64xf32> to tensor<64x64xbf16>
  %pt = tile.transpose %pb : tensor<64x64xbf16> -> tensor<64x64xbf16>
  %g = tile.dot %pt, %at, %zero : tensor<64x64xbf16>, tensor<64x64xbf16>, tensor<64x64xf32> -> tensor<64x64xf32>
  tile.reduce_into sum %g into %out[%i] order free : (tensor<64x64xf32>, !F, tensor<64xi32>) -> ()
}

// CHECK-LABEL: .entry gradient_f32(
// CHECK: .maxntid 128
// CHECK: st.shared.v2.f32
// CHECK: bar.sync
// CHECK: red.global.add
tile.kernel @gradient_f32(%a: !F, %b: !F, %out: !F) {
  %scale = arith.constant dense<0.125> : tensor<64x64xf32>
  %zero = arith.constant dense<0.0> : tensor<64x64xf32>
  %i = tile.iota : tensor<64xi32>
  %at = tile.gather %a[%i] : (!F, tensor<64xi32>) -> tensor<64x64xf32>
  %bt = tile.gather %b[%i] : (!F, tensor<64xi32>) -> tensor<64x64xf32>
  %s = tile.dot %at, transposed %bt, %zero : tensor<64x64xf32>, tensor<64x64xf32>, tensor<64x64xf32> -> tensor<64x64xf32>
  %p = arith.mulf %s, %scale : tensor<64x64xf32>
  %pt = tile.transpose %p : tensor<64x64xf32> -> tensor<64x64xf32>
  %g = tile.dot %pt, %at, %zero : tensor<64x64xf32>, tensor<64x64xf32>, tensor<64x64xf32> -> tensor<64x64xf32>
  tile.reduce_into sum %g into %out[%i] order free : (tensor<64x64xf32>, !F, tensor<64xi32>) -> ()
}

// CHECK-LABEL: .entry add_f32(
// SM80: red.global.add.f32
// SM90: red.global.add.v4.f32
tile.kernel @add_f32(%x: !F, %rows: !I, %out: !F) {
  %none = arith.constant dense<0> : tensor<64xi32>
  %i = tile.iota : tensor<64xi32>
  %at = tile.lookup %rows[%i] : (!I, tensor<64xi32>) -> tensor<64xi32>
  %valid = arith.cmpi sge, %at, %none : tensor<64xi32>
  %a = tile.gather %x[%i] : (!F, tensor<64xi32>) -> tensor<64x64xf32>
  tile.reduce_into sum %a into %out[%at] where %valid order free
      : (tensor<64x64xf32>, !F, tensor<64xi32>, tensor<64xi1>) -> ()
}

// CHECK-LABEL: .entry add_bf16(
// SM80: atom.global.cas.b32
// SM90: red.global.add.noftz.v4.bf16x2
tile.kernel @add_bf16(%x: !H, %rows: !I, %out: !H) {
  %none = arith.constant dense<0> : tensor<64xi32>
  %i = tile.iota : tensor<64xi32>
  %at = tile.lookup %rows[%i] : (!I, tensor<64xi32>) -> tensor<64xi32>
  %valid = arith.cmpi sge, %at, %none : tensor<64xi32>
  %a = tile.gather %x[%i] : (!H, tensor<64xi32>) -> tensor<64x64xbf16>
  tile.reduce_into sum %a into %out[%at] where %valid order free
      : (tensor<64x64xbf16>, !H, tensor<64xi32>, tensor<64xi1>) -> ()
}

// CHECK-LABEL: .entry add_f16(
// SM80: red.global.add.noftz.f16x2
// SM90: red.global.add.noftz.v4.f16x2
tile.kernel @add_f16(%x: !HF, %rows: !I, %out: !HF) {
  %none = arith.constant dense<0> : tensor<64xi32>
  %i = tile.iota : tensor<64xi32>
  %at = tile.lookup %rows[%i] : (!I, tensor<64xi32>) -> tensor<64xi32>
  %valid = arith.cmpi sge, %at, %none : tensor<64xi32>
  %a = tile.gather %x[%i] : (!HF, tensor<64xi32>) -> tensor<64x64xf16>
  tile.reduce_into sum %a into %out[%at] where %valid order free
      : (tensor<64x64xf16>, !HF, tensor<64xi32>, tensor<64xi1>) -> ()
}

// CHECK-LABEL: .entry add_sums(
// CHECK-COUNT-2: red.global.add.f32
// CHECK-NOT: {{[[:space:]]red[.]}}
// CHECK: st.global.f32
tile.kernel @add_sums(%x: !F, %rows: !I, %free: !R, %owned: !R) {
  %i = tile.iota : tensor<64xi32>
  %at = tile.lookup %rows[%i] : (!I, tensor<64xi32>) -> tensor<64xi32>
  %a = tile.gather %x[%i] : (!F, tensor<64xi32>) -> tensor<64x64xf32>
  %s = tile.reduce sum %a along 1 : tensor<64x64xf32> -> tensor<64xf32>
  tile.reduce_into sum %s into %free[%at] order free : (tensor<64xf32>, !R, tensor<64xi32>) -> ()
  tile.reduce_into sum %s into %owned[%at] order owner : (tensor<64xf32>, !R, tensor<64xi32>) -> ()
}

// 512 elements over eight warps: shuffles, then totals through shared memory.
// CHECK-LABEL: .entry scan_vectors(
// CHECK: .maxntid 256
// CHECK-COUNT-10: shfl.sync.bfly
// CHECK: bar.sync
// CHECK: st.shared
// CHECK: bar.sync
// CHECK: ld.shared
// CHECK: st.global
tile.kernel @scan_vectors(%x: !I, %up_to: !I, %before: !I, %most: !I) {
  %i = tile.iota : tensor<512xi32>
  %a = tile.lookup %x[%i] : (!I, tensor<512xi32>) -> tensor<512xi32>
  %s = tile.scan sum %a along 0 : tensor<512xi32>
  %e = tile.scan sum exclusive %a along 0 : tensor<512xi32>
  %m = tile.scan max %a along 0 : tensor<512xi32>
  tile.scatter %s into %up_to[%i] : (tensor<512xi32>, !I, tensor<512xi32>) -> ()
  tile.scatter %e into %before[%i] : (tensor<512xi32>, !I, tensor<512xi32>) -> ()
  tile.scatter %m into %most[%i] : (tensor<512xi32>, !I, tensor<512xi32>) -> ()
}

// Eight columns are a quad's: no shared memory.
// CHECK-LABEL: .entry scan_rows(
// CHECK: .maxntid 128
// CHECK-NOT: bar.sync
// CHECK: ret
tile.kernel @scan_rows(%x: !F8, %out: !F8) {
  %i = tile.iota : tensor<64xi32>
  %a = tile.gather %x[%i] : (!F8, tensor<64xi32>) -> tensor<64x8xf32>
  %s = tile.scan sum %a along 1 : tensor<64x8xf32>
  tile.scatter %s into %out[%i] : (tensor<64x8xf32>, !F8, tensor<64xi32>) -> ()
}

// CHECK-LABEL: .entry sort_vectors(
// CHECK: .maxntid 256
// CHECK: bar.sync
tile.kernel @sort_vectors(%keys: !I, %sorted: !I, %order: !I, %ranks: !I) {
  %i = tile.iota : tensor<256xi32>
  %a = tile.lookup %keys[%i] : (!I, tensor<256xi32>) -> tensor<256xi32>
  %s, %o = tile.sort %a, %i : (tensor<256xi32>, tensor<256xi32>) -> (tensor<256xi32>, tensor<256xi32>)
  %r = tile.rank %a : tensor<256xi32>
  tile.scatter %s into %sorted[%i] : (tensor<256xi32>, !I, tensor<256xi32>) -> ()
  tile.scatter %o into %order[%i] : (tensor<256xi32>, !I, tensor<256xi32>) -> ()
  tile.scatter %r into %ranks[%i] : (tensor<256xi32>, !I, tensor<256xi32>) -> ()
}

// CHECK-LABEL: .entry sort_rows(
// CHECK: .maxntid 128
// CHECK-NOT: bar.sync
// CHECK: ret
tile.kernel @sort_rows(%x: !I8, %sorted: !I8, %moved: !I8) {
  %i = tile.iota : tensor<64xi32>
  %j = tile.iota : tensor<8xi32>
  %columns = tile.broadcast %j along 0 : tensor<8xi32> -> tensor<64x8xi32>
  %a = tile.gather %x[%i] : (!I8, tensor<64xi32>) -> tensor<64x8xi32>
  %s, %m = tile.sort descending %a, %columns : (tensor<64x8xi32>, tensor<64x8xi32>) -> (tensor<64x8xi32>, tensor<64x8xi32>)
  tile.scatter %s into %sorted[%i] : (tensor<64x8xi32>, !I8, tensor<64xi32>) -> ()
  tile.scatter %m into %moved[%i] : (tensor<64x8xi32>, !I8, tensor<64xi32>) -> ()
}

// Each valid element takes a ticket of its own.
// CHECK-LABEL: .entry tickets(
// CHECK: .maxntid 256
// CHECK-COUNT-2: atom.global.add.u32
// CHECK-NOT: atom.
// CHECK-NOT: bar.sync
// CHECK: ret
tile.kernel @tickets(%keys: !I, %counts: !I, %out: !I) {
  %none = arith.constant dense<0> : tensor<512xi32>
  %one = arith.constant dense<1> : tensor<512xi32>
  %i = tile.iota : tensor<512xi32>
  %a = tile.lookup %keys[%i] : (!I, tensor<512xi32>) -> tensor<512xi32>
  %valid = arith.cmpi sge, %a, %none : tensor<512xi32>
  %t = tile.fetch_add %one into %counts[%a] where %valid
      : (tensor<512xi32>, !I, tensor<512xi32>, tensor<512xi1>) -> tensor<512xi32>
  tile.scatter %t into %out[%i] : (tensor<512xi32>, !I, tensor<512xi32>) -> ()
}
