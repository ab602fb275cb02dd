"""Plans as files: written to be reviewed, opened again to be applied, and kept once they were (`kept` finds those)."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

from ..compile.archive import digest_of, save_archive
from ..compile.draws import Draws
from ..compile.lockfile import Dependencies, parse_lock
from ..compile.normal import thaw
from ..compile.payload import Payload
from ..compile.plan import Plan
from ..compile.plan_archive import SUFFIX, WORKER, Contents, Source, entries, read
from ..compile.stack import Site, compile_stack, needed_secrets
from ..errors import CloudBurstError
from ..spec import Loaded, build, document
from ..spec.ensemble import Table
from .inputs import HashCache, resolve_files, resolve_inputs
from .kept import (
    APPLIED,
    NAMED,
    applied,
    damaged,
    hash_of,
    history,
    last_applied,
    opened,
    read_history,
    runs_of,
    sha256_of,
)
from .leftovers import beside
from .observe import Study
from .places import Places, places
from .revision import revision_of

_CHUNK = 1 << 20


# ── writing ──────────────────────────────────────────────────────────────────────────────────
def contents_of(study: Study, plan: Plan) -> Contents:
    """Of a study with a lock that fits, and its counted plan."""
    return Contents(
        plan.to_json(),
        study.frozen,
        study.order,
        source=_source(study),
        lock=study.lock_text or "",
        stack=_stack(study),
        texts=dict(_texts(study)),
    )


def write_plan(study: Study, plan: Plan, path: Path) -> str:
    """The plan as a file, whole or not at all; the sha256 of its bytes. Raises CloudBurstError."""
    try:
        with TemporaryDirectory(prefix="cloudburst-") as scratch:
            worker = Path(scratch) / WORKER
            study.payload.write(worker)
            packed = entries(contents_of(study, plan), worker)
            digest, _ = digest_of(packed)
            save_archive(packed, path, digest)
    except OSError as error:
        raise CloudBurstError(f"{path} cannot be written: {error.strerror}") from error
    return digest


def _source(study: Study) -> Source | None:
    """The revision of all that the plan is made from."""
    base = study.places.spec.parent
    tables = (
        source.file
        for block in study.ensemble.blocks
        for source in block.sources
        if isinstance(source, Table)
    )
    code = (entry.source for entry in study.payload.entries if entry.source is not None)
    return revision_of(
        base,
        (
            study.places.spec,
            study.places.lock_file,
            *study.loaded.document.bases,
            *code,
            *(base / table for table in tables),
            *(one.source for one in (*study.inputs.found, *study.files.found)),
        ),
    )


def _stack(study: Study) -> str | None:
    """As it would be deployed, with what only the swarm knows left open."""
    if study.ensemble.cluster.provider == "local":
        return None
    unbound = dict.fromkeys(needed_secrets(study.ensemble), "bound-later")
    site = Site(study.python, single_node=False, worker_memory=None, generations=unbound)
    return compile_stack(study.ensemble, site).text


def _texts(study: Study) -> Iterator[tuple[str, bytes]]:
    """The ensemble file and those it extends, by their place relative to it."""
    spec = study.places.spec
    for path in (spec, *study.loaded.document.bases):
        name = os.path.relpath(path, spec.parent).replace(os.sep, "/")
        if not name.startswith("../") and path.is_file():
            yield name, path.read_bytes()


# ── opening ──────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class Planned:
    """A plan file, open to be applied: `study` is made from it alone, but for inputs, which are beside the spec.

    `sha256` is of the file's bytes. `problems` are sentences about inputs that are not what they were.
    """

    path: Path
    sha256: str
    contents: Contents
    study: Study
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Archived(Payload):
    """A worker.zip inside a plan."""

    archive: Path = Path()

    def write(self, path: Path) -> None:
        temporary = beside(path)
        try:
            with (
                zipfile.ZipFile(self.archive) as plan,
                plan.open(WORKER) as packed,
                temporary.open("wb") as file,
            ):
                shutil.copyfileobj(packed, file, _CHUNK)
            if sha256_of(temporary) != self.digest:
                raise damaged(self.archive, "its worker.zip is another")
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def open_plan(path: Path, spec: Path | None = None) -> Planned:
    """The plan at `path`. `spec` says where the study lives (default: its spec's name beside the plan, or in the
    current directory). Raises CloudBurstError when it is no plan, damaged, or the study is nowhere."""
    contents, payload = _unpack(path)
    lock = contents.lock
    home = _home(path, contents, spec)
    frozen = contents.ensemble
    ensemble = build(frozen["normal"])
    place = places(home, ensemble.name)
    cache = HashCache(place.root / "inputs.json")
    base = place.spec.parent
    inputs, files = resolve_inputs(ensemble.inputs, base, cache), resolve_files(ensemble, base, cache)
    study = Study(
        loaded=Loaded(ensemble, (), _document(contents, place), frozen["normal"]),
        ensemble=ensemble,
        places=place,
        draws=Draws.from_json(frozen["draws"]),
        jobs=thaw(frozen),
        inputs=inputs,
        dependencies=Dependencies("locked", "", parse_lock(lock)),
        lock_text=lock,
        diagnostics=(),
        cache=cache,
        packed=payload,
        files=files,
    )
    problems = (
        *_changed(frozen["inputs"], inputs.digests),
        *_changed(frozen.get("files", {}), files.digests),
    )
    return Planned(path, sha256_of(path), contents, study, problems)


def _unpack(path: Path) -> tuple[Contents, Payload]:
    with opened(path) as archive:
        contents = read(archive, str(path))
        with archive.open(WORKER) as packed:
            digest = hash_of(packed)
        if digest != contents.order["payload"]:
            raise damaged(path, "its worker.zip is another")
        with archive.open(WORKER) as packed, zipfile.ZipFile(packed) as worker:
            names = tuple(worker.namelist())
        size = archive.getinfo(WORKER).file_size
    return contents, _Archived(digest, size, names, (), (), path)


def _home(path: Path, contents: Contents, spec: Path | None) -> Path:
    """Where the study's spec is, or was: results go beside it."""
    if spec is not None:
        return spec
    candidates = (path.parent / contents.spec, Path(contents.spec))
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise CloudBurstError(
        f"{contents.spec}, which {path.name} was made from, is neither beside it nor here",
        f"go to the study's directory, or say where it is: `cloudburst apply {path} -f {contents.spec}`",
    )


