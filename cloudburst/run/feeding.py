"""Keeps a study's network sinks filled while it is computed: a thread for each, beside the controller's loop.

What a sink lacks is decided and written in `sinks/filling.py`. Here it is done again and again: a server
that is down, refuses us or loses its database delays, and loses nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..compile.measurements import make_names
from ..compile.normal import thaw
from ..errors import CloudBurstError, FileStoreError
from ..spec import build
from ..spec.ensemble import Ensemble, InfluxSink
from . import observe, secrets
from .file_store import RESULTS, FileStore
from .ledger import Ledger
from .outputs import finder
from .sinks.fed import Memory
from .sinks.filling import Fetch, Filling, Standing, Task
from .sinks.influxdb import Access, Influx, Unavailable
from .study import Study

log = logging.getLogger(__name__)

LOOK_EVERY = 0.2
"""Seconds between two looks at the ledger when the sink has everything."""

SOON, FIRST_WAIT, LONGEST_WAIT = 0.05, 0.5, 30.0
"""Seconds before a sink in trouble is tried again: almost at once, then twice as long each time."""

PATIENCE = 30.0
"""Seconds without any progress after which a command stops waiting for a sink."""

_LEAVE = 5.0
"""Seconds a thread has to end; what it is cut off from is written again the next time."""


# ── one sink ─────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class Place:
    """A network sink of a study, and what is needed to fill it."""

    sink: InfluxSink
    access: Access
    memory: Path

    @property
    def label(self) -> str:
        return f"influxdb {self.sink.database}"


def places_of(ensemble: Ensemble, written: Mapping[str, Any], home: Path) -> tuple[Place, ...]:
    """The network sinks that have an entry in `written` (sinks.json), which goes by position in `results`.

    What a sink holds is remembered under `home`, by server and database.
    """
    found = []
    for position, sink in enumerate(ensemble.results):
        entry = written.get(str(position))
        if isinstance(sink, InfluxSink) and entry is not None:
            access = Access.read(entry)
            key = hashlib.sha256(f"{access.url.rstrip('/')}\n{sink.database}".encode()).hexdigest()[:12]
            found.append(Place(sink, access, home / "sinks" / f"influxdb-{key}.sqlite"))
    return tuple(found)


@contextmanager
def _filling(
    place: Place, ensemble: Ensemble, jobs: Any, payload: str, ledger: Path, fetch: Fetch
) -> Iterator[Filling]:
    """For the thread that asks. Raises CloudBurstError."""
    task = Task(jobs, make_names(ensemble, place.sink), payload, place.sink)
    influx = Influx(place.access, place.sink.database)
    with (
        Ledger.open(ledger, ensemble.name) as opened,
        Memory(place.memory) as memory,
        contextlib.closing(influx),
    ):
        yield Filling(task, opened, fetch, influx, memory)


# ── beside the controller ────────────────────────────────────────────────────────────────────
class Feeding:
    """The sinks of the controller's study, each with its thread. `take_on` and `close` from one thread."""

    def __init__(self, home: Path, secrets_directory: Path, files: FileStore) -> None:
        self._home = home
        self._secrets = secrets_directory
        self._files = files
        self._feeders: tuple[_Feeder, ...] = ()

    def take_on(self, study: Study, ledger: Path) -> None:
        """Feed the sinks of this study from now on. Returns at once and raises nothing."""
        self.close()
        try:
            self._feeders = tuple(self._feeders_of(study, ledger))
        except Exception:
            log.exception("the network sinks of %s are not fed", study.name)
        for feeder in self._feeders:
            feeder.start()

    def _feeders_of(self, study: Study, ledger: Path) -> Iterator[_Feeder]:
        normal = study.assignment.normal.get("normal", {})
        if not any("influxdb" in sink for sink in normal.get("results", ())):
            return
        ensemble = build(normal)
        for place in places_of(ensemble, read_sinks(self._secrets), self._home):

            def opened(place: Place = place) -> contextlib.AbstractContextManager[Filling]:
                jobs = thaw(study.assignment.normal)
                return _filling(place, ensemble, jobs, study.payload, ledger, self._fetch)

            yield _Feeder(place.label, opened)

    def _fetch(self, digest: str) -> bytes | None:
        with tempfile.TemporaryDirectory(prefix="cloudburst-") as scratch:
            found = Path(scratch) / "object"
            try:
                self._files.get(RESULTS, digest, found)
            except CloudBurstError:
                if self._files.has(RESULTS, digest):
                    raise
                return None
            return found.read_bytes()

    def status(self, last_line: int) -> list[dict[str, Any]]:
        """`sinks` of the status, as of the ledger's line `last_line`. From any thread, and at once."""
        return [feeder.status(last_line) for feeder in self._feeders]

    def close(self) -> None:
        """End the threads; what is not fed yet is fed the next time."""
        feeders, self._feeders = self._feeders, ()
        for feeder in feeders:
            feeder.stop()
        for feeder in feeders:
            feeder.join(_LEAVE)


