"""One batch in the hands of an RQ worker: job after job, each noted before and recorded after.

The notes and transactions are those of docs/contracts.md. Whatever ends this process, the controller
finds in the queue which jobs are recorded, and which one was inside.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from .files import Refused, StoreAway
from .queue import LEASE, LEASE_REFRESH, Keys

if TYPE_CHECKING:
    import redis

FUNCTION = "cloudburst_worker.batch.run"
"""The one function a message may name."""

_DAY = 86_400


class Revoked(Exception):
    """The controller has given the batch to somebody else: nothing more is recorded of it."""


class NotABatch(Exception):
    """The message is none of ours."""


class Desk(Protocol):
    """The supervisor, as a batch needs it; `take.SupervisorDesk` is the real one."""

    def borrow(self, order: str, jobs: int, keep: Callable[[], None]) -> Lent | None:
        """A runner for the batch; None when the node cannot work on it."""

    def run(self, job: Mapping[str, Any], left: int, keep: Callable[[], None]) -> dict[str, Any] | None:
        """The end of a job; None when the node stopped it or cannot start it. `keep` is called now and then."""

    def leave(self) -> None:
        """The batch is over."""


class Store(Protocol):
    def store(self, file: Path, while_waiting: Callable[[], None]) -> tuple[str, int]: ...


@dataclass(frozen=True)
class Lent:
    """A slot for the length of a batch, and the payload its runner serves."""

    slot: int
    payload: str


@dataclass(frozen=True)
class Tools:
    """What a worker brings to its batches. `beat` keeps RQ's own records of the worker alive."""

    queue: redis.Redis
    keys: Keys
    desk: Desk
    files: Store
    node: str
    worker: str
    stopping: Callable[[], bool]
    beat: Callable[[], None]


def run(batch: Any, tools: Tools) -> None:
    """Works on a batch until it is done, revoked, or handed back. Raises NotABatch for anything else."""
    if not isinstance(batch, dict) or batch.get("format") != 1:
        raise NotABatch(
            "the message is no batch of format 1: controller and worker are of different versions"
        )
    holding = Holding(batch, tools)
    try:
        jobs = holding.take()
        holding.let_go(holding.work(jobs))
    except Revoked:
        return
    finally:
        tools.desk.leave()


