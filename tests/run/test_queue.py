from __future__ import annotations

import json
from typing import Any, ClassVar

import pytest
import rq
from rq.serializers import JSONSerializer

from cloudburst.errors import QueueError, UsageError
from cloudburst.run.queue import FUNCTION, Queue, check_server, connect, digest_of
from cloudburst.secret import Secret

from .conftest import ORDER, PASSWORD, PlayedWorker, Server


def batch(name: str, *numbers: int) -> dict[str, Any]:
    jobs = [{"id": f"{n:020x}", "row": n, "attempt": 1, "job": {"height": n}, "argv": None} for n in numbers]
    return {"format": 1, "batch": name, "order": digest_of(ORDER), "jobs": jobs}


def test_a_batch_is_one_rq_message_as_agreed(queue: Queue, worker: PlayedWorker) -> None:
    queue.enqueue([batch("b-000001-aa", 1, 2), batch("b-000002-aa", 3)])
    assert (queue.depth(), queue.waiting()) == (2, ("b-000001-aa", "b-000002-aa"))
    found = worker.rq.fetch_job("b-000001-aa")
    assert found
    assert (found.func_name, found.args, found.kwargs) == (FUNCTION, [batch("b-000001-aa", 1, 2)], {})
    assert (found.timeout, found.result_ttl, found.ttl, found.description) == (-1, 0, None, "2 jobs")
    assert queue.messages(["b-000002-aa", "b-none"])["b-000002-aa"].batch == batch("b-000002-aa", 3)


def test_a_message_of_somebody_else_is_not_ours(queue: Queue, worker: PlayedWorker) -> None:
    worker.rq.enqueue("os.system", "true", job_id="x")
    rq.Queue(worker.rq.name, connection=worker.redis).enqueue("os.system", "true", job_id="y")
    worker.rq.enqueue(FUNCTION, {"batch": "other", "jobs": []}, job_id="z")
    assert queue.messages(["x", "y", "z"]) == {}


def test_the_order_is_announced_under_its_digest(queue: Queue, worker: PlayedWorker) -> None:
    digest = queue.announce(ORDER)
    assert worker.redis.get(worker.key("current")) == digest.encode()
    assert json.loads(worker.redis.get(worker.key("order", digest))) == ORDER
    assert digest == digest_of(dict(reversed(ORDER.items())))


def test_where_batches_are(queue: Queue, worker: PlayedWorker) -> None:
    queue.enqueue([batch(name, 1) for name in ("b-1", "b-2", "b-3")])
    held = worker.take()
    assert held
    worker.redis.lmove(worker.rq.key, worker.rq.intermediate_queue_key, "LEFT", "RIGHT")
    seen = queue.look(["b-1", "b-2", "b-3", "b-4"])
    assert (seen.queued, seen.taken, seen.holders) == ({"b-3"}, {"b-2"}, {"b-1": "node-1/0"})
    assert queue.records() == {"b-1", "b-2"}
    assert queue.held() == {"b-1"}
    assert queue.look([]).holders == {}


def test_what_waits_can_be_taken_back(queue: Queue, worker: PlayedWorker) -> None:
    queue.enqueue([batch("b-1", 1), batch("b-2", 2)])
    assert worker.take()
    assert queue.take_back() == ("b-2",)
    assert worker.take() is None
    assert queue.messages(["b-1", "b-2"]).keys() == {"b-1"}
    assert queue.take_back() == ()


def test_forgetting_leaves_no_record_of_a_batch_however_it_ended(queue: Queue, worker: PlayedWorker) -> None:
    queue.enqueue([batch(name, 1) for name in ("b-1", "b-2", "b-3", "b-4")])
    started = worker.take()
    assert started
    worker.start(started, started["jobs"][0])
    worker.redis.lmove(worker.rq.key, worker.rq.intermediate_queue_key, "LEFT", "RIGHT")
    worker.redis.zadd(worker.rq.failed_job_registry.key, {"b-3": 1e12})
    worker.redis.lrem(worker.rq.key, 1, "b-3")
    queue.forget(["b-1", "b-2", "b-3"])
    assert queue.records() == set()
    assert queue.waiting() == ("b-4",)
    left = {key.decode() for key in worker.redis.keys("*")}
    assert left == {"rq:queues", "rq:queue:cloudburst-waves", "rq:job:b-4", "cloudburst:waves:lease:b-1"}


