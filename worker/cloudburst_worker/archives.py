"""Unpacking a zip that may be hostile: nothing leaves its directory, nothing swells without end."""

from __future__ import annotations

import os
import shutil
import stat
import zipfile
from pathlib import Path, PurePosixPath

from .orders import Broken

_RATIO = 200
_ALLOWANCE = 16 * 2**20
_ENTRIES = 1_000_000


def unpack(archive: Path, target: Path) -> None:
    """Unpacks into the new directory `target` and makes it read-only. Raises Broken for an archive it refuses."""
    try:
        with zipfile.ZipFile(archive) as opened:
            entries = opened.infolist()
            _check_size(entries, archive)
            names = [_check_name(entry) for entry in entries]
            _check_twice(names)
            target.mkdir(parents=True)
            links = [
                (e, n) for e, n in zip(entries, names, strict=True) if stat.S_ISLNK(e.external_attr >> 16)
            ]
            for entry, name in zip(entries, names, strict=True):
                if not stat.S_ISLNK(entry.external_attr >> 16):
                    _write(opened, entry, target / name)
            for entry, name in links:  # last, so that nothing is written through one
                _link(opened, entry, target, name)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise Broken("the archive of the worker directory cannot be read", str(error)) from error
    except (FileExistsError, NotADirectoryError) as error:
        raise Broken("the archive is refused: two of its entries want the same place", str(error)) from error
    make_read_only(target)


def _check_size(entries: list[zipfile.ZipInfo], archive: Path) -> None:
    packed, unpacked = archive.stat().st_size, sum(entry.file_size for entry in entries)
    if unpacked > _RATIO * packed + _ALLOWANCE or len(entries) > _ENTRIES:
        raise Broken(
            f"the archive is refused: {packed} bytes would unpack to {unpacked} bytes in {len(entries)} entries"
        )


def _check_name(entry: zipfile.ZipInfo) -> PurePosixPath:
    name = PurePosixPath(entry.filename)
    if name.is_absolute() or ".." in name.parts or not name.parts or "\\" in entry.filename:
        raise Broken(f"the archive is refused: its entry {entry.filename!r} would leave the directory")
    return name


def _check_twice(names: list[PurePosixPath]) -> None:
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise Broken(f"the archive is refused: it has the entry {str(twice)!r} twice")


def _write(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path) -> None:
    if entry.is_dir():
        path.mkdir(parents=True, exist_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(entry) as reader, path.open("xb") as writer:
        shutil.copyfileobj(reader, writer, 2**20)
    path.chmod(0o755 if (entry.external_attr >> 16) & 0o111 else 0o644)


def _link(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, root: Path, name: PurePosixPath) -> None:
    aim = archive.read(entry).decode("utf-8", "surrogateescape")
    inside = os.path.normpath(os.path.join(name.parent, aim))
    if os.path.isabs(aim) or inside.split(os.sep)[0] == "..":
        raise Broken(f"the archive is refused: its link {entry.filename!r} leads out of the directory")
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(aim)
    if not os.path.realpath(path).startswith(os.path.join(os.path.realpath(root), "")):
        raise Broken(f"the archive is refused: its link {entry.filename!r} leads out of the directory")


def make_read_only(root: Path) -> None:
    """Takes the write permission from everything below `root`, and from it."""
    for directory, _, files in os.walk(root, topdown=False):
        for name in files:
            path = os.path.join(directory, name)
            if not os.path.islink(path):
                os.chmod(path, os.stat(path).st_mode & ~0o222)
        os.chmod(directory, 0o500)


def remove(root: Path) -> None:
    """Removes a tree even where it is read-only. Nothing there is fine."""
    for directory, _, _ in os.walk(root):
        os.chmod(directory, 0o700)
    shutil.rmtree(root, ignore_errors=True)
