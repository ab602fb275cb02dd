"""`take`: one RQ worker. It takes batches from the queue and borrows runners from the supervisor.

RQ does what it is good at (the queue, the registries); its timeouts, results, callbacks, commands and
maintenance are off, because the supervisor's clock, the outcome stream and the controller do that here.
Of a message only the batch in it is read: whatever else may stand there names code to call, or somebody to tell.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from redis.exceptions import RedisError
from rq import Queue, SimpleWorker
from rq.exceptions import NoSuchJobError, StopRequested
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.timeouts import BaseDeathPenalty

from . import addresses, batch, leash, message
from .fetching import Fetcher
from .files import FileStore
from .queue import BLOCK, SILENCE, Keys, connect
from .runner.frames import Line

if TYPE_CHECKING:
    import redis

_WORKER_TTL = 75
_ROOM_LOOK = 30.0
_JOB_LOOK = 1.0
_DAY = 86_400


@dataclass(frozen=True)
class Options:
    """What the supervisor tells its RQ workers on the command line. `desk` is an inherited socket."""

    study: str
    node: str
    queue: str
    files: str
    secrets: Path
    cache: Path
    desk: int
    number: int


def main(options: Options) -> int:
    """Works until the supervisor says stop or is gone."""
    leash.tie_to_parent()
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(asctime)s %(message)s")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    secrets = addresses.read_secrets(options.secrets)
    patient = connect(options.queue, secrets.queue_password, silence=BLOCK + SILENCE)
    once = connect(options.queue, secrets.queue_password, patience=0.0)
    worker = Taker.make(options, patient, once, secrets.worker_token)
    worker.work(logging_level="WARNING")
    return 0


# ── stopping ─────────────────────────────────────────────────────────────────────────────────
class Stop:
    """Told by the supervisor over standard input: a line means "no new batch", its end "end now".

    A worker that waits for a message is called back by the server (CLIENT UNBLOCK), never by an
    exception inside redis-py: that could throw away a batch which has just arrived.
    """

    def __init__(self, connection: redis.Redis) -> None:
        self._connection = connection
        self._asked = threading.Event()
        self._blocked: int | None = None
        self._woken, wake = os.pipe()
        signal.signal(signal.SIGTERM, lambda *_: os.write(wake, b"\n") and None)
        threading.Thread(target=self._listen, daemon=True).start()

    def asked(self) -> bool:
        return self._asked.is_set()

    def waiting_as(self, client: int | None) -> None:
        """Says which client of the queue is about to wait for a message, or that none is."""
        self._blocked = client

    def _listen(self) -> None:
        while not self._asked.is_set():
            ready = select.select([0, self._woken], [], [])[0]
            for descriptor in ready:
                if not os.read(descriptor, 1024):
                    os._exit(0)  # the supervisor is gone
                self._asked.set()
        threading.Thread(target=self._call_back, daemon=True).start()
        while os.read(0, 1024):
            pass
        os._exit(0)

    def _call_back(self) -> None:
        while True:
            client = self._blocked
            if client is not None:
                with contextlib.suppress(RedisError, OSError):
                    self._connection.client_unblock(client)
            time.sleep(0.05)


# ── the supervisor ───────────────────────────────────────────────────────────────────────────
class SupervisorGone(Exception):
    """The supervisor hung up; this process is about to end too."""


class SupervisorDesk:
    """This worker's side of the supervisor's desk (desk.py)."""

    def __init__(self, sock: socket.socket) -> None:
        self._line = Line(sock)

    def room(self, meanwhile: Callable[[], None]) -> bool:
        """Waits for room for a batch; False when the node leaves. `meanwhile` is called every half minute."""
        answer = self._ask({"ask": "room"}, meanwhile, _ROOM_LOOK)
        return bool(answer["room"])

    def borrow(self, order: str, jobs: int, keep: Callable[[], None]) -> batch.Lent | None:
        answer = self._ask({"ask": "runner", "order": order, "jobs": jobs}, keep)
        return None if "refused" in answer else batch.Lent(answer["slot"], answer["payload"])

    def run(self, job: Mapping[str, Any], left: int, keep: Callable[[], None]) -> dict[str, Any] | None:
        local = {"inputs": job["inputs"]} if "inputs" in job else {}
        answer = self._ask({"run": job["job"], "argv": job["argv"], "left": left, **local}, keep)
        end: dict[str, Any] | None = answer.get("end")
        return None if end is None or end["status"] == "stopped" else end

    def leave(self) -> None:
        self._line.send({"ask": "leave"})

    def _ask(
        self, message: dict[str, Any], meanwhile: Callable[[], None], every: float = _JOB_LOOK
    ) -> dict[str, Any]:
        self._line.send(message)
        while not self._line.waiting() and not select.select([self._line], [], [], every)[0]:
            meanwhile()
        body = self._line.read()
        if body is None:
            raise SupervisorGone
        answer: dict[str, Any] = json.loads(body)
        return answer


# ── RQ ───────────────────────────────────────────────────────────────────────────────────────
class NoDeathPenalty(BaseDeathPenalty):
    """RQ's clock starts with the message; ours starts with the job and belongs to the supervisor."""

    def setup_death_penalty(self) -> None:
        pass

    def cancel_death_penalty(self) -> None:
        pass


