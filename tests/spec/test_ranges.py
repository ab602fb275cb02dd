from __future__ import annotations

import pytest

from cloudburst.spec import ranges
from cloudburst.spec.ensemble import Counted, Listed, Stepped, Values


@pytest.mark.parametrize(
    ("values", "length"),
    [
        (Listed(("a", "b")), 2),
        (Stepped(0.8, 1.2, 0.1), 5),
        (Stepped(0, 10**12, 1), 10**12 + 1),
        (Stepped(3, 1, -1), 3),
        (Stepped(1, 1, 5), 1),
        (Stepped(1, 3, -1), 0),
        (Stepped(1, 3, 0), 0),
        (Counted(1e-9, 1e-6, 4, "log"), 4),
    ],
)
def test_lengths_are_arithmetic(values: Values, length: int) -> None:
    assert ranges.length(values) == length


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (Listed((1, "b")), (1, "b")),
        (Stepped(0.8, 1.2, 0.1), (0.8, 0.9, 1.0, 1.1, 1.2)),
        (Stepped(1, 3, 1), (1, 2, 3)),
        (Stepped(1.0, 3, 1), (1.0, 2.0, 3.0)),
        (Counted(0, 1, 5), (0.0, 0.25, 0.5, 0.75, 1.0)),
        (Counted(7, 7, 1), (7,)),
        (Counted(2, 2, 1, "log"), (2,)),
    ],
)
def test_values_are_the_decimals_one_would_write(values: Values, expected: tuple[object, ...]) -> None:
    found = ranges.expand(values)

    assert found == expected
    assert [type(value) for value in found] == [type(value) for value in expected]


def test_logarithmic_values_have_equal_ratios_and_exact_ends() -> None:
    found = ranges.expand(Counted(1e-9, 1e-6, 4, "log"))

    assert found[0] == 1e-9
    assert found[-1] == 1e-6
    assert found == pytest.approx((1e-9, 1e-8, 1e-7, 1e-6), rel=1e-12)


def test_a_range_that_misses_its_end_shows_three_ways_to_mend_it() -> None:
    (problem,) = ranges.check("demand", Stepped(0.8, 1.25, 0.1), ("grid", "demand"))

    assert problem.path == ("grid", "demand", "to")
    assert "1.2, then 1.3" in problem.message
    assert problem.hint == "to: 1.2 (5 values), to: 1.3 (6 values), or count: 5 in place of the step"


@pytest.mark.parametrize(
    ("values", "code", "key"),
    [
        (Stepped(0, 1, 0), "zero-step", "step"),
        (Stepped(1, 0, 0.1), "wrong-way", "step"),
        (Stepped(0, 1, 0.3), "range-misses-end", "to"),
        (Stepped(0, 1, 7), "range-misses-end", "to"),
        (Counted(0, 1, 3, "log"), "log-of-nothing", "from"),
        (Counted(1, -1, 3, "log"), "log-of-nothing", "to"),
        (Counted(0, 1, 1), "wrong-count", "count"),
        (Counted(1, 1, 3), "wrong-count", "count"),
    ],
)
def test_ranges_nobody_can_mean(values: Values, code: str, key: str) -> None:
    (problem,) = ranges.check("a", values, ("grid", "a"))

    assert (problem.code, problem.path) == (code, ("grid", "a", key))


@pytest.mark.parametrize(
    "values", [Stepped(0.1, 0.3, 0.1), Stepped(1e-300, 3e-300, 1e-300), Stepped(5, 1, -2), Counted(3, 1, 2)]
)
def test_ranges_that_are_fine(values: Values) -> None:
    assert list(ranges.check("a", values, ())) == []


def test_numbers_of_any_size_end_in_a_sentence() -> None:
    (problem,) = ranges.check("a", Stepped(0, 1e308, 3e-300), ())

    assert len(problem.message + problem.hint) < 400
