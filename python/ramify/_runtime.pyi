# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Types of the compiled module `ramify._runtime`; its docstrings say more."""

import collections.abc
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from typing import Any, TypedDict

class Parameter(TypedDict, total=False):
    name: str
    kind: str
    shapes: Sequence[Sequence[str]]
    dtypes: Sequence[str]
    same_dtype_as: str
    alignment: int
    contiguous: bool
    scalar: str
    finite: bool
    torch_switch: bool
    optional: bool
    keyword_only: bool
    indirect: bool
    default: object

class ArrayKind(TypedDict):
    dtype: str
    rank: int
    aligned: bool

class Request(TypedDict):
    sizes: dict[str, int]
    arrays: dict[str, ArrayKind]
    scalars: dict[str, str]
    constants: dict[str, Any]
    absent: list[str]
    keys: dict[str, int]
    device: tuple[str, int]
    capability: tuple[int, int] | None

class KernelInfo(TypedDict):
    name: str
    registers: int
    local_bytes: int
    static_shared_bytes: int
    max_threads: int

class Device(TypedDict):
    name: str
    capability: tuple[int, int]
    multiprocessors: int
    shared_per_block: int
    shared_per_multiprocessor: int
    l2_bytes: int
    memory_bytes: int

class Listed(TypedDict):
    name: str
    description: str
    bytes: int
    modified: int
    damage: str

class Stored(TypedDict):
    key: bytes
    description: str
    payload: bytes

class Plan:
    @staticmethod
    def parse(data: bytes) -> Plan: ...
    def serialize(self) -> bytes: ...
    @property
    def text(self) -> str: ...
    @property
    def function(self) -> str: ...
    @property
    def backend(self) -> str: ...
    @property
    def notes(self) -> dict[str, str]: ...
    @property
    def kernels(self) -> list[str]: ...
    @property
    def codes(self) -> list[tuple[str, str, bytes]]: ...
    def with_code(self, target: str, kind: str, data: bytes) -> Plan: ...
    def launches(self, shapes: Mapping[str, tuple[int, ...]]) -> list[dict[str, Any]]: ...
    def workspace_bytes(self, shapes: Mapping[str, tuple[int, ...]]) -> int: ...
    def bind_kernels(self, addresses: Mapping[str, int], owner: object = None) -> None: ...
    def load(self, device: str = "cpu", index: int = 0) -> Executable: ...

class Executable:
    @property
    def plan(self) -> Plan: ...
    @property
    def kernel_info(self) -> list[KernelInfo]: ...

class Signature:
    def __init__(
        self,
        function: str,
        parameters: Sequence[Parameter] | Sequence[Mapping[str, Any]],
        *,
        checks: Sequence[tuple[str, str]] = ...,
        keys: Sequence[str] = ...,
    ) -> None: ...
    @property
    def function(self) -> str: ...

class Dispatcher:
    def __init__(
        self,
        signature: Signature,
        compiler: collections.abc.Callable[[Request], Plan],
        on_torch: collections.abc.Callable[..., Any] | None = None,
        watch: collections.abc.Callable[[], tuple[str, Sequence[tuple[Any, str, Any]]]]
        | None = None,
    ) -> None: ...
    def __call__(self, *args: Any, **kwargs: Any) -> Any: ...
    def prepare(self, *args: Any, **kwargs: Any) -> Executable: ...
    def describe(self, *args: Any, **kwargs: Any) -> Request: ...
    def clear(self) -> None: ...
    def __len__(self) -> int: ...

class Callable:
    def __call__(self, *args: Any, **kwargs: Any) -> Any: ...

def call_directly(derived: type) -> None: ...
def interpret_while(variable: ContextVar[Any]) -> None: ...

class Cache:
    def __init__(self, folder: str) -> None: ...
    @staticmethod
    def default_folder() -> str: ...
    def find(self, key: bytes | str) -> bytes | None: ...
    def store(self, key: bytes | str, payload: bytes, description: str = "") -> bool: ...
    def list(self) -> list[Listed]: ...
    def read(self, prefix: str) -> Stored | None: ...
    def clear(self) -> int: ...
    @property
    def path(self) -> str: ...
    @property
    def problem(self) -> str: ...

def sha256(data: bytes) -> str: ...
def cuda_problem() -> str: ...
def cuda_device_count() -> int: ...
def cuda_device(index: int = 0) -> Device: ...
def target_for(major: int, minor: int) -> str | None: ...
def measure_launch(launches: int = 2000, index: int = 0) -> float: ...
def assemble(ptx: str | bytes, index: int = 0) -> bytes: ...
def thread_count() -> int: ...
