# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Kernels for the CPU in this process: linked, found, kept, and let go."""

import gc
import os
import signal
import weakref

import pytest
from test_cache_torture import SHAPES, check, forget

from ramify import _compiler, _runtime, compiler
from ramify._cache import disk_cache
from ramify.errors import CompileError

SHAPE = SHAPES[0]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("RAMIFY_CACHE_DIR", str(tmp_path))
    forget()
    yield tmp_path / "kernels-1"
    forget()


class Watched:
    """What load_object gives, with a weak reference to each that lives."""

    def __init__(self, monkeypatch):
        self.living = weakref.WeakSet()
        load = _compiler.load_object
        monkeypatch.setattr(_compiler, "load_object", lambda *a: self.note(load(*a)))

    def note(self, loaded):
        kept = Kept(loaded)
        self.living.add(kept)
        return kept


class Kept:
    def __init__(self, loaded):
        self.loaded = loaded
        self.addresses = loaded.addresses


def stored_plan(entry):
    return _runtime.Plan.parse(disk_cache().read(entry.stem)["payload"])


def test_a_kernel_from_the_disk_is_linked_but_not_compiled(monkeypatch):
    check(SHAPE)
    forget()
    for name in ("compile", "lower"):
        monkeypatch.setattr(_compiler, name, lambda *_: pytest.fail("the compiler ran"))
    watched = Watched(monkeypatch)
    check(SHAPE)
    assert len(watched.living) == 1


def test_code_lives_as_long_as_plans_and_what_they_load(monkeypatch):
    watched = Watched(monkeypatch)
    check(SHAPE)
    compiler._plans.clear()
    gc.collect()
    assert len(watched.living) == 1, "the dispatcher still calls it"
    check(SHAPE)
    forget()
    gc.collect()
    assert not watched.living


def test_a_forked_child_runs_and_loads():
    check(SHAPE)
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        try:
            check(SHAPE)
            forget()
            check(SHAPE)
            os._exit(42)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 42


def test_objects_that_cannot_be_loaded(folder):
    check(SHAPE)
    (entry,) = folder.glob("*.plan")
    plan = stored_plan(entry)
    ((_, kind, code),) = plan.codes
    assert kind == "object"
    names = [f"{kernel}_packed" for kernel in plan.kernels]
    (address,) = _compiler.load_object(code, names).addresses
    assert address
    with pytest.raises(CompileError, match=r"object code cannot be loaded: .*nobody_packed"):
        _compiler.load_object(code, ["nobody_packed"])
    for damaged in (b"", b"text", code[:1000], code[: len(code) // 2]):
        with pytest.raises(CompileError, match="object code cannot be loaded"):
            _compiler.load_object(damaged, names)
    with pytest.raises(CompileError, match="has not been loaded"):
        plan.load()
