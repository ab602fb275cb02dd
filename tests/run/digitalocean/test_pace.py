"""How many requests a minute."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cloudburst.run.digitalocean.pace import Pace


@given(
    limit=st.integers(1, 12),
    steps=st.lists(st.floats(0, 20, allow_nan=False, width=32), max_size=150),
)
def test_no_minute_has_more_than_its_share(limit: int, steps: list[float]) -> None:
    pace, now = Pace(limit), 0.0
    gone: list[float] = []
    for step in steps:
        now += step
        if pace.reserve(now) == 0.0:
            gone.append(now)
    for first in gone:
        assert sum(first <= one < first + 60 for one in gone) <= limit


def test_who_waits_as_long_as_it_is_told_may_go() -> None:
    pace, now = Pace(3), 0.0
    for number in range(20):
        while (wait := pace.reserve(now)) > 0:
            now += wait
        assert now >= 60 * (number // 3)


def test_a_minute_is_not_wasted() -> None:
    pace = Pace(240)
    assert all(pace.reserve(0.0) == 0.0 for _ in range(240))
    assert pace.reserve(1.0) == 59.0
    assert pace.reserve(60.0) == 0.0
