"""A real queue server, and a worker played by the test: what the contract says and nothing else."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import redis
import rq
from rq.serializers import JSONSerializer

from cloudburst.compile.lazy import Lazy
from cloudburst.run import queue_server
from cloudburst.run.dispatch import Rules
from cloudburst.run.queue import Queue, connect
from cloudburst.run.work import Work
from cloudburst.secret import Secret

PASSWORD = Secret("a password")
PAYLOAD = "a" * 64
ORDER = {"format": 1, "study": "waves", "payload": PAYLOAD, "entrypoint": "waves:work"}


def until(condition: Callable[[], object], seconds: float = 30.0) -> None:
    """Processes give no event: look, and look again."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"still not so after {seconds} s"
        time.sleep(0.01)


@pytest.fixture
def short() -> Iterator[Path]:
    """A directory for sockets: pytest's own has too long a path."""
    path = Path(tempfile.mkdtemp(prefix="cb-"))
    yield path
    shutil.rmtree(path)


# ── the server ───────────────────────────────────────────────────────────────────────────────
@dataclass
class Server:
    """The embedded Valkey as the local provider starts it."""

    place: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"unix:{self.place}/queue.sock"

    def start(self) -> None:
        program = queue_server.embedded()
        assert program is not None
        (self.place / "queue.sock").unlink(missing_ok=True)
        self.process = subprocess.Popen(
            [program.path, "-"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            restore_signals=False,  # a file too large (see `full_disk`) is then an error and no signal
        )
        text = queue_server.configuration(
            socket=self.place / "queue.sock",
            directory=self.place,
            log=self.place / "queue.log",
            password=PASSWORD,
        )
        assert self.process.stdin
        self.process.stdin.write(text.encode())
        self.process.stdin.close()
        until(self._answers)

    def _answers(self) -> bool:
        try:
            return bool(connect(self.address, PASSWORD, retries=0).ping())
        except redis.RedisError:
            return False

    def kill(self) -> None:
        assert self.process
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(10)


@pytest.fixture
def server(short: Path) -> Iterator[Server]:
    one = Server(short)
    one.start()
    yield one
    one.stop()


@pytest.fixture
def queue(server: Server) -> Iterator[Queue]:
    one = Queue.open(server.address, PASSWORD, "waves")
    yield one
    one.close()


# ── the jobs ─────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class Wave:
    id: str
    description: Mapping[str, Any]
    argv: None = None


class Waves(Lazy[Wave]):
    """Rows whose jobs are `{"height": row}`; with `period`, rows that far apart are one job."""

    def __init__(self, count: int, period: int | None = None, bulk: int = 0) -> None:
        self._count = count
        self._period = period or max(count, 1)
        self._bulk = bulk

    @property
    def count(self) -> int:
        return self._count

    def at(self, index: int) -> Wave:
        number = index % self._period
        return Wave(wave_id(number), {"height": number, "bulk": "x" * self._bulk})

    def walk(self, start: int, stop: int) -> Iterator[Wave]:
        return (self.at(index) for index in range(start, stop))


def wave_id(number: int) -> str:
    return f"{number + 1:020x}"


def thaw_waves(frozen: Mapping[str, Any]) -> Work:
    """What the tests' normal form means."""
    rules = Rules(frozen.get("retries", 0), frozenset(frozen.get("on", ["crash", "lost"])))
    return Work(Waves(frozen["waves"], frozen.get("period")), rules, frozen.get("max_failures"))


# ── the worker ───────────────────────────────────────────────────────────────────────────────
def outcome_of(job: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    """What a worker says of a job that went well."""
    return {
        "format": 1,
        "id": job["id"],
        "row": job["row"],
        "attempt": job["attempt"],
        "payload": PAYLOAD,
        "status": "done",
        "kind": None,
        "error": None,
        "output": "",
        "result": {"value": job["job"].get("height")},
        "series": None,
        "files": {},
        "started": 1532000000.5,
        "seconds": 0.01,
        "worker": "node-1/0",
        **changes,
    }


FAILED = {"status": "failed", "kind": "error", "error": "ValueError: too high", "result": None}


@dataclass
class PlayedWorker:
    """One RQ worker as docs/contracts.md has it, step by step, so that it can die between any two."""

    address: str
    study: str = "waves"
    name: str = "node-1/0"
    ran: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.redis = connect(self.address, PASSWORD)
        self.rq = rq.Queue(f"cloudburst-{self.study}", connection=self.redis, serializer=JSONSerializer)

    def key(self, *parts: str) -> str:
        return ":".join(("cloudburst", self.study, *parts))

    def report(self, slots: int = 2, **state: Any) -> None:
        """The supervisor's part."""
        node = {
            "node": "node-1",
            "state": "ready",
            "detail": "",
            "slots": slots,
            "busy": 0,
            "order": None,
            "pid": 1,
            "version": "0",
        }
        self.redis.sadd(self.key("nodes"), "node-1")
        self.redis.set(self.key("node", "node-1"), json.dumps({**node, **state}), px=600_000)

    def take(self, *, lease: float = 600.0) -> dict[str, Any] | None:
        """The next batch, held; None when none waits."""
        taken = self.redis.lmove(self.rq.key, self.rq.intermediate_queue_key, "LEFT", "RIGHT")
        if taken is None:
            return None
        batch = self.rq.fetch_job(taken.decode()).args[0]
        assert isinstance(batch, dict)
        self.redis.set(self.key("lease", batch["batch"]), self.name, px=round(lease * 1000))
        self.redis.lrem(self.rq.intermediate_queue_key, 1, batch["batch"])
        self.redis.zadd(self.rq.started_job_registry.key, {f"{batch['batch']}:run": time.time() + 600})
        return batch

    def start(self, batch: Mapping[str, Any], job: Mapping[str, Any]) -> None:
        self.ran.append(job["id"])
        self.redis.hset(self.key("doing", batch["batch"]), job["id"], job["attempt"])

    def end(self, batch: Mapping[str, Any], job: Mapping[str, Any], **changes: Any) -> None:
        with self.redis.pipeline() as pipe:
            self._add(
                pipe, {"type": "outcome", "batch": batch["batch"], "outcome": outcome_of(job, **changes)}
            )
            pipe.hdel(self.key("doing", batch["batch"]), job["id"])
            pipe.sadd(self.key("done", batch["batch"]), job["id"])
            pipe.execute()

    def give_back(self, batch: Mapping[str, Any], ids: list[str]) -> None:
        self._add(self.redis, {"type": "returned", "batch": batch["batch"], "ids": ids})

    def finish(self, batch: Mapping[str, Any]) -> None:
        with self.redis.pipeline() as pipe:
            self._add(pipe, {"type": "finished", "batch": batch["batch"], "seconds": 0.1})
            pipe.delete(self.key("lease", batch["batch"]), f"rq:job:{batch['batch']}")
            pipe.zrem(self.rq.started_job_registry.key, f"{batch['batch']}:run")
            pipe.execute()

    def _add(self, client: Any, entry: Mapping[str, Any]) -> None:
        client.xadd(self.key("outcomes"), {"entry": json.dumps(entry)})

    def work_off(self, batch: Mapping[str, Any], **changes: Any) -> None:
        """The whole batch, all its jobs with one ending."""
        for job in batch["jobs"]:
            if self.redis.sismember(self.key("done", batch["batch"]), job["id"]):
                continue
            if self.redis.exists(self.key("pause")):
                break
            self.start(batch, job)
            self.end(batch, job, **changes)
        done = {x.decode() for x in self.redis.smembers(self.key("done", batch["batch"]))}
        if left := [job["id"] for job in batch["jobs"] if job["id"] not in done]:
            self.give_back(batch, left)
        self.finish(batch)

    def work(self, **changes: Any) -> int:
        """Everything that waits now; the number of batches."""
        count = 0
        while (batch := self.take()) is not None:
            self.work_off(batch, **changes)
            count += 1
        return count


@pytest.fixture
def worker(server: Server) -> Iterator[PlayedWorker]:
    one = PlayedWorker(server.address)
    yield one
    one.redis.close()


@contextmanager
def full_disk(pid: int, room: int) -> Iterator[None]:
    """Meanwhile the process cannot write beyond `room` bytes of any file, as on a disk that is full."""
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (room, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False
