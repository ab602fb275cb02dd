"""A study of small jobs under `cloudburst apply`, its processes by name, and the table of what was survived."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

Tell = Callable[[str, int, str], None]
"""What was survived: what happened, after how many jobs, and how it went on. For docs/faults.md."""

WORKER = """
import os, time

def work(n, pause, journal):
    with open(journal, "a") as file:
        file.write(f"{n}\\n")
    time.sleep(pause)
    return {"square": n * n}
"""

SPEC = """
cloudburst: 1
name: faults
worker: {{directory: worker, entrypoint: "jobs:work"}}
parameters:
  fixed: {{pause: {pause}, journal: {journal}}}
  grid: {{n: {{from: 1, to: {jobs}, step: 1}}}}
cluster: {{provider: local, slots: 2}}
"""


@dataclass
class Study:
    """One project directory and the commands run in it."""

    home: Path
    jobs: int
    cache: Path
    running: list[subprocess.Popen[str]] = field(default_factory=list)

    def write(self, *, pause: float) -> None:
        (self.home / "worker").mkdir()
        (self.home / "worker" / "jobs.py").write_text(WORKER)
        journal = json.dumps(str(self.log))
        (self.home / "ensemble.yaml").write_text(SPEC.format(pause=pause, jobs=self.jobs, journal=journal))

    @property
    def log(self) -> Path:
        return self.home / "ran.log"

    def start(
        self, *arguments: str, program: tuple[str, ...] = ("-m", "cloudburst")
    ) -> subprocess.Popen[str]:
        told = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
        process = subprocess.Popen(
            [sys.executable, *program, *arguments],
            cwd=self.home,
            env={**told, "XDG_CACHE_HOME": str(self.cache)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.running.append(process)
        return process

    def run(self, *arguments: str) -> tuple[int, str, str]:
        process = self.start(*arguments)
        out, err = process.communicate(timeout=110)
        return process.returncode, out, err

    def kill_before(self, event: str, texts: str, *arguments: str) -> None:
        """A command that ends by SIGKILL just before an event of Python's audit (killed_command.py)."""
        program = (str(Path(__file__).with_name("killed_command.py")), event, texts)
        process = self.start(*arguments, program=program)
        _, err = process.communicate(timeout=110)
        assert process.returncode == -signal.SIGKILL, f"it never came to {event} {texts}: {err}"

    def until_done(self, process: subprocess.Popen[str], jobs: int) -> list[dict[str, Any]]:
        """Until the events of `apply --json` say that so many jobs are recorded; the events so far."""
        assert process.stdout is not None
        events: list[dict[str, Any]] = []
        for line in process.stdout:
            events.append(json.loads(line))
            if events[-1]["event"] == "progress" and events[-1]["status"]["done"] >= jobs:
                return events
        pytest.fail(f"apply ended early: {process.wait(5)} {process.stderr.read() if process.stderr else ''}")

    def under_way(self, done: int) -> tuple[subprocess.Popen[str], set[int]]:
        """A fresh study applied until so many jobs are done, and which are recorded then."""
        self.write(pause=0.15)
        apply = self.start("apply", "--json")
        self.until_done(apply, done)
        return apply, self.recorded()

    def finish(self, process: subprocess.Popen[str]) -> tuple[int, list[dict[str, Any]], str]:
        out, err = process.communicate(timeout=110)
        return process.returncode, [json.loads(line) for line in out.splitlines()], err

    def part(self, name: str) -> int:
        """The pid of a part of the running cluster; `worker` and `runner` are the supervisor's children."""
        parts = json.loads((self.home / ".cloudburst/faults/run.lock").read_text())["parts"]
        if name in parts:
            return int(parts[name][0])
        marks = {"worker": "cloudburst_worker take", "runner": "cloudburst_worker.runner"}
        supervisor = int(parts["supervisor"][0])
        children = [pid for pid in processes() if parent(pid) == supervisor and marks[name] in command(pid)]
        assert children, (
            f"no {name} under the supervisor: {[command(p) for p in processes() if parent(p) == supervisor]}"
        )
        return children[0]

    def recorded(self) -> set[int]:
        """The rows' `n` that are done in the ledger now."""
        import sqlite3

        with contextlib.closing(
            sqlite3.connect(f"file:{self.home}/.cloudburst/faults/ledger.sqlite?mode=ro", uri=True)
        ) as db:
            return {int(row) + 1 for (row,) in db.execute("SELECT row FROM outcomes WHERE status = 'done'")}

    def recorded_so_far(self) -> set[int]:
        """The same, where there may be no ledger yet."""
        return self.recorded() if (self.home / ".cloudburst/faults/ledger.sqlite").exists() else set()

    def partial(self) -> list[str]:
        """Files that were begun and never got their name."""
        return sorted(path.name for path in self.home.rglob(".*") if "partial" in path.name)

    def ran(self) -> Counter[int]:
        return Counter(int(line) for line in self.log.read_text().split())

    def table(self) -> list[dict[str, str]]:
        with open(self.home / "results/faults.csv", newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    def owns(self, pid: int) -> bool:
        """Whether a process is of this study, whoever started it: its arguments or environment name it."""
        return any(mark in traces(pid) for mark in (str(self.home), str(self.cache)))

    def until_nothing_runs(self, seconds: float = 60.0) -> None:
        """These are nobody's children, so their end cannot be awaited: looked at now and then."""
        deadline = time.monotonic() + seconds
        while left := self.left_running():
            assert time.monotonic() < deadline, f"still running: {left}"
            time.sleep(0.1)

    def left_running(self) -> list[str]:
        mine = {os.getpid(), os.getppid()}
        return [command(pid) for pid in processes() if pid not in mine and self.owns(pid)]


def processes() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _read(pid: int, what: str) -> str:
    try:
        return Path(f"/proc/{pid}/{what}").read_bytes().decode(errors="replace")
    except OSError:
        return ""


def command(pid: int) -> str:
    return _read(pid, "cmdline").replace("\0", " ").strip()


def traces(pid: int) -> str:
    return "" if state(pid) == "Z" else _read(pid, "cmdline") + _read(pid, "environ")


def state(pid: int) -> str:
    return _read(pid, "stat").rpartition(")")[2].split()[0] if _read(pid, "stat") else "Z"


def parent(pid: int) -> int:
    stat = _read(pid, "stat")
    return int(stat.rpartition(")")[2].split()[1]) if stat else 0
