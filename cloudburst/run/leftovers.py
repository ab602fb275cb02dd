"""What is written whole is written beside its place first; what a killed command left there, the next `apply` removes.

A name says whose it is: `.NAME.PID-MARK.partial`. What belongs to a process that still runs is left alone.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Iterable
from pathlib import Path

_LONGEST = 100
"""Characters of a name that are kept: with the rest no file system finds it too long."""

_LEFT = re.compile(r"\..+\.(?P<pid>[0-9]+)-[0-9a-f]{8}\.partial(-journal|-wal|-shm|\.[0-9]+\.partial)?")
"""SQLite writes its own files beside one of these, and an archive is written whole itself. Nothing else in a user's
directory looks like it."""


def beside(target: Path) -> Path:
    """A name in the same directory that nobody else has, to be written, moved to `target` or removed."""
    return target.with_name(f".{target.name[:_LONGEST]}.{os.getpid()}-{secrets.token_hex(4)}.partial")


def sweep(directories: Iterable[Path]) -> None:
    """Remove what killed commands left in these; one that does not exist has nothing."""
    for directory in directories:
        if not directory.is_dir():
            continue
        with os.scandir(directory) as entries:
            left = [entry.path for entry in entries if _is_left(entry.name)]
        for path in left:
            if os.path.isdir(path):
                shutil.rmtree(path, ignore_errors=True)
            else:
                Path(path).unlink(missing_ok=True)


def _is_left(name: str) -> bool:
    found = _LEFT.fullmatch(name)
    if found is None:
        return False
    from .processes import start_mark  # a plan names files and sweeps nothing: it need not know of processes

    return start_mark(int(found["pid"])) is None
