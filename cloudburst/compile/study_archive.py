"""A study as one file, `*.cbstudy`: all that a colleague needs to go on with it, and nothing of whose it was.

A zip with the same bytes for equal contents (`archive`), which any unzip opens:

    cbstudy.json           the manifest: every other file with its sha256 (schemas/cbstudy.schema.json)
    ledger.jsonl           what was ever recorded, a line each (run/ledger_lines)
    plans/applied.jsonl    which plans were applied when
    plans/….cbplan         those plans
    objects/…              series and files that jobs returned, by sha256
    study/…                the ensemble file and what it reads, as they lie beside each other

What is written here are names and rules; reading and writing files is `run`'s.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Literal, get_args

from ..errors import CloudBurstError
from .archive import Entry

SUFFIX = ".cbstudy"
FORMAT = "1.0"
MANIFEST = "cbstudy.json"
LEDGER = "ledger.jsonl"
APPLIED = "plans/applied.jsonl"
PLANS = "plans/"
OBJECTS = "objects/"
STUDY = "study/"

Role = Literal[
    "spec", "extended", "worker", "lock", "table", "input", "result", "ledger", "applied", "plan", "object"
]
"""`extended`: a file the spec builds upon; `result`: a table that was written."""

OURS = (".git", ".cloudburst")
"""Directories no file of a study is in: what stands there is not for others, or would run by itself."""

_PLACES: Mapping[str, re.Pattern[str]] = {
    "ledger": re.compile(re.escape(LEDGER)),
    "applied": re.compile(re.escape(APPLIED)),
    "plan": re.compile(PLANS + r"[0-9a-f]{12}\.cbplan"),
    "object": re.compile(OBJECTS + "[0-9a-f]{64}"),
}
_OF_THE_STUDY = re.compile(STUDY + ".+", re.DOTALL)
_DIGEST = re.compile(r"[0-9a-f]{64}").fullmatch
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?").fullmatch


@dataclass(frozen=True)
class Member:
    """One file inside; `path` is its name in the archive, `size` in bytes."""

    path: str
    role: Role
    sha256: str
    size: int
    executable: bool = False

    @property
    def place(self) -> str:
        """Of a file under `study/`: where it lies in the study's directory."""
        return self.path.removeprefix(STUDY)

    def to_json(self) -> dict[str, Any]:
        executable = {"executable": True} if self.executable else {}
        return {
            "path": self.path,
            "role": self.role,
            "sha256": self.sha256,
            "size": self.size,
            **executable,
        }


@dataclass(frozen=True)
class Absent:
    """What belongs to the study and is not inside: `path` as the ensemble file has it (a directory or a glob by the
    sha256 of its zip), or an object's sha256. `why` is a clause. `size` in bytes, None where it is not known."""

    path: str
    role: Role
    sha256: str
    size: int | None
    why: str

    def to_json(self) -> dict[str, Any]:
        return dict(vars(self))


@dataclass(frozen=True)
class Manifest:
    """What an archive says of itself. `spec` is the place of the ensemble file in the study's directory, `payload`
    the sha256 of its worker.zip; `outcomes` counts attempts in the ledger."""

    study: str
    spec: str
    payload: str
    made_by: str
    outcomes: int
    members: tuple[Member, ...]
    absent: tuple[Absent, ...] = ()

    def of(self, *roles: Role) -> Iterator[Member]:
        return (member for member in self.members if member.role in roles)

    @property
    def files(self) -> Iterator[Member]:
        """Those that lie in the study's directory."""
        return (member for member in self.members if member.role not in _PLACES)

    def to_json(self) -> dict[str, Any]:
        return {
            "format_version": FORMAT,
            "study": self.study,
            "spec": self.spec,
            "payload": self.payload,
            "made_by": self.made_by,
            "outcomes": self.outcomes,
            "files": [member.to_json() for member in self.members],
            "absent": [absent.to_json() for absent in self.absent],
        }


def manifest_entry(manifest: Manifest) -> Entry:
    text = json.dumps(manifest.to_json(), ensure_ascii=False, indent=1) + "\n"
    return Entry(MANIFEST, None, text.encode(errors="surrogateescape"))


