"""Everything a command needs to know of a study, read once: the spec, its jobs, its inputs, its lock, its code.

Looks and writes nothing. What is wrong comes back all at once, sorted, as diagnostics of the user's files.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ..compile import contract, plan, remains
from ..compile.checks import check
from ..compile.draw_checks import check_drawn
from ..compile.draws import Draws, draw
from ..compile.effort import is_quickly_counted
from ..compile.files import axes_of_files
from ..compile.filters import RowError
from ..compile.jobs import Job, Jobs, make_jobs
from ..compile.lockfile import Dependencies, judge_lock
from ..compile.normal import freeze
from ..compile.order import make_order
from ..compile.payload import Payload, pack
from ..compile.plan import FilesUsed, InputUsed, Plan, Surroundings
from ..compile.requirements import Found, find_requirements
from ..compile.space import make_space
from ..compile.trial import MOST_EFFORT
from ..compile.unsent import check_unsent
from ..diagnostics import Diagnostic, Problem, has_errors, in_order
from ..diagnostics import Path as DocumentPath
from ..errors import CloudBurstError, SpecError
from ..spec import Loaded, load
from ..spec.ensemble import Ensemble, Files, InfluxSink
from .events import Doing, OnEvent
from .inputs import HashCache, ResolvedInputs, resolve_files, resolve_inputs
from .places import Places, places

if TYPE_CHECKING:
    from .ledger import Ledger

_SAMPLES_OF_A_BLOCK = 8

Rows = tuple[int | None, int | None] | None


class Content(Protocol):
    """Something the file store shall hold: worker.zip, an input."""

    @property
    def digest(self) -> str: ...
    def write(self, path: Path) -> None: ...


@dataclass(frozen=True)
class Study:
    """One study as it stands on this machine. `diagnostics` are the warnings and notes; errors there are none.

    `lock_text` is the lock that fits, None while there is none. `payload` is packed when it is first asked for, unless `read_study` did it.
    """

    loaded: Loaded
    ensemble: Ensemble
    places: Places
    draws: Draws
    jobs: Jobs
    inputs: ResolvedInputs
    dependencies: Dependencies
    lock_text: str | None
    diagnostics: tuple[Diagnostic, ...]
    cache: HashCache
    packed: Payload | None = None
    files: ResolvedInputs = field(default_factory=ResolvedInputs)

    @cached_property
    def payload(self) -> Payload:
        if self.packed is not None:
            return self.packed
        return _pack(self.ensemble, self.places, self.lock_text, self.loaded.document.bases)

    @cached_property
    def frozen(self) -> dict[str, Any]:
        """All that is needed to expand any row anywhere."""
        return freeze(self.loaded.normal, self.draws, self.inputs.digests, self.files.digests)

    @property
    def contents(self) -> dict[str, str]:
        """The sha256 of its inputs, by name, and of its files that are values, by path."""
        return {**self.inputs.digests, **self.files.digests}

    @property
    def python(self) -> str:
        """The minor version the worker's environment gets."""
        from .locking import running_python

        lock = self.dependencies.lock
        return self.ensemble.worker.python or (lock.python if lock else running_python())

    @cached_property
    def order(self) -> dict[str, Any]:
        """What every job has in common, as schemas/order.schema.json says."""
        return make_order(
            self.ensemble,
            payload=self.payload.digest,
            lock=self.lock_text,
            python=self.python,
            inputs=self.inputs.of_order,
        )

    def objects(self, named: Set[str] = frozenset()) -> Iterator[tuple[str, Content]]:
        """What the file store needs before the first job, with the name people know it by.

        Of the files that are values those whose sha256 is in `named`: what a job names (`sending`).
        """
        yield "worker.zip", self.payload
        for one in self.inputs.found:
            yield f"inputs.{one.name}", one
        alike = {one.sha256: one for one in self.files.found if one.sha256 in named}
        for one in alike.values():
            yield one.name, one

    def recorded(self) -> AbstractContextManager[Ledger | None]:
        """The ledger, open for reading; None while nothing was ever computed. Raises LedgerError."""
        if not self.places.ledger.exists():
            return nullcontext(None)
        from .ledger import Ledger

        return Ledger.open(self.places.ledger, self.ensemble.name)


# ── reading ──────────────────────────────────────────────────────────────────────────────────
def read_study(path: Path, *, need_payload: bool = True, local: bool = False, looking: bool = False) -> Study:
    """The study of the ensemble file at `path`. Without `need_payload` the code is not packed yet; with `local`
    the machines that the file names are set aside, with `looking` only those this version cannot have.

    Raises SpecError with every diagnostic there is when one is an error, CloudBurstError for a file that cannot
    be read.
    """
    study, diagnostics = _look(path, need_payload, local=local, looking=looking)
    if study is None or has_errors(diagnostics):
        raise SpecError(diagnostics)
    return study


