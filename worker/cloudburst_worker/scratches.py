"""Where the scratches of a node lie: in memory where its share of that allows, else on disk."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from pathlib import Path

from . import machine
from .runner.scratch import remove

IN_MEMORY = Path("/dev/shm")  # noqa: S108 a directory of our own is made in it
PER_SLOT = 256 * 2**20
"""Bytes that have to be free per slot, on the tmpfs and of the memory, to work there."""

_PREFIX = "cloudburst-scratch-"


class Rooms:
    """Directories that hold the slots' scratches, made when they are first asked for.

    Each holds a lock as long as its process lives, so that what a killed one left is recognised and
    removed by the next.
    """

    def __init__(self, node: str, chosen: Path | None, on_disk: Path) -> None:
        self._node = node
        self._chosen = chosen
        self._on_disk = on_disk
        self._made: dict[Path, tuple[Path, int]] = {}

    def open(self, slots: int) -> tuple[Path, Path]:
        """The room to work in, and the one to move to when that is full; the same when nothing is better."""
        if self._chosen is not None:
            room = self._room(self._chosen)
            return room, room
        spare = self._room(self._on_disk)
        return (self._room(IN_MEMORY) if _fits_in_memory(slots) else spare), spare

    def close(self) -> None:
        for room, lock in self._made.values():
            with contextlib.suppress(OSError):  # the next node sweeps what a dying job still writes
                remove(str(room))
            os.close(lock)
        self._made.clear()

    def _room(self, base: Path) -> Path:
        if base not in self._made:
            base.mkdir(parents=True, exist_ok=True)
            _remove_abandoned(base)
            room = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{self._node}-", dir=base))
            self._made[base] = (room, _lock(room))
        return self._made[base][0]


def _fits_in_memory(slots: int) -> bool:
    with contextlib.suppress(OSError):
        space = os.statvfs(IN_MEMORY)
        free = min(space.f_bavail * space.f_frsize, machine.free_memory() // 4)
        return free >= slots * PER_SLOT and os.access(IN_MEMORY, os.W_OK)
    return False


def _lock(room: Path) -> int:
    """Takes the lock of a room; raises OSError when its process still lives."""
    descriptor = os.open(room / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _remove_abandoned(base: Path) -> None:
    for room in base.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            lock = _lock(room)
            remove(str(room))
            os.close(lock)
