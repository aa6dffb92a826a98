# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a loop over chunks reduces into."""

from __future__ import annotations

import numpy as np

from ..errors import ArgumentError
from ..reference.named_array import Data, NamedArray, Number, common_keys, expand, named
from .annotations import Chunks, Query
from .contractions import dot, mask_keys, softmax
from .reductions import logsumexp


def zeros(q: Query, v: Chunks | Query | None = None, *, init: float = 0.0) -> NamedArray:
    """An array to reduce into: `[pos, head, dim]` with the `dim` of `v`, or `[pos, head]`.

    Parameters
    ----------
    q : Query
        Gives `pos` and `head`.
    v : Chunks or Query, optional
        Gives `dim`.
    init : constexpr float
        The value to start from: -rl.inf for `maximum`, rl.inf for `minimum`.

    Raises
    ------
    LanguageError
        If `q` or `v` is no parameter of that kind, or `init` no constant number.
    """
    rows = q.data.shape[:2]
    if v is None:
        return NamedArray(np.full(rows, init), ("pos", "head"))
    return NamedArray(np.full((*rows, v.data.shape[-1]), init), ("pos", "head", "dim"))


def online_softmax(q: Query, v: Chunks) -> OnlineSoftmax:
    """One softmax over all that is merged and pushed, with values like the rows of `v`.

    Returns
    -------
    OnlineSoftmax
        `acc.merge(scores, values)` and `acc.push(logit, value)` add to it; `acc.value` is
        `[pos, head, dim]`, `acc.lse` is `[pos, head]`.

    Raises
    ------
    LanguageError
        If `q` or `v` is no parameter of that kind.
    """
    return OnlineSoftmax(q.data.shape[0], q.data.shape[1], v.data.shape[-1])


class OnlineSoftmax:
    """value = sum exp(s_x) v_x / sum exp(s_x) over all that was added; see `online_softmax`."""

    def __init__(self, pos: int, head: int, dim: int) -> None:
        self._max: Data = np.full((pos, head), -np.inf)
        self._total: Data = np.zeros((pos, head))
        self._sum: Data = np.zeros((pos, head, dim))

    def merge(self, scores: NamedArray, values: NamedArray) -> None:
        """Add one element per key: scores `[pos, head, key]`, values `[key, dim]`.

        A score of -inf excludes its key; so does a key that is not valid. Outside of loops, a
        stream of scores `[pos, head, chunk]` adds one element per chunk, with landmarks
        `[chunk, dim]` or `[head, chunk, dim]` as values.

        Raises
        ------
        LanguageError, ArgumentError
            If scores or values have no `key` axis, nor both a `chunk` axis.
        LanguageError
            If they have other axes, or another `dim`, than these; outside of loops, if they are no
            streams; in a loop, if the softmax is made or read there, or already added to.
        """
        if "chunk" in scores.axes and "chunk" in values.axes:
            shares = softmax(scores, over="chunk")
            self.push(logsumexp(scores, over="chunk"), dot(shares, values, over="chunk"))
            return
        if "key" not in scores.axes or "key" not in values.axes:
            raise ArgumentError("merge takes scores and values with a 'key' axis; see push")
        axes = ("pos", "head", "key")
        shape = (*self._max.shape, scores.size("key"))
        keys = common_keys((scores, values))
        full = np.broadcast_to(expand(scores, axes), shape)
        s = mask_keys(NamedArray(full, axes, keys), -np.inf)
        p = NamedArray(self._rescale(s.max(axis=-1, initial=-np.inf), s), axes, keys)
        self._total += p.data.sum(axis=-1)
        self._sum += dot(p, values, over="key").data

    def push(self, logit: Number, value: NamedArray) -> None:
        """Add one element: a logit (scalar, `[head]` or `[pos, head]`) with its value.

        The value is `[dim]` or `[pos, head, dim]`.

        Raises
        ------
        LanguageError
            If logit or value has other axes, or another `dim`, than these; in a loop, if a softmax
            that is made before it is read there, or already added to.
        """
        s = np.broadcast_to(expand(named(logit), ("pos", "head")), self._max.shape)
        p = self._rescale(s, s[..., None])
        self._total += p[..., 0]
        self._sum += p * expand(value, ("pos", "head", "dim"))

    @property
    def value(self) -> NamedArray:
        """Softmax-weighted mean of the values, `[pos, head, dim]`; 0 where nothing was added."""
        total = np.where(self._total == 0, 1.0, self._total)[..., None]
        return NamedArray(self._sum / total, ("pos", "head", "dim"))

    @property
    def lse(self) -> NamedArray:
        """Natural logarithm of the sum of exponentials, `[pos, head]`; -inf where nothing was."""
        return NamedArray(np.log(self._total) + self._base(), ("pos", "head"))

    def _base(self) -> Data:
        base: Data = np.where(self._max == -np.inf, 0.0, self._max)
        return base

    def _rescale(self, highest: Data, s: Data) -> Data:
        """Take in a new maximum; returns exp(s - maximum) for s `[pos, head, n]`."""
        before = self._max
        self._max = np.maximum(before, highest)
        base = self._base()
        shrink = np.exp(before - base)
        self._total = self._total * shrink
        self._sum = self._sum * shrink[..., None]
        p: Data = np.exp(s - base[..., None])
        return p
