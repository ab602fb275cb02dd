"""Nobody looks after rented machines any more: whatever else is broken, their bill ends when it was said to end.

Results that nobody has fetched are kept for as long as was said; without a token machines are switched off, and
`status` says that they are billed. And an `apply` after that goes on where the study stopped.
"""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from faults.table import RENTED_SWITCH, note

from ..commands import until
from ..imitation import Fault
from ..lives import Life, machines
from ..switches import GOES_WITHIN, REAPER, all_gone, given_back, state, token_of
from .strikes import Counted, strike

pytestmark = [pytest.mark.timeout(1200), pytest.mark.faults]

MANAGER, WORKER = machines(1)
DEAR = "c-16"
"""A size that costs more than the least charge within a minute or two."""
ALLOWED = Decimal("0.04")
"""US dollars for some minutes of it, of which the switch keeps two for what comes after it."""

Tell = Callable[[str, str], None]


@pytest.fixture
def tell(pytestconfig: pytest.Config) -> Tell:
    """Remembers a line of the table; called by a test when everything held."""

    def line(what: str, came: str) -> None:
        print(f"\n{what} | {came}")
        note(pytestconfig, RENTED_SWITCH, (what, came))

    return line


def test_results_nobody_fetches_are_kept_and_then_the_manager_goes(life: Life, tell: Tell) -> None:
    token = token_of(life)
    _left_alone(life, token, ttl="100s", keep_results="4m")
    until(lambda: not life.names()[WORKER], "the worker has gone", GOES_WITHIN, pause=0.5)
    until(lambda: state(life)["stage"] == "keeping results", "it keeps the results", GOES_WITHIN, pause=1.0)
    assert all_gone(life) == [WORKER, MANAGER]
    times = dict(given_back(life))
    kept = times[MANAGER] - times[WORKER]
    assert kept >= 200, "four minutes since the time was over"
    life.write(jobs=30, workers=1, reaper_token=REAPER)
    life.apply(**token)
    life.destroy(**token)
    tell(
        "`ttl` is over, the client was killed in the middle, `keep_results: 4m`",
        f"the worker goes, and the manager {kept:.0f} s later; `apply` computes again what nobody fetched",
    )


def test_results_that_are_fetched_while_they_are_kept_let_the_manager_go(life: Life, tell: Tell) -> None:
    token = token_of(life)
    _left_alone(life, token, ttl="100s", keep_results="2h")
    until(lambda: not life.names()[WORKER], "the worker has gone", GOES_WITHIN, pause=0.5)
    until(lambda: state(life)["stage"] == "keeping results", "it keeps the results", GOES_WITHIN, pause=1.0)
    assert "keeping results" in life.project.said("status", **token)
    life.project.run("results", **token)
    began = time.monotonic()
    assert all_gone(life) == [WORKER, MANAGER]
    seconds = time.monotonic() - began
    assert "Nothing to do" in life.project.said("apply", "--yes", **token)
    assert not life.names(), "for nothing, nothing is rented"
    life.destroy(**token)
    tell(
        "the same with `keep_results: 2h`, and `cloudburst results` meanwhile",
        f"the manager goes {seconds:.0f} s after they were fetched",
    )


def test_without_a_token_machines_are_off_and_it_is_said_that_they_are_billed(life: Life, tell: Tell) -> None:
    life.write(jobs=6, workers=1)
    life.apply()
    life.write(jobs=6, workers=1, ttl="1m")
    life.apply()
    account = life.lab.imitation.account
    fleet = life.lab.fleet(life.project.name)
    fleet.switched_off(fleet.workers[0], GOES_WITHIN)
    worker = time.monotonic()
    assert fleet.manager.is_on, "workers first"
    fleet.switched_off(fleet.manager, GOES_WITHIN)
    later = time.monotonic() - worker
    assert len(account.standing()) == 2
    said = life.project.said("status")
    assert "billed" in said
    assert "off" in said
    life.write(jobs=9, workers=1)
    life.apply()
    assert life.rented() == 2, "those that were off were switched on"
    life.destroy()
    tell(
        "`ttl` is over, there is no token",
        f"the worker switches itself off, the manager {later:.0f} s later; `status` says that both are billed; "
        "`apply` switches them on and goes on",
    )


def test_without_a_job_for_so_long_they_go(life: Life, tell: Tell) -> None:
    token = token_of(life)
    life.write(jobs=6, workers=1, reaper_token=REAPER, idle_stop="1m")
    life.apply(**token)
    began = time.monotonic()
    assert all_gone(life) == [WORKER, MANAGER]
    seconds = time.monotonic() - began
    life.destroy(**token)
    tell("no job for `idle_stop: 1m`", f"all are gone {seconds:.0f} s after `apply` ended")


