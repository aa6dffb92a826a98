# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Train RAMba to find the value of a key that was seen once, somewhere in the context.

    python -m examples.ramba.train                   # tiny, on the CPU
    python -m examples.ramba.train --device cuda     # larger

A sequence is noise in which pairs of a key and its value stand; at its end the keys come back in
another order, and at each of them the model says the value.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from .model import Config, RAMba


@dataclass(frozen=True)
class Task:
    """Sizes of the task: tokens are keys, then values, then noise."""

    length: int = 128
    pairs: int = 16
    keys: int = 32
    values: int = 32
    noise: int = 32

    @property
    def vocabulary(self) -> int:
        """How many tokens there are."""
        return self.keys + self.values + self.noise

    def batch(self, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Tokens `[B, L]`, and the values `[B, pairs]` that the last tokens ask for."""
        context = self.length - self.pairs
        tokens = torch.randint(0, self.noise, (size, self.length), generator=generator)
        tokens += self.keys + self.values
        order = torch.rand(size, self.keys, generator=generator).argsort(-1)
        keys = order[:, : self.pairs]
        values = torch.randint(0, self.values, (size, self.pairs), generator=generator) + self.keys
        places = torch.rand(size, context // 2, generator=generator).argsort(-1)
        places = 2 * places[:, : self.pairs]
        tokens.scatter_(1, places, keys).scatter_(1, places + 1, values)
        asked = torch.rand(size, self.pairs, generator=generator).argsort(-1)
        tokens[:, context:] = keys.gather(1, asked)
        return tokens, values.gather(1, asked)


@dataclass(frozen=True)
class Training:
    """How a model is trained."""

    steps: int = 500
    batch: int = 16
    rate: float = 3e-3


SETTINGS = {
    "cpu": (Task(), Config(), Training()),
    "cuda": (
        Task(length=4096, pairs=64, keys=1024, values=256, noise=256),
        Config(dim=256, lower=2, upper=4, query_heads=16, head_dim=64, chunk_size=64, top_k=8),
        Training(steps=2000, batch=32, rate=1e-3),
    ),
}


@torch.no_grad()
def accuracy(model: nn.Module, task: Task, device: str, seed: int = 1, size: int = 128) -> float:
    """The share of right answers on sequences that training has not seen."""
    tokens, values = task.batch(size, torch.Generator().manual_seed(seed))
    answers = model(tokens.to(device))[:, -task.pairs :].argmax(-1)
    return (answers == values.to(device)).float().mean().item()


def train(model: RAMba, task: Task, training: Training, device: str, seed: int = 0) -> list[float]:
    """Train, with a bar of the progress; returns the losses of all steps."""
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(model.parameters(), training.rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, training.rate, training.steps, pct_start=0.1
    )
    losses: list[float] = []
    start = time.perf_counter()
    for step in range(training.steps):
        tokens, values = task.batch(training.batch, generator)
        logits = model(tokens.to(device))[:, -task.pairs :]
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), values.to(device).flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        show(step + 1, training.steps, losses[-1], time.perf_counter() - start)
    return losses


def show(step: int, steps: int, loss: float, seconds: float) -> None:
    """The bar; a line for each tenth where there is no terminal."""
    width = 32
    done = width * step // steps
    line = f"[{'#' * done}{'.' * (width - done)}] {step}/{steps}  loss {loss:.3f}  {seconds:.0f} s"
    if sys.stdout.isatty():
        print(f"\r{line}", end="\n" if step == steps else "", flush=True)
    elif step % max(steps // 10, 1) == 0:
        print(line, flush=True)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=SETTINGS, default="cpu")
    parser.add_argument("--ops", choices=("ramify", "reference"), default="ramify")
    parser.add_argument("--steps", type=int)
    options = parser.parse_args()
    task, config, training = SETTINGS[options.device]
    training = replace(training, steps=options.steps or training.steps)
    torch.manual_seed(0)
    config = replace(config, vocabulary=task.vocabulary, ops=options.ops)
    model = RAMba(config).to(options.device)
    losses = train(model, task, training, options.device)
    print(f"loss {losses[0]:.3f} -> {losses[-1]:.3f}")
    share = accuracy(model, task, options.device)
    print(f"accuracy at length {task.length}: {100 * share:.1f} %")


if __name__ == "__main__":
    main()
