"""The node's cache: payloads, inputs and environments, each made once, by whoever comes first."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from . import archives
from .files import Refused, Source, StoreAway
from .orders import Broken, Input

Say = Callable[[str], None]


@contextlib.contextmanager
def locked(file: Path) -> Iterator[None]:
    """Holds the lock `file`; waits while another process on this node has it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def disk_errors(what: str, place: Path) -> Iterator[None]:
    """Turns the errors of a disk into Broken."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise Broken(f"there is no space left on the disk for {what} ({place})", mends=True) from error
        raise Broken(
            f"{what} cannot be written to {place}: {error.strerror}", str(error), mends=True
        ) from error


class Cache:
    """`root` is the node's cache directory; several supervisors may share it."""

    def __init__(self, root: Path, source: Source) -> None:
        self.root = root
        self._source = source

    def payload(self, digest: str, say: Say) -> Path:
        """The unpacked, read-only payload. Raises Broken."""
        place = self.root / "payloads" / digest
        if not place.is_dir():
            say("fetching the payload")
            self._build(place, digest, "the payload", archives.unpack)
        return place

    def input(self, one: Input, say: Say) -> Path:
        """The local path of a shared input, read-only. Raises Broken."""
        if Path(one.name).name != one.name or one.name in ("", ".", ".."):
            raise Broken(f"the input name {one.name!r} is no file name")
        place = self.root / "inputs" / one.digest / one.name
        if not place.exists():
            say(f"fetching the input {one.name}")
            make = archives.unpack if one.kind == "tree" else _keep
            self._build(place, one.digest, f"the input {one.name}", make)
        return place

    def _build(self, place: Path, digest: str, what: str, make: Callable[[Path, Path], None]) -> None:
        """Fetches an object and makes `place` of it, complete or not at all."""
        with disk_errors(what, self.root), locked(self.root / "locks" / digest):
            if place.exists():
                return
            place.parent.mkdir(parents=True, exist_ok=True)
            object_, half = place.parent / f".{digest}.object", place.parent / f".{digest}.half"
            try:
                self._fetch(digest, object_, what)
                archives.remove(half)
                make(object_, half)
                os.rename(half, place)
            finally:
                object_.unlink(missing_ok=True)
                if half.is_dir():
                    archives.remove(half)

    def _fetch(self, digest: str, target: Path, what: str) -> None:
        try:
            self._source.fetch(digest, target)
        except StoreAway as error:
            raise Broken(f"{what} cannot be fetched: {error}", mends=True) from error
        except Refused as error:
            raise Broken(f"{what} cannot be fetched: {error}") from error
        found = _sha256(target)
        if found != digest:
            raise Broken(
                f"{what} is damaged: its content does not match its name", f"{found} instead of {digest}"
            )


def _keep(object_: Path, target: Path) -> None:
    object_.chmod(0o444)
    os.rename(object_, target)


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
