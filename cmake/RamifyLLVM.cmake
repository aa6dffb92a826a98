# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# Finds MLIR 19 and defines `ramify_mlir`, the interface target for everything
# that Ramify takes from MLIR and LLVM: the two shared libraries in
# development, the static components below in the wheel. Static and shared
# LLVM are never mixed in one process.
find_package(MLIR 19.1 REQUIRED CONFIG)
list(APPEND CMAKE_MODULE_PATH ${MLIR_CMAKE_DIR} ${LLVM_CMAKE_DIR})
# TableGen.cmake writes paths in its dependency files that are relative to the
# build folder already.
cmake_policy(SET CMP0116 OLD)
include(TableGen)
include(AddLLVM)
include(AddMLIR)
include(HandleLLVMOptions)
include_directories(SYSTEM ${LLVM_INCLUDE_DIRS} ${MLIR_INCLUDE_DIRS})

add_library(ramify_mlir INTERFACE)
if(RAMIFY_SHARED_LLVM)
  target_link_libraries(ramify_mlir INTERFACE MLIR LLVM)
else()
  include(RamifyStaticLLVM)
endif()
