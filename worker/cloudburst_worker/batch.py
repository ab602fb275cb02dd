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
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from .files import Refused, StoreAway
from .orders import Broken
from .queue import LEASE, LEASE_REFRESH, PATIENCE, Keys, passes
from .runner.endings import failed

if TYPE_CHECKING:
    import redis

_DAY = 86_400
_SOON = 1.0
"""Seconds between two attempts to reach a queue that is away."""

T = TypeVar("T")


class Revoked(Exception):
    """The controller has given the batch to somebody else: nothing more is recorded of it."""


class Desk(Protocol):
    """The supervisor, as a batch needs it; `take.SupervisorDesk` is the real one."""

    def borrow(self, order: str, jobs: int, keep: Callable[[], None]) -> Lent | None:
        """A runner for the batch; None when the node cannot work on it."""

    def run(self, job: Mapping[str, Any], left: int, keep: Callable[[], None]) -> dict[str, Any] | None:
        """The end of a job; None when the node stopped it or cannot start it. `keep` is called now and then."""

    def leave(self) -> None:
        """The batch is over."""


class Fetcher(Protocol):
    def local(
        self, job: Mapping[str, Any], names: Mapping[str, str], keep: Callable[[], None]
    ) -> Mapping[str, str]:
        """digest -> local path of the files that the job names. Raises Broken."""


class Store(Protocol):
    def store(self, file: Path, while_waiting: Callable[[], None]) -> tuple[str, int]: ...


@dataclass(frozen=True)
class Lent:
    """A slot for the length of a batch, and the payload its runner serves."""

    slot: int
    payload: str


@dataclass(frozen=True)
class Tools:
    """What a worker brings to its batches. `queue` sends a command once: whether it is sent again, after
    a look whether the batch is still ours, is decided here. `beat` keeps RQ's own records of the worker alive."""

    queue: redis.Redis
    keys: Keys
    desk: Desk
    files: Store
    fetcher: Fetcher
    node: str
    worker: str
    stopping: Callable[[], bool]
    beat: Callable[[], None]