# ── reading ──────────────────────────────────────────────────────────────────────────────────
def read_manifest(text: bytes, name: str) -> Manifest:
    """`name` is for sentences. Raises CloudBurstError when it is of a newer format, or nothing that `export` wrote:
    a path that would leave the study's directory is never in there."""
    try:
        form = json.loads(text)
        version = str(form["format_version"])
    except (ValueError, TypeError, KeyError) as error:
        raise damaged(name, f"its {MANIFEST} cannot be read") from error
    if version.partition(".")[0] != FORMAT.partition(".")[0]:
        raise CloudBurstError(
            f"{name} is a study of format {version}; this version reads format {FORMAT.partition('.')[0]}",
            "upgrade with `pip install --upgrade cloudburst`",
        )
    try:
        manifest = _manifest(form)
    except (ValueError, TypeError, KeyError) as error:
        raise damaged(name, f"its {MANIFEST} is not as `cloudburst export` writes it") from error
    _check(manifest, name)
    return manifest


def _manifest(form: Mapping[str, Any]) -> Manifest:
    return Manifest(
        study=_text(form["study"]),
        spec=_text(form["spec"]),
        payload=_text(form["payload"]),
        made_by=_text(form["made_by"]),
        outcomes=int(form["outcomes"]),
        members=tuple(
            Member(
                _text(one["path"]),
                _role(one["role"]),
                _text(one["sha256"]),
                int(one["size"]),
                one.get("executable") is True,
            )
            for one in form["files"]
        ),
        absent=tuple(
            Absent(
                _text(one["path"]),
                _role(one["role"]),
                _text(one["sha256"]),
                None if one["size"] is None else int(one["size"]),
                _text(one["why"]),
            )
            for one in form["absent"]
        ),
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _role(value: Any) -> Role:
    if value not in get_args(Role):
        raise ValueError(value)
    role: Role = value
    return role


def _check(manifest: Manifest, name: str) -> None:
    if not _NAME(manifest.study):
        raise damaged(name, f"{manifest.study!r} is no name of a study")
    seen: set[str] = set()
    for member in manifest.members:
        if leads_out(member.path):
            raise CloudBurstError(
                f"{name} is refused: {member.path!r} would be written outside the study's directory",
                "`cloudburst export` makes no such file; do not trust whoever sent it",
            )
        if not _PLACES.get(member.role, _OF_THE_STUDY).fullmatch(member.path) or not _DIGEST(member.sha256):
            raise damaged(name, f"{member.path!r} is not where a {member.role} is")
        if member.role == "object" and member.path != OBJECTS + member.sha256:
            raise damaged(name, f"{member.path!r} is not named after its content")
        if member.role == "plan" and not member.sha256.startswith(PurePosixPath(member.path).stem):
            raise damaged(name, f"{member.path!r} is not named after its content")
        if member.path in seen:
            raise damaged(name, f"{member.path!r} is in it twice")
        seen.add(member.path)
    if [member.place for member in manifest.of("spec")] != [manifest.spec]:
        raise damaged(name, "its ensemble file is missing")


def leads_out(path: str) -> bool:
    """Whether a path inside an archive leads anywhere but below the study's directory, or to where our own records
    and git's are."""
    parts = path.split("/")
    return "\0" in path or any(part in ("", ".", "..") or part.casefold() in OURS for part in parts)


def check_contents(manifest: Manifest, found: Iterable[tuple[str, int, bool]], name: str) -> None:
    """`found` are the files of the zip: name, bytes, and whether stored as they are. Raises CloudBurstError when
    they are not exactly those of the manifest."""
    wanted = {member.path: member.size for member in manifest.members}
    seen: set[str] = {MANIFEST}
    for path, size, stored in found:
        if path == MANIFEST:
            continue
        if path not in wanted or path in seen:
            raise damaged(name, f"{path!r} is in it, and not in its {MANIFEST}")
        if size != wanted[path] or not stored:
            raise damaged(name, f"{path!r} is not as it was written")
        seen.add(path)
    if missing := sorted(wanted.keys() - seen):
        raise damaged(name, f"{missing[0]!r} is missing")


def damaged(name: str, what: str) -> CloudBurstError:
    return CloudBurstError(f"{name} is damaged: {what}", "copy it again, or let it be exported again")
