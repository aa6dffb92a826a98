# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""examples/ramba: the same model on Ramify's kernels and on plain PyTorch."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from numerics import DEVICES

sys.path.insert(0, str(Path(__file__).parents[2]))

from examples.ramba.model import Config, RAMba
from examples.ramba.train import Task

TASK = Task(length=150, pairs=8, keys=32, values=32, noise=32)
CONFIG = Config(vocabulary=TASK.vocabulary, upper=3, query_heads=4)


def results(ops: str, device: str) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Logits, and the gradients of all parameters, in float32."""
    torch.manual_seed(0)
    model = RAMba(replace(CONFIG, ops=ops)).to(device)
    tokens, values = TASK.batch(3, torch.Generator().manual_seed(1))
    logits = model(tokens.to(device))
    asked = logits[:, -TASK.pairs :].flatten(0, 1)
    torch.nn.functional.cross_entropy(asked, values.to(device).flatten()).backward()
    return logits, {n: p.grad for n, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("device", DEVICES)
def test_kernels_and_plain_pytorch_agree(device: str) -> None:
    logits, gradients = results("ramify", device)
    expected, expected_gradients = results("reference", device)
    assert (logits - expected).abs().max() <= 2e-5 * expected.abs().max()
    assert set(gradients) == set(expected_gradients)
    assert any("retrievals" in name for name in gradients)
    for name, gradient in gradients.items():
        right = expected_gradients[name]
        assert (gradient - right).abs().max() <= 1e-4 * right.abs().max() + 1e-7, name


def test_answers_are_the_values_that_stand_behind_their_keys() -> None:
    tokens, values = TASK.batch(4, torch.Generator().manual_seed(2))
    for row, answers in zip(tokens.tolist(), values.tolist(), strict=True):
        context, asked = row[: -TASK.pairs], row[-TASK.pairs :]
        assert [context[context.index(key) + 1] for key in asked] == answers
        assert all(context.count(key) == 1 for key in asked)


@pytest.mark.parametrize("ops", ["ramify", "reference"])
def test_the_future_does_not_matter(ops: str) -> None:
    torch.manual_seed(0)
    model = RAMba(replace(CONFIG, ops=ops))
    tokens, _ = TASK.batch(2, torch.Generator().manual_seed(3))
    changed = tokens.clone()
    changed[:, 100:] = 0
    with torch.no_grad():
        torch.testing.assert_close(model(tokens)[:, :100], model(changed)[:, :100])
