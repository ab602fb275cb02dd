"""`cloudburst import`: a study from one file, made anew or brought together with what is here of it.

Everything is written beside its place and checked before the first of it is put there. What is recorded is united,
objects and plans are added; a file that is here and other than inside stays, and is named.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from ..compile.study_archive import OBJECTS, Absent, Manifest, Member, damaged
from ..errors import CloudBurstError, LedgerError
from ..spec import load
from ..spec.ensemble import Input
from . import run_lock
from .file_store import RESULTS, Objects
from .inputs import HashCache, resolve_inputs
from .kept import sha256_of
from .ledger import Ledger
from .ledger_lines import read_lines
from .ownership import check_ownership, take_ownership
from .places import Places, places, prepare
from .plans import adopt_plans
from .study_archive import StudyArchive, opened_study


@dataclass(frozen=True)
class Imported:
    """`home` is the study's directory, `spec` its ensemble file; `new` attempts were not recorded here before.

    `differing` are files that are here with other content: left as they are, or with `replaced` written over.
    `missing` is what the study reads and is not here; objects of results by their sha256.
    """

    home: Path
    spec: Path
    manifest: Manifest
    new: int
    differing: tuple[str, ...]
    replaced: bool
    missing: tuple[Absent, ...]


def import_study(path: Path, home: Path | None = None, *, replace: bool = False) -> Imported:
    """The study in `path` comes into the directory `home` (default: one named after it, here).

    `replace`: write over files that differ. Raises CloudBurstError for an archive that is not to be believed, and
    then nothing was written; StudyBusy while somebody computes the study there.
    """
    with opened_study(path) as archive:
        home = Path(archive.manifest.study) if home is None else home
        try:
            with _beside(home) as into:
                new, differing = _bring(archive, into, replace)
        except OSError as error:
            where = error.filename or home
            raise CloudBurstError(
                f"{where} cannot be written: {error.strerror or error}",
                "make room or make the place writable, then import again: it goes on",
            ) from error
        manifest = archive.manifest
    place = places(home / manifest.spec, manifest.study)
    take_ownership(place)
    missing = tuple(one for one in manifest.absent if not _is_here(one, place))
    return Imported(home, home / manifest.spec, manifest, new, differing, replace, missing)


@contextmanager
def _beside(home: Path) -> Iterator[Path]:
    """Where to bring it: the directory itself where it is there, else one that takes its name when it is whole."""
    if home.exists():
        if not home.is_dir():
            raise CloudBurstError(f"{home} is a file", "give the directory the study shall be in")
        yield home
        return
    home.parent.mkdir(parents=True, exist_ok=True)
    draft = home.absolute().with_name(f".{home.name[:100]}.{secrets.token_hex(4)}")
    draft.mkdir()
    try:
        yield draft
        draft.rename(home)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _bring(archive: StudyArchive, home: Path, replace: bool) -> tuple[int, tuple[str, ...]]:
    """How many attempts were new, and which files differ."""
    manifest = archive.manifest
    place = places(home / manifest.spec, manifest.study)
    with TemporaryDirectory(prefix=".import-", dir=home) as scratch:
        staged = _extract(archive, Path(scratch))
        differing = _differing(manifest, home)
        if not replace:
            _check_same_study(manifest, place, differing)
        check_ownership(place)
        prepare(place)
        with run_lock.hold(place.lock, study=manifest.study):
            for member in manifest.files:
                if replace or not (home / member.place).exists():
                    _put(staged[member], home / member.place)
            _put_kept(manifest, staged, place)
            os.sync()  # what the ledger calls done has its objects, whenever the power goes
            new = _put_records(manifest, staged, place)
    return new, tuple(member.place for member in differing)


def _extract(archive: StudyArchive, scratch: Path) -> dict[Member, Path]:
    staged = {}
    for number, member in enumerate(archive.manifest.members):
        staged[member] = scratch / str(number)
        archive.extract(member, staged[member])
        if member.role == "ledger":
            _check_records(staged[member], archive)
    return staged


def _check_records(file: Path, archive: StudyArchive) -> None:
    try:
        with open(file, encoding="ascii") as lines:
            for _ in read_lines(lines, archive.manifest.study)[1]:
                pass
    except (LedgerError, UnicodeDecodeError) as error:
        raise damaged(archive.name, "its records are not as `cloudburst export` writes them") from error


# ── what is here already ─────────────────────────────────────────────────────────────────────
def _differing(manifest: Manifest, home: Path) -> list[Member]:
    """Files that are here with other content. A table is no such: it is written again from what is recorded.

    Raises CloudBurstError where a link leads out of the directory, or a file stands in the way of a directory.
    """
    found = []
    inside = Path(os.path.realpath(home))
    for member in manifest.files:
        target = home / member.place
        if not Path(os.path.realpath(target.parent)).is_relative_to(inside):
            raise CloudBurstError(
                f"{member.place} would be written outside {home}: a directory on the way is a link",
                "import it into another directory",
            )
        if target.is_dir():
            raise CloudBurstError(f"{target} is a directory, and a file inside", "import it elsewhere")
        if member.role != "result" and target.exists() and sha256_of(target) != member.sha256:
            found.append(member)
    return found


def _check_same_study(manifest: Manifest, place: Places, differing: list[Member]) -> None:
    """Raises CloudBurstError when the ensemble file here describes another study."""
    if not any(member.role == "spec" for member in differing):
        return
    ensemble = load(place.spec, looking=True).ensemble
    if ensemble is None or ensemble.name != manifest.study:
        whose = f"is the study {ensemble.name}" if ensemble else "is another file"
        raise CloudBurstError(
            f"{place.spec} {whose}, not {manifest.study}",
            "import it into another directory, or replace that file with --force",
        )


def _is_here(absent: Absent, place: Places) -> bool:
    if absent.role == "object":
        return Objects(place.files).path(RESULTS, absent.sha256).exists()
    found = resolve_inputs(
        [Input(absent.path, absent.path, ())],
        place.spec.parent,
        HashCache(None),
    )
    return absent.sha256 in found.digests.values()


# ── putting ──────────────────────────────────────────────────────────────────────────────────
def _put(staged: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    staged.replace(target)


def _put_kept(manifest: Manifest, staged: dict[Member, Path], place: Places) -> None:
    """Objects and plans are named after their content: what is here is the same."""
    objects = Objects(place.files)
    for member in manifest.of("object"):
        target = objects.path(RESULTS, member.path.removeprefix(OBJECTS))
        if not target.exists():
            _put(staged[member], target)
    for member in manifest.of("plan"):
        target = place.plans / Path(member.path).name
        if not target.exists():
            _put(staged[member], target)
    for member in manifest.of("applied"):
        adopt_plans(place, staged[member].read_text("utf-8"))


def _put_records(manifest: Manifest, staged: dict[Member, Path], place: Places) -> int:
    with Ledger.open(place.ledger, manifest.study, create=True, spec=place.spec) as ledger:
        new = 0
        for member in manifest.of("ledger"):
            with open(staged[member], encoding="ascii") as lines:
                payloads, records = read_lines(lines, manifest.study)
                new += ledger.absorb(payloads, records)
        return new
