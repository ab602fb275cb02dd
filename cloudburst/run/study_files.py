"""Which files a study is made of, and where each lies beside its ensemble file: what an archive of it has to hold."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..compile.ignore import FILE_NAME as IGNORE
from ..compile.requirements import Source, find_requirements
from ..compile.study_archive import Absent, Role
from ..errors import CloudBurstError
from ..spec.ensemble import Table, TableSink
from .inputs import ResolvedInput
from .observe import Study

ELSEWHERE = "it stands in the file by its absolute path"
LEFT_OUT = "it was left out on purpose"


@dataclass(frozen=True)
class Part:
    """One file: `written` is its path relative to the ensemble file, `source` where it is read."""

    written: str
    role: Role
    source: Path
    executable: bool = False


@dataclass(frozen=True)
class Parts:
    """All that a study is made of: `found` each place once, and what cannot or shall not travel."""

    found: tuple[Part, ...]
    absent: tuple[Absent, ...]


def parts_of(study: Study, *, inputs: bool) -> Parts:
    """Without `inputs` these and files that are values stay at home, but for those that are code, too.

    Raises CloudBurstError for a worker directory with an absolute path: nobody else has it there.
    """
    worker = study.ensemble.worker.directory
    if os.path.isabs(worker):
        raise CloudBurstError(
            f"the worker directory {worker} is an absolute path, which means nothing on another machine",
            "put it beside the ensemble file and name it relative to that, then export again",
        )
    found = {os.path.normpath(part.written): part for part in reversed(list(_parts(study, inputs)))}
    absent = (one for one in _absent(study, inputs) if os.path.normpath(one.path) not in found)
    return Parts(tuple(found.values()), tuple(absent))


def _parts(study: Study, inputs: bool) -> Iterator[Part]:
    """Where two name one file the first counts."""
    base = study.places.spec.parent
    yield Part(study.places.spec.name, "spec", study.places.spec)
    for file in study.loaded.document.bases:
        yield Part(os.path.relpath(file, base), "extended", file)
    if study.places.lock_file.is_file():
        yield Part(study.places.lock_file.name, "lock", study.places.lock_file)
    yield from _code(study, base)
    for table in _tables(study):
        if not os.path.isabs(table.file):
            yield Part(table.file, "table", base / table.file)
    if inputs:
        for one, written in _inputs(study):
            if not os.path.isabs(written):
                yield from _input(one, written, base)
    yield from _results(study, base)


def _code(study: Study, base: Path) -> Iterator[Part]:
    """As packed; and what decides on that, or on the lock, even where it is not packed itself."""
    worker = study.ensemble.worker
    for entry in study.payload.entries:
        if entry.source is not None:
            yield Part(f"{worker.directory}/{entry.name}", "worker", entry.source, entry.executable)
    source = find_requirements(base / worker.directory, worker.entrypoint).source
    for name in (IGNORE, *(_wishes(source) if source else ())):
        file = base / worker.directory / name
        if file.is_file():
            yield Part(f"{worker.directory}/{name}", "worker", file)


def _wishes(source: Source) -> Iterable[str]:
    """The files that say what is installed."""
    beside = ("pyproject.toml",) if source.kind == "uv.lock" else ()
    return dict.fromkeys((source.file, *beside, *(one.file for one in source.requirements)))


def _tables(study: Study) -> Iterator[Table]:
    for block in study.ensemble.blocks:
        yield from (source for source in block.sources if isinstance(source, Table))


def _inputs(study: Study) -> Iterator[tuple[ResolvedInput, str]]:
    """Each with its path, directory or pattern as the ensemble file has it."""
    patterns = {one.name: one.pattern for one in study.ensemble.inputs}
    yield from ((one, patterns[one.name]) for one in study.inputs.found)
    yield from ((one, one.name) for one in study.files.found)


def _input(one: ResolvedInput, written: str, base: Path) -> Iterator[Part]:
    if one.tree is None:
        yield Part(written, "input", one.source)
        return
    root = os.path.relpath(one.source, base)
    for entry in one.tree.entries:
        if entry.source is not None:
            yield Part(f"{root}/{entry.name}", "input", entry.source, entry.executable)
    if (one.source / IGNORE).is_file():
        yield Part(f"{root}/{IGNORE}", "input", one.source / IGNORE)


def _results(study: Study, base: Path) -> Iterator[Part]:
    """Tables that were written; files are written again from their objects."""
    for sink in study.ensemble.results:
        if isinstance(sink, TableSink) and not os.path.isabs(sink.file):
            inside = not os.path.normpath(sink.file).startswith("..")
            if inside and (base / sink.file).is_file():
                yield Part(sink.file, "result", base / sink.file)


def _absent(study: Study, inputs: bool) -> Iterator[Absent]:
    for table in _tables(study):
        if os.path.isabs(table.file):
            yield Absent(table.file, "table", table.sha256, None, ELSEWHERE)
    for one, written in _inputs(study):
        if os.path.isabs(written) or not inputs:
            why = ELSEWHERE if os.path.isabs(written) else LEFT_OUT
            yield Absent(written, "input", one.sha256, one.size, why)
