"""The studies below a directory, and how each stands as far as this machine knows: nothing is packed, nobody is asked.

What is counted comes from the ledger and the plan that was applied last, so that a hundred studies take a second.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..compile.draws import Draws, draw
from ..compile.plan_archive import PLAN, SPEC
from ..compile.space import make_space
from ..errors import CloudBurstError
from ..spec import Loaded, load
from ..spec.ensemble import Cluster, Ensemble
from . import run_lock
from .kept import Kept, last_applied, opened
from .ledger import Counts, Ledger
from .ownership import check_ownership
from .places import Places, places

DEEPEST = 8
MOST_DIRECTORIES = 20_000
"""Below one directory; then the rest is left out, and that is said."""
MOST_WALKED = 100_000
"""Points that `exclude` and `when` are asked about here; of larger blocks only a plan knows the rows."""

_HEAD = 1 << 16
_SPEC = re.compile(rb"""^(?:"cloudburst"|'cloudburst'|cloudburst)[ \t]*:""", re.MULTILINE)
_CHILD = re.compile(rb"^extends[ \t]*:", re.MULTILINE)
_NOT_OURS = frozenset(("node_modules", "__pycache__", "site-packages"))


@dataclass(frozen=True)
class Running:
    """The `apply` that works on a study: `since` in seconds since the epoch."""

    pid: int
    user: str
    host: str
    since: float


@dataclass(frozen=True)
class Listed:
    """One study. `spec` is its file, or the directory of a study whose file is gone. `problem` says why it is not
    known better; of a file with errors nothing else is known, and `study` may be "".

    `rows` is None where only a plan would know, `to_do` too where the file was edited since it was applied last
    (`edited`). `done` and `failed` count jobs under the code that ran last. `applied` in seconds since the epoch.
    """

    study: str
    spec: Path
    provider: str = ""
    where: str = ""
    rows: int | None = None
    done: int = 0
    failed: int = 0
    to_do: int | None = None
    edited: bool = False
    applied: float | None = None
    running: Running | None = None
    problem: str = ""

    @property
    def is_rented(self) -> bool:
        return self.provider == "digitalocean"

    def to_json(self) -> dict[str, Any]:
        return {
            **vars(self),
            "study": self.study or None,
            "spec": str(self.spec),
            "provider": self.provider or None,
            "where": self.where or None,
            "running": vars(self.running) if self.running else None,
            "problem": self.problem or None,
        }


@dataclass
class Found:
    """What lies below some directories. `cut_short` are those with more than is looked at."""

    specs: list[Path] = field(default_factory=list)
    states: list[Path] = field(default_factory=list)
    cut_short: list[Path] = field(default_factory=list)


def list_studies(directories: Sequence[Path]) -> tuple[tuple[Listed, ...], tuple[Path, ...]]:
    """Every study once, by its place; and the directories that are too large to be looked through whole.

    Raises CloudBurstError for a directory that is not there.
    """
    found = Found()
    for directory in directories:
        _look_through(directory, found)
    loaded = {spec: _loaded(spec) for spec in dict.fromkeys(found.specs)}
    listed = [*_of_files(loaded), *_of_states(found.states, loaded)]
    return tuple(sorted(listed, key=lambda one: (str(one.spec), one.study))), tuple(found.cut_short)


# ── finding ──────────────────────────────────────────────────────────────────────────────────
def _look_through(top: Path, found: Found) -> None:
    if not top.is_dir():
        raise CloudBurstError(f"there is no directory {top}")
    waiting, seen = [(top, 0)], 0
    while waiting:
        directory, depth = waiting.pop()
        seen += 1
        if seen > MOST_DIRECTORIES:
            found.cut_short.append(top)
            return
        below = _look_at(directory, found)
        if depth < DEEPEST:
            waiting += ((one, depth + 1) for one in below)
        elif below and top not in found.cut_short:
            found.cut_short.append(top)


def _look_at(directory: Path, found: Found) -> list[Path]:
    """Its studies; what is below it comes back. A directory nobody may read has none."""
    try:
        entries = sorted(os.scandir(directory), key=lambda entry: entry.name)
    except OSError:
        return []
    if any(entry.name == "pyvenv.cfg" for entry in entries):
        return []
    below = []
    for entry in entries:
        path = directory / entry.name
        if entry.name == ".cloudburst" and entry.is_dir():
            found.states += _states(path)
        elif entry.name.startswith(".") or entry.name in _NOT_OURS:
            continue
        elif entry.is_dir(follow_symlinks=False):
            below.append(path)
        elif path.suffix in (".yaml", ".yml") and _says_it_is_one(path):
            found.specs.append(path)
    return below


def _states(path: Path) -> Iterator[Path]:
    """Directories with something a study has left that may matter: results, or machines."""
    try:
        names = sorted(os.listdir(path))
    except OSError:
        return
    for name in names:
        if any((path / name / file).exists() for file in ("ledger.sqlite", "rentals.json")):
            yield path / name


def _says_it_is_one(path: Path) -> bool:
    return _begins(path, _SPEC) or _begins(path, _CHILD)


def _begins(path: Path, pattern: re.Pattern[bytes]) -> bool:
    try:
        with path.open("rb") as file:
            return pattern.search(file.read(_HEAD)) is not None
    except OSError:
        return False


# ── knowing ──────────────────────────────────────────────────────────────────────────────────
def _loaded(spec: Path) -> Loaded | CloudBurstError:
    try:
        return load(spec, looking=True)
    except CloudBurstError as error:
        return error


def _of_files(loaded: Mapping[Path, Loaded | CloudBurstError]) -> Iterator[Listed]:
    """Without files that only others build upon."""
    bases = {
        base.resolve() for one in loaded.values() if isinstance(one, Loaded) for base in one.document.bases
    }
    for spec, one in loaded.items():
        if isinstance(one, Loaded) and one.ensemble is not None:
            yield _of(spec, one, one.ensemble)
        elif spec.resolve() not in bases and _begins(spec, _SPEC):
            yield Listed(_name_in(one), spec, problem=_why(one))


def _name_in(one: Loaded | CloudBurstError) -> str:
    """Of a file with errors, where its name is none of them."""
    value = one.document.value if isinstance(one, Loaded) else None
    name = value.get("name") if isinstance(value, dict) else None
    return name if isinstance(name, str) else ""


def _why(one: Loaded | CloudBurstError) -> str:
    if isinstance(one, CloudBurstError):
        return one.message
    errors = [diagnostic for diagnostic in one.diagnostics if diagnostic.severity == "error"]
    first = errors[0]
    line = f"line {first.span.line}: " if first.span else ""
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return f"{line}{first.message}{more}"


def _of(spec: Path, loaded: Loaded, ensemble: Ensemble) -> Listed:
    place = places(spec, ensemble.name)
    known = Listed(
        ensemble.name, spec, ensemble.cluster.provider, _where(ensemble.cluster), running=_running(place)
    )
    try:
        check_ownership(place)
        return _counted(known, place, loaded, ensemble)
    except CloudBurstError as error:
        return _with(known, problem=error.message)


def _with(listed: Listed, **more: Any) -> Listed:
    return Listed(**{**vars(listed), **more})


def _where(cluster: Cluster) -> str:
    options = cluster.options
    match cluster.provider:
        case "local":
            return "here"
        case "swarm":
            return f"swarm {options.get('context') or options.get('host')}"
        case "ssh":
            hosts = options["hosts"]
            count = len(hosts) if isinstance(hosts, list | tuple) else 1
            return f"{count} host{'' if count == 1 else 's'} by ssh"
        case "digitalocean":
            return f"rented, {options['region']}"


def _running(place: Places) -> Running | None:
    holder = run_lock.current_holder(place.lock)
    return Running(holder.pid, holder.user, holder.host, holder.since) if holder else None


# ── counting ─────────────────────────────────────────────────────────────────────────────────
def _counted(known: Listed, place: Places, loaded: Loaded, ensemble: Ensemble) -> Listed:
    recorded = _recorded(place)
    last = last_applied(place)
    plan = _plan_of(last) if last else None
    rows = _rows(ensemble)
    edited = plan is not None and _is_edited(plan, loaded, rows)
    jobs = plan.jobs if plan is not None else None
    total = rows if jobs is None else jobs
    to_do = None if edited or total is None else max(0, total - recorded.done - recorded.failed)
    return _with(
        known,
        rows=rows,
        done=recorded.done,
        failed=recorded.failed,
        to_do=to_do,
        edited=edited,
        applied=last.at if last else None,
    )


def _recorded(place: Places) -> Counts:
    if not place.ledger.exists():
        return Counts(0, 0)
    with Ledger.open(place.ledger, place.study) as ledger:
        newest = ledger.newest_payload()
        return ledger.counts(newest) if newest else Counts(0, 0)


def _rows(ensemble: Ensemble) -> int | None:
    space = make_space(ensemble, Draws())
    sifted = [block for block in space.blocks if block.stages]
    if any(block.size > MOST_WALKED for block in sifted):
        return None
    return make_space(ensemble, draw(ensemble)).count if sifted else space.count


@dataclass(frozen=True)
class _Plan:
    """Of the plan that was applied last: its rows, its jobs (None: not counted, or only some rows), its files."""

    rows: int
    jobs: int | None
    texts: Mapping[str, bytes]


def _plan_of(kept: Kept) -> _Plan | None:
    """None for an archive that cannot be read any more."""
    try:
        with opened(kept.path) as archive:
            form = json.loads(archive.read(PLAN))
            names = (one for one in archive.namelist() if one.startswith(SPEC))
            texts = {one.removeprefix(SPEC): archive.read(one) for one in names}
        jobs = None if form["selected"] else (form["counts"] or {}).get("jobs")
        return _Plan(form["rows"], jobs, texts)
    except (CloudBurstError, ValueError, KeyError):
        return None


def _is_edited(plan: _Plan, loaded: Loaded, rows: int | None) -> bool:
    """By the text of its files: whether an edit matters is a plan's to say."""
    spec = loaded.document.file
    base = spec.parent
    files = {
        os.path.relpath(file, base).replace(os.sep, "/"): file for file in (spec, *loaded.document.bases)
    }
    inside = {name: file for name, file in files.items() if not name.startswith("../")}
    if plan.texts.keys() != inside.keys() or (rows is not None and rows != plan.rows):
        return True
    return any(plan.texts[name] != file.read_bytes() for name, file in inside.items())


