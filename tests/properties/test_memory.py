"""A million rows and their jobs pass by without staying."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]

WALK = """
import resource, sys
sys.path.insert(0, {tests!r})
from compile.nouns import *
from cloudburst.compile.draws import draw
from cloudburst.compile.jobs import make_jobs
from cloudburst.compile.space import make_space

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()

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


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads its memory from /proc")
@pytest.mark.parametrize("case", ["grid", "long axis", "random sample", "filters"])
def test_walking_a_million_jobs_grows_memory_by_less_than_32_mb(case: str) -> None:
    script = textwrap.dedent(WALK).format(tests=str(TESTS), case=case)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows, grown = map(int, done.stdout.split())
    assert rows >= 10**6
    assert grown < 32 * 2**20, f"{grown / 2**20:.1f} MiB over {rows:,} rows"
