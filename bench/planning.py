"""How long a plan of a million rows takes whose million jobs are all in the ledger, and how much memory grows meanwhile."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import expansion
from measure import Line, progress, run

from cloudburst.run.ledger import Ledger
from cloudburst.run.observe import Study, read_study, with_lock
from cloudburst.run.places import prepare
from cloudburst.run.planning import counted_plan
from cloudburst.run.plans import keep_plan

SPEC = expansion.SPEC.replace("directory: .,", "directory: worker,")
EDITED = SPEC.replace("a: {from: 1, to: 100,", "a: {from: 2, to: 101,")
"""Ten thousand rows go, as many come."""

SPECS = {"as it is": SPEC, "edited": EDITED}

AT_ONCE = 50_000

PROGRAM = """\
import re, sys, time
from pathlib import Path
from cloudburst.run.kept import edited_since
from cloudburst.run.ledger import Ledger
from cloudburst.run.observe import outline_study, read_study
from cloudburst.run.planning import count_plan

def memory(what):
    return int(re.search(rf"{what}:\\s*(\\d+) kB", Path("/proc/self/status").read_text())[1]) / 1024

study = read_study(Path("ensemble.yaml"))
outline, edited = outline_study(study), edited_since(study)
before, started = memory("VmRSS"), time.process_time()
if sys.argv[1] == "plan":
    counts = count_plan(study, outline).counted
    assert (counts.done, counts.to_do) == ((990_000, 10_000) if edited else (1_000_000, 0)), counts
else:
    for jobs in (study.jobs, *((edited.before,) if edited else ())):
        assert sum(1 for _ in jobs) == 10**6
    with Ledger.open(study.places.ledger, study.ensemble.name) as ledger:
        assert sum(1 for _ in ledger._database.execute("SELECT id FROM outcomes")) == 10**6
print(time.process_time() - started, memory("VmHWM") - before)
"""


def a_million_finished(rounds: int) -> list[Line]:
    """Counting the plan beside expanding every row and reading every id of the ledger; and both again after an edit
    that also has the study of before expanded. A fresh process each; CPU time, since nothing waits."""
    measured: dict[tuple[str, str], list[tuple[float, ...]]] = {}
    with TemporaryDirectory(prefix="cloudburst-bench-") as top:
        home = Path(top)
        _finish(home)
        for number in range(1, rounds + 1):
            progress(f"a plan of a million finished rows: round {number} of {rounds}")
            for state, spec in SPECS.items():
                (home / "ensemble.yaml").write_text(spec, "utf-8")
                for what in ("peer", "plan"):
                    ended = run([sys.executable, "-c", PROGRAM, what], home)
                    measured.setdefault((state, what), []).append(tuple(map(float, ended.split())))
    seconds = {which: tuple(cpu for cpu, _ in found) for which, found in measured.items()}
    grown = {state: tuple(memory for _, memory in measured[state, "plan"]) for state in SPECS}

    def beside_peer(state: str) -> tuple[float, ...]:
        own, peer = seconds[state, "plan"], seconds[state, "peer"]
        return tuple(one / other for one, other in zip(own, peer, strict=True))

    return [
        Line("10⁶ jobs expanded, 10⁶ ids read", "s", seconds["as it is", "peer"]),
        Line(
            "a plan of them, all finished", "s", seconds["as it is", "plan"],
            "expanding and reading", beside_peer("as it is"), "<= 2",
        ),
        Line("the same, and the 10⁶ jobs before an edit expanded", "s", seconds["edited", "peer"]),
        Line(
            "a plan that tells the edit's causes", "s", seconds["edited", "plan"],
            "expanding both and reading", beside_peer("edited"), "<= 2",
        ),
        Line("memory grows by", "MB", grown["as it is"], target="< 200 MB"),
        Line("memory grows by, with the edit", "MB", grown["edited"], target="< 200 MB"),
    ]  # fmt: skip


def _finish(home: Path) -> None:
    """The study as it is after an `apply` that computed everything."""
    progress("a ledger with a million finished rows")
    (home / "ensemble.yaml").write_text(SPEC, "utf-8")
    (home / "worker").mkdir()
    (home / "worker" / "model.py").write_text("def run(a, b, c):\n    return a\n", "utf-8")
    study = read_study(home / "ensemble.yaml")
    prepare(study.places)
    study = with_lock(study, lambda _: None)
    with Ledger.open(study.places.ledger, study.ensemble.name, create=True) as ledger:
        ledger.begin(study.payload.digest)
        outcomes = _outcomes(study)
        while some := list(islice(outcomes, AT_ONCE)):
            ledger.record(some)
    keep_plan(study, counted_plan(study), 0.0)


def _outcomes(study: Study) -> Iterator[dict[str, Any]]:
    for job in study.jobs:
        yield {
            "format": 1, "id": job.id, "row": job.row.index, "attempt": 1, "payload": study.payload.digest,
            "status": "done", "kind": None, "error": None, "output": "", "result": {"value": job.row.values["a"]},
            "series": None, "files": {}, "started": 1.5e9, "seconds": 0.25, "worker": "node-1/0",
        }  # fmt: skip
