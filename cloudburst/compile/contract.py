"""Does the worker directory hold what the spec names, and does the function take what a job is?

By reading the source, never by importing it. What is certainly wrong is an error; what reading cannot decide
(a class, a decorated function, a name from elsewhere) is a note, and the runner decides before the first job.
"""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

from .. import diagnostics
from ..diagnostics import Problem
from ..spec.ensemble import Ensemble, Worker
from .requirements import comparable
from .signature import ENTRYPOINT, Module, Sample, check_function, check_setup, did_you_mean, nearest, note

_DIRECTORY: diagnostics.Path = ("worker", "directory")
_PROGRAM: diagnostics.Path = ("worker", "command", 0)


def check_worker(
    ensemble: Ensemble, base: Path, samples: Iterable[Sample] = (), installed: Collection[str] = ()
) -> Iterator[Problem]:
    """`base`: where the spec lies; `samples`: a few jobs; `installed`: names of the packages asked for.

    Writes nothing, imports nothing, and never raises for what is in the files.
    """
    directory = base / ensemble.worker.directory
    if not os.path.isdir(directory):
        yield _no_directory(ensemble.worker, base)
    elif ensemble.worker.entrypoint is not None:
        yield from _check_entrypoint(ensemble, directory, tuple(samples), installed)
    else:
        yield from _check_program(ensemble.worker, directory, samples)


def check_packed(ensemble: Ensemble, base: Path, files: Collection[str]) -> Iterator[Problem]:
    """The program or the module is there but does not travel: `.cloudburstignore` keeps it at home."""
    worker = ensemble.worker
    directory = base / worker.directory
    path = ENTRYPOINT if worker.entrypoint is not None else _PROGRAM
    for name in _needed(worker):
        if os.path.isfile(directory / name) and name not in files:
            yield Problem(
                "ignored-worker-file",
                path,
                f'"{name}" is not packed: .cloudburstignore leaves it out',
                hint=f"add the line `!{name}` to {worker.directory}/.cloudburstignore",
            )


def _needed(worker: Worker) -> Iterator[str]:
    if worker.entrypoint is not None:
        path = worker.entrypoint.partition(":")[0].replace(".", "/")
        yield from (f"{path}.py", f"{path}/__init__.py")
    elif worker.command and _is_relative(worker.command[0]):
        yield os.path.normpath(worker.command[0])


# ── the directory ────────────────────────────────────────────────────────────────────────────
def _no_directory(worker: Worker, base: Path) -> Problem:
    path = base / worker.directory
    if os.path.exists(path):
        return Problem("no-worker-directory", _DIRECTORY, f'"{worker.directory}" is a file, not a directory')
    siblings = _names(path.parent, directories=True)
    near = nearest(path.name, siblings)
    return Problem(
        "no-worker-directory",
        _DIRECTORY,
        f'there is no directory "{worker.directory}"',
        hint=did_you_mean(near) or "the path is relative to the ensemble file",
    )


def _names(directory: Path, *, directories: bool) -> list[str]:
    try:
        entries = sorted(directory.iterdir())
    except OSError:
        return []
    return [e.name for e in entries if not e.name.startswith(".") and (not directories or os.path.isdir(e))]


# ── command: ─────────────────────────────────────────────────────────────────────────────────
def _is_relative(program: str) -> bool:
    return "/" in program and not program.startswith("/")


def _check_program(worker: Worker, directory: Path, samples: Iterable[Sample]) -> Iterator[Problem]:
    programs = dict.fromkeys(sample.argv[0] for sample in samples if sample.argv)
    if not programs and worker.command and "{{" not in worker.command[0]:
        programs[worker.command[0]] = None
    for program in programs:
        yield from _judge_program(program, worker, directory)


def _judge_program(program: str, worker: Worker, directory: Path) -> Iterator[Problem]:
    path = directory / program
    if not _is_relative(program):
        if "/" not in program and os.path.isfile(path):
            yield Problem(
                "program-on-path", _PROGRAM, f'"{program}" is looked for on PATH, not in {worker.directory}',
                hint=f"write `./{program}` to run the one in the worker directory", severity="warning",
            )  # fmt: skip
    elif not os.path.isfile(path):
        yield Problem(
            "no-program",
            _PROGRAM,
            f'there is no program "{program}" in {worker.directory}',
            hint=_missing_program(path),
        )
    elif not os.access(path, os.X_OK):
        shown = os.path.normpath(os.path.join(worker.directory, program))
        yield Problem("not-executable", _PROGRAM, f'"{program}" is not executable', hint=f"chmod +x {shown}")


