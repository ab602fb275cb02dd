"""The files jobs returned, as a view of the ledger: a directory per job id, and `index.csv` for the rows."""

from __future__ import annotations

import csv
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ...errors import CloudBurstError
from ..leftovers import beside
from ..results import Result
from .replace import replaced_whole

Find = Callable[[str], Path]
"""sha256 -> the file in the local store that holds it (it may be missing)."""

INDEX = "index.csv"
INDEX_COLUMNS = ("row", "id", "name", "file", "size", "sha256")
_AN_ID = re.compile(r"[0-9a-f]{20}").fullmatch


@dataclass(frozen=True)
class Returned:
    """One file of one job: its key in what the job returned, and its name in the job's directory."""

    key: str
    name: str
    size: int
    object: str


def write_files(directory: Path, results: Iterable[Result], find: Find) -> None:
    """Bring `directory` up to date: `<id>/<file>` for each job that returned files, and the index.

    A job's directory is replaced whole, and only when something in it changed; directories of jobs
    the last index named and the study no longer has are removed, anything else is left alone.
    Raises CloudBurstError where it cannot be written or the store lacks an object.
    """
    before = _ids_in(directory / INDEX)
    written: set[str] = set()
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with replaced_whole(directory / INDEX) as new, open(new, "w", encoding="utf-8", newline="") as file:
            index = csv.writer(file, lineterminator="\n")
            index.writerow(INDEX_COLUMNS)
            for result, files in _with_files(results):
                job = result.job
                if job.id not in written:
                    _bring(directory / job.id, files, find)
                    written.add(job.id)
                for each in files:
                    place = f"{job.id}/{each.name}"
                    index.writerow((job.row.index, job.id, each.key, place, each.size, each.object))
        for gone in before - written:
            shutil.rmtree(directory / gone, ignore_errors=True)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise CloudBurstError(
            f"cannot write {error.filename or directory}: {why}", "change `path` under `results`"
        ) from error


def _with_files(results: Iterable[Result]) -> Iterator[tuple[Result, tuple[Returned, ...]]]:
    for result in results:
        files = result.outcome.get("files") if result.outcome else None
        if files:
            yield result, named(files)


def named(files: Mapping[str, Mapping[str, Any]]) -> tuple[Returned, ...]:
    """A file keeps its own name; where two of a job share one, the later has its key in front."""
    taken: set[str] = set()
    returned = []
    for key, file in files.items():
        name = _plain(file["name"])
        while name in taken:
            name = f"{_plain(key)}-{name}"
        taken.add(name)
        returned.append(Returned(key, name, file["size"], file["object"]))
    return tuple(returned)


def _plain(name: str) -> str:
    """The last part of a name a worker sent, and never a way out of the directory."""
    last = PurePosixPath(name.replace("\0", "")).name
    return last if last not in ("", ".", "..") else "file"


def _bring(directory: Path, files: Iterable[Returned], find: Find) -> None:
    wanted = {each.name: find(each.object) for each in files}
    if _is_there(directory, wanted):
        return
    for name, source in wanted.items():
        if not source.is_file():
            raise CloudBurstError(
                f"the file {name} of job {directory.name} is not in the store",
                f"`cloudburst retry {directory.name}` computes it again",
            )
    new, old = beside(directory), beside(directory)
    try:
        new.mkdir()
        for name, source in wanted.items():
            _link_or_copy(source, new / name)
        if directory.exists():
            directory.replace(old)
        new.replace(directory)
    finally:
        shutil.rmtree(new, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def _is_there(directory: Path, wanted: Mapping[str, Path]) -> bool:
    """Objects never change, so the same file, or a copy with its size and time, is the same content."""
    try:
        if {entry.name for entry in os.scandir(directory)} != set(wanted):
            return False
        return all(_same(source, directory / name) for name, source in wanted.items())
    except OSError:
        return False


def _same(source: Path, copy: Path) -> bool:
    one, other = source.stat(), copy.stat()
    return os.path.samestat(one, other) or (one.st_size, one.st_mtime_ns) == (
        other.st_size,
        other.st_mtime_ns,
    )


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copy2(source, target)


def _ids_in(index: Path) -> set[str]:
    """The job directories the last index named: those are ours to remove."""
    try:
        with open(index, encoding="utf-8", newline="") as file:
            return {row["id"] for row in csv.DictReader(file) if _AN_ID(row.get("id") or "")}
    except (OSError, csv.Error, UnicodeDecodeError):
        return set()
