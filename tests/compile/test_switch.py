"""What a switch is told and what it answers: both ends of one contract, fed with the same values."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stack.host.program import PROGRAM, load

from cloudburst.compile import switch
from cloudburst.compile.money import Rental, cost
from cloudburst.spec.ensemble import Cluster, Ensemble, Needs, Retries, Worker

program = load()

T0 = 1_800_000_000.0
HOUR, DAY = 3600.0, 86400.0
MANAGER = Rental(7, "cb-waves-manager", Decimal("0.03571"), T0, None)
WORKER = Rental(8, "cb-waves-worker-1", Decimal("0.07143"), T0 + 30, None)


def ensemble(**changes: Any) -> Ensemble:
    worker = Worker("model", "model:run", None, None, None, Retries(), Needs(), "process", ())
    cluster = replace(Cluster(provider="digitalocean", reaper_token="REAPER"), **changes)
    return Ensemble("waves", 0, worker, (), (), None, cluster, ())


def told(role: Any, **changes: Any) -> dict[str, Any]:
    return switch.switch_form(
        ensemble(**changes), role, (MANAGER, WORKER), armed=T0, manager="10.0.0.2", own=7
    )


def test_the_program_understands_what_a_manager_is_told() -> None:
    form = told("manager", ttl=8 * HOUR, max_cost=Decimal("3.10"), idle_stop=1200.0, keep_results=DAY)
    found = program.read_config(json.dumps(form))
    assert (found.study, found.role, found.armed, found.deadline) == ("waves", "manager", T0, T0 + 8 * HOUR)
    assert (found.max_cost, found.idle_stop, found.keep_results) == (Decimal("3.10"), 1200.0, DAY)
    assert [tuple(one) for one in found.rentals] == [
        (one.id, one.name, one.hourly, one.since, one.until) for one in (MANAGER, WORKER)
    ]
    assert found.activity.endswith("/cb-waves_controller/_data/cloudburst/home/activity.json")
    assert (found.tag, found.manager, found.own) == ("cloudburst:waves", None, 7)


def test_the_program_understands_what_a_worker_is_told() -> None:
    found = program.read_config(json.dumps(told("worker", ttl=8 * HOUR, max_cost=Decimal(3), idle_stop=60.0)))
    assert (found.manager, found.idle_stop, found.max_cost, found.rentals) == (
        ("10.0.0.2", 2377),
        None,
        None,
        (),
    )


def test_a_worker_that_counts_no_money_has_the_moment_at_which_it_is_spent() -> None:
    """3 - 24 h x 0.03571 = 2.143 USD, for both at 0.107 an hour: 20 hours."""
    form = told("worker", ttl=48 * HOUR, max_cost=Decimal(3), keep_results=DAY)
    assert form["deadline"] - T0 == pytest.approx(20.0 * HOUR, rel=0.001)
    without = told("worker", ttl=48 * HOUR, max_cost=Decimal(3), keep_results=DAY, reaper_token=None)
    assert without["deadline"] - T0 == pytest.approx(28.0 * HOUR, rel=0.001)
    assert told("worker", ttl=HOUR, max_cost=Decimal(3))["deadline"] == T0 + HOUR
    assert told("worker", ttl=None)["deadline"] is None


def test_the_path_is_the_one_the_stack_gives_the_controller() -> None:
    text = (PROGRAM.parents[1] / "services" / "controller.yml.j2").read_text("utf-8")
    assert "--home=/var/tmp/cloudburst/home" in text
    assert "{type: volume, source: controller, target: /var/tmp}" in text


# ── money ────────────────────────────────────────────────────────────────────────────────────
rentals = st.lists(
    st.builds(
        Rental,
        st.integers(1, 9),
        st.just("cb-waves-worker-1"),
        st.decimals("0.00001", "50", places=5),
        st.floats(T0 - DAY, T0 + DAY),
        st.none() | st.floats(T0, T0 + 3 * DAY),
    ),
    max_size=5,
)


@given(rentals, st.floats(T0, T0 + 9 * DAY))
def test_both_programs_count_the_same_money(several: list[Rental], now: float) -> None:
    there = [program.Rental(one.id, one.name, one.hourly, one.since, one.until) for one in several]
    assert program.cost(there, now) == cost(several, now)


@given(rentals, st.decimals("0.01", "100", places=2), st.floats(T0, T0 + DAY))
def test_money_is_spent_at_the_same_moment_and_not_before(
    several: list[Rental], limit: Decimal, now: float
) -> None:
    there = [program.Rental(one.id, one.name, one.hourly, one.since, one.until) for one in several]
    moment = switch.max_cost_moment(several, limit, now)
    assert program.when_spent(there, limit, now) == moment
    if moment is None:
        assert all(one.until is not None for one in several)
    else:
        assert cost(several, moment) >= limit
        assert moment == now or cost(several, moment - 1) < limit


# ── what it answers ──────────────────────────────────────────────────────────────────────────
def test_the_client_understands_what_the_program_saw() -> None:
    config = program.read_config(json.dumps(told("manager", ttl=8 * HOUR)))
    state = program.State(stage="armed", since=T0, armed=T0)
    memory = program.Memory(state, program.Clock("boot", T0 + HOUR, T0), "")
    form = program.state_form(config, memory, program.Seen(up=60.0), ["the API answers 503"])
    assert switch.read_switch_state(json.dumps(form)) == switch.SwitchState(
        stage="armed",
        since=T0,
        reason="",
        spent=cost((MANAGER, WORKER), T0 + HOUR),
        stops_at=T0 + 8 * HOUR,
        why="ttl",
        trouble="the API answers 503",
        at=T0 + HOUR,
    )


def test_stages_have_the_same_names_in_the_same_order() -> None:
    assert program.STAGES == switch.STAGES
    assert [switch.SwitchState(s, 0, "", Decimal(0), None, "", "", 0).is_ending for s in switch.STAGES] == [
        False,
        *[True] * 4,
    ]


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"format": 1, "stage": "asleep"}', '{"format": 1, "stage": "armed"}']
)
def test_what_is_no_state_is_none(text: str) -> None:
    assert switch.read_switch_state(text) is None
