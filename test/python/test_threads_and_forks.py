# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Calls from several threads and forked processes, cold and warm, and at the end of a process."""

from __future__ import annotations

import linecache
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ramify as rf
import ramify.language as rl
from ramify import _compiler

x = np.ones((1, 3, 4, 16), np.float32)


@pytest.fixture(autouse=True)
def _empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAMIFY_CACHE_DIR", str(tmp_path))


def slow_to_compile(number: int) -> Any:
    """A function that takes some tenths of a second to compile; each number gives another."""
    text = "@rf.jit\ndef f(q: rl.Query):\n y = q\n"
    text += f" y = y * {number / 64} + q * {1 - number / 64}\n" * 200 + " return y\n"
    name = f"<slow {number}>"
    linecache.cache[name] = (len(text), None, text.splitlines(True), name)
    scope: dict[str, Any] = {"rf": rf, "rl": rl}
    exec(compile(text, name, "exec", dont_inherit=True), scope)
    return scope["f"]


def forked(work: Callable[[], bool]) -> str:
    """How a child process that does the work ends."""
    child = os.fork()
    if child == 0:
        try:
            good = work()
        except BaseException:
            good = False
        os._exit(0 if good else 1)
    end = time.monotonic() + 30
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return "right" if status == 0 else f"status {status}"
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "hangs"


def together(work: Callable[[], Any], count: int = 6) -> list[Any]:
    """What each of several threads gets."""
    found: list[Any] = []

    def run() -> None:
        try:
            found.append(work())
        except Exception as error:
            found.append(type(error))

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_threads_compile_once() -> None:
    f = slow_to_compile(1)
    assert together(lambda: np.allclose(f(x), x)) == [True] * 6
    assert f.compilations == 1


def test_other_threads_run_while_one_compiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """The compiler runs without the GIL, which nothing but the compiler lets go here."""
    steps, gained, done = [0], [], threading.Event()
    compile_text = _compiler.compile

    def counted(text: str, options: Any) -> bytes:
        before = steps[0]
        plan: bytes = compile_text(text, options)
        gained.append(steps[0] - before)
        return plan

    def count() -> None:
        while not done.wait(0.001):
            steps[0] += 1

    monkeypatch.setattr(_compiler, "compile", counted)
    interval = sys.getswitchinterval()
    counting = threading.Thread(target=count)
    counting.start()
    sys.setswitchinterval(1000)  # no thread is made to let it go
    try:
        for number in range(20, 25):  # one is enough, whatever else the machine does
            assert np.allclose(slow_to_compile(number)(x), x)
            if gained[-1]:
                break
    finally:
        sys.setswitchinterval(interval)
        done.set()
        counting.join()
    assert gained[-1] > 0


def test_each_thread_gets_the_error() -> None:
    @rf.jit
    def wrong(q: rl.Query):
        return q + undefined  # type: ignore[name-defined]

    assert together(lambda: wrong(x)) == [rf.LanguageError] * 6


@pytest.mark.parametrize("same", [True, False])
def test_fork_while_another_thread_compiles(same: bool) -> None:
    f = slow_to_compile(2 + same)
    g = f if same else slow_to_compile(4)
    compiling = threading.Thread(target=lambda: f(x))
    compiling.start()
    time.sleep(0.05)
    assert forked(lambda: np.allclose(g(x), x)) == "right"
    compiling.join()
    assert np.allclose(f(x), x)


def test_fork_while_threads_run_kernels() -> None:
    f = slow_to_compile(5)
    f(x)
    stop = threading.Event()

    def run() -> None:
        while not stop.is_set():
            f(x)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert {forked(lambda: np.allclose(f(x), x)) for _ in range(5)} == {"right"}
    stop.set()
    for thread in threads:
        thread.join()


def test_interrupted_compilation_can_be_repeated() -> None:
    f = slow_to_compile(6)
    main = threading.main_thread().ident
    assert main is not None
    timer = threading.Timer(0.05, signal.pthread_kill, (main, signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        for _ in range(50):
            f(x)
            time.sleep(0.1)
    timer.join()
    assert np.allclose(f(x), x)


SCRIPT = """
import threading, time
import numpy as np
import ramify as rf
x = np.ones((1, 50, 4, 16), np.float32)
k, w = np.ones((1, 100, 2, 16), np.float32), np.ones((1, 50, 2, 3), np.float32)
def run():
    while True:
        rf.ops.hsa(x, k, k, w, np.zeros((1, 50, 2, 3), np.int32), chunk_size=16)
for _ in range(4):
    threading.Thread(target=run, daemon=True).start()
time.sleep(0.5)
"""


def script(text: str) -> tuple[int, str]:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", text]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=env)
    return done.returncode, done.stderr


def test_a_process_ends_while_daemon_threads_run_kernels() -> None:
    assert script(SCRIPT) == (0, "")


def test_a_cache_that_is_a_file_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("RAMIFY_CACHE_DIR", str(tmp_path / "file"))
    with pytest.warns(RuntimeWarning, match="compiled kernels are not kept") as found:
        assert np.allclose(slow_to_compile(7)(x), x)
        assert np.allclose(slow_to_compile(8)(x), x)
    assert len(found) == 1