def run(batch: Mapping[str, Any], tools: Tools) -> None:
    """Works on a batch (`message.read`) until it is done, revoked, or handed back."""
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
        self._names: Mapping[str, str] = batch.get("files", {})
        self._began = time.monotonic()
        self._renew_at = self._began + LEASE_REFRESH  # from then on the lease may be somebody else's soon
        self._ask_at = 0.0  # not before then: the queue was away a moment ago
        self._unanswered = False  # whether what was sent last may have arrived
        self._dated = False  # whether the done-mark has its day to live

    def take(self) -> Sequence[Mapping[str, Any]]:
        """Takes the lease; the jobs that are not recorded yet. Raises Revoked."""
        done = self._persist(self._take_lease)
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
            end = self._run(job, len(following))
            if end is None:
                return jobs[position:]
            if not self._record(self._outcome(job, end, lent), following[0] if following else None):
                return following
        return ()

    def let_go(self, left: Sequence[Mapping[str, Any]]) -> None:
        """Tells the controller that the batch is over, and which jobs were not started."""
        seconds = round(time.monotonic() - self._began, 3)

        def tell() -> None:
            with self._tools.queue.pipeline() as pipe:
                if left:
                    ids = [job["id"] for job in left]
                    self._tell(pipe, {"type": "returned", "batch": self._batch, "ids": ids})
                self._tell(pipe, {"type": "finished", "batch": self._batch, "seconds": seconds})
                pipe.delete(self._keys.doing(self._batch), self._keys.lease(self._batch))
                pipe.execute()

        self._persist(tell)

    def keep(self) -> None:
        """Refreshes the lease when it is time. A queue that is away is asked again soon; the job at hand goes
        on meanwhile. Raises Revoked."""
        if time.monotonic() < max(self._renew_at, self._ask_at):
            return
        try:
            self._renew()
        except Exception as error:
            if not passes(error):
                raise
            self._ask_at = time.monotonic() + _SOON
        else:
            self._tools.beat()

    # ── the lease ────────────────────────────────────────────────────────────────────────────
    def _take_lease(self) -> set[bytes]:
        with self._tools.queue.pipeline() as pipe:
            pipe.smembers(self._keys.done(self._batch))
            return set(self._hold(pipe)[0])

    def _renew(self) -> None:
        with self._tools.queue.pipeline() as pipe:
            self._hold(pipe)

    def _hold(self, pipe: redis.client.Pipeline) -> list[Any]:
        """Makes the lease last from now on, with what is in `pipe` already. Raises Revoked."""
        pipe.set(self._keys.lease(self._batch), self._tools.worker, px=LEASE)
        pipe.sismember(self._keys.revoked, self._batch)
        *answers, _, revoked = pipe.execute()
        self._renew_at = time.monotonic() + LEASE_REFRESH
        if revoked:
            raise Revoked
        return answers

    def _persist(self, attempt: Callable[[], T]) -> T:
        """Tries for ten minutes while the queue is away. Raises Revoked.

        Who was silent for too long may have lost the batch to somebody else, and looks before it
        records anything.
        """
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                if time.monotonic() >= self._renew_at:
                    self._renew()
                return attempt()
            except Exception as error:
                if not passes(error) or time.monotonic() > deadline:
                    raise
                self._unanswered, self._renew_at = True, time.monotonic()
            time.sleep(_SOON)

    # ── one job ──────────────────────────────────────────────────────────────────────────────
    def _run(self, job: Mapping[str, Any], left: int) -> dict[str, Any] | None:
        """The end of a job, which has its files first; None when it is to go back. Raises Revoked.

        A job whose file cannot be had is not handed back: it would be tried over and over.
        """
        began = time.time()
        try:
            local = self._tools.fetcher.local(job, self._names, self.keep)
        except Broken as error:
            return {**failed("error", str(error), began, time.time() - began), "output": ""}
        return self._tools.desk.run({**job, "inputs": local} if local else job, left, self.keep)

    def _begin(self, job: Mapping[str, Any]) -> bool:
        """Notes the first job; False when the study is paused. Raises Revoked."""

        def note() -> bool:
            with self._tools.queue.pipeline() as pipe:
                pipe.hset(self._keys.doing(self._batch), job["id"], job["attempt"])
                pipe.expire(self._keys.doing(self._batch), _DAY)
                return self._may_go_on(pipe)

        return self._persist(note)

    def _record(self, outcome: Mapping[str, Any], following: Mapping[str, Any] | None) -> bool:
        """Records an outcome and notes the next job, in one transaction; whether to go on. Raises Revoked."""
        self._unanswered = False

        def record() -> bool:
            stop = self._tools.stopping()
            with self._tools.queue.pipeline() as pipe:
                if not self._is_recorded(outcome["id"]):
                    self._tell(pipe, {"type": "outcome", "batch": self._batch, "outcome": outcome})
                self._mark(pipe, outcome["id"], None if stop else following)
                return self._may_go_on(pipe) and not stop

        go_on = self._persist(record)
        self._dated = True
        self.keep()
        return go_on

    def _is_recorded(self, job: str) -> bool:
        """Whether the transaction arrived of which only the answer was lost."""
        return self._unanswered and bool(self._tools.queue.sismember(self._keys.done(self._batch), job))

    def _mark(self, pipe: redis.client.Pipeline, ended: str, following: Mapping[str, Any] | None) -> None:
        """The marks of a job that ended and of the one that begins; the note keeps its day to live."""
        doing, done = self._keys.doing(self._batch), self._keys.done(self._batch)
        if following is not None:
            pipe.hset(doing, following["id"], following["attempt"])
        pipe.hdel(doing, ended)
        pipe.sadd(done, ended)
        if not self._dated:
            pipe.expire(done, _DAY)

    def _may_go_on(self, pipe: redis.client.Pipeline) -> bool:
        pipe.exists(self._keys.pause)
        pipe.sismember(self._keys.revoked, self._batch)
        *_, paused, revoked = pipe.execute()
        if revoked:
            raise Revoked
        return not paused

    def _tell(self, pipe: redis.client.Pipeline, entry: Mapping[str, Any]) -> None:
        pipe.xadd(self._keys.outcomes, {"entry": json.dumps(entry, separators=(",", ":"))})

    def _outcome(self, job: Mapping[str, Any], end: Mapping[str, Any], lent: Lent) -> dict[str, Any]:
        """The outcome of docs/contracts.md; series and files are in the file store before it is made."""
        return {
            "format": 1,
            "id": job["id"],
            "row": job["row"],
            "attempt": job["attempt"],
            "payload": lent.payload,
            **self._stored(end),
            "output": end["output"],
            "started": round(end["started"], 3),
            "seconds": round(end["seconds"], 6),
            "worker": f"{self._tools.node}/{lent.slot}",
        }

    def _stored(self, end: Mapping[str, Any]) -> dict[str, Any]:
        """What the job returned, with objects instead of files; a failure when they cannot be stored.

        Such a job is not handed back: it would be computed over and over for as long as the store is full.
        """
        told = {name: end[name] for name in ("status", "kind", "error", "result")}
        try:
            series = None
            if end["series"] is not None:
                series = {"object": self._store(end["series"])[0], "names": end["series"]["names"]}
            files = {}
            for name, file in end["files"].items():
                digest, size = self._store(file)
                files[name] = {"object": digest, "size": size, "name": file["name"]}
        except (Refused, StoreAway) as error:
            sentence = f"what the job returned cannot be stored: {error}"
            told = {"status": "failed", "kind": "error", "error": sentence, "result": {}}
            series, files = None, {}
        return {**told, "series": series, "files": files}

    def _store(self, kept: Mapping[str, Any]) -> tuple[str, int]:
        return self._tools.files.store(Path(kept["path"]), self.keep)