def test_when_the_money_is_spent_they_go_before_more_is_billed(life: Life, tell: Tell) -> None:
    token = token_of(life)
    life.project.provider = life.lab.project(life.project.place, life.project.name, worker=DEAR).provider
    life.write(jobs=6, workers=1, reaper_token=REAPER)
    life.apply(**token)
    spent = _spent(life, token)
    limit = (spent + ALLOWED).quantize(Decimal("0.01"))
    asked = {"reaper_token": REAPER, "keep_results": "2m", "max_cost": f"{limit} USD"}
    life.write(jobs=6, workers=1, **asked)
    life.apply(**token)
    began = time.monotonic()
    until(lambda: state(life)["why"] == "max_cost", "the switch has looked at its new limit", 60, pause=1.0)
    assert all_gone(life, 600) == [WORKER, MANAGER]
    seconds = time.monotonic() - began
    billed = _billed(life)
    assert spent < billed <= limit
    life.write(jobs=9, workers=1, **asked)
    assert "over-max-cost" in life.project.said("apply", "--yes", code=2, **token)
    assert not life.names(), "what is spent is remembered: nothing is rented again"
    life.write(jobs=9, workers=1, **{**asked, "max_cost": "1 USD"})
    life.apply(**token)
    life.destroy(**token)
    tell(
        f"`max_cost: {limit} USD` is about to be spent",
        f"all are gone {seconds:.0f} s after `apply` ended, {billed:.3f} USD are billed; `apply` refuses to rent anew, "
        "and goes on when `max_cost` is raised",
    )


def test_with_the_controller_alone_stopped_they_go_and_what_is_not_fetched_is_kept(
    life: Life, tell: Tell
) -> None:
    token = token_of(life)
    _left_alone(life, token, ttl="100s", keep_results="3m")
    controller = f"cb-{life.project.name}_controller=0"
    life.lab.host(MANAGER).docker("service", "scale", "--detach", controller)
    assert all_gone(life, 600) == [WORKER, MANAGER]
    times = dict(given_back(life))
    kept = times[MANAGER] - times[WORKER]
    assert kept >= 150, "three minutes since the time was over"
    life.write(jobs=30, workers=1, reaper_token=REAPER)
    life.apply(**token)
    life.destroy(**token)
    tell(
        "the same with `keep_results: 3m`, and the controller alone is stopped",
        f"the worker goes, and the manager {kept:.0f} s later",
    )


def test_with_a_dead_docker_and_an_api_in_trouble_they_go(life: Life, tell: Tell) -> None:
    token = token_of(life)
    life.write(jobs=6, workers=1, reaper_token=REAPER)
    life.apply(**token)
    life.write(jobs=6, workers=1, reaper_token=REAPER, ttl="1m")
    life.apply(**token)
    for host in life.lab.fleet(life.project.name).hosts:
        host.stop_daemon()
    faults = life.lab.imitation.faults
    faults.add(
        Fault("GET", "/v2/droplets", "503", times=2),
        Fault("GET", "/v2/droplets", "html", skip=2),
        Fault("DELETE", "/v2/droplets/*", "drop-before"),
        Fault("DELETE", "/v2/droplets/*", "500-after", skip=1),
    )
    began = time.monotonic()
    assert all_gone(life, 600)[-1] == MANAGER
    seconds = time.monotonic() - began
    assert faults.unused() == []
    life.write(jobs=9, workers=1, reaper_token=REAPER)
    life.apply(**token)
    life.destroy(**token)
    tell(
        "`ttl` is over, Docker and with it the controller are stopped on every machine, the API answers every other time",
        f"all are gone after {seconds:.0f} s; `apply` rents anew and goes on",
    )


def test_a_token_that_was_taken_back_leads_to_machines_that_are_off(life: Life, tell: Tell) -> None:
    token = token_of(life)
    life.write(jobs=6, workers=1, reaper_token=REAPER)
    life.apply(**token)
    life.write(jobs=6, workers=1, reaper_token=REAPER, ttl="1m")
    life.apply(**token)
    del life.lab.imitation.account.tokens[token[REAPER]]
    fleet = life.lab.fleet(life.project.name)
    fleet.switched_off(fleet.workers[0], GOES_WITHIN)
    fleet.switched_off(fleet.manager, 900)
    assert "billed" in life.project.said("status", **token)
    life.destroy(**token)
    tell(
        "`ttl` is over, the token was taken back",
        "both switch themselves off; `status` says that they are billed",
    )


def _spent(life: Life, token: dict[str, Any]) -> Decimal:
    """What the machines have cost, as `status` says it."""
    return Decimal(str(json.loads(life.project.run("status", "--json", **token))["rental"]["spent"]))


def _billed(life: Life) -> Decimal:
    """What those that are gone have cost, by what the account knows: to the second, and a cent at least."""
    account = life.lab.imitation.account
    ends = dict(given_back(life))
    each = (
        Decimal(str(one.size.hourly * (ends[one.name] - one.created) / 3600))
        for one in account.droplets.values()
    )
    return sum((max(Decimal("0.01"), one) for one in each), Decimal(0))


def _left_alone(life: Life, token: dict[str, Any], **cluster: object) -> None:
    """Jobs go on, and nobody fetches what they come to."""
    life.write(jobs=30, pause=0.5, workers=1, reaper_token=REAPER, **cluster)
    struck = strike(life.lab, life.project, Counted(done=4), "apply", "--yes", "--json", **token)
    assert struck.code == -signal.SIGKILL