def diagnose(path: Path) -> tuple[Diagnostic, ...]:
    """Everything that can be said of the study, errors included. Raises CloudBurstError as `read_study` does."""
    return _look(path, True, drawing=False)[1]


def _look(
    path: Path, need_payload: bool, *, local: bool = False, looking: bool = False, drawing: bool = True
) -> tuple[Study | None, tuple[Diagnostic, ...]]:
    loaded = load(path, local=local, looking=looking)
    if loaded.ensemble is None:
        return None, in_order((*loaded.diagnostics, *_further(loaded)))
    look = _Looking(loaded, loaded.ensemble, places(Path(path), loaded.ensemble.name), drawing=drawing)
    study = look.study()
    if study is not None and need_payload:
        study = replace(study, packed=study.payload)
        look.problems += study.payload.problems
        look.problems += contract.check_packed(study.ensemble, look.base, study.payload.files)
    diagnostics = look.diagnostics()
    return (replace(study, diagnostics=diagnostics) if study else None), diagnostics


_PAYLOAD: frozenset[DocumentPath] = frozenset(
    {("worker",), *(("worker", key) for key in ("directory", "entrypoint", "command"))}
)


def _further(loaded: Loaded) -> Iterator[Diagnostic]:
    """What is wrong besides: with the names that are used, with inputs and the worker, as far as they were read."""
    ensemble, document = loaded.understood, loaded.document
    if ensemble is None:
        return
    base = document.file.parent
    problems = list(remains.check(ensemble, document.value, loaded.wrong))
    cache = HashCache(places(document.file, ensemble.name).root / "inputs.json")
    problems += resolve_inputs(ensemble.inputs, base, cache).problems
    if "worker" in document.value and not any(path in _PAYLOAD for path in loaded.wrong):
        problems += contract.check_worker(ensemble, base)
        yield from find_requirements(base / ensemble.worker.directory, ensemble.worker.entrypoint).diagnostics
    yield from document.place(problems)


class _Looking:
    """One look at the world around a spec; gathers what is wrong on the way.

    Without `drawing` values that should travel are computed where a row is looked at: enough to find what is
    wrong, and not a study to compute with.
    """

    def __init__(self, loaded: Loaded, ensemble: Ensemble, place: Places, *, drawing: bool) -> None:
        self.drawing = drawing
        self.draws = _draw(ensemble) if drawing else Draws()
        self.loaded = loaded
        self.ensemble = ensemble
        self.place = place
        self.base = loaded.document.file.parent
        self.problems: list[Problem] = []
        self.found = self._requirements()

    def diagnostics(self) -> tuple[Diagnostic, ...]:
        placed = self.loaded.document.place(self.problems)
        return in_order((*self.loaded.diagnostics, *placed, *self.found.diagnostics))

    def study(self) -> Study | None:
        """None when there is no worker directory, or an error keeps jobs from being made."""
        cache = HashCache(self.place.root / "inputs.json")
        inputs = resolve_inputs(self.ensemble.inputs, self.base, cache)
        files = resolve_files(self.ensemble, self.base, cache)
        self.problems += (*inputs.problems, *files.problems)
        draws = self.draws
        jobs = self._jobs(draws, inputs, files)
        self._check_worker(jobs)
        if jobs is None or not os.path.isdir(self._directory):
            return None
        text = _read(self.place.lock_file)
        dependencies = judge_lock(text, self.found, self.ensemble.worker.python)
        fitting = text if dependencies.state == "locked" else None
        return Study(
            self.loaded,
            self.ensemble,
            self.place,
            draws,
            jobs,
            inputs,
            dependencies,
            fitting,
            (),
            cache,
            files=files,
        )

    @property
    def _directory(self) -> Path:
        return self.base / self.ensemble.worker.directory

    def _requirements(self) -> Found:
        return find_requirements(self._directory, self.ensemble.worker.entrypoint)

    def _jobs(self, draws: Draws, inputs: ResolvedInputs, files: ResolvedInputs) -> Jobs | None:
        """None when an expression, a template or an input is wrong: then no row is sure to have a job."""
        all_found = len(inputs.found) == len(self.ensemble.inputs) and not files.problems
        problems = list(check(self.ensemble, draws, inputs.digests if all_found else None))
        self.problems += problems
        if not all_found or any(problem.severity == "error" for problem in problems):
            return None
        return make_jobs(self.ensemble, make_space(self.ensemble, draws), inputs.digests, files.digests)

    def _check_worker(self, jobs: Jobs | None) -> None:
        samples: list[Job] = []
        try:
            samples.extend(self._samples(jobs) if jobs is not None else ())
        except RowError as error:
            self.problems.append(error.problem)
        source = self.found.source
        installed = [requirement.name for requirement in source.requirements] if source else []
        self.problems += contract.check_worker(self.ensemble, self.base, samples, installed)
        self.problems += check_unsent(self.ensemble, self.base)

    def _samples(self, jobs: Jobs) -> Iterator[Job]:
        """None of a study that takes long to be counted, when that is not asked for."""
        if self.drawing or is_quickly_counted(
            self.ensemble, jobs.space, self.draws, _SAMPLES_OF_A_BLOCK, MOST_EFFORT
        ):
            yield from _sample(jobs)


