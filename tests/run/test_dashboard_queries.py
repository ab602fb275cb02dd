"""What the dashboard asks a real InfluxDB is answered with the numbers in the ledger.

Grafana cannot be installed on the machines that test, so its part is played (tests/grafana/played.py).
"""

from __future__ import annotations

import hashlib
import json
import re
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from math import floor, fsum
from pathlib import Path
from typing import Any

import pytest
from grafana.played import ALL, PlayedGrafana
from influxd import Database, Influxd

from cloudburst.compile.dashboard import make_dashboard
from cloudburst.compile.influxql import MOST_SERIES, lots
from cloudburst.compile.jobs import Job
from cloudburst.compile.measurements import tag_text
from cloudburst.run.file_store import RESULTS, Objects
from cloudburst.run.ledger import Ledger
from cloudburst.run.series import decode
from cloudburst.spec.ensemble import Ensemble, InfluxSink

from .basin import Basin

pytestmark = pytest.mark.slow

PUMPS = ["P 1", "P,2", "a/b", "x.y(z)|w+", 'größe "q"', "it's $5 = 100%", "b\\c [1]"]
"""What a value may look like that ends a text, a regular expression or a line somewhere on its way."""

SPEC = """\
cloudburst: 1
name: basin
worker: {{directory: code, entrypoint: "basin:work"}}
parameters:
  fixed: {{hours: 2}}
  grid:
    demand: [0.8, 1.0, 2]
    pump: {pumps}
    rule: {{values: [a, b], when: "demand < 1"}}
  sample: {{method: random, n: 1, of: {{leak: {{uniform: [0, 1]}}}}}}
  replicates: {{n: {replicates}, as: seed}}
results:
  - influxdb: {{database: {database}, url: "{url}", start: "2018-05-28"}}
"""

START = 1_527_465_600.0
STEP = 600.0
STEPS = 12
COLUMNS = {"tank 1": ("value",), "flow/2 (max)": ("speed", 'the "q"', "value")}
SHARES = (5, 25, 50, 75, 95)

Tags = dict[str, str]


class Pumped(Basin):
    """The basin with parameters and series of every kind."""

    def write(self) -> None:
        self.__dict__.pop("loaded", None)
        (self.root / "code").mkdir(exist_ok=True)
        (self.root / "code" / "basin.py").write_text("def work(hours, demand, pump, rule, leak, seed): ...\n")
        said = {"pumps": json.dumps(PUMPS, ensure_ascii=False), "replicates": self.replicates}
        url = self.database.server.url
        self.spec.write_text(SPEC.format(database=self.database.name, url=url, **said), encoding="utf-8")
        self.home.mkdir(parents=True, exist_ok=True)

    @property
    def in_the_stack(self) -> Ensemble:
        """The same study with its sink in the server that the stack brings: such has a dashboard."""
        results = (replace(one, url=None) for one in self.ensemble.results if isinstance(one, InfluxSink))
        return replace(self.ensemble, results=tuple(results))

    def compute(self) -> None:
        """Every tenth job fails, every fourth needs two attempts, every third returns no `lowest`."""
        with Ledger.open(self.home / "ledger.sqlite", "basin", create=True) as ledger:
            ledger.record(outcome for job in self.jobs for outcome in self._attempts(job))

    def _attempts(self, job: Job) -> Iterator[Mapping[str, Any]]:
        number = job.row.index
        failed = {"status": "failed", "kind": "error", "error": "ValueError", "result": None, "series": None}
        if number % 10 == 9:
            yield self.outcome(job, **failed)
            return
        if number % 4 == 0:
            yield self.outcome(job, **failed)
        result = {"count": number, "said": PUMPS[number % 7], "tank": {"level": -number / 8}, 'the "best"': 1}
        if number % 3:
            result["lowest"] = (number * 37 % 101) / 7
        changes = {"result": result, "seconds": number / 16, "attempt": 2 if number % 4 == 0 else 1}
        yield self.outcome(job, **changes, series=self._store(number))

    def _store(self, number: int) -> dict[str, Any]:
        entries, numbers = [], array("d")
        for at, (name, columns) in enumerate(COLUMNS.items()):
            kinds = [{"name": one, "kind": "float64"} for one in ("time", *columns)]
            entries.append({"name": name, "length": STEPS, "index": kinds[0], "columns": kinds[1:]})
            numbers += array("d", [STEP * step for step in range(STEPS)])
            for column in range(len(columns)):
                values = ((number * 7 + step * 13 + at * 5 + column) % 97 - 48 for step in range(STEPS))
                numbers += array("d", (value / 3 for value in values))
        data = json.dumps({"format": 1, "series": entries}).encode() + b"\n" + numbers.tobytes()
        digest = hashlib.sha256(data).hexdigest()
        path = Objects(self.home / "files").path(RESULTS, digest)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return {"object": digest, "names": list(COLUMNS)}