def test_a_real_rq_worker_takes_a_batch_and_leaves_nothing(queue: Queue, worker: PlayedWorker) -> None:
    queue.enqueue([batch("b-1", 1)])
    one = rq.SimpleWorker([worker.rq], connection=worker.redis, serializer=JSONSerializer, job_class=Harmless)
    one.work(burst=True, logging_level="CRITICAL")
    assert Harmless.seen == [batch("b-1", 1)]
    assert (queue.depth(), queue.records()) == (0, frozenset())
    assert worker.redis.keys("rq:job:*") == worker.redis.keys("rq:results:*") == []


class Harmless(rq.job.Job):
    """Calls nothing of the worker's program."""

    seen: ClassVar[list[Any]] = []

    def perform(self) -> None:
        self.seen.append(self.args[0])


def test_the_stream_is_read_from_a_place_and_trimmed_up_to_one(queue: Queue, worker: PlayedWorker) -> None:
    for number in range(5):
        worker.give_back({"batch": f"b-{number}"}, [])
    worker.redis.xadd(worker.key("outcomes"), {"entry": "[]"})
    worker.redis.xadd(worker.key("outcomes"), {"other": "{}"})
    entries = queue.read("0-0")
    assert [entry.data and entry.data["batch"] for entry in entries] == [
        "b-0",
        "b-1",
        "b-2",
        "b-3",
        "b-4",
        None,
        None,
    ]
    assert [entry.id for entry in queue.read(entries[2].id, at_most=2)] == [entries[3].id, entries[4].id]
    queue.trim(entries[2].id)
    assert [entry.id for entry in queue.read("0-0")] == [entry.id for entry in entries[3:]]
    assert queue.read(entries[-1].id, wait=0.01) == []


def test_nodes_pause_and_marks(queue: Queue, worker: PlayedWorker) -> None:
    assert queue.nodes() == []
    worker.report(slots=3)
    worker.redis.sadd(worker.key("nodes"), "node-gone")
    assert [(node["node"], node["slots"]) for node in queue.nodes()] == [("node-1", 3)]
    queue.forget_nodes()
    assert queue.nodes() == []
    assert queue.pause_reason() is None
    queue.pause("zu heiß")
    assert queue.pause_reason() == "zu heiß"
    queue.resume()
    assert queue.pause_reason() is None
    queue.mark_done("b-1", ["x"])
    queue.mark_done("b-2", [])
    assert worker.redis.smembers(worker.key("done", "b-1")) == {b"x"}
    queue.clear(["b-1"])
    queue.revoke(["b-1"])
    queue.revoke([])


def test_a_wrong_password_and_a_missing_server_are_sentences(server: Server, short: Any) -> None:
    with pytest.raises(QueueError, match="the queue refuses the password"):
        Queue.open(server.address, Secret("wrong"), "waves")
    server.stop()
    with pytest.raises(QueueError, match="the queue does not answer"):
        Queue.open(server.address, PASSWORD, "waves")


@pytest.mark.parametrize("address", ["nowhere", "http://x"])
def test_what_is_no_address_is_said(address: str) -> None:
    with pytest.raises(UsageError, match="is not an address") as caught:
        connect(address, PASSWORD)
    assert "redis://host:port/0" in caught.value.hint


def test_every_client_has_a_retry_policy() -> None:
    for address in ("redis://someone@127.0.0.1:6379/2", "tcp:127.0.0.1:6379", "unix:/x.sock"):
        retry = connect(address, PASSWORD).get_retry()
        assert retry
        assert retry.get_retries() == 5
        settings = connect(address, PASSWORD).get_connection_kwargs()
        assert settings["password"] == PASSWORD.reveal()


@pytest.mark.parametrize(
    ("facts", "fine"),
    [
        ({"redis_version": "6.2.0"}, True),
        ({"redis_version": "6.0.16"}, False),
        ({"redis_version": "7.2.4", "valkey_version": "7.2.5"}, True),
        ({"redis_version": "7.2.4", "valkey_version": "7.1"}, False),
        ({}, False),
    ],
)
def test_servers_without_blmove_are_refused(facts: dict[str, str], fine: bool) -> None:
    if fine:
        check_server(facts)
    else:
        with pytest.raises(QueueError, match="which is too old"):
            check_server(facts)
