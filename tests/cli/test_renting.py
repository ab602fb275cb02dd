"""plan, apply, retry, status and watch of a study on rented machines: shown, priced, agreed to, or not rented.

What stands is said by the test in the place of run/rental.py; the machines themselves are the lab's business.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from decimal import Decimal
from types import ModuleType, SimpleNamespace
from typing import Any

import jsonschema
import pytest

from cloudburst import assets
from cloudburst.cli import computing, renting, watching
from cloudburst.cli.views.grid import cells
from cloudburst.cli.views.paint import PLAIN
from cloudburst.cli.views.rental import clock
from cloudburst.cli.views.screen import Screen
from cloudburst.cli.views.watch import lines as watch_lines
from cloudburst.cli.views.watch import window
from cloudburst.cli.watching import Bill, Sight
from cloudburst.compile.fleet import Machine, Wanted, machine_name
from cloudburst.compile.money import Rental
from cloudburst.compile.rental import Rented, rented, standing_form
from cloudburst.compile.switch import SwitchState
from cloudburst.diagnostics import Problem
from cloudburst.errors import ProviderError, Unreachable
from cloudburst.run import clusters
from cloudburst.run.events import Summary
from cloudburst.run.stopping import letting_go
from cloudburst.spec.ensemble import Cluster

HOURLY = {"s-2vcpu-4gb": Decimal("0.036"), "s-4vcpu-8gb": Decimal("0.071")}
NOW = 1_800_000_000.0

CLUSTER = """\
cluster:
  provider: {digitalocean: {region: nyc3, manager: s-2vcpu-4gb, worker: s-4vcpu-8gb}}
  workers: 3
  ttl: 8h
  max_cost: 25 USD
  reaper_token: REAPER
"""


def machine(role: Any, number: int = 1, **changes: Any) -> Machine:
    size = "s-2vcpu-4gb" if role == "manager" else "s-4vcpu-8gb"
    name = machine_name("tanks", role, number)
    made = Machine(
        1000 + number, name, role, size, "nyc3", "ubuntu-24-04-x64", "active", HOURLY[size], NOW - 7200
    )
    return replace(made, id=999 if role == "manager" else made.id, **changes)


FLEET = (machine("manager"), *(machine("worker", n) for n in (1, 2, 3)))


@dataclass
class Account:
    """What the provider would answer. `slots` of the wanted fleet; `raises` instead of any answer,
    `silent` where the manager is asked."""

    standing: tuple[Machine, ...] = ()
    problems: tuple[Problem, ...] = ()
    slots: int = 12
    switch: SwitchState | None = None
    raises: Exception | None = None
    silent: Exception | None = None
    looked: int = 0

    def observe_rental(self, study: Any, *, offline: bool = False) -> Rented | None:
        self.looked += 1
        if self.raises:
            raise self.raises
        cluster = study.ensemble.cluster
        options = cluster.options
        wanted = Wanted(
            "tanks",
            options["region"],
            options["manager"],
            options["worker"],
            cluster.workers,
            options["image"],
            HOURLY,
        )
        rentals = [Rental(one.id, one.name, one.hourly, one.created, None) for one in self.standing]
        return rented(wanted, self.standing, rentals, NOW, slots=self.slots, problems=self.problems)

    def switch_state(self, study: Any) -> SwitchState | None:
        if self.silent:
            raise self.silent
        return self.switch


@dataclass
class Applied:
    """In the place of run/apply.py: what it was asked to do."""

    calls: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self, study: Any, **asked: Any) -> Summary:
        self.calls.append(asked)
        return Summary(
            rows=8,
            jobs=8,
            done=8,
            failed=0,
            recorded=0,
            failed_before=0,
            to_do=0,
            state="finished",
            reason="",
            seconds=1.0,
            tables=(),
        )


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Account:
    answers = Account()
    module = ModuleType("cloudburst.run.rental")
    module.observe_rental = answers.observe_rental  # type: ignore[attr-defined]
    module.switch_state = answers.switch_state  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "cloudburst.run.rental", module)
    monkeypatch.setattr(clusters, "connected", lambda _study: nullcontext())
    return answers


@pytest.fixture
def applied(monkeypatch: pytest.MonkeyPatch) -> Applied:
    calls = Applied()
    monkeypatch.setattr(computing, "apply", calls)
    return calls


@pytest.fixture
def rents(study: Any, account: Account) -> Any:
    study.write({"ensemble.yaml": study.read("ensemble.yaml") + CLUSTER})
    return study


@pytest.fixture
def rents_again(computed: Any, account: Account) -> Any:
    """Computed before, elsewhere: seven jobs done in a quarter of a second each, one failed."""
    computed.write({"ensemble.yaml": computed.read("ensemble.yaml") + CLUSTER})
    return computed


# ── plan ─────────────────────────────────────────────────────────────────────────────────────
GOLDEN = """\
          cb-tanks-  size         USD/h
