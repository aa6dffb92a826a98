# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Which architecture a device's kernels are compiled for."""

import pytest

from ramify import UnsupportedError
from ramify.compiler import target_of


@pytest.mark.parametrize(
    ("capability", "target"),
    [
        (None, "cpu"),
        ((8, 0), "sm_80"),
        ((8, 6), "sm_86"),
        ((9, 0), "sm_90a"),
        ((10, 0), "sm_90"),
        ((12, 0), "sm_90"),
    ],
)
def test_the_newest_target_that_runs_on_the_device(capability, target):
    assert target_of({"capability": capability}) == target


def test_a_device_that_is_too_old_is_named():
    with pytest.raises(UnsupportedError, match=r"8\.0 or newer, found 7\.5"):
        target_of({"capability": (7, 5)})
