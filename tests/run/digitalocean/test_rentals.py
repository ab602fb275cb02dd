"""What was rented from when until when, whoever saw it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from cloudburst.compile.fleet import Machine
from cloudburst.compile.money import Rental
from cloudburst.run.digitalocean.rentals import keep_rentals, observed, read_rentals, rentals_file, rentals_in
from cloudburst.run.places import places, prepare

HOURLY = Decimal("0.03571")
STANDS = Machine(
    id=1,
    name="cb-waves-manager",
    role="manager",
    size="s-2vcpu-4gb",
    region="nyc3",
    image="ubuntu-24-04-x64",
    status="active",
    hourly=HOURLY,
    created=100.0,
)
GONE = Rental(2, "cb-waves-worker-1", HOURLY, 110.0, None)


def test_what_is_gone_and_whose_end_nobody_saw_ended_by_now() -> None:
    found = observed([GONE], [STANDS], now=500.0)
    assert [(one.id, one.since, one.until) for one in found] == [(1, 100.0, None), (2, 110.0, 500.0)]


def test_an_end_that_was_seen_stays_and_the_earlier_one_counts() -> None:
    (only,) = observed([replace(GONE, until=300.0), replace(GONE, until=200.0), GONE], [], now=500.0)
    assert only.until == 200.0


def test_what_stands_was_never_given_back_whatever_is_remembered() -> None:
    ended = Rental(STANDS.id, STANDS.name, HOURLY, 100.0, 150.0)
    assert [one.until for one in observed([ended], [STANDS], now=500.0)] == [None]


def test_observed_again_nothing_changes() -> None:
    once = observed([GONE], [STANDS], now=500.0)
    assert observed(once, [STANDS], now=900.0) == once


def test_they_are_kept_to_the_last_digit_and_a_damaged_file_says_nothing(tmp_path: Path) -> None:
    place = places(tmp_path / "ensemble.yaml", "waves")
    keep_rentals(place, [GONE])
    assert not place.root.exists(), "looking at a study makes no directory for it"
    prepare(place)
    keep_rentals(place, [GONE, replace(GONE, id=3, until=120.5)])
    assert read_rentals(place) == (GONE, replace(GONE, id=3, until=120.5))
    rentals_file(place).write_text("{")
    assert read_rentals(place) == ()


def test_machines_that_were_only_about_to_be_rented_are_on_no_bill() -> None:
    form = {"name": "cb-waves-worker-1", "hourly": "0.03571", "since": 1.0, "until": None}
    assert [one.id for one in rentals_in([{"id": -1, **form}, {"id": 7, **form}, {"id": 8}, None])] == [7]
    assert rentals_in("nonsense") == ()
