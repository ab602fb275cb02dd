"""From the machines that stand to those that are wanted: every way they can differ, one at a time."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from cloudburst.compile.fleet import (
    Change,
    FleetConflict,
    Machine,
    Wanted,
    after,
    decide,
    hourly_of,
    machine_name,
    notes,
    worker_number,
)

HOURLY = {"small": Decimal("0.036"), "large": Decimal("0.071")}
WANTED = Wanted("waves", "nyc3", "small", "large", 3, "ubuntu-24-04-x64", HOURLY)


def machine(name: str, number: int, **changes: Any) -> Machine:
    role: Any = "manager" if "manager" in name else "worker"
    size = "small" if role == "manager" else "large"
    made = Machine(
        number, f"cb-waves-{name}", role, size, "nyc3", WANTED.image, "active", HOURLY[size], 100.0 + number
    )
    return replace(made, **changes)


FLEET = (machine("manager", 1), *(machine(f"worker-{n}", n + 1) for n in (1, 2, 3)))


def said(changes: tuple[Change, ...]) -> list[tuple[str, str]]:
    return [(change.verb, change.name.removeprefix("cb-waves-")) for change in changes]


def test_from_nothing_the_manager_is_made_first() -> None:
    changes = decide(WANTED, ())
    assert said(changes) == [
        ("create", "manager"),
        ("create", "worker-1"),
        ("create", "worker-2"),
        ("create", "worker-3"),
    ]
    assert [change.hourly for change in changes] == [HOURLY["small"], *[HOURLY["large"]] * 3]
    assert all(change.machine is None for change in changes)
    assert hourly_of(changes, ()) == Decimal("0.249")


def test_a_fleet_as_it_should_be_needs_nothing_and_machines_on_their_way_up_are_waited_for() -> None:
    assert decide(WANTED, FLEET) == ()
    assert decide(WANTED, [replace(one, status="new") for one in FLEET]) == ()
    assert hourly_of((), FLEET) == Decimal("0.249")


def test_a_manager_alone_is_a_fleet() -> None:
    assert said(decide(replace(WANTED, workers=0), ())) == [("create", "manager")]


def test_more_workers_take_the_free_names() -> None:
    gone = [one for one in FLEET if one.name != "cb-waves-worker-2"]
    changes = decide(replace(WANTED, workers=4), gone)
    assert said(changes) == [("create", "worker-2"), ("create", "worker-4")]
    assert changes[0].reason == "2 of 4 stand"
    assert changes[0].cause == ("cluster", "workers")


def test_fewer_workers_go_from_the_highest_number() -> None:
    changes = decide(replace(WANTED, workers=1), FLEET)
    assert said(changes) == [("remove", "worker-3"), ("remove", "worker-2")]
    assert changes[0].reason == "more than the 1 wanted"
    assert changes[0].machine is FLEET[3]
    assert hourly_of(changes, FLEET) == Decimal("0.107")


def test_numbers_count_and_not_the_order_of_letters() -> None:
    workers = [machine(f"worker-{n}", n + 1) for n in (10, 9, 2)]
    changes = decide(replace(WANTED, workers=2), [FLEET[0], *workers])
    assert said(changes) == [("remove", "worker-10")]


def test_a_worker_of_another_size_is_replaced_and_the_manager_resized_because_it_keeps_data() -> None:
    standing = [
        replace(FLEET[0], size="tiny", status="off"),
        replace(FLEET[1], size="small", hourly=HOURLY["small"]),
        *FLEET[2:],
    ]
    changes = decide(WANTED, standing)
    assert said(changes) == [("resize", "manager"), ("replace", "worker-1")]
    assert changes[0].size == "small"
    assert changes[0].cause == ("cluster", "provider", "digitalocean", "manager")
    assert changes[1].reason == "it is a small"
    assert hourly_of(changes, standing) == Decimal("0.249")


def test_a_machine_that_is_off_is_started_and_an_archived_one_replaced() -> None:
    standing = [
        replace(FLEET[0], status="off"),
        replace(FLEET[1], status="archive"),
        replace(FLEET[2], status="off"),
        FLEET[3],
    ]
    changes = decide(WANTED, standing)
    assert said(changes) == [("power on", "manager"), ("replace", "worker-1"), ("power on", "worker-2")]
    assert "billed all the same" in changes[0].reason


def test_of_twins_after_a_lost_answer_the_oldest_stays() -> None:
    standing = [*FLEET, machine("manager", 9), machine("worker-2", 8)]
    changes = decide(WANTED, standing)
    assert said(changes) == [("remove", "manager"), ("remove", "worker-2")]
    assert [change.machine.id for change in changes if change.machine] == [9, 8]
    assert changes[0].reason == "the study's manager is id 1"


def test_a_manager_that_lives_goes_before_an_older_one_that_does_not() -> None:
    standing = [replace(FLEET[0], status="archive"), *FLEET[1:], machine("manager", 9)]
    [change] = decide(WANTED, standing)
    assert change.verb == "remove"
    assert change.machine is standing[0]


def test_a_worker_under_a_name_of_no_study_makes_room_for_one_with_its_own() -> None:
    standing = [FLEET[0], *FLEET[1:3], replace(FLEET[3], name="renamed")]
    changes = decide(WANTED, standing)
    assert [(change.verb, change.name) for change in changes] == [
        ("create", "cb-waves-worker-3"),
        ("remove", "renamed"),
    ]


def test_a_manager_that_someone_renamed_is_still_the_manager() -> None:
    assert decide(WANTED, [replace(FLEET[0], name="renamed"), *FLEET[1:]]) == ()


def test_another_region_is_a_conflict_with_its_line_and_a_way_out() -> None:
    with pytest.raises(FleetConflict) as raised:
        decide(replace(WANTED, region="ams3"), FLEET)
    problem = raised.value.problem
    assert problem.path == ("cluster", "provider", "digitalocean", "region")
    assert problem.message == "the study's machines stand in nyc3, and none can move to ams3"
    assert "destroy" in problem.hint


def test_nothing_is_rented_at_an_unknown_price() -> None:
    with pytest.raises(FleetConflict, match="no price for the size large") as raised:
        decide(replace(WANTED, hourly={"small": HOURLY["small"]}), ())
    assert raised.value.problem.path == ("cluster", "provider", "digitalocean", "worker")


def test_another_image_changes_nothing_that_stands_and_is_said_once() -> None:
    wanted = replace(WANTED, image="debian-13-x64")
    assert decide(wanted, FLEET) == ()
    [note] = notes(wanted, FLEET)
    assert "ubuntu-24-04-x64, not from debian-13-x64" in note
    assert notes(WANTED, FLEET) == ()


def test_after_the_changes_names_are_told_apart() -> None:
    changes = decide(replace(WANTED, workers=4, worker="small"), FLEET[:3])
    names = [one.name for one in after(FLEET[:3], changes)]
    assert sorted(names) == sorted({*names})
    assert len(names) == 5


def test_names() -> None:
    assert machine_name("waves", "manager") == "cb-waves-manager"
    assert worker_number("waves", machine_name("waves", "worker", 12)) == 12
    for name in ("cb-waves-worker-0", "cb-waves-worker-01", "cb-waves-2-worker-1", "cb-waves-manager"):
        assert worker_number("waves", name) is None
