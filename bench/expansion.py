"""How fast a million jobs are expanded, with their ids, and how much memory grows meanwhile."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from measure import Line, progress, run

SPEC = """\
cloudburst: 1
name: million
worker: {directory: ., entrypoint: 'model:run'}
parameters:
  grid:
    a: {from: 1, to: 100, step: 1}
    b: {from: 0.01, to: 1, step: 0.01}
    c: {from: 1e-6, to: 1, count: 100, scale: log}
"""

OWN = """\
import resource, sys, time
from cloudburst.compile.jobs import make_jobs
from cloudburst.compile.space import make_space
from cloudburst.spec import load

ensemble = load("ensemble.yaml").ensemble
space = make_space(ensemble)
what = space if sys.argv[1] == "rows" else make_jobs(ensemble, space, {})
next(iter(what))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
started = time.perf_counter()
count = sum(1 for _ in what)
seconds = time.perf_counter() - started
assert count == 10**6
print(count / seconds, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""

PLAIN = """\
import hashlib, itertools, json, time

a, b = range(1, 101), [i / 100 for i in range(1, 101)]
c = [10 ** (-6 + 6 * i / 99) for i in range(100)]
started = time.perf_counter()
for values in itertools.product(a, b, c):
    row = dict(zip("abc", values))
    text = json.dumps([1, "model:run", row, None], sort_keys=True, separators=(",", ":"))
    hashlib.sha256(text.encode()).hexdigest()
print(10**6 / (time.perf_counter() - started))
"""


def a_million(rounds: int) -> list[Line]:
    """Rows, and jobs with ids, beside a loop of product, dict, json and sha256. A fresh process each."""
    rates: dict[str, list[float]] = {"plain": [], "rows": [], "jobs": []}
    growth: dict[str, list[float]] = {"rows": [], "jobs": []}
    with TemporaryDirectory(prefix="cloudburst-bench-") as top:
        home = Path(top)
        (home / "ensemble.yaml").write_text(SPEC, "utf-8")
        (home / "model.py").write_text("def run(a, b, c):\n    return a\n", "utf-8")
        for number in range(1, rounds + 1):
            progress(f"a million jobs: round {number} of {rounds}")
            rates["plain"].append(float(run([sys.executable, "-c", PLAIN], home)))
            for what in ("rows", "jobs"):
                rate, grown = map(float, run([sys.executable, "-c", OWN, what], home).split())
                rates[what].append(rate)
                growth[what].append(grown)
    beside = "the plain loop"

    def ratios(what: str) -> tuple[float, ...]:
        return tuple(own / plain for own, plain in zip(rates[what], rates["plain"], strict=True))

    return [
        Line("10⁶ times product, dict, json, sha256 in a plain loop", "1/s", tuple(rates["plain"])),
        Line("10⁶ rows of a space", "1/s", tuple(rates["rows"]), beside, ratios("rows")),
        Line("10⁶ jobs with their ids", "1/s", tuple(rates["jobs"]), beside, ratios("jobs")),
        Line("memory grows by, rows", "MB", tuple(growth["rows"]), target="< 32 MB"),
        Line("memory grows by, jobs", "MB", tuple(growth["jobs"]), target="< 32 MB"),
    ]
