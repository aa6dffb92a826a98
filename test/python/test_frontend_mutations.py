# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Functions with parts exchanged at random: a text that the dialect accepts, or a LanguageError."""

from __future__ import annotations

import ast
import copy
import importlib.util
import pathlib
import random
import subprocess
from typing import Any

import pytest
import test_frontend
import test_reference
from test_frontend import find_opt

import ramify as rf
from ramify.frontend import ArraySpec, Role, Signature, Specialisation, lower

FUNCTIONS = [
    value
    for module in (test_frontend, test_reference)
    for value in vars(module).values()
    if isinstance(value, rf.JitFunction)
]
TREES = [function.signature.source.tree for function in FUNCTIONS]
EXPRESSIONS = [n for t in TREES for s in t.body for n in ast.walk(s) if isinstance(n, ast.expr)]
STATEMENTS = [n for t in TREES for s in t.body for n in ast.walk(s) if isinstance(n, ast.stmt)]
HEADER = """import ramify as rf
import ramify.language as rl
from test_frontend import *
"""


class Mutate(ast.NodeTransformer):
    """Puts expressions and statements of other functions in place of some."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.rate = self.random.choice((0.01, 0.02, 0.05))

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        body = [self.visit(statement) for statement in node.body]
        return ast.FunctionDef(node.name, node.args, body, node.decorator_list, None, None)

    def visit(self, node: Any) -> Any:
        if isinstance(node, ast.FunctionDef):
            return self.visit_FunctionDef(node)
        node = self.generic_visit(node)
        is_read = isinstance(getattr(node, "ctx", ast.Load()), ast.Load)
        if self.random.random() < self.rate and isinstance(node, ast.stmt):
            return copy.deepcopy(self.random.choice(STATEMENTS))
        if self.random.random() < self.rate and isinstance(node, ast.expr) and is_read:
            return copy.deepcopy(self.random.choice(EXPRESSIONS))
        return node


def specialisation(signature: Signature) -> Specialisation:
    specs = {}
    for parameter in signature.arrays:
        dtype = "i32" if parameter.role is Role.INDICES else "bf16"
        specs[parameter.name] = ArraySpec(dtype, dim=32 if parameter.name == "v" else 64)
    constants = {p.name: 2 if p.is_required else p.default for p in signature.constants}
    return Specialisation(4, dict.fromkeys(("kv", *signature.partitions), 64), specs, constants)


def mutated(seed: int, folder: pathlib.Path) -> Any:
    """A function of the module written for this seed."""
    tree = Mutate(seed).visit(copy.deepcopy(random.Random(seed).choice(TREES)))
    path = folder / f"mutation_{seed}.py"
    path.write_text(HEADER + ast.unparse(ast.fix_missing_locations(tree)) + "\n")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, tree.name)


@pytest.mark.filterwarnings("ignore::SyntaxWarning")
def test_random_functions_compile_or_are_refused(tmp_path: pathlib.Path) -> None:
    texts: list[str] = []
    refused = 0
    for seed in range(400):
        try:
            function = mutated(seed, tmp_path)
            texts.append(lower(function.signature, specialisation(function.signature)).text())
        except rf.LanguageError as error:
            refused += 1
            assert error.excerpt.strip()
            assert str(tmp_path) in str(error) or "test_frontend.py" in str(error)
        except NameError as error:  # a default or annotation that names nothing
            assert "is not defined" in str(error)
    assert refused > 100
    assert len(texts) > 50
    if find_opt() is not None:
        whole = "\n// -----\n".join(texts)
        command = [str(find_opt()), "--split-input-file", "-o", "/dev/null", "-"]
        done = subprocess.run(command, input=whole, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
