"""The node's cache: payloads, inputs and environments, each made once, by whoever comes first."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import hashlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from . import archives
from .files import Refused, Source, StoreAway
from .orders import Broken, Input
from .usage import Usage, locked

Say = Callable[[str], None]


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


def settle(place: Path) -> None:
    """Returns when what was written is on the disk: what is called whole has to be so after a power cut."""
    descriptor = os.open(place, os.O_RDONLY)
    try:
        if sys.platform == "linux" and ctypes.CDLL(None).syncfs(descriptor) == 0:
            return
        os.sync()
    finally:
        os.close(descriptor)


class Cache:
    """`root` is the node's cache directory; supervisors of several studies may share it."""

    def __init__(self, root: Path, source: Source) -> None:
        self.root = root
        self._source = source
        self._users: dict[str, Usage] = {}

    def used_by(self, study: str) -> Usage:
        """Where to say what the study wants; held as long as this cache is. Raises Broken."""
        with disk_errors("the cache", self.root):
            if study not in self._users:
                self._users[study] = Usage(self.root, study)
            return self._users[study]

    def let_go(self) -> None:
        """Nothing of it is used by this process any more."""
        while self._users:
            self._users.popitem()[1].let_go()

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
                settle(half)
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
            raise Broken(f"{what} cannot be fetched: {error}", mends=error.status == 404) from error
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