+ create  manager    s-2vcpu-4gb  0.036  every study has a manager (line 16)
+ create  worker-1   s-4vcpu-8gb  0.071  3 workers are wanted (line 17)
+ create  worker-2   s-4vcpu-8gb  0.071  3 workers are wanted (line 17)
+ create  worker-3   s-4vcpu-8gb  0.071  3 workers are wanted (line 17)

0.249 USD an hour
expected: no job's duration is known yet, so by the ttl: 0.249 USD an hour × 8h
  + 2.60 USD kept for the manager to wait 3d = 4.59 USD; `cloudburst probe`
  tries a few rows, and then it is known
stops 8h after apply (ttl), at 25.00 USD (max_cost); at most 4.59 USD in all,
  2.60 USD of it for results to be fetched

+ lock    ensemble.lock      not locked yet (line 5)
+ upload  worker.zip         the worker's code, once it is locked (line 5)
+ run     rows[0:8]          8 jobs to do
~ write   results/tanks.csv  the table of results
"""


def test_plan_shows_machines_with_reasons_lines_and_prices_on_80_columns(rents: Any) -> None:
    ended = rents.run("plan")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.split("bytes\n\n")[1] == GOLDEN


def test_plan_json_fits_its_schema_and_says_the_same(rents: Any) -> None:
    plan = rents.run("plan", "--json").json
    jsonschema.validate(plan, json.loads(assets.schema("plan").read_text("utf-8")))
    rental = plan["cluster"]["rental"]
    assert (rental["hourly"], rental["hourly_after"], rental["spent"]) == (0, 0.249, 0)
    assert rental["estimate"]["likely"] is None
    assert rental["estimate"]["at_most"] == pytest.approx(0.249 * 8 + 0.036 * 72)
    created = [action for action in plan["actions"] if action["verb"] == "create"]
    assert [(one["mark"], one["address"], one["path"]) for one in created[:2]] == [
        ("+", "cb-tanks-manager", "cluster.provider.digitalocean.manager"),
        ("+", "cb-tanks-worker-1", "cluster.workers"),
    ]


def test_offline_asks_nobody_and_says_so(rents: Any, account: Account) -> None:
    ended = rents.run("plan", "--offline")
    assert ended.code == 0
    assert ended.out.split("bytes\n\n")[1] == BY_LIST
    assert account.looked == 0
    plan = rents.run("plan", "--offline", "--json").json
    jsonschema.validate(plan, json.loads(assets.schema("plan").read_text("utf-8")))
    assert plan["cluster"]["rental"] is None
    assert plan["cluster"]["listed"]["as_of"] == "2022-07"


def test_offline_a_size_without_a_listed_price_is_unknown(rents: Any) -> None:
    rents.write({"ensemble.yaml": rents.read("ensemble.yaml").replace("worker: s-4vcpu-8gb", "worker: c-4")})
    ended = rents.run("plan", "--offline")
    assert ended.code == 0
    assert "3  worker   c-4          unknown" in ended.out
    assert "c-4: not in the table, so nothing is said of the cost" in ended.out
    listed = rents.run("plan", "--offline", "--json").json["cluster"]["listed"]
    assert (listed["hourly"], listed["slots"], listed["estimate"]) == (None, None, None)


def test_by_list_prices_nothing_is_refused_but_warned_of(rents_again: Any) -> None:
    text = rents_again.read("ensemble.yaml").replace("inflow: [1, 2, 3]", "inflow: [1, 2, 3, 4]")
    rents_again.write({"ensemble.yaml": text.replace("25 USD", "2 USD")})
    ended = rents_again.run("plan", "--offline")
    assert ended.code == 0
    said = " ".join(ended.err.split())
    assert "warning[over-max-cost]: max_cost is 2.00 USD, and this is likely to need 2.62 USD" in said
    assert "max_cost: 2 USD" in ended.err


BY_LIST = """\
machines: nobody looked which stand; prices as of 2022-07, by the table in this
  version
              size         USD/h each
  1  manager  s-2vcpu-4gb       0.036
  3  worker   s-4vcpu-8gb       0.071
