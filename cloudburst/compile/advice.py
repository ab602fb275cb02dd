"""Whether more or fewer machines would be cheaper: the same jobs on other numbers of workers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from . import money
from .estimates import Effort, wall
from .expectation import Expectation
from .money import HOUR, Terms, spell, usd

WORTH = Decimal("0.05")
"""The part of the price that has to be saved before another number of workers is recommended."""


@dataclass(frozen=True)
class Option:
    """So many `workers` beside the manager, rented for the jobs that are left: `slots` at a time, `wall` seconds,
    and US dollars from now on, the range where there is one."""

    workers: int
    slots: int
    hourly: Decimal
    wall: Expectation
    cost: Decimal
    low: Decimal | None
    high: Decimal | None
    is_written: bool


def options(
    effort: Effort, workers: int, slots: int, manager: Decimal, worker: Decimal
) -> tuple[Option, ...]:
    """One worker, half as many as the file says, as it says, and twice as many. `slots` are those of the `workers` in
    the file, at least one; `manager` and `worker` are prices an hour. What machines do before their first job is
    not counted."""
    each = slots // workers
    numbers = sorted({1, (workers + 1) // 2, workers, 2 * workers})
    return tuple(_option(effort, number, each, manager, worker, number == workers) for number in numbers)


def _option(
    effort: Effort, workers: int, each: int, manager: Decimal, worker: Decimal, is_written: bool
) -> Option:
    hourly, slots = manager + workers * worker, workers * each
    took = wall(effort, slots)
    known = money.estimate(hourly, Terms(None), to_do=effort.jobs, wall=took, new=1 + workers)
    cost = known.likely if known.likely is not None else money.NOTHING
    return Option(workers, slots, hourly, took, cost, known.low, known.high, is_written)


def advice(found: Sequence[Option]) -> str:
    """What to do about it, as a sentence: of those that are cheapest the one nearest to what is written."""
    written = next(one for one in found if one.is_written)
    cheapest = min(found, key=lambda one: (one.cost, abs(one.workers - written.workers)))
    if written.cost - cheapest.cost < max(money.LEAST_CHARGE, WORTH * written.cost):
        faster = [one for one in found if one.workers > written.workers and one.cost <= _about(written.cost)]
        if faster and faster[-1].wall.mid < (1 - float(WORTH)) * written.wall.mid:
            return f"{_workers(faster[-1])} would cost about the same, and take {spell(faster[-1].wall.mid)}"
        return "more or fewer workers would not be cheaper"
    more = "more" if cheapest.workers > written.workers else "fewer"
    return (
        f"{more} would be cheaper: {_workers(cheapest)} {usd(cheapest.cost)} in {spell(cheapest.wall.mid)},"
        f" instead of {usd(written.cost)} in {spell(written.wall.mid)}"
    )


def _about(cost: Decimal) -> Decimal:
    return cost * (1 + WORTH)


def _workers(one: Option) -> str:
    return f"{one.workers:,} worker{'' if one.workers == 1 else 's'}"


def option_form(one: Option, ttl: float | None) -> dict[str, Any]:
    """As schemas/plan.schema.json has it under `effort.workers`; `ttl` in seconds, None for none."""
    return {
        "workers": one.workers,
        "written": one.is_written,
        "slots": one.slots,
        "hourly": float(one.hourly),
        "wall_hours": one.wall.times(1 / HOUR).to_json(),
        "cost": [None if amount is None else float(amount) for amount in (one.low, one.cost, one.high)],
        "outlasts_ttl": ttl is not None and one.wall.mid > ttl,
    }
