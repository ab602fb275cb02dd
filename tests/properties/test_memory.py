"""A million rows and their jobs pass by without staying, or are counted in a few bytes each."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]

BEGIN = """
import resource, sys
sys.path.insert(0, {tests!r})
from compile.nouns import *
from cloudburst.compile.draws import draw
from cloudburst.compile.jobs import make_jobs
from cloudburst.compile.space import make_space

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()
"""

WALK = """
def walk(sources, **more):
    study = ensemble(block(*sources, **more), job={{"a": "{{{{ a }}}}", "t": "{{{{ a }}}}-{{{{ b }}}}"}})
    jobs = make_jobs(study, make_space(study, draw(study)), {{}})
    for job in jobs[:1000]:
        pass
    before, seen, highest = resident(), 0, 0
    for job in jobs:
        seen += 1
        if seen % 10_000 == 0:
            highest = max(highest, resident())
    assert seen == jobs.count
    return seen, highest - before

CASES = {{
    "grid": lambda: walk([axis("a", Counted(1, 1000, 1000)), axis("b", Counted(0, 999, 1000))]),
    "long axis": lambda: walk([axis("b", 1), axis("a", Counted(1, 10**6, 10**6))]),
    "random sample": lambda: walk([sample("random", 10**6, a=Uniform(0, 1), b=Integers(0, 9))]),
    "filters": lambda: walk(
        [axis("a", Counted(1, 1000, 1000)), axis("b", Counted(1, 1500, 1500))],
        exclude=["(a + b) % 3 == 0"],
    ),
}}
print(*CASES[{case!r}]())
"""

COUNT = """
from cloudburst.compile import plan
from cloudburst.compile.difference import causes
from cloudburst.compile.lockfile import Dependencies

class AllDone:
    def states(self, ids, payload, *, keep_stale=False):
        return dict.fromkeys(ids, "done")

def study(first):
    made = ensemble(block(axis("a", Counted(first, first + 999, 1000)), axis("b", Counted(0, 999, 1000))))
    return made, make_jobs(made, make_space(made), {{}})

before, jobs_before = study(1)
now, jobs = study(2)
around = plan.Surroundings("ensemble.yaml", "ensemble.lock", Dependencies("locked", "", None), None)
outline, edited = plan.outline(now, jobs, around), plan.Edited(jobs_before, causes(before, now))
before = resident()
counts = plan.count(outline, jobs, AllDone(), dict, edited=edited).counts
with open("/proc/self/status") as file:
    peak = next(int(line.split()[1]) << 10 for line in file if line.startswith("VmHWM"))
print(counts.done, peak - before)
"""


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads its memory from /proc")
@pytest.mark.parametrize("case", ["grid", "long axis", "random sample", "filters"])
def test_walking_a_million_jobs_grows_memory_by_less_than_32_mb(case: str) -> None:
    rows, grown = measured(BEGIN + WALK, case=case)
    assert rows >= 10**6
    assert grown < 32 * 2**20, f"{grown / 2**20:.1f} MiB over {rows:,} rows"


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads its memory from /proc")
def test_planning_an_edit_of_a_million_finished_jobs_grows_memory_by_less_than_64_mb() -> None:
    jobs, grown = measured(BEGIN + COUNT)
    assert jobs == 10**6
    assert grown < 64 * 2**20, f"{grown / 2**20:.1f} MiB over {jobs:,} jobs"


def measured(program: str, **given: str) -> tuple[int, int]:
    """What it prints: how many passed by, and by how many bytes memory grew."""
    script = program.format(tests=str(TESTS), **given)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    number, grown = map(int, done.stdout.split())
    return number, grown
