"""This machine as a cluster of one node: the queue, the file store, the controller and a supervisor.

The same programs as on a swarm, with the arguments they have there; only addresses differ. They
run under the process that calls `start`, each in a session of its own so that Ctrl-C reaches the
caller alone, and each holds a pipe to it: when the caller is gone, they end in good order.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ... import assets
from ...errors import ProviderError, QueueError
from ...spec.ensemble import Ensemble
from .. import queue_server, secrets, study
from ..events import Doing, OnEvent, Warned
from ..places import Places, cache_directory, runtime_directory
from ..promised import promised_sinks, promised_variables
from ..run_lock import RunLock
from . import Endpoints

READY_WITHIN = 30.0
"""Seconds a part may take until it accepts connections (a queue reads its log of commands first)."""
WARM = 20
"""Seconds a job at hand has to end when the cluster is stopped in its middle; Ctrl-C waits before that."""
RESTARTS = 5
"""So many deaths of one part in a minute are no accident."""
PYTHON = (sys.executable, "-P", "-m")
"""`-P`: a file of the user's named like a module of ours is not taken for it."""


SAID = {"files": "file store"}
"""What people call a part, where its name is not that."""


@dataclass
class Part:
    """One program of the cluster and the process that runs it now."""

    name: str
    command: tuple[str, ...]
    log: Path
    environment: Mapping[str, str]
    speaks: str = ""
    text: str | None = None
    process: subprocess.Popen[bytes] | None = None
    deaths: list[float] = field(default_factory=list)

    def start(self) -> int:
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=dict(self.environment),
                start_new_session=True,
            )
        if self.text is not None and self.process.stdin is not None:
            self.process.stdin.write(self.text.encode())
            self.process.stdin.close()
        return self.process.pid

    def ended(self) -> int | None:
        """The exit status when the process is gone, negative for a signal; None while it runs."""
        return self.process.poll() if self.process else None

    def tell(self, sign: signal.Signals) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(sign)

    def wait(self, seconds: float) -> bool:
        """Until it is gone; False when it still runs after that time."""
        if self.process is None:
            return True
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        self.let_go()
        return True

    def let_go(self) -> None:
        """Close the pipe that says we are here: to the part, our end."""
        if self.process and self.process.stdin and not self.process.stdin.closed:
            self.process.stdin.close()

    def kill(self) -> None:
        self.tell(signal.SIGKILL)
        self.wait(5.0)

    def tail(self, lines: int = 8) -> str:
        try:
            return "\n".join(self.log.read_text("utf-8", errors="replace").splitlines()[-lines:])
        except OSError:
            return ""


