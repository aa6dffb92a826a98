# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# Compile through ccache where it is installed. Several worktrees share one
# cache: paths are hashed relative to the source folder and the working
# directory is not hashed.
find_program(RAMIFY_CCACHE ccache)
if(RAMIFY_CCACHE)
  foreach(lang C CXX)
    set(CMAKE_${lang}_COMPILER_LAUNCHER
        ${CMAKE_COMMAND} -E env
        CCACHE_BASEDIR=${PROJECT_SOURCE_DIR}
        CCACHE_NOHASHDIR=true
        CCACHE_PCH_EXTSUM=true
        CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
        ${RAMIFY_CCACHE})
  endforeach()
endif()
