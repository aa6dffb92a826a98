# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Which schedule a call runs by, and in how many launches, where `fn.options` leaves it open.

The choice is made from what a kernel is compiled for and from a few conditions on the call's
sizes, `conditions`. The dispatcher evaluates these on each call, without Python, and they are part
of a kernel's key: a new length compiles nothing, unless it is the first on its side of a condition.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, astuple, dataclass
from typing import Any

from .frontend import Role, Signature

SCHEDULES = ("query_major", "chunk_major", "union", "split_kv", "inverse_index", "auto")
LAUNCHES = ("one", "several", "auto")

FEW_PROGRAMS = 128
"""Query blocks times key/value heads that leave most of a GPU idle: it has about as many SMs."""
MANY_SLOTS = 16
"""Chunks of a query block from which on it pays to launch twice for more programs."""


@dataclass(frozen=True)
class Situation:
    """What the choice is made from.

    Parameters
    ----------
    target : str
        "cpu", or a GPU architecture.
    derivative : str
        "" for the function itself, "forward" for a run that saves what the gradient needs,
        "backward" for the gradient.
    deterministic : bool
        Whether the call asks for the same bits from run to run.
    is_decoding : bool
        Few query blocks with many slots each: `FEW_PROGRAMS`, `MANY_SLOTS`.
    shares_rows : bool
        Whether several queries share a selection row, and so each visit of a chunk.
    has_one_block : bool
        One query block in each sequence, in a function that may select and then attend.
    """

    target: str
    derivative: str
    deterministic: bool
    is_decoding: bool
    shares_rows: bool
    has_one_block: bool = False


@dataclass(frozen=True)
class Choice:
    """A schedule, and another one for programs that it refuses; "" for none."""

    schedule: str
    otherwise: str = ""


def choose(situation: Situation) -> Choice:
    """The schedule for a situation.

    `split_kv` cuts the chunks of few query blocks into slices, so that all of a GPU works on
    them; on the CPU the cores share the keys of one block well enough. Gradients of keys and
    values are sums over all queries: programs that own a chunk, `chunk_major`, add each up at one
    place, in 0.25 to 0.5 of the time, while those of `query_major` add to memory at each visit and
    cannot do so in the same order each time. On the CPU that is worth it unless the queries of a
    block share their visits. Everything else is `query_major`'s: it reads the chunks of each query
    block anew, needs no workspace and gives the same bits each time.
    """
    on_cpu = situation.target == "cpu"
    if situation.is_decoding and not on_cpu and not situation.derivative:
        return Choice("split_kv")
    by_query_on_cpu = situation.shares_rows and not situation.deterministic
    if situation.derivative == "backward" and not (on_cpu and by_query_on_cpu):
        return Choice("chunk_major", otherwise="query_major")
    return Choice("query_major")


def wants_one_launch(situation: Situation) -> bool:
    """Whether a function that selects and attends makes both in one launch, if it can.

    Where a sequence has several query blocks, it pays to read the landmarks once for those of a
    tile; with a single one, as in decoding, there is nothing to share. On a GPU one launch has not
    been measured against several, so there it is made on request only.
    """
    return situation.has_one_block and situation.target == "cpu" and not situation.derivative


@dataclass(frozen=True)
class Conditions:
    """Conditions on a call's sizes, as expressions of the runtime; "" where nothing is asked."""

    is_decoding: str = ""
    has_one_block: str = ""

    def asked(self) -> list[str]:
        """Those that are asked."""
        return [each for each in astuple(self) if each]

    def hold(self, request: Mapping[str, Any]) -> dict[str, bool]:
        """Which of them a dispatcher's request fulfils."""
        return {name: bool(each and request["keys"][each]) for name, each in asdict(self).items()}


def conditions(signature: Signature, heads: str, block: str, slots: list[str]) -> Conditions:
    """What the choice asks of a call's sizes.

    Parameters
    ----------
    signature : Signature
        The function.
    heads, block : str
        The key/value heads and the query block, as expressions.
    slots : list of str
        The slots of each selection that is a parameter.
    """
    if not signature.of_role(Role.CHUNKS):
        return Conditions()
    blocks = f"ceildiv(L, max({block}, 1))"
    few = f"B * {heads} * {blocks} <= {FEW_PROGRAMS}"
    many = " + ".join(slots)
    walks = bool(signature.of_role(Role.LANDMARKS)) or any(
        "chunk" in parameter.axes for parameter in signature.of_role(Role.TENSOR)
    )
    return Conditions(
        is_decoding=f"{few} && {many} >= {MANY_SLOTS}" if slots else "",
        has_one_block=f"{blocks} <= 1" if walks else "",
    )


def situation_of(
    request: Mapping[str, Any], asked: Conditions, block: str, target: str, derivative: str
) -> Situation:
    """The situation of a dispatcher's request, which evaluated the conditions `asked` and the
    query block, `block`."""
    return Situation(
        target,
        derivative,
        deterministic=bool(request["constants"].get("deterministic", False)),
        shares_rows=request["keys"][block] > 1,
        **asked.hold(request),
    )