# ── computed from the ledger ─────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class Ended:
    """A job that is done, as ledger and file store have it. `points`: (series, column) -> value at each step."""

    id: str
    tags: Tags
    leak: float
    seconds: float
    attempts: int
    outputs: Mapping[str, Any]
    points: Mapping[tuple[str, str], list[float]]


def read_ledger(basin: Pumped) -> list[Ended]:
    jobs = {job.id: job for job in basin.jobs}
    with Ledger.open(basin.home / "ledger.sqlite", "basin") as ledger:
        done = [outcome for outcome in ledger if outcome["status"] == "done"]
    return [_ended(jobs[outcome["id"]], outcome, Objects(basin.home / "files")) for outcome in done]


def _ended(job: Job, outcome: Mapping[str, Any], objects: Objects) -> Ended:
    values, result = job.row.values, outcome["result"]
    leak = values["leak"]
    assert isinstance(leak, float)
    tags = {name: tag_text(values[name]) for name in ("demand", "pump", "rule") if name in values}
    data = objects.path(RESULTS, outcome["series"]["object"]).read_bytes()
    points = {(one.name, column.name): list(column.stored) for one in decode(data) for column in one.columns}
    outputs = {**result, "tank.level": result["tank"]["level"]}
    times = outcome["seconds"], outcome["attempt"]
    tags["replicate"] = str(job.row.replicate)
    return Ended(job.id, tags, leak, *times, outputs, points)


def share_of(values: Iterable[float], share: int) -> float:
    """Nearest rank, halves upward; the low shares are the high ones counted from the other end."""
    if share < 50:
        return -share_of((-value for value in values), 100 - share)
    ranked = sorted(values)
    return ranked[floor(len(ranked) * share / 100 + 0.5) - 1]


# ── the answers ──────────────────────────────────────────────────────────────────────────────
@dataclass
class Page:
    """The dashboard of a computed study, and what its ledger says."""

    basin: Pumped

    @cached_property
    def jobs(self) -> list[Ended]:
        return read_ledger(self.basin)

    def open(self) -> PlayedGrafana:
        """As somebody sees it who has just come."""
        grafana = PlayedGrafana(make_dashboard(self.basin.in_the_stack), self.basin.database.query)
        grafana.load()
        return grafana

    def chosen(self, choice: Mapping[str, list[str]]) -> list[Ended]:
        return [job for job in self.jobs if all(job.tags.get(name) in choice[name] for name in choice)]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, shared_influxd: Influxd) -> Page:
    basin = Pumped(tmp_path_factory.mktemp("basin"), Database(shared_influxd, "dashboard"), replicates=4)
    basin.write()
    basin.compute()
    basin.fill()
    assert (basin.standing.waiting, basin.standing.problem) == (0, "")
    others = "outputs,study=other,id=1,demand=1,pump=P\\ 1 attempts=2,seconds=9,lowest=9 {0}\ntank\\ 1,study=other,id=1 value=9 {0}"
    shared_influxd.write(others.format(round(START) * 10**9), "dashboard")
    return Page(basin)