0.250 USD an hour together
expected: no job's duration is known yet, so by the ttl: 0.250 USD an hour × 8h
  + 2.58 USD kept for the manager to wait 3d = 4.58 USD; `cloudburst probe`
  tries a few rows, and then it is known
stops 8h after apply (ttl), at 25.00 USD (max_cost); at most 4.58 USD in all,
  2.58 USD of it for results to be fetched

+ lock    ensemble.lock      not locked yet (line 5)
+ upload  worker.zip         the worker's code, once it is locked (line 5)
+ run     rows[0:8]          8 jobs to do
~ write   results/tanks.csv  the table of results
"""


def test_offline_loads_nothing_that_could_ask(rents: Any) -> None:
    script = (
        "import sys; from cloudburst.cli import main\n"
        "code = main(['plan', '--offline'])\n"
        "print(code, sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], cwd=rents.directory, capture_output=True, text=True, check=True
    )
    assert ended.stderr.startswith("0 ")
    for vendor in ("digitalocean", "requests", "docker", "redis", "rq"):
        assert f"'{vendor}'" not in ended.stderr


def test_with_local_nothing_is_rented(rents: Any, account: Account) -> None:
    assert "create" not in rents.run("plan", "--local").out
    assert account.looked == 0


def test_machines_alone_are_something_to_do(rents_again: Any, account: Account) -> None:
    account.standing = FLEET
    assert rents_again.run("plan", "--detailed-exitcode").code == 0
    account.standing = FLEET[:3]
    assert rents_again.run("plan", "--detailed-exitcode").code == 3


def test_nothing_is_rented_for_nothing(rents_again: Any) -> None:
    ended = rents_again.run("plan", "--detailed-exitcode")
    assert ended.code == 0
    assert "create" not in ended.out
    assert "Nothing to do." in ended.out


def test_once_durations_are_known_the_cost_is_a_range(rents_again: Any, account: Account) -> None:
    text = rents_again.read("ensemble.yaml").replace("inflow: [1, 2, 3]", "inflow: [1, 2, 3, 4]")
    rents_again.write({"ensemble.yaml": text.replace("  ttl: 8h", "  ttl: 8h\n  idle_stop: 20m")})
    account.standing = FLEET
    plan = rents_again.run("plan", "--json").json
    estimate = plan["cluster"]["rental"]["estimate"]
    assert estimate["seconds"] == pytest.approx(0.5), (
        "as long as the longest took, for there are slots for all three"
    )
    assert 0.498 <= estimate["low"] <= estimate["likely"] <= estimate["high"] < 0.51
    assert estimate["likely"] < estimate["forgotten"] < estimate["at_most"]
    said = " ".join(rents_again.run("plan").out.split())
    assert "3 jobs, 3 at a time, of which the longest takes 0.5s × 0.249 USD an hour" in said
    assert "by 8 jobs that ended, ranges hold 90% of the time" in said
    assert plan["effort"]["slots"] == 12
    assert [one["workers"] for one in plan["effort"]["workers"]] == [1, 2, 3, 6]
    assert "more or fewer workers would not be cheaper" not in said, "one would do"
    assert "fewer would be cheaper: 1 worker 0.02 USD" in said


def test_without_a_token_that_gives_back_it_is_said_loudly(rents: Any) -> None:
    rents.write({"ensemble.yaml": rents.read("ensemble.yaml").replace("  reaper_token: REAPER\n", "")})
    said = " ".join(rents.run("plan").out.split())
    assert "stops 8h after apply (ttl), at 25.00 USD (max_cost): by switching off, which ends no bill" in said
    assert "warning: without cluster.reaper_token machines that stop are switched off" in said
    assert "at most" not in said


def test_without_any_limit_nothing_stops_it(rents: Any) -> None:
    text = rents.read("ensemble.yaml").replace("ttl: 8h", "ttl: never").replace("  max_cost: 25 USD\n", "")
    rents.write({"ensemble.yaml": text})
    said = " ".join(rents.run("plan").out.split())
    assert "there is no ttl: 0.249 USD an hour until destroyed" in said
    assert "nothing stops it but `cloudburst destroy`" in said


def test_plan_refuses_what_is_sure_to_exceed_max_cost_with_its_line(rents: Any) -> None:
    rents.write({"ensemble.yaml": rents.read("ensemble.yaml").replace("25 USD", "2 USD")})
    ended = rents.run("plan")
    assert ended.code == 2
    assert "create" in ended.out
    assert "error[over-max-cost]: max_cost is 2.00 USD" in ended.err
    assert "max_cost: 2 USD" in ended.err
    assert rents.run("plan", "--json").error["diagnostics"][0]["path"] == "cluster.max_cost"


def test_what_the_account_cannot_give_is_a_mistake_in_the_file(rents: Any, account: Account) -> None:
    path = ("cluster", "provider", "digitalocean", "worker")
    account.problems = (Problem("unknown-value", path, "there is no size s-4vcpu-8gb", "did you mean …?"),)
    ended = rents.run("plan")
    assert ended.code == 2
    assert "error[unknown-value]: there is no size" in ended.err
    account.problems = (replace(account.problems[0], severity="warning"),)
    ended = rents.run("plan")
    assert ended.code == 0
    assert "warning[unknown-value]" in ended.err


def test_another_region_is_a_conflict_in_the_file(rents: Any, account: Account) -> None:
    account.standing = tuple(replace(one, region="ams3") for one in FLEET)
    ended = rents.run("plan")
    assert ended.code == 2
    assert "error[fleet-conflict]: the study's machines stand in ams3" in ended.err


def test_without_a_way_to_the_account_the_plan_names_offline(rents: Any, account: Account) -> None:
    account.raises = Unreachable("api.digitalocean.com does not answer")
    ended = rents.run("plan")
    assert ended.code == 1
    assert "--offline" in ended.err


# ── apply and retry ──────────────────────────────────────────────────────────────────────────
def test_apply_asks_before_anything_is_billed(rents: Any, applied: Applied, answer: Any) -> None:
    answer("y")
    ended = rents.on_a_terminal("apply")
    assert ended.code == 0
    assert "Rent 4 machines, 0.249 USD an hour together, at most 4.59 USD in all? [y/N]" in ended.err
    assert "stops 8h after apply (ttl)" in ended.err
    assert len(applied.calls) == 1
    assert "its machines stand, and are billed until `cloudburst destroy` or their ttl (8h)" in ended.out


@pytest.mark.parametrize("said", ["n", "", "yes please not"])
def test_declined_nothing_is_rented(rents: Any, applied: Applied, answer: Any, said: str) -> None:
    answer(said)
    ended = rents.on_a_terminal("apply")
    assert ended.code == 1
    assert "nothing was rented" in ended.err
    assert applied.calls == []


def test_nobody_to_ask_and_no_yes(rents: Any, applied: Applied) -> None:
    for command in (("apply",), ("apply", "--json"), ("retry",)):
        ended = rents.run(*command)
        assert ended.code == 2
        assert "--yes" in ended.err
    assert applied.calls == []


def test_yes_shows_the_price_and_goes_on(rents: Any, applied: Applied) -> None:
    ended = rents.run("apply", "--yes")
    assert ended.code == 0
    assert "0.249 USD an hour" in ended.err
    lines = rents.run("apply", "-y", "--json").lines
    assert lines[0]["event"] == "rental"
    assert lines[0]["rental"]["hourly_after"] == 0.249
    assert [action["verb"] for action in lines[0]["actions"]] == ["create"] * 4
    assert len(applied.calls) == 2


def test_machines_that_stand_are_not_asked_for_again(rents: Any, account: Account, applied: Applied) -> None:
    account.standing = FLEET
    assert rents.run("apply").code == 0
    account.standing = (*FLEET, machine("worker", 4))
    assert rents.run("apply").code == 0
    account.standing = tuple(replace(one, status="off") for one in FLEET)
    assert rents.run("apply").code == 0
    assert len(applied.calls) == 3


def test_more_machines_are_asked_for(rents: Any, account: Account, applied: Applied) -> None:
    account.standing = FLEET[:2]
    ended = rents.run("apply")
    assert (ended.code, applied.calls) == (2, [])
    assert "0.249 USD an hour (0.107 USD an hour now)" in ended.err


def test_with_nothing_to_do_nobody_is_asked(rents_again: Any, applied: Applied) -> None:
    ended = rents_again.run("apply")
    assert len(applied.calls) == 1
    assert "USD" not in ended.err


def test_retry_counts_the_failed_jobs(rents_again: Any, applied: Applied) -> None:
    ended = rents_again.run("retry")
    assert (ended.code, applied.calls) == (2, [])
    assert "1 job × 0.281s" in ended.err.replace("\n  ", " ")
    assert rents_again.run("retry", "--yes", "row:5").code in (0, 4)
    assert len(applied.calls[0]["retry"]) == 1


def test_apply_refuses_over_max_cost_even_with_yes(rents: Any, applied: Applied) -> None:
    rents.write({"ensemble.yaml": rents.read("ensemble.yaml").replace("25 USD", "2 USD")})
    ended = rents.run("apply", "--yes")
    assert (ended.code, applied.calls) == (2, [])
    assert "over-max-cost" in ended.err


def test_what_is_over_its_limit_can_still_be_taken_home(
    rents_again: Any, account: Account, applied: Applied
) -> None:
    rents_again.write({"ensemble.yaml": rents_again.read("ensemble.yaml").replace("25 USD", "1 USD")})
    account.standing = FLEET
    rents_again.run("apply")
    assert len(applied.calls) == 1


def test_with_nothing_to_do_an_account_that_is_away_is_left_to_apply(
    rents_again: Any, account: Account, applied: Applied
) -> None:
    account.raises = Unreachable("api.digitalocean.com does not answer")
    rents_again.run("apply")
    assert len(applied.calls) == 1
    ended = rents_again.run("retry", "--yes")
    assert ended.code == 1
    assert len(applied.calls) == 1


def test_before_it_refuses_what_stands_is_asked_what_it_computed(
    rents_again: Any, account: Account, applied: Applied, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of the ledger is still at the machines."""
    text = rents_again.read("ensemble.yaml").replace("25 USD", "3 USD")
    rents_again.write({"ensemble.yaml": text.replace("inflow: [1, 2, 3]", "inflow: [1, 2, 3, 4]")})
    account.standing = FLEET
    brought: list[str] = []

    @contextmanager
    def home(study: Any, _screen: Any) -> Iterator[None]:
        brought.append(study.ensemble.name)
        yield

    monkeypatch.setattr(renting, "brought_home", home)
    ended = rents_again.run("apply")
    assert (ended.code, brought, applied.calls) == (2, ["tanks"], [])
    assert "over-max-cost" in ended.err


