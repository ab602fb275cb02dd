"""When points are, to the nanosecond."""

from __future__ import annotations

from array import array
from fractions import Fraction
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudburst.run.series import NO_TIME, Values
from cloudburst.run.sinks.moments import after, job_start, moment_of, times_of

DAY = 1_527_465_600 * 10**9
"""2018-05-28."""


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2018-05-28", DAY),
        ("2018-05-28T00:00:00", DAY),
        ("2018-05-28 02:00:00+02:00", DAY),
        ("2018-05-28T00:00:00Z", DAY),
        ("2018-05-28T00:00:00.123456789", DAY + 123_456_789),
        ("2018-05-28T00:00:00,5+00:00", DAY + 500_000_000),
        ("1969-12-31T23:59:59.999999999", -1),
        (1_527_465_600, DAY),
        (0.5, 500_000_000),
    ],
)
def test_moments_are_exact(text: object, moment: int) -> None:
    assert moment_of(text) == moment


@pytest.mark.parametrize("value", ["soon", "", None, True, [1], nan, inf, 1e300, "2500-01-01", "10:30:00"])
def test_what_is_no_moment_is_said(value: object) -> None:
    with pytest.raises(ValueError, match="is not a moment such as 2018-05-28T00:00:00"):
        moment_of(value)


def test_a_start_is_a_moment_or_a_parameter_of_each_row() -> None:
    assert job_start(None, {}) == 0
    assert job_start("2018-05-28", {}) == DAY
    assert job_start("begin", {"begin": "2018-05-28"}) == DAY
    with pytest.raises(ValueError, match="the parameter begin is to be the start, and 'x' is not a moment"):
        job_start("begin", {"begin": "x"})


@given(st.integers(-(2**62), 2**62), st.floats(-(2.0**62), 2.0**62))
def test_seconds_are_rounded_to_the_nearest_nanosecond(start: int, seconds: float) -> None:
    found = after(start, seconds)
    assert found is not None
    assert abs(found - start - Fraction(seconds) * 10**9) <= Fraction(1, 2)


def test_every_kind_of_index() -> None:
    moments = Values("t", "datetime64[ns]", array("q", [DAY, NO_TIME, NO_TIME + 1]))
    assert times_of(moments, 5) == [DAY, None, None]
    durations = Values("t", "timedelta64[ns]", array("q", [7, NO_TIME, 2**63 - 1]))
    assert times_of(durations, DAY) == [DAY + 7, None, None]
    assert times_of(Values("t", "float64", array("d", [1.5, nan, 1e18])), 0) == [1_500_000_000, None, None]
    assert times_of(Values("t", "int64", array("q", [3, -3])), 1) == [3 * 10**9 + 1, 1 - 3 * 10**9]
    assert times_of(Values("t", "text", ["a"]), 0) is None