class _Feeder(threading.Thread):
    """Fills one sink until it is stopped."""

    def __init__(self, label: str, opened: Callable[[], contextlib.AbstractContextManager[Filling]]) -> None:
        super().__init__(name=label, daemon=True)
        self.label = label
        self._opened = opened
        self._stopping = threading.Event()
        self._standing = Standing()
        self._trouble = ""
        self._wait = 0.0

    def stop(self) -> None:
        self._stopping.set()

    def status(self, last_line: int) -> dict[str, Any]:
        return told(self.label, self._standing, last_line, self._trouble)

    def run(self) -> None:
        while not self._stopping.is_set():
            try:
                with self._opened() as filling:
                    self._fill(filling)
            except CloudBurstError as error:
                self._suffer(error)
            except Exception as error:
                log.exception("%s", self.label)
                self._suffer(CloudBurstError(f"{type(error).__name__}: {error}"))

    def _fill(self, filling: Filling) -> None:
        while not self._stopping.is_set():
            try:
                busy = filling.step()
            except Unavailable as error:
                self._standing = filling.standing()
                self._suffer(error)
            else:
                self._standing = filling.standing()
                self._recover()
                if not busy:
                    self._stopping.wait(LOOK_EVERY)

    def _recover(self) -> None:
        if self._trouble:
            log.info("%s is fed again", self.label)
        self._trouble, self._wait = "", 0.0

    def _suffer(self, error: CloudBurstError) -> None:
        """The first time it may only be a connection that was closed meanwhile: that is no trouble yet."""
        if self._wait:
            if error.message != self._trouble:
                log.warning("%s: %s", self.label, error.message)
            self._trouble = error.message
        self._wait = min(LONGEST_WAIT, max(FIRST_WAIT, 2 * self._wait)) if self._wait else SOON
        self._stopping.wait(self._wait)


def told(label: str, standing: Standing, last_line: int, trouble: str) -> dict[str, Any]:
    """An entry of `sinks` in the status. What the thread has not seen yet waits, too."""
    return {
        "sink": label,
        "points": standing.points,
        "waiting": standing.waiting + max(0, last_line - standing.seen),
        "problem": trouble or standing.problem,
        "note": standing.note,
    }


# ── all at once, for a command ───────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class Filled:
    """How a sink stands after `feed_all`: `waiting` jobs are not stored, `trouble` is what keeps them."""

    label: str
    points: int
    waiting: int
    trouble: str
    problem: str
    note: str

    def to_json(self) -> dict[str, Any]:
        return {
            "sink": self.label,
            "points": self.points,
            "waiting": self.waiting,
            "problem": self.trouble or self.problem,
            "note": self.note,
        }


def feed_all(
    study: observe.Study,
    written: Mapping[str, Any],
    *,
    files: FileStore | None = None,
    patience: float = PATIENCE,
    stop: Callable[[], bool] = lambda: False,
    on_trouble: Callable[[str, str], None] = lambda _label, _trouble: None,
) -> tuple[Filled, ...]:
    """Fill the network sinks of a study from this machine's ledger and file store.

    `written` as promised.promised_sinks says; `files`: where series are that are not on this machine yet. A sink that makes no progress for `patience` seconds is left as
    it is; `on_trouble` is told its label and what is wrong when waiting begins. Raises CloudBurstError when the ledger
    cannot be read. No thread or process is started.
    """
    if not study.places.ledger.exists():
        return ()
    return tuple(
        _fill_now(study, place, _finding(study, files), patience, stop, on_trouble)
        for place in places_of(study.ensemble, written, study.places.root)
    )


def _fill_now(
    study: observe.Study,
    place: Place,
    fetch: Fetch,
    patience: float,
    stop: Callable[[], bool],
    on_trouble: Callable[[str, str], None],
) -> Filled:
    payload = study.payload.digest
    with _filling(place, study.ensemble, study.jobs, payload, study.places.ledger, fetch) as filling:
        trouble = _persevere(filling, patience, stop, lambda said: on_trouble(place.label, said))
        standing = filling.standing()
    return Filled(place.label, standing.points, standing.waiting, trouble, standing.problem, standing.note)


def _finding(study: observe.Study, files: FileStore | None) -> Fetch:
    find = finder(study, files)

    def fetch(digest: str) -> bytes | None:
        try:
            return find(digest).read_bytes()
        except FileNotFoundError:
            return None
        except FileStoreError:
            if files is None or files.has(RESULTS, digest):
                raise
            return None

    return fetch


def _persevere(
    filling: Filling, patience: float, stop: Callable[[], bool], on_trouble: Callable[[str], None]
) -> str:
    """Until everything is stored, or nothing has moved for so long; what is wrong then."""
    moved, trouble = time.monotonic(), ""
    while not stop():
        try:
            if not filling.step():
                return ""
            moved, trouble = time.monotonic(), ""
        except Unavailable as error:
            if time.monotonic() - moved >= patience:
                return error.message
            if not trouble:
                trouble = error.message
                on_trouble(trouble)
            time.sleep(FIRST_WAIT)
    return trouble or "it was stopped"


def read_sinks(directory: Path) -> dict[str, Any]:
    """`sinks.json` of a directory of credentials. Raises CloudBurstError when it cannot be read."""
    try:
        found = json.loads(secrets.read(directory, secrets.SINKS).reveal())
    except ValueError as error:
        raise CloudBurstError(f"{secrets.SINKS} in {directory} is not JSON") from error
    return dict(found)