def _draw(ensemble: Ensemble) -> Draws:
    """Nothing where a sample cannot be drawn; that is a diagnostic by then."""
    return Draws() if any(check_drawn(ensemble)) else draw(ensemble)


def _sample(jobs: Jobs) -> Iterator[Job]:
    """A few rows of each block, its first and last among them: blocks, and rows with `when`, differ in their keys."""
    for block in jobs.space.blocks:
        last = block.count - 1
        steps = _SAMPLES_OF_A_BLOCK - 1
        for index in sorted({last * step // steps for step in range(steps + 1)} if last >= 0 else ()):
            yield jobs[block.start + index]


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else None
    except OSError as error:
        raise CloudBurstError(f"{path} cannot be read: {error.strerror}") from error


def _pack(ensemble: Ensemble, place: Places, lock: str | None, bases: Sequence[Path]) -> Payload:
    """Without what is no part of the code: the study's own files and its results."""
    base = place.spec.parent
    written = [sink.written for sink in ensemble.results if not isinstance(sink, InfluxSink)]
    apart = [place.spec, *bases, place.lock_file, *(base / path for path in written)]
    return pack(base / ensemble.worker.directory, lock, leave_out=apart)


# ── planning ─────────────────────────────────────────────────────────────────────────────────
def outline_study(study: Study, rows: Rows = None) -> Plan:
    """The first screen: at once, at any size. `rows` with the meaning of a slice. Raises SpecError."""
    with rows_in_their_place(study):
        return plan.outline(study.ensemble, study.jobs, _surroundings(study), rows)


def _surroundings(study: Study) -> Surroundings:
    patterns = {one.name: one.pattern for one in study.ensemble.inputs}
    used = (
        InputUsed(one.name, one.kind, one.size, one.sha256, patterns[one.name]) for one in study.inputs.found
    )
    return Surroundings(
        spec=study.places.spec.name,
        lock_file=study.places.lock_file.name,
        dependencies=study.dependencies,
        payload=study.payload,
        inputs=tuple(used),
        warnings=study.diagnostics,
        libraries=study.draws.libraries,
        files=tuple(_files_used(study)),
    )


def _files_used(study: Study) -> Iterator[FilesUsed]:
    found = {one.name: one for one in study.files.found}
    for block in study.ensemble.blocks:
        for axis in axes_of_files(block):
            if isinstance(axis.values, Files):
                files = [found[str(path)] for path in axis.values.values]
                digest = hashlib.sha256("".join(one.sha256 for one in files).encode()).hexdigest()
                size = sum(one.size for one in files)
                yield FilesUsed(axis.name, block.name, axis.values.pattern, len(files), size, digest)


@contextmanager
def rows_in_their_place(study: Study) -> Iterator[None]:
    """An expression that fails on a row far down, where no check looked, is a mistake with a line, too: SpecError."""
    try:
        yield
    except RowError as error:
        raise SpecError(study.loaded.document.place([error.problem])) from error


# ── locking ──────────────────────────────────────────────────────────────────────────────────
def with_lock(study: Study, on_event: OnEvent) -> Study:
    """The study ready to be computed: with a lock that fits, made now if need be, and what was learned about its
    inputs remembered. Its state directory must exist. Raises LockingFailed.
    """
    study.cache.save()
    if study.lock_text is not None:
        return study
    on_event(Doing("lock", study.dependencies.reason))
    from .locking import make_lock

    worker = study.ensemble.worker
    directory = study.places.spec.parent / worker.directory
    make_lock(directory, worker.entrypoint, worker.python, study.places.lock_file, say=_saying(on_event))
    text = study.places.lock_file.read_text(encoding="utf-8")
    dependencies = judge_lock(text, find_requirements(directory, worker.entrypoint), worker.python)
    return replace(study, dependencies=dependencies, lock_text=text, packed=None)


def _saying(on_event: OnEvent) -> Callable[[str], None]:
    return lambda line: on_event(Doing("lock", line))
