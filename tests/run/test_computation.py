"""A study computed by hand: a real queue, a real ledger, and a worker that the test plays."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudburst.run.computation import Computation, Timing
from cloudburst.run.ledger import Ledger
from cloudburst.run.queue import Queue
from cloudburst.run.study import Assignment, Study

from .conftest import FAILED, ORDER, PAYLOAD, PlayedWorker, Server, thaw_waves, until, wave_id

FAST = Timing(wait=0.01, gather=0.0, look=0.05, sweep=0.0, nodes=0.0, lease=0.2)


class Bench:
    """A computation and what it works with; `again` is a controller started anew."""

    def __init__(self, queue: Queue, ledger: Ledger) -> None:
        self.queue = queue
        self.ledger = ledger

    def begin(
        self, *, rows: tuple[int, int] | None = None, retry: dict[str, int] | None = None, **normal: Any
    ) -> None:
        self.study = Study(
            Assignment(normal, ORDER, rows, tuple(retry or ())),
            self.ledger.last_line(),
            retry or {},
            time.time(),
        )
        self.again(new=True)

    def again(self, *, new: bool = False) -> None:
        work = thaw_waves(self.study.assignment.normal)
        self.computation = Computation(self.study, work, self.queue, self.ledger, FAST)
        self.computation.begin(new=new)

    def turn(self, times: int = 1) -> dict[str, Any]:
        for _ in range(times):
            self.computation.turn()
        return self.status

    @property
    def status(self) -> dict[str, Any]:
        return self.computation.status()

    def until(self, state: str) -> dict[str, Any]:
        until(lambda: self.turn()["state"] == state)
        return self.status


@pytest.fixture
def bench(queue: Queue, tmp_path: Path) -> Iterator[Bench]:
    with Ledger.open(tmp_path / "ledger.sqlite", "waves", create=True) as ledger:
        yield Bench(queue, ledger)


def compute(bench: Bench, worker: PlayedWorker, **changes: Any) -> dict[str, Any]:
    """Turn and work until the study is finished or stands."""

    def over() -> bool:
        state = bench.turn()["state"]
        worker.work(**changes)
        return state in {"finished", "paused"}

    until(over)
    return bench.status


def test_every_job_is_computed_once(bench: Bench, worker: PlayedWorker) -> None:
    bench.begin(waves=300)
    worker.report()
    status = compute(bench, worker)
    assert (status["state"], status["done"], status["to_do"], status["problems"]) == ("finished", 300, 0, [])
    assert sorted(worker.ran) == [wave_id(n) for n in range(300)]
    assert worker.redis.xlen(worker.key("outcomes")) == 0
    assert not worker.redis.keys(worker.key("do*")), "notes and marks of batches that are over"


def test_the_first_batches_are_single_jobs_and_later_ones_are_not(bench: Bench, worker: PlayedWorker) -> None:
    bench.begin(waves=5000)
    worker.report(slots=2)
    bench.turn(3)
    first = [message.batch["jobs"] for message in bench.queue.messages(bench.queue.waiting()).values()]
    assert [len(jobs) for jobs in first] == [1, 1, 1, 1], "two messages for each of two slots"
    worker.work()
    bench.turn(3)
    later = [message.batch["jobs"] for message in bench.queue.messages(bench.queue.waiting()).values()]
    assert len(later[0]) == 100, "a second of jobs of 10 ms"


def test_rows_with_one_id_are_one_job(bench: Bench, worker: PlayedWorker) -> None:
    bench.begin(waves=40, period=10)
    status = compute(bench, worker)
    assert (status["rows"], status["jobs"], status["done"]) == (40, 10, 10)
    assert sorted(worker.ran) == [wave_id(n) for n in range(10)]


def test_what_is_recorded_is_not_run_again(bench: Bench, worker: PlayedWorker) -> None:
    bench.begin(waves=20, rows=(0, 8))
    assert compute(bench, worker)["done"] == 8
    bench.begin(waves=20)
    status = compute(bench, worker)
    assert (status["recorded"], status["done"]) == (8, 12)
    assert sorted(worker.ran) == [wave_id(n) for n in range(20)]
    bench.begin(waves=20)
    assert bench.until("finished")["recorded"] == 20


def test_a_crash_is_tried_again_and_an_error_is_not(bench: Bench, worker: PlayedWorker) -> None:
    bench.begin(waves=1, retries=2)
    status = compute(bench, worker, **{**FAILED, "kind": "memory"})
    assert (status["failed"], len(worker.ran)) == (1, 3)
    assert [x["attempt"] for x in bench.ledger.attempts(wave_id(0))] == [1, 2, 3]
    bench.begin(waves=2, retries=2)
    status = compute(bench, worker, **FAILED)
    assert (status["recorded"], status["failed"], worker.ran.count(wave_id(1))) == (1, 1, 1)


def test_retry_gives_failed_jobs_another_go(bench: Bench, worker: PlayedWorker) -> None:
    bench.begin(waves=3)
    compute(bench, worker, **FAILED)
    bench.begin(waves=3, retry={wave_id(1): 1})
    status = compute(bench, worker)
    assert (status["recorded"], status["done"], worker.ran.count(wave_id(1))) == (2, 1, 2)
    assert bench.ledger.counts(PAYLOAD).failed == 2
    bench.again()
    assert bench.until("finished")["done"] == 1, "a controller that starts again does not retry anew"


def test_jobs_handed_back_go_again(bench: Bench, worker: PlayedWorker) -> None:
    bench.begin(waves=1)
    bench.turn(2)
    batch = worker.take()
    assert batch
    worker.give_back(batch, [wave_id(0)])
    worker.finish(batch)
    status = compute(bench, worker)
    assert (status["done"], worker.ran) == (1, [wave_id(0)])


def run_in(bench: Bench, worker: PlayedWorker) -> dict[str, Any]:
    """A batch of many jobs, taken by the worker."""
    bench.begin(waves=400)
    worker.report(slots=1)
    bench.turn(2)
    worker.work()
    bench.turn(2)
    batch = worker.take()
    bench.turn()
    assert batch
    assert len(batch["jobs"]) > 10
    return batch


def test_a_lost_worker_costs_only_the_job_in_its_hands(bench: Bench, worker: PlayedWorker) -> None:
    batch = run_in(bench, worker)
    first, second, third, *_ = batch["jobs"]
    worker.start(batch, first)
    worker.end(batch, first)
    worker.start(batch, second)
    worker.redis.delete(worker.key("lease", batch["batch"]))  # killed: nobody renews it
    bench.turn(5)
    assert worker.redis.sismember(worker.key("revoked"), batch["batch"])
    assert [(x.id, x.worker) for x in bench.ledger.losses(PAYLOAD)] == [(second["id"], "node-1/0")]
    alone = [m.batch["jobs"] for m in bench.queue.messages(bench.queue.waiting()).values()]
    assert [second["id"]] in [[job["id"] for job in jobs] for jobs in alone]
    status = compute(bench, worker)
    assert (status["done"], status["failed"]) == (400, 0)
    assert worker.ran.count(first["id"]) == 1
    assert worker.ran.count(second["id"]) == 2
    assert worker.ran.count(third["id"]) == 1


def test_a_job_that_keeps_ending_its_machine_is_given_up(bench: Bench, worker: PlayedWorker) -> None:
    bench.begin(waves=2)
    bench.turn(2)

    def die() -> bool:
        while batch := worker.take():
            worker.start(batch, batch["jobs"][0])
            if batch["jobs"][0]["id"] == wave_id(1):
                worker.end(batch, batch["jobs"][0])
                worker.finish(batch)
            else:
                worker.redis.delete(worker.key("lease", batch["batch"]))
        return bool(bench.turn()["state"] == "finished")

    until(die)
    assert (bench.status["done"], bench.status["failed"]) == (1, 1)
    end = bench.ledger.outcome(wave_id(0))
    assert end
    assert (end["kind"], end["error"]) == (
        "lost",
        "the worker was lost 6 times while it ran this job: its machine or its process ended",
    )
    assert worker.ran.count(wave_id(0)) == 6


def test_a_batch_taken_by_a_worker_that_dies_at_once_is_lost_after_a_lease(
    bench: Bench, worker: PlayedWorker
) -> None:
    bench.begin(waves=1)
    bench.turn(2)
    worker.redis.lmove(worker.rq.key, worker.rq.intermediate_queue_key, "LEFT", "RIGHT")
    status = compute(bench, worker)
    assert (status["done"], list(bench.ledger.losses(PAYLOAD))) == (1, [])
    assert worker.redis.llen(worker.rq.intermediate_queue_key) == 0


def test_a_batch_that_never_arrived_is_sent_again(bench: Bench, worker: PlayedWorker) -> None:
    bench.begin(waves=3)
    bench.turn(2)
    worker.redis.delete(worker.rq.key)
    assert compute(bench, worker)["done"] == 3


def test_a_batch_that_ends_in_silence_does_not_go_round_for_ever(bench: Bench, worker: PlayedWorker) -> None:
    bench.begin(waves=1)

    def silently() -> bool:
        if batch := worker.take():
            worker.finish(batch)
        return bool(bench.turn()["state"] == "finished")

    until(silently)
    assert bench.status["failed"] == 1


def test_pausing_takes_back_what_waits_and_hears_what_runs(bench: Bench, worker: PlayedWorker) -> None:
    batch = run_in(bench, worker)
    worker.start(batch, batch["jobs"][0])
    bench.computation.pause("you paused it")
    status = bench.turn(2)
    assert (status["state"], status["reason"], bench.queue.depth()) == ("pausing", "you paused it", 0)
    worker.end(batch, batch["jobs"][0])
    worker.give_back(batch, [job["id"] for job in batch["jobs"][1:]])
    worker.finish(batch)
    status = bench.until("paused")
    assert bench.queue.depth() == 0
    bench.again()
    assert bench.turn(3)["state"] == "paused", "a controller that starts again stays paused"
    bench.computation.resume()
    assert compute(bench, worker)["state"] == "finished"
    assert sorted(worker.ran) == [wave_id(n) for n in range(400)]


def test_twenty_first_failures_alike_pause_the_study(bench: Bench, worker: PlayedWorker) -> None:
    bench.begin(waves=100)
    worker.report(slots=30)
    status = compute(bench, worker, **FAILED)
    assert status["state"] == "paused"
    assert status["reason"].startswith("the first 20 jobs all ended in the same error: ValueError: too high")
    failed = status["failed"]
    assert failed < 100
    bench.computation.resume()
    status = compute(bench, worker, **FAILED)
    assert (status["state"], status["failed"]) == ("finished", 100)


def test_more_failures_than_allowed_pause_the_study(bench: Bench, worker: PlayedWorker) -> None:
    bench.begin(waves=100, max_failures=0.05)
    worker.report(slots=1)
    bench.turn(2)
    worker.work(seconds=5.0)
    status = compute(bench, worker, seconds=5.0, **FAILED)
    assert status["state"] == "paused"
    assert status["reason"].endswith("of 100 jobs failed, more than max_failures: 5% (cloudburst failures)")


def test_a_controller_started_again_goes_on(bench: Bench, worker: PlayedWorker) -> None:
    batch = run_in(bench, worker)
    first, second, *rest = batch["jobs"]
    worker.start(batch, first)
    worker.end(batch, first)  # still in the stream
    worker.start(batch, second)
    bench.again()
    worker.end(batch, second)
    for job in rest:
        worker.start(batch, job)
        worker.end(batch, job)
    worker.finish(batch)
    status = compute(bench, worker)
    assert (status["done"], status["recorded"]) == (400, 0), "what this run did before counts as this run's"
    assert sorted(worker.ran) == [wave_id(n) for n in range(400)]


def test_another_order_ends_what_runs_for_the_old_one(bench: Bench, worker: PlayedWorker) -> None:
    batch = run_in(bench, worker)
    other = {**ORDER, "payload": "b" * 64}
    bench.study = Study(Assignment({"waves": 3}, other, None, ()), bench.ledger.last_line(), {}, time.time())
    bench.again(new=True)
    assert worker.redis.sismember(worker.key("revoked"), batch["batch"])
    worker.end(batch, batch["jobs"][0])
    assert compute(bench, worker, payload="b" * 64)["done"] == 3
    assert bench.ledger.states([wave_id(0), wave_id(5)], "b" * 64) == {wave_id(0): "done"}


def test_an_outcome_that_is_none_is_reported_and_dropped(bench: Bench, worker: PlayedWorker) -> None:
    bench.begin(waves=1)
    worker.redis.xadd(worker.key("outcomes"), {"entry": "{]"})
    worker.redis.xadd(worker.key("outcomes"), {"entry": '{"type": "outcome", "batch": "x", "outcome": {}}'})
    status = compute(bench, worker)
    assert (status["done"], len(status["problems"])) == (1, 1)


def test_the_state_says_how_the_nodes_are(bench: Bench, worker: PlayedWorker) -> None:
    bench.begin(waves=1)
    assert bench.turn()["state"] == "starting"
    worker.report(state="preparing")
    assert bench.turn()["state"] == "starting"
    worker.report(state="broken", detail="no disk space for the environment")
    status = bench.turn()
    assert (status["state"], status["reason"]) == ("broken", "no disk space for the environment")
    worker.report(busy=1)
    status = bench.turn()
    assert (status["state"], status["slots"]) == ("running", {"busy": 1, "total": 2})


@pytest.mark.slow
def test_the_queue_is_killed_in_the_middle(bench: Bench, worker: PlayedWorker, server: Server) -> None:
    batch = run_in(bench, worker)
    for job in batch["jobs"][:5]:
        worker.start(batch, job)
        worker.end(batch, job)
    bench.turn()
    server.kill()
    server.start()
    bench.computation.reconnected()
    for job in batch["jobs"][5:]:
        worker.start(batch, job)
        worker.end(batch, job)
    worker.finish(batch)
    status = compute(bench, worker)
    assert (status["state"], status["done"]) == ("finished", 400)
    assert sorted(worker.ran) == [wave_id(n) for n in range(400)]


@pytest.mark.slow
def test_the_queue_comes_back_empty(bench: Bench, worker: PlayedWorker, server: Server) -> None:
    run_in(bench, worker)
    server.kill()
    for log in server.place.glob("appendonlydir/*"):
        log.unlink()
    server.start()
    bench.computation.reconnected()
    assert worker.redis.get(worker.key("current"))
    status = compute(bench, worker)
    assert (status["state"], status["done"]) == ("finished", 400)
