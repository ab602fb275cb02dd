"""The queue as the controller sees it: batches through RQ, and the keys of docs/contracts.md.

The only place on this side that knows redis and rq; their errors leave it as QueueError. Decides
nothing: what is lost and what is sent is `recovery.py`'s and `dispatch.py`'s business.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any, ParamSpec, Self, TypeVar, cast

import redis
import redis.backoff
import redis.exceptions
import redis.retry
import rq
from rq.executions import ExecutionRegistry
from rq.job import Job as RqJob
from rq.registry import StartedJobRegistry
from rq.serializers import JSONSerializer

from ..errors import QueueError, UsageError
from ..secret import Secret
from .addresses import UnixAddress, parse_address
from .recovery import Sighting

FUNCTION = "cloudburst_worker.batch.run"
"""The one function a message may name."""

LEAST = {"valkey": (7, 2), "redis": (6, 2)}
"""Before these there is no BLMOVE, without which a message can be lost with the worker that took it."""

DAY = 86400

ANSWER_WITHIN = 15.0
"""Seconds a command may take: on a connection whose other end is gone without a word, no answer comes."""

_KEEPALIVE = {"TCP_KEEPIDLE": 15, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}
"""While nothing is asked, such a connection is noticed within half a minute, where the system can do that."""

_P = ParamSpec("_P")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the stream `outcomes`; `data` is None when it is not what the contract says."""

    id: str
    data: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Message:
    """A batch as it lies in the queue, and its size in bytes."""

    batch: Mapping[str, Any]
    size: int


class Refusal(QueueError):
    """The queue's server is there and did nothing of what it was told."""


FULL_DISK = "the queue cannot write to its disk, and takes nothing until it can"
FULL_DISK_HINT = "make room where the queue keeps its files; what runs goes on by itself then"
FULL_MEMORY = "the queue's memory is full"


