# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# Static MLIR and LLVM for the wheel. The linker takes from these libraries only
# what is referred to: what decides the size is which dialects and passes get
# registered.

# MLIR's exported targets name the shared LLVM: that would bring a second LLVM
# into the process.
foreach(target ${MLIR_EXPORTED_TARGETS})
  get_target_property(libs ${target} INTERFACE_LINK_LIBRARIES)
  if(libs)
    list(REMOVE_ITEM libs LLVM)
    set_target_properties(${target} PROPERTIES INTERFACE_LINK_LIBRARIES "${libs}")
  endif()
endforeach()

# LLVMSupport names the shared zlib and zstd, and z3, which only Clang's static
# analyser uses.
find_library(RAMIFY_ZLIB libz.a REQUIRED)
find_library(RAMIFY_ZSTD libzstd.a REQUIRED)
get_target_property(libs LLVMSupport INTERFACE_LINK_LIBRARIES)
list(FILTER libs EXCLUDE REGEX "z3|ZLIB|zstd")
set_target_properties(LLVMSupport PROPERTIES INTERFACE_LINK_LIBRARIES
                      "${libs};${RAMIFY_ZLIB};${RAMIFY_ZSTD}")

llvm_map_components_to_libnames(llvm_libs
  Core Support Passes JITLink OrcJIT
  NVPTXCodeGen NVPTXDesc NVPTXInfo
  X86CodeGen X86AsmParser X86Desc X86Info)

# Debian's LLVM calls arc4random, which glibc has only since 2.36.
add_library(ramify_compat STATIC ${PROJECT_SOURCE_DIR}/cmake/Arc4Random.c)

target_link_libraries(ramify_mlir INTERFACE
  MLIRArithToLLVM
  MLIRArithTransforms
  MLIRBuiltinToLLVMIRTranslation
  MLIRControlFlowToLLVM
  MLIRFuncToLLVM
  MLIRGPUDialect
  MLIRIndexToLLVM
  MLIRLLVMIRTransforms
  MLIRLLVMToLLVMIRTranslation
  MLIRMathToLLVM
  MLIRMathTransforms
  MLIRMemRefToLLVM
  MLIRMemRefTransforms
  MLIRNVVMDialect
  MLIRNVVMToLLVMIRTranslation
  MLIRParser
  MLIRReconcileUnrealizedCasts
  MLIRSCFToControlFlow
  MLIRSCFTransforms
  MLIRTargetLLVMIRExport
  MLIRTensorDialect
  MLIRTransforms
  MLIRUBToLLVM
  MLIRVectorToLLVM
  MLIRVectorToLLVMPass
  MLIRVectorToSCF
  MLIRVectorTransforms
  ${llvm_libs}
  ramify_compat)
