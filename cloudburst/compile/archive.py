"""A zip with the same bytes everywhere: stored, sorted by its maker, without times, owners or hosts.

Written here and not by `zipfile`, because the digest of these bytes is what outcomes are recorded
under: another Python's idea of a header must not make a finished study stale. Reading is `zipfile`'s.
The format is PKWARE's APPNOTE.TXT 6.3, with ZIP64 where a number outgrows its field.
"""

from __future__ import annotations

import hashlib
import os
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from ..errors import CloudBurstError

_FIELD_32, _FIELD_16 = 0xFFFFFFFF, 0xFFFF  # a number as large as its field stands in the ZIP64 part
_NEEDS_STORED, _NEEDS_ZIP64 = 20, 45
_UTF8_NAME = 0x0800
_UNIX = 3
_MIDNIGHT_1980 = (0, 0x0021)  # DOS time and date: the format's first moment
_CHUNK = 1 << 20
_SMALL = 8 << 20  # read once and held; anything larger is read twice

_LOCAL = struct.Struct("<4sHHHHHIIIHH")
_CENTRAL = struct.Struct("<4sBBHHHHHIIIHHHHHII")
_END_64 = struct.Struct("<4sQBBHIIQQQQ")
_LOCATOR_64 = struct.Struct("<4sIQI")
_END = struct.Struct("<4sHHHHIIH")


class Sink(Protocol):
    """Where bytes go: a file, a hash, both."""

    def write(self, data: bytes, /) -> object: ...


@dataclass(frozen=True)
class Entry:
    """One file to be: its name inside, forward slashes; its bytes, from `source` or as given."""

    name: str
    source: Path | None
    content: bytes = b""
    executable: bool = False


@dataclass(frozen=True)
class _Written:
    name: bytes
    crc: int
    size: int
    offset: int
    executable: bool


def write_archive(entries: Iterable[Entry], sink: Sink) -> None:
    """Writes the entries in the order given. Needs one file's chunk of memory, not the archive's.

    Raises CloudBurstError for a file that cannot be read or changes while it is read.
    """
    counted = _Counted(sink)
    written = [_write_entry(entry, counted) for entry in entries]
    _write_directory(written, counted)


def digest_of(entries: Iterable[Entry]) -> tuple[str, int]:
    """(sha256 as hex, bytes) of the archive these entries make. Raises what `write_archive` does."""
    tally = _Tally()
    write_archive(entries, tally)
    return tally.hash.hexdigest(), tally.size


def crc_and_size(entry: Entry) -> tuple[int, int]:
    """As a zip's directory has them. Raises CloudBurstError for a file that cannot be read."""
    crc, size, _ = _measure(entry)
    return crc, size


def save_archive(entries: Iterable[Entry], path: Path, digest: str | None = None) -> tuple[str, int]:
    """Writes the archive to `path`: whole or not at all; its sha256 and its bytes. `digest` is what it must come to.

    Raises CloudBurstError when it does not: a file changed since the digest was taken.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with temporary.open("wb") as file:
            tally = _Tally(file)
            write_archive(entries, tally)
            if digest not in (None, tally.hash.hexdigest()):
                raise _changed("a file of the worker directory or of an input")
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return tally.hash.hexdigest(), tally.size


class _Counted:
    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        self.position = 0

    def write(self, data: bytes) -> None:
        self.sink.write(data)
        self.position += len(data)


class _Tally:
    """Hashes and counts what passes through, on its way to a file if there is one."""

    def __init__(self, file: BinaryIO | None = None) -> None:
        self.hash = hashlib.sha256()
        self.size = 0
        self.file = file

    def write(self, data: bytes) -> None:
        self.hash.update(data)
        self.size += len(data)
        if self.file is not None:
            self.file.write(data)


def _write_entry(entry: Entry, sink: _Counted) -> _Written:
    name = entry.name.encode()
    crc, size, held = _measure(entry)
    written = _Written(name, crc, size, sink.position, entry.executable)
    sink.write(_local_header(written))
    if held is not None:
        sink.write(held)
    else:
        _copy_again(entry, written, sink)
    return written


def _measure(entry: Entry) -> tuple[int, int, bytes | None]:
    """CRC, size, and the bytes themselves when they are few: the header comes before the data."""
    crc, size = 0, 0
    held: list[bytes] = []
    for chunk in _chunks(entry):
        crc = zlib.crc32(chunk, crc)
        size += len(chunk)
        if size <= _SMALL:
            held.append(chunk)
    return crc, size, b"".join(held) if size <= _SMALL else None


def _copy_again(entry: Entry, written: _Written, sink: _Counted) -> None:
    crc, size = 0, 0
    for chunk in _chunks(entry):
        crc = zlib.crc32(chunk, crc)
        size += len(chunk)
        sink.write(chunk)
    if (crc, size) != (written.crc, written.size):
        raise _changed(entry.name)


def _chunks(entry: Entry) -> Iterator[bytes]:
    if entry.source is None:
        yield entry.content
        return
    try:
        with entry.source.open("rb") as file:
            while chunk := file.read(_CHUNK):
                yield chunk
    except OSError as error:
        raise CloudBurstError(f"{entry.source} cannot be read: {error.strerror}") from error


def _changed(what: str) -> CloudBurstError:
    return CloudBurstError(
        f"{what} changed while it was being packed",
        hint="wait until whatever writes it is done, then run the command again",
    )


def _local_header(written: _Written) -> bytes:
    extra = b""
    size = written.size
    if written.size >= _FIELD_32:
        extra = struct.pack("<HHQQ", 1, 16, written.size, written.size)
        size = 0xFFFFFFFF
    needs = _NEEDS_ZIP64 if extra else _NEEDS_STORED
    head = _LOCAL.pack(
        b"PK\3\4",
        needs,
        _UTF8_NAME,
        0,
        *_MIDNIGHT_1980,
        written.crc,
        size,
        size,
        len(written.name),
        len(extra),
    )
    return head + written.name + extra


def _central_header(written: _Written) -> bytes:
    large = b""
    size, offset = written.size, written.offset
    if size >= _FIELD_32:
        large += struct.pack("<QQ", size, size)
        size = 0xFFFFFFFF
    if offset >= _FIELD_32:
        large += struct.pack("<Q", offset)
        offset = 0xFFFFFFFF
    extra = struct.pack("<HH", 1, len(large)) + large if large else b""
    needs = _NEEDS_ZIP64 if large else _NEEDS_STORED
    mode = 0o100755 if written.executable else 0o100644
    head = _CENTRAL.pack(
        b"PK\1\2", needs, _UNIX, needs, _UTF8_NAME, 0, *_MIDNIGHT_1980, written.crc, size, size,
        len(written.name), len(extra), 0, 0, 0, mode << 16, offset,
    )  # fmt: skip
    return head + written.name + extra


def _write_directory(entries: list[_Written], sink: _Counted) -> None:
    start = sink.position
    for written in entries:
        sink.write(_central_header(written))
    end = sink.position
    count, size = len(entries), end - start
    if count >= _FIELD_16 or size >= _FIELD_32 or start >= _FIELD_32:
        sink.write(
            _END_64.pack(
                b"PK\6\6", 44, _NEEDS_ZIP64, _UNIX, _NEEDS_ZIP64, 0, 0, count, count, size, start
            )
        )  # fmt: skip
        sink.write(_LOCATOR_64.pack(b"PK\6\7", 0, end, 1))
        count, size, start = 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF
    sink.write(_END.pack(b"PK\5\6", 0, 0, count, count, size, start, 0))