# ── Ctrl-C ───────────────────────────────────────────────────────────────────────────────────
def test_letting_go_of_rented_machines_says_that_they_are_billed() -> None:
    rented_cluster = Cluster("digitalocean", ttl=28800.0, reaper_token="REAPER", idle_stop=1200.0)
    assert letting_go(rented_cluster) == (
        "letting go of the machines: they go on, and are billed until `cloudburst destroy`"
        " or their ttl (8h) or 20m without a job."
    )
    assert letting_go(replace(rented_cluster, reaper_token=None)).endswith("until `cloudburst destroy`.")
    assert letting_go(Cluster("swarm")) == "letting go of the swarm."
    assert "no new job is started" in letting_go(Cluster())


# ── status ───────────────────────────────────────────────────────────────────────────────────
ARMED = SwitchState("armed", NOW - 7200, "", Decimal("0.5"), NOW + 21600, "ttl", "", NOW)


def test_status_says_what_it_cost_and_when_it_stops(rents: Any, account: Account) -> None:
    account.standing, account.switch = FLEET, ARMED
    ended = rents.run("status")
    assert ended.code == 0
    lines = ended.out.splitlines()
    assert any(line.split()[:4] == ["manager", "active", "s-2vcpu-4gb", "0.036"] for line in lines)
    assert "0.50 of 25.00 USD spent, 0.249 USD an hour; stops at " in ended.out
    assert "(ttl 8h)" in ended.out.replace("\n  ", " ")
    assert all(cells(line) <= 80 for line in lines)
    rental = rents.run("status", "--json").json["rental"]
    assert rental["switch"]["stops_at"] == NOW + 21600
    assert rental["spent"] == pytest.approx(0.498)


