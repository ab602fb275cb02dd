"""Two studies that stand on one swarm side by side, one with many short jobs and one with a few long ones.

Every fault of the matrix befalls both. A fault is a *case*: both files are given new rows, named after it, and
are applied again to the stacks that stand.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ..host import Host
from ..studies import Project, standing
from ..swarm import Lab
from .course import Course

POINTS = 3
"""In each series."""

CODE = """
import os, time
from pathlib import Path

def work(n, case, pause, returns, journal):
    with open(journal, "a") as file:
        file.write(f"{case} {n} {time.time()}\\n")
    time.sleep(pause)
    mark = f"{case} {n}"
    if n % returns:
        return {"square": n * n, "mark": mark}
    note = Path("note.txt")
    note.write_text(mark)
    return {"square": n * n, "mark": mark, "wave": {"time": [0, 1, 2], "value": [n, n + 1, n + 2]}, "note": note}
"""


@dataclass(frozen=True)
class Kind:
    """Jobs of `seconds` each, on so many `slots` of a node; those whose number `returns` divides return
    a series and a file. `is_many`: there are always more of them than slots."""

    name: str
    seconds: float
    slots: int
    returns: int
    is_many: bool


@dataclass(frozen=True)
class Begun:
    """A job began: which, when (this machine's clock is the nodes' clock) and on which host."""

    n: int
    at: float
    host: str


@dataclass
class Study:
    """One of the two."""

    project: Project
    kind: Kind
    kept: list[str] = field(default_factory=list)
    """Notes of hosts that are gone."""

    def begin(self, case: str, jobs: int, seconds: float | None = None) -> Course:
        """Applies so many new rows; their jobs take the usual time unless `seconds` says otherwise."""
        self.write(case, jobs, self.kind.seconds if seconds is None else seconds)
        return Course(self.project.start("apply", "--json"))

    def write(self, case: str, jobs: int, seconds: float) -> None:
        """The file of this case."""
        fixed = {"case": case, "pause": seconds, "returns": self.kind.returns, "journal": self._journal}
        spec = {
            "cloudburst": 1,
            "worker": {"directory": "worker", "entrypoint": "jobs:work", "stop_grace": "5s"},
            "parameters": {"fixed": fixed, "grid": {"n": {"from": 1, "to": jobs, "step": 1}}},
            "cluster": {"slots": self.kind.slots},
            "results": [
                {"table": {"path": "results/table.csv"}},
                {"influxdb": {"database": "faults", "tags": ["case"]}},
                {"files": {"path": "results/files"}},
            ],
        }
        self.project.write(spec, {"jobs.py": CODE})

    def begun(self, case: str) -> list[Begun]:
        """Every beginning of a job of this case, in order of time. Read off the hosts' disks: also when
        one is switched off."""
        notes = [*self.kept, *(note for host in self.project.lab.hosts for note in self._notes(host))]
        found = [
            Begun(int(n), float(at), host) for which, n, at, host in map(str.split, notes) if which == case
        ]
        return sorted(found, key=lambda one: one.at)

    def keep_notes(self, host: Host) -> None:
        """Before the host is removed, and its disk with it."""
        self.kept += self._notes(host)

    def _notes(self, host: Host) -> list[str]:
        place = volume(host, "cloudburst-cache") / Path(self._journal).name
        return [f"{line} {host.name}" for line in place.read_text().splitlines()] if place.exists() else []

    @property
    def _journal(self) -> str:
        return f"/var/tmp/{self.project.name}.begun"

    def recorded(self, case: str) -> set[int]:
        """The jobs of this case that the controller has recorded as done."""
        home = volume(self.project.lab.manager, f"{self.project.stack}_controller")
        (ledger,) = home.rglob("ledger.sqlite")
        with contextlib.closing(sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)) as database:
            rows = database.execute("SELECT result FROM outcomes WHERE status = 'done'").fetchall()
        marks = (json.loads(result)["mark"].split() for (result,) in rows)
        return {int(n) for which, n in marks if which == case}

    def points(self, measurement: str, field: str, case: str) -> int:
        """How many of a measurement the bundled InfluxDB holds for this case."""
        query = f"""SELECT COUNT("{field}") FROM "{measurement}" WHERE "case" = '{case}'"""
        ask = (
            'curl -fsS -G http://127.0.0.1:8086/query -u "cloudburst:$(cat /run/secrets/influxdb-password)" '
            '--data-urlencode db=faults --data-urlencode "q=$0"'
        )
        said = json.loads(self.project.inside("influxdb", "sh", "-c", ask, query))
        (answer,) = said["results"]
        return int(answer["series"][0]["values"][0][1]) if "series" in answer else 0

    def until_fed(self, seconds: float = 60) -> None:
        """Until the controller says that InfluxDB has everything."""
        deadline = time.monotonic() + seconds
        while True:
            sinks = (self.project.status()["run"] or {}).get("sinks", [])
            if sinks and not any(sink["waiting"] for sink in sinks):
                return
            assert time.monotonic() < deadline, sinks
            time.sleep(0.5)


@dataclass(frozen=True)
class Pair:
    """Both, and the swarm they are on."""

    lab: Lab
    short: Study
    long: Study

    @property
    def both(self) -> tuple[Study, Study]:
        return self.short, self.long

    def kill(self, service: str, host: Host | None = None) -> None:
        """`kill -9` of that container of both."""
        for study in self.both:
            study.project.kill(service, host)


@contextlib.contextmanager
def standing_pair(lab: Lab, place: Path, long_seconds: float) -> Iterator[Pair]:
    """Both studies, written and not applied yet; destroyed at the end."""
    tag = secrets.token_hex(2)
    kinds = (Kind("short", 0.1, 2, 10, is_many=True), Kind("long", long_seconds, 4, 1, is_many=False))
    with contextlib.ExitStack() as stack:
        studies = []
        for kind in kinds:
            home = place / kind.name
            home.mkdir()
            project = stack.enter_context(standing(Project(lab, home, f"{kind.name}-{tag}")))
            studies.append(Study(project, kind))
        yield Pair(lab, *studies)


def volume(host: Host, name: str) -> Path:
    """What a Docker volume of a host holds, as this machine sees it."""
    return host.directory / "docker" / "volumes" / name / "_data"
