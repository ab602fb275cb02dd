"""The plans that were applied, and what is different since. Reads; `plans` writes them.

`plans/applied.jsonl` beside the kept archives has a line each time something else was applied than the time
before; the last one is what the study is compared with when it is planned again.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any

from ..compile.difference import causes
from ..compile.normal import thaw
from ..compile.payload import changed_files
from ..compile.plan import Digest, Edited
from ..compile.plan_archive import SUFFIX, WORKER, Contents, read
from ..errors import CloudBurstError
from ..spec import build
from .observe import Study
from .places import Places

APPLIED = "applied.jsonl"
NAMED = 12
"""Digits of a plan's sha256 in the name of its file."""

_CHUNK = 1 << 20


@dataclass(frozen=True)
class Kept:
    """A plan that was applied: its file, when (seconds since the epoch), its bytes' sha256, and what it ran."""

    path: Path
    at: float
    sha256: str
    runs: str

    @cached_property
    def contents(self) -> Contents:
        return read_contents(self.path)


def applied(place: Places) -> list[Kept]:
    """What was applied, in order. A line that was not finished, or whose archive is gone, is none."""
    try:
        text = (place.plans / APPLIED).read_text("utf-8", "replace")
    except OSError:
        return []
    return read_history(place, text)


def read_history(place: Places, text: str) -> list[Kept]:
    """The lines of an `applied.jsonl`, of whose plans `place` has the archives."""
    return [kept for line in text.splitlines() if (kept := _kept(place, line)) is not None]


def last_applied(place: Places) -> Kept | None:
    return next(reversed(applied(place)), None)


def history(plans: Iterable[Kept]) -> str:
    """The lines of `applied.jsonl` for these."""
    lines = ({"at": kept.at, "sha256": kept.sha256, "runs": kept.runs} for kept in plans)
    return "".join(f"{json.dumps(line)}\n" for line in lines)


def _kept(place: Places, line: str) -> Kept | None:
    try:
        form = json.loads(line)
        path = place.plans / f"{form['sha256'][:NAMED]}{SUFFIX}"
        kept = Kept(path, float(form["at"]), form["sha256"], form["runs"])
    except (ValueError, KeyError, TypeError):
        return None
    return kept if path.is_file() else None


# ── compared with what was applied last ──────────────────────────────────────────────────────
def edited_since(study: Study) -> Edited | None:
    """What was applied last, where the study is another since; None too where that cannot be read any more."""
    last = last_applied(study.places)
    if last is None or last.runs == runs_of(study.frozen, study.order):
        return None
    try:
        before = last.contents.ensemble
        then = build(before["normal"])
        found = causes(
            then,
            study.ensemble,
            ({**before["inputs"], **before.get("files", {})}, study.contents),
        )
        return Edited(
            thaw(before),
            found,
            tuple(_code(last, study)),
            then.results,
            _digest(last.contents.plan),
        )
    except CloudBurstError:
        return None


def _digest(plan: Mapping[str, Any]) -> Digest | None:
    """Over all jobs of what was applied."""
    form = plan["digest"]
    if form is None or form["over"] != "jobs" or plan["selected"] is not None:
        return None
    return Digest(form["sha256"], "jobs")


def code_sent(study: Study) -> str | None:
    """The sha256 of the worker's code that was applied last on the same machines; None where nothing was, or that
    cannot be read."""
    last = last_applied(study.places)
    if last is None:
        return None
    try:
        provider = last.contents.ensemble["normal"]["cluster"]["provider"]
        is_there = provider == study.frozen["normal"]["cluster"]["provider"]
        return str(last.contents.order["payload"]) if is_there else None
    except CloudBurstError:
        return None


def _code(last: Kept, study: Study) -> Iterator[str]:
    """The files of the worker that are other than they were, by name; the lock is `dependencies`."""
    if last.contents.order["payload"] == study.payload.digest:
        return
    with opened(last.path) as archive, archive.open(WORKER) as packed, zipfile.ZipFile(packed) as worker:
        before = {one.filename: (one.CRC, one.file_size) for one in worker.infolist()}
    yield from changed_files(before, study.payload)


# ── reading an archive ───────────────────────────────────────────────────────────────────────
def read_contents(path: Path) -> Contents:
    """What a plan file says. Raises CloudBurstError."""
    with opened(path) as archive:
        return read(archive, str(path))


class opened:  # noqa: N801 - read as a verb: `with opened(path) as archive`
    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> zipfile.ZipFile:
        try:
            self._archive = zipfile.ZipFile(self._path)
        except FileNotFoundError as error:
            raise CloudBurstError(f"there is no file {self._path}") from error
        except zipfile.BadZipFile as error:
            raise CloudBurstError(
                f"{self._path} is no plan",
                "`cloudburst plan --out` writes one; an ensemble file ends in .yaml",
            ) from error
        except OSError as error:
            raise CloudBurstError(f"{self._path} cannot be read: {error.strerror}") from error
        return self._archive

    def __exit__(self, kind: Any, error: BaseException | None, _trace: Any) -> None:
        self._archive.close()
        if isinstance(error, zipfile.BadZipFile | KeyError):
            raise damaged(self._path, str(error)) from error


def damaged(path: Path, what: str) -> CloudBurstError:
    return CloudBurstError(f"{path} is damaged: {what}", "make the plan again")


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hash_of(file)


def hash_of(file: IO[bytes]) -> str:
    seen = hashlib.sha256()
    while chunk := file.read(_CHUNK):
        seen.update(chunk)
    return seen.hexdigest()


def runs_of(frozen: Mapping[str, Any], order: Mapping[str, Any]) -> str:
    """One digest of all that decides what is computed."""
    text = json.dumps([frozen, order], ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
