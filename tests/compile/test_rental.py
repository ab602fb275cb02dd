"""Rented machines as plan and status see them."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import jsonschema
import pytest
from compile import nouns

from cloudburst import assets
from cloudburst.compile.estimates import Effort, Tally, expect
from cloudburst.compile.fleet import Machine, Wanted
from cloudburst.compile.money import Rental
from cloudburst.compile.rental import (
    estimate_of,
    rental_form,
    rented,
    slots_of,
    standing_form,
    unknown_form,
)
from cloudburst.compile.switch import SwitchState
from cloudburst.diagnostics import Problem
from cloudburst.spec.ensemble import Cluster, Ensemble, Needs

PRICE = {"small": Decimal("0.036"), "large": Decimal("0.071")}
WANTED = Wanted("waves", "nyc3", "small", "large", 2, "ubuntu", PRICE)
FLEET = (
    Machine(1, "cb-waves-manager", "manager", "small", "nyc3", "ubuntu", "active", PRICE["small"], 0.0),
    Machine(2, "cb-waves-worker-1", "worker", "large", "nyc3", "ubuntu", "active", PRICE["large"], 0.0),
    Machine(3, "cb-waves-worker-2", "worker", "large", "nyc3", "ubuntu", "off", PRICE["large"], 0.0),
)
RENTALS = [Rental(one.id, one.name, one.hourly, 0.0, None) for one in FLEET]
CLUSTER = Cluster("digitalocean", workers=2, ttl=28800.0, max_cost=Decimal(25), reaper_token="REAPER")
MB = 10**6


def ensemble(cluster: Cluster = CLUSTER, **needs: Any) -> Ensemble:
    made = nouns.ensemble()
    return replace(made, cluster=cluster, worker=replace(made.worker, needs=Needs(**needs)))


def took(jobs: int, seconds: float) -> Effort | None:
    return expect(Tally({"main": jobs}, {"main": [seconds] * 5}))


def test_what_was_observed_adds_up() -> None:
    gone = Rental(9, "cb-waves-worker-3", PRICE["large"], 0.0, 3600.0)
    seen = rented(WANTED, FLEET[:2], [*RENTALS[:2], gone], 7200.0, slots=8)
    assert seen.spent == Decimal("0.072") + Decimal("0.142") + Decimal("0.071")
    assert (seen.hourly, seen.hourly_after) == (Decimal("0.107"), Decimal("0.178"))
    assert seen.is_dearer_after
    assert (seen.manager, seen.worker) == (PRICE["small"], PRICE["large"])


def test_a_conflict_is_a_problem_beside_the_others_and_nothing_is_changed() -> None:
    other = Problem("unknown-value", ("cluster",), "no such image")
    seen = rented(replace(WANTED, region="ams3"), FLEET, RENTALS, 60.0, slots=8, problems=[other])
    assert [problem.code for problem in seen.problems] == ["unknown-value", "fleet-conflict"]
    assert seen.changes == ()


def test_where_the_file_is_wrong_what_stands_is_said_and_nothing_changes() -> None:
    seen = rented(None, FLEET, RENTALS, 3600.0, slots=None)
    assert (seen.changes, seen.hourly_after, seen.manager) == ((), Decimal("0.178"), PRICE["small"])


def test_machines_that_are_off_are_told_apart_and_starting_them_is_not_dearer() -> None:
    seen = rented(WANTED, FLEET, RENTALS, 60.0, slots=8, notes=["the droplet limit is 3"])
    assert seen.off == FLEET[2:]
    assert [change.verb for change in seen.changes] == ["power on"]
    assert not seen.is_dearer_after
    assert seen.notes == ("the droplet limit is 3",)


@pytest.mark.parametrize(
    ("cluster", "needs", "slots"),
    [
        ({}, {}, 8),
        ({"slots": 3}, {}, 6),
        ({"workers": 0}, {}, 4),
        ({}, {"cpus": 2.0}, 4),
        ({}, {"memory": 3000 * MB}, 4),
        ({}, {"memory": 64_000 * MB}, 2),
        ({}, {"cpus": 0.5}, 16),
    ],
    ids=("CPUs", "as the file says", "the manager alone", "cpus", "memory", "at least one", "half a CPU"),
)
def test_jobs_at_a_time(cluster: dict[str, Any], needs: dict[str, Any], slots: int) -> None:
    assert slots_of(ensemble(replace(CLUSTER, **cluster), **needs), cpus=4, memory=8000 * MB) == slots


def test_only_new_machines_have_a_least_charge() -> None:
    seen = rented(WANTED, (), (), 0.0, slots=8)
    assert estimate_of(seen, CLUSTER, to_do=1, effort=took(1, 0.1)).likely == Decimal("0.03")
    seen = rented(WANTED, FLEET, RENTALS, 3600.0, slots=8)
    assert estimate_of(seen, CLUSTER, to_do=1, effort=took(1, 0.1)).likely == Decimal("0.178005")


def test_without_a_token_to_give_back_the_form_promises_nothing() -> None:
    cluster = replace(CLUSTER, reaper_token=None)
    seen = rented(WANTED, (), (), 0.0, slots=8)
    form = rental_form(seen, cluster, estimate_of(seen, cluster, to_do=1, effort=None))
    assert form["gives_back"] is False
    assert form["estimate"]["at_most"] is None


def test_the_forms_are_what_is_documented() -> None:
    seen = rented(WANTED, FLEET, RENTALS, 3600.0, slots=8)
    schema = json.loads(assets.schema("plan").read_text("utf-8"))
    form = rental_form(seen, CLUSTER, estimate_of(seen, CLUSTER, to_do=3, effort=took(3, 2.0)))
    jsonschema.validate(form, {**schema["definitions"]["rental"], "definitions": schema["definitions"]})
    switch = SwitchState("armed", 0.0, "", Decimal("0.17"), 28800.0, "ttl", "", 3600.0)
    standing = standing_form(seen, CLUSTER, switch, 3600.0)
    assert standing["switch"]["spent"] == 0.17
    assert standing.keys() == unknown_form(CLUSTER, "no answer", 0.0).keys()
    json.dumps(standing)
