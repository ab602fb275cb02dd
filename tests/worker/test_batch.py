"""A batch in a worker's hands, over a real queue, with a supervisor and a file store that are played."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import redis
from cloudburst_worker import batch, queue
from cloudburst_worker.files import StoreAway
from cloudburst_worker.orders import Broken

JOBS = [{"id": f"{n:020x}", "row": n, "attempt": 1, "job": {"n": n}, "argv": None} for n in range(3)]
BATCH = {"format": 1, "batch": "b-1", "order": "a" * 64, "jobs": JOBS}


class Desk:
    """Every job ends at once, after what the test wants to happen in its middle."""

    def __init__(self) -> None:
        self.middle: Callable[[int], None] = lambda _: None
        self.ran: list[int] = []
        self.left = False

    def borrow(self, order: str, jobs: int, keep: Callable[[], None]) -> batch.Lent | None:
        return batch.Lent(0, "p" * 64)

    def run(self, job: Mapping[str, Any], left: int, keep: Callable[[], None]) -> dict[str, Any] | None:
        self.ran.append(job["row"])
        self.middle(job["row"])
        keep()
        return {
            "status": "done", "kind": None, "error": None, "result": {"n": 1}, "series": None, "output": "",
            "files": {"made": {"path": "/made", "name": "made"}}, "started": 0.0, "seconds": 0.1,
        }  # fmt: skip

    def leave(self) -> None:
        self.left = True


class Store:
    def __init__(self) -> None:
        self.away = False

    def store(self, file: Path, while_waiting: Callable[[], None]) -> tuple[str, int]:
        if self.away:
            raise StoreAway("the file store says: there is no room left for this file (tried for 10 min)")
        return "d" * 64, 3


class Fetcher:
    def __init__(self) -> None:
        self.lacks: set[int] = set()

    def local(
        self, job: Mapping[str, Any], names: Mapping[str, str], keep: Callable[[], None]
    ) -> dict[str, str]:
        if job["row"] in self.lacks:
            raise Broken("the input a.nc cannot be fetched: there is no such file")
        return {digest: f"/cache/{name}" for digest, name in names.items()}


class Bench:
    """What a batch works with; the clock of the lease is the test's."""

    def __init__(self, lab: Any, proxy: Any) -> None:
        self.lab, self.proxy = lab, proxy
        self.desk, self.store, self.fetcher, self.beats = Desk(), Store(), Fetcher(), 0
        self.client = queue.connect(proxy.address, "a-password", patience=0.0, silence=0.5)
        self.keys = queue.Keys("lab")

    def beat(self) -> None:
        self.beats += 1

    def run(self) -> list[dict[str, Any]]:
        """The entries of the stream afterwards."""
        batch.run(
            BATCH,
            batch.Tools(
                queue=self.client, keys=self.keys, desk=self.desk, files=self.store, fetcher=self.fetcher,
                node="node-1", worker="w", stopping=lambda: False, beat=self.beat,
            ),
        )  # fmt: skip
        return [json.loads(fields[b"entry"]) for _, fields in self.lab.client.xrange(self.keys.outcomes)]


@pytest.fixture
def bench(lab: Any, cut_queue: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setattr(batch, "_SOON", 0.05)
    one = Bench(lab, cut_queue)
    yield one
    one.client.close()


def rows(entries: list[dict[str, Any]]) -> list[int]:
    return [entry["outcome"]["row"] for entry in entries if entry["type"] == "outcome"]


def test_what_cannot_be_stored_is_a_failure_that_says_so_and_the_batch_goes_on(bench: Bench) -> None:
    bench.desk.middle = lambda row: setattr(bench.store, "away", row == 1)
    entries = bench.run()
    assert rows(entries) == [0, 1, 2]
    outcomes = [entry["outcome"] for entry in entries if entry["type"] == "outcome"]
    assert [outcome["status"] for outcome in outcomes] == ["done", "failed", "done"]
    failed = outcomes[1]
    assert failed["kind"] == "error"
    assert failed["error"] == (
        "what the job returned cannot be stored: the file store says: there is no room left for this file "
        "(tried for 10 min)"
    )
    assert (failed["result"], failed["files"]) == ({}, {})


def test_a_job_whose_file_cannot_be_had_fails_with_the_reason_and_the_batch_goes_on(bench: Bench) -> None:
    bench.fetcher.lacks = {1}
    outcomes = [entry["outcome"] for entry in bench.run() if entry["type"] == "outcome"]
    assert [(one["row"], one["status"], one["kind"]) for one in outcomes] == [
        (0, "done", None),
        (1, "failed", "error"),
        (2, "done", None),
    ]
    assert outcomes[1]["error"] == "the input a.nc cannot be fetched: there is no such file"
    assert bench.desk.ran == [0, 2]


def test_a_queue_that_is_away_in_the_middle_of_a_job_does_not_end_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "LEASE_REFRESH", 0.0)
    bench.desk.middle = lambda row: bench.proxy.refuse() if row == 1 else None
    asked: list[int] = []

    def sleep(seconds: float) -> None:
        asked.append(1)
        if len(asked) == 3:
            bench.proxy.mend()

    monkeypatch.setattr(time, "sleep", sleep)
    entries = bench.run()
    assert rows(entries) == bench.desk.ran == [0, 1, 2]
    assert entries[-1]["type"] == "finished"


def test_who_was_silent_looks_before_it_records(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped like a machine that was suspended: no error tells that the batch is somebody else's by now."""
    real, lost = time.monotonic, [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: real() + lost[0])

    def suspended(row: int) -> None:
        if row == 1:
            bench.lab.client.sadd(bench.keys.revoked, "b-1")
            lost[0] += 40

    monkeypatch.setattr(Desk, "run", _without_keeping(Desk.run))
    bench.desk.middle = suspended
    assert rows(bench.run()) == [0]
    assert bench.desk.left
    assert bench.desk.ran == [0, 1]


def _without_keeping(run: Any) -> Any:
    def ran(self: Desk, job: Mapping[str, Any], left: int, keep: Callable[[], None]) -> Any:
        return run(self, job, left, lambda: None)

    return ran


def test_an_answer_that_is_lost_does_not_make_a_second_entry(bench: Bench, monkeypatch: Any) -> None:
    """The transaction arrived; the network was cut before its answer came."""
    real = batch.Holding._may_go_on
    cut = [True]

    def executed_then_cut(self: Any, pipe: Any) -> bool:
        answer = real(self, pipe)
        if bench.desk.ran == [0, 1] and cut[0]:
            cut[0] = False
            raise redis.TimeoutError("no answer")
        return answer

    monkeypatch.setattr(batch.Holding, "_may_go_on", executed_then_cut)
    assert rows(bench.run()) == [0, 1, 2]
    assert not cut[0]


def test_notes_and_marks_live_for_a_day_at_most(bench: Bench) -> None:
    lives: list[tuple[int, int]] = []
    bench.desk.middle = lambda _: lives.append(
        (bench.lab.client.ttl(bench.keys.doing("b-1")), bench.lab.client.ttl(bench.keys.done("b-1")))
    )
    bench.run()
    assert all(0 < note <= 86_400 for note, _ in lives)
    assert all(0 < mark <= 86_400 for _, mark in lives[1:])
    assert not bench.lab.client.exists(bench.keys.doing("b-1"), bench.keys.lease("b-1"))
