"""One job in the foreground: the same code, environment and rules as on a node, but nothing is recorded."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Set
from pathlib import Path
from typing import Any

from .. import assets
from ..compile.files import local_names, named_in
from ..compile.jobs import Job
from ..errors import ProviderError
from . import secrets
from .events import Doing, OnEvent
from .observe import Study, with_lock
from .places import cache_directory, prepare
from .promised import promised_variables

DONE, FAILED = 0, 1
"""Exit codes of `python -m cloudburst_worker run-one`; any other: it cannot be run."""
TAIL = 20
"""Lines of what the worker said that go with its failure."""


def run_one(study: Study, job: Job, *, on_event: OnEvent, results: Path | None, show: bool) -> dict[str, Any]:
    """How the job ended: status, kind, error, output, result, started, seconds, series, files.

    What it prints goes to standard output as it prints it, unless `show` is false. Series and files
    are put under `results` when that is given. Raises LockingFailed, ProviderError.
    """
    prepare(study.places)
    study = with_lock(study, on_event)
    with tempfile.TemporaryDirectory(prefix="cloudburst-") as scratch:
        home = Path(scratch)
        named = named_in(job.description, job.argv)
        _store(study, home / "store", named)
        secrets.generate(home / "secrets", environment=promised_variables(study.ensemble))
        _write(home / "order.json", study.order)
        names = local_names(study.files.digests)
        files = {digest: names[digest] for digest in sorted(named & names.keys())}
        _write(home / "job.json", {"job": job.description, "argv": job.argv, "files": files})
        _run(home, results or home / "results", show, on_event)
        ended: dict[str, Any] = json.loads((home / "end.json").read_text("utf-8"))
    return ended if results else _without_paths(ended)


def _without_paths(ended: dict[str, Any]) -> dict[str, Any]:
    """Nobody asked for what was stored: only what there was is told."""
    series = {"names": ended["series"]["names"]} if ended["series"] else None
    return {
        **ended,
        "series": series,
        "files": {key: {"name": f["name"]} for key, f in ended["files"].items()},
    }


def _store(study: Study, root: Path, named: Set[str]) -> None:
    """The code, the inputs and the files the job names where a node would fetch them."""
    (root / "payload").mkdir(parents=True)
    for _, content in study.objects(named):
        content.write(root / "payload" / content.digest)


def _write(path: Path, value: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(value), "utf-8")


def _run(home: Path, results: Path, show: bool, on_event: OnEvent) -> None:
    """Raises ProviderError when the job could not even be started, with what the worker said."""
    command = [
        *(sys.executable, "-P", "-m", "cloudburst_worker", "run-one"),
        *("--order", str(home / "order.json"), "--job", str(home / "job.json")),
        *("--files-root", str(home / "store"), "--secrets", str(home / "secrets")),
        *("--cache", str(cache_directory()), "--end", str(home / "end.json")),
        *("--results", str(results)),
    ]
    with subprocess.Popen(
        command,
        env={**os.environ, "PYTHONPATH": str(assets.worker_directory())},
        stdin=subprocess.DEVNULL,
        stdout=None if show else subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    ) as worker:
        said = []
        for line in worker.stderr or ():
            said.append(line.rstrip())
            on_event(Doing("worker", line.rstrip()))
    if worker.returncode not in (DONE, FAILED):
        raise ProviderError("the job cannot be run on this machine", "\n".join(said[-TAIL:]))
