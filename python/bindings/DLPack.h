// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What we use of DLPack 1.x: its structures, and the table of C functions that
// a tensor type offers in the capsule `__dlpack_c_exchange_api__`. The layouts
// are DLPack's ABI; names are ours.

#ifndef RAMIFY_BINDINGS_DLPACK_H
#define RAMIFY_BINDINGS_DLPACK_H

#include <cstdint>

namespace ramify::dlpack {

enum DeviceType : int32_t { Cpu = 1, Cuda = 2, CudaHost = 3, CudaManaged = 13 };
enum TypeCode : uint8_t { Int = 0, UInt = 1, Float = 2, BFloat = 4, Bool = 6 };

struct Version {
  uint32_t major, minor;
};
inline constexpr uint32_t majorVersion = 1;

struct Device {
  int32_t type, id;
};

struct DataType {
  uint8_t code, bits;
  uint16_t lanes;
};

struct Tensor {
  void *data;
  Device device;
  int32_t rank;
  DataType dtype;
  int64_t *shape;
  int64_t *strides; // in elements; null before 1.2 for a contiguous tensor
  uint64_t byteOffset;
};

/// Of the capsule "dltensor".
struct ManagedTensor {
  Tensor tensor;
  void *context;
  void (*deleter)(ManagedTensor *);
};

/// Of the capsule "dltensor_versioned".
struct ManagedTensorVersioned {
  Version version;
  void *context;
  void (*deleter)(ManagedTensorVersioned *);
  uint64_t flags;
  Tensor tensor;
};

using SetError = void (*)(void *context, const char *kind, const char *message);

/// All functions give 0 on success; those that take or make Python objects need
/// the GIL and leave a Python exception on failure. None synchronises.
struct ExchangeApi {
  Version version;
  ExchangeApi *previous;
  int (*allocate)(Tensor *prototype, ManagedTensorVersioned **out,
                  void *errorContext, SetError);
  int (*managedFromObject)(void *object, ManagedTensorVersioned **out);
  int (*managedToObject)(ManagedTensorVersioned *tensor, void **out);
  int (*tensorFromObject)(void *object, Tensor *out); // may be null
  int (*currentStream)(int32_t deviceType, int32_t deviceId, void **out);
};

} // namespace ramify::dlpack

#endif
