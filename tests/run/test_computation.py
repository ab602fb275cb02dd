"""A study computed by hand: a real queue, a real ledger, and a worker that the test plays."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis

from cloudburst.errors import QueueError
from cloudburst.run.computation import Computation, Timing
from cloudburst.run.ledger import Ledger
from cloudburst.run.queue import Queue
from cloudburst.run.study import Assignment, Runs, Study

from .conftest import (
    FAILED,
    ORDER,
    PAYLOAD,
    PlayedWorker,
    Server,
    full_disk,
    outcome_of,
    thaw_waves,
    until,
    wave_id,
)

FAST = Timing(wait=0.01, gather=0.0, look=0.05, sweep=0.0, nodes=0.0, lease=0.2, patience=0.4)


class Bench:
    """A computation and what it works with; `again` is a controller started anew."""

    def __init__(self, queue: Queue, ledger: Ledger) -> None:
        self.queue = queue
        self.ledger = ledger
        self.timing = FAST

    def begin(self, *, rows: Runs | None = None, retry: dict[str, int] | None = None, **normal: Any) -> None:
        self.study = Study(
            Assignment(normal, ORDER, rows, tuple(retry or ())),
            self.ledger.last_line(),
            retry or {},
            time.time(),
        )
        self.again(new=True)

    def again(self, *, new: bool = False) -> None:
        work = thaw_waves(self.study.assignment.normal)
        self.computation = Computation(self.study, work, self.queue, self.ledger, self.timing)
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


def test_rows_may_be_runs_of_them(bench: Bench, worker: PlayedWorker) -> None:
    bench.begin(waves=20, rows=((0, 1), (7, 9), (19, 30)))
    worker.report()
    status = compute(bench, worker)
    assert (status["rows"], status["done"]) == (4, 4)
    assert sorted(worker.ran) == sorted(wave_id(n) for n in (0, 7, 8, 19))


def test_rows_with_one_id_are_one_job(bench: Bench, worker: PlayedWorker) -> None:
    bench.begin(waves=40, period=10)
    status = compute(bench, worker)
    assert (status["rows"], status["jobs"], status["done"]) == (40, 10, 10)
    assert sorted(worker.ran) == [wave_id(n) for n in range(10)]


def test_what_is_recorded_is_not_run_again(bench: Bench, worker: PlayedWorker) -> None:
    bench.begin(waves=20, rows=((0, 8),))
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


def run_in(bench: Bench, worker: PlayedWorker, waves: int = 400) -> dict[str, Any]:
    """A batch of many jobs, taken by the worker."""
    bench.begin(waves=waves)
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


def test_a_controller_started_again_knows_how_long_it_took(bench: Bench, worker: PlayedWorker) -> None:
    bench.begin(waves=3)
    compute(bench, worker, started=bench.study.began + 60.0, seconds=4.0)
    bench.again()
    assert bench.until("finished")["seconds"] == 64.0


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


def test_a_node_with_a_wrong_clock_is_named_and_counts_no_slots(bench: Bench, worker: PlayedWorker) -> None:
    bench.begin(waves=1)
    worker.report(state="broken", detail="its clock is 31 s ahead of the queue's", clock=31.2)
    status = bench.turn()
    assert (status["state"], status["slots"]["total"]) == ("starting", 0), "it may be right again soon"
    assert status["problems"] == ["the node node-1 takes no jobs: its clock is 31 s ahead of the queue's"]
    worker.report(clock=0.1)
    assert bench.turn()["problems"] == []


def waiting(bench: Bench) -> list[list[str]]:
    batches = bench.queue.waiting()
    messages = bench.queue.messages(batches)
    return [[job["id"] for job in messages[batch].batch["jobs"]] for batch in batches]


def test_what_was_lost_goes_before_all_that_waits(bench: Bench, worker: PlayedWorker) -> None:
    """Else a lost job of a minute would wait for two minutes of others."""
    bench.begin(waves=20)
    worker.report(slots=2)
    bench.turn(2)
    batch = worker.take()
    assert batch
    worker.start(batch, batch["jobs"][0])
    bench.turn()
    full = waiting(bench)
    worker.redis.delete(worker.key("lease", batch["batch"]))
    until(lambda: bench.turn() and len(waiting(bench)) > len(full))
    assert waiting(bench) == [[batch["jobs"][0]["id"]], *full]


def test_a_worker_that_the_queue_was_away_for_has_a_while_to_come_back(
    bench: Bench, worker: PlayedWorker
) -> None:
    batch = run_in(bench, worker)
    for job in batch["jobs"]:
        worker.start(batch, job)
        worker.end(batch, job)
    worker.redis.delete(worker.key("lease", batch["batch"]))  # ran out while the queue was away
    bench.timing = replace(FAST, patience=3600.0)  # however long five turns take
    bench.again()
    bench.turn(5)
    assert not worker.redis.sismember(worker.key("revoked"), batch["batch"])
    worker.finish(batch)
    assert compute(bench, worker)["state"] == "finished"
    assert sorted(worker.ran) == [wave_id(n) for n in range(400)]


# ── rows from elsewhere, and cancelling ──────────────────────────────────────────────────────
def test_rows_from_another_ledger_are_not_computed(bench: Bench, worker: PlayedWorker) -> None:
    """Whether they wait in the queue, are in a worker's hands, or were not sent yet."""
    batch = run_in(bench, worker, waves=4000)
    in_hands, queued, later = batch["jobs"][3]["id"], waiting(bench)[0][0], wave_id(3999)
    assert later not in {job for ids in waiting(bench) for job in ids}
    rows = [outcome_of({"id": x, "row": 0, "attempt": 1, "job": {}}) for x in (in_hands, queued, later)]
    bench.ledger.record(rows)
    bench.computation.absorb(rows)
    worker.work_off(batch)
    status = compute(bench, worker)
    assert (status["state"], status["done"], status["to_do"]) == ("finished", 4000, 0)
    assert not {in_hands, queued, later} & set(worker.ran)
    assert len(worker.ran) == 3997