CHOICES: dict[str, dict[str, list[str]]] = {
    "everything": {},
    "one value": {"demand": ["1"]},
    "two values": {"demand": ["0.8", "2"]},
    "odd texts": {"pump": PUMPS[3:]},
    "one odd text": {"pump": [PUMPS[3]]},
    "all that have a rule": {"rule": ["a", "b"]},
    "two parameters": {"rule": ["a"], "pump": [PUMPS[2], PUMPS[6]]},
    "nothing there": {"demand": ["1"], "rule": ["a"]},
}


@pytest.fixture(params=CHOICES.values(), ids=list(CHOICES))
def seen(page: Page, request: pytest.FixtureRequest) -> tuple[PlayedGrafana, list[Ended]]:
    """The dashboard after a choice, and the jobs it is then about."""
    grafana = page.open()
    for name, values in request.param.items():
        grafana.choose(f"of_{name}", *values)
    return grafana, page.chosen(request.param)


Seen = tuple[PlayedGrafana, list[Ended]]


def single(answers: list[list[dict[str, Any]]]) -> float | None:
    [series] = answers
    return series[0]["values"][0][1] if series else None


def test_numbers_at_the_top_are_the_ledgers_without_grafana_which_cannot_be_installed(seen: Seen) -> None:
    grafana, jobs = seen
    assert (single(grafana.panel("Jobs")) or 0) == len(jobs)
    assert (single(grafana.panel("Repeated")) or 0) == sum(job.attempts > 1 for job in jobs)
    assert (single(grafana.panel("Computed for")) or 0) == pytest.approx(sum(job.seconds for job in jobs))


@pytest.mark.parametrize("output", ["lowest", "count", "tank.level", 'the "best"'])
def test_percentiles_by_parameter_are_the_ledgers_without_grafana_which_cannot_be_installed(
    seen: Seen, output: str
) -> None:
    grafana, jobs = seen
    grafana.choose("output", output)
    for name in ("demand", "pump", "rule"):
        groups: dict[str, list[float]] = defaultdict(list)
        for job in jobs:
            if output in job.outputs:
                groups[job.tags.get(name, "")].append(job.outputs[output])
        [answered] = grafana.panel(f"${{output}} by {name}")
        assert {series["tags"][name]: series["values"][0][1:] for series in answered} == {
            value: [len(found), *(share_of(found, share) for share in SHARES)]
            for value, found in groups.items()
        }
        assert all(series["columns"][1:] == ["jobs", *(f"{p} %" for p in SHARES)] for series in answered)


def test_histogram_and_dots_are_the_ledgers_without_grafana_which_cannot_be_installed(seen: Seen) -> None:
    grafana, jobs = seen
    grafana.choose("output", "lowest")
    with_it = [job for job in jobs if "lowest" in job.outputs]
    found = [row[1] for row in rows_of(grafana.panel("${output}"))]
    assert sorted(found) == sorted(job.outputs["lowest"] for job in with_it)
    pairs = [tuple(row[1:]) for row in rows_of(grafana.panel("${output} against ${against}"))]
    assert {pair for pair in pairs if None not in pair} == {
        (job.leak, job.outputs["lowest"]) for job in with_it
    }


def rows_of(answers: list[list[dict[str, Any]]]) -> list[list[Any]]:
    [answered] = answers
    return [row for series in answered for row in series["values"]]


def test_the_table_has_every_job_of_the_ledger_without_grafana_which_cannot_be_installed(seen: Seen) -> None:
    grafana, jobs = seen
    [answered] = grafana.panel("Table of jobs")
    found = [dict(zip(s["columns"], row, strict=True)) for s in answered for row in s["values"]]
    assert sorted(
        (row["id"], row["count"], row["said"], row["leak"], row["pump"]) for row in found
    ) == sorted(
        (job.id, job.outputs["count"], job.outputs["said"], job.leak, job.tags["pump"]) for job in jobs
    )


