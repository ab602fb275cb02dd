"""Taking a study down: ends what still runs of it, and removes what can be made again.

What is computed (the ledger, series, returned files) stays, unless it is asked for too.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..errors import CloudBurstError
from ..spec.ensemble import Ensemble, TableSink
from . import run_lock
from .places import Places, find_runtime_directory

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
            written = sink.file if isinstance(sink, TableSink) else sink.directory
            what = "a table" if isinstance(sink, TableSink) else "files written from the store"
            yield places.spec.parent / written, what, True


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
