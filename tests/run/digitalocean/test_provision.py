"""Machines rented, entered and given back: against the imitation, with played machines behind its words."""

from __future__ import annotations

import contextlib
import json
import shutil
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from cloudburst.compile.first_boot import READY_PATH
from cloudburst.compile.money import Rental
from cloudburst.compile.switch import CONFIG_PATH, TOKEN_PATH
from cloudburst.errors import ProviderError, SpecError
from cloudburst.run.digitalocean import approach as approaching
from cloudburst.run.digitalocean.account import open_account
from cloudburst.run.digitalocean.approach import KEY_IS_OWN, Approach, Patience
from cloudburst.run.digitalocean.caller import VARIABLE
from cloudburst.run.digitalocean.errors import ApiRefused
from cloudburst.run.digitalocean.judge import judge
from cloudburst.run.digitalocean.keys import make_key, shown_fingerprint
from cloudburst.run.digitalocean.machines import Fleet
from cloudburst.run.digitalocean.provision import Provision
from cloudburst.run.digitalocean.rentals import keep_rentals, read_rentals
from cloudburst.run.events import Event, StopSignal
from cloudburst.run.observe import Study, read_study
from tests.lab.imitation import Imitation
from tests.lab.imitation.faults import Fault
from tests.lab.imitation.manners import HARSH

from .played import PlayedMachines

SPEC: dict[str, Any] = {
    "cloudburst": 1,
    "name": "waves",
    "worker": {"directory": "worker", "entrypoint": "waves:work", "timeout": "10m"},
    "parameters": {"grid": {"n": [1, 2, 3]}},
    "cluster": {
        "provider": {"digitalocean": {"region": "nyc3", "worker": "s-2vcpu-2gb", "tags": ["team-water"]}},
        "workers": 2,
        "reaper_token": "REAPER",
        "ssh_keys": [],
    },
}
HURRY = Patience(active=3.0, answer=1.5, ready=1.5, gone=5.0, action=10.0, settle=1.0, look_every=0.01)
"""Seconds; enough for machines that are only played."""


@dataclass
class PlayedSwarm:
    """What formation.py would be told, in order."""

    told: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)

    def form(self) -> None:
        self.told.append(("form", ()))

    def drain(self, names: Sequence[str]) -> None:
        self.told.append(("drain", tuple(names)))

    def forget(self, names: Sequence[str]) -> None:
        self.told.append(("forget", tuple(names)))


@dataclass
class Client:
    """A machine that computes the study: its directory, and what it was told."""

    place: Path
    imitation: Imitation
    machines: PlayedMachines
    swarm: PlayedSwarm = field(default_factory=PlayedSwarm)
    events: list[Event] = field(default_factory=list)

    def study(self, **cluster: Any) -> Study:
        spec = {**SPEC, "cluster": {**SPEC["cluster"], **cluster}}
        (self.place / "worker").mkdir(parents=True, exist_ok=True)
        (self.place / "worker" / "waves.py").write_text("def work(n):\n    return n\n")
        (self.place / "ensemble.yaml").write_text(json.dumps(spec))
        return read_study(self.place / "ensemble.yaml")

    def converge(self, patience: Patience = HURRY, **cluster: Any) -> Fleet:
        study = self.study(**cluster)
        with open_account() as account:
            judged = judge(study.ensemble, account)
            assert judged.wanted is not None, judged.problems
            provision = Provision(
                study,
                account,
                lambda _fleet, _approach: self.swarm,
                self.events.append,
                StopSignal(),
                patience=patience,
                open_link=self.machines.open_link,
            )
            return provision.converge(judged.wanted)

    def said(self) -> str:
        return "\n".join(str(event.to_json()) for event in self.events)