class LocalCluster:
    """The parts on this machine. `watch` starts again what died; `stop` ends them in order."""

    def __init__(self, ensemble: Ensemble, places: Places, lock: RunLock, on_event: OnEvent) -> None:
        self._ensemble = ensemble
        self._places = places
        self._lock = lock
        self._on_event = on_event
        self._runtime = runtime_directory(places.root)
        self._parts: dict[str, Part] = {}
        self.endpoints = Endpoints(self._address("controller"), self._address("files"), places.secrets)

    @property
    def outlives_us(self) -> bool:
        return False

    def stands(self) -> bool:
        """What a killed command left has ended before there is a lock for us."""
        return False

    # ── starting ─────────────────────────────────────────────────────────────────────────────
    def start(self) -> Endpoints:
        """The study's directories are there. Raises QueueError when there is no queue server, ProviderError when a part does not come up."""
        server = queue_server.find()
        password = server.password if isinstance(server, queue_server.GivenServer) else None
        secrets.generate(
            self._places.secrets,
            environment=promised_variables(self._ensemble),
            sinks=promised_sinks(self._ensemble),
            queue_password=password,
        )
        study.forget(self._places.root)  # what an interrupted run was told; this one says it itself
        for part in self._plan(server):
            self._parts[part.name] = part
            _turn_log(part.log)
            self._on_event(Doing(part.name, "starting"))
            self._start(part)
        return self.endpoints

    def _plan(self, server: queue_server.ServerProgram | queue_server.GivenServer) -> list[Part]:
        """What to start, in order; nothing is started here."""
        if isinstance(server, queue_server.GivenServer):
            return [self._files(), self._controller(server.address), self._supervisor(server.address)]
        queue = self._address("queue")
        return [
            self._queue(server),
            self._files(),
            self._controller(queue, "--stop-queue"),
            self._supervisor(queue),
        ]

    def _queue(self, server: queue_server.ServerProgram) -> Part:
        configuration = queue_server.configuration(
            socket=self._runtime / "queue.sock",
            directory=self._places.queue,
            log=self._places.logs / "queue.log",
            password=secrets.read(self._places.secrets, secrets.QUEUE_PASSWORD),
        )
        return self._part("queue", (str(server.path), "-"), speaks="queue", text=configuration)

    def _files(self) -> Part:
        command: tuple[str, ...] = (*PYTHON, "cloudburst.run.file_store", "--listen", self._address("files"))
        command += ("--root", str(self._places.files), "--secrets", str(self._places.secrets), "--lifeline")
        return self._part("files", command, speaks="files")

    def _controller(self, queue: str, *options: str) -> Part:
        command: tuple[str, ...] = (
            *PYTHON,
            "cloudburst.run.controller",
            "--listen",
            self._address("controller"),
            "--queue",
            queue,
        )
        command += ("--home", str(self._places.root), "--secrets", str(self._places.secrets), "--lifeline")
        command += ("--files", self._address("files"))
        return self._part("controller", command + options, speaks="controller")

    def _supervisor(self, queue: str) -> Part:
        known = secrets.share_with_workers(self._places.secrets, self._places.secrets / "worker")
        command: tuple[str, ...] = (*PYTHON, "cloudburst_worker", "supervise", "--study", self._ensemble.name)
        command += ("--node", socket.gethostname(), "--queue", queue, "--files", self._address("files"))
        command += ("--secrets", str(known), "--cache", str(cache_directory()), "--scratch", "auto")
        command += ("--slots", str(self._ensemble.cluster.slots), "--grace", str(WARM))
        command += ("--lifeline",)
        found = {"PYTHONPATH": str(assets.worker_directory())}
        return self._part("supervisor", command, environment=found)

    def _part(
        self,
        name: str,
        command: tuple[str, ...],
        *,
        speaks: str = "",
        text: str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Part:
        base = {key: value for key, value in os.environ.items() if key != queue_server.URL_VARIABLE}
        return Part(
            name, command, self._places.logs / f"{name}.log", {**base, **(environment or {})}, speaks, text
        )

    def _address(self, name: str) -> str:
        return f"unix:{self._runtime / name}.sock"

    def _start(self, part: Part) -> None:
        if part.speaks:
            (self._runtime / f"{part.speaks}.sock").unlink(missing_ok=True)
        self._lock.note_part(part.name, part.start())
        if part.speaks:
            self._await_socket(part)

    def _await_socket(self, part: Part) -> None:
        path = self._runtime / f"{part.speaks}.sock"
        if (
            not _until(lambda: part.ended() is not None or _accepts(path), READY_WITHIN)
            or part.ended() is not None
        ):
            kind = QueueError if part.name == "queue" else ProviderError
            raise kind(f"the {part.name} did not start", f"it said:\n{part.tail()}\nmore in {part.log}")

    # ── watching ─────────────────────────────────────────────────────────────────────────────
    def watch(self) -> None:
        """Start again what died since the last look. Raises ProviderError when it keeps dying."""
        for part in self._parts.values():
            status = part.ended()
            if status is None:
                continue
            now = time.monotonic()
            part.deaths = [t for t in part.deaths if now - t < 60.0] + [now]
            if len(part.deaths) > RESTARTS:
                raise ProviderError(
                    f"the {part.name} died {len(part.deaths)} times in a minute",
                    f"it said:\n{part.tail()}\nmore in {part.log}",
                )
            self._on_event(Warned(f"the {SAID.get(part.name, part.name)} {_how(status)}; started again"))
            part.wait(0)
            self._start(part)

    # ── stopping ─────────────────────────────────────────────────────────────────────────────
    def stop(self, *, now: bool) -> None:
        """End every part: workers first, then who records, the queue last. `now` ends running jobs."""
        self._stop_supervisor(now=now)
        for name, seconds in (("controller", 60.0), ("files", 10.0), ("queue", 10.0)):
            part = self._parts.get(name)
            if part is None:
                continue
            part.tell(signal.SIGTERM)
            if not part.wait(seconds):
                part.kill()
            self._lock.drop_part(name)
        shutil.rmtree(self._runtime, ignore_errors=True)

    def _stop_supervisor(self, *, now: bool) -> None:
        part = self._parts.get("supervisor")
        if part is None:
            return
        part.tell(signal.SIGTERM)
        if now:
            part.let_go()
        if not part.wait(5.0 if now else WARM + 5.0):
            part.kill()
        self._lock.drop_part("supervisor")


def _accepts(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except OSError:
            return False
        return True


def _until(condition: Callable[[], bool], seconds: float) -> bool:
    """A process that gets ready gives no event; looked at a hundred times a second."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.01)
    return True


def _turn_log(log: Path) -> None:
    """Keep the log of the run before, and no more."""
    if log.exists():
        log.replace(log.with_suffix(".log.1"))


def _how(status: int) -> str:
    if status >= 0:
        return f"ended with exit code {status}"
    try:
        return f"was ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"was ended by signal {-status}"
