"""Whether other numbers of workers would be cheaper."""

from __future__ import annotations

from decimal import Decimal

import pytest

from cloudburst.compile.advice import Option, advice, option_form, options
from cloudburst.compile.estimates import Tally, expect

MANAGER, WORKER = Decimal("0.036"), Decimal("0.072")


def found(jobs: int, seconds: float, workers: int, each: int = 4) -> tuple[Option, ...]:
    effort = expect(Tally({"main": jobs}, {"main": [seconds] * 5}))
    assert effort is not None
    return options(effort, workers, workers * each, MANAGER, WORKER)


def test_one_half_as_written_and_double() -> None:
    assert [one.workers for one in found(1000, 60.0, 5)] == [1, 3, 5, 10]
    assert [one.workers for one in found(1000, 60.0, 1)] == [1, 2]
    assert [one.slots for one in found(1000, 60.0, 5)] == [4, 12, 20, 40]


def test_by_hand() -> None:
    """1,200 jobs of a minute on 20 slots take an hour; five workers and the manager cost 0.396 an hour."""
    written = next(one for one in found(1200, 60.0, 5) if one.is_written)
    assert (written.wall.mid, written.hourly, written.cost) == (3600.0, Decimal("0.396"), Decimal("0.396"))
    form = option_form(written, 1800.0)
    assert (form["wall_hours"][:2], form["cost"][:2], form["outlasts_ttl"]) == ([1, 1], [0.396, 0.396], True)
    assert form["wall_hours"][2] == pytest.approx(1 + 60 * 19 / 20 / 3600, rel=1e-5), "a job may begin last"
    assert not option_form(written, None)["outlasts_ttl"]


def test_more_are_cheaper_while_the_manager_waits_for_them() -> None:
    assert advice(found(12000, 60.0, 1)) == (
        "more would be cheaper: 2 workers 4.50 USD in 25h, instead of 5.40 USD in 2.08d"
    )


def test_fewer_are_cheaper_where_there_is_less_to_do_than_slots() -> None:
    assert advice(found(8, 3600.0, 8)) == (
        "fewer would be cheaper: 1 worker 0.22 USD in 2h, instead of 0.62 USD in 1h"
    )


def test_what_costs_about_the_same_and_is_faster_is_said() -> None:
    assert advice(found(12000, 60.0, 20)).startswith("40 workers would cost about the same, and take 75m")


def test_what_is_not_worth_it_is_not_recommended() -> None:
    assert advice(found(1, 60.0, 1)) == "more or fewer workers would not be cheaper"