class Holding:
    """A batch while this worker holds its lease."""

    def __init__(self, batch: Mapping[str, Any], tools: Tools) -> None:
        self._tools = tools
        self._keys = tools.keys
        self._batch: str = batch["batch"]
        self._order: str = batch["order"]
        self._jobs: Sequence[Mapping[str, Any]] = batch["jobs"]
        self._began = self._kept = time.monotonic()
        self._dated = False  # whether the done-mark has its day to live

    def take(self) -> Sequence[Mapping[str, Any]]:
        """Takes the lease; the jobs that are not recorded yet. Raises Revoked."""
        with self._tools.queue.pipeline() as pipe:
            pipe.set(self._keys.lease(self._batch), self._tools.worker, px=LEASE)
            pipe.smembers(self._keys.done(self._batch))
            pipe.sismember(self._keys.revoked, self._batch)
            _, done, revoked = pipe.execute()
        if revoked:
            raise Revoked
        recorded = {member.decode() for member in done}
        return [job for job in self._jobs if job["id"] not in recorded]

    def work(self, jobs: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
        """Does the jobs in order; those it did not start. Raises Revoked."""
        if not jobs or self._tools.stopping():
            return jobs
        lent = self._tools.desk.borrow(self._order, len(jobs), self.keep)
        if lent is None or not self._begin(jobs[0]):
            return jobs
        for position, job in enumerate(jobs):
            following = jobs[position + 1 :]
            end = self._tools.desk.run(job, len(following), self.keep)
            outcome = self._outcome(job, end, lent) if end is not None else None
            if outcome is None:
                return jobs[position:]
            if not self._record(outcome, following[0] if following else None):
                return following
        return ()

    def let_go(self, left: Sequence[Mapping[str, Any]]) -> None:
        """Tells the controller that the batch is over, and which jobs were not started."""
        seconds = round(time.monotonic() - self._began, 3)
        with self._tools.queue.pipeline() as pipe:
            if left:
                self._tell(
                    pipe, {"type": "returned", "batch": self._batch, "ids": [job["id"] for job in left]}
                )
            self._tell(pipe, {"type": "finished", "batch": self._batch, "seconds": seconds})
            pipe.delete(self._keys.doing(self._batch), self._keys.lease(self._batch))
            pipe.execute()

    def keep(self) -> None:
        """Refreshes the lease when it is time. Raises Revoked."""
        now = time.monotonic()
        if now - self._kept < LEASE_REFRESH:
            return
        with self._tools.queue.pipeline() as pipe:
            pipe.set(self._keys.lease(self._batch), self._tools.worker, px=LEASE)
            pipe.sismember(self._keys.revoked, self._batch)
            _, revoked = pipe.execute()
        self._kept = now
        if revoked:
            raise Revoked
        self._tools.beat()

    # ── one job ──────────────────────────────────────────────────────────────────────────────
    def _begin(self, job: Mapping[str, Any]) -> bool:
        """Notes the first job; False when the study is paused. Raises Revoked."""
        with self._tools.queue.pipeline() as pipe:
            pipe.hset(self._keys.doing(self._batch), job["id"], job["attempt"])
            return self._may_go_on(pipe)

    def _record(self, outcome: Mapping[str, Any], following: Mapping[str, Any] | None) -> bool:
        """Records an outcome and notes the next job, in one transaction; whether to go on. Raises Revoked."""
        doing, done = self._keys.doing(self._batch), self._keys.done(self._batch)
        stop = self._tools.stopping()
        with self._tools.queue.pipeline() as pipe:
            self._tell(pipe, {"type": "outcome", "batch": self._batch, "outcome": outcome})
            pipe.hdel(doing, outcome["id"])
            pipe.sadd(done, outcome["id"])
            if not self._dated:
                pipe.expire(done, _DAY)
            if following is not None and not stop:
                pipe.hset(doing, following["id"], following["attempt"])
            go_on = self._may_go_on(pipe)
        self._dated = True
        self.keep()
        return go_on and not stop

    def _may_go_on(self, pipe: redis.client.Pipeline) -> bool:
        pipe.exists(self._keys.pause)
        pipe.sismember(self._keys.revoked, self._batch)
        *_, paused, revoked = pipe.execute()
        if revoked:
            raise Revoked
        return not paused

    def _tell(self, pipe: redis.client.Pipeline, entry: Mapping[str, Any]) -> None:
        pipe.xadd(self._keys.outcomes, {"entry": json.dumps(entry, separators=(",", ":"))})

    def _outcome(self, job: Mapping[str, Any], end: Mapping[str, Any], lent: Lent) -> dict[str, Any] | None:
        """The outcome of docs/contracts.md; series and files are in the file store before it is made.

        None when the store stays away: then the job is handed back, to be done again.
        """
        try:
            stored = self._stored(end)
        except StoreAway:
            return None
        return {
            "format": 1,
            "id": job["id"],
            "row": job["row"],
            "attempt": job["attempt"],
            "payload": lent.payload,
            **stored,
            "output": end["output"],
            "started": round(end["started"], 3),
            "seconds": round(end["seconds"], 6),
            "worker": f"{self._tools.node}/{lent.slot}",
        }

    def _stored(self, end: Mapping[str, Any]) -> dict[str, Any]:
        told = {name: end[name] for name in ("status", "kind", "error", "result")}
        try:
            series = None
            if end["series"] is not None:
                series = {"object": self._store(end["series"])[0], "names": end["series"]["names"]}
            files = {}
            for name, file in end["files"].items():
                digest, size = self._store(file)
                files[name] = {"object": digest, "size": size, "name": file["name"]}
        except Refused as error:
            sentence = f"what the job returned cannot be stored: {error}"
            told = {"status": "failed", "kind": "error", "error": sentence, "result": {}}
            series, files = None, {}
        return {**told, "series": series, "files": files}

    def _store(self, kept: Mapping[str, Any]) -> tuple[str, int]:
        return self._tools.files.store(Path(kept["path"]), self.keep)
