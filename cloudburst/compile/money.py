"""What machines cost: what they have cost, what they will, and whether that is more than the file allows.

US dollars as exact decimals, seconds as floats. Nothing here is said to be known that is not: an estimate says what
it rests on, and the most it can come to only where something keeps it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from typing import Any

from ..diagnostics import Path, Problem
from ..spec.ensemble import Cluster
from .expectation import Expectation

HOUR = 3600
LEAST_SECONDS = 60
LEAST_CHARGE = Decimal("0.01")
"""A machine is billed by the second, at least a minute and at least a cent (DigitalOcean, since 2026)."""

MONTH = 672
"""Hours of a month that are billed at most, per machine."""

MAX_COST: Path = ("cluster", "max_cost")

NOTHING = Decimal(0)

_GRAIN = Decimal("0.000001")
_CENT = Decimal("0.01")
_MILL = Decimal("0.001")


@dataclass(frozen=True)
class Rental:
    """One machine's time: `hourly` in US dollars, `since` and `until` in seconds since the epoch (None: it
    stands). A machine that is switched off goes on being rented."""

    id: int
    name: str
    hourly: Decimal
    since: float
    until: float | None

    def to_json(self) -> dict[str, Any]:
        """The price as text: exact."""
        return {**vars(self), "hourly": str(self.hourly)}


def cost(rentals: Iterable[Rental], now: float) -> Decimal:
    """US dollars until `now` (seconds since the epoch), to the millionth and never less than the bill's arithmetic.

    By the second, with the least charge. A clock behind the provider's passes for the moment it was rented.
    A month is not capped, as the provider caps it at `MONTH`: then the bill is lower.
    """
    return sum((_cost_of(rental, now) for rental in rentals), NOTHING)


def _cost_of(rental: Rental, now: float) -> Decimal:
    until = now if rental.until is None else min(rental.until, now)
    return max(LEAST_CHARGE, _for(rental.hourly, max(LEAST_SECONDS, until - rental.since)))


def _for(hourly: Decimal, seconds: float) -> Decimal:
    return (hourly * Decimal(seconds) / HOUR).quantize(_GRAIN, rounding=ROUND_CEILING)


# ── what it will cost ────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class Estimate:
    """US dollars for the whole study, what is spent already included.

    `hourly` is the price of all its machines. `seconds` of computing are left, at the pace so far (None: no
    duration is known yet). `likely` is what it comes to when the machines go as soon as the jobs are done (None
    with `seconds`), `low` and `high` are the ends of its range (None: there is none to tell), `forgotten` when
    nobody destroys them or fetches the results (None: the same, or nothing ends them), `at_most` what it never
    exceeds (None: nothing keeps it). `needed` is `likely` without regard to a limit. `sure` is what can no longer be
    avoided once the machines are rented and the jobs are done: `low`, or where there is no range the least charge.
    `reserve` is the part of `at_most` that lets the manager wait for the results to be fetched. `because` is the
    arithmetic of `likely`, or where that is not known of price × ttl, in words, for `to_do` jobs.
    """

    hourly: Decimal
    seconds: float | None
    likely: Decimal | None
    at_most: Decimal | None
    because: str
    spent: Decimal = NOTHING
    sure: Decimal = NOTHING
    reserve: Decimal = NOTHING
    forgotten: Decimal | None = None
    to_do: int = 0
    low: Decimal | None = None
    high: Decimal | None = None
    needed: Decimal | None = None


@dataclass(frozen=True)
class Terms:
    """What ends a rental, as `cluster` says it; seconds and US dollars (None: never, no limit).

    `manager` is the price of the manager alone, which waits `keep_results` for its results to be fetched after
    the workers are gone. With `gives_back` False machines can only be switched off, and are billed on.
    """

    ttl: float | None
    idle_stop: float | None = None
    max_cost: Decimal | None = None
    keep_results: float = 0.0
    manager: Decimal = NOTHING
    gives_back: bool = True

    @property
    def reserve(self) -> Decimal:
        return _for(self.manager, self.keep_results) if self.gives_back else NOTHING


def terms_of(cluster: Cluster, manager: Decimal) -> Terms:
    """Those of a file; the manager costs `manager` US dollars an hour."""
    return Terms(
        ttl=cluster.ttl,
        idle_stop=cluster.idle_stop,
        max_cost=cluster.max_cost,
        keep_results=cluster.keep_results,
        manager=manager,
        gives_back=cluster.reaper_token is not None,
    )


def estimate(
    hourly: Decimal,
    terms: Terms,
    *,
    to_do: int,
    wall: Expectation | None = None,
    pace: str = "",
    spent: Decimal = NOTHING,
    new: int = 0,
) -> Estimate:
    """What `to_do` jobs will cost on machines of `hourly` US dollars an hour in all.

    `wall` is how many seconds they take there (compile/estimates.py) and `pace` the arithmetic of that in words;
    None: nothing is known of the time, and the cost is price × ttl, counted from now. `new` machines are rented for
    it, each with its least charge.
    """
    least = new * LEAST_CHARGE
    bound = _bound(hourly, terms, spent, least)

    def after(seconds: float | None) -> Decimal | None:
        return None if seconds is None else spent + max(_for(hourly, seconds), least)

    low, needed, high = (after(one) for one in ((wall.low, wall.mid, wall.high) if wall else (None,) * 3))
    return Estimate(
        hourly=hourly,
        seconds=wall.mid if wall else None,
        likely=None if needed is None else _lower(needed, bound),
        at_most=bound,
        because=_because(hourly, terms, pace if wall else "", spent),
        spent=spent,
        sure=spent + least if low is None else low,
        reserve=terms.reserve,
        to_do=to_do,
        forgotten=_forgotten(hourly, terms, wall.mid, spent, least, bound) if wall else None,
        low=None if low is None else _lower(low, bound),
        high=None if high is None else _lower(high, bound),
        needed=needed,
    )


def _bound(hourly: Decimal, terms: Terms, spent: Decimal, least: Decimal) -> Decimal | None:
    """What was spent cannot be taken back, nor the least charge, however low `max_cost` is."""
    if not terms.gives_back:
        return None
    in_time = None if terms.ttl is None else spent + max(_for(hourly, terms.ttl), least) + terms.reserve
    return _higher(spent + least, _lower(in_time, terms.max_cost))


def _forgotten(
    hourly: Decimal, terms: Terms, seconds: float, spent: Decimal, least: Decimal, bound: Decimal | None
) -> Decimal | None:
    """Only `idle_stop` makes it less than the bound."""
    if terms.idle_stop is None or not terms.gives_back:
        return None
    total = spent + max(_for(hourly, seconds + terms.idle_stop), least) + terms.reserve
    return total if bound is None or total < bound else None


def _lower(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    """The lower of two bounds, of which either may be missing."""
    return min((bound for bound in (one, other) if bound is not None), default=None)


def _higher(floor: Decimal, bound: Decimal | None) -> Decimal | None:
    return None if bound is None else max(floor, bound)


# ── the arithmetic in words ──────────────────────────────────────────────────────────────────
def _because(hourly: Decimal, terms: Terms, pace: str, spent: Decimal) -> str:
    parts = [f"{usd(spent)} spent"] if spent else []
    if pace:
        parts.append(f"{pace} × {price(hourly)}")
        return " + ".join(parts)
    if terms.ttl is None:
        parts.append(f"{price(hourly)} until destroyed")
        return f"no job's duration is known yet, and there is no ttl: {' + '.join(parts)}"
    parts.append(f"{price(hourly)} × {spell(terms.ttl)}")
    if terms.reserve:
        parts.append(f"{usd(terms.reserve)} kept for the manager to wait {spell(terms.keep_results)}")
    total = spent + _for(hourly, terms.ttl) + terms.reserve
    return f"no job's duration is known yet, so by the ttl: {' + '.join(parts)} = {usd(total)}"


def usd(amount: Decimal) -> str:
    """`1.42 USD`, rounded up to the cent, so that nothing that is billed passes for nothing."""
    return f"{amount.quantize(_CENT, rounding=ROUND_CEILING):,} USD"


def price(hourly: Decimal) -> str:
    """`0.357 USD an hour`: to the tenth of a cent and up, as providers list their prices."""
    return f"{hourly.quantize(_MILL, rounding=ROUND_CEILING):,} USD an hour"


def monthly(hourly: Decimal) -> Decimal:
    """US dollars that a machine of this price costs in a month, if nobody remembers it."""
    return hourly * MONTH


def spell(seconds: float) -> str:
    """As durations are written in the file: `8h`, `20m`, `1.3s`; the largest unit that leaves a short number."""
    for unit, length in (("d", 24 * HOUR), ("h", HOUR), ("m", 60)):
        if seconds >= 2 * length or (seconds >= length and seconds % length == 0):
            return f"{seconds / length:.3g}{unit}"
    return f"{seconds:.3g}s"


# ── whether it may be rented ─────────────────────────────────────────────────────────────────
def refused(estimated: Estimate, max_cost: Decimal | None) -> Problem | None:
    """Why these machines must not be rented; None when they may.

    Refused is only what is sure: what is spent, the jobs at the low end of their range (where there is none, the
    least charge), and the reserve, for which the workers go early. Of the rest the cluster itself stops at it.
    """
    needed = estimated.sure + estimated.reserve
    if max_cost is None or needed <= max_cost:
        return None
    parts = [f"{usd(estimated.spent)} spent"] if estimated.spent else []
    what = "the least charge" if estimated.low is None else "the jobs left, at the least"
    parts.append(f"{usd(estimated.sure - estimated.spent)} for {what}")
    parts += _reserved(estimated)
    return Problem(
        "over-max-cost",
        MAX_COST,
        f"max_cost is {usd(max_cost)}, and this needs {usd(needed)}: {' + '.join(parts)}",
        _raise_it(estimated),
    )


def warned(estimated: Estimate, max_cost: Decimal | None) -> Problem | None:
    """A warning where the limit is likely to end the study before its jobs are done; None where it is not."""
    if max_cost is None or estimated.needed is None:
        return None
    likely = estimated.needed + estimated.reserve
    if likely <= max_cost:
        return None
    parts = " + ".join((f"{usd(estimated.needed)} ({estimated.because})", *_reserved(estimated)))
    return Problem(
        "over-max-cost",
        MAX_COST,
        f"max_cost is {usd(max_cost)}, and this is likely to need {usd(likely)}: {parts}",
        f"its machines stop at max_cost, with what is computed until then; {_raise_it(estimated)}",
        "warning",
    )


def _reserved(estimated: Estimate) -> list[str]:
    if not estimated.reserve:
        return []
    return [f"{usd(estimated.reserve)} kept for the manager to wait for its results to be fetched"]


def _raise_it(estimated: Estimate) -> str:
    shorten = ", or shorten keep_results" if estimated.reserve else ""
    return f"raise max_cost{shorten}; smaller or fewer machines cost less an hour"
