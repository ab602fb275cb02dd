"""A study on the lab's swarm as a user has it: a directory, the `cloudburst` command in it, and what they say.

And the other side, which a user does not see: the stack's tasks and containers, by the service's short name.
"""

from __future__ import annotations

import contextlib
import csv
import json
import shutil
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from .commands import LabError, until
from .host import Host

PATIENCE = 500.0
"""Seconds a command of a test may take."""

CACHE = "/var/lib/docker/volumes/cloudburst-cache/_data"
"""Where a node keeps what its workers see as /var/tmp."""

JOBS = """
import os, time

def work(n, pause, journal):
    with open(journal, "a") as file:
        file.write(f"{n}\\n")
    time.sleep(pause)
    return {"square": n * n, "code": CODE}

CODE = "first"
"""


def jobs_that_wait(name: str, count: int, pause: float, **worker: object) -> dict[str, Any]:
    """The spec of `count` jobs that note their number `n`, wait `pause` seconds and return its square.

    The notes are in the node's cache volume, which outlives containers and power cuts: `Project.begun`.
    The code is JOBS, as `worker/jobs.py`.
    """
    return {
        "cloudburst": 1,
        "name": name,
        "worker": {"directory": "worker", "entrypoint": "jobs:work", "stop_grace": "5s", **worker},
        "parameters": {
            "fixed": {"pause": pause, "journal": f"/var/tmp/{name}.begun"},
            "grid": {"n": {"from": 1, "to": count, "step": 1}},
        },
        "results": [{"table": {"path": "results/table.csv"}}],
    }


class Machines(Protocol):
    """What a study needs to know of the machines it runs on: the lab's swarm, or a fleet rented for it."""

    @property
    def hosts(self) -> tuple[Host, ...]: ...
    @property
    def manager(self) -> Host: ...
    @property
    def address(self) -> str: ...
    def environment(self) -> Mapping[str, str]: ...


