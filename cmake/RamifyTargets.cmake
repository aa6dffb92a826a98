# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# The few functions that the folders' CMakeLists.txt are written with.

# The precompiled header. ccache identifies it by the .sum file beside it (its
# source, the compiler and the LLVM version), so that objects are shared
# between worktrees; the header itself is compiled once in each build folder.
# For the same reason it is named by options whose paths ccache can make relative.
set(CMAKE_CXX_COMPILE_OPTIONS_USE_PCH -include-pch <PCH_FILE>)
set(RAMIFY_MLIR_FLAGS -fno-rtti -fno-exceptions "SHELL:-Xclang -fno-pch-timestamp")
set(RAMIFY_PCH_HEADER ${PROJECT_SOURCE_DIR}/cmake/PrecompiledMLIR.h)
file(GENERATE OUTPUT ${PROJECT_BINARY_DIR}/ramify_pch.cpp CONTENT "")
add_library(ramify_pch OBJECT EXCLUDE_FROM_ALL ${PROJECT_BINARY_DIR}/ramify_pch.cpp)
target_precompile_headers(ramify_pch PRIVATE ${RAMIFY_PCH_HEADER})
target_compile_options(ramify_pch PRIVATE ${RAMIFY_MLIR_FLAGS})
target_link_libraries(ramify_pch PRIVATE ramify_mlir)
set_target_properties(ramify_pch PROPERTIES CXX_COMPILER_LAUNCHER "")
file(SHA256 ${RAMIFY_PCH_HEADER} pch_hash)
file(GENERATE
     OUTPUT ${PROJECT_BINARY_DIR}/CMakeFiles/ramify_pch.dir/cmake_pch.hxx.pch.sum
     CONTENT "${pch_hash} ${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION} ${CMAKE_CXX_FLAGS} ${CMAKE_BUILD_TYPE} LLVM ${LLVM_PACKAGE_VERSION}\n")
set_property(DIRECTORY ${PROJECT_SOURCE_DIR} APPEND
             PROPERTY CMAKE_CONFIGURE_DEPENDS ${RAMIFY_PCH_HEADER})

# Uses MLIR and LLVM in `target`: their flags, libraries and the precompiled
# header.
function(ramify_use_mlir target)
  target_link_libraries(${target} PUBLIC ramify_mlir)
  target_compile_options(${target} PRIVATE ${RAMIFY_MLIR_FLAGS})
  target_precompile_headers(${target} REUSE_FROM ramify_pch)
endfunction()

# ramify_add_mlir_library(<name> <sources>... [DEPENDS <tablegen targets>...]
#                         [LINK_LIBS <Ramify libraries>...])
# A static library of the compiler.
function(ramify_add_mlir_library name)
  cmake_parse_arguments(ARG "" "" "DEPENDS;LINK_LIBS" ${ARGN})
  add_library(${name} STATIC ${ARG_UNPARSED_ARGUMENTS})
  ramify_use_mlir(${name})
  target_link_libraries(${name} PUBLIC ${ARG_LINK_LIBS})
  if(ARG_DEPENDS)
    add_dependencies(${name} ${ARG_DEPENDS})
  endif()
endfunction()

# ramify_add_tool(<name> <sources>... [LINK_LIBS ...])
# A command line tool on MLIR, in <build>/bin.
function(ramify_add_tool name)
  cmake_parse_arguments(ARG "" "" "LINK_LIBS" ${ARGN})
  add_executable(${name} ${ARG_UNPARSED_ARGUMENTS})
  ramify_use_mlir(${name})
  target_link_libraries(${name} PRIVATE ${ARG_LINK_LIBS})
endfunction()

# ramify_add_unittest(<name> <sources>... [MLIR] [LINK_LIBS ...])
# A GoogleTest program under ctest; MLIR says that its sources use MLIR.
function(ramify_add_unittest name)
  cmake_parse_arguments(ARG "MLIR" "" "LINK_LIBS" ${ARGN})
  add_executable(${name} ${ARG_UNPARSED_ARGUMENTS})
  if(ARG_MLIR)
    ramify_use_mlir(${name})
  endif()
  target_link_libraries(${name} PRIVATE ${ARG_LINK_LIBS} GTest::gtest_main)
  add_test(NAME gtest.${name}
           COMMAND ${name} --gtest_output=xml:${RAMIFY_TEST_RESULTS}/gtest.${name}.xml)
endfunction()

# ramify_add_python_module(<name> <sources>... [LINK_LIBS ...])
# A pybind11 module, built into python/ramify so that the checkout itself is
# importable (PYTHONPATH=python), and installed into the wheel. Its sources
# need RTTI and exceptions, so they include no header of LLVM. The target
# ramify-python builds all of them.
add_custom_target(ramify-python)
function(ramify_add_python_module name)
  cmake_parse_arguments(ARG "" "" "LINK_LIBS" ${ARGN})
  pybind11_add_module(${name} MODULE NO_EXTRAS ${ARG_UNPARSED_ARGUMENTS})
  target_link_libraries(${name} PRIVATE ${ARG_LINK_LIBS})
  # A note with a hash of the module: what tells one compiler from another in
  # the key of the disk cache.
  target_link_options(${name} PRIVATE -Wl,--build-id=sha1)
  if(RAMIFY_SHARED_LLVM)
    set_target_properties(${name} PROPERTIES LIBRARY_OUTPUT_DIRECTORY
                                             ${PROJECT_SOURCE_DIR}/python/ramify)
  else()
    target_link_options(${name} PRIVATE
      -Wl,--version-script=${PROJECT_SOURCE_DIR}/cmake/module.exports
      -Wl,--exclude-libs,ALL -Wl,--gc-sections -Wl,--icf=safe -Wl,--as-needed
      -static-libstdc++ -s)
  endif()
  add_dependencies(ramify-python ${name})
  install(TARGETS ${name} LIBRARY DESTINATION ramify COMPONENT python)
endfunction()

# ramify_add_dialect_docs(<dialect> <td>)
# The dialect's reference, docs/<dialect>.md in the build folder, by the target
# ramify-docs.
add_custom_target(ramify-docs)
function(ramify_add_dialect_docs dialect td)
  set(LLVM_TARGET_DEFINITIONS ${td})
  tablegen(MLIR ${dialect}.md -gen-dialect-doc -dialect=${dialect})
  add_custom_target(ramify-docs-${dialect}
    COMMAND ${CMAKE_COMMAND} -E copy ${dialect}.md ${PROJECT_BINARY_DIR}/docs/${dialect}.md
    DEPENDS ${dialect}.md)
  add_dependencies(ramify-docs ramify-docs-${dialect})
endfunction()
