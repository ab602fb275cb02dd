"""How fast rows come out of a space, one after another and by their index, beside what one writes by hand."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from measure import Line, progress, run

FILTERED = """\
cloudburst: 1
name: filtered
worker: {directory: ., entrypoint: 'model:run'}
parameters:
  grid:
    a: {from: 1, to: 20, step: 1}
    b: {from: 1, to: 20, step: 1}
    c: {from: 1, to: 20, step: 1}
    d: {from: 1, to: 20, step: 1}
  derive:
    x: a * b + c
    label: "'low' if x < 100 else 'high'"
  exclude:
    - where: a + b > 30 and c == 3
"""

FIVE_AXES = """\
cloudburst: 1
name: axes
worker: {directory: ., entrypoint: 'model:run'}
parameters:
  grid:
    a: {from: 1, to: 100, step: 1}
    b: {from: 0.01, to: 1, step: 0.01}
    c: {from: 1, to: 100, step: 1}
    d: {from: 1, to: 100, step: 1}
    e: {from: 0.1, to: 10, step: 0.1}
"""

STREAMED = """\
import itertools, time
from cloudburst.compile.expressions import expression
from cloudburst.compile.space import make_space
from cloudburst.spec import load

ensemble = load("ensemble.yaml").ensemble
excluded = expression("a + b > 30 and c == 3")
x, label = expression("a * b + c"), expression("'low' if x < 100 else 'high'")
numbers = list(range(1, 21))
started = time.process_time()
peer = 0
for a, b, c, d in itertools.product(numbers, repeat=4):
    row = {"a": a, "b": b, "c": c, "d": d}
    if not excluded(row):
        row["x"] = x(row)
        row["label"] = label(row)
        peer += 1
middle = time.process_time()
own = sum(1 for _ in make_space(ensemble))
ended = time.process_time()
assert own == peer
print(peer / (middle - started), own / (ended - middle))
"""

INDEXED = """\
import random, time
from cloudburst.compile.space import make_space
from cloudburst.spec import load

class ByHand:
    def __init__(self, axes):
        self.axes, self.count = axes, 1
        for listed in axes.values():
            self.count *= len(listed)

    def __getitem__(self, index):
        if not 0 <= index < self.count:
            raise IndexError(index)
        row = {}
        for name, listed in reversed(self.axes.items()):
            index, place = divmod(index, len(listed))
            row[name] = listed[place]
        return row

axes = {"a": range(1, 101), "b": range(1, 101), "c": range(1, 101), "d": range(1, 101), "e": range(1, 101)}
units = {"b": 100, "e": 10}
by_hand = ByHand({k: [n / units[k] if k in units else n for n in v] for k, v in axes.items()})
A, B, C, D, E = by_hand.axes.values()

def unrolled(index):
    index, e = divmod(index, 100)
    index, d = divmod(index, 100)
    index, c = divmod(index, 100)
    a, b = divmod(index, 100)
    return {"a": A[a], "b": B[b], "c": C[c], "d": D[d], "e": E[e]}

space = make_space(load("ensemble.yaml").ensemble)
places = [random.Random(1).randrange(10**10) for _ in range(100_000)]
assert all(space[i].values == by_hand[i] == unrolled(i) for i in places[:1000])

ways = (by_hand.__getitem__, space.__getitem__, unrolled)
seconds = [0.0, 0.0, 0.0]
for start in range(0, len(places), 1000):
    for way, take in enumerate(ways):
        started = time.process_time()
        for index in places[start : start + 1000]:
            take(index)
        seconds[way] += time.process_time() - started
print(*(len(places) / spent for spent in seconds))
"""


def rows_of_a_space(rounds: int) -> list[Line]:
    """Rows with `exclude` and `derive`, and rows by their index. A fresh process a round; CPU time, since nothing waits."""
    streamed: list[tuple[float, ...]] = []
    indexed: list[tuple[float, ...]] = []
    for number in range(1, rounds + 1):
        progress(f"rows of a space: round {number} of {rounds}")
        streamed.append(_measured(FILTERED, STREAMED))
        indexed.append(_measured(FIVE_AXES, INDEXED))
    bare, rows = zip(*streamed, strict=True)
    by_hand, items, unrolled = zip(*indexed, strict=True)
    return [
        Line("a bare loop that calls the compiled expressions", "1/s", bare),
        Line(
            "rows with `exclude` and `derive`", "1/s", rows, "the bare loop", _ratios(rows, bare), ">= 0.50"
        ),
        Line("a row of five axes by hand: a loop of divmod, a dict", "1/s", by_hand),
        Line("`space[i]` of five axes", "1/s", items, "the loop by hand", _ratios(items, by_hand), ">= 0.50"),
        Line("`space[i]` of five axes", "1/s", items, "the same, unrolled", _ratios(items, unrolled)),
    ]


def _measured(spec: str, program: str) -> tuple[float, ...]:
    with TemporaryDirectory(prefix="cloudburst-bench-") as top:
        home = Path(top)
        (home / "ensemble.yaml").write_text(spec, "utf-8")
        (home / "model.py").write_text("def run(**_):\n    return 1\n", "utf-8")
        return tuple(map(float, run([sys.executable, "-c", program], home).split()))


def _ratios(own: tuple[float, ...], peer: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(one / other for one, other in zip(own, peer, strict=True))
