# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""From Python functions to the text of the `hsa` dialect.

`Signature` reads a function's parameters; a call's arrays give a `Specialisation`; `lower` makes
the program. Modules in the order in which they build on each other: source, ir, values, builder,
arithmetic; call and intrinsics, for the functions of the language; the visitors access, calls,
expressions, reductions, statements, each an extension of the one before; lower.
"""

from .captures import captured, watch
from .lower import Lowered, Result, lower
from .signature import Parameter, Role, Signature
from .specialisation import ArraySpec, Specialisation

__all__ = [
    "ArraySpec",
    "Lowered",
    "Parameter",
    "Result",
    "Role",
    "Signature",
    "Specialisation",
    "captured",
    "lower",
    "watch",
]
