"""A `*.cbstudy` opened for reading: believed only as far as its manifest's digests go."""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ..compile.study_archive import MANIFEST, Manifest, Member, check_contents, damaged, read_manifest
from ..errors import CloudBurstError

_CHUNK = 1 << 20
_LARGEST_MANIFEST = 1 << 30
_BROKEN = (zipfile.BadZipFile, EOFError, RuntimeError, zlib.error)  # the third: it wants a password


@dataclass(frozen=True)
class StudyArchive:
    """Good inside the `with` of `opened_study`."""

    name: str
    manifest: Manifest
    _zip: zipfile.ZipFile

    def check(self) -> None:
        """Read all of it. Raises CloudBurstError for a file that is not what the manifest says."""
        for member in self.manifest.members:
            self._pour(member, None)

    def extract(self, member: Member, path: Path) -> None:
        """Write one file to `path`, which must not exist. Raises CloudBurstError as `check`, and OSError."""
        with path.open("xb") as file:
            self._pour(member, file)
        if member.executable:
            mode = path.stat().st_mode
            path.chmod(mode | (mode & 0o444) >> 2)  # for whoever may read it

    def _pour(self, member: Member, file: BinaryIO | None) -> None:
        seen = hashlib.sha256()
        try:
            with self._zip.open(member.path) as packed:
                while chunk := packed.read(_CHUNK):
                    seen.update(chunk)
                    if file is not None:
                        file.write(chunk)
        except _BROKEN as error:
            raise damaged(self.name, f"{member.path!r} cannot be read") from error
        if seen.hexdigest() != member.sha256:
            raise damaged(self.name, f"{member.path!r} is not what its sha256 says")


@contextmanager
def opened_study(path: Path) -> Iterator[StudyArchive]:
    """The archive with a manifest that fits what is in it; contents are checked as they are read.

    Raises CloudBurstError when it is no study, damaged, cut short, of a newer format, or would write elsewhere.
    """
    name = path.name
    with _zip(path) as archive:
        _check_its_own(archive, path)
        try:
            text = archive.read(MANIFEST)
        except _BROKEN as error:
            raise damaged(name, f"its {MANIFEST} cannot be read") from error
        manifest = read_manifest(text, name)
        stored = zipfile.ZIP_STORED
        found = ((one.filename, one.file_size, one.compress_type == stored) for one in archive.infolist())
        check_contents(manifest, found, name)
        yield StudyArchive(name, manifest, archive)


def _check_its_own(archive: zipfile.ZipFile, path: Path) -> None:
    """There are zips in a study: of one that is cut short the directory of the last of them could pass for its own."""
    try:
        first = archive.getinfo(MANIFEST)
    except KeyError:
        first = None
    if first is None or first.header_offset or archive.comment:
        raise damaged(path.name, "it is cut short") if _begins_like_one(path) else _no_study(path)
    if first.file_size > _LARGEST_MANIFEST:
        raise damaged(path.name, f"its {MANIFEST} is too large")


def _zip(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except FileNotFoundError as error:
        raise CloudBurstError(f"there is no file {path}") from error
    except (zipfile.BadZipFile, UnicodeDecodeError) as error:
        if _begins_like_one(path):
            raise damaged(path.name, "it is cut short") from error
        raise _no_study(path) from error
    except OSError as error:
        raise CloudBurstError(f"{path} cannot be read: {error.strerror}") from error


def _begins_like_one(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(30 + len(MANIFEST))
    return head.startswith(b"PK\3\4") and head.endswith(MANIFEST.encode())


def _no_study(path: Path) -> CloudBurstError:
    return CloudBurstError(f"{path} is no study", "`cloudburst export` writes one; its name ends in .cbstudy")