@dataclass
class Project:
    """One study in one directory. `provider` is the lab's swarm unless it is given."""

    lab: Machines
    place: Path
    name: str
    provider: object = None
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    # ── its files ────────────────────────────────────────────────────────────────────────────
    def write(self, spec: Mapping[str, Any], code: Mapping[str, str] | None = None) -> None:
        """The file (JSON, which is YAML), with the provider put in, and files of the worker's directory."""
        provider = self.provider or {"swarm": {"host": self.lab.address}}
        cluster = {**spec.get("cluster", {}), "provider": provider}
        text = json.dumps({**spec, "name": self.name, "cluster": cluster}, indent=1)
        (self.place / "ensemble.yaml").write_text(text)
        for name, content in (code or {}).items():
            file = self.place / str(spec["worker"]["directory"]) / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content)

    def elsewhere(self, place: Path, provider: object = None) -> Project:
        """The same study as another machine has it: what is in git, and nothing else."""
        left_out = shutil.ignore_patterns(".cloudburst", "results", "__pycache__")
        shutil.copytree(self.place, place, ignore=left_out, dirs_exist_ok=True)
        return Project(self.lab, place, self.name, provider or self.provider)

    def table(self, name: str = "table.csv") -> list[dict[str, str]]:
        with open(self.place / "results" / name, newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    def ledger(self, query: str) -> list[tuple[Any, ...]]:
        """What this machine's ledger answers, which may lag behind the controller's."""
        file = self.place / ".cloudburst" / self.name / "ledger.sqlite"
        with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
            return database.execute(query).fetchall()

    def recorded(self) -> set[int]:
        """The rows that this machine's ledger has as done."""
        return {row for (row,) in self.ledger("SELECT row FROM outcomes WHERE status = 'done'")}

    # ── the command ──────────────────────────────────────────────────────────────────────────
    def start(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        """`cloudburst ARGUMENTS` as a process; `end` kills it when the test has not waited for it."""
        process = subprocess.Popen(
            [sys.executable, "-m", "cloudburst", *arguments],
            cwd=self.place,
            env={**self.lab.environment(), **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.started.append(process)
        return process

    def run(self, *arguments: str, code: int = 0, **variables: str) -> str:
        """What a command says on stdout; it has to end with this exit code."""
        return _ended(self.start(*arguments, **variables), arguments, code)[0]

    def said(self, *arguments: str, code: int = 0, **variables: str) -> str:
        """The same with stderr, where progress and notes to people go."""
        return "".join(_ended(self.start(*arguments, **variables), arguments, code))

    def status(self) -> dict[str, Any]:
        """`cloudburst status --json`."""
        found = json.loads(self.run("status", "--json"))
        assert isinstance(found, dict)
        return found

    def end(self) -> None:
        """Ends what a test that failed left running."""
        for process in self.started:
            if process.poll() is None:
                process.kill()
                process.communicate()

    # ── the stack ────────────────────────────────────────────────────────────────────────────
    @property
    def stack(self) -> str:
        return f"cb-{self.name}"

    def tasks(self) -> dict[str, str]:
        """Every task that shall run: its id -> its name, such as `cb-waves_queue.1`."""
        asked = ("stack", "ps", self.stack, "--no-trunc", "--filter", "desired-state=running")
        listed = self.lab.manager.docker(*asked, "--format", "{{.ID}} {{.Name}}")
        return dict(line.split(" ", 1) for line in listed.splitlines())

    def host(self, service: str) -> Host:
        """Where a service of which there is one runs: all have their home on the manager."""
        assert service != "worker", "workers are on every node: name one"
        return self.lab.manager

    def container(self, service: str, host: Host | None = None) -> str:
        """The id of the running container of a service. Raises LabError when none comes within a minute."""
        place = host or self.host(service)
        found: list[str] = []

        def there() -> bool:
            name = f"^{self.stack}_{service}\\."
            found[:] = place.docker("ps", "--quiet", "--no-trunc", "--filter", f"name={name}").split()
            return bool(found)

        until(there, f"{service} runs on {place.name}", 60)
        return found[0]

    def kill(self, service: str, host: Host | None = None) -> None:
        """`kill -9` of the container's first process, and with it of all its processes."""
        place = host or self.host(service)
        place.docker("kill", "--signal", "KILL", self.container(service, place))

    def inside(self, service: str, *argv: str, host: Host | None = None, stdin: str | None = None) -> str:
        """What a program says in the container of a service."""
        place = host or self.host(service)
        how = ("exec", "--interactive") if stdin is not None else ("exec",)
        return place.docker(*how, self.container(service, place), *argv, stdin=stdin)

    def begun(self) -> Counter[int]:
        """How often each job of `jobs_that_wait` began, on the hosts that are on."""
        notes = f"cat {CACHE}/{self.name}.begun 2>/dev/null || true"
        return Counter(int(n) for host in self.lab.hosts if host.is_on for n in host.sh(notes).split())

    def forget_begun(self) -> None:
        """Removes the notes of the jobs that began."""
        for host in self.lab.hosts:
            host.sh(f"rm -f {CACHE}/{self.name}.begun")


class Following:
    """A process of `cloudburst apply --json` (or `watch --json`), read event by event."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.events: list[dict[str, Any]] = []
        self.moments: list[float] = []

    def until(self, condition: Callable[[dict[str, Any]], object], what: str) -> dict[str, Any]:
        """The first status from now on for which this holds. Raises LabError when the command ends before."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            event = self._take(line)
            if event["event"] == "progress" and condition(event["status"]):
                return dict(event["status"])
        said = self.process.stderr.read() if self.process.stderr else ""
        raise LabError(f"the command ended before {what}: exit code {self.process.wait(5)}\n{said}")

    def until_done(self, jobs: int) -> dict[str, Any]:
        """Until the controller says that so many jobs are done."""
        return self.until(lambda status: status["done"] >= jobs, f"{jobs} jobs were done")

    def finish(self, code: int = 0) -> dict[str, Any]:
        """The last event; the command has to end with this exit code."""
        out, err = self.process.communicate(timeout=PATIENCE)
        for line in out.splitlines():
            self._take(line)
        assert self.process.returncode == code, f"{self.process.returncode}: {self.events[-3:]}\n{err}"
        return self.events[-1]

    def said(self, event: str) -> list[str]:
        """The texts of all notes or warnings until now."""
        return [one["text"] for one in self.events if one["event"] == event]

    def _take(self, line: str) -> dict[str, Any]:
        event = json.loads(line)
        assert isinstance(event, dict)
        self.events.append(event)
        self.moments.append(time.monotonic())
        return event


@contextlib.contextmanager
def standing(project: Project) -> Iterator[Project]:
    """Whatever the test does, nothing of the study is left on the swarm, nor of its commands."""
    try:
        yield project
    finally:
        project.end()
        project.run("destroy", "--yes", "--discard")
        project.forget_begun()


def everywhere(lab: Machines, look: Callable[[Host], Any]) -> dict[str, Any]:
    """What `look` finds on each host, all at the same time, by the host's name."""
    with ThreadPoolExecutor(len(lab.hosts)) as pool:
        return dict(zip((host.name for host in lab.hosts), pool.map(look, lab.hosts), strict=True))


def _ended(process: subprocess.Popen[str], arguments: tuple[str, ...], code: int) -> tuple[str, str]:
    try:
        out, err = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired as error:
        process.kill()
        out, err = process.communicate()
        told = f"cloudburst {' '.join(arguments)}: no end after {PATIENCE:g} s\n{out}\n{err}"
        raise LabError(told) from error
    assert process.returncode == code, f"cloudburst {' '.join(arguments)}: {process.returncode}\n{out}\n{err}"
    return out, err
