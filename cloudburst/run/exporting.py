"""`cloudburst export`: a study as one file. Reads the study and its records; writes that file and nothing else."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from .. import __version__
from ..compile.archive import Entry, save_archive
from ..compile.study_archive import (
    APPLIED,
    LEDGER,
    OBJECTS,
    PLANS,
    STUDY,
    Absent,
    Manifest,
    Member,
    Role,
    leads_out,
    manifest_entry,
)
from ..errors import CloudBurstError
from .kept import applied, history
from .ledger import Ledger
from .ledger_lines import Written, write_lines
from .objects import here
from .observe import Study
from .study_archive import opened_study
from .study_files import Parts, parts_of

NOT_HERE = "it is not in the file store of this machine"
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Exported:
    """`sha256` and `size` (bytes) of the file that was written."""

    path: Path
    sha256: str
    size: int
    manifest: Manifest


@dataclass(frozen=True)
class _Draft:
    member: Member
    source: Path


def export_study(study: Study, path: Path, *, inputs: bool = True) -> Exported:
    """Write the study to `path`, whole or not at all, while others may compute it.

    Raises CloudBurstError for what cannot be read or has changed meanwhile, and where it cannot be written.
    """
    parts = parts_of(study, inputs=inputs)
    try:
        with TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as scratch:
            written = _write_records(study, Path(scratch) / LEDGER)
            drafts = [*_kept(study, written, Path(scratch)), *_files(study, parts)]
            manifest = _manifest(study, parts, written, drafts)
            partial = Path(scratch) / "whole"
            entries = [manifest_entry(manifest), *map(_entry, _sorted(drafts))]
            sha256, size = save_archive(entries, partial)
            _read_again(partial, path)
            partial.replace(path)
    except OSError as error:
        raise CloudBurstError(f"{path} cannot be written: {error.strerror}") from error
    return Exported(path, sha256, size, manifest)


def _sorted(drafts: list[_Draft]) -> list[_Draft]:
    return sorted(drafts, key=lambda draft: draft.member.path)


def _entry(draft: _Draft) -> Entry:
    return Entry(draft.member.path, draft.source, executable=draft.member.executable)


def _manifest(study: Study, parts: Parts, written: Written, drafts: list[_Draft]) -> Manifest:
    members = tuple(draft.member for draft in _sorted(drafts))
    (spec,) = (member.place for member in members if member.role == "spec")
    return Manifest(
        study=study.ensemble.name,
        spec=spec,
        payload=study.payload.digest,
        made_by=f"cloudburst {__version__}",
        outcomes=written.outcomes,
        members=members,
        absent=tuple(sorted((*parts.absent, *_lost(study, written)), key=lambda one: (one.role, one.path))),
    )


def _read_again(partial: Path, path: Path) -> None:
    """A file that was edited while it was packed is no longer what the manifest says of it."""
    try:
        with opened_study(partial) as archive:
            archive.check()
    except CloudBurstError as error:
        raise CloudBurstError(
            f"{path.name} was not written: something of the study changed meanwhile ({error.message})",
            "wait until whatever writes it is done, then export again",
        ) from error


# ── what was recorded ────────────────────────────────────────────────────────────────────────
def _write_records(study: Study, file: Path) -> Written:
    if not study.places.ledger.exists():
        return Written(0, ())
    with (
        Ledger.open(study.places.ledger, study.ensemble.name) as ledger,
        open(file, "w", encoding="ascii") as lines,
    ):
        return write_lines(ledger, lines)


def _kept(study: Study, written: Written, scratch: Path) -> Iterator[_Draft]:
    """The records, the plans that were applied, and what jobs returned."""
    if (scratch / LEDGER).exists():
        yield _draft(LEDGER, "ledger", scratch / LEDGER)
    if plans := applied(study.places):
        (scratch / "applied").write_text(history(plans), "utf-8")
        yield _draft(APPLIED, "applied", scratch / "applied")
    for file in dict.fromkeys(kept.path for kept in plans):
        yield _draft(PLANS + file.name, "plan", file)
    for digest in written.objects:
        if (file := here(study, digest)).is_file():
            yield _draft(OBJECTS + digest, "object", file)


def _lost(study: Study, written: Written) -> Iterator[Absent]:
    for digest in written.objects:
        if not here(study, digest).is_file():
            yield Absent(digest, "object", digest, None, NOT_HERE)


# ── the study's own files ────────────────────────────────────────────────────────────────────
def _files(study: Study, parts: Parts) -> Iterator[_Draft]:
    """As they lie beside each other: names are relative to the lowest directory that has all of them."""
    base = str(study.places.spec.parent)
    places = {part: os.path.normpath(os.path.join(base, part.written)) for part in parts.found}
    root = os.path.commonpath([base, *map(os.path.dirname, places.values())])
    for part, place in places.items():
        name = os.path.relpath(place, root).replace(os.sep, "/")
        if leads_out(name):
            raise CloudBurstError(
                f"{part.written} lies among records of our own or of git's, which are not for others",
                "put it into a directory of its own, and export again",
            )
        yield _draft(STUDY + name, part.role, part.source, executable=part.executable)


def _draft(path: str, role: Role, source: Path, *, executable: bool = False) -> _Draft:
    sha256, size = _measure(source)
    return _Draft(Member(path, role, sha256, size, executable), source)


def _measure(file: Path) -> tuple[str, int]:
    """Raises CloudBurstError when it cannot be read."""
    seen, size = hashlib.sha256(), 0
    try:
        with file.open("rb") as opened:
            while chunk := opened.read(_CHUNK):
                seen.update(chunk)
                size += len(chunk)
    except OSError as error:
        raise CloudBurstError(f"{file} cannot be read: {error.strerror}") from error
    return seen.hexdigest(), size
