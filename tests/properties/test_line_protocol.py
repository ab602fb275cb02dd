"""What is written to a real InfluxDB and read back is what was meant, whatever the text and the numbers."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from math import isfinite
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloudburst.compile.jobs import Job
from cloudburst.compile.measurements import Names, measurement_of
from cloudburst.compile.space import Row
from cloudburst.run.series import Series, Values
from cloudburst.run.sinks.line_protocol import EARLIEST, LATEST, storable, utf8
from cloudburst.run.sinks.points import make_points

if TYPE_CHECKING:
    from influxd import Database

pytestmark = pytest.mark.slow

ANY_TEXT = st.text(max_size=12) | st.text(alphabet=" ,=\\\"'#\n\r\t\0_ab\ud800é😀", max_size=12)
NUMBERS = st.floats() | st.sampled_from([0.0, -0.0, 1e22, 5e-324, 1.7976931348623157e308])
TIMES = st.integers(EARLIEST, LATEST)

OUTCOME = {
    "attempt": 1,
    "started": 1527465600.25,
    "seconds": 0.5,
    "worker": "node-1/0",
    "payload": "ab" * 32,
    "result": {},
}

_IDS = count(1)


@pytest.fixture
def ids() -> Iterator[str]:
    """Never used before: examples share a database."""
    return (f"{n:020x}" for n in _IDS)


def job(job_id: str, values: dict[str, str]) -> Job:
    return Job(Row(0, "main", values, None), job_id, values, None)


def stored(influx: Database, points: list[str]) -> None:
    with closing(influx.client()) as client:
        client.write("\n".join(points).encode())
        client.settle()
        assert client.refusals() == []


same_database = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@same_database
@given(name=ANY_TEXT, column=ANY_TEXT, tag=ANY_TEXT, text=ANY_TEXT)
def test_names_tags_and_texts(
    influx: Database, ids: Iterator[str], name: str, column: str, tag: str, text: str
) -> None:
    one = job(next(ids), {"place": tag})
    names = Names("study", {"place": "place"}, {})
    series = Series(name, Values("time", "int64", [5]), (Values(column, "text", [text]),))
    made = make_points(one, OUTCOME, [series], names, None)
    stored(influx, list(made.lines()))

    measurement = storable(measurement_of(name))
    with closing(influx.client()) as client:
        counted = client.count("study", [one.id], {place for place, _ in made.expected})
    assert counted[one.id] == made.expected
    # Names in a question would be quoted by the code under test: look at everything instead.
    [found] = [
        dict(zip(s["columns"], values, strict=True))
        for s in influx.query(f"SELECT * FROM /.*/ WHERE id = '{one.id}'")
        if s["name"] == measurement
        for values in s["values"]
    ]
    known_as = storable(names.of_columns([column])[column])
    assert (found["time"], found[known_as]) == (5 * 10**9, utf8(text))
    assert (found.get("place") or "") == storable(tag)
    assert (found["study"], found["block"]) == ("study", "main")


@same_database
@given(points=st.dictionaries(TIMES, NUMBERS, min_size=1, max_size=20))
def test_numbers_and_moments(influx: Database, ids: Iterator[str], points: dict[int, float]) -> None:
    one = job(next(ids), {})
    index = Values("t", "datetime64[ns]", array("q", points))
    series = Series("level", index, (Values("value", "float64", array("d", points.values())),))
    made = make_points(one, OUTCOME, [series], Names("study", {}, {}), None)
    stored(influx, list(made.lines()))
    found = influx.query(f"SELECT value FROM level WHERE id = '{one.id}'")
    read = {time: float(value) for s in found for time, value in s["values"]}
    assert read == {time: number for time, number in points.items() if isfinite(number)}
    assert made.count == len(read) + 1