@pytest.mark.parametrize("column", ["value", "speed", 'the "q"'])
@pytest.mark.parametrize(("interval", "steps"), [("10m", 1), ("1h", 6)])
def test_bands_are_the_ledgers_without_grafana_which_cannot_be_installed(
    seen: Seen, column: str, interval: str, steps: int
) -> None:
    grafana, jobs = seen
    grafana.choose("field", column)
    grafana.interval = interval
    for row in grafana.rows():
        key = (row["measurement"], column)
        answers = grafana.panel("Percentiles over the jobs", row)
        assert len(answers) == len(SHARES)
        for share, answered in zip(SHARES, answers, strict=True):
            found = {time: value for series in answered for time, value in series["values"]}
            assert found == {
                moment: share_of(values, share)
                for moment, values in over_time(jobs, key, steps, lambda job: "").get("", {}).items()
            }


@pytest.mark.parametrize("share", [".", "[0-3]", "0", "0[0-3]"])
def test_each_job_is_the_ledgers_without_grafana_which_cannot_be_installed(seen: Seen, share: str) -> None:
    grafana, jobs = seen
    grafana.choose("drawn", share)
    grafana.interval = "1h"
    drawn = [job for job in jobs if re.match(share, job.id)]
    for row in grafana.rows():
        answers = grafana.panel("Job by job", row)
        lines = over_time(drawn, (row["measurement"], "value"), 6, called)
        named = grafana.aliases("Job by job", answers)
        assert len(named) == len(set(named)) == min(len(drawn), MOST_SERIES)
        assert set(named) <= set(lines)
        for name, series in zip(named, answers[0], strict=True):
            means = {moment: fsum(values) / 6 for moment, values in lines[name].items()}
            assert dict(series["values"]) == pytest.approx(means)


def test_of_many_jobs_some_are_drawn_at_first(page: Page) -> None:
    grafana = page.open()
    assert len(page.jobs) > MOST_SERIES
    assert grafana.chosen["drawn"] == ["[0-3]"]
    [found] = grafana.panel("Job by job", grafana.rows()[0])
    assert {series["tags"]["id"] for series in found} == {job.id for job in page.jobs if job.id[0] in "0123"}


def test_only_the_range_that_is_shown_is_asked_for(page: Page) -> None:
    """From the fourth to the eighth step, both of them in it."""
    grafana = page.open()
    grafana.show("2018-05-28T00:30:00+00:00", "2018-05-28T01:10:00+00:00")
    shown = [round(START + step * STEP) * 10**9 for step in range(3, 8)]
    for row in grafana.rows():
        for title in ("Percentiles over the jobs", "Job by job"):
            series = [one for answered in grafana.panel(title, row) for one in answered]
            assert series
            assert all([time for time, _ in one["values"]] == shown for one in series)
    grafana.interval = "1h"  # an interval that begins before the range has only what is in it
    grafana.show("2018-05-28T00:50:00+00:00", "2018-05-28T00:50:00+00:00")
    for row in grafana.rows():
        key = (row["measurement"], "value")
        expected = [share_of((job.points[key][5] for job in page.jobs), share) for share in SHARES]
        answers = grafana.panel("Percentiles over the jobs", row)
        assert [answered[0]["values"][0][1] for answered in answers] == expected


def test_simulated_time_may_lie_ahead(tmp_path: Path, influx: Database) -> None:
    """InfluxDB ends a question with intervals now, unless it is told otherwise."""
    basin = Pumped(tmp_path, influx)
    basin.write()
    influx.server.query(f'CREATE DATABASE "{influx.name}"')
    moment = 4_102_444_800 * 10**9
    influx.server.write(f"tank,study=basin,id=1 value=7 {moment}", influx.name)
    grafana = PlayedGrafana(make_dashboard(basin.in_the_stack), influx.query)
    grafana.load()
    grafana.choose("drawn", ".")
    grafana.show("2100-01-01T00:00:00+00:00", "2100-01-02T00:00:00+00:00")
    for title in ("Percentiles over the jobs", "Job by job"):
        answers = grafana.panel(title, {"measurement": "tank"})
        assert [series["values"] for answered in answers for series in answered] == [[[moment, 7]]] * len(
            answers
        )


