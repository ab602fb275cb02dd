"""`inputs:` looked up: a file, a directory or a glob beside the spec, and its content's sha256. Also files as values.

Hashing gigabytes at every plan would be slow, so digests are remembered by what `stat` says of a file. Looking
writes nothing; the one who applies saves what was learned (`HashCache.save`).
"""

from __future__ import annotations

import difflib
import glob
import hashlib
import json
import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ..compile.files import all_axes_of_files
from ..compile.payload import Contents, Payload, survey_tree
from ..diagnostics import MOST_TOLD, Problem, first_told
from ..errors import CloudBurstError
from ..spec.ensemble import Ensemble, Files, Input
from .leftovers import beside

_FORMAT = 1
_CHUNK = 1 << 20
_STILL_WARM = 2.0  # seconds: a file written so lately may change again without its time showing it
_MAGIC = frozenset("*?[")


@dataclass(frozen=True)
class ResolvedInput:
    """One input as it is now. `shown` is its name on the worker; `size` in bytes, of the zip for a tree.

    `source` is the file, or the directory a tree is packed from; `tree` makes a tree's zip.
    """

    name: str
    sha256: str
    kind: Literal["file", "tree"]
    shown: str
    size: int
    source: Path
    tree: Payload | None = field(default=None, repr=False)

    @property
    def digest(self) -> str:
        return self.sha256

    def write(self, path: Path) -> None:
        """A copy of the file, or the tree's zip. Raises CloudBurstError when it is not what was hashed."""
        if self.tree is not None:
            self.tree.write(path)
        else:
            _copy(self.source, path, self.sha256)


