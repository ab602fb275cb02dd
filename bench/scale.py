"""What happens at 100 nodes of 32 slots and a million jobs: the real controller before a modelled queue and modelled nodes.

The controller's loop, its ledger, its batches and its top-up are the program's own, at the speed of this machine;
a virtual clock goes on by the CPU time they take. The queue's server and the workers are modelled.py.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory
from unittest.mock import patch

from expansion import SPEC
from measure import digits, progress
from modelled import Clock, Measured, ModelledQueue, World
from throughput import scratch_directory

from cloudburst.compile.jobs import Jobs, make_jobs
from cloudburst.compile.space import make_space
from cloudburst.run import computation
from cloudburst.run.computation import Computation, Timing
from cloudburst.run.ledger import Ledger
from cloudburst.run.study import Assignment, Study
from cloudburst.run.work import Work
from cloudburst.spec import load

PAYLOAD = "a" * 64
ORDER = {"format": 1, "study": "million", "payload": PAYLOAD, "entrypoint": "model:run"}


@dataclass(frozen=True)
class Scenario:
    """So many nodes and jobs; `seconds(chance)` draws how long a job works."""

    what: str
    seconds: Callable[[random.Random], float]
    nodes: int = 100
    slots: int = 32
    jobs: int = 1_000_000

    @property
    def all_slots(self) -> int:
        return self.nodes * self.slots


def mixed(chance: random.Random) -> float:
    """Most jobs are short and some are long: median 2 s, one in a hundred longer than 70 s."""
    return chance.lognormvariate(0.7, 1.53)


SCENARIOS = (
    Scenario("0.1 s", lambda _: 0.1),
    Scenario("1 s", lambda _: 1.0),
    Scenario("10 s", lambda _: 10.0),
    Scenario("lognormal, median 2 s, 1 % over 70 s", mixed),
    Scenario("10 s", lambda _: 10.0, nodes=1000),
)


@dataclass(frozen=True)
class Found:
    """One scenario's end. Seconds, bytes, shares; `cpu` is the controller's, a job."""

    scenario: Scenario
    makespan: float
    idle: float
    steady_idle: float
    rate: float
    messages_a_second: float
    most_messages: int
    memory: int
    backlog: int
    cpu: float
    server: float


def simulate(scenario: Scenario, home: Path) -> Found:
    chance = random.Random(2018)
    durations = [scenario.seconds(chance) for _ in range(scenario.jobs)]
    clock = Clock()
    with clock.stopped():
        world = World(scenario.nodes, scenario.slots, durations.__getitem__, PAYLOAD)
        work = Work(million_jobs(home))
    study = Study(Assignment({}, ORDER, ((0, scenario.jobs),), ()), 0, {}, 0.0)
    with (
        patch.object(computation, "time", clock),
        Ledger.open(home / "ledger.sqlite", "million", create=True) as ledger,
    ):
        began = clock.monotonic()
        running = Computation(study, work, ModelledQueue(clock, world), ledger, Timing())  # type: ignore[arg-type]
        running.begin(new=True)
        clock.cpu = 0.0
        while running.status()["state"] != "finished":
            running.turn()
        with clock.stopped():
            return judge(scenario, world.measured, began, clock.cpu)


def million_jobs(home: Path) -> Jobs:
    """A grid of 100 × 100 × 100, expanded as it is for any study."""
    (home / "ensemble.yaml").write_text(SPEC, "utf-8")
    (home / "model.py").write_text("def run(a, b, c):\n    return a\n", "utf-8")
    ensemble = load(home / "ensemble.yaml").ensemble
    assert ensemble is not None
    return make_jobs(ensemble, make_space(ensemble), {})


def judge(scenario: Scenario, found: Measured, began: float, cpu: float) -> Found:
    ends = sorted(found.ends)
    makespan = ends[-1][0] - began
    moments = quantiles([moment for moment, _ in ends], n=20)
    first, last = moments[0], moments[-1]
    worked = sum(seconds for _, seconds in ends)
    steady = sum(max(0.0, min(end, last) - max(end - seconds, first)) for end, seconds in ends)
    return Found(
        scenario,
        makespan,
        1 - worked / (makespan * scenario.all_slots),
        1 - steady / ((last - first) * scenario.all_slots),
        0.9 * len(ends) / (last - first),
        found.batches / makespan,
        found.messages,
        found.memory,
        found.backlog,
        cpu / scenario.jobs,
        found.server / makespan,
    )


def table(all_found: list[Found]) -> str:
    """A Markdown table, ready for docs/performance.md."""
    heads = "jobs of|nodes × slots|jobs a second|idle, all|idle, 5th to 95th percentile|messages a second|waiting at most"
    heads += "|queue memory|outcomes waiting at most|controller CPU a job|queue CPU"
    rows = [heads.split("|"), ["---"] * 11]
    for x in all_found:
        rows.append(
            [
                x.scenario.what,
                f"{x.scenario.nodes:,} × {x.scenario.slots}",
                digits(x.rate),
                f"{x.idle:.1%}",
                f"{x.steady_idle:.1%}",
                digits(x.messages_a_second),
                f"{x.most_messages:,}",
                f"{x.memory / 1e6:.0f} MB",
                f"{x.backlog:,}",
                f"{1e6 * x.cpu:.0f} µs",
                f"{x.server:.0%}",
            ]
        )
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def at_scale(jobs: int) -> str:
    found = []
    for scenario in SCENARIOS:
        started = time.perf_counter()
        with TemporaryDirectory(prefix="cloudburst-bench-", dir=scratch_directory()) as home:
            found.append(simulate(replace(scenario, jobs=jobs), Path(home)))
        progress(f"scale, {scenario.what}: simulated in {time.perf_counter() - started:.0f} s")
        progress(table(found[-1:]).splitlines()[-1])
    return table(found)


if __name__ == "__main__":
    print(at_scale(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000))