def _at_the_door(method: Callable[_P, _T]) -> Callable[_P, _T]:
    """Redis' errors as sentences."""

    @wraps(method)
    def translated(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        try:
            return method(*args, **kwargs)
        except redis.exceptions.AuthenticationError as error:
            raise QueueError(
                "the queue refuses the password", "was its server started by another run?"
            ) from error
        except (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError, OSError) as error:
            raise QueueError(f"the queue does not answer: {error}") from error
        except redis.exceptions.OutOfMemoryError as error:
            raise Refusal(FULL_MEMORY, "raise its `maxmemory`, or wait until it is worked off") from error
        except redis.exceptions.RedisError as error:
            if "MISCONF" in str(error):
                raise Refusal(FULL_DISK, FULL_DISK_HINT) from error
            raise Refusal(f"the queue refused a command: {error}") from error

    return translated


# ── connecting ───────────────────────────────────────────────────────────────────────────────
def connect(address: str, password: Secret, *, retries: int = 5) -> redis.Redis:
    """A client with an explicit retry policy: a `redis://` URL alone would have none.

    With `retries` 0 a command is sent at most once: whether it arrived is then to be found out.
    """
    policy = redis.retry.Retry(redis.backoff.ExponentialWithJitterBackoff(base=0.05, cap=1.0), retries)
    settings: dict[str, Any] = {
        "password": password.reveal() or None,
        "retry": policy,
        "socket_timeout": ANSWER_WITHIN,
        "socket_connect_timeout": 5.0,
        "protocol": 2,
    }
    if address.startswith(("redis:", "rediss:")):
        return redis.Redis.from_url(address, **settings)
    try:
        place = parse_address(address)
    except UsageError as error:
        raise UsageError(error.message, f"{error.hint}, or redis://host:port/0 for the queue") from None
    if isinstance(place, UnixAddress):
        return redis.Redis(unix_socket_path=place.path, **settings)
    options = {getattr(socket, name): value for name, value in _KEEPALIVE.items() if hasattr(socket, name)}
    return redis.Redis(
        host=place.host,
        port=place.port,
        socket_keepalive=True,
        socket_keepalive_options=options,
        **settings,
    )


def check_server(facts: Mapping[str, Any]) -> None:
    """`facts` is what INFO says. Raises QueueError when the server is too old."""
    kind = "valkey" if "valkey_version" in facts else "redis"
    version = str(facts.get(f"{kind}_version", "0"))
    if tuple(int(part) for part in version.split(".")[:2] if part.isdigit()) < LEAST[kind]:
        raise QueueError(
            f"the queue's server is {kind.capitalize()} {version}, which is too old",
            "Redis 6.2 or later, or Valkey 7.2 or later, is needed",
        )


class Queue:
    """The queue of one study. Every method may raise QueueError."""

    def __init__(self, client: redis.Redis, once: redis.Redis, study: str) -> None:
        """`once` is a client that sends a command at most once."""
        self._client = client
        self._prefix = f"cloudburst:{study}:"
        self._rq = rq.Queue(f"cloudburst-{study}", connection=once, serializer=JSONSerializer)
        self._wip = StartedJobRegistry(queue=self._rq)

    @classmethod
    @_at_the_door
    def open(cls, address: str, password: Secret, study: str) -> Self:
        """Connects and looks at the server's version."""
        client = connect(address, password)
        check_server(client.info("server"))
        return cls(client, connect(address, password, retries=0), study)

    def close(self) -> None:
        for client in (self._client, self._rq.connection):
            with contextlib.suppress(redis.exceptions.RedisError):
                client.close()

    def key(self, *parts: str) -> str:
        """`key("order", digest)` is `cloudburst:<study>:order:<digest>`."""
        return self._prefix + ":".join(parts)

    @_at_the_door
    def run_id(self) -> str:
        """Changes when the server starts anew."""
        return str(self._client.info("server")["run_id"])

    @_at_the_door
    def disk_problem(self) -> str:
        """Why the server takes no commands that write; empty while it does."""
        facts = self._client.info("persistence")
        is_well = facts.get("aof_last_write_status", "ok") == "ok"
        return "" if is_well else f"{FULL_DISK}: {FULL_DISK_HINT}"

    @_at_the_door
    def stop_server(self) -> None:
        """End the server, its log of commands on the disk."""
        self._client.shutdown()

    # ── orders ───────────────────────────────────────────────────────────────────────────────
    @_at_the_door
    def announce(self, order: Mapping[str, Any]) -> str:
        """Keep the order and make it the one that nodes prepare; its digest."""
        text = canonical(order)
        digest = hashlib.sha256(text.encode()).hexdigest()
        with self._client.pipeline() as pipe:
            pipe.set(self.key("order", digest), text)
            pipe.set(self.key("current"), digest)
            pipe.execute()
        return digest

    # ── batches ──────────────────────────────────────────────────────────────────────────────
    @_at_the_door
    def enqueue(
        self, batches: Sequence[Mapping[str, Any]], *, first: Sequence[Mapping[str, Any]] = ()
    ) -> None:
        """One RQ message each, in one transaction; those of `first` before all that wait. After an error
        they may have arrived or not, after a Refusal they have not."""
        messages = [_message(batch, at_front=True) for batch in reversed(first)]
        messages += [_message(batch) for batch in batches]
        if messages:
            self._rq.enqueue_many(messages)

    @_at_the_door
    def depth(self) -> int:
        """Messages that wait."""
        return int(self._client.llen(self._rq.key))

    @_at_the_door
    def look(self, batches: Sequence[str]) -> Sighting:
        """Where these batches are, at one moment."""
        with self._client.pipeline() as pipe:
            pipe.lrange(self._rq.key, 0, -1)
            pipe.lrange(self._rq.intermediate_queue_key, 0, -1)
            if batches:
                pipe.mget([self.key("lease", batch) for batch in batches])
            queued, taken, *leases = pipe.execute()
        holders = dict(zip(batches, leases[0], strict=True)) if leases else {}
        return Sighting(
            _texts(queued), _texts(taken), {batch: who.decode() for batch, who in holders.items() if who}
        )

    @_at_the_door
    def records(self) -> frozenset[str]:
        """Batches that RQ has a record of but that wait no more: taken, started, ended, failed."""
        registries = (self._rq.failed_job_registry, self._rq.finished_job_registry)
        with self._client.pipeline() as pipe:
            pipe.lrange(self._rq.intermediate_queue_key, 0, -1)
            pipe.zrange(self._wip.key, 0, -1)
            for registry in registries:
                pipe.zrange(registry.key, 0, -1)
            taken, started, *others = pipe.execute()
        held = {self._wip.parse_job_id(entry.decode()) for entry in started}
        return _texts(taken).union(held, *(_texts(ids) for ids in others))

    @_at_the_door
    def waiting(self) -> tuple[str, ...]:
        """Batches in the queue, the next one first."""
        return tuple(x.decode() for x in cast("list[bytes]", self._client.lrange(self._rq.key, 0, -1)))

    @_at_the_door
    def held(self) -> frozenset[str]:
        """Batches that somebody holds a lease on. Walks over every key: for the start only."""
        prefix = self.key("lease", "")
        return frozenset(
            x.decode().removeprefix(prefix) for x in self._client.scan_iter(f"{prefix}*", count=1000)
        )

    @_at_the_door
    def messages(self, batches: Iterable[str]) -> dict[str, Message]:
        """The batches as they were sent; one whose record is gone, or is not ours, is absent."""
        found = RqJob.fetch_many(list(batches), connection=self._client, serializer=JSONSerializer)
        return {job.id: message for job in found if job and (message := _read_message(job))}

    @_at_the_door
    def take_back(self) -> tuple[str, ...]:
        """Every batch that waits, taken out of the queue at once; no worker gets it any more."""
        with self._client.pipeline() as pipe:
            pipe.lrange(self._rq.key, 0, -1)
            pipe.delete(self._rq.key)
            waiting, _ = pipe.execute()
        batches = tuple(x.decode() for x in waiting)
        self.forget(batches)
        return batches

    @_at_the_door
    def forget(self, batches: Sequence[str]) -> None:
        """Remove every record of these batches, RQ's housekeeping included; their revocation stays."""
        if not batches:
            return
        gone = set(batches)
        started = [
            x for x in cast("list[bytes]", self._client.zrange(self._wip.key, 0, -1)) if self._is_of(x, gone)
        ]
        with self._client.pipeline() as pipe:
            for registry in (self._rq.failed_job_registry, self._rq.finished_job_registry):
                pipe.zrem(registry.key, *batches)
            if started:
                pipe.zrem(self._wip.key, *started)
            for batch in batches:
                pipe.lrem(self._rq.key, 0, batch)
                pipe.lrem(self._rq.intermediate_queue_key, 0, batch)
                pipe.delete(
                    RqJob.key_for(batch),
                    ExecutionRegistry.key_template.format(batch),
                    self.key("doing", batch),
                    self.key("done", batch),
                )
            pipe.execute()

    def _is_of(self, entry: bytes, batches: set[str]) -> bool:
        return self._wip.parse_job_id(entry.decode()) in batches

    @_at_the_door
    def revoke(self, batches: Sequence[str]) -> None:
        """Whoever holds one of these stops at once and records nothing more."""
        if batches:
            with self._client.pipeline() as pipe:
                pipe.sadd(self.key("revoked"), *batches)
                pipe.expire(self.key("revoked"), DAY)
                pipe.execute()

    @_at_the_door
    def doing(self, batches: Sequence[str]) -> dict[str, frozenset[str]]:
        """The jobs each batch is inside of, as noted before they were started."""
        with self._client.pipeline() as pipe:
            for batch in batches:
                pipe.hkeys(self.key("doing", batch))
            return dict(zip(batches, map(_texts, pipe.execute()), strict=True))

    @_at_the_door
    def mark_done(self, batch: str, ids: Iterable[str]) -> None:
        """A holder that begins this batch skips these jobs."""
        if some := list(ids):
            with self._client.pipeline() as pipe:
                pipe.sadd(self.key("done", batch), *some)
                pipe.expire(self.key("done", batch), DAY)
                pipe.execute()

    @_at_the_door
    def clear(self, batches: Sequence[str]) -> None:
        """The notes and marks of batches that are over."""
        if batches:
            self._client.delete(*(self.key(kind, batch) for batch in batches for kind in ("doing", "done")))

    # ── the stream of outcomes ───────────────────────────────────────────────────────────────
    @_at_the_door
    def read(self, after: str, *, wait: float = 0.0, at_most: int = 500) -> list[Entry]:
        """The next entries after an entry's id ("0-0": from the start), waiting up to so many seconds."""
        block = max(1, round(wait * 1000)) if wait else None
        found = self._client.xread({self.key("outcomes"): after}, count=at_most, block=block)
        return [
            Entry(entry.decode(), _entry(fields.get(b"entry")))
            for _, entries in cast("list[Any]", found or [])
            for entry, fields in entries
        ]

    @_at_the_door
    def trim(self, through: str) -> None:
        """Delete the entries up to this one: call it when the ledger has them, never before."""
        moment, _, number = through.partition("-")
        self._client.xtrim(self.key("outcomes"), minid=f"{moment}-{int(number) + 1}", approximate=False)

    # ── pausing ──────────────────────────────────────────────────────────────────────────────
    @_at_the_door
    def pause(self, reason: str) -> None:
        """Workers finish the job at hand and hand the rest of their batch back."""
        self._client.set(self.key("pause"), reason)

    @_at_the_door
    def resume(self) -> None:
        self._client.delete(self.key("pause"))

    @_at_the_door
    def pause_reason(self) -> str | None:
        """None when the study is not paused."""
        found = cast("bytes | None", self._client.get(self.key("pause")))
        return None if found is None else found.decode()

    # ── nodes ────────────────────────────────────────────────────────────────────────────────
    @_at_the_door
    def nodes(self) -> list[Mapping[str, Any]]:
        """How every node that reports is, by name."""
        names = sorted(cast("set[bytes]", self._client.smembers(self.key("nodes"))))
        if not names:
            return []
        found = cast(
            "list[bytes | None]", self._client.mget([self.key("node", name.decode()) for name in names])
        )
        return [node for text in found if text and (node := _json(text)) is not None]

    @_at_the_door
    def forget_nodes(self) -> None:
        """Until they report again (within 2 s) no node is known: what is known may be of a run that ended."""
        names = cast("set[bytes]", self._client.smembers(self.key("nodes")))
        if names:
            self._client.delete(*(self.key("node", name.decode()) for name in names))


def canonical(value: Mapping[str, Any]) -> str:
    """The JSON that digests are made of: sorted keys, no spaces, UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest_of(order: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical(order).encode()).hexdigest()


def _message(batch: Mapping[str, Any], *, at_front: bool = False) -> Any:
    """RQ's clock is off: the supervisor's starts when a job does. And RQ keeps nothing of the result."""
    return rq.Queue.prepare_data(
        FUNCTION,
        args=(batch,),
        timeout=-1,
        result_ttl=0,
        failure_ttl=DAY,
        description=f"{len(batch['jobs'])} jobs",
        job_id=batch["batch"],
        at_front=at_front,
    )


def _read_message(job: RqJob) -> Message | None:
    """None for a message that no controller of ours has sent."""
    try:
        (batch,) = job.args or ()
        if job.func_name == FUNCTION and batch["batch"] == job.id:
            return Message(batch, sum(len(json.dumps(one)) for one in batch["jobs"]))
    except Exception:
        return None
    return None


def _entry(text: bytes | None) -> Mapping[str, Any] | None:
    return None if text is None else _json(text)


def _json(text: bytes) -> Mapping[str, Any] | None:
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _texts(items: Iterable[bytes]) -> frozenset[str]:
    return frozenset(item.decode() for item in items)
