"""Which study uses what of a node's cache, so that a study's part can go when the study goes.

The cache is shared by all studies of a node. An empty file `used/<study>/<kind>-<digest>` says that a
study wants something; it is made before the thing is, and both happen under one lock with `forget`,
so whatever has no such file is in nobody's hands.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from . import archives

Kind = Literal["payload", "input", "environment"]

_PLACES: Mapping[Kind, str] = {"payload": "payloads", "input": "inputs", "environment": "environments"}
_HELD = ".held"


class InUse(Exception):
    """A worker of the study runs on this node."""


@contextlib.contextmanager
def locked(file: Path) -> Iterator[None]:
    """Holds the lock `file`; waits while another process on this node has it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield


def _marking(root: Path) -> contextlib.AbstractContextManager[None]:
    return locked(root / "locks" / "used")


class Usage:
    """What one study uses, from now until `let_go` or the end of the process."""

    def __init__(self, root: Path, study: str) -> None:
        self._root = root
        self._place = root / "used" / study
        with _marking(root):
            self._place.mkdir(parents=True, exist_ok=True)
            self._held = os.open(self._place / _HELD, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._held, fcntl.LOCK_SH)

    def mark(self, kind: Kind, digest: str) -> None:
        """Says that the study wants this; call it before looking whether it is there."""
        with _marking(self._root):
            (self._place / f"{kind}-{digest}").touch()

    def let_go(self) -> None:
        """This process works for the study no more."""
        os.close(self._held)


@dataclass(frozen=True)
class Removed:
    """What `forget` took away, and which studies still use the cache."""

    counts: Mapping[Kind, int]
    bytes: int
    others: tuple[str, ...]


def forget(root: Path, study: str) -> Removed:
    """Removes what only this study used. Raises InUse while one of its workers runs, and OSError."""
    with _marking(root):
        _forget_marks(root / "used" / study)
        marks = {path.name for path in (root / "used").glob("*/*")}
        counts: dict[Kind, int] = {}
        size = 0
        for kind in _PLACES:
            unused = [digest for digest in _digests(root, kind) if f"{kind}-{digest}" not in marks]
            counts[kind] = len(unused)
            size += sum(_take_away(root, kind, digest) for digest in unused)
        others = tuple(sorted(path.name for path in (root / "used").glob("*")))
        if not others:
            size += _remove(root / "home") + _remove(root / "bytecode")
        return Removed(counts, size, others)


def _forget_marks(place: Path) -> None:
    if not place.is_dir():
        return
    with (place / _HELD).open("a") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InUse(f"a worker of {place.name} still runs on this node") from None
        archives.remove(place)


def _digests(root: Path, kind: Kind) -> set[str]:
    """What of a kind is there, whole or half: `.<digest>.half` and its like are what a power cut left."""
    return {path.name.lstrip(".").partition(".")[0] for path in (root / _PLACES[kind]).glob("*")}


def _take_away(root: Path, kind: Kind, digest: str) -> int:
    """Removes one thing with all that belongs to it; its size in bytes."""
    place = root / _PLACES[kind] / digest
    belongings = [place, *place.parent.glob(f".{digest}.*"), root / "locks" / digest]
    if kind == "environment":
        belongings.append(root / "bytecode" / digest)
    else:
        belongings += (root / "bytecode").glob(f"*/{place.absolute().relative_to('/')}")
    return sum(map(_remove, belongings))


def _remove(path: Path) -> int:
    size = _size(path)
    if path.is_dir() and not path.is_symlink():
        archives.remove(path)
    else:
        path.unlink(missing_ok=True)
    return size


def _size(path: Path) -> int:
    if not path.is_dir() or path.is_symlink():
        return path.lstat().st_size if path.exists() or path.is_symlink() else 0
    return sum(
        os.lstat(os.path.join(directory, name)).st_size
        for directory, _, files in os.walk(path)
        for name in files
    )
