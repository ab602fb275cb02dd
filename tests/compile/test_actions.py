"""What happens to results and to the worker's code, beside the rows."""

from __future__ import annotations

from typing import Any

import pytest

from cloudburst.compile.actions import uploading, writing
from cloudburst.spec.ensemble import FilesSink, InfluxSink, Sink, TableSink


def table(file: str, place: int = 0) -> TableSink:
    return TableSink(file, ("results", place))


def influx(place: int = 0, **settings: Any) -> InfluxSink:
    return InfluxSink("tanks", ("results", place), **settings)


FILES = FilesSink("out", ("results", 1))


def line_of(path: Any) -> int:
    return 10 + path[1] if len(path) > 1 and isinstance(path[1], int) else 9


def told(
    sinks: list[Sink], before: list[Sink] | None, moved: str | None = None, *, anew: bool = False
) -> list[tuple[str, str, str, int | None]]:
    found = writing(sinks, before, moved, anew=anew, line_of=line_of)
    return [(one.mark, one.verb, one.address, one.line) for one in found]


def test_where_nothing_is_another_nothing_is_written() -> None:
    assert told([table("a.csv"), FILES], [table("a.csv"), FILES]) == []
    assert told([table("a.csv", 1)], [table("a.csv", 0)]) == [], (
        "another place in the file is none of results"
    )
    assert told([table("a.csv")], None) == [], "what was applied last is not known"


def test_with_other_results_all_are_written() -> None:
    assert told([table("a.csv"), FILES, influx()], None, anew=True) == [
        ("~", "write", "a.csv", None),
        ("~", "write", "out", None),
        ("~", "feed", "influxdb tanks", None),
    ]


def test_new_ones_others_and_those_that_are_gone() -> None:
    before: list[Sink] = [table("a.csv"), influx(1, url="http://one"), FILES]
    after: list[Sink] = [table("b.csv"), influx(1, url="http://two")]
    assert told(after, before) == [
        ("+", "write", "b.csv", 10),
        ("~", "feed", "influxdb tanks", 11),
        ("-", "leave", "a.csv", 9),
        ("-", "leave", "out", 9),
    ]


def test_another_order_is_written_into_tables_alone() -> None:
    sinks: list[Sink] = [table("a.csv"), FILES, influx(2)]
    assert told(sinks, sinks, "rows stand in another order") == [("~", "write", "a.csv", None)]


@pytest.mark.parametrize(
    ("payload", "sent", "reason"),
    [
        ("ab" * 32, None, "the worker's code, abababababab"),
        ("ab" * 32, "cd" * 32, "the worker's code has changed, abababababab"),
        (None, None, "the worker's code, once it is locked"),
    ],
)
def test_code_is_told_by_its_digest(payload: str | None, sent: str | None, reason: str) -> None:
    action = uploading(payload, sent, lambda _path: 4)
    assert (action.mark, action.reason, action.path, action.line) == ("+", reason, "worker.directory", 4)
