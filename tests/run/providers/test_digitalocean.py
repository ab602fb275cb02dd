"""The provider from the commands' side: what stands, what a wrong account says, and giving back what was half made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cloudburst.errors import CloudBurstError, ProviderError
from cloudburst.run import giving_back
from cloudburst.run.destroy import plan_removal, standing_afar
from cloudburst.run.digitalocean import estate
from cloudburst.run.digitalocean.account import open_account
from cloudburst.run.digitalocean.caller import VARIABLE
from cloudburst.run.digitalocean.ground import own_firewall
from cloudburst.run.digitalocean.keys import Ring
from cloudburst.run.events import Event, StopSignal
from cloudburst.run.giving_back import NotAllGivenBack
from cloudburst.run.observe import Study, read_study
from cloudburst.run.providers.digitalocean import DigitalOceanCluster, manager_docker
from cloudburst.run.rental import observe_rental, switch_state
from cloudburst.spec.canonical import DROPLET_IMAGE
from tests.lab.imitation import Imitation


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    monkeypatch.setattr(estate, "LOOK_EVERY", 0.02)
    monkeypatch.setenv(VARIABLE, "198.51.100.7")
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    return written(tmp_path)


def written(place: Path, **cluster: Any) -> Study:
    spec = {
        "cloudburst": 1,
        "name": "waves",
        "worker": {"directory": "worker", "entrypoint": "waves:work", "timeout": "10m"},
        "parameters": {"grid": {"n": [1, 2, 3]}},
        "cluster": {
            "provider": {"digitalocean": {"region": "nyc3", "worker": "s-2vcpu-2gb"}},
            "workers": 2,
            "ssh_keys": [],
            **cluster,
        },
    }
    (place / "worker").mkdir(exist_ok=True)
    (place / "worker" / "waves.py").write_text("def work(n):\n    return n\n")
    (place / "ensemble.yaml").write_text(json.dumps(spec))
    return read_study(place / "ensemble.yaml")


def half_made(study: Study, imitation: Imitation, *names: str) -> None:
    """Droplets of the study as a run leaves them that was killed after it had asked for them."""
    with open_account() as account:
        vpc = account.create_vpc("cb-waves-nyc3", "nyc3")
        for tag in ("cloudburst", "cloudburst:waves", "cloudburst:waves:manager", "cloudburst:waves:worker"):
            account.create_tag(tag)
        own_firewall(account, study.ensemble, "198.51.100.7/32")
        for name in names:
            role = "manager" if name.endswith("manager") else "worker"
            account.create_droplets(
                [name],
                region="nyc3",
                size="s-2vcpu-2gb",
                image=DROPLET_IMAGE,
                keys=[],
                tags=["cloudburst", "cloudburst:waves", f"cloudburst:waves:{role}"],
                user_data="",
                vpc=vpc.id,
            )
    assert len(imitation.account.standing()) == len(names)


# ── looking ──────────────────────────────────────────────────────────────────────────────────
def test_nothing_stands_and_looking_makes_nothing(study: Study, imitation: Imitation) -> None:
    events: list[Event] = []
    cluster = DigitalOceanCluster(study, events.append, StopSignal())
    assert cluster.outlives_us
    assert not cluster.stands()
    cluster.stop(now=True)
    assert events == []
    assert manager_docker(study.ensemble, study.places) is None
    assert switch_state(study) is None
    assert imitation.account.left() == []
    assert all(one.method == "GET" for one in imitation.exchanges)


def test_a_study_is_observed_with_its_prices_before_anything_is_rented(
    study: Study, imitation: Imitation
) -> None:
    found = observe_rental(study)
    assert found is not None
    assert [change.verb for change in found.changes] == ["create"] * 3
    assert found.hourly == 0
    assert found.hourly_after > 0
    assert found.slots == 4
    assert found.problems == ()
    assert imitation.account.left() == []


def test_what_the_account_cannot_give_is_a_problem_of_the_file(tmp_path: Path, imitation: Imitation) -> None:
    options = {"digitalocean": {"region": "nyc3", "worker": "s-2vcpu-2bg"}}
    found = observe_rental(written(tmp_path, provider=options, ssh_keys=["missing.pub"]))
    assert found is not None
    assert found.changes == ()
    assert {problem.code for problem in found.problems} == {"unknown-size", "ssh-key"}


def test_a_token_the_machines_shall_get_has_to_be_there(tmp_path: Path, imitation: Imitation) -> None:
    study = written(tmp_path, reaper_token="REAPER_OF_THIS_TEST")
    with pytest.raises(ProviderError, match="REAPER_OF_THIS_TEST, which is not set"):
        DigitalOceanCluster(study, lambda _: None, StopSignal())
    found = observe_rental(study)
    assert found is not None
    (problem,) = found.problems
    assert (problem.code, problem.path) == ("reaper-token-missing", ("cluster", "reaper_token"))


def test_a_wrong_token_is_said_with_the_way_to_another(
    study: Study, imitation: Imitation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGITALOCEAN_TOKEN", "dop_v1_" + "0" * 64)
    with pytest.raises(ProviderError) as caught:
        observe_rental(study)
    assert "DIGITALOCEAN_TOKEN" in caught.value.message
    assert "tokens" in caught.value.hint


def test_without_a_token_no_request_is_made(
    study: Study, imitation: Imitation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DIGITALOCEAN_TOKEN")
    with pytest.raises(ProviderError, match="there is no token"):
        DigitalOceanCluster(study, lambda _: None, StopSignal())
    assert imitation.exchanges == []


def test_a_locked_account_rents_nothing(study: Study, imitation: Imitation) -> None:
    imitation.account.status = "locked"
    cluster = DigitalOceanCluster(study, lambda _: None, StopSignal())
    with pytest.raises(CloudBurstError):
        cluster.start()
    cluster.stop(now=True)
    assert imitation.account.left() == []


# ── giving back ──────────────────────────────────────────────────────────────────────────────
def test_where_nothing_stands_nothing_is_given_back(study: Study, imitation: Imitation) -> None:
    with standing_afar(study.ensemble, study.places) as afar:
        assert afar is None


def test_workers_without_a_manager_are_given_back_without_asking_for_results(
    study: Study, imitation: Imitation
) -> None:
    half_made(study, imitation, "cb-waves-worker-1")
    Ring(study.places).deployment()
    events: list[Event] = []
    with standing_afar(study.ensemble, study.places) as afar:
        assert afar is not None
        taken = afar.take_down(study, events.append)
    assert imitation.account.left() == []
    assert dict(taken.removed.by_kind()).keys() >= {"droplet", "firewall", "VPC", "tag"}
    said = " ".join(str(event.to_json()) for event in events)
    assert "no results to fetch" in said
    assert "have cost 0.01 USD" in said
    assert not Ring(study.places).directory.exists()


def test_a_manager_that_does_not_answer_keeps_everything_until_its_results_are_given_up(
    study: Study, imitation: Imitation, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cloudburst.run.digitalocean import approach

    monkeypatch.setattr(approach, "shown_by", lambda _address, port=22: ())
    monkeypatch.setattr(giving_back, "ANSWERS_WITHIN", 0.0)
    half_made(study, imitation, "cb-waves-manager", "cb-waves-worker-1")
    until_active(imitation)
    with standing_afar(study.ensemble, study.places) as afar:
        assert afar is not None
        with pytest.raises(ProviderError) as caught:
            afar.take_down(study, lambda _: None)
        assert "nothing was removed" in caught.value.message
        assert "cb-waves-manager (id " in caught.value.message
        assert "destroy --discard" in caught.value.hint
        assert len(imitation.account.standing()) == 2
        afar.take_down(None, lambda _: None)
    assert imitation.account.left() == []


def test_what_cannot_be_given_back_is_named_with_its_price(study: Study, imitation: Imitation) -> None:
    half_made(study, imitation, "cb-waves-worker-1")
    (number,) = (one.id for one in imitation.account.standing())
    token = imitation.grant_read_only()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DIGITALOCEAN_TOKEN", token)
        with standing_afar(study.ensemble, study.places) as afar:
            assert afar is not None
            with pytest.raises(NotAllGivenBack) as caught:
                afar.take_down(None, lambda _: None)
    assert f"cb-waves-worker-1 (id {number})" in caught.value.message
    assert "USD an hour" in caught.value.message
    assert caught.value.exit_code == 1
    assert caught.value.leftovers.left.is_billed


def test_keys_of_machines_that_may_stand_survive_a_destroy_that_does_not_look(
    study: Study, imitation: Imitation, tmp_path: Path
) -> None:
    Ring(study.places).deployment()
    local = read_study(tmp_path / "ensemble.yaml", local=True)
    kept = {removal.path for removal in plan_removal(local.ensemble, local.places, "keep")}
    assert study.places.secrets not in kept
    assert not any(path.is_relative_to(Ring(study.places).directory) for path in kept)
    removed = {removal.path for removal in plan_removal(study.ensemble, study.places, "keep")}
    assert study.places.secrets in removed


def until_active(imitation: Imitation) -> None:
    """Looked at often enough, every droplet is up."""
    with open_account() as account:
        for _ in range(10):
            account.droplets("cloudburst:waves")
    assert all(one.booted for one in imitation.account.standing())
