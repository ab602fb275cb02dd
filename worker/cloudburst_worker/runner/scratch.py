"""The slot's scratch: the working directory of its jobs, made new between them.

It holds a link for every top-level entry of the payload, so that a relative path means what it means
in the user's directory. What `setup()` left there stays; what a job leaves there goes.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import sys
from collections.abc import Callable
from typing import Any

_LEAST = 4 * 2**20
"""Bytes; a scratch with less is full."""


class Scratch:
    def __init__(self, path: str, payload: str) -> None:
        self.path = path
        self._links = {
            name: os.path.join(payload, name) for name in os.listdir(payload) if name != ".cloudburst"
        }
        self._spared: frozenset[str] = frozenset()

    def renew(self) -> None:
        """Makes the scratch as it was before the first job, and the working directory."""
        try:
            left = self._sweep()
        except OSError:
            left = self._start_over()
        for name, target in self._links.items():
            if name not in left:
                os.symlink(target, os.path.join(self.path, name))
        os.chdir(self.path)

    def spare_the_present(self) -> None:
        """From now on what is in the scratch stays: `setup()` may have put it there."""
        self._spared = frozenset(os.listdir(self.path)) - frozenset(self._links)

    def _sweep(self) -> set[str]:
        """Removes what does not belong; returns the links and spared entries still there."""
        left = set()
        with os.scandir(self.path) as entries:
            for entry in entries:
                if entry.name in self._spared or self._is_link(entry):
                    left.add(entry.name)
                else:
                    remove(entry.path)
        return left

    def _is_link(self, entry: os.DirEntry[str]) -> bool:
        target = self._links.get(entry.name)
        return target is not None and entry.is_symlink() and os.readlink(entry.path) == target

    def _start_over(self) -> set[str]:
        remove(self.path)
        os.makedirs(self.path, mode=0o700)
        self._spared = frozenset()
        return set()


def remove(path: str) -> None:
    """Removes a file or a tree, also one whose permissions forbid it. Nothing there is fine."""
    try:
        if stat.S_ISDIR(os.lstat(path).st_mode):
            if sys.version_info >= (3, 12):
                shutil.rmtree(path, onexc=_force)
            else:
                shutil.rmtree(path, onerror=_force)
        else:
            os.unlink(path)
    except FileNotFoundError:
        pass


def _force(_function: Callable[..., Any], path: str, _info: Any) -> None:
    """For `rmtree`: opens the way and tries once more."""
    parent = os.path.dirname(path)
    for directory in (parent, path):
        if os.path.isdir(directory) and not os.path.islink(directory):
            os.chmod(directory, 0o700)
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)


def is_full(path: str) -> bool:
    """Whether there is no room left where `path` is."""
    try:
        space = os.statvfs(path)
    except OSError:
        return False
    return space.f_bavail * space.f_frsize < _LEAST or (space.f_files > 0 and space.f_favail == 0)


def ran_out(error: BaseException | None) -> bool:
    """Whether an error, or one that led to it, says that there was no room."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        error = error.__cause__ or error.__context__
    return False
