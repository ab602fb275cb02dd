"""Laws of the fleet: however it came to be as it is, one round of changes makes it what is wanted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from cloudburst.compile.fleet import Change, Machine, Wanted, after, decide, hourly_of, machine_name

PRICES = {"small": Decimal("0.03571"), "large": Decimal("0.07143"), "huge": Decimal("1.5")}
SIZES = st.sampled_from(sorted(PRICES))

names = st.one_of(
    st.just("cb-waves-manager"),
    st.integers(1, 7).map(lambda number: machine_name("waves", "worker", number)),
    st.sampled_from(["renamed", "cb-waves-worker-0", "cb-other-worker-1"]),
)


@st.composite
def machines(draw: st.DrawFn) -> Machine:
    name, size = draw(names), draw(SIZES)
    role = "manager" if name.endswith("manager") else draw(st.sampled_from(("manager", "worker", "worker")))
    status = draw(st.sampled_from(("new", "active", "active", "off", "archive")))
    created = float(draw(st.integers(0, 5)))
    return Machine(0, name, role, size, "nyc3", "ubuntu", status, PRICES[size], created)  # type: ignore[arg-type]


fleets = st.lists(machines(), max_size=10).map(
    lambda found: tuple(replace(one, id=at) for at, one in enumerate(found, 1))
)
wishes = st.builds(
    Wanted,
    study=st.just("waves"),
    region=st.just("nyc3"),
    manager=SIZES,
    worker=SIZES,
    workers=st.integers(0, 6),
    image=st.just("ubuntu"),
    hourly=st.just(PRICES),
)


def made(standing: Sequence[Machine], changes: Sequence[Change]) -> tuple[Machine, ...]:
    """The world as a provider would make it."""
    fleet = {one.id: one for one in standing}
    for number, change in enumerate(changes, 1000):
        old = change.machine
        if change.verb in ("remove", "replace"):
            assert old is not None
            del fleet[old.id]
        if change.verb in ("create", "replace"):
            fleet[number] = Machine(
                number,
                change.name,
                change.role,
                change.size,
                "nyc3",
                "ubuntu",
                "active",
                change.hourly,
                float(number),
            )
        if change.verb in ("resize", "power on"):
            assert old is not None
            fleet[old.id] = replace(old, size=change.size, status="active", hourly=change.hourly)
    return tuple(fleet.values())


@given(wishes, fleets)
def test_one_round_is_enough(wanted: Wanted, standing: tuple[Machine, ...]) -> None:
    world = made(standing, decide(wanted, standing))
    assert decide(wanted, world) == ()
    assert [one.size for one in world if one.role == "manager"] == [wanted.manager]
    assert [one.size for one in world if one.role == "worker"] == [wanted.worker] * wanted.workers


@given(wishes, fleets)
def test_no_name_is_given_twice_and_no_machine_changed_twice(
    wanted: Wanted, standing: tuple[Machine, ...]
) -> None:
    changes = decide(wanted, standing)
    created = [change.name for change in changes if change.verb == "create"]
    assert not {*created} & {one.name for one in standing if one.role == "worker" or one.status != "archive"}
    touched = Counter(change.machine.id for change in changes if change.machine)
    assert all(times == 1 for times in touched.values())
    world = [one.name for one in made(standing, changes) if one.role == "worker"]
    assert len(world) == len({*world})


@given(wishes, fleets)
def test_a_manager_that_lives_is_never_lost(wanted: Wanted, standing: tuple[Machine, ...]) -> None:
    alive = {one.id for one in standing if one.role == "manager" and one.status != "archive"}
    world = {one.id for one in made(standing, decide(wanted, standing))}
    assert not alive or alive & world


@given(wishes, fleets)
def test_the_price_said_is_the_price_of_what_comes_of_it(
    wanted: Wanted, standing: tuple[Machine, ...]
) -> None:
    changes = decide(wanted, standing)
    world = made(standing, changes)
    assert hourly_of(changes, standing) == sum((one.hourly for one in world), Decimal(0))
    assert sorted((one.name, one.size) for one in after(standing, changes)) == sorted(
        (one.name, one.size) for one in world
    )


@given(wishes, fleets, st.randoms(use_true_random=False))
def test_the_order_of_a_list_means_nothing(wanted: Wanted, standing: tuple[Machine, ...], random) -> None:  # type: ignore[no-untyped-def]
    shuffled = list(standing)
    random.shuffle(shuffled)
    assert decide(wanted, shuffled) == decide(wanted, standing)
