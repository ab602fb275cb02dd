"""The limits of the fuzzing are kept: a loop, and a list of everything, come to an end."""

from __future__ import annotations

import sys
from itertools import count

import pytest

if sys.platform != "linux":
    pytest.skip("the limits are Linux's", allow_module_level=True)

from tests.fuzz.limits import TooLarge, TooLong, limited

FEW_SECONDS = 0.2


def test_a_loop_without_end_is_ended() -> None:
    with pytest.raises(TooLong), limited(FEW_SECONDS):
        all(number >= 0 for number in count())


@pytest.mark.parametrize("size", [40 << 20, 40 << 30])
def test_much_memory_is_noticed_or_refused(size: int) -> None:
    with pytest.raises(TooLarge), limited(60, megabytes=16):
        assert bytearray(size)


def test_what_costs_little_passes_and_is_told() -> None:
    with limited(60) as cost:
        assert sum(range(1000))
    assert cost.seconds < 60
    assert cost.memory < 256 << 20
