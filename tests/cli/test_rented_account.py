"""The commands before an account: what they find, say and remove there. The account is the imitation's."""

from __future__ import annotations

import sqlite3
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from cloudburst.cli.views.grid import cells
from cloudburst.run.digitalocean import estate
from cloudburst.run.digitalocean.account import open_account
from cloudburst.run.digitalocean.names import role_tag, study_tag
from cloudburst.run.observe import read_study
from cloudburst.run.planning import counted_plan
from cloudburst.run.plans import keep_plan
from tests.lab.imitation.description import scopes

RENTS = """\
cluster:
  provider: {digitalocean: {region: nyc3, manager: s-2vcpu-4gb, worker: s-4vcpu-8gb}}
  workers: 3
  ttl: 8h
  max_cost: 25 USD
  reaper_token: REAPER
"""

ALL_SCOPES = frozenset().union(*scopes().values())

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIGyEVKkCNBSmFMxQ5VYvD9lQyY7hU8mHrzzaF3qbTOV"


@pytest.fixture
def rents(study: Any, imitation: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    monkeypatch.setenv("REAPER", "another-token")
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    study.write({"ensemble.yaml": study.read("ensemble.yaml") + RENTS})
    return study


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The imitation's droplets are gone sooner than real ones."""
    monkeypatch.setattr(estate, "LOOK_EVERY", 0.05)


def leave(study: str, workers: int = 1, managers: int = 1) -> None:
    """What a study leaves whose directory is lost."""
    with open_account() as account:
        vpc = account.create_vpc(f"cb-{study}-nyc3", "nyc3")
        key = account.create_key(f"cb-{study}", f"{KEY} cb-{study}")
        for role, names in (
            ("manager", [f"cb-{study}-manager"] * managers),
            ("worker", [f"cb-{study}-worker-{n + 1}" for n in range(workers)]),
        ):
            if not names:
                continue
            account.create_droplets(
                names,
                region="nyc3",
                size="s-2vcpu-4gb",
                image="ubuntu-24-04-x64",
                keys=[key.fingerprint],
                tags=["cloudburst", study_tag(study), role_tag(study, role)],  # type: ignore[arg-type]
                user_data="#cloud-config\n{}",
                vpc=vpc.id,
            )


# ── list ─────────────────────────────────────────────────────────────────────────────────────
def test_list_says_what_stands_and_what_all_of_it_costs(rents: Any, imitation: Any) -> None:
    leave("tanks", workers=2)
    leave("forgotten")
    ended = rents.run("list")
    assert ended.code == 0, ended.err
    one = imitation.account.sizes["s-2vcpu-4gb"].hourly
    said = " ".join(ended.out.split())
    assert f"tanks ensemble.yaml 8 0 8 3 machines rented, nyc3 {3 * one:.3f}" in said
    assert "with what forgotten has there, of files not listed" in said
    form = rents.run("list", "--json").json
    assert form["studies"][0]["machines"] == {
        "standing": 3,
        "hourly": pytest.approx(float(3 * one), abs=1e-4),
    }
    assert form["account"]["hourly"] == pytest.approx(float(5 * one), abs=1e-4)


def test_list_offline_and_without_a_token(
    rents: Any, imitation: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert rents.run("list", "--offline", "--json").json["account"] is None
    assert imitation.exchanges == []
    monkeypatch.delenv("DIGITALOCEAN_TOKEN")
    ended = rents.run("list")
    assert ended.code == 0
    assert "what is billed is not known: there is no token for DigitalOcean" in " ".join(ended.out.split())


# ── a week later ─────────────────────────────────────────────────────────────────────────────
def test_given_back_a_study_goes_on_where_it_stopped(computed: Any, rents: Any, imitation: Any) -> None:
    """Three rows are known here when the machines are given back; a week later only the rest is rented for."""
    study = read_study(rents.directory / "ensemble.yaml")
    with sqlite3.connect(study.places.ledger) as ledger:
        ledger.execute("DELETE FROM outcomes WHERE row > 2")
        ledger.execute("UPDATE payloads SET done = 3, failed = 0")
    keep_plan(study, counted_plan(study), 1.5)
    leave("tanks", workers=3, managers=0)
    table = rents.run("results", "--columns", "row,hours,status").out
    gone = rents.run("destroy", "--yes")
    assert gone.code == 0, gone.err
    assert imitation.account.left() == []
    assert rents.run("results", "--columns", "row,hours,status").out == table
    assert [one["at"] for one in rents.run("show", "--json").json["applied"]] == [1.5]
    form = rents.run("plan", "--json").json
    assert (form["counts"]["done"], form["counts"]["to_do"]) == (3, 5)
    assert [action["mark"] for action in form["actions"] if action.get("size")] == ["+"] * 4
    (listed,) = rents.run("list", "--json").json["studies"]
    assert (listed["done"], listed["machines"]) == (3, {"standing": 0, "hourly": 0.0})


# ── plan ─────────────────────────────────────────────────────────────────────────────────────
def test_plan_reads_prices_from_the_account_and_makes_nothing(rents: Any, imitation: Any) -> None:
    ended = rents.run("plan")
    assert ended.code == 0, ended.err
    assert "+ create  manager    s-2vcpu-4gb" in ended.out
    hourly = imitation.account.sizes["s-2vcpu-4gb"].hourly + 3 * imitation.account.sizes["s-4vcpu-8gb"].hourly
    rental = rents.run("plan", "--json").json["cluster"]["rental"]
    assert rental["hourly_after"] == pytest.approx(float(hourly), abs=1e-4)
    assert rental["slots"] == 12
    assert imitation.account.left() == []


def test_plan_offline_asks_nobody(rents: Any, imitation: Any) -> None:
    assert rents.run("plan", "--offline").code == 0
    assert imitation.exchanges == []


def test_an_unknown_size_is_a_mistake_with_its_line(rents: Any) -> None:
    rents.write({"ensemble.yaml": rents.read("ensemble.yaml").replace("s-4vcpu-8gb", "s-4vcpu-8bg")})
    ended = rents.run("plan")
    assert ended.code == 2
    assert "s-4vcpu-8gb" in ended.err
    assert "ensemble.yaml:16" in ended.err


def test_a_wrong_token_is_a_sentence(rents: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGITALOCEAN_TOKEN", "wrong")
    ended = rents.run("plan")
    assert ended.code == 1
    assert "DIGITALOCEAN_TOKEN" in ended.err
    assert "Traceback" not in ended.err
    status = rents.run("status")
    assert status.code == 0
    assert "cannot be said" in status.out


def test_nobody_agreed_nothing_is_rented(rents: Any, imitation: Any) -> None:
    assert rents.run("apply").code == 2
    assert imitation.account.left() == []


# ── orphans ──────────────────────────────────────────────────────────────────────────────────
def test_an_account_without_anything(imitation: Any, make_project: Any) -> None:
    ended = make_project({}).run("orphans")
    assert (ended.code, ended.out) == (0, "no study has anything in this account\n")
    assert make_project({}).run("orphans", "--json").json["studies"] == []


def test_what_is_left_is_found_without_any_file_and_given_back(imitation: Any, make_project: Any) -> None:
    leave("tanks", workers=2)
    leave("waves")
    nowhere = make_project({})
    ended = nowhere.run("orphans")
    assert ended.code == 1
    lines = ended.out.splitlines()
    assert all(cells(line) <= 80 for line in lines)
    assert any(line.split()[0] == "worker-2" and "s-2vcpu-4gb" in line for line in lines)
    hourly = imitation.account.sizes["s-2vcpu-4gb"].hourly
    assert "a month" in lines[-1]
    assert "besides: 1 ssh key, 1 VPC, " in ended.out
    document = nowhere.run("orphans", "--json").json
    assert [study["study"] for study in document["studies"]] == ["tanks", "waves"]
    assert document["hourly"] == pytest.approx(5 * float(hourly), abs=1e-4)
    assert document["monthly"] == pytest.approx(672 * document["hourly"])

    ended = nowhere.run("orphans", "tanks", "--remove", "--yes")
    assert ended.code == 0, ended.err
    assert "tanks: everything is gone" in ended.out
    assert nowhere.run("orphans", "tanks").code == 0
    assert {one.name for one in imitation.account.standing()} == {"cb-waves-manager", "cb-waves-worker-1"}

    document = nowhere.run("orphans", "--remove", "-y", "--json").json
    assert document["removed"][0]["left"]["droplets"] == []
    assert imitation.account.left() == []


def test_removing_asks(imitation: Any, make_project: Any, answer: Any) -> None:
    leave("tanks")
    nowhere = make_project({})
    assert nowhere.run("orphans", "--remove").code == 2
    answer("n")
    ended = nowhere.on_a_terminal("orphans", "--remove")
    assert ended.code == 1
    assert "Remove all of that, whatever still computes there?" in ended.err
    assert "nothing was removed" in ended.err
    assert len(imitation.account.standing()) == 2


def test_snapshots_go_only_when_asked_for(imitation: Any, make_project: Any) -> None:
    assert make_project({}).run("orphans", "--snapshots").code == 2
    imitation.account.add_snapshot("cb-tanks-manager-1700000000")
    nowhere = make_project({})
    ended = nowhere.run("orphans")
    assert ended.code == 1
    assert "1 snapshot, billed by size" in ended.out
    ended = nowhere.run("orphans", "--remove", "--yes")
    assert "kept: 1 snapshot" in ended.out
    assert nowhere.run("orphans", "--remove", "--yes", "--snapshots").code == 0
    assert imitation.account.left() == []


def test_no_token(make_project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DIGITALOCEAN_TOKEN", "DIGITALOCEAN_ACCESS_TOKEN", "DOTOKEN"):
        monkeypatch.delenv(name, raising=False)
    ended = make_project({}).run("orphans")
    assert ended.code == 1
    assert "there is no token for DigitalOcean" in ended.err


def test_what_cannot_be_removed_is_said_with_its_id_and_price() -> None:
    from cloudburst.cli.views.orphans import leftovers_form, removed_lines
    from cloudburst.cli.views.paint import PLAIN
    from cloudburst.run.digitalocean.estate import Estate, Leftovers
    from cloudburst.run.digitalocean.nouns import Droplet

    droplet = Droplet(
        17, "cb-tanks-manager", "active", "s-2vcpu-4gb", "nyc3", "ubuntu", 0.0, Decimal("0.036"), None, None,
        frozenset(), None, False,
    )  # fmt: skip
    left = Leftovers(Estate("tanks", (droplet,)), ("droplet cb-tanks-manager (id 17): the token may not",))
    said = [*removed_lines([leftovers_form(left)], PLAIN)]
    assert said == [
        "tanks: NOT EVERYTHING IS GONE, 0.036 USD an hour are billed",
        "  machine cb-tanks-manager (id 17), 0.036 USD an hour",
        "  why: droplet cb-tanks-manager (id 17): the token may not",
    ]


# ── destroy ──────────────────────────────────────────────────────────────────────────────────
def test_destroy_shows_machines_with_their_price_and_asks(rents: Any, imitation: Any, answer: Any) -> None:
    leave("tanks", workers=2)
    answer("n")
    ended = rents.on_a_terminal("destroy")
    assert ended.code == 1
    assert "would remove from DigitalOcean: 3 droplets, 1 ssh key, 1 VPC" in ended.err
    assert "worker-2" in ended.err
    assert "a month" in ended.err
    assert len(imitation.account.standing()) == 3


def test_destroy_gives_everything_back(rents: Any, imitation: Any) -> None:
    leave("tanks", workers=2)
    leave("waves")
    ended = rents.run("destroy", "--discard", "--yes")
    assert ended.code == 0, ended.err
    assert "removed from DigitalOcean: 3 droplets" in ended.out
    assert {one.name for one in imitation.account.standing()} == {"cb-waves-manager", "cb-waves-worker-1"}
    assert rents.run("destroy", "--discard", "--yes").code == 0


def test_what_destroy_cannot_give_back_is_said_with_id_and_price(
    rents: Any, imitation: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave("tanks")
    token = imitation.grant(*(scope for scope in ALL_SCOPES if scope != "droplet:delete"))
    monkeypatch.setenv("DIGITALOCEAN_TOKEN", token)
    ended = rents.run("destroy", "--discard", "--yes")
    assert ended.code == 1
    assert "tanks: NOT EVERYTHING IS GONE" in ended.err
    for droplet in imitation.account.standing():
        assert f"machine {droplet.name} (id {droplet.id}), 0.036 USD an hour" in ended.err
    document = rents.run("destroy", "--discard", "--yes", "--json").json
    assert len(document["left"]["left"]["droplets"]) == 2
    assert document["left"]["why"]


def test_snapshots_are_about_rented_machines(study: Any) -> None:
    ended = study.run("destroy", "--snapshots", "--yes")
    assert ended.code == 2
    assert "rents none" in ended.err


def test_destroy_of_machines_that_are_set_aside_leaves_the_account_alone(rents: Any, imitation: Any) -> None:
    leave("tanks")
    assert rents.run("destroy", "--local", "--yes").code == 0
    assert len(imitation.account.standing()) == 2