class BatchJob(Job):
    """An RQ job that can be a batch and nothing else.

    Only the field `data` of its record is ever read. Callbacks, webhooks, retries, repeats and limits,
    which RQ would obey, stay what they are in a job that never had any.
    """

    home = ""  # RQ's name of the one queue
    tools: batch.Tools | None = None

    def refresh(self) -> None:
        self.restore({b"data": _NOTHING, b"origin": self.home.encode()})
        self.timeout, self.failure_ttl = -1, _DAY
        self._content: Mapping[str, Any] | None = None
        self._refusal = ""
        try:
            self._content = message.read(self._fetch_data(), self.id)
        except message.NotABatch as error:
            self._refusal = str(error)

    def _fetch_data(self) -> bytes:
        """The message as it lies in the queue. Its size is asked first, so that it cannot fill this process."""
        message.check_size(self.connection.hstrlen(self.key, "data"))
        data: Any = self.connection.hget(self.key, "data")
        if data is None:
            raise NoSuchJobError(f"no such message: {self.key}")
        return bytes(data)

    def perform(self) -> None:
        if self._content is None or self.tools is None:
            raise message.NotABatch(self._refusal)
        batch.run(self._content, self.tools)

    def send_webhooks(self, *_args: Any, **_options: Any) -> None:
        """A message does not tell a worker whom to call."""

    def get_result_ttl(self, *_args: Any, **_options: Any) -> int:
        """Nothing is kept: outcomes are in their stream."""
        return 0


_NOTHING = json.dumps([message.FUNCTION, None, [], {}]).encode()
"""What RQ itself gets to see of every message."""


class OneQueue(Queue):
    """Waits for a message in a way that `Stop` can end."""

    job_class = BatchJob
    stop: Stop

    @classmethod
    def lmove(cls, connection: redis.Redis, queue_key: str, timeout: int | None) -> Any:
        cls.stop.waiting_as(connection.client_id())
        try:
            if cls.stop.asked():
                raise StopRequested
            return super().lmove(connection, queue_key, timeout)
        finally:
            cls.stop.waiting_as(None)


class Taker(SimpleWorker):
    """An RQ worker that asks the supervisor for room before it takes a batch."""

    job_class = BatchJob
    queue_class = OneQueue
    death_penalty_class = NoDeathPenalty
    log_result_lifespan = False

    desk: SupervisorDesk
    tools: batch.Tools
    stop: Stop
    _at_hand: BatchJob | None = None

    @classmethod
    def make(cls, options: Options, patient: redis.Redis, once: redis.Redis, token: str) -> Taker:
        """RQ's own housekeeping goes over `patient`, what a batch has to tell over `once`."""
        keys, stop = Keys(options.study), Stop(once)
        OneQueue.stop, BatchJob.home = stop, keys.queue
        worker = cls(
            [keys.queue],
            name=f"{options.node}-{options.number}-{token_hex(3)}-{os.getpid()}",
            connection=patient,
            default_result_ttl=0,
            worker_ttl=_WORKER_TTL,
            serializer=JSONSerializer,
            log_job_description=False,
        )
        worker.stop = stop
        worker.desk = SupervisorDesk(socket.socket(fileno=options.desk))
        worker.tools = batch.Tools(
            queue=once,
            keys=keys,
            desk=worker.desk,
            files=FileStore(options.files, token),
            fetcher=Fetcher(options.cache, options.study, lambda: FileStore(options.files, token)),
            node=options.node,
            worker=worker.name,
            stopping=stop.asked,
            beat=worker._beat,
        )
        return worker

    def dequeue_job_and_maintain_ttl(
        self, timeout: int | None, max_idle_time: int | None = None
    ) -> tuple[Job, Queue] | None:
        if not self.desk.room(self.heartbeat):
            return None
        return super().dequeue_job_and_maintain_ttl(timeout, max_idle_time)

    def execute_job(self, job: Job, queue: Queue) -> None:
        if isinstance(job, BatchJob):
            job.tools = self.tools
            self._at_hand = job
        super().execute_job(job, queue)

    @property
    def dequeue_timeout(self) -> int:
        return BLOCK

    @property
    def connection_timeout(self) -> int:
        return BLOCK + int(SILENCE)

    def _beat(self) -> None:
        """Keeps RQ's records alive through a batch of hours."""
        if self._at_hand is not None and self.execution is not None:
            with contextlib.suppress(RedisError, OSError):  # they are for people to look at
                self.maintain_heartbeats(self._at_hand, self.execution)

    # ── what is off ──────────────────────────────────────────────────────────────────────────
    @property
    def should_run_maintenance_tasks(self) -> bool:
        """The controller does RQ's housekeeping: idle workers look only between dequeues."""
        return False

    def check_for_suspension(self, burst: bool) -> None:
        """Pausing is the study's own (`pause`), seen between two jobs."""

    def subscribe(self) -> None:
        """No commands over pub/sub: anybody who can publish could give them."""

    def unsubscribe(self) -> None:
        """Nothing was subscribed to."""

    def _install_signal_handlers(self) -> None:
        """`Stop` has them."""
