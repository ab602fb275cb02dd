"""Unpacking a zip that may be hostile: nothing leaves its directory, nothing swells without end.

Everything that its table of contents can say wrong is refused before a byte is written. What is
written is checked again, since a table of contents may lie.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import zipfile
from pathlib import Path, PurePosixPath

from .orders import Broken

_RATIO = 200
_ALLOWANCE = 16 * 2**20
_ENTRIES = 200_000
_PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1
_LONGEST_NAME = 255
_LONGEST_PATH = 1024
_CHUNK = 2**20


def unpack(archive: Path, target: Path) -> None:
    """Unpacks into the new directory `target` and makes it read-only.

    Raises Broken for an archive it refuses, OSError when the disk does; part of `target` may be there then.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            _unpack(opened, _checked(opened, archive), target)
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise Broken("the archive is refused: two of its entries want the same place", str(error)) from error
    except Exception as error:
        if isinstance(error, Broken) or _is_of_the_disk(error):
            raise
        raise Broken("the archive cannot be read", f"{type(error).__name__}: {error}") from error
    make_read_only(target)


def _is_of_the_disk(error: Exception) -> bool:
    """zipfile meets made-up bytes with errors of many kinds, such as a seek to before the file's beginning."""
    return isinstance(error, OSError) and error.errno != errno.EINVAL


# ── before anything is written ───────────────────────────────────────────────────────────────
def _checked(opened: zipfile.ZipFile, archive: Path) -> list[tuple[zipfile.ZipInfo, PurePosixPath]]:
    """The entries and their places. Raises Broken."""
    entries = opened.infolist()
    _check_size(entries, archive)
    for entry in entries:
        _check_kind(entry)
    named = [(entry, _place(entry)) for entry in entries]
    _check_twice([place for _, place in named])
    return named


def _check_size(entries: list[zipfile.ZipInfo], archive: Path) -> None:
    packed, unpacked = archive.stat().st_size, sum(entry.file_size for entry in entries)
    if unpacked > _RATIO * packed + _ALLOWANCE or len(entries) > _ENTRIES:
        raise Broken(
            f"the archive is refused: {packed} bytes would unpack to {unpacked} bytes in {len(entries)} entries"
        )


def _check_kind(entry: zipfile.ZipInfo) -> None:
    if entry.flag_bits & _ENCRYPTED:
        raise Broken(f"the archive is refused: its entry {entry.filename!r} is encrypted")
    if entry.compress_type not in _PACKINGS:
        raise Broken(f"the archive is refused: its entry {entry.filename!r} is neither stored nor deflated")
    if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK):
        raise Broken(f"the archive is refused: its entry {entry.filename!r} is no file, directory or link")


def _place(entry: zipfile.ZipInfo) -> PurePosixPath:
    """Where below the target an entry goes. zipfile cuts names at a NUL; the whole name is `orig_filename`."""
    name, place = entry.orig_filename, PurePosixPath(entry.filename)
    if place.is_absolute() or ".." in place.parts or not place.parts:
        raise Broken(f"the archive is refused: its entry {name!r} would leave the directory")
    if "\\" in name or "\0" in name:
        raise Broken(f"the archive is refused: its entry {name!r} has a backslash or a NUL in its name")
    if len(os.fsencode(place)) > _LONGEST_PATH or any(
        len(os.fsencode(part)) > _LONGEST_NAME for part in place.parts
    ):
        raise Broken(f"the archive is refused: its entry {name[:80]!r}… has a name too long for a file")
    return place


def _check_twice(places: list[PurePosixPath]) -> None:
    seen: set[PurePosixPath] = set()
    for place in places:
        if place in seen:
            raise Broken(f"the archive is refused: it has the entry {str(place)!r} twice")
        seen.add(place)


# ── writing ──────────────────────────────────────────────────────────────────────────────────
def _unpack(
    opened: zipfile.ZipFile, named: list[tuple[zipfile.ZipInfo, PurePosixPath]], target: Path
) -> None:
    """Links last, so that nothing is written through one."""
    target.mkdir(parents=True)
    links = [(entry, place) for entry, place in named if _is_link(entry)]
    for entry, place in named:
        if not _is_link(entry):
            _write(opened, entry, target / place)
    for entry, place in links:
        _link(opened, entry, target, place)


def _is_link(entry: zipfile.ZipInfo) -> bool:
    return stat.S_ISLNK(entry.external_attr >> 16)


def _write(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path) -> None:
    if entry.is_dir():
        path.mkdir(parents=True, exist_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    left = entry.file_size
    with archive.open(entry) as reader, path.open("xb") as writer:
        while chunk := reader.read(_CHUNK):
            left -= len(chunk)
            if left < 0:
                raise Broken(f"the archive is refused: {entry.filename!r} is larger than it says")
            writer.write(chunk)
    path.chmod(0o755 if (entry.external_attr >> 16) & 0o111 else 0o644)


def _link(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, root: Path, place: PurePosixPath) -> None:
    outside = Broken(f"the archive is refused: its link {entry.filename!r} leads out of the directory")
    if entry.file_size > _LONGEST_PATH:
        raise outside
    aim = archive.read(entry).decode("utf-8", "surrogateescape")
    inside = os.path.normpath(os.path.join(place.parent, aim))
    if "\0" in aim or os.path.isabs(aim) or inside.split(os.sep)[0] == "..":
        raise outside
    path = root / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(aim)
    if not os.path.realpath(path).startswith(os.path.join(os.path.realpath(root), "")):
        raise outside


# ── trees ────────────────────────────────────────────────────────────────────────────────────
def make_read_only(root: Path, *, shared: bool = True) -> None:
    """Takes the write permission from everything below `root`, and from it.

    Without `shared` a file with a second name is left as it is: that one is somebody else's.
    """
    for directory, _, files in os.walk(root, topdown=False):
        for name in files:
            path = os.path.join(directory, name)
            status = os.lstat(path)
            if not stat.S_ISLNK(status.st_mode) and (shared or status.st_nlink == 1):
                os.chmod(path, status.st_mode & ~0o222)
        os.chmod(directory, 0o500)


def remove(root: Path) -> None:
    """Removes a tree even where it is read-only. Nothing there is fine."""
    for directory, _, _ in os.walk(root):
        os.chmod(directory, 0o700)
    shutil.rmtree(root, ignore_errors=True)
