"""A plan as one file, `*.cbplan`: all that will run, and nothing of who made it, when or where.

A zip with the same bytes for equal inputs (`archive`), which any unzip opens:

    plan.json       what was shown (schemas/plan.schema.json)
    ensemble.json   the study in normal form with its draws: any row can be expanded anywhere
    order.json      what every job has in common
    source.json     the git revision of the files it was made from
    worker.zip      the worker's directory and its lock
    stack.yml       the Swarm stack, where there is one; its secrets by logical name, bound when it is deployed
    spec/…          the ensemble file and those it extends, as they were, for people to read
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from ..errors import CloudBurstError
from .archive import Entry
from .lockfile import parse_lock
from .payload import LOCK_NAME

SUFFIX = ".cbplan"
PLAN = "plan.json"
ENSEMBLE = "ensemble.json"
ORDER = "order.json"
SOURCE = "source.json"
WORKER = "worker.zip"
STACK = "stack.yml"
SPEC = "spec/"

_NEEDED = (PLAN, ENSEMBLE, ORDER, WORKER)


@dataclass(frozen=True)
class Source:
    """The git revision of the study's files; `dirty` when some of them are not as committed there."""

    revision: str
    dirty: bool


@dataclass(frozen=True)
class Contents:
    """What an archive holds but for its worker.zip. `texts` are the files under `spec/`: the study's own first.
    `source` is None where there was no git; `lock` is the text in the worker.zip."""

    plan: Mapping[str, Any]
    ensemble: Mapping[str, Any]
    order: Mapping[str, Any]
    source: Source | None = None
    lock: str = ""
    stack: str | None = None
    texts: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def packages(self) -> tuple[str, ...]:
        """`name==version`, of the lock."""
        return parse_lock(self.lock).packages if self.lock else ()

    @property
    def spec(self) -> str:
        """The name of the ensemble file."""
        return str(self.plan["spec"])


def entries(contents: Contents, worker: Path) -> list[Entry]:
    """The archive's files in their order; `worker` is where its worker.zip lies now."""
    stack = [Entry(STACK, None, contents.stack.encode())] if contents.stack is not None else []
    return [
        Entry(PLAN, None, _readable(contents.plan)),
        Entry(ENSEMBLE, None, _compact(contents.ensemble)),
        Entry(ORDER, None, _readable(contents.order)),
        *([Entry(SOURCE, None, _readable(vars(contents.source)))] if contents.source else []),
        *stack,
        *(Entry(f"{SPEC}{name}", None, text) for name, text in contents.texts.items()),
        Entry(WORKER, worker),
    ]


def read(archive: zipfile.ZipFile, name: str) -> Contents:
    """What `entries` put there. `name` is for sentences. Raises CloudBurstError when it is no plan, damaged, or of
    another version."""
    missing = [one for one in _NEEDED if one not in archive.namelist()]
    if missing:
        raise CloudBurstError(
            f"{name} is no plan: it has no {missing[0]}", "`cloudburst plan --out` writes one"
        )
    try:
        texts = {entry.removeprefix(SPEC): archive.read(entry) for entry in _under_spec(archive)}
        contents = Contents(
            plan=json.loads(archive.read(PLAN)),
            ensemble=json.loads(archive.read(ENSEMBLE)),
            order=json.loads(archive.read(ORDER)),
            source=Source(**json.loads(archive.read(SOURCE))) if SOURCE in archive.namelist() else None,
            lock=_lock(archive),
            stack=archive.read(STACK).decode() if STACK in archive.namelist() else None,
            texts=texts,
        )
    except (ValueError, TypeError, zipfile.BadZipFile, KeyError) as error:
        raise CloudBurstError(f"{name} is damaged: {error}", "plan again") from error
    version = str(contents.plan.get("format_version", ""))
    if version.partition(".")[0] != "1":
        raise CloudBurstError(
            f"{name} is a plan of format {version or 'unknown'}; this version reads format 1",
            "apply it with the version that made it, or plan again",
        )
    return contents


def _lock(archive: zipfile.ZipFile) -> str:
    with archive.open(WORKER) as packed, zipfile.ZipFile(packed) as worker:
        return worker.read(LOCK_NAME).decode()


def _under_spec(archive: zipfile.ZipFile) -> Iterator[str]:
    """In the order written; a name that leads out of the archive is none of ours."""
    for entry in archive.namelist():
        if entry.startswith(SPEC) and ".." not in PurePosixPath(entry).parts:
            yield entry


def _readable(form: Mapping[str, Any]) -> bytes:
    return (json.dumps(form, ensure_ascii=False, indent=1) + "\n").encode()


def _compact(form: Mapping[str, Any]) -> bytes:
    """Key order has meaning: it is written as it is."""
    return json.dumps(form, ensure_ascii=False, separators=(",", ":")).encode()


# ── has the world moved? ─────────────────────────────────────────────────────────────────────
def moved(then: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[str, ...]:
    """What of the world is not as it was when a plan was made, a sentence each; none: it may be applied.

    `then` and `now` are JSON forms of the plan of the same jobs. Machines nobody looked at are not compared.
    """
    return (
        *_other_jobs(then, now),
        *_other_counts(then["counts"], now["counts"]),
        *_other_machines(then, now),
    )


def _other_jobs(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    if then["digest"] != now["digest"]:
        yield f"its jobs come out as others here: it was made by {then['made_by']}, this is {now['made_by']}"


def _other_counts(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    if then["jobs"] is None or now["jobs"] is None:
        return
    for key, what in (("done", "done"), ("failed", "failed"), ("stale", "computed by other code")):
        before, after = then[key], now[key]
        if before != after:
            yield f"{before:,} of its jobs were {what} when it was made, now {after:,} are"


def _other_machines(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    before, after = then["cluster"]["rental"], now["cluster"]["rental"]
    if before is None or after is None:
        return
    stood = {machine["name"]: machine for machine in before["machines"]}
    stand = {machine["name"]: machine for machine in after["machines"]}
    for name in sorted(stood.keys() | stand.keys()):
        if name not in stand:
            yield f"{name} stood when it was made, and is gone"
        elif name not in stood:
            yield f"{name} stands, and did not when it was made"
        elif stood[name]["size"] != stand[name]["size"]:
            yield f"{name} was a {stood[name]['size']} when it was made, and is a {stand[name]['size']}"
