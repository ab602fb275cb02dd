from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudburst.run.chance import holm, log_tail


def exact(at_least: int, drawn: int, marked: int, total: int) -> Fraction:
    """The definition, in whole numbers."""
    ways = sum(
        math.comb(marked, count) * math.comb(total - marked, drawn - count)
        for count in range(max(0, at_least), min(drawn, marked) + 1)
    )
    return Fraction(ways, math.comb(total, drawn))


@given(st.data())
def test_it_is_the_hypergeometric_tail(data: st.DataObject) -> None:
    total = data.draw(st.integers(0, 400))
    marked, drawn, at_least = (data.draw(st.integers(0, total)) for _ in range(3))
    wanted = exact(at_least, drawn, marked, total)
    found = log_tail(at_least, drawn, marked, total)
    if wanted == 0:
        assert found == -math.inf
    else:
        assert math.exp(found) == pytest.approx(float(wanted), rel=1e-10)


def test_the_lady_tasting_tea() -> None:
    assert math.exp(log_tail(4, 4, 4, 8)) == pytest.approx(1 / 70)
    assert math.exp(log_tail(3, 4, 4, 8)) == pytest.approx(17 / 70)


def test_a_million_jobs_and_a_probability_no_float_holds() -> None:
    found = log_tail(1000, 1000, 1000, 1_000_000)
    ways = math.comb(1_000_000, 1000)  # one of so many
    assert found == pytest.approx(
        -(ways.bit_length() - 64) * math.log(2) - math.log(ways >> (ways.bit_length() - 64))
    )
    assert found < -700
    near = log_tail(5010, 500_000, 10_000, 1_000_000)
    assert math.exp(near) == pytest.approx(float(exact_near()), rel=1e-6)


def exact_near() -> float:
    """The normal approximation is too rough; a sum of exact ratios from the middle is not."""
    drawn, marked, total = 500_000, 10_000, 1_000_000
    weights = {5000: 1.0}
    for count in range(5000, 5700):
        ratio = (marked - count) * (drawn - count) / ((count + 1) * (total - marked - drawn + count + 1))
        weights[count + 1] = weights[count] * ratio
    for count in range(5000, 4300, -1):
        ratio = (marked - count + 1) * (drawn - count + 1) / (count * (total - marked - drawn + count))
        weights[count - 1] = weights[count] / ratio
    return math.fsum(w for c, w in weights.items() if c >= 5010) / math.fsum(weights.values())


def test_holm_multiplies_the_smallest_by_all_and_keeps_the_order() -> None:
    given_, tried = [math.log(p) for p in (0.04, 0.001, 0.03)], 10
    corrected = [math.exp(p) for p in holm(given_, tried)]
    assert corrected == pytest.approx([0.32, 0.01, 0.27])
    assert [math.exp(p) for p in holm([math.log(0.01), math.log(0.0101)], 3)] == pytest.approx([0.03, 0.03])
    assert [math.exp(p) for p in holm([math.log(0.5)], 3)] == [1.0]
    assert holm([], 3) == []