# ── whose file is gone ───────────────────────────────────────────────────────────────────────
def _of_states(states: Sequence[Path], loaded: Mapping[Path, Loaded | CloudBurstError]) -> Iterator[Listed]:
    """Results, and perhaps machines, of studies no file here describes. One that cannot be read may: then nothing
    is said."""
    known = {
        (spec.parent, one.ensemble.name)
        for spec, one in loaded.items()
        if isinstance(one, Loaded) and one.ensemble is not None
    }
    broken = {
        spec.parent
        for spec, one in loaded.items()
        if not (isinstance(one, Loaded) and one.ensemble is not None)
    }
    for state in dict.fromkeys(states):
        home = state.parent.parent
        if (home, state.name) not in known and home not in broken:
            place = places(home / "ensemble.yaml", state.name)
            yield _gone(place, home)


def _gone(place: Places, home: Path) -> Listed:
    provider = "digitalocean" if (place.root / "rentals.json").exists() else ""
    known = Listed(place.study, home, provider, running=_running(place))
    try:
        recorded = _recorded(place)
    except CloudBurstError as error:
        return _with(known, problem=error.message)
    return _with(
        known,
        done=recorded.done,
        failed=recorded.failed,
        problem="its ensemble file is gone; its results are in .cloudburst",
    )
