"""How fast jobs end, beside multiprocessing.Pool(2) over the same function: the Net3 example, and jobs that do nothing."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from measure import Line, beside_neighbours, cloudburst, completion_rate, progress, run

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"

NET3 = """\
cloudburst: 1
name: bench-net3
seed: 2018
worker: {directory: net3, entrypoint: 'net3:work'}
parameters:
  fixed: {hours: 168}
  grid:
    spread: {from: 0.05, to: 0.25, step: 0.05}
    demand: [0.8, 0.9, 1.0, 1.1]
  replicates: {n: %d, as: seed}
cluster: {provider: local, slots: 2}
results: [{table: {path: results.jsonl}}]
"""

NOTHING = """\
cloudburst: 1
name: bench-nothing
worker: {directory: nothing, entrypoint: 'nothing:work'}
parameters: {grid: {x: {from: 1, to: %d, step: 1}}}
cluster: {provider: local, slots: 2}
results: [{table: {path: results.jsonl}}]
"""


def net3(rounds: int, jobs: int) -> list[Line]:
    """Completion rate of `jobs` simulations of a week in Net3, environment built beforehand."""

    def project(home: Path) -> None:
        left_out = shutil.ignore_patterns("results", "__pycache__")
        shutil.copytree(EXAMPLES / "net3", home / "net3", ignore=left_out)
        (home / "ensemble.yaml").write_text(NET3 % max(1, jobs // 20), "utf-8")

    return beside_pool("Net3, a week", project, "net3:work", rounds, chunk=1, target=">= 0.90")


def nothing(rounds: int, jobs: int) -> list[Line]:
    """Completion rate of `jobs` jobs that do nothing: all that is measured is the way there and back."""

    def project(home: Path) -> None:
        (home / "nothing").mkdir()
        (home / "nothing" / "nothing.py").write_text("def work(x):\n    return x\n", "utf-8")
        (home / "ensemble.yaml").write_text(NOTHING % jobs, "utf-8")

    return beside_pool("jobs that do nothing", project, "nothing:work", rounds, chunk=100, target="")


def beside_pool(
    what: str, project: Callable[[Path], None], entrypoint: str, rounds: int, chunk: int, target: str
) -> list[Line]:
    """Rounds of Pool, CloudBurst, Pool, …, Pool; each of CloudBurst's over the mean of its neighbours."""
    with (
        tempfile.TemporaryDirectory(prefix="cloudburst-bench-") as top,
        tempfile.TemporaryDirectory(prefix="cloudburst-bench-", dir=scratch_directory()) as scratch,
    ):
        template = Path(top) / "template"
        template.mkdir()
        project(template)
        progress(f"{what}: locking and building the environment")
        run(cloudburst("lock"), template)
        run(cloudburst("plan", "--jobs", "jobs.jsonl"), template)
        run(cloudburst("apply", "--rows", "0:2"), template)
        python = pool_environment(template, Path(top) / "environment")
        directory = template / entrypoint.split(":")[0]
        shutil.rmtree(template / ".cloudburst")

        def pool() -> float:
            command = [python, str(Path(__file__).with_name("pool.py")), str(directory), entrypoint]
            printed = run([*command, str(template / "jobs.jsonl"), scratch, str(chunk)], template)
            return completion_rate(float(line) for line in printed.split())

        def study(number: int) -> float:
            home = Path(top) / f"round-{number}"
            shutil.copytree(template, home)
            run(cloudburst("apply"), home)
            return completion_rate(ended(home / "results.jsonl"))

        peer, own = [pool()], []
        for number in range(1, rounds + 1):
            own.append(study(number))
            peer.append(pool())
            progress(f"{what}: round {number} of {rounds}: {own[-1]:.1f}/s beside {peer[-1]:.1f}/s")
    return [
        Line(f"{what}, Pool(2)", "jobs/s", tuple(peer)),
        Line(
            f"{what}, `cloudburst apply`",
            "jobs/s",
            tuple(own),
            "Pool(2)",
            beside_neighbours(own, peer),
            target,
        ),
    ]


def ended(table: Path) -> list[float]:
    """The moments the jobs of a table ended, seconds since the epoch."""
    rows = [json.loads(line) for line in table.read_text("utf-8").splitlines()]
    failed = [row for row in rows if row["status"] != "done"]
    if failed:
        raise SystemExit(f"{len(failed)} of {len(rows)} jobs failed: {failed[0]['error']}")
    return [datetime.fromisoformat(row["started"]).timestamp() + row["seconds"] for row in rows]


def pool_environment(project: Path, place: Path) -> str:
    """An environment from the study's lock, made in the way the worker makes its own; its Python."""
    lock = project / "ensemble.lock"
    run(["uv", "venv", "--quiet", str(place)], project)
    python = str(place / "bin" / "python")
    if lock.exists():
        run(["uv", "pip", "sync", "--quiet", "--python", python, str(lock)], project)
    return python


def scratch_directory() -> str:
    """Where the workers' scratch is on this machine: in memory if there is room for two slots."""
    memory = Path("/dev/shm")
    if os.access(memory, os.W_OK) and shutil.disk_usage(memory).free >= 2 * 256 * 2**20:
        return str(memory)
    return tempfile.gettempdir()
