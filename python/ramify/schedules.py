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
FORWARD_ONLY = ("union", "split_kv")
"""Schedules of runs whose results are rows of queries; gradients of their functions are chosen as
with "auto"."""
LAUNCHES = ("one", "several", "auto")

FEW_PROGRAMS = 128
"""Query blocks times key/value heads that leave most of a GPU idle: it has about as many SMs."""
MANY_SLOTS = 16
"""Chunks of a query block from which on it pays to launch twice for more programs."""
MANY_QUERIES = 8192
"""Queries from which on an inverse index costs little beside the visits."""
LONG = 32768
"""Queries of a sequence, from which on its keys and values are too much for a GPU's L2."""
MANY_BLOCKS = 8
"""Query blocks of a sequence from which on a GPU selects and attends in one launch, as long as
there are few of them in all, `FEW_WALKS`. Over 64K keys an H200 took 0.119 ms in one launch against
0.111 ms in several for a single query, 0.119 against 0.139 for 16, 0.128 against 0.161 for 512."""
FEW_WALKS = 512
"""Query blocks of a call, of all sequences and heads, up to which each may as well walk over all
chunks by itself: a GPU has room for all at once. With more it pays to share landmarks in tiles."""


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
    has_few_walks : bool
        Few query blocks, but not very few, in such a function: `MANY_BLOCKS`, `FEW_WALKS`.
    is_large, is_long : bool
        Many queries, and long sequences: `MANY_QUERIES`, `LONG`.
    is_f32 : bool
        Whether results are f32, as sums over chunks are.
    """

    target: str
    derivative: str
    deterministic: bool
    is_decoding: bool
    shares_rows: bool
    has_one_block: bool = False
    has_few_walks: bool = False
    is_large: bool = False
    is_long: bool = False
    is_f32: bool = False


@dataclass(frozen=True)
class Choice:
    """A schedule, and another one for programs that it refuses, "" for none. It is to refuse those
    whose chunks have less than `keys_per_row` keys for each row of a query block, and, if
    `in_place`, those whose sums it cannot add to the results in place, unless they have many
    more."""

    schedule: str
    otherwise: str = ""
    in_place: bool = False
    keys_per_row: int = 0


def choose(situation: Situation) -> Choice:
    """The schedule for a situation.

    `split_kv` cuts the chunks of few query blocks into slices, so that all of a GPU works on
    them; on the CPU the cores share the keys of one block well enough. Gradients of keys and
    values are sums over all queries: programs that own a chunk, `chunk_major`, add each up at one
    place, in 0.25 to 0.5 of the time, while those of `query_major` add to memory at each visit and
    take turns where the order is to be the same each time. On the CPU that is worth it unless the
    queries of a block share their visits.

    Everything else is `query_major`'s, which reads the chunks of each query block anew, needs no
    workspace and gives the same bits each time, unless a chunk has many more keys than the block
    has rows. Then it is cheaper to read rows of queries and to add rows of results for each chunk,
    where these sums may have the results' type: in 0.25 to 0.65 of the time with 8 keys a row or
    more, and in 0.75 to 0.9 with 4 where sequences are long or f32, if each query has picks of its
    own. Where visits have to write parts that another launch combines, as those of a joint softmax
    do, it takes 16 keys a row: 0.45 to 0.55 of the time with 16, 0.15 to 0.3 with 64. How many
    there are is for the compiler to see, which knows whether heads share their picks.
    `deterministic=True` keeps to `query_major`.
    """
    on_cpu = situation.target == "cpu"
    if situation.is_decoding and not on_cpu and not situation.derivative:
        return Choice("split_kv")
    if _pays_by_chunk(situation):
        keys_per_row = 4 if situation.is_f32 or situation.is_long else 8
        return Choice(
            "chunk_major", otherwise="query_major", in_place=True, keys_per_row=keys_per_row
        )
    by_query_on_cpu = situation.shares_rows and not situation.deterministic
    if situation.derivative == "backward" and not (on_cpu and by_query_on_cpu):
        return Choice("chunk_major", otherwise="query_major")
    return Choice("query_major")


def _pays_by_chunk(situation: Situation) -> bool:
    """Whether visits chunk by chunk may be the faster ones for what is no gradient."""
    if situation.target == "cpu" or situation.derivative == "backward":
        return False
    return situation.is_large and not situation.deterministic


def wants_one_launch(situation: Situation) -> bool:
    """Whether a function that selects and attends makes both in one launch, if it can.

    Where a sequence has several query blocks, it pays to read the landmarks once for those of a
    tile; with a single one, as in decoding, there is nothing to share, and on the CPU nothing to
    gain from more programs. On a GPU that has room for all blocks at once, a tile of queries takes
    longer over the landmarks than each block by itself, up to 1.35 times, from `MANY_BLOCKS` on.
    """
    if situation.derivative:
        return False
    return situation.has_one_block if situation.target == "cpu" else situation.has_few_walks


@dataclass(frozen=True)
class Conditions:
    """Conditions on a call's sizes, as expressions of the runtime; "" where nothing is asked."""

    is_decoding: str = ""
    has_one_block: str = ""
    has_few_walks: str = ""
    is_large: str = ""
    is_long: str = ""

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
    few_walks = f"{blocks} >= {MANY_BLOCKS} && B * {heads} * {blocks} <= {FEW_WALKS}"
    return Conditions(
        is_decoding=f"{few} && {many} >= {MANY_SLOTS}" if slots else "",
        has_one_block=f"{blocks} <= 1" if walks else "",
        has_few_walks=few_walks if walks else "",
        is_large=f"B * L >= {MANY_QUERIES}" if slots or walks else "",
        is_long=f"L >= {LONG}" if slots or walks else "",
    )


def situation_of(
    request: Mapping[str, Any],
    asked: Conditions,
    block: str,
    target: str,
    derivative: str,
    **known: Any,
) -> Situation:
    """The situation of a dispatcher's request, which evaluated the conditions `asked` and the
    query block, `block`; `known` is what else the caller knows of it."""
    return Situation(
        target,
        derivative,
        deterministic=bool(request["constants"].get("deterministic", False)),
        shares_rows=request["keys"][block] > 1,
        **asked.hold(request),
        **known,
    )
