"""Laws of money: time only adds, machines add up, and no estimate promises less than it knows."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from cloudburst.compile.expectation import Expectation
from cloudburst.compile.money import LEAST_CHARGE, Rental, Terms, cost, estimate, refused

prices = st.decimals("0.001", "10", places=5)
moments = st.floats(0, 1e7)
rentals = st.builds(
    Rental,
    id=st.integers(1, 99),
    name=st.just("cb-waves-worker-1"),
    hourly=prices,
    since=moments,
    until=st.none() | moments,
)
fleets = st.lists(rentals, max_size=6)


@given(fleets, moments, moments)
def test_cost_never_falls(fleet: list[Rental], one: float, other: float) -> None:
    assert cost(fleet, min(one, other)) <= cost(fleet, max(one, other))


@given(fleets, fleets, moments)
def test_machines_add_up(fleet: list[Rental], others: list[Rental], now: float) -> None:
    assert cost([*fleet, *others], now) == cost(fleet, now) + cost(others, now)


@given(rentals, st.floats(61, 1e6))
def test_it_is_by_the_second_with_a_least_charge(rental: Rental, seconds: float) -> None:
    now = rental.since + seconds
    stood = now if rental.until is None else min(rental.until, now)
    exact = rental.hourly * Decimal(max(60.0, stood - rental.since)) / 3600
    charged = cost([rental], now)
    assert charged >= LEAST_CHARGE
    assert charged == LEAST_CHARGE or 0 <= charged - exact < Decimal("0.000001")


terms = st.builds(
    Terms,
    ttl=st.none() | st.floats(60, 1e6),
    idle_stop=st.none() | st.floats(60, 1e5),
    max_cost=st.none() | st.decimals("0.01", "500", places=2),
    keep_results=st.floats(0, 1e6),
    manager=st.decimals("0.001", "0.2", places=5),
    gives_back=st.booleans(),
)
walls = (
    st.tuples(*[st.floats(0.001, 1e6)] * 3)
    .map(sorted)
    .map(lambda ends: Expectation(ends[1], ends[0], ends[2]))
)
facts = st.fixed_dictionaries(
    {
        "to_do": st.integers(0, 10**6),
        "wall": st.none() | st.floats(0.001, 1e6).map(Expectation) | walls,
        "pace": st.just("so many jobs"),
        "spent": st.decimals("0", "100", places=2),
        "new": st.integers(0, 20),
    }
)


@given(prices, terms, facts)
def test_an_estimate_is_in_order_and_never_below_what_is_spent(hourly, terms, facts) -> None:  # type: ignore[no-untyped-def]
    known = estimate(hourly, terms, **facts)
    ladder = [one for one in (known.likely, known.forgotten, known.at_most) if one is not None]
    assert ladder == sorted(ladder)
    assert all(one >= facts["spent"] for one in (*ladder, known.sure))
    assert known.at_most is None or terms.gives_back


@given(prices, terms, facts, walls, st.floats(0, 1e6))
def test_more_time_costs_no_less(hourly, terms, facts, wall, more) -> None:  # type: ignore[no-untyped-def]
    longer = Expectation(wall.mid + more, wall.low + more, wall.high + more)
    less, dearer = (estimate(hourly, terms, **facts | {"wall": one}) for one in (wall, longer))
    assert dearer.sure >= less.sure
    assert dearer.needed >= less.needed


@given(prices, terms, facts, walls)
def test_the_range_holds_what_is_likely(hourly, terms, facts, wall) -> None:  # type: ignore[no-untyped-def]
    known = estimate(hourly, terms, **facts | {"wall": wall})
    assert known.low <= known.likely <= known.high
    assert known.sure <= known.needed


@given(prices, terms, facts)
def test_what_is_not_refused_fits(hourly, terms, facts) -> None:  # type: ignore[no-untyped-def]
    known = estimate(hourly, terms, **facts)
    fits = terms.max_cost is None or known.sure + known.reserve <= terms.max_cost
    assert (refused(known, terms.max_cost) is None) == fits
