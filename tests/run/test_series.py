"""Series objects as workers store them, and the one long table a user reads them in."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from cloudburst.compile.jobs import Job
from cloudburst.compile.space import Row
from cloudburst.errors import CloudBurstError, UsageError
from cloudburst.run.results import Result
from cloudburst.run.series import decode, open_long
from cloudburst.run.sinks.formats import ABSENT

VALUE = {"name": "value", "kind": "float64"}
TIME = {"name": "time", "kind": "float64"}


def entry(
    name: str, length: int, index: Mapping[str, Any] = TIME, *columns: Mapping[str, Any]
) -> dict[str, Any]:
    return {"name": name, "length": length, "index": dict(index), "columns": list(columns or (VALUE,))}


def packed(entries: list[dict[str, Any]], form: str = "", *numbers: float, version: int = 1) -> bytes:
    head = json.dumps({"format": version, "series": entries})
    return head.encode() + b"\n" + struct.pack("<" + form, *numbers)


def test_two_series_of_one_job() -> None:
    data = packed([entry("a", 2), entry("b", 1)], "6d", 0, 900, 1.5, -2.5, 0, 7)
    a, b = decode(data)
    assert (a.name, list(a.index), list(a.columns[0])) == ("a", [0.0, 900.0], [1.5, -2.5])
    assert (b.name, list(b.index), list(b.columns[0]), len(b)) == ("b", [0.0], [7.0], 1)


def test_moments_durations_integers_and_texts() -> None:
    columns = (
        {"name": "after", "kind": "timedelta64[ns]"},
        {"name": "n", "kind": "int64"},
        {"name": "t", "kind": "text", "values": ["å", "b"]},
    )
    moments = {"name": None, "kind": "datetime64[ns]"}
    first = 1_527_465_600 * 10**9
    [series] = decode(
        packed(
            [entry("s", 2, moments, *columns)], "6q", first, first + 1, 1_500_000_000, -(2**63), 2**62 + 1, -1
        )
    )
    assert list(series.index) == ["2018-05-28T00:00:00", "2018-05-28T00:00:00.000000001"]
    assert [list(c) for c in series.columns] == [[1.5, ABSENT], [2**62 + 1, -1], ["å", "b"]]


def test_a_moment_before_1970_and_an_empty_series() -> None:
    moments = {"name": "t", "kind": "datetime64[ns]"}
    [series] = decode(packed([entry("s", 1, moments)], "qd", -500_000_000, 1.0))
    assert list(series.index) == ["1969-12-31T23:59:59.5"]
    assert len(decode(packed([entry("s", 0)]))[0]) == 0


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "header"),
        (b"not json\n", "header"),
        (packed([], version=2), "its format is 2, this version reads 1"),
        (packed([entry("a", 2)], "3d", 1, 2, 3), "ends inside value"),
        (packed([entry("a", 1)], "3d", 1, 2, 3), "more in it"),
        (packed([entry("a", 1, {"name": "t", "kind": "complex64"})], "2d", 1, 2), "header"),
        (
            packed([entry("a", 2, {"name": "t", "kind": "text", "values": ["x"]})], "2d", 1, 2),
            "1 texts, not 2",
        ),
    ],
)
def test_bytes_that_are_no_series_are_a_sentence(data: bytes, why: str) -> None:
    with pytest.raises(CloudBurstError, match=f"cannot be read: .*{why}"):
        decode(data)


# ── the long table ───────────────────────────────────────────────────────────────────────────
def result(
    index: int, values: Mapping[str, Any], sha: str | None, *names: str, status: Any = "done"
) -> Result:
    job = Job(Row(index, "main", values, None), f"{index:020x}", dict(values), None)
    series = {"object": sha, "names": list(names)} if sha else None
    return Result(job, {"series": series, "status": "done"}, status)


def test_one_line_a_point_with_the_parameters_of_its_row(tmp_path: Path) -> None:
    (tmp_path / "aa").write_bytes(packed([entry("head", 2), entry("flow", 1)], "6d", 0, 900, 1.5, 2.5, 0, 9))
    (tmp_path / "bb").write_bytes(packed([entry("head", 1)], "2d", 0, 3.5))
    rows = [
        result(0, {"demand": 1.1}, "aa", "head", "flow"),
        result(1, {"value": 2}, "bb", "head"),
        result(2, {"demand": 3}, "cc", "head", status="stale"),
        result(3, {}, None),
    ]
    with open_long(rows, "head", lambda sha: tmp_path / sha, {}) as sheet:
        assert sheet.names == ("id", "row", "demand", "value", "index", "out.value")
        assert list(sheet.rows) == [
            ["0" * 20, 0, 1.1, ABSENT, 0.0, 1.5],
            ["0" * 20, 0, 1.1, ABSENT, 900.0, 2.5],
            ["0" * 19 + "1", 1, ABSENT, 2, 0.0, 3.5],
        ]


def test_a_series_of_several_columns_has_one_each(tmp_path: Path) -> None:
    columns = [{"name": "up", "kind": "float64"}, {"name": "down", "kind": "int64"}]
    (tmp_path / "aa").write_bytes(packed([entry("both", 1, TIME, *columns)], "ddq", 0, 1.5, 2))
    with open_long([result(0, {}, "aa", "both")], "both", lambda sha: tmp_path / sha, {}) as sheet:
        assert sheet.names == ("id", "row", "index", "up", "down")
        assert list(sheet.rows) == [["0" * 20, 0, 0.0, 1.5, 2]]


@pytest.mark.parametrize(
    ("name", "hint"), [("haed", "did you mean head?"), ("pressure", "there are head, flow")]
)
def test_a_name_no_job_returned(tmp_path: Path, name: str, hint: str) -> None:
    with (
        pytest.raises(UsageError, match=f"returned a series {name}") as caught,
        open_long([result(0, {}, "aa", "head", "flow")], name, lambda sha: tmp_path / sha, {}),
    ):
        pass
    assert caught.value.hint == hint


def test_a_study_without_series_says_so(tmp_path: Path) -> None:
    with (
        pytest.raises(UsageError) as caught,
        open_long([result(0, {}, None)], "head", lambda sha: tmp_path / sha, {}),
    ):
        pass
    assert caught.value.hint == "no job that is done returned any series"


def test_a_stored_series_that_is_gone_is_a_sentence(tmp_path: Path) -> None:
    with (
        pytest.raises(CloudBurstError, match="the stored series aa is missing"),
        open_long([result(0, {}, "aa", "head")], "head", lambda sha: tmp_path / sha, {}),
    ):
        pass
