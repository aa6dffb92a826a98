# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Gradients of a function: the forward run that saves for them, and the backward run.

Both are plans of their own, compiled from the same text as the function. The forward run returns
what the function returns, and what its gradient reads of it: the value and lse of a joint softmax,
say. The backward run takes the arguments again, with gradients of the results and what was saved.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _runtime
from .call import block_key, key_heads, key_heads_name
from .compiler import known_program, plan_for
from .errors import ArgumentError, ArgumentTypeError, CompileError, GradientError, mismatch
from .explain import explain_plan
from .frontend import Lowered, Result, Role, Signature
from .own_gradient import own_backward
from .selection import array_parameters, fits, shared_names, without_arrays

if TYPE_CHECKING:
    from .jit import JitFunction

DIFFERENTIABLE = (Role.QUERY, Role.CHUNKS, Role.LANDMARKS, Role.WEIGHTS, Role.TENSOR)
"""What a gradient can be taken by: float arrays."""

OWN_NAME = r"(d|saved)_\d+"
"""Names of a backward program's own parameters."""

DTYPES = {"f32": "float32", "bf16": "bfloat16", "f16": "float16", "i32": "int32"}


@dataclass(frozen=True)
class ForwardRun:
    """What a backward run must know of the forward run that it follows.

    Parameters
    ----------
    results : tuple of Result
        What the function returns.
    kept : tuple of Result or int
        What is saved: a result's number, or what is saved besides the results.
    heads : tuple of int
        Query heads, and heads of the keys.
    block : int
        Positions of a query block.
    """

    results: tuple[Result, ...]
    kept: tuple[Result | int, ...]
    heads: tuple[int, int]
    block: int

    def shape(self, kind: Result, like: Any) -> list[int]:
        """The shape of a result in memory, for queries `like` these."""
        batch, length = like.shape[:2]
        rows = length if "pos" in kind.axes else -(-length // self.block)
        heads = self.heads[0] if "head" in kind.axes else self.heads[1]
        return [batch, rows, heads, *filter(None, [kind.dim, kind.slots])]

    @functools.cached_property
    def saved(self) -> tuple[Result, ...]:
        """What each of the saved arrays is."""
        return tuple(self.results[x] if isinstance(x, int) else x for x in self.kept)


class Derivative:
    """The gradients of a function by some of its parameters; see `JitFunction.derivative`.

    Parameters
    ----------
    function : JitFunction
        The function.
    wrt : tuple of str
        Names of array parameters.
    """

    def __init__(self, function: JitFunction, wrt: tuple[str, ...]) -> None:
        self.function = function
        self.wrt = wrt
        self._backward: dict[tuple[Any, ...], _runtime.Dispatcher] = {}
        self._forward: dict[tuple[str, ...], _runtime.Dispatcher] = {}
        self._forward_runs: dict[_runtime.Executable, ForwardRun] = {}
        _check_names(function, wrt)

    def __reduce__(self) -> tuple[Any, ...]:
        return _of, (self.function, self.wrt)  # compiled code stays where it is

    def forward(self, /, *args: Any, **kwargs: Any) -> tuple[Any, tuple[Any, ...]]:
        """Run the function, and save what the gradient needs.

        Returns
        -------
        outs : array or tuple of array
            What the function returns.
        saved : tuple of array
            For `backward`. Results may be among them.
        """
        own = self.function
        if own.own_gradient is not None:
            outs = own(*args, **kwargs)
            return outs, outs if isinstance(outs, tuple) else (outs,)
        args, kwargs = own._reserved(args, kwargs)
        dispatcher = self._forward_of(kwargs)
        executable = dispatcher.prepare(*args, **kwargs)
        if not fits(executable, own.signature, args, kwargs):
            kwargs = without_arrays(own.signature, kwargs)
            dispatcher = self._forward_of(kwargs)
            executable = dispatcher.prepare(*args, **kwargs)
        results = dispatcher(*args, **kwargs)
        results = results if isinstance(results, tuple) else (results,)
        count = int(executable.plan.notes["results"])
        outs = results[:count]
        saved = tuple(results[number] for number in saved_numbers(executable.plan))
        return outs if count > 1 else outs[0], saved

    def backward(
        self, saved: Sequence[Any], d_outs: Any, /, *args: Any, **kwargs: Any
    ) -> tuple[Any, ...]:
        """The gradients, in the order of `wrt`.

        Parameters
        ----------
        saved : sequence of array
            From `forward` of the same arguments.
        d_outs : array or tuple of array
            The gradient of each result, of its shape and dtype; None in a tuple for zeros. Results
            of integers have none: what is given for them is not read.

        Returns
        -------
        tuple of array
            Of the parameters' shapes and dtypes.
        """
        own = self.function
        if own.own_gradient is not None:
            return own_backward(own, self.wrt, saved, d_outs, args, kwargs)
        given = d_outs if isinstance(d_outs, tuple | list) else (d_outs,)
        args, kwargs = own._reserved(args, kwargs)
        dispatcher, more = self._bind(saved, given, args, kwargs)
        try:
            if shared_names(own.signature, kwargs) and not fits(
                dispatcher.prepare(*args, **kwargs, **more), own.signature, args, kwargs | more
            ):
                kwargs = without_arrays(own.signature, kwargs)
                dispatcher, more = self._bind(saved, given, args, kwargs)
            results = dispatcher(*args, **kwargs, **more)
        except (ArgumentError, ArgumentTypeError) as error:
            raise type(error)(_in_words_of_backward(str(error))) from None
        return results if isinstance(results, tuple) else (results,)

    def explain(self, /, *args: Any, **kwargs: Any) -> str:
        """What the forward and the backward run will do: schedules, launches, bytes.

        Arrays of zeros stand in for what is saved and for the gradients of the results.
        """
        own = self.function
        args, kwargs = own._reserved(args, kwargs)
        forward = self._forward_of(kwargs).prepare(*args, **kwargs)
        dispatcher, more = self._bind((), (), args, kwargs, blank=True)
        backward = dispatcher.prepare(*args, **kwargs, **more)
        given = {**dict(zip(own.signature.parameters, args, strict=False)), **kwargs}
        arrays = {n: x for n, x in given.items() if hasattr(x, "shape")}
        size = sum(x.nbytes for name, x in more.items() if name.startswith("saved_"))
        kept = saved_text(forward.plan)
        return "\n".join(
            (
                explain_plan(f"{own.signature.name}, forward", forward, arrays),
                f"  saved: {kept}, {size / 2**20:.1f} MiB",
                explain_plan(f"{own.signature.name}, backward", backward, {**arrays, **more}),
            )
        )

    def _bind(
        self,
        saved: Sequence[Any],
        given: Sequence[Any],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        *,
        blank: bool = False,
    ) -> tuple[_runtime.Dispatcher, dict[str, Any]]:
        """The dispatcher of a backward run and its further arguments, all zeros where `blank`."""
        own = self.function
        run = self._forward_run(args, kwargs)
        query = own.signature.query.name
        like: Any = {**dict(zip(own.signature.parameters, args, strict=False)), **kwargs}[query]
        if blank:
            given = [None] * len(run.results)
            saved = [_zeros(like, run.shape(kind, like), kind.dtype) for kind in run.saved]
        more, kinds = self._gradients(given, run, like)
        for number, (array, kind) in enumerate(self._saved(saved, run.saved)):
            what = f"{own.signature.name}: backward: saved[{number}]"
            _check(what, array, kind, run.shape(kind, like))
            more[f"saved_{number}"], kinds[f"saved_{number}"] = array, kind
        return self._dispatcher(kinds, shared_names(own.signature, kwargs)), more

    def _forward_run(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> ForwardRun:
        """What the forward run of these arguments knows; its code is found without Python."""
        signature, forward = self.function.signature, self._forward_of(kwargs)
        executable = forward.prepare(*args, **kwargs)
        if executable not in self._forward_runs:
            request = forward.describe(*args, **kwargs)
            lowered = known_program(signature, request)
            heads = request["sizes"]["HQ"], key_heads(signature, request["sizes"])
            block = request["keys"][block_key(signature)]
            self._forward_runs[executable] = ForwardRun(
                lowered.results, self._kept(lowered), heads, block
            )
        return self._forward_runs[executable]

    def _gradients(
        self, given: Sequence[Any], run: ForwardRun, like: Any
    ) -> tuple[dict[str, Any], dict[str, Result]]:
        """Gradients of the results by name, zeros for those that are None, and their kinds."""
        results = run.results
        name, count = self.function.signature.name, len(results)
        if len(given) != count:
            raise ArgumentError(
                f"{name}: backward: expected gradients of {count} result{'s' * (count != 1)}, "
                f"found {len(given)}."
            )
        named, kinds = {}, {}
        for number, (d_out, result) in enumerate(zip(given, results, strict=True)):
            if result.dtype == "i32":
                continue
            if d_out is None:
                d_out = _zeros(like, run.shape(result, like), result.dtype)
            else:
                what = f"{name}: backward: d_outs[{number}]"
                _check(what, d_out, result, run.shape(result, like))
            named[f"d_{number}"], kinds[f"d_{number}"] = d_out, result
        return named, kinds

    def _saved(self, saved: Sequence[Any], kinds: tuple[Result, ...]) -> list[tuple[Any, Result]]:
        """The saved arrays, and what each is."""
        if isinstance(saved, tuple | list) and len(saved) == len(kinds):
            return list(zip(saved, kinds, strict=True))
        is_listed = isinstance(saved, tuple | list)
        error = ArgumentError if is_listed else ArgumentTypeError
        raise error(
            mismatch(
                f"{self.function.signature.name}: backward: saved",
                f"a tuple of {len(kinds)}",
                f"one of {len(saved)}" if is_listed else type(saved).__name__,
                "Pass on what forward of this derivative saved.",
            )
        )

    def saved_results(self, /, *args: Any, **kwargs: Any) -> tuple[Result | int, ...]:
        """What `forward` of these arguments saves, without running it, though its code is
        compiled: a result's number, or what is saved besides the results. Errors as in `forward`.
        """
        return self._forward_run(*self.function._reserved(args, kwargs)).kept

    def _kept(self, lowered: Lowered) -> tuple[Result | int, ...]:
        try:
            return what_is_saved(lowered.text(), len(lowered.results), ",".join(self.wrt))
        except CompileError as error:
            raise explained(self.function, error) from None

    def _forward_of(self, kwargs: Mapping[str, Any]) -> _runtime.Dispatcher:
        """The dispatcher of forward runs with these keywords, of which some may be an index."""
        own = self.function
        shared = shared_names(own.signature, kwargs)
        if shared not in self._forward:
            plan = functools.partial(self._plan, "forward")
            parameters = array_parameters(own.signature, shared)
            self._forward[shared] = own._make_dispatcher(parameters, plan, self._refuse)
        return self._forward[shared]

    def _dispatcher(
        self, kinds: Mapping[str, Result], shared: tuple[str, ...]
    ) -> _runtime.Dispatcher:
        """The dispatcher of backward runs with further arguments of these kinds, and the index of
        these indices."""
        key = (*kinds.items(), shared)
        if key not in self._backward:
            own = self.function
            parameters = [_parameter(own.signature, name, kind) for name, kind in kinds.items()]
            parameters += array_parameters(own.signature, shared)
            self._backward[key] = own._make_dispatcher(
                parameters, functools.partial(self._plan, "backward"), self._refuse
            )
        return self._backward[key]

    def _refuse(self, /, *args: Any, **kwargs: Any) -> Any:
        raise GradientError(
            f"{self.function.signature.name}: a forward or backward run is not recorded: expected "
            "tensors without gradients, or torch.no_grad()."
        )

    def _plan(self, mode: str, request: Mapping[str, Any]) -> _runtime.Plan:
        own = self.function
        try:
            return plan_for(
                own.signature,
                request,
                own._options,
                own.statistics,
                derivative=mode,
                wrt=",".join(self.wrt),
            )
        except CompileError as error:
            raise explained(own, error) from None


def _of(function: JitFunction, wrt: tuple[str, ...]) -> Derivative:
    return function.derivative(wrt)


@functools.lru_cache(maxsize=256)
def what_is_saved(text: str, count: int, wrt: str) -> tuple[Result | int, ...]:
    """Of a program with `count` results: the number of a result, or what is saved besides."""
    from . import _compiler  # large: loaded only when something is compiled

    options: dict[str, str | int | bool] = {"derivative": "forward", "wrt": wrt}
    lines = _compiler.lower(text, "hsa", options).splitlines()
    head = next(line for line in lines if "hsa.program" in line)
    numbers = re.search(r"hsa\.saved = array<i64(?:: ([-\d, ]+))?>", head)
    dtype = re.search(r"!hsa\.query<(\w+),", head)
    assert numbers is not None and dtype is not None
    results = re.findall(r"tensor<([\dx]+)x(\w+), #(\w+)>", head.partition(" -> ")[2])
    saved: list[Result | int] = []
    for number in (int(part) for part in (numbers[1] or "").split(",") if part):
        if number < count:
            saved.append(number)
            continue
        shape, element, names = results[number]
        axes, last = tuple(names.split("_")), int(shape.split("x")[-1])
        dim, slots = last * (axes[-1] == "dim"), last * (axes[-1] == "slot")
        saved.append(Result(axes, dim, dtype[1] if dim else element, slots))
    return tuple(saved)


def saved_numbers(plan: _runtime.Plan) -> list[int]:
    """Which results of a forward run are saved."""
    listed = plan.notes["saved"]
    return [int(number) for number in listed.split(",")] if listed else []


def saved_text(plan: _runtime.Plan) -> str:
    """What a forward run saves, in words."""
    numbers, count = saved_numbers(plan), int(plan.notes["results"])
    parts = [f"result {number}" for number in numbers if number < count]
    more = sum(number >= count for number in numbers)
    parts += [f"{more} array{'s' * (more > 1)} beside the results"] if more else []
    return ", ".join(parts) or "nothing"


def explained(function: JitFunction, error: CompileError) -> GradientError | CompileError:
    """An error of differentiation as one that shows the user's line."""
    for message, file, line, column in error.diagnostics:
        if "gradient" not in message:
            continue
        shown = f"{function.signature.name}(): {message}"
        if line:
            shown += f'\n  File "{file}", line {line}, column {column}'
            text = function.signature.source.line(line)
            shown += f"\n    {text.strip()}" if text else ""
        return GradientError(shown)
    return error


def differentiable(signature: Signature) -> tuple[str, ...]:
    """The parameters that gradients can be taken by."""
    return tuple(p.name for p in signature.parameters.values() if p.role in DIFFERENTIABLE)


def parameter_names(name: str, wrt: Iterable[str] | str) -> tuple[str, ...]:
    """One name or several, in their order.

    Raises
    ------
    ArgumentTypeError
        If they are none, or in no order.
    """
    names = (wrt,) if isinstance(wrt, str) else wrt
    if isinstance(names, Iterable) and not isinstance(names, Set):
        names = tuple(names)
        if all(isinstance(each, str) for each in names):
            return names
    what = f"{name}.derivative(): wrt"
    raise ArgumentTypeError(mismatch(what, "a name or a sequence of names", repr(wrt)))


def _check_names(function: JitFunction, wrt: tuple[str, ...]) -> None:
    signature = function.signature
    if function._options.schedule == "inverse_index":
        raise GradientError(
            f"{signature.name}.derivative(): expected another schedule, found inverse_index: the "
            "lists that it gives have no gradient."
        )
    taken = [name for name in signature.parameters if re.fullmatch(OWN_NAME, name)]
    if taken:
        raise GradientError(
            f"{signature.name}.derivative(): expected other names than {', '.join(taken)}, which "
            "stand for gradients of results and for what is saved. Rename these parameters."
        )
    legal = differentiable(signature)
    if not wrt:
        raise GradientError(
            f"{signature.name}.derivative(): expected parameters among {', '.join(legal)}, "
            "found none."
        )
    for name in wrt:
        if name not in signature.parameters:
            raise ArgumentError(
                f"{signature.name}.derivative(): there is no parameter {name!r}; expected some of "
                f"{', '.join(legal)}."
            )
        if name not in legal:
            raise GradientError(
                f"{signature.name}.derivative(): {name} has no gradient: expected some of "
                f"{', '.join(legal)}. A number has one if it is passed as rl.Tensor[()]."
            )
    if len(set(wrt)) != len(wrt):
        raise ArgumentError(f"{signature.name}.derivative(): a parameter is named twice: {wrt}.")


def _parameter(signature: Signature, name: str, kind: Result) -> dict[str, Any]:
    spec: dict[str, Any] = {"name": name, "kind": "array", "keyword_only": True, "symbol": False}
    shape = ["B", "L", "HQ!"]
    if kind.slots:
        rows = "L" if "pos" in kind.axes else "rows"
        heads = "HQ!" if "head" in kind.axes else f"{key_heads_name(signature)}!"
        shapes = [["B", rows, heads, str(kind.slots)]]
        return {**spec, "shapes": shapes, "dtypes": [kind.dtype], "alignment": 16}
    if kind.dim:
        return {
            **spec,
            "shapes": [[*shape, f"D_{name}!"]],
            "dtypes": ["f32", "bf16", "f16"],
            "alignment": 16,
        }
    return {**spec, "shapes": [shape], "dtypes": ["f32"]}


def _check(what: str, array: Any, kind: Result, shape: list[int]) -> None:
    """Refuse an array that is not of a result's shape and dtype.

    Raises
    ------
    ArgumentError, ArgumentTypeError
        Under the name that the user knows the array by.
    """
    if not hasattr(array, "__dlpack__"):
        raise ArgumentTypeError(mismatch(what, "an array", type(array).__name__))
    dtype = str(getattr(array, "dtype", "")).rpartition(".")[2]
    found = list(map(int, getattr(array, "shape", shape)))
    if found != shape:
        raise ArgumentError(mismatch(what, f"the shape {shape}", str(found)))
    if dtype not in ("", DTYPES[kind.dtype]):
        raise ArgumentTypeError(mismatch(what, DTYPES[kind.dtype], dtype))


def _in_words_of_backward(message: str) -> str:
    """A message about arguments of the plan, with the names that the user knows."""
    message = re.sub(r"\bd_(\d+)\b", r"d_outs[\1]", message)
    return re.sub(r"\bsaved_(\d+)\b", r"saved[\1]", message)


def _zeros(like: Any, shape: list[int], dtype: str) -> Any:
    if hasattr(like, "new_zeros"):
        zeros = like.new_zeros(shape)
        return {"f32": zeros.float, "i32": zeros.int}.get(dtype, lambda: zeros)()
    return np.zeros(shape, {"f32": np.float32, "i32": np.int32}.get(dtype, like.dtype))