def test_machines_that_are_off_and_billed_are_said_loudly(rents: Any, account: Account) -> None:
    account.standing = tuple(replace(one, status="off") for one in FLEET)
    said = " ".join(rents.run("status").out.split())
    assert "warning: 4 machines are SWITCHED OFF AND BILLED all the same, 0.249 USD an hour" in said
    assert "cannot be said: its manager does not answer" in said


def test_a_switch_that_acts_or_cannot_says_so(rents: Any, account: Account) -> None:
    account.standing = FLEET[:1]
    account.switch = replace(
        ARMED, stage="keeping results", reason="the ttl is over", trouble="401 from the API"
    )
    said = " ".join(rents.run("status").out.split())
    assert "keeping results since" in said
    assert "the ttl is over" in said
    assert "warning: the switch: 401 from the API" in said


def test_a_manager_that_does_not_answer_hides_no_money(rents: Any, account: Account) -> None:
    account.standing, account.silent = FLEET, Unreachable("ssh: connection timed out")
    said = " ".join(rents.run("status").out.split())
    assert "0.50 of 25.00 USD spent, 0.249 USD an hour; when it stops by itself cannot be said" in said


def test_after_everything_is_given_back(rents: Any) -> None:
    assert "0.00 of 25.00 USD spent; no machine stands, nothing is billed" in rents.run("status").out


