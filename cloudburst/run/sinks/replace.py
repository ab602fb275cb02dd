"""Replacing a file whole: readers see the old one or the new one, never half of one."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from ...errors import CloudBurstError
from ..leftovers import beside


@contextlib.contextmanager
def replaced_whole(path: Path) -> Iterator[Path]:
    """Gives a name beside `path` to write to; on success it takes the place of `path`.

    Directories are made as needed; a link is followed, so that what it points to is replaced.
    Raises CloudBurstError where the file cannot be written.
    """
    target = path.resolve()
    if target.is_dir():
        raise CloudBurstError(f"{path} is a directory", "give the name of a file in it, such as results.csv")
    new = beside(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as stack:
            stack.callback(new.unlink, missing_ok=True)
            yield new
            _settle(new)
            new.replace(target)
    except OSError as error:
        raise _cannot_write(path, error) from error


def _settle(path: Path) -> None:
    """The bytes are on the disk before the name points at them: a power cut leaves no empty table."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _cannot_write(path: Path, error: OSError) -> CloudBurstError:
    why = (error.strerror or str(error)).lower()
    return CloudBurstError(
        f"cannot write {path}: {why}",
        "change `path` under `results`, or make the place writable; what is computed is kept in the ledger",
    )
