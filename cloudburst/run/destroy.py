"""Taking a study down: ends what still runs of it, and removes what can be made again.

What is computed (the ledger, series, returned files) stays, unless it is asked for too. From a swarm it
is fetched first, and then nothing of the study is left there (dismantle.py).
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ..errors import CloudBurstError, ControllerError, FileStoreError, ProviderError, Unreachable
from ..spec.ensemble import Ensemble, InfluxSink, TableSink
from . import objects, replica, run_lock
from .events import Doing, OnEvent, Warned
from .observe import Study
from .outputs import write_outputs
from .places import Places, find_runtime_directory
from .providers import Connected

if TYPE_CHECKING:
    from .dismantle import Dismantled, Remains
    from .swarm import Swarm

ENDED_WITHIN = 60.0
"""Seconds for jobs that were cancelled to be recorded as such."""

Depth = Literal["keep", "discard", "purge"]
"""`keep` what is computed; `discard` it; `purge` the tables and files written from it as well."""


@dataclass(frozen=True)
class Removal:
    """One thing that goes. `size` in bytes; `computed` when it cannot be made again without computing."""

    path: Path
    what: str
    size: int
    computed: bool


def plan_removal(ensemble: Ensemble, places: Places, depth: Depth) -> tuple[Removal, ...]:
    """What `destroy` would remove; only what is there. Touches nothing."""
    listed = (*_made_again(places), *(_computed(ensemble, places, depth)))
    return tuple(
        Removal(path, what, _size(path), computed) for path, what, computed in listed if _exists(path)
    )


def _made_again(places: Places) -> Iterator[tuple[Path, str, bool]]:
    yield places.queue, "the queue's memory", False
    yield places.logs, "logs of the parts", False
    yield places.secrets, "credentials", False
    yield places.plans, "plans", False
    yield places.files / "payload", "packed code and inputs", False
    yield places.root / "study.json", "what the controller was told", False
    runtime = find_runtime_directory(places.root)
    if runtime is not None:
        yield runtime, "sockets", False


def _computed(ensemble: Ensemble, places: Places, depth: Depth) -> Iterator[tuple[Path, str, bool]]:
    if depth == "keep":
        return
    for suffix in ("", "-wal", "-shm"):
        yield places.ledger.with_name(places.ledger.name + suffix), "the ledger: every recorded outcome", True
    yield places.files, "series and files that jobs returned", True
    if depth == "purge":
        for sink in ensemble.results:
            if not isinstance(sink, InfluxSink):
                what = "a table" if isinstance(sink, TableSink) else "files written from the store"
                yield places.spec.parent / sink.written, what, True


def destroy(ensemble: Ensemble, places: Places, depth: Depth) -> tuple[Removal, ...]:
    """Do it; what was removed. Raises StudyBusy while somebody works on the study."""
    if not places.root.is_dir():
        removals = plan_removal(ensemble, places, depth)
        for removal in removals:
            _remove(removal.path)
        return removals
    with run_lock.hold(places.lock, study=ensemble.name):
        removals = plan_removal(ensemble, places, depth)
        for removal in removals:
            _remove(removal.path)
        if depth != "keep":
            places.lock.unlink(missing_ok=True)
    _drop_if_empty(places.files, places.root)
    return removals


# ── on a swarm ───────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class Afar:
    """What of a study is on its swarm, reached. Good inside the `with` of `standing_afar`."""

    where: str
    remains: Remains
    _swarm: Swarm
    _places: Places

    def take_down(self, study: Study | None, on_event: OnEvent) -> Dismantled:
        """Remove it, once what is computed there is here: `study` None means that nobody wants it.

        Raises StudyBusy, and ProviderError when results cannot be fetched (nothing is removed then) or
        something could not be removed.
        """
        from .dismantle import dismantle

        self._places.root.mkdir(parents=True, exist_ok=True)
        with run_lock.hold(self._places.lock, study=self._places.study):
            if study is not None:
                self._bring_home(study, on_event)
            return dismantle(self._swarm, self._places.study, on_event)

    def _bring_home(self, study: Study, on_event: OnEvent) -> None:
        from .providers.swarm import connect

        try:
            there = connect(self._swarm, self._places.study, self._places)
            if there is not None:
                _fetch_everything(study, there, on_event)
            elif self.remains.volumes:
                raise ProviderError("its controller does not stand")
        except (ControllerError, FileStoreError, ProviderError) as error:
            raise ProviderError(
                f"what {self._places.study} has computed cannot be fetched from {self.where}: {error.message}",
                "`cloudburst apply` mends the stack; `cloudburst destroy --discard` gives its results up",
            ) from error


@contextmanager
def standing_afar(ensemble: Ensemble, places: Places) -> Iterator[Afar | None]:
    """None for a study of this machine, and where nothing of it is left. Raises ProviderError, Unreachable
    when there is no way to the machine now."""
    if ensemble.cluster.provider == "local":
        yield None
        return
    from . import rollout
    from .dismantle import survey
    from .providers.swarm import PATIENCE, managed

    try:
        with managed(ensemble, places, patience=PATIENCE) as swarm:
            rollout.check(swarm)
            remains = survey(swarm, ensemble.name)
            yield Afar(swarm.link.where, remains, swarm, places) if remains else None
    except Unreachable as error:
        raise Unreachable(
            error.message,
            "when those machines are gone for good, `cloudburst destroy --local` removes what is here",
        ) from error


def _fetch_everything(study: Study, there: Connected, on_event: OnEvent) -> None:
    """Jobs that run are ended first, so that nothing is recorded any more when we have all."""
    there.controller.cancel(now=True)
    deadline = time.monotonic() + ENDED_WITHIN
    while there.controller.status()["running"] and time.monotonic() < deadline:
        time.sleep(0.5)
    on_event(Doing("results", "fetching rows"))
    replica.pull(study, there.controller)
    on_event(Doing("results", "fetching series and files"))
    fetched = objects.fetch_objects(study, there.files)
    if fetched.missing:
        on_event(Warned(f"{len(fetched.missing)} series or files are not in the file store any more"))
    on_event(Doing("results", "writing tables"))
    write_outputs(study)


# ── here ─────────────────────────────────────────────────────────────────────────────────────
def _remove(path: Path) -> None:
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise CloudBurstError(
            f"cannot remove {error.filename or path}: {(error.strerror or str(error)).lower()}"
        ) from error


def _drop_if_empty(*directories: Path) -> None:
    for directory in directories:
        if directory.is_dir() and not any(directory.iterdir()):
            directory.rmdir()


def _exists(path: Path) -> bool:
    return path.exists() or path.is_symlink()


def _size(path: Path) -> int:
    if path.is_dir() and not path.is_symlink():
        return sum(p.lstat().st_size for p in path.rglob("*") if not p.is_dir())
    return path.lstat().st_size