@dataclass(frozen=True)
class ResolvedInputs:
    """All that could be found, and what is wrong with the rest. The name of a file that is a value is its path."""

    found: tuple[ResolvedInput, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def digests(self) -> dict[str, str]:
        """name -> sha256, as `make_jobs` wants it."""
        return {one.name: one.sha256 for one in self.found}

    @property
    def of_order(self) -> dict[str, dict[str, str]]:
        """sha256 -> name and kind, as the order wants it."""
        return {one.sha256: {"name": one.shown, "kind": one.kind} for one in self.found}


class HashCache:
    """Digests by place and fingerprint. A file that is missing or damaged is an empty cache."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._known: dict[str, tuple[str, str, int]] = _read_cache(path)
        self._changed = False

    def get(self, key: str, fingerprint: str) -> tuple[str, int] | None:
        """(digest, size) when the fingerprint is the one remembered."""
        known = self._known.get(key)
        return (known[1], known[2]) if known is not None and known[0] == fingerprint else None

    def put(self, key: str, fingerprint: str, digest: str, size: int) -> None:
        self._known[key] = (fingerprint, digest, size)
        self._changed = True

    def save(self) -> None:
        """Writes what was learned, if anything. The directory must exist; an error is no one's loss."""
        if self.path is None or not self._changed:
            return
        temporary = beside(self.path)
        try:
            temporary.write_text(json.dumps({"format": _FORMAT, "known": self._known}), encoding="utf-8")
            temporary.replace(self.path)
        except OSError:
            temporary.unlink(missing_ok=True)


def _read_cache(path: Path | None) -> dict[str, tuple[str, str, int]]:
    if path is None:
        return {}
    try:
        form: Any = json.loads(path.read_text(encoding="utf-8"))
        if form["format"] != _FORMAT:
            return {}
        return {str(key): (str(f), str(d), int(s)) for key, (f, d, s) in form["known"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def resolve_inputs(inputs: Sequence[Input], base: Path, cache: HashCache) -> ResolvedInputs:
    """`base`: where the spec lies. Raises CloudBurstError for a file that changes while it is read."""
    found: list[ResolvedInput] = []
    problems: list[Problem] = []
    for wanted in inputs:
        resolved = _resolve(wanted, base, cache)
        problems.extend(resolved.problems)
        found.extend(resolved.found)
        if len(problems) > MOST_TOLD:
            break
    return ResolvedInputs(tuple(found), tuple(first_told(problems)))


def resolve_files(ensemble: Ensemble, base: Path, cache: HashCache) -> ResolvedInputs:
    """The files that are values, each once. Raises CloudBurstError for one that changes while it is read."""
    found: dict[str, ResolvedInput] = {}
    problems: list[Problem] = []
    for axis in all_axes_of_files(ensemble):
        place = (*axis.path, "glob")
        for path in axis.values.values if isinstance(axis.values, Files) else ():
            if str(path) not in found:
                resolved = _value(Input(str(path), str(path), place), base, cache)
                problems.extend(resolved.problems)
                found.update((one.name, one) for one in resolved.found)
    return ResolvedInputs(tuple(found.values()), tuple(problems))


def _value(wanted: Input, base: Path, cache: HashCache) -> ResolvedInputs:
    try:
        return _file(wanted, base / wanted.pattern, cache)
    except FileNotFoundError:
        message = f'"{wanted.pattern}" vanished while it was looked at'
        return ResolvedInputs((), (Problem("no-input", wanted.path, message, "look again"),))
    except OSError as error:
        return ResolvedInputs((), (_unreadable(wanted, error),))


def _resolve(wanted: Input, base: Path, cache: HashCache) -> ResolvedInputs:
    path = base / wanted.pattern
    try:
        if path.is_file():
            found = _file(wanted, path, cache)
        elif path.is_dir():
            found = _tree(wanted, path, survey_tree(path, at=wanted.path), path.resolve().name, cache)
        elif _MAGIC & set(wanted.pattern):
            found = _glob(wanted, base, cache)
        else:
            return ResolvedInputs((), (_missing(wanted, base),))
    except OSError as error:
        return ResolvedInputs((), (_unreadable(wanted, error),))
    outside = () if _is_inside(path, base) else (_outside(wanted),)
    return ResolvedInputs(found.found, (*found.problems, *outside))


# ── one kind each ────────────────────────────────────────────────────────────────────────────
def _file(wanted: Input, path: Path, cache: HashCache) -> ResolvedInputs:
    status = path.stat()
    fingerprint = f"{status.st_size} {status.st_mtime_ns} {status.st_ino}"
    key = f"file {os.path.realpath(path)}"
    known = cache.get(key, fingerprint)
    digest, size = known or _hash(path)
    if known is None and size == status.st_size and _is_cold([status.st_mtime]):
        cache.put(key, fingerprint, digest, size)
    return ResolvedInputs((ResolvedInput(wanted.name, digest, "file", path.name, size, path),), ())


def _hash(path: Path) -> tuple[str, int]:
    seen, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            seen.update(chunk)
            size += len(chunk)
    return seen.hexdigest(), size


def _tree(wanted: Input, root: Path, contents: Contents, shown: str, cache: HashCache) -> ResolvedInputs:
    key = f"tree {wanted.pattern} {os.path.realpath(root)}"
    fingerprint = contents.fingerprint()
    known = cache.get(key, fingerprint)
    packed = contents.packed() if known is None else _remembered(contents, *known)
    if known is None and not packed.problems and _is_cold(_times(contents)):
        cache.put(key, fingerprint, packed.digest, packed.size)
    one = ResolvedInput(wanted.name, packed.digest, "tree", shown, packed.size, root, packed)
    return ResolvedInputs((one,), packed.problems)


def _remembered(contents: Contents, digest: str, size: int) -> Payload:
    names = tuple(entry.name for entry in contents.entries)
    return Payload(digest, size, names, contents.entries, contents.problems)


def _times(contents: Contents) -> Iterable[float]:
    return (entry.source.stat().st_mtime for entry in contents.entries if entry.source is not None)


def _is_cold(times: Iterable[float]) -> bool:
    return max(times, default=0.0) < time.time() - _STILL_WARM


def _glob(wanted: Input, base: Path, cache: HashCache) -> ResolvedInputs:
    """Names in the tree are relative to the part of the pattern before its first wildcard."""
    fixed, pattern = _split(wanted.pattern)
    root = base / fixed
    names = sorted(Path(name) for name in glob.glob(pattern, root_dir=root, recursive=True))
    contents = survey_tree(root, names, at=wanted.path) if names else None
    if contents is None or not (contents.entries or contents.problems):
        return ResolvedInputs((), (_no_match(wanted, root),))
    return _tree(wanted, root, contents, root.resolve().name, cache)


def _split(pattern: str) -> tuple[str, str]:
    """("data/nets", "*.inp") of "data/nets/*.inp"."""
    parts = pattern.split("/")
    first = next(place for place, part in enumerate(parts) if _MAGIC & set(part))
    fixed = "/".join(parts[:first])
    return (fixed or ("/" if pattern.startswith("/") else ".")), "/".join(parts[first:])


def _copy(source: Path, target: Path, digest: str) -> None:
    """Read once: what is written is what is hashed."""
    seen = hashlib.sha256()
    try:
        opened = source.open("rb")
    except FileNotFoundError as error:
        message = f"{source} is not there any more"
        raise CloudBurstError(message, "run the command again: it looks at what is there now") from error
    except OSError as error:
        raise CloudBurstError(f"{source} cannot be read: {error.strerror}") from error
    with opened as file, target.open("wb") as copy:
        while chunk := file.read(_CHUNK):
            seen.update(chunk)
            copy.write(chunk)
    if seen.hexdigest() != digest:
        target.unlink()
        raise CloudBurstError(
            f"{source} changed since it was looked at", hint="run the command again when it is complete"
        )


# ── sentences ────────────────────────────────────────────────────────────────────────────────
def _missing(wanted: Input, base: Path) -> Problem:
    near = _nearest(base, wanted.pattern)
    hint = f'did you mean "{near}"?' if near else "the path is relative to the ensemble file"
    return Problem("no-input", wanted.path, f'there is no file or directory "{wanted.pattern}"', hint=hint)


def _nearest(base: Path, pattern: str) -> str | None:
    """The path with the first part that is not there replaced by what is most like it there."""
    parts = pattern.split("/")
    for place, part in enumerate(parts):
        parent = base / "/".join(parts[:place]) if place else base
        if not (parent / part).exists() and parent.is_dir():
            close = difflib.get_close_matches(part, sorted(os.listdir(parent)), n=1, cutoff=0.6)
            return "/".join([*parts[:place], close[0], *parts[place + 1 :]]) if close else None
    return None


def _no_match(wanted: Input, root: Path) -> Problem:
    if not root.is_dir():
        return Problem(
            "no-input", wanted.path, f'"{wanted.pattern}" matches nothing: there is no directory {root.name}'
        )
    return Problem(
        "no-input",
        wanted.path,
        f'"{wanted.pattern}" matches no file',
        hint="`*` stays within one directory, `**` goes below; names that begin with a dot must be spelled out",
    )


def _unreadable(wanted: Input, error: OSError) -> Problem:
    what = (error.strerror or "unknown reason").lower()
    return Problem("unreadable-file", wanted.path, f'"{wanted.pattern}" cannot be read: {what}')


def _is_inside(path: Path, base: Path) -> bool:
    return Path(os.path.normpath(path)).is_relative_to(os.path.normpath(base))


def _outside(wanted: Input) -> Problem:
    return Problem(
        "input-outside",
        wanted.path,
        f'"{wanted.pattern}" lies outside the directory of the ensemble file: a copy of that directory lacks it',
        severity="note",
    )
