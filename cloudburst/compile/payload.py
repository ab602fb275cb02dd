"""worker.zip: the user's directory as bytes, the same from the same files. Also directories and globs of `inputs`.

Reads files, writes only where `Payload.write` is told to. Nothing of the machine gets in: no times, owners, absolute
paths. Empty directories are left out, as git leaves them out: a fresh clone makes the same zip.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from .. import diagnostics
from ..diagnostics import Problem
from .archive import Entry, crc_and_size, digest_of, save_archive
from .ignore import FILE_NAME, read_ignore

LOCK_NAME = ".cloudburst/lock.txt"
LARGE = 50_000_000

_DIRECTORY: diagnostics.Path = ("worker", "directory")


@dataclass(frozen=True)
class Payload:
    """A zip that is not written yet. `digest` is its sha256, `size` its bytes, `files` its names in order.

    With errors among `problems` it is of the files that could be read, and no use but to say so.
    """

    digest: str
    size: int
    files: tuple[str, ...]
    entries: tuple[Entry, ...] = field(repr=False)
    problems: tuple[Problem, ...] = ()

    def write(self, path: Path) -> None:
        """Writes the zip to `path`, whole or not at all.

        Raises CloudBurstError when a file has changed since the digest was taken, OSError when the disk is full.
        """
        save_archive(self.entries, path, self.digest)


@dataclass(frozen=True)
class Contents:
    """The files a zip would hold, known from file status alone; nothing has been read yet."""

    entries: tuple[Entry, ...]
    problems: tuple[Problem, ...]
    at: diagnostics.Path

    def fingerprint(self) -> str:
        """64 hex digits that change when a file is added, replaced or edited."""
        seen = hashlib.sha256()
        for entry in self.entries:
            status = entry.source.stat() if entry.source is not None else None
            numbers = (status.st_size, status.st_mtime_ns, status.st_ino) if status else ()
            seen.update(repr((entry.name, entry.executable, numbers)).encode())
        return seen.hexdigest()

    def packed(self) -> Payload:
        """Reads every file once for the digest. Raises CloudBurstError when one changes meanwhile."""
        unreadable = {
            entry.name: problem for entry in self.entries if (problem := _unreadable(entry, self.at))
        }
        good = tuple(entry for entry in self.entries if entry.name not in unreadable)
        digest, size = digest_of(good)
        names = tuple(entry.name for entry in good)
        return Payload(digest, size, names, good, (*self.problems, *unreadable.values()))


def pack(
    directory: Path,
    lock: str | None,
    *,
    leave_out: Collection[Path] = (),
) -> Payload:
    """The worker directory without what `.cloudburstignore` names, and the lock.

    `leave_out`: files and directories that are no part of the code even when they lie inside: the spec,
    its lock, where results go. Else every edit of the spec would make the worker's code a different one.
    """
    survey = _Survey(directory, _DIRECTORY, leave_out)
    entries = list(survey.walk())
    if lock is not None:
        entries.append(Entry(LOCK_NAME, None, lock.encode()))
    return _with_warning(_contents(entries, survey).packed(), directory)


def pack_tree(root: Path, *, at: diagnostics.Path) -> Payload:
    """A directory of `inputs`, by the same rules as the worker directory."""
    return survey_tree(root, at=at).packed()


def survey_tree(root: Path, matches: Iterable[Path] | None = None, *, at: diagnostics.Path) -> Contents:
    """What `pack_tree` would pack. With `matches` (relative to `root`): those files, and all in those directories."""
    survey = _Survey(root, at, ())
    found = survey.walk() if matches is None else survey.walk_matches(matches)
    return _contents({entry.name: entry for entry in found}.values(), survey)


def changed_files(before: Mapping[str, tuple[int, int]], now: Payload) -> Iterator[str]:
    """The files of a payload that are other than they were, by name; `dependencies` stands for its lock.

    `before` has CRC and size by name. Raises CloudBurstError for a file that cannot be read.
    """
    entries = {entry.name: entry for entry in now.entries}
    for name in sorted({*before, *entries}):
        if name not in before or name not in entries or crc_and_size(entries[name]) != before[name]:
            yield "dependencies" if name == LOCK_NAME else name


def _contents(entries: Iterable[Entry], survey: _Survey) -> Contents:
    return Contents(tuple(sorted(entries, key=lambda entry: entry.name)), tuple(survey.problems), survey.at)


def _unreadable(entry: Entry, at: diagnostics.Path) -> Problem | None:
    if entry.source is None:
        return None
    try:
        with entry.source.open("rb"):
            return None
    except OSError as error:
        return _cannot_read(entry.name, error, at)


def _cannot_read(name: str, error: OSError, at: diagnostics.Path) -> Problem:
    return Problem(
        "unreadable-file",
        at,
        f'"{name}" cannot be read: {(error.strerror or "unknown reason").lower()}',
        hint=f"make it readable, or name it in {FILE_NAME}",
    )


def _with_warning(payload: Payload, directory: Path) -> Payload:
    if payload.size <= LARGE:
        return payload
    sizes = [(e.source.stat().st_size, e.name) for e in payload.entries if e.source is not None]
    largest = ", ".join(f"{name} ({_megabytes(size)})" for size, name in sorted(sizes, reverse=True)[:3])
    warning = Problem(
        "large-payload",
        _DIRECTORY,
        f'"{directory.name}" packs to {_megabytes(payload.size)}, sent to every node; largest: {largest}',
        hint=f"name data under `inputs:` and in {FILE_NAME}: an input is fetched once and no part of the code",
        severity="warning",
    )
    return replace(payload, problems=(*payload.problems, warning))


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.0f} MB" if size >= 1e6 else f"{size / 1e3:,.0f} kB"


class _Survey:
    """Walks one directory and gathers what is wrong with it on the way."""

    def __init__(self, directory: Path, at: diagnostics.Path, leave_out: Collection[Path]) -> None:
        self.root = Path(os.path.realpath(directory))
        self.at = at
        self.leave_out = frozenset(os.path.realpath(path) for path in leave_out)
        self.problems: list[Problem] = []
        self.ignore = read_ignore(self._ignore_text())

    def _ignore_text(self) -> str:
        try:
            return (self.root / FILE_NAME).read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return ""
        except OSError as error:
            self.problems.append(_cannot_read(FILE_NAME, error, self.at))
            return ""

    def walk(self) -> Iterator[Entry]:
        yield from self._directory(self.root, "", frozenset({str(self.root)}))

    def walk_matches(self, matches: Iterable[Path]) -> Iterator[Entry]:
        above = frozenset({str(self.root)})
        for path in matches:
            parents = [parent for parent in path.parents if parent != Path()]
            if not any(self._is_left_out(self.root / parent, parent.as_posix()) for parent in parents):
                yield from self._path(self.root / path, path.as_posix(), above)

    def _directory(self, directory: Path, prefix: str, above: frozenset[str]) -> Iterator[Entry]:
        try:
            names = sorted(os.listdir(directory))
        except OSError as error:
            self.problems.append(_cannot_read(prefix or str(directory), error, self.at))
            return
        for name in names:
            yield from self._path(directory / name, prefix + name, above)

    def _path(self, path: Path, name: str, above: frozenset[str]) -> Iterator[Entry]:
        """`above`: the real directories this path lies in, to notice a link that leads back up."""
        if self._is_left_out(path, name):
            return
        try:
            name.encode()
            status = path.stat()
        except UnicodeEncodeError:
            self._problem("strange-name", name, "has a name that is not UTF-8", "rename it")
        except OSError as error:
            self._broken(path, name, error)
        else:
            if path.is_symlink() and not self._is_inside(path):
                target = os.path.realpath(path)
                self._problem(
                    "link-outside", name, f"is a link to {target}, outside the directory",
                    "put the file itself there, or name it under `inputs:`",
                )  # fmt: skip
            elif stat.S_ISDIR(status.st_mode):
                yield from self._subdirectory(path, name, above)
            elif stat.S_ISREG(status.st_mode):
                yield Entry(name, path, executable=bool(status.st_mode & stat.S_IXUSR))
            # sockets, pipes and devices are no files to send

    def _subdirectory(self, path: Path, name: str, above: frozenset[str]) -> Iterator[Entry]:
        real = os.path.realpath(path)
        if real in above:
            self._problem("link-loop", name, "is a link to a directory it lies in", "remove the link")
        else:
            yield from self._directory(path, name + "/", above | {real})

    def _is_left_out(self, path: Path, name: str) -> bool:
        if self.leave_out and os.path.realpath(path) in self.leave_out:
            return True
        return self.ignore.ignores(name, is_directory=os.path.isdir(path))

    def _is_inside(self, path: Path) -> bool:
        return Path(os.path.realpath(path)).is_relative_to(self.root)

    def _broken(self, path: Path, name: str, error: OSError) -> None:
        if path.is_symlink() and isinstance(error, FileNotFoundError):
            self._problem(
                "broken-link", name, f"is a link to {os.readlink(path)}, which does not exist", "remove it"
            )
        else:
            self.problems.append(_cannot_read(name, error, self.at))

    def _problem(self, code: str, name: str, what: str, hint: str) -> None:
        shown = name.encode(errors="replace").decode()
        self.problems.append(
            Problem(code, self.at, f'"{shown}" {what}', hint=f"{hint}, or name it in {FILE_NAME}")
        )