def test_an_account_that_does_not_answer_is_no_error(rents: Any, account: Account) -> None:
    account.raises = ProviderError("DigitalOcean does not take the token")
    ended = rents.run("status")
    assert ended.code == 0
    assert "cannot be said: DigitalOcean does not take the token" in " ".join(ended.out.split())
    assert rents.run("status", "--json").json["rental"]["away"] == "DigitalOcean does not take the token"


def test_a_study_that_rents_nothing_has_no_rental(study: Any) -> None:
    assert study.run("status", "--json").json["rental"] is None


# ── watch ────────────────────────────────────────────────────────────────────────────────────
def bill(account: Account, **changes: Any) -> dict[str, Any]:
    cluster = Cluster(
        "digitalocean",
        {"region": "nyc3", "manager": "s-2vcpu-4gb", "worker": "s-4vcpu-8gb", "image": "ubuntu-24-04-x64"},
        workers=3,
        ttl=28800.0,
        max_cost=Decimal(25),
        reaper_token="REAPER",
    )
    study = SimpleNamespace(ensemble=SimpleNamespace(cluster=cluster))
    seen = account.observe_rental(study)
    assert seen is not None
    return standing_form(seen, cluster, account.switch, NOW) | changes


def sight(rental: Any) -> Sight:
    return Sight("tanks", "root@198.51.100.7", STATUS, rental=rental)


