# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Results of a call by their shapes alone: what PyTorch asks for when it traces.

The front end tells the results; nothing is compiled. Lengths may be symbolic; what a kernel is
compiled for (dtypes, heads, head dimensions, constants) is a number.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch

from ..derivative import what_is_saved
from ..errors import ArgumentTypeError
from ..frontend import Lowered, Role, Signature, lower
from ..frontend.binding import ArrayInfo, Sizes, measure, specialise, split
from ..frontend.lower import Result

if TYPE_CHECKING:
    from ..jit import JitFunction

DTYPES = {
    torch.float32: "f32",
    torch.bfloat16: "bf16",
    torch.float16: "f16",
    torch.int32: "i32",
    torch.int64: "i64",
}
TORCH_DTYPES = {name: dtype for dtype, name in DTYPES.items()}


def fake_results(signature: Signature, given: Mapping[str, Any]) -> list[torch.Tensor]:
    """New tensors of the shapes, dtypes and device of a call's results.

    Parameters
    ----------
    signature : Signature
        The function's.
    given : mapping
        The call's arguments by name; tensors need no memory.
    """
    lowered, sizes = describe(signature, given)
    query = given[signature.query.name]
    for name, value in given.items():
        if isinstance(value, torch.Tensor) and value.device != query.device:
            raise ArgumentTypeError(
                f"{signature.name}(): {name}: expected a tensor on {query.device}, as the query "
                f"is, found one on {value.device}."
            )
    return [
        query.new_empty(result_shape(result, sizes), dtype=TORCH_DTYPES[result.dtype])
        for result in lowered.results
    ]


def fake_saved(function: JitFunction, wrt: str, given: Mapping[str, Any]) -> list[torch.Tensor]:
    """New tensors like those that a forward run saves beside the results.

    The compiler tells them, without code.

    Parameters
    ----------
    function : JitFunction
    wrt : str
        Parameters by which gradients are wanted, separated by commas.
    given : mapping
        The call's arguments by name.
    """
    if function.own_gradient is not None:
        return []  # it takes the results
    lowered, sizes = describe(function.signature, given)
    query = given[function.signature.query.name]
    return [
        query.new_empty(result_shape(kept, sizes), dtype=TORCH_DTYPES[kept.dtype])
        for kept in what_is_saved(lowered.text(), len(lowered.results), wrt)
        if not isinstance(kept, int)
    ]


def describe(signature: Signature, given: Mapping[str, Any]) -> tuple[Lowered, Sizes]:
    """The program of a call, and the sizes of its arrays.

    Raises
    ------
    ArgumentError, ArgumentTypeError, UnsupportedError, LanguageError
        As the call itself.
    """
    # Neither may be symbolic there, and no shape depends on them.
    scalars = dict.fromkeys((p.name for p in signature.scalars), 1)
    arguments = {n: v for n, v in given.items() if n not in ("num_keys", "q_start")} | scalars
    found = split(signature, (), arguments)
    infos = {
        parameter.name: _info(parameter.role, found.arrays[parameter.name], parameter.axes)
        for parameter in signature.arrays
    }
    sizes = measure(signature, infos, found.options)
    return lower(signature, specialise(signature, infos, sizes, found.constants)), sizes


def result_shape(result: Result, sizes: Sizes) -> tuple[Any, ...]:
    """The shape of a result in memory."""
    heads = sizes.query_heads if "head" in result.axes else sizes.heads
    last = [n for axis, n in (("dim", result.dim), ("slot", result.slots)) if axis in result.axes]
    length = sizes.length if "pos" in result.axes else sizes.blocks
    return (sizes.batch, length, heads, *last)


def _info(role: Role, tensor: torch.Tensor, axes: tuple[str, ...]) -> ArrayInfo:
    """Shape and dtype, with numbers for what kernels are compiled for."""
    shape = list(tensor.shape)
    if role is Role.TENSOR:
        fixed = [at - len(axes) for at, axis in enumerate(axes) if axis in ("head", "dim")]
    else:
        fixed = [2] if role in (Role.INDICES, Role.WEIGHTS) else [2, 3]
    for at in fixed:
        if -len(shape) <= at < len(shape):
            shape[at] = int(shape[at])
    return ArrayInfo(tuple(shape), DTYPES.get(tensor.dtype, str(tensor.dtype)))