def called(job: Ended) -> str:
    tags = {"demand": "", "pump": "", "rule": "", **job.tags}
    return " · ".join([*(f"{name} {value}" for name, value in tags.items()), job.id])


def over_time(
    jobs: Iterable[Ended], key: tuple[str, str], steps: int, line: Callable[[Ended], str]
) -> dict[str, dict[int, list[float]]]:
    """Line -> moment in nanoseconds -> the values in the interval of so many steps that begins there."""
    found: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for job in jobs:
        for step, value in enumerate(job.points.get(key, [])):
            moment = round(START + step // steps * steps * STEP) * 10**9
            found[line(job)][moment].append(value)
    return found


@pytest.mark.parametrize("column", ["value", "speed"])
def test_series_begin_and_end_as_in_the_ledger_without_grafana_which_cannot_be_installed(
    seen: Seen, column: str
) -> None:
    grafana, jobs = seen
    grafana.choose("field", column)
    grafana.show("2030-01-01T00:00:00+00:00", "2030-01-02T00:00:00+00:00")  # whatever is shown just now
    answers = grafana.panel("When")
    first, last = ([series["values"][0][0] for series in answered] for answered in answers)
    names = [name for name, columns in COLUMNS.items() if column in columns and jobs]
    assert sorted(grafana.aliases("When", answers)) == sorted([*names, *names])
    assert first == [round(START) * 10**9] * len(names)
    assert last == [round(START + (STEPS - 1) * STEP) * 10**9] * len(names)


# ── the variables ────────────────────────────────────────────────────────────────────────────
def test_every_variable_offers_what_the_ledger_has_without_grafana_which_cannot_be_installed(
    page: Page,
) -> None:
    grafana, jobs = page.open(), page.jobs
    offered = {name: set(options) for name, options in grafana.options.items() if name != "database"}
    outputs = {name for job in jobs for name in job.outputs if name != "tank"}
    assert offered == {
        "measurement": set(COLUMNS),
        "field": {column for columns in COLUMNS.values() for column in columns},
        "output": outputs,
        "against": {"leak"},
        "drawn": set(lots(1)[0].values()),
        **{
            f"of_{name}": {job.tags[name] for job in jobs if name in job.tags}
            for name in ("demand", "pump", "rule")
        },
    }


def test_who_just_came_sees_every_series_and_every_job(page: Page) -> None:
    grafana = page.open()
    assert grafana.chosen["field"] == ["value"]
    assert {row["measurement"] for row in grafana.rows()} == set(COLUMNS)
    assert all(grafana.chosen[f"of_{name}"] == [ALL] for name in ("demand", "pump", "rule"))
    assert single(grafana.panel("Jobs")) == len(page.jobs)
    for row in grafana.rows():
        assert all(grafana.panel("Percentiles over the jobs", row)), "its first range of time shows the data"


def test_a_text_as_output_leaves_panels_empty_and_is_no_error(page: Page) -> None:
    grafana = page.open()
    grafana.choose("output", "said")
    assert grafana.panel("${output} by demand") == [[]]
    assert {value for row in rows_of(grafana.panel("${output}")) for value in row[1:]} <= {None}


def test_nothing_is_stored_yet(tmp_path: Path, influx: Database) -> None:
    """Every panel is empty then, and none is an error."""
    basin = Pumped(tmp_path, influx)
    basin.write()
    influx.server.query(f'CREATE DATABASE "{influx.name}"')
    grafana = PlayedGrafana(make_dashboard(basin.in_the_stack), influx.query)
    grafana.load()
    assert grafana.options["measurement"] == []
    asked = [
        (panel["title"], grafana.fill(target["query"]))
        for panel in grafana.dashboard["panels"]
        for target in panel.get("targets", [])
    ]
    assert len(asked) > 12
    assert {title: influx.query(text) for title, text in asked} == {title: [] for title, _ in asked}