STATUS = {
    "state": "running",
    "reason": "",
    "done": 10,
    "failed": 0,
    "to_do": 90,
    "rate": 2.0,
    "seconds_left": 45.0,
    "seconds": 5.0,
    "queued": 4,
    "slots": {"busy": 4, "total": 4},
    "nodes": [],
    "problems": [],
    "sinks": [],
}


def test_watch_has_the_money_in_a_line(account: Account) -> None:
    account.standing, account.switch = FLEET, ARMED
    shown = watch_lines(sight(bill(account)), file="", width=80, height=24, paint=PLAIN)
    [line] = [line for line in shown if "USD" in line]
    assert line.startswith("0.50 of 25.00 USD spent, 0.249 USD an hour; stops at ")
    assert all(cells(line) <= 80 for line in shown)


def test_watch_warns_of_machines_that_are_off_and_of_an_account_that_does_not_answer(
    account: Account,
) -> None:
    account.standing = (replace(FLEET[0], status="off"),)
    shown = " ".join(watch_lines(sight(bill(account)), file="", width=80, height=30, paint=PLAIN))
    assert "1 machine is SWITCHED OFF AND BILLED" in shown
    shown = " ".join(
        watch_lines(sight(bill(account, away="no answer")), file="", width=80, height=30, paint=PLAIN)
    )
    assert "cannot be said: no answer" in shown
    assert "spent" not in shown


@pytest.mark.parametrize("as_json", [False, True])
def test_in_lines_the_bill_is_told_once_a_look(account: Account, as_json: bool) -> None:
    account.standing, account.switch = FLEET, ARMED
    out, err = io.StringIO(), io.StringIO()
    seen = bill(account)
    with window(Screen(out, err, as_json=as_json), "") as shown:
        shown.show(sight(None))
        shown.show(sight(seen))
        shown.show(sight(seen))
    if as_json:
        events = [json.loads(line) for line in out.getvalue().splitlines()]
        assert [event["rental"]["spent"] for event in events if event["event"] == "rental"] == [0.498]
    else:
        assert err.getvalue().count("0.50 of 25.00 USD spent") == 1


def test_the_bill_is_looked_at_beside_the_display_and_not_at_every_look(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = threading.Event()

    def look(_study: Any) -> dict[str, Any]:
        account.looked += 1
        looked.set()
        return {"spent": 1}

    monkeypatch.setattr(watching, "rental_standing", look)
    rents = SimpleNamespace(ensemble=SimpleNamespace(cluster=Cluster("digitalocean")))
    seen = Bill(rents)  # type: ignore[arg-type]
    seen.latest()
    assert looked.wait(10)
    for _ in range(3):
        seen.latest()
    assert account.looked == 1
    nothing = Bill(SimpleNamespace(ensemble=SimpleNamespace(cluster=Cluster())))  # type: ignore[arg-type]
    assert nothing.latest() is None
    assert account.looked == 1


def test_moments_are_told_with_the_date_when_it_is_not_today() -> None:
    assert len(clock(NOW + 60, NOW)) in (5, 16)
    assert clock(NOW, NOW).count(":") == 1
    assert clock(NOW + 3 * 86400, NOW).count("-") == 2
