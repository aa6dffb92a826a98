# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Ramify: a DSL and JIT compiler for hierarchical sparse attention kernels."""

from . import language
from .errors import (
    ArgumentError,
    ArgumentTypeError,
    CacheError,
    CaptureError,
    CompileError,
    DeviceError,
    Error,
    GradientError,
    LanguageError,
    UnsupportedError,
)
from .jit import JitFunction, jit

__version__ = "0.1.0"

from . import ops  # isort: skip  # uses jit

__all__ = [
    "ArgumentError",
    "ArgumentTypeError",
    "CacheError",
    "CaptureError",
    "CompileError",
    "DeviceError",
    "Error",
    "GradientError",
    "JitFunction",
    "LanguageError",
    "UnsupportedError",
    "jit",
    "language",
    "ops",
]
