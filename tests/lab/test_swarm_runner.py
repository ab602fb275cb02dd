"""The runner on a real swarm: up, again, from elsewhere, let go of, cut off, changed, and gone."""

from __future__ import annotations

import csv
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from cloudburst.run.places import runtime_directory
from lab import Lab
from lab.commands import until

pytestmark = pytest.mark.timeout(600)

CODE = """
import os, time

def work(n, wait):
    time.sleep(wait)
    return {"square": n * n, "word": os.environ["WORD"]}
"""

SPEC = """
cloudburst: 1
name: {name}
worker: {{directory: worker, entrypoint: "squares:work", env: [WORD], stop_grace: 5s}}
parameters:
  fixed: {{wait: {wait}}}
  grid: {{n: {{from: 1, to: 60, step: 1}}}}
cluster: {{provider: {{swarm: {{host: "{address}"}}}}}}
results:
  - table: {{path: results/table.csv}}
"""


@dataclass
class Project:
    """A study in a directory, and the command line there."""

    lab: Lab
    place: Path
    name: str
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def write(self, *, wait: float = 0.0) -> None:
        (self.place / "worker").mkdir(exist_ok=True)
        (self.place / "worker" / "squares.py").write_text(CODE)
        text = SPEC.format(name=self.name, wait=wait, address=self.lab.address)
        (self.place / "ensemble.yaml").write_text(text)

    def start(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        environment = {**os.environ, **self.lab.environment(), "WORD": "first", **variables}
        process = subprocess.Popen(
            [sys.executable, "-m", "cloudburst", *arguments],
            cwd=self.place,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.started.append(process)
        return process

    def end(self) -> None:
        """What a test that failed left running."""
        for process in self.started:
            process.kill()
            process.communicate()

    def run(self, *arguments: str, code: int = 0, **variables: str) -> str:
        process = self.start(*arguments, **variables)
        said, _ = process.communicate(timeout=500)
        assert process.returncode == code, said
        return said

    def table(self) -> list[dict[str, str]]:
        with open(self.place / "results" / "table.csv", newline="") as file:
            return list(csv.DictReader(file))

    def running(self, service: str = "") -> dict[str, str]:
        """Task -> its service and node, of all that should run."""
        asked = ("stack", "ps", f"cb-{self.name}", "--no-trunc", "--filter", "desired-state=running")
        listed = self.lab.manager.docker(*asked, "--format", "{{.ID}} {{.Name}}")
        tasks = dict(line.split(" ", 1) for line in listed.splitlines())
        return {task: name for task, name in tasks.items() if f"_{service}" in name}

    def status(self) -> dict[str, object]:
        found = json.loads(self.run("status", "--json"))
        assert isinstance(found, dict)
        return found


@pytest.fixture(scope="module")
def project(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    made = Project(lab, tmp_path_factory.mktemp("runner"), f"runner-{secrets.token_hex(3)}")
    made.write()
    yield made
    made.end()
    made.run("destroy", "--yes", "--discard")


def ssh_processes(project: Project) -> list[str]:
    """Those that a command of this test may have left: they name a socket in the study's runtime directory."""
    directory = runtime_directory(project.place / ".cloudburst" / project.name)
    found = subprocess.run(
        ["pgrep", "-af", f"ControlPath={directory}"], capture_output=True, text=True, check=False
    )
    return found.stdout.splitlines()


def test_a_study_is_computed_on_all_workers(project: Project) -> None:
    said = project.run("apply")
    assert "Done: 60 jobs" in said
    rows = project.table()
    assert [int(row["square"]) for row in rows] == [n * n for n in range(1, 61)]
    assert {row["word"] for row in rows} == {"first"}
    assert {row["worker"].split("/")[0] for row in rows} <= {host.name for host in project.lab.workers}
    assert not ssh_processes(project)


def test_applied_again_nothing_restarts_and_nothing_runs(project: Project) -> None:
    before = project.running()
    assert len(before) == 4 + len(project.lab.workers)
    assert "Nothing to do: 60 jobs done before." in project.run("apply")
    assert project.running() == before


def test_another_machine_finds_it_with_the_file_alone(project: Project, tmp_path: Path) -> None:
    before = project.running()
    for name in ("ensemble.yaml", "ensemble.lock", "worker"):
        source = project.place / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / name)
    elsewhere = Project(project.lab, tmp_path, project.name)
    counts = elsewhere.status()["counts"]
    assert isinstance(counts, dict)
    assert counts["done"] == 60
    assert "Nothing to do: 60 jobs done before." in elsewhere.run("apply")
    assert [int(row["square"]) for row in elsewhere.table()] == [n * n for n in range(1, 61)]
    assert project.running() == before


def test_ctrl_c_lets_go_and_the_study_goes_on(project: Project) -> None:
    project.write(wait=0.5)
    process = project.start("apply")
    assert process.stdout
    said = ""
    for line in process.stdout:
        said += line
        if " of 60: " in line:
            process.send_signal(signal.SIGINT)
            break
    said += process.communicate(timeout=120)[0]
    assert process.returncode == 130, said
    assert "The study goes on without this command." in said
    assert "`cloudburst watch` comes back" in said
    assert not ssh_processes(project)
    until(lambda: project.status()["run"]["state"] == "finished", "the study is computed", 120)  # type: ignore[index]
    assert "Nothing to do: 60 jobs done before." in project.run("apply")


def test_what_breaks_on_the_way_breaks_nothing_else(project: Project) -> None:
    """The connection, then the gateway, while a command follows."""
    project.write(wait=1.0)
    process = project.start("apply")
    assert process.stdout
    said = ""
    manager = project.lab.manager
    for line in process.stdout:
        said += line
        if " of 60: " in line:
            subprocess.run(["pkill", "-KILL", "-x", "-P", str(process.pid), "ssh"], check=True)
            manager.sh(f"docker kill $(docker ps -q -f name=cb-{project.name}_gateway)")
            break
    said += process.communicate(timeout=400)[0]
    assert process.returncode == 0, said
    assert "Done: 60 jobs" in said
    assert [int(row["square"]) for row in project.table()] == [n * n for n in range(1, 61)]


def test_a_changed_variable_is_a_new_secret_for_those_who_have_it(project: Project) -> None:
    before = project.running()
    project.run("apply", WORD="second")
    after = project.running()
    changed = {name.split(".")[0].split("_")[1] for task, name in after.items() if task not in before}
    assert changed == {"controller", "worker"}
    names = project.lab.manager.docker("secret", "ls", "--format", "{{.Name}}").split()
    assert len([name for name in names if f"cb-{project.name}.environment.json." in name]) == 1


def test_destroy_leaves_nothing_but_the_shared_cache(project: Project) -> None:
    said = project.run("destroy", "--yes")
    assert "removed from ssh://" in said
    assert "left: the cache that all studies share" in said
    for kind in ("service", "network", "volume", "secret", "config"):
        names = project.lab.manager.docker(kind, "ls", "--format", "{{.Name}}").split()
        assert not [name for name in names if project.name in name], kind
    for host in project.lab.hosts:
        assert project.name not in host.docker("ps", "--all", "--format", "{{.Names}}")
        caches = host.sh(
            "ls /var/lib/docker/volumes/cloudburst-cache/_data/cloudburst/cache/used 2>/dev/null || true"
        )
        assert project.name not in caches
    assert not ssh_processes(project)
    assert [int(row["square"]) for row in project.table()] == [n * n for n in range(1, 61)]


def test_destroyed_again_there_is_nothing_to_do(project: Project) -> None:
    assert "there is nothing to remove" in project.run("destroy", "--yes")
    assert "Nothing to do" in project.run("apply", WORD="second")
