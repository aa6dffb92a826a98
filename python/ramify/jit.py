# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`@ramify.jit`: a function of the language that runs on arrays."""

from __future__ import annotations

import functools
import itertools
import sys
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _runtime
from .call import runtime_signature
from .call_arguments import check_indices, check_options, is_array, keys_of_each, limit_keys
from .compiler import Options, Statistics, compiler_options, plan_for, program, target_of, translate
from .derivative import Derivative, differentiable, explained, parameter_names
from .errors import ArgumentError, ArgumentTypeError, CompileError, LanguageError, mismatch
from .explain import explain
from .frontend import Signature, watch
from .reference import context
from .reference import run as reference
from .selection import (
    array_parameters,
    fits,
    holds_selection,
    plain,
    shared_names,
    unfold,
    without_arrays,
)

if TYPE_CHECKING:
    from .torch import Operator

DERIVATIVES = ("forward", "backward")
LEVELS = (*DERIVATIVES, "hsa", "tile", "placed", "llvm", "ptx", "asm", "plan")


functions: weakref.WeakValueDictionary[int, JitFunction] = weakref.WeakValueDictionary()
"""Functions by number: what `torch.compile` hands on while it traces is a number or a text."""

_numbers = itertools.count()


class JitFunction(_runtime.Callable):
    """A function of the language, compiled for each kind of argument that it is called with.

    Calling it runs it on the device of its arrays, NumPy arrays and PyTorch's CPU tensors on the
    CPU, and returns arrays of the same library. Beside its own parameters each call takes

    - `chunk_size=64`, or `chunks={"kv": 64, ...}` for several partitions: keys in a chunk;
    - `q_block=`: queries that share a selection row, where the shapes allow several;
    - `q_start=`: where the first query stands among the keys, N - L unless given: an int, or
      int32 `[B]` on the arrays' device;
    - `q_positions=`: where each query stands, int32 `[L]` or `[B, L]` on the arrays' device; -1 is
      a padding row, which gives 0;
    - `num_keys=`: how many of the keys there are, all unless given: an int, or int32 `[B]` on the
      arrays' device, of which none is beyond N;
    - `validate=True`: wait for the device and report an index out of range;
    - `deterministic=True`: the same bits from run to run on one device, also of all gradients; also
      by `torch.use_deterministic_algorithms(True)`.

    In place of indices a call takes a `ramify.Selection` of them, whose index others share.

    PyTorch sees a call where it needs to, under `torch.compile`, autograd and autocast, as that of
    `ramify.torch_op(function)`.

    Parameters
    ----------
    function : callable
        The Python function.
    options : Options
        Choices about compilation.
    """

    def __init__(self, function: Callable[..., Any], options: Options | None = None) -> None:
        if not isinstance(options, Options | None):
            raise ArgumentTypeError(
                mismatch("JitFunction(): options", "Options", repr(options), "Use fn.options(...).")
            )
        self.__ramify_function__ = function
        self.signature = Signature(function)
        self._options = options or Options()
        self._chosen_from: JitFunction | None = None
        self._statistics = Statistics()
        self._operator: Any = None
        self._number = next(_numbers)
        functions[self._number] = self
        self._derivatives: dict[tuple[str, ...], Derivative] = {}
        self._sharing: dict[tuple[str, ...], _runtime.Dispatcher] = {}
        self._own_gradient: Callable[..., Mapping[str, Any]] | None = None
        functools.update_wrapper(self, function)

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        """Run the function; `fn(...)` runs in C++ and does not come here.

        `torch.compile` reads this, and so sees the operator.
        """
        torch = sys.modules.get("torch")
        if torch is not None and torch.compiler.is_compiling():
            return self.operator(*args, **kwargs)
        return super().__call__(*args, **kwargs)

    def reference(self, /, *args: Any, **kwargs: Any) -> Any:
        """Execute the source itself in NumPy float64, one query block at a time.

        Slow and exact; `print` and `breakpoint()` inside the function work.

        Parameters
        ----------
        *args, **kwargs
            What a call takes, of any dtype and head dimension.

        Returns
        -------
        ndarray or tuple of ndarray
            float64 in the shapes of a call's results, int32 for slots.

        Raises
        ------
        ArgumentError, ArgumentTypeError
            If a shape, a dtype, a length or an option does not fit, or what the source passes to a
            function of the language.
        LanguageError
            If no call can have the function's parameters: without queries, say.
        """
        args, kwargs = tuple(map(plain, args)), {n: plain(x) for n, x in kwargs.items()}
        return reference.run(self.signature, args, kwargs)

    def compile(self, /, *args: Any, **kwargs: Any) -> _runtime.Executable:
        """Compile and load what a call with these arguments would run, without running it.

        Parameters
        ----------
        *args, **kwargs
            Those of the call. Shapes, dtypes and the device count, values of arrays do not, unless
            `validate=True`.

        Returns
        -------
        Executable
            The plan, `plan`, with its kernels loaded; also that of each call of the same kind.

        Raises
        ------
        ArgumentError, ArgumentTypeError
            If a shape, a dtype, a device, a scalar or an option does not fit.
        LanguageError
            If the source says something that the language does not have, at its line.
        UnsupportedError
            If the device is too old, or no kernel exists for a head dimension.
        CompileError
            If the compiler refuses the program, by the schedule that was chosen, say.
        CaptureError, DeviceError
            If it has to compile while a CUDA graph is captured, or the driver reports an error.
        """
        args, kwargs = self._reserved(args, kwargs)
        dispatcher, kwargs = self._dispatcher_of(args, kwargs)
        return dispatcher.prepare(*args, **kwargs)

    def ir(
        self,
        level: str,
        /,
        *args: Any,
        target: str | None = None,
        wrt: Iterable[str] | str = (),
        **kwargs: Any,
    ) -> str:
        """The program of a call at one level of the compiler.

        Parameters
        ----------
        level : str
            "hsa", "tile", "placed" (GPU), "llvm", "ptx" (GPU), "asm" (CPU), or "plan"; "forward"
            and "backward" are the programs of the gradient by `wrt`.
        target : str, optional
            "cpu", "sm_80", "sm_90a", ...; that of the arrays' device unless given. No device is
            needed.
        wrt : iterable of str
            Parameters, for "forward" and "backward"; all float arrays unless given.
        *args, **kwargs
            The arguments of the call.

        Returns
        -------
        str
            Text that `ramify-opt`, `ramify-translate`, or a tool of the target reads.

        Raises
        ------
        ArgumentError, ArgumentTypeError
            If there is no such level, `wrt` does not go with it or names no parameter, or an
            argument of the call does not fit.
        GradientError
            If a parameter of `wrt` has no gradient.
        LanguageError, UnsupportedError
            As in `compile`.
        CompileError
            If the target is unknown, has no such level, or the compiler refuses the program.

        Notes
        -----
        Where the function has a parameter called `target` or `wrt`, the keyword is that parameter.
        """
        if "target" in self.signature.parameters and target is not None:
            kwargs, target = {**kwargs, "target": target}, None
        if "wrt" in self.signature.parameters and wrt != ():
            kwargs, wrt = {**kwargs, "wrt": wrt}, ()
        if level not in LEVELS:
            raise ArgumentError(
                f"{self.signature.name}.ir(): expected a level among {', '.join(LEVELS)}, "
                f"found {level!r}."
            )
        if wrt and level not in DERIVATIVES:
            raise ArgumentError(
                f"{self.signature.name}.ir(): wrt: expected the level forward or backward, found "
                f"{level!r}."
            )
        args, kwargs = self._reserved(args, kwargs)
        request = self._shared_dispatcher(kwargs).describe(*args, **kwargs)
        if not isinstance(target, str | None):
            raise ArgumentTypeError(
                f"{self.signature.name}.ir(): target: expected a str, found {target!r}."
            )
        target = target or _default_target(level, request)
        mode = level if level in DERIVATIVES else ""
        chosen = compiler_options(self.signature, self._options, request, target, mode)
        if level in DERIVATIVES:
            names = self.derivative(wrt or differentiable(self.signature)).wrt
            chosen |= {"derivative": level, "wrt": ",".join(names)}
            level = "hsa"
        try:
            return translate(program(self.signature, request), level, chosen)
        except CompileError as error:
            raise explained(self, error) from None

    def explain(self, /, *args: Any, **kwargs: Any) -> str:
        """What a call will do, before it runs: schedule, launches, arithmetic, bytes.

        Parameters
        ----------
        *args, **kwargs
            Those of the call, which is compiled as by `compile`.

        Returns
        -------
        str
            Lines of text.

        Raises
        ------
        Error
            As in `compile`.
        """
        args, kwargs = self._reserved(args, kwargs)
        dispatcher, kwargs = self._dispatcher_of(args, kwargs)
        executable = dispatcher.prepare(*args, **kwargs)
        request = dispatcher.describe(*args, **kwargs)
        given = {**dict(zip(self.signature.parameters, args, strict=False)), **kwargs}
        return explain(self.signature, executable, program(self.signature, request), given)

    def options(self, **changes: Any) -> JitFunction:
        """The same function with other choices about compilation.

        Parameters
        ----------
        **changes
            Fields of `Options`; the others stay as they are.

        Returns
        -------
        JitFunction
            A new one, with the gradient of one's own that this one has, if any.

        Raises
        ------
        ArgumentError
            If there is no such choice, or a value is out of its range.
        """
        unknown = set(changes) - set(asdict(self._options))
        if unknown:
            raise ArgumentError(
                f"{self.signature.name}.options(): expected {', '.join(asdict(self._options))}, "
                f"found {', '.join(sorted(unknown))}."
            )
        chosen = Options(**(asdict(self._options) | changes))
        function = JitFunction(self.__ramify_function__, chosen)
        function._chosen_from = self._chosen_from or self
        function._own_gradient = self._own_gradient
        return function

    def __copy__(self) -> JitFunction:
        """The function itself, as Python copies its own functions."""
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> JitFunction:
        return self

    def __reduce__(self) -> str | tuple[Any, ...]:
        """Pickled by name, as Python pickles its own functions, with the options chosen since and
        the gradient decorated since."""
        name: str = vars(self)["__qualname__"]
        found: Any = sys.modules.get(self.__module__)
        for part in name.split("."):
            found = getattr(found, part, None)
        if self._chosen_from is None or found is self:
            return name
        return _with_options, (self._chosen_from, asdict(self._options), self._own_gradient)

    @property
    def operator(self) -> Operator:
        """The function as a PyTorch operator, made at the first use."""
        from .torch import make_operator  # PyTorch is loaded by those who use it

        make_operator(self._number)
        operator: Operator = self._operator
        return operator

    @property
    def compilations(self) -> int:
        """How often the compiler ran for this function, in this process."""
        return self._statistics.compiled

    @property
    def statistics(self) -> Statistics:
        """Where this function's kernels came from, and what the last compilation took."""
        return self._statistics

    def derivative(self, wrt: Iterable[str] | str) -> Derivative:
        """The gradients by some parameters: a forward run that saves, and a backward run.

        Parameters
        ----------
        wrt : iterable of str
            Names of float array parameters, or one name.

        Examples
        --------
        >>> d = hsa.derivative(("q", "k", "v", "weights"))
        >>> o, saved = d.forward(q, k, v, weights, indices, chunk_size=64, scale=0.125)
        >>> dq, dk, dv, dw = d.backward(saved, do, q, k, v, weights, indices, chunk_size=64,
        ...                             scale=0.125)

        Raises
        ------
        GradientError
            If a parameter has no gradient.
        """
        names = parameter_names(self.signature.name, wrt)
        if names not in self._derivatives:
            self._derivatives[names] = Derivative(self, names)
        return self._derivatives[names]

    def gradient(
        self, function: Callable[..., Mapping[str, Any]]
    ) -> Callable[..., Mapping[str, Any]]:
        """Decorate a gradient of one's own, which replaces the compiler's.

        It is called with the gradients of the results, the results, and the arguments of the
        call, and returns a mapping from names of parameters to their gradients:

        >>> @clipped.gradient
        ... def _(d_out, out, q, k, **options):
        ...     return {"q": ..., "k": ...}
        """
        if not callable(function):
            raise ArgumentTypeError(
                f"{self.signature.name}.gradient(): expected a function, found {function!r}."
            )
        self._own_gradient = function
        return function

    @property
    def own_gradient(self) -> Callable[..., Mapping[str, Any]] | None:
        """What `gradient` decorated, here or of the function that this one is by other options."""
        if self._own_gradient is None and self._chosen_from is not None:
            return self._chosen_from.own_gradient
        return self._own_gradient

    @functools.cached_property
    def _dispatcher(self) -> _runtime.Dispatcher:
        return self._make_dispatcher((), self._plan, self._call_operator)

    def _make_dispatcher(
        self,
        more: Sequence[dict[str, Any]],
        plan: Callable[[Mapping[str, Any]], _runtime.Plan],
        on_grad: Callable[..., Any],
    ) -> _runtime.Dispatcher:
        """A dispatcher that takes the function's arguments and `more`."""
        self.signature.check_entry()
        signature = runtime_signature(self.signature, more)
        watched = functools.partial(watch, self.__ramify_function__)
        return _runtime.Dispatcher(signature, plan, on_grad, watched)

    def _shared_dispatcher(self, kwargs: Mapping[str, Any]) -> _runtime.Dispatcher:
        """The dispatcher of calls with these keywords, of which some may be an index."""
        names = shared_names(self.signature, kwargs)
        if not names:
            return self._dispatcher
        if names not in self._sharing:
            more = array_parameters(self.signature, names)
            self._sharing[names] = self._make_dispatcher(more, self._plan, self._call_operator)
        return self._sharing[names]

    def _dispatcher_of(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[_runtime.Dispatcher, dict[str, Any]]:
        """The dispatcher of a call and its keywords, without an index that it has no room for."""
        dispatcher = self._shared_dispatcher(kwargs)
        if dispatcher is self._dispatcher:
            return dispatcher, kwargs
        if fits(dispatcher.prepare(*args, **kwargs), self.signature, args, kwargs):
            return dispatcher, kwargs
        return self._dispatcher, without_arrays(self.signature, kwargs)

    def _call_indirect(self, /, *args: Any, **kwargs: Any) -> Any:
        """A call with keywords, or a `Selection`, that Python acts on first."""
        torch = sys.modules.get("torch")
        if torch is not None and torch.is_grad_enabled() and holds_selection(args, kwargs):
            from .torch.sharing import record  # PyTorch is loaded by those who use it

            recorded = record(self, args, kwargs)
            if recorded is not None:
                return recorded
        args, kwargs = self._reserved(args, kwargs)
        dispatcher, kwargs = self._dispatcher_of(args, kwargs)
        return dispatcher(*args, **kwargs)

    def _call_operator(self, /, *args: Any, **kwargs: Any) -> Any:
        """A call where PyTorch records gradients, or has tensors without memory."""
        return self.operator(*args, **without_arrays(self.signature, kwargs))

    def _plan(self, request: Mapping[str, Any]) -> _runtime.Plan:
        return plan_for(self.signature, request, self._options, self._statistics)

    def _reserved(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments that the dispatcher takes, after acting on the other keywords."""
        check_options(self.signature.name, kwargs)
        kwargs = dict(kwargs)
        if isinstance(kwargs.get("chunks"), Mapping):
            kwargs["chunks"] = tuple(
                (name, int(size) if isinstance(size, np.integer) else size)
                for name, size in kwargs["chunks"].items()
            )
        validate, keys = kwargs.pop("validate", False), kwargs.get("num_keys")
        if keys is not None and not is_array(keys):
            del kwargs["num_keys"]
            args, kwargs = limit_keys(self.signature, keys, args, kwargs)
            kwargs.update(keys_of_each(self.signature, keys, args, kwargs))
        if validate:
            plainly = tuple(map(plain, args)), {n: plain(x) for n, x in kwargs.items()}
            self._dispatcher.describe(*plainly[0], **plainly[1])  # what does not fit comes first
            check_indices(self.signature, *plainly)
        if holds_selection(args, kwargs):
            args, kwargs = unfold(self.signature, args, kwargs)
        return args, kwargs


_runtime.call_directly(JitFunction)
_runtime.interpret_while(context.block)


def _default_target(level: str, request: Mapping[str, Any]) -> str:
    target = target_of(request)
    return "sm_90a" if target == "cpu" and level in ("placed", "ptx") else target


def _with_options(
    function: JitFunction,
    options: dict[str, Any],
    own_gradient: Callable[..., Mapping[str, Any]] | None,
) -> JitFunction:
    chosen = function.options(**options)
    if own_gradient is not None:
        chosen.gradient(own_gradient)
    return chosen


_NOTHING: Any = object()


def jit(function: Callable[..., Any] = _NOTHING, /, **options: Any) -> JitFunction:
    """Make a Python function a function of the language: `@ramify.jit` above its `def`.

    Raises
    ------
    LanguageError
        If a parameter has no meaning in the language, or the decorator is called.
    """
    if function is _NOTHING or options:
        found = ", ".join(f"{name}={value!r}" for name, value in options.items())
        raise LanguageError(
            f"@ramify.jit stands without arguments, found @ramify.jit({found})",
            hint="choose by `fn.options(...)` of the decorated function"
            if options
            else "@ramify.jit",
        )
    return JitFunction(function)