def _document(contents: Contents, place: Places) -> document.Document:
    """Its own text, so that a row that fails still has a line."""
    text = contents.texts.get(contents.spec)
    if text is None:
        return document.Document(place.spec, ())
    return document.parse(text, place.spec)[0]


def _changed(then: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    for name, digest in then.items():
        if name not in now:
            yield f"{name}, which its jobs read, is not there any more"
        elif now[name] != digest:
            yield f"{name}, which its jobs read, has other content now"


# ── keeping ──────────────────────────────────────────────────────────────────────────────────
def keep_plan(study: Study, plan: Plan, now: float, *, planned: Planned | None = None) -> None:
    """Note that this is applied now; its archive stays with the results. A plan file (`planned`) is kept as it is.

    Applying the same jobs with the same code once more is nothing new. Raises CloudBurstError.
    """
    runs, last = runs_of(study.frozen, study.order), last_applied(study.places)
    if last is not None and last.runs == runs and (planned is None or planned.sha256 == last.sha256):
        return
    partial = beside(study.places.plans / f"plan{SUFFIX}")
    try:
        if planned is None:
            digest = write_plan(study, plan, partial)
        else:
            digest = planned.sha256
            shutil.copyfile(planned.path, partial)
        partial.replace(study.places.plans / f"{digest[:NAMED]}{SUFFIX}")
        _append(study.places.plans / APPLIED, {"at": now, "sha256": digest, "runs": runs})
    except OSError as error:
        raise CloudBurstError(f"the plan cannot be kept: {error.strerror}") from error
    finally:
        partial.unlink(missing_ok=True)


def adopt_plans(place: Places, text: str) -> None:
    """Bring another history (`applied.jsonl`) into that of the study here, in the order in which they were applied; its
    archives must be here by now. Raises OSError."""
    known = {(kept.at, kept.sha256): kept for kept in (*read_history(place, text), *applied(place))}
    new = place.plans / f".{APPLIED}.{os.getpid()}.new"
    try:
        new.write_text(history(kept for _, kept in sorted(known.items())), "utf-8")
        new.replace(place.plans / APPLIED)
    finally:
        new.unlink(missing_ok=True)


def _append(path: Path, form: Mapping[str, Any]) -> None:
    """On the disk when this returns. What a crash left half-written ends where the next line begins."""
    with path.open("a+b") as file:
        if file.tell() and not _ends_a_line(file):
            file.write(b"\n")
        file.write(json.dumps(form).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def _ends_a_line(file: IO[bytes]) -> bool:
    file.seek(-1, os.SEEK_END)
    return file.read(1) == b"\n"
