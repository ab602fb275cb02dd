"""What every provider keeps, whatever it starts: the laws of `run.providers.Cluster`, for those that need no machines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudburst.run import run_lock
from cloudburst.run.clusters import Cluster, make_cluster
from cloudburst.run.events import Event, StopSignal
from cloudburst.run.observe import read_study
from cloudburst.run.places import prepare
from tests.lab.imitation import Imitation

PROVIDERS: dict[str, Any] = {
    "local": "local",
    "digitalocean": {"digitalocean": {"region": "nyc3", "worker": "s-2vcpu-2gb"}},
}
"""A new provider gets a line here; the laws that need machines are in tests/lab/test_rented_study.py."""


@pytest.fixture(params=PROVIDERS)
def cluster(
    request: pytest.FixtureRequest, tmp_path: Path, imitation: Imitation, events: list[Event]
) -> Iterator[Cluster]:
    spec = {
        "cloudburst": 1,
        "name": "waves",
        "worker": {"directory": "worker", "entrypoint": "waves:work", "timeout": "10m"},
        "parameters": {"grid": {"n": [1, 2, 3]}},
        "cluster": {"provider": PROVIDERS[request.param]},
    }
    (tmp_path / "worker").mkdir()
    (tmp_path / "worker" / "waves.py").write_text("def work(n):\n    return n\n")
    (tmp_path / "ensemble.yaml").write_text(json.dumps(spec))
    study = read_study(tmp_path / "ensemble.yaml")
    prepare(study.places)
    with run_lock.hold(study.places.lock, study="waves") as lock:
        yield make_cluster(study, lock, events.append, StopSignal())


@pytest.fixture
def events() -> list[Event]:
    return []


def test_where_nothing_stands_it_says_so_and_makes_nothing(
    cluster: Cluster, events: list[Event], imitation: Imitation, tmp_path: Path
) -> None:
    before = sorted(tmp_path.rglob("*"))
    assert not cluster.stands()
    assert events == []
    assert sorted(tmp_path.rglob("*")) == before
    assert imitation.account.left() == []
    assert all(one.method == "GET" for one in imitation.exchanges)


@pytest.mark.parametrize("now", [False, True])
def test_what_was_never_started_is_stopped_without_a_word_and_twice(
    cluster: Cluster, now: bool, events: list[Event]
) -> None:
    cluster.stop(now=now)
    cluster.stop(now=now)
    assert events == []


def test_what_was_never_started_needs_no_looking_after(cluster: Cluster) -> None:
    cluster.watch()
    assert isinstance(cluster.outlives_us, bool)
