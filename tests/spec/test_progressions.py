from __future__ import annotations

import pytest

from cloudburst.spec.ensemble import Counted, Listed, Stepped, Values
from cloudburst.spec.progressions import column, count


def values(written: Values) -> list[object]:
    column_ = column(written)
    return [column_[i] for i in range(count(written))]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (Listed((1, "a", None)), [1, "a", None]),
        (Stepped(0.1, 0.3, 0.1), [0.1, 0.2, 0.3]),
        (Stepped(0.8, 1.2, 0.1), [0.8, 0.9, 1.0, 1.1, 1.2]),
        (Stepped(1, 10, 3), [1, 4, 7, 10]),
        (Stepped(10, 0, -5), [10, 5, 0]),
        (Stepped(0, 1, 0.5), [0.0, 0.5, 1.0]),
        (Stepped(1e-300, 3e-300, 1e-300), [1e-300, 2e-300, 3e-300]),
        (Counted(0, 10, 3), [0, 5, 10]),
        (Counted(0, 1, 3), [0.0, 0.5, 1.0]),
        (Counted(0.1, 0.7, 4), [0.1, 0.3, 0.5, 0.7]),
        (Counted(3, 3, 1), [3]),
        (Counted(1e-9, 1e-6, 4, "log"), [1e-9, 1e-8, 1e-7, 1e-6]),
        (Counted(1, 1000, 4, "log"), [1, 10, 100, 1000]),
        (Counted(8, 27, 4, "log"), [8, 12, 18, 27]),
        (Counted(100, 1, 3, "log"), [100, 10, 1]),
        (Counted(5, 5, 1, "log"), [5]),
    ],
)
def test_a_range_is_the_decimals_that_were_written(written: Values, expected: list[object]) -> None:
    assert values(written) == expected
    assert [type(value) for value in values(written)] == [type(value) for value in expected]


def test_a_log_range_that_is_not_whole_is_floats_all_the_way() -> None:
    first, middle, last = values(Counted(1, 10, 3, "log"))
    assert (first, middle, last) == (1.0, 3.1622776601683795, 10.0)
    assert all(type(value) is float for value in (first, middle, last))


def test_a_range_of_a_trillion_is_not_made() -> None:
    long = Stepped(0, 10**12 - 1, 1)
    assert count(long) == 10**12
    assert column(long)[123_456_789_012] == 123_456_789_012


def test_a_step_that_leads_away_has_no_values() -> None:
    assert count(Stepped(1, 0, 1)) == 0
