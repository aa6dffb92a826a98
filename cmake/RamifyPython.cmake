# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# The Python that the modules are built for and the tests run with: the one
# that is given (Python_EXECUTABLE), else that of RAMIFY_VENV, of the active
# virtual environment or of the checkout's own .venv, else the first on PATH.
if(NOT Python_EXECUTABLE)
  foreach(venv "$ENV{RAMIFY_VENV}" "$ENV{VIRTUAL_ENV}" "${PROJECT_SOURCE_DIR}/.venv")
    if(venv AND EXISTS ${venv}/bin/python)
      set(Python_EXECUTABLE ${venv}/bin/python CACHE FILEPATH "Python interpreter")
      break()
    endif()
  endforeach()
endif()
find_package(Python 3.11 REQUIRED COMPONENTS Interpreter Development.Module)

execute_process(COMMAND ${Python_EXECUTABLE} -m pybind11 --cmakedir
                OUTPUT_VARIABLE pybind11_ROOT OUTPUT_STRIP_TRAILING_WHITESPACE
                RESULT_VARIABLE status ERROR_QUIET)
if(NOT status EQUAL 0)
  message(FATAL_ERROR "${Python_EXECUTABLE} has no pybind11. Run ./dev test, which sets "
                      "up an environment, or name one with RAMIFY_VENV=<folder>.")
endif()
set(PYBIND11_FINDPYTHON ON)
find_package(pybind11 3.0 REQUIRED CONFIG)
