"""What machines cost: the bill's arithmetic, estimates that say what they rest on, and the limit of the file."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from cloudburst.compile.expectation import Expectation
from cloudburst.compile.money import (
    Rental,
    Terms,
    cost,
    estimate,
    price,
    refused,
    spell,
    usd,
    warned,
)

HOURLY = Decimal("0.357")
MANAGER = Decimal("0.036")
HOUR = 3600.0
TERMS = Terms(ttl=8 * HOUR, keep_results=72 * HOUR, manager=MANAGER)


def took(seconds: float, low: float | None = None, high: float | None = None) -> dict[str, Any]:
    """What an estimate knows of the time, exactly unless a range is given."""
    wall = Expectation(seconds, seconds if low is None else low, seconds if high is None else high)
    return {"wall": wall, "pace": "200 jobs × 3m / 10 at a time"}


def rental(since: float, until: float | None, hourly: str = "0.36") -> Rental:
    return Rental(1, "cb-waves-worker-1", Decimal(hourly), since, until)


# ── what it has cost ─────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("since", "until", "now", "said"),
    [
        (0, None, 3600, "0.36"),
        (0, 1800, 3600, "0.18"),
        (0, 7200, 3600, "0.36"),
        (0, None, 1000, "0.1"),
        (0, 30, 3600, "0.01"),
        (50, None, 0, "0.01"),
    ],
    ids=(
        "until now",
        "until its end",
        "not beyond now",
        "by the second",
        "at least a cent",
        "a clock behind",
    ),
)
def test_cost_of_one_machine(since: float, until: float | None, now: float, said: str) -> None:
    assert cost([rental(since, until)], now) == Decimal(said)


def test_a_dear_machine_costs_at_least_its_minute() -> None:
    assert cost([rental(0, 1, "36")], 10) == Decimal("0.6")


def test_no_machine_costs_nothing() -> None:
    assert cost([], 1e9) == 0


# ── what it will cost ────────────────────────────────────────────────────────────────────────
def test_before_the_first_duration_it_is_price_times_ttl_and_the_wait_for_results() -> None:
    known = estimate(HOURLY, TERMS, to_do=200)
    assert known.likely is None
    assert known.seconds is None
    assert known.at_most == Decimal("2.856") + Decimal("2.592")
    assert known.because == (
        "no job's duration is known yet, so by the ttl: 0.357 USD an hour × 8h"
        " + 2.60 USD kept for the manager to wait 3d = 5.45 USD"
    )


def test_with_durations_it_is_a_range() -> None:
    terms = Terms(8 * HOUR, idle_stop=1200.0, keep_results=72 * HOUR, manager=MANAGER)
    known = estimate(HOURLY, terms, to_do=200, **took(3600.0), spent=Decimal("1.42"))
    assert known.seconds == 3600
    assert known.likely == Decimal("1.42") + HOURLY
    assert known.forgotten == Decimal("1.42") + HOURLY + Decimal("0.119") + Decimal("2.592")
    assert known.at_most == Decimal("1.42") + Decimal("2.856") + Decimal("2.592")
    assert known.because == "1.42 USD spent + 200 jobs × 3m / 10 at a time × 0.357 USD an hour"


def test_max_cost_is_the_most_it_can_come_to_unless_more_is_spent_already() -> None:
    terms = Terms(8 * HOUR, max_cost=Decimal(2), manager=MANAGER)
    assert estimate(HOURLY, terms, to_do=1).at_most == 2
    late = estimate(HOURLY, terms, to_do=1, spent=Decimal(3))
    assert late.at_most == 3


def test_without_a_token_that_gives_back_nothing_is_promised() -> None:
    terms = Terms(8 * HOUR, max_cost=Decimal(2), keep_results=HOUR, manager=MANAGER, gives_back=False)
    known = estimate(HOURLY, terms, to_do=10, **took(300.0))
    assert known.at_most is None
    assert known.forgotten is None
    assert known.reserve == 0
    assert known.likely == Decimal("0.02975")


def test_without_a_ttl_there_is_no_most() -> None:
    known = estimate(HOURLY, Terms(None), to_do=10)
    assert known.at_most is None
    assert known.because == (
        "no job's duration is known yet, and there is no ttl: 0.357 USD an hour until destroyed"
    )


def test_new_machines_have_their_least_charge_however_short_the_work() -> None:
    known = estimate(HOURLY, TERMS, to_do=1, **took(0.1), new=4)
    assert known.likely == Decimal("0.04")


# ── whether it may be rented ─────────────────────────────────────────────────────────────────
def test_what_is_sure_to_be_over_the_limit_is_refused_with_its_arithmetic() -> None:
    terms = Terms(8 * HOUR, keep_results=HOUR, manager=MANAGER)
    known = estimate(HOURLY, terms, to_do=100, **took(36000.0), spent=Decimal("1.5"))
    problem = refused(known, Decimal(5))
    assert problem is not None
    assert problem.path == ("cluster", "max_cost")
    assert problem.message == (
        "max_cost is 5.00 USD, and this needs 5.11 USD: 1.50 USD spent + 3.57 USD for the jobs left,"
        " at the least"
        " + 0.04 USD kept for the manager to wait for its results to be fetched"
    )
    assert refused(known, Decimal(6)) is None
    assert refused(known, None) is None


def test_an_unknown_duration_is_not_refused_though_price_times_ttl_is_more() -> None:
    terms = Terms(240 * HOUR, max_cost=Decimal(5), keep_results=HOUR, manager=MANAGER)
    assert refused(estimate(HOURLY, terms, to_do=9, new=3), Decimal(5)) is None


def test_a_limit_that_the_wait_for_results_eats_up_is_refused_at_once() -> None:
    problem = refused(estimate(HOURLY, TERMS, to_do=9, new=3), Decimal(2))
    assert problem is not None
    assert "2.60 USD kept for the manager" in problem.message
    assert "shorten keep_results" in problem.hint


def test_only_the_low_end_is_sure_and_the_rest_is_a_warning_with_its_arithmetic() -> None:
    terms = Terms(24 * HOUR)
    known = estimate(HOURLY, terms, to_do=200, **took(10 * HOUR, 4 * HOUR, 16 * HOUR))
    assert (known.low, known.likely, known.high) == (Decimal("1.428"), Decimal("3.57"), Decimal("5.712"))
    assert refused(known, Decimal(2)) is None
    problem = warned(known, Decimal(2))
    assert problem is not None
    assert problem.severity == "warning"
    assert problem.message == (
        "max_cost is 2.00 USD, and this is likely to need 3.57 USD:"
        " 3.57 USD (200 jobs × 3m / 10 at a time × 0.357 USD an hour)"
    )
    assert warned(known, Decimal(4)) is None
    assert warned(known, None) is None
    assert refused(known, Decimal(1)) is not None


def test_one_job_that_ended_makes_nothing_sure() -> None:
    known = estimate(HOURLY, Terms(8 * HOUR), to_do=9, wall=Expectation(1e9), pace="…", new=2)
    assert (known.low, known.high, known.sure) == (None, None, Decimal("0.02"))
    assert refused(known, Decimal(5)) is None
    assert warned(known, Decimal(5)) is not None


def test_the_range_ends_where_something_keeps_it() -> None:
    terms = Terms(HOUR * 2, max_cost=Decimal(1), keep_results=0)
    known = estimate(HOURLY, terms, to_do=9, **took(HOUR, HOUR / 2, 9 * HOUR))
    assert (known.low, known.high) == (Decimal("0.1785"), Decimal("0.714"))


# ── words ────────────────────────────────────────────────────────────────────────────────────
def test_money_in_words_is_rounded_up() -> None:
    assert usd(Decimal("1234.5601")) == "1,234.57 USD"
    assert price(Decimal("0.03571")) == "0.036 USD an hour"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(8 * HOUR, "8h"), (1200, "20m"), (1.3, "1.3s"), (72 * HOUR, "3d"), (90, "90s"), (60, "1m")],
)
def test_durations_read_as_in_the_file(seconds: float, said: str) -> None:
    assert spell(seconds) == said
