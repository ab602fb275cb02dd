"""The points of one job, as lines; how many there are, and which cannot be."""

from __future__ import annotations

from array import array
from math import inf, nan
from typing import Any

from cloudburst.compile.jobs import Job
from cloudburst.compile.measurements import Names
from cloudburst.compile.space import Row
from cloudburst.run.series import Series, Values
from cloudburst.run.sinks.points import JobPoints, bodies, make_points

NAMES = Names("s", {"pump": "pump"}, {"hours": "hours"})
JOB = Job(Row(0, "main", {"pump": "P 1", "hours": 168}, 3), "a" * 20, {}, None)
TAGS = f"study=s,id={'a' * 20},block=main,replicate=3,pump=P\\ 1"


def made(*series: Series, start: str | None = None, result: Any = None) -> JobPoints:
    outcome = {
        "attempt": 1,
        "started": 2.5,
        "seconds": 0.5,
        "worker": "n/0",
        "payload": "ab" * 32,
        "result": result,
    }
    return make_points(JOB, outcome, series, NAMES, start)


def series(name: str, times: list[float], **columns: list[Any]) -> Series:
    values = (
        Values(key, "text", column)
        if any(isinstance(x, str) for x in column)
        else Values(key, "float64", array("d", column))
        for key, column in columns.items()
    )
    return Series(name, Values("t", "float64", array("d", times)), tuple(values))


def lines(points: JobPoints, *, apart: bool = False) -> list[str]:
    """Without those of `outputs`."""
    found = (line for block in points.blocks(apart=apart) for line in block)
    return [line.replace(TAGS, "TAGS") for line in found if not line.startswith("outputs,")]


def test_a_line_a_point() -> None:
    assert lines(made(series("tank 1", [0, 900], value=[1, 2.5]))) == [
        "tank\\ 1,TAGS value=1.0 0",
        "tank\\ 1,TAGS value=2.5 900000000000",
    ]


def test_a_table_has_its_columns_in_one_line_and_texts_in_another() -> None:
    table = series("t", [0, 1, 2], a=[1, nan, nan], b=[3, 4, inf], said=["x", None, 'y"'])
    points = made(table)
    assert lines(points) == [
        "t,TAGS a=1.0,b=3.0 0",
        "t,TAGS b=4.0 1000000000",
        't,TAGS said="x" 0',
        't,TAGS said="y\\"" 2000000000',
    ]
    assert lines(points, apart=True) == [
        "t,TAGS a=1.0 0",
        "t,TAGS b=3.0 0",
        "t,TAGS b=4.0 1000000000",
        't,TAGS said="x" 0',
        't,TAGS said="y\\"" 2000000000',
    ]
    assert {place: n for place, n in points.expected.items() if place[0] == "t"} == {
        ("t", "a"): 1,
        ("t", "b"): 2,
        ("t", "said"): 2,
    }
    assert (points.count, points.left_out) == (4, {"values that are NaN or infinite": 3})


def test_outputs_are_one_point_at_the_start() -> None:
    points = made(start="1970-01-02", result={"n": 3, "tank": {"low": 2.5}, "hours": True, "list": [1]})
    [numbers, texts] = points.lines()
    assert numbers.replace(TAGS, "TAGS") == (
        "outputs,TAGS attempts=1.0,started=2.5,seconds=0.5,hours=168.0,n=3.0,tank.low=2.5,out.hours=1.0 86400000000000"
    )
    assert texts.replace(TAGS, "TAGS") == (
        'outputs,TAGS worker="n/0",payload="abababababab",list="[1]" 86400000000000'
    )
    assert points.count == 1


def test_an_integer_beyond_every_float_is_left_out_like_an_infinity() -> None:
    points = made(result={"n": 10**400})
    assert ("outputs", "n") not in points.expected
    assert points.left_out == {"values that are NaN or infinite": 1}


def test_the_shape_is_where_points_are_and_not_what_they_say() -> None:
    one = made(series("a", [0, 1], value=[1, 2]))
    assert made(series("a", [0, 1], value=[3, 4])).shape == one.shape
    for other in (
        series("a", [0, 2], value=[1, 2]),
        series("a", [0], value=[1]),
        series("a", [0, 1], value=[1, nan]),
        series("b", [0, 1], value=[1, 2]),
        series("a", [0, 1], other=[1, 2]),
    ):
        assert made(other).shape != one.shape


def test_bodies_hold_every_line_once_and_no_more_than_is_enough() -> None:
    blocks = [[f"line {n}" for n in range(start, start + 10)] for start in range(0, 100, 10)]
    found = list(bodies(blocks, 25, 10**6))
    assert [body.count(b"\n") + 1 for body in found] == [30, 30, 30, 10]
    assert b"\n".join(found).decode().splitlines() == [line for block in blocks for line in block]
    assert len(list(bodies(blocks, 10**6, 50))) == 10
