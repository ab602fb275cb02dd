"""What `cloudburst doctor` looks at: one small function a question, each with a way out."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from .. import __version__
from ..errors import CloudBurstError
from .views.words import count

GB = 10**9
ROOM = 2 * GB
"""What an environment with numpy, scipy, pandas and uv's cache of them takes, about."""


@dataclass(frozen=True)
class Finding:
    """The answer to one question; `hint` says what to do when it is not `ok`."""

    about: str
    state: Literal["ok", "warning", "problem"]
    detail: str
    hint: str = ""

    def to_json(self) -> dict[str, Any]:
        return {"about": self.about, "state": self.state, "detail": self.detail, "hint": self.hint}


def look(study: Path | None) -> Iterator[Finding]:
    """Every finding, as it is made. `study` is the file to look at too, None when there is none."""
    for check in CHECKS:
        yield check()
    if study is not None:
        yield check_study(study)


def check_python() -> Finding:
    system = f"{platform.system()} {platform.machine()}"
    return Finding(
        "python", "ok", f"CloudBurst {__version__}, Python {platform.python_version()} on {system}"
    )


def check_machine() -> Finding:
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Finding("machine", "ok", f"{count(cpus, 'CPU')} for jobs")


def check_uv() -> Finding:
    try:
        uv = (sys.executable, "-m", "uv", "--version")
        shown = subprocess.run(uv, capture_output=True, text=True, check=True, timeout=30)
    except (OSError, subprocess.SubprocessError) as error:
        return Finding("uv", "problem", f"uv does not run: {error}", "`pip install --force-reinstall uv`")
    return Finding("uv", "ok", shown.stdout.strip())


def check_queue() -> Finding:
    from ..run import queue_server

    try:
        found = queue_server.find()
    except CloudBurstError as error:
        return Finding("queue", "problem", error.message, error.hint)
    if isinstance(found, queue_server.GivenServer):
        return Finding("queue", "ok", f"{found.address}, from {queue_server.URL_VARIABLE}")
    try:
        version = queue_server.version_of(str(found.path))
    except OSError as error:
        return Finding("queue", "problem", f"{found.path} does not run: {error}", _OTHER_QUEUE)
    if version == (0,):
        return Finding("queue", "problem", f"{found.path} does not run", _OTHER_QUEUE)
    return Finding("queue", "ok", f"{found.origin}, version {'.'.join(map(str, version))}")


_OTHER_QUEUE = "install valkey-server so that it is on PATH, or set CLOUDBURST_REDIS_URL"


def check_cache() -> Finding:
    from ..run.places import cache_directory

    place = cache_directory()
    trouble = _cannot_write_in(place)
    if trouble:
        return Finding(
            "cache", "problem", f"{place}: {trouble}", "set XDG_CACHE_HOME to a directory you can write to"
        )
    return _room("cache", place)


def check_here() -> Finding:
    here = Path.cwd()
    trouble = _cannot_write_in(here)
    if trouble:
        return Finding(
            "here", "warning", f"{here}: {trouble}", "results and the ledger are kept beside the study"
        )
    return _room("here", here)


def _cannot_write_in(place: Path) -> str:
    """Why nothing can be written there; empty when it can. Looks at the nearest directory that exists."""
    while not place.exists():
        place = place.parent
    try:
        with tempfile.TemporaryFile(dir=place):
            return ""
    except OSError as error:
        return f"cannot be written to: {(error.strerror or str(error)).lower()}"


def _room(about: str, place: Path) -> Finding:
    near = place
    while not near.exists():
        near = near.parent
    free = shutil.disk_usage(near).free
    detail = f"{place}, {free / GB:.1f} GB free"
    if free < ROOM:
        return Finding(
            about, "warning", detail, "an environment with numpy and scipy takes about 1 GB; make room"
        )
    return Finding(about, "ok", detail)


def check_shared_memory() -> Finding:
    memory = Path("/dev/shm")  # noqa: S108 - looked at, not written to
    if not memory.is_dir():
        return Finding("scratch", "ok", "on disk: this system has no /dev/shm")
    usage = shutil.disk_usage(memory)
    detail = f"{memory}, {usage.free / GB:.1f} GB free"
    if not os.access(memory, os.W_OK):
        return Finding(
            "scratch", "warning", "on disk: /dev/shm cannot be written to", "jobs that write files are slower"
        )
    if usage.free < 64_000_000:
        return Finding(
            "scratch", "warning", detail, "jobs that write much will use the disk; make /dev/shm larger"
        )
    return Finding("scratch", "ok", detail)


def check_sockets() -> Finding:
    from ..run.places import Places, runtime_directory

    with tempfile.TemporaryDirectory(prefix="cloudburst-") as somewhere:
        try:
            directory = runtime_directory(Places(Path(somewhere, "ensemble.yaml"), "doctor").root)
        except CloudBurstError as error:
            return Finding("sockets", "problem", error.message, error.hint)
        directory.rmdir()
    return Finding("sockets", "ok", str(directory.parent))


def check_study(file: Path) -> Finding:
    from ..spec import load

    try:
        loaded = load(file)
    except CloudBurstError as error:
        return Finding("study", "problem", error.message, error.hint)
    errors = sum(d.severity == "error" for d in loaded.diagnostics)
    warnings = sum(d.severity == "warning" for d in loaded.diagnostics)
    if errors:
        return Finding(
            "study", "problem", f"{file}: {count(errors, 'error')}", f"`cloudburst validate {file}`"
        )
    if warnings:
        return Finding(
            "study", "warning", f"{file}: {count(warnings, 'warning')}", f"`cloudburst validate {file}`"
        )
    return Finding("study", "ok", str(file))


CHECKS: tuple[Callable[[], Finding], ...] = (
    check_python,
    check_machine,
    check_uv,
    check_queue,
    check_cache,
    check_here,
    check_shared_memory,
    check_sockets,
)