def _missing_program(path: Path) -> str:
    names = _names(path.parent, directories=False)
    source = next((name for name in names if Path(name).stem == path.name), None)
    if source is not None:
        return f"build it from {source} first; worker nodes run it, they do not compile it"
    return (
        did_you_mean(nearest(path.name, names))
        or "build it first; worker nodes run it, they do not compile it"
    )


# ── entrypoint: the module ───────────────────────────────────────────────────────────────────
def _check_entrypoint(
    ensemble: Ensemble, directory: Path, samples: Sequence[Sample], installed: Collection[str]
) -> Iterator[Problem]:
    worker = ensemble.worker
    name, _, function = (worker.entrypoint or "").partition(":")
    path = _module_file(directory, name)
    if path is None:
        yield _no_module(name, worker, directory, installed)
        return
    if name.partition(".")[0] in sys.stdlib_module_names:
        yield _shadows(name.partition(".")[0], worker)
    module = _read_module(path, worker, directory)
    if isinstance(module, Problem):
        yield module
    else:
        yield from check_function(module, function, ensemble, samples)
        yield from check_setup(module)


def _module_file(directory: Path, name: str) -> Path | None:
    path = directory.joinpath(*name.split("."))
    candidates = (path / "__init__.py", path.with_name(f"{path.name}.py"))
    return next((candidate for candidate in candidates if os.path.isfile(candidate)), None)


def _no_module(name: str, worker: Worker, directory: Path, installed: Collection[str]) -> Problem:
    first = name.partition(".")[0]
    path = directory.joinpath(*name.split("."))
    if comparable(first) in {comparable(package) for package in installed}:
        return note(f"{name} comes from an installed package")
    if first in sys.stdlib_module_names:
        return note(f"{name} is Python's own")
    if any(path.parent.glob(f"{path.name}.*.so")) or os.path.isdir(path):
        return note(f"{name} is not a Python source file")
    parent, searched = directory, worker.directory
    for part in name.split("."):
        if _module_file(parent, part) is None and not os.path.isdir(parent / part):
            near = nearest(part, _modules(parent))
            return Problem(
                "no-module", ENTRYPOINT, f'there is no module "{part}" in {searched}',
                hint=did_you_mean(near) or f"expected the file {searched}/{part}.py",
            )  # fmt: skip
        parent, searched = parent / part, f"{searched}/{part}"
    return Problem("no-module", ENTRYPOINT, f'there is no module "{name}" in {worker.directory}')


def _modules(directory: Path) -> list[str]:
    names = _names(directory, directories=False)
    return [n.removesuffix(".py") for n in names if n.endswith(".py") or os.path.isdir(directory / n)]


def _shadows(name: str, worker: Worker) -> Problem:
    return Problem(
        "hides-standard-module",
        ENTRYPOINT,
        f"{worker.directory}/{name} hides Python's own module {name}: whoever imports that one gets yours",
        hint="rename it",
        severity="warning",
    )


def _read_module(path: Path, worker: Worker, directory: Path) -> Module | Problem:
    shown = (Path(worker.directory) / path.relative_to(directory)).as_posix()
    try:
        return Module(shown, ast.parse(path.read_bytes(), filename=shown))
    except SyntaxError as error:
        if _is_newer(worker.python):
            return note(
                f"{shown}:{error.lineno} is not Python {sys.version_info.major}.{sys.version_info.minor}"
            )
        return Problem("python-syntax", ENTRYPOINT, f"{shown}:{error.lineno or 1}: {error.msg}")
    except (ValueError, RecursionError) as error:
        return Problem("python-syntax", ENTRYPOINT, f"{shown} cannot be read as Python: {error}")
    except OSError as error:
        return Problem("unreadable-file", ENTRYPOINT, f"{shown} cannot be read: {error.strerror}")


def _is_newer(python: str | None) -> bool:
    """The worker's Python may know words this one does not."""
    if python is None:
        return False
    return tuple(int(part) for part in python.split(".")) > sys.version_info[:2]
