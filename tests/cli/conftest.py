"""The test language of the command line: a project from a dict of files, a command, and what came of it."""

from __future__ import annotations

import hashlib
import io
import json
import os
import struct
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cloudburst.cli import main


@dataclass(frozen=True)
class Ended:
    """What a user sees of a command that is over."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one document on the first stream."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        """The first stream as JSON lines."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def error(self) -> Any:
        """The JSON document on the second stream."""
        return json.loads(self.err)


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@dataclass
class Project:
    """A directory with a study in it; commands run inside it, in this process."""

    directory: Path

    def run(self, *arguments: str | Path) -> Ended:
        return self._run(arguments, io.StringIO(), io.StringIO())

    def on_a_terminal(self, *arguments: str | Path) -> Ended:
        return self._run(arguments, Terminal(), Terminal())

    def _run(self, arguments: tuple[str | Path, ...], out: io.StringIO, err: io.StringIO) -> Ended:
        before = os.getcwd(), sys.stdout, sys.stderr
        os.chdir(self.directory)
        sys.stdout, sys.stderr = out, err
        try:
            code = main([str(a) for a in arguments])
        finally:
            sys.stdout, sys.stderr = before[1:]
            os.chdir(before[0])
        return Ended(code, out.getvalue(), err.getvalue())

    def process(self, *arguments: str, **more: Any) -> subprocess.Popen[str]:
        """The same command as a process of its own."""
        command = [sys.executable, "-m", "cloudburst", *arguments]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, cwd=self.directory, stdout=pipe, stderr=pipe, text=True, **more)

    def write(self, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            path = self.directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")

    def read(self, name: str) -> str:
        return (self.directory / name).read_text("utf-8")

    @property
    def names(self) -> list[str]:
        """Every file there is, as paths relative to the project."""
        return sorted(
            p.relative_to(self.directory).as_posix() for p in self.directory.rglob("*") if p.is_file()
        )


MakeProject = Callable[[Mapping[str, str]], Project]


@pytest.fixture(autouse=True)
def plain_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    """80 columns, no colour asked for, and not on GitHub."""
    for name in ("NO_COLOR", "GITHUB_ACTIONS", "CLOUDBURST_REDIS_URL", "_CLOUDBURST_COMPLETE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")


@pytest.fixture
def make_project(tmp_path: Path) -> MakeProject:
    def make(files: Mapping[str, str]) -> Project:
        project = Project(tmp_path / "project")
        project.directory.mkdir(exist_ok=True)
        project.write(files)
        return project

    return make


ENSEMBLE = """\
cloudburst: 1
name: tanks
seed: 3
worker:
  directory: model
  entrypoint: tank:fill
  timeout: 1m
parameters:
  fixed: {area: 2.0}
  grid:
    inflow: [1, 2, 3]
    height: {from: 0.5, to: 1.5, step: 0.5}
  exclude:
    - {inflow: 3, height: 0.5}
"""

TANK = """\
def fill(inflow, height, area):
    if inflow == 2 and height == 1.5:
        raise ValueError("the tank overflows")
    return {"hours": area * height / inflow}
"""


@pytest.fixture
def study(make_project: MakeProject) -> Project:
    """Eight jobs of the standard library, one of which fails."""
    return make_project({"ensemble.yaml": ENSEMBLE, "model/tank.py": TANK})


@pytest.fixture
def computed(study: Project) -> Project:
    """The same study, recorded as computed: seven jobs done (each with a series), the sixth row failed twice."""
    from cloudburst.run.ledger import Ledger
    from cloudburst.run.observe import read_study
    from cloudburst.run.places import prepare

    assert study.run("lock").code == 0
    read = read_study(study.directory / "ensemble.yaml")
    prepare(read.places)
    digest = read.payload.digest
    with Ledger.open(read.places.ledger, "tanks", create=True, spec=read.places.spec) as ledger:
        ledger.begin(digest)
        ledger.record([_first_failure(read.jobs[FAILED_ROW], digest)])
        ledger.record(_outcome(job, digest, read.places.files) for job in read.jobs)
    return study


FAILED_ROW = 5


def _outcome(job: Any, payload: str, files: Path) -> dict[str, Any]:
    values = job.row.values
    failed = job.row.index == FAILED_ROW
    return {
        "id": job.id,
        "row": job.row.index,
        "attempt": 2 if failed else 1,
        "payload": payload,
        "status": "failed" if failed else "done",
        "kind": "error" if failed else None,
        "error": "ValueError: the tank overflows\nTraceback (most recent call last):\n  …"
        if failed
        else None,
        "output": f"filling {values['height']} m\n",
        "result": None if failed else {"hours": values["area"] * values["height"] / values["inflow"]},
        "series": None if failed else {"object": _stored_series(job.row.index, files), "names": ["level"]},
        "files": {},
        "started": 1527465600.0,
        "seconds": 0.25,
        "worker": "node-1/0",
    }


def _first_failure(job: Any, payload: str) -> dict[str, Any]:
    return {
        **_outcome(job, payload, Path()),
        "attempt": 1,
        "kind": "crash",
        "error": "ended by SIGSEGV",
        "output": "",
    }


def _stored_series(row: int, files: Path) -> str:
    """Two points, as a worker stores them."""
    column = {"name": "value", "kind": "float64"}
    header = {
        "format": 1,
        "series": [{"name": "level", "length": 2, "index": {**column, "name": "time"}, "columns": [column]}],
    }
    data = json.dumps(header).encode() + b"\n" + struct.pack("<4d", 0, 60, 0, row + 0.5)
    digest = hashlib.sha256(data).hexdigest()
    place = files / "results" / digest[:2] / digest
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data)
    return digest


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Somebody at the terminal."""

    def say(text: str) -> None:
        stream = io.StringIO(text + "\n")
        stream.isatty = lambda: True  # type: ignore[method-assign]
        monkeypatch.setattr(sys, "stdin", stream)

    return say