def test_cancelled_it_stands_and_running_jobs_finish(bench: Bench, worker: PlayedWorker) -> None:
    batch = run_in(bench, worker)
    worker.start(batch, batch["jobs"][0])
    bench.computation.cancel("you cancelled it", now=False)
    status = bench.turn()
    assert (status["state"], status["reason"], bench.queue.depth()) == ("pausing", "you cancelled it", 0)
    assert not worker.redis.sismember(worker.key("revoked"), batch["batch"])


def test_cancelled_now_running_jobs_end_and_are_computed_another_time(
    bench: Bench, worker: PlayedWorker
) -> None:
    batch = run_in(bench, worker)
    first, second, *_ = batch["jobs"]
    worker.start(batch, first)
    worker.end(batch, first)
    worker.start(batch, second)
    bench.computation.cancel("you cancelled it", now=True)
    status = bench.turn()
    assert (status["state"], status["running"], status["queued"]) == ("paused", 0, 0)
    assert worker.redis.sismember(worker.key("revoked"), batch["batch"])
    worker.finish(batch)
    assert list(bench.ledger.losses(PAYLOAD)) == [], "nobody is to blame"
    bench.begin(waves=400)
    status = compute(bench, worker)
    assert (status["state"], status["recorded"] + status["done"]) == ("finished", 400)
    assert worker.ran.count(first["id"]) == 1


def test_what_is_finished_is_not_cancelled(bench: Bench, worker: PlayedWorker) -> None:
    bench.begin(waves=3)
    compute(bench, worker)
    bench.computation.cancel("you cancelled it", now=True)
    assert bench.status["state"] == "finished"
    assert bench.queue.pause_reason() is None


# ── the queue in trouble ─────────────────────────────────────────────────────────────────────
@pytest.mark.slow
def test_the_disk_of_the_queue_is_full_for_a_while(
    bench: Bench, worker: PlayedWorker, server: Server
) -> None:
    bench.begin(waves=400)
    worker.report(slots=1)
    bench.turn(2)
    worker.work()
    with disk_of(server, worker):
        until(lambda: said(bench) and "cannot write to its disk" in said(bench)[0])
        assert (bench.status["queued"], waiting(bench)) == (0, [])
    status = compute(bench, worker)
    assert (status["state"], status["done"], status["problems"]) == ("finished", 400, [])
    assert sorted(worker.ran) == [wave_id(n) for n in range(400)]


@pytest.mark.slow
def test_what_the_queue_refuses_is_not_under_way(bench: Bench, worker: PlayedWorker, server: Server) -> None:
    bench.timing = replace(FAST, sweep=3600.0)  # it is not noticed otherwise
    bench.begin(waves=400)
    worker.report(slots=1)
    bench.turn(2)
    worker.work()
    with disk_of(server, worker):
        for _ in range(3):
            with pytest.raises(QueueError, match="cannot write to its disk"):
                bench.turn()
        assert (bench.status["done"], bench.status["queued"]) == (2, 0)
    assert compute(bench, worker)["done"] == 400


@contextmanager
def disk_of(server: Server, worker: PlayedWorker) -> Iterator[None]:
    """Full; the server notices it after the first command that writes, and the end of it within a second."""
    assert server.process
    with full_disk(server.process.pid, 0):
        with pytest.raises(redis.ResponseError):
            until(lambda: not worker.redis.set("a", "b"))
        yield

    def writes() -> bool:
        with suppress(redis.ResponseError):
            return bool(worker.redis.set("a", "b"))
        return False

    until(writes)


def said(bench: Bench) -> list[str]:
    with suppress(QueueError):
        bench.turn()
    return list(bench.status["problems"])


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


def test_nodes_come_and_go_and_come_back_under_their_names(bench: Bench, worker: PlayedWorker) -> None:
    bench.begin(waves=40)
    worker.report(slots=2)
    report_as(worker, "node-2", slots=32)
    assert bench.turn()["slots"]["total"] == 34, "slots of any number"
    assert len(bench.queue.waiting()) == 40
    report_as(worker, "node-2", slots=32, state="leaving")
    assert bench.turn()["slots"]["total"] == 2
    worker.redis.delete(worker.key("node", "node-2"))  # its power is gone: nobody renews it
    status = bench.turn()
    assert ([node["node"] for node in status["nodes"]], status["problems"]) == (["node-1"], [])
    report_as(worker, "node-2", slots=4)
    assert bench.turn()["slots"]["total"] == 6
    assert compute(bench, worker)["done"] == 40


def report_as(worker: PlayedWorker, name: str, **state: Any) -> None:
    worker.report(**state, node=name)
    worker.redis.rename(worker.key("node", "node-1"), worker.key("node", name))
    worker.redis.sadd(worker.key("nodes"), name)
    worker.report()
