# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The ready-made variants that visit a selection, by every schedule, against their own source."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numerics import DEVICES
from test_numerics import SCHEDULES
from test_ops_snapshots import CASES

VISITING = sorted(name for name, (_, arrays, _) in CASES.items() if "indices" in arrays)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("schedule", list(SCHEDULES)[1:])
@pytest.mark.parametrize("name", VISITING)
def test_variant_by_schedule(name: str, schedule: str, device: str) -> None:
    function, arrays, options = CASES[name]
    x = {key: a.float() if a.is_floating_point() else a for key, a in arrays.items()}
    found: Any = function.options(**SCHEDULES[schedule])(
        **{key: a.to(device) for key, a in x.items()}, **options
    )
    expected: Any = function.reference(**x, **options)
    if not isinstance(found, tuple):
        found, expected = (found,), (expected,)
    for one, other in zip(found, expected, strict=True):
        bound = 1e-5 * max(1.0, float(np.abs(other[np.isfinite(other)]).max(initial=0)))
        np.testing.assert_allclose(one.cpu().numpy(), other, rtol=0, atol=bound)
