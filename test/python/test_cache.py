# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The disk cache from Python, and its command line."""

import warnings
from pathlib import Path

import pytest

from ramify import _runtime as rt
from ramify import cache as command
from ramify._cache import disk_cache

PLAN = b'ramify.plan 1\nfunction "f"\nbackend cpu\nend\n'


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("RAMIFY_CACHE_DIR", str(tmp_path / "cache"))
    return disk_cache()


def entry(cache):
    return next(Path(cache.path).glob("*.plan"))


def test_the_variable_names_the_folder(cache, tmp_path):
    assert cache.path == str(tmp_path / "cache" / "kernels-1")
    assert disk_cache() is cache


def test_keys_are_bytes(cache):
    assert cache.find(b"a\0b") is None
    assert cache.store(b"a\0b", PLAN)
    assert cache.find(b"a\0b") == PLAN
    assert cache.find(b"a") is None


def test_damage_is_a_miss_and_one_warning(cache):
    cache.store(b"key", PLAN)
    whole = entry(cache).read_bytes()
    entry(cache).write_bytes(whole[:-1])
    with pytest.warns(RuntimeWarning, match="ignored the damaged cache entry"):
        assert cache.find(b"key") is None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert cache.find(b"key") is None
        cache.store(b"key", PLAN)
        assert cache.find(b"key") == PLAN


def test_without_a_folder_nothing_is_kept(tmp_path):
    (tmp_path / "file").write_text("")
    cache = rt.Cache(str(tmp_path / "file"))
    assert "cannot make" in cache.problem
    assert cache.find(b"key") is None and not cache.store(b"key", PLAN)


def test_command_line(cache, capsys):
    cache.store(b"key", PLAN, "f for tests")
    cache.store(b"other", b"no plan", "g for tests")
    assert command.main(["list"]) == 0
    listed = capsys.readouterr().out
    assert "f for tests" in listed and f"2 kernels, 0.0 MiB in {cache.path}" in listed
    assert command.main(["show", rt.sha256(b"key")[:12]]) == 0
    assert 'function "f"' in capsys.readouterr().out
    assert command.main(["show", rt.sha256(b"other")[:12]]) == 0
    assert "payload      7 bytes" in capsys.readouterr().out
    assert command.main(["show", "zzz"]) == 1
    assert "begins with 'zzz'" in capsys.readouterr().err
    assert command.main(["clear"]) == 0
    assert "removed 2 kernels" in capsys.readouterr().out
    assert cache.list() == []


def test_command_line_shows_damage(cache, capsys):
    cache.store(b"key", PLAN)
    entry(cache).write_bytes(b"short")
    assert command.main(["list"]) == 0
    assert "damaged: too short" in capsys.readouterr().out


def test_command_line_without_a_folder(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("RAMIFY_CACHE_DIR", str(tmp_path / "file"))
    assert command.main(["list"]) == 1
    assert capsys.readouterr().err.startswith("error: cannot make")
