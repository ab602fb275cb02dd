"""A study whose jobs are simulated by the test: its ledger, and the series in its file store."""

from __future__ import annotations

import hashlib
import json
from array import array
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import cached_property
from math import sin
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cloudburst.compile.draws import draw
from cloudburst.compile.jobs import Job
from cloudburst.compile.measurements import make_names
from cloudburst.compile.normal import freeze, thaw
from cloudburst.run.file_store import RESULTS, Objects
from cloudburst.run.ledger import Ledger
from cloudburst.run.sinks.fed import Memory
from cloudburst.run.sinks.filling import Filling, Task
from cloudburst.run.sinks.influxdb import Influx
from cloudburst.spec import Loaded, load
from cloudburst.spec.ensemble import Ensemble, InfluxSink

if TYPE_CHECKING:
    from influxd import Database

PAYLOAD = "ab" * 32
LENGTH = 673
"""Points of one series: a week, every quarter of an hour."""
SERIES = ("tank_1", "tank 2", "tank,3")

SPEC = """\
cloudburst: 1
name: basin
worker: {{directory: code, entrypoint: "basin:work"}}
parameters:
  fixed: {{hours: 168}}
  grid: {{demand: [0.8, 1.0], pump: ["P 1", "P,2"]}}
  replicates: {{n: {replicates}, as: seed}}
results:
  - table: {{path: results/basin.csv}}
  - influxdb: {{database: {database}, url: "{url}"{more}}}
"""


def packed(series: Mapping[str, tuple[Iterable[float], Iterable[float]]]) -> bytes:
    """A series object: name -> seconds and values."""
    entries, numbers = [], array("d")
    for name, (times, values) in series.items():
        index, column = array("d", times), array("d", values)
        kinds = [{"name": one, "kind": "float64"} for one in ("time", "value")]
        entries.append({"name": name, "length": len(index), "index": kinds[0], "columns": kinds[1:]})
        numbers += index + column
    return json.dumps({"format": 1, "series": entries}).encode() + b"\n" + numbers.tobytes()


def a_week(row: int) -> dict[str, tuple[list[float], list[float]]]:
    times = [900.0 * step for step in range(LENGTH)]
    return {
        name: (times, [row + number + sin(t / 7200) for t in times]) for number, name in enumerate(SERIES)
    }


@dataclass
class Basin:
    """`more` is written into the sink, such as `, start: "2018-05-28"`; `write` again after a change."""

    root: Path
    database: Database
    replicates: int = 25
    more: str = ""
    url: str = ""

    @property
    def home(self) -> Path:
        """As the local provider has it."""
        return self.root / ".cloudburst" / "basin"

    @property
    def spec(self) -> Path:
        return self.root / "ensemble.yaml"

    def write(self) -> None:
        self.__dict__.pop("loaded", None)
        (self.root / "code").mkdir(exist_ok=True)
        (self.root / "code" / "basin.py").write_text("def work(hours, demand, pump, seed):\n    return 1\n")
        url = self.url or self.database.server.url
        text = SPEC.format(replicates=self.replicates, database=self.database.name, url=url, more=self.more)
        self.spec.write_text(text)
        self.home.mkdir(parents=True, exist_ok=True)

    @cached_property
    def loaded(self) -> Loaded:
        found = load(self.spec)
        assert found.ensemble, found.diagnostics
        return found

    @property
    def ensemble(self) -> Ensemble:
        assert self.loaded.ensemble
        return self.loaded.ensemble

    @property
    def frozen(self) -> dict[str, Any]:
        return freeze(self.loaded.normal, draw(self.ensemble), {})

    @property
    def jobs(self) -> list[Job]:
        return list(thaw(self.frozen))

    @property
    def order(self) -> dict[str, Any]:
        return {"format": 1, "study": "basin", "payload": PAYLOAD}

    # ── what workers would do ────────────────────────────────────────────────────────────────
    def store(self, series: Mapping[str, tuple[Iterable[float], Iterable[float]]]) -> dict[str, Any]:
        data = packed(series)
        digest = hashlib.sha256(data).hexdigest()
        path = Objects(self.home / "files").path(RESULTS, digest)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return {"object": digest, "names": list(series)}

    def outcome(self, job: Job, **changes: Any) -> dict[str, Any]:
        made = {
            "format": 1,
            "id": job.id,
            "row": job.row.index,
            "attempt": 1,
            "payload": PAYLOAD,
            "status": "done",
            "kind": None,
            "error": None,
            "output": "",
            "result": {"lowest": job.row.index / 4, "count": job.row.index, "ok": True, "said": 'a "b"'},
            "files": {},
            "started": 1527465600.25,
            "seconds": 0.5,
            "worker": "node-1/0",
            **changes,
        }
        if "series" not in made:
            made["series"] = self.store(a_week(job.row.index))
        return made

    def record(self, outcomes: Iterable[Mapping[str, Any]]) -> None:
        with Ledger.open(self.home / "ledger.sqlite", "basin", create=True) as ledger:
            ledger.record(outcomes)

    # ── the sink ─────────────────────────────────────────────────────────────────────────────
    @contextmanager
    def filling(self, influx: Influx | None = None) -> Iterator[Filling]:
        [sink] = [x for x in self.ensemble.results if isinstance(x, InfluxSink)]
        task = Task(thaw(self.frozen), make_names(self.ensemble, sink), PAYLOAD, sink)
        objects = Objects(self.home / "files")

        def fetch(digest: str) -> bytes | None:
            path = objects.path(RESULTS, digest)
            return path.read_bytes() if path.is_file() else None

        with ExitStack() as stack:
            ledger = stack.enter_context(Ledger.open(self.home / "ledger.sqlite", "basin"))
            memory = stack.enter_context(Memory(self.home / "sinks" / "influxdb.sqlite"))
            client = stack.enter_context(closing(influx or self.database.client()))
            yield Filling(task, ledger, fetch, client, memory)

    def fill(self, influx: Influx | None = None) -> Filling:
        """Until there is nothing left to do; closed, for looking at its standing."""
        with self.filling(influx) as filling:
            while filling.step():
                pass
            self.standing = filling.standing()
        return filling

    def stored(self) -> int:
        """Points of series in the database, counted without the code under test."""
        return sum(self.database.count("value", name) for name in SERIES)
