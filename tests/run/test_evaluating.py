"""Points against a cluster that outlives the command, played: what is asked of it, and in which order."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from cloudburst.errors import CloudBurstError, ProviderError, StudyBusy
from cloudburst.run import evaluating
from cloudburst.run.evaluating import Asked, Session
from cloudburst.run.events import StopSignal
from cloudburst.run.ledger import Ledger
from cloudburst.run.observe import Study, read_study

ENSEMBLE = """\
cloudburst: 1
name: tanks
worker: {directory: model, entrypoint: "tank:fill"}
parameters:
  grid: {inflow: [1, 2, 3]}
"""


class Cluster:
    """One that stands already, whose controller computes what it is given when it is asked for its status."""

    outlives_us = True

    def __init__(self, study: Study) -> None:
        self.study = study
        self.said: list[str] = []
        self.states = ["idle"]
        self.given: list[Mapping[str, Any]] = []
        self.asked_again: Sequence[str] | None = None

    def stands(self) -> bool:
        return True

    def start(self) -> Any:
        self.said.append("start")
        return self

    def watch(self) -> None:
        """Nothing dies."""

    def stop(self, *, now: bool) -> None:
        self.said.append(f"stop now={now}")

    # ── its controller and file store ────────────────────────────────────────────────────────
    def status(self) -> dict[str, Any]:
        state = self.states[0] if len(self.states) == 1 else self.states.pop(0)
        return {"state": state, "to_do": 3, "reason": "because"}

    def put_study(
        self, frozen: Mapping[str, Any], order: Mapping[str, Any], *, retry: Sequence[str] | None
    ) -> None:
        self.said.append("put")
        self.given.append(frozen["normal"])
        self.asked_again = retry
        (block,) = frozen["normal"]["parameters"]
        with Ledger.open(self.study.places.ledger, "tanks", create=True) as ledger:
            ledger.begin(order["payload"])
            jobs = evaluating.thaw(frozen)
            ledger.record(_done(job.id, row, order["payload"]) for row, job in enumerate(jobs))
        assert len(jobs) == len(block["points"]["rows"])

    def resume(self) -> None:
        self.said.append("resume")

    def has(self, *_: object) -> bool:
        return True


def _done(job: str, row: int, payload: str) -> dict[str, Any]:
    return {
        "id": job,
        "row": row,
        "attempt": 1,
        "payload": payload,
        "status": "done",
        "kind": None,
        "error": None,
        "output": "",
        "result": {"row": row},
        "series": None,
        "files": {},
        "started": 1.0,
        "seconds": 0.1,
        "worker": "here/0",
    }


@pytest.fixture
def study(tmp_path: Path) -> Study:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "tank.py").write_text("def fill(inflow):\n    return inflow\n")
    (tmp_path / "ensemble.yaml").write_text(ENSEMBLE)
    return read_study(tmp_path / "ensemble.yaml")


@pytest.fixture
def cluster(study: Study, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    played = Cluster(study)
    monkeypatch.setattr(evaluating, "make_cluster", lambda *_: played)
    monkeypatch.setattr(evaluating, "controller_of", lambda _: played)
    monkeypatch.setattr(evaluating, "files_of", lambda _: played)
    monkeypatch.setattr(evaluating, "with_lock", lambda study, _: study)
    for way in ("pull", "push"):
        monkeypatch.setattr(evaluating.replica, way, lambda *_, way=way: played.said.append(way))
    return played


@contextlib.contextmanager
def waiting(_stop: StopSignal) -> Iterator[None]:
    yield


def session(study: Study) -> Session:
    return Session(study, lambda _: None, waiting)


def points(*inflows: float) -> Asked:
    return Asked([{"inflow": one} for one in inflows])


def test_what_stands_is_asked_first_and_told_only_what_is_missing(study: Study, cluster: Cluster) -> None:
    cluster.states = ["idle", "running", "finished"]
    with session(study) as held:
        results = held.evaluate(points(7, 8, 7))
        assert cluster.said == ["start", "pull", "push", "put", "pull"]
        assert [one.job.row.values["inflow"] for one in results] == [7, 8, 7]
        assert [one.status for one in results] == ["done"] * 3
        held.evaluate(points(8, 9))
        assert cluster.said[5:] == ["put", "pull"]
    assert cluster.said[-1] == "stop now=False"
    rows = [[row["inflow"] for row in given["parameters"][0]["points"]["rows"]] for given in cluster.given]
    assert rows == [[7, 8], [9]]
    assert all(given["results"] == [] for given in cluster.given)


@pytest.mark.parametrize("state", ["starting", "running", "pausing"])
def test_a_cluster_that_computes_the_study_is_left_alone(study: Study, cluster: Cluster, state: str) -> None:
    cluster.states = [state]
    with session(study) as held, pytest.raises(StudyBusy, match="3 jobs of the study tanks"):
        held.evaluate(points(1))
    assert "put" not in cluster.said


def test_who_insists_goes_on_where_it_pauses(study: Study, cluster: Cluster) -> None:
    cluster.states = ["idle", "paused", "finished"]
    with session(study) as held:
        held.evaluate(Asked([{"inflow": 4}], insist=True))
    assert "resume" in cluster.said
    cluster.states = ["idle", "paused"]
    with session(study) as held, pytest.raises(CloudBurstError, match="because"):
        held.evaluate(points(5))


def test_a_cluster_that_cannot_work_is_no_failure_of_a_job(study: Study, cluster: Cluster) -> None:
    cluster.states = ["idle", "broken"]
    with session(study) as held, pytest.raises(ProviderError, match="because"):
        held.evaluate(points(5))


def test_a_session_that_was_stopped_takes_no_more(study: Study, cluster: Cluster) -> None:
    held = session(study)
    with held:
        held._stop.raise_level()
        with pytest.raises(CloudBurstError, match="this session has ended"):
            held.evaluate(points(5))
    assert cluster.said == ["stop now=False"]


def test_a_stop_in_the_middle_is_an_interrupt_once_rows_are_home(study: Study, cluster: Cluster) -> None:
    cluster.states = ["idle", "running"]
    held, put = session(study), cluster.put_study

    def put_and_stop(*given: Any, **more: Any) -> None:
        put(*given, **more)
        held._stop.raise_level()

    cluster.put_study = put_and_stop  # type: ignore[method-assign]
    with held, pytest.raises(KeyboardInterrupt):
        held.evaluate(points(5))
    assert cluster.said[-2:] == ["pull", "stop now=False"]