@pytest.fixture
def machines(imitation: Imitation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PlayedMachines:
    found = PlayedMachines(imitation, tmp_path / "machines")
    monkeypatch.setattr(approaching, "shown_by", found.shown_by)
    monkeypatch.setenv("REAPER", "dop_v1_reaper")
    monkeypatch.setenv(VARIABLE, "198.51.100.7")
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    return found


@pytest.fixture
def client(imitation: Imitation, machines: PlayedMachines, tmp_path: Path) -> Client:
    return Client(tmp_path / "here", imitation, machines)


def posted(imitation: Imitation) -> int:
    """Requests that asked for droplets."""
    return sum(one.method == "POST" and one.path == "/v2/droplets" for one in imitation.exchanges)


def ids(imitation: Imitation) -> dict[str, int]:
    return {one.name: one.id for one in imitation.account.standing()}


# ── from nothing ─────────────────────────────────────────────────────────────────────────────
def test_from_nothing_to_a_fleet_that_knows_what_it_needs(
    client: Client, imitation: Imitation, machines: PlayedMachines
) -> None:
    fleet = client.converge()
    assert fleet.manager.name == "cb-waves-manager"
    assert [one.name for one in fleet.workers] == ["cb-waves-worker-1", "cb-waves-worker-2"]
    assert client.swarm.told == [("form", ())]
    for one in fleet.all:
        told = json.loads(machines[one.name].file(CONFIG_PATH).read_text())
        assert (told["own"], told["role"]) == (one.id, one.role)
        assert stat.S_IMODE(machines[one.name].file(CONFIG_PATH).stat().st_mode) == 0o600
    manager, worker = (machines[name] for name in ("cb-waves-manager", "cb-waves-worker-1"))
    assert manager.file(TOKEN_PATH).read_text() == "dop_v1_reaper"
    assert stat.S_IMODE(manager.file(TOKEN_PATH).stat().st_mode) == 0o600
    assert not worker.file(TOKEN_PATH).exists()
    assert len(json.loads(manager.file(CONFIG_PATH).read_text())["rentals"]) == 3
    assert json.loads(worker.file(CONFIG_PATH).read_text())["manager"] == f"{fleet.manager.private}:2377"


def test_the_firewall_stands_before_the_first_machine(client: Client, imitation: Imitation) -> None:
    client.converge()
    made = [one.path for one in imitation.exchanges if one.method == "POST"]
    assert made.index("/v2/firewalls") < made.index("/v2/droplets")
    (firewall,) = imitation.account.firewalls.values()
    assert firewall.tags == ["cloudburst:waves"]
    walls = {rule.low: rule for rule in next(iter(imitation.backend.walls.values())).inbound}  # type: ignore[attr-defined]
    assert walls[22].networks == ("198.51.100.7/32",)
    assert set(walls) == {22, 2377, 4789, 7946}
    assert all(not walls[port].networks for port in (2377, 4789, 7946))


def test_everything_carries_its_name_and_tags(client: Client, imitation: Imitation) -> None:
    client.converge()
    account = imitation.account
    assert {key.name for key in account.keys.values()} == {"cb-waves"}
    assert "cb-waves-nyc3" in {vpc.name for vpc in account.vpcs.values()}
    for one in account.standing():
        role = "manager" if one.name.endswith("manager") else "worker"
        assert {"cloudburst", "cloudburst:waves", f"cloudburst:waves:{role}", "team-water"} <= set(one.tags)


def test_what_is_spent_is_counted_at_the_moment_of_renting_whatever_a_plan_saw(
    client: Client, imitation: Imitation
) -> None:
    study = client.study(max_cost="1 USD", keep_results="1m")
    study.places.root.mkdir(parents=True)
    keep_rentals(study.places, [Rental(7, "cb-waves-manager", Decimal("0.98"), 1_000_000.0, 1_003_600.0)])
    with pytest.raises(SpecError) as caught:
        client.converge(max_cost="1 USD", keep_results="1m")
    assert [one.code for one in caught.value.diagnostics] == ["over-max-cost"]
    assert imitation.account.left() == []
    client.converge(max_cost="1.02 USD", keep_results="1m")


def test_planted_host_keys_are_replaced_and_their_tags_go(
    client: Client, imitation: Imitation, machines: PlayedMachines
) -> None:
    client.converge()
    shown = set()
    for one in imitation.account.standing():
        key = machines[one.name].shown
        assert str(key) not in one.user_data
        assert [tag for tag in one.tags if tag.startswith("cb-host:")] == [f"cb-host:{key.sha256}"]
        shown.add(f"cb-host:{key.sha256}")
    assert {tag for tag in imitation.account.tags if tag.startswith("cb-host:")} == shown


def test_a_first_boot_that_a_snapshot_has_behind_it_is_not_this_machines(
    client: Client, machines: PlayedMachines
) -> None:
    machines.image[READY_PATH] = "1770000000"
    machines.stages["cb-waves-worker-1"] = "under way"
    with pytest.raises(ProviderError, match=r"cb-waves-worker-1 \(id \d+\) is not ready after"):
        client.converge()


@pytest.mark.parametrize(
    "left", ["", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFzOWbqTXzWq7JcUuzz0cKTi1LrKtcsDHLk8kI9sVqZe"]
)
def test_a_machine_made_of_a_snapshot_of_ours_gets_a_key_of_its_own_all_the_same(
    client: Client, imitation: Imitation, machines: PlayedMachines, left: str
) -> None:
    machines.image[KEY_IS_OWN] = left
    client.converge()
    for one in imitation.account.standing():
        assert str(machines[one.name].shown) not in one.user_data
    keys = [machines[one.name].shown for one in imitation.account.standing()]
    client.converge()
    assert [machines[one.name].shown for one in imitation.account.standing()] == keys, "replaced once"


def test_applied_again_nothing_is_asked_for_and_the_switch_is_set_anew(
    client: Client, imitation: Imitation, machines: PlayedMachines
) -> None:
    client.converge()
    config = machines["cb-waves-manager"].file(CONFIG_PATH)
    before, asked, first = ids(imitation), posted(imitation), json.loads(config.read_text())
    client.converge()
    assert (ids(imitation), posted(imitation)) == (before, asked)
    assert json.loads(config.read_text())["armed"] > first["armed"]


def test_more_than_ten_machines_are_asked_for_in_tens(client: Client, imitation: Imitation) -> None:
    client.converge(workers=12)
    assert len(imitation.account.standing()) == 13
    assert posted(imitation) == 3


@pytest.mark.slow
def test_on_a_bad_day_it_only_takes_longer(client: Client, imitation: Imitation) -> None:
    imitation.account.manners = HARSH
    client.converge(replace(HURRY, active=30.0, gone=30.0))
    client.converge(replace(HURRY, active=30.0, gone=30.0), workers=1)
    assert set(ids(imitation)) == {"cb-waves-manager", "cb-waves-worker-1"}


# ── scaled ───────────────────────────────────────────────────────────────────────────────────
def test_leaving_workers_are_drained_before_they_are_given_back(client: Client, imitation: Imitation) -> None:
    client.converge(workers=3)
    client.swarm.told.clear()
    client.converge(workers=1)
    leaving = ("cb-waves-worker-3", "cb-waves-worker-2")
    assert client.swarm.told == [("drain", leaving), ("forget", leaving), ("form", ())]
    assert set(ids(imitation)) == {"cb-waves-manager", "cb-waves-worker-1"}


def test_another_size_replaces_workers_and_resizes_the_manager_in_its_place(
    client: Client, imitation: Imitation
) -> None:
    client.converge()
    before = ids(imitation)
    options = {"region": "nyc3", "manager": "s-4vcpu-8gb", "worker": "s-2vcpu-4gb"}
    client.converge(provider={"digitalocean": options})
    after = ids(imitation)
    assert after["cb-waves-manager"] == before["cb-waves-manager"]
    assert imitation.account.droplet("cb-waves-manager").size.slug == "s-4vcpu-8gb"
    assert after.keys() == before.keys()
    assert not set(after.values()) - {before["cb-waves-manager"]} & set(before.values())


def test_what_is_off_is_switched_on(client: Client, imitation: Imitation) -> None:
    client.converge()
    number = ids(imitation)["cb-waves-worker-1"]
    imitation.backend.power(number, "off")
    client.converge()
    assert imitation.backend.is_on(number)


# ── broken off ───────────────────────────────────────────────────────────────────────────────
class Killed(BaseException):
    """The process is gone: nothing is caught, nothing is cleaned up."""


@pytest.mark.slow
@pytest.mark.parametrize("step", range(0, 60, 5))
def test_killed_at_any_request_the_next_run_goes_on_and_rents_nothing_twice(
    step: int, client: Client, imitation: Imitation, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cloudburst.run.digitalocean.transport import Transport

    real, done = Transport._exchange, 0

    def counted(self: Transport, *args: Any, **kwargs: Any) -> Any:
        nonlocal done
        done += 1
        if done > step:
            raise Killed
        return real(self, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(Transport, "_exchange", counted)
        with contextlib.suppress(Killed):
            client.converge()
    client.converge()
    assert set(ids(imitation)) == {"cb-waves-manager", "cb-waves-worker-1", "cb-waves-worker-2"}
    assert len(imitation.account.standing()) == 3
    assert len(imitation.account.firewalls) == 1
    assert len(imitation.account.keys) == 1


def test_a_lost_answer_to_the_request_for_machines_makes_no_twins(
    client: Client, imitation: Imitation
) -> None:
    imitation.faults.add(Fault("POST", "/v2/droplets", "drop-after", times=2))
    client.converge()
    assert sorted(one.name for one in imitation.account.standing()) == [
        "cb-waves-manager",
        "cb-waves-worker-1",
        "cb-waves-worker-2",
    ]


# ── another machine ──────────────────────────────────────────────────────────────────────────
def test_another_machine_with_a_key_of_its_own_is_refused_and_with_the_users_let_in(
    client: Client, imitation: Imitation, machines: PlayedMachines, tmp_path: Path
) -> None:
    client.converge()
    other = Client(tmp_path / "there", imitation, machines)
    with pytest.raises(ProviderError) as caught:
        other.converge()
    assert "does not let us in" in caught.value.message
    keys = tmp_path / "there/.cloudburst/waves/secrets/machines"
    mine = (keys / "key.pub").read_text()
    for one in imitation.account.standing():
        with machines[one.name].file("/root/.ssh/authorized_keys").open("a") as file:
            file.write(mine)
    other.converge()
    assert len(imitation.account.standing()) == 3


# ── strangers ────────────────────────────────────────────────────────────────────────────────
def test_another_host_key_is_refused_with_both_fingerprints(
    client: Client, imitation: Imitation, machines: PlayedMachines, tmp_path: Path
) -> None:
    client.converge()
    stranger = make_key(tmp_path / "stranger")
    machines["cb-waves-manager"].show(stranger)
    opened = machines["cb-waves-manager"].opened
    with pytest.raises(ProviderError) as caught:
        client.converge()
    (own,) = (tag for tag in imitation.account.droplet("cb-waves-manager").tags if tag.startswith("cb-host"))
    assert stranger.shown in caught.value.message
    assert "cb-waves-manager (id " in caught.value.message
    assert shown_fingerprint(own.removeprefix("cb-host:")) in caught.value.message
    assert "console" in caught.value.hint
    assert machines["cb-waves-manager"].opened == opened


# ── troubles ─────────────────────────────────────────────────────────────────────────────────
def test_a_size_that_is_sold_out_in_the_middle_says_what_stands_and_apply_repairs(
    client: Client, imitation: Imitation
) -> None:
    imitation.account.full.add(("nyc3", "s-2vcpu-2gb"))
    with pytest.raises(ApiRefused) as caught:
        client.converge()
    assert "cb-waves-manager (id " in caught.value.hint
    assert "USD an hour" in caught.value.hint
    assert "cloudburst destroy" in caught.value.hint
    assert set(ids(imitation)) == {"cb-waves-manager"}
    imitation.account.full.clear()
    client.converge()
    assert len(imitation.account.standing()) == 3


def test_a_droplet_that_never_boots_is_named_and_replaced_by_the_next_apply(
    client: Client, imitation: Imitation
) -> None:
    imitation.account.spoil("cb-waves-worker-2", "stuck")
    with pytest.raises(ProviderError) as caught:
        client.converge(replace(HURRY, active=0.5))
    before = ids(imitation)
    assert f"cb-waves-worker-2 (id {before['cb-waves-worker-2']}) is new" in caught.value.message
    assert "cb-waves-manager (id" not in caught.value.message
    assert f"droplets/{before['cb-waves-worker-2']}/console" in caught.value.message
    client.converge()
    after = ids(imitation)
    assert after["cb-waves-worker-2"] != before["cb-waves-worker-2"]
    assert after["cb-waves-worker-1"] == before["cb-waves-worker-1"]


def test_a_droplet_without_network_is_said_to_have_no_address(client: Client, imitation: Imitation) -> None:
    imitation.account.spoil("cb-waves-worker-1", "no network")
    with pytest.raises(ProviderError, match=r"cb-waves-worker-1 \(id \d+\) has no address"):
        client.converge(replace(HURRY, active=0.5))


def test_a_first_boot_that_fails_is_told_in_its_own_words(
    client: Client, imitation: Imitation, machines: PlayedMachines
) -> None:
    machines.stages["cb-waves-worker-1"] = "failed"
    with pytest.raises(ProviderError) as caught:
        client.converge()
    assert "cb-waves-worker-1" in caught.value.message
    assert "docker was not installed" in caught.value.message
    machines.stages.clear()
    client.converge()
    assert len(imitation.account.standing()) == 3


def test_one_silent_machine_is_replaced_but_not_all_of_them_when_we_are_shut_out(
    client: Client, imitation: Imitation, machines: PlayedMachines
) -> None:
    client.converge(workers=1)
    before = ids(imitation)
    for name in before:
        machines[name].is_shut = True
    with pytest.raises(ProviderError):
        client.converge(replace(HURRY, answer=0.1), workers=1)
    for name in before:
        machines[name].is_shut = False
    client.converge(workers=1)
    assert ids(imitation) == before


def test_without_the_reapers_token_nothing_is_rented(
    client: Client, imitation: Imitation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REAPER")
    with pytest.raises(ProviderError, match="REAPER, which is not set"):
        client.converge()
    assert imitation.account.left() == []


# ── what it costs ────────────────────────────────────────────────────────────────────────────
def test_machines_that_are_gone_stay_on_the_bill(client: Client, tmp_path: Path) -> None:
    client.converge(workers=2)
    client.converge(workers=1)
    rentals = read_rentals(client.study().places)
    assert {one.name for one in rentals if one.until is not None} == {"cb-waves-worker-2"}
    assert len(rentals) == 3
    assert all(one.hourly > Decimal(0) for one in rentals)


def test_the_bill_is_found_again_on_the_manager(
    client: Client, imitation: Imitation, machines: PlayedMachines
) -> None:
    client.converge(workers=2)
    client.converge(workers=1)
    (client.place / ".cloudburst/waves/rentals.json").unlink()
    client.converge(workers=1)
    assert len(read_rentals(client.study().places)) == 3


def test_who_was_let_in_before_stays(
    client: Client, imitation: Imitation, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.converge()
    monkeypatch.setenv(VARIABLE, "192.0.2.9")
    client.converge()
    walls = {rule.low: rule for rule in next(iter(imitation.backend.walls.values())).inbound}  # type: ignore[attr-defined]
    assert set(walls[22].networks) == {"198.51.100.7/32", "192.0.2.9/32"}


def test_addresses_that_the_file_names_are_the_only_ones(client: Client, imitation: Imitation) -> None:
    client.converge()
    options = {"region": "nyc3", "worker": "s-2vcpu-2gb", "ssh_from": ["203.0.113.0/24"]}
    client.converge(provider={"digitalocean": options})
    walls = {rule.low: rule for rule in next(iter(imitation.backend.walls.values())).inbound}  # type: ignore[attr-defined]
    assert walls[22].networks == ("203.0.113.0/24",)


def test_a_lost_directory_is_no_lost_machine(client: Client, imitation: Imitation) -> None:
    client.converge()
    shutil.rmtree(client.place / ".cloudburst")
    approach = Approach(open_account(), client.study().places)
    fresh = [one for one in imitation.account.standing() if approach.keys.planted()]
    assert fresh == [], "nothing is taken for a machine of ours that never came up"
