"""What a return value says, and the bytes a series becomes."""

from __future__ import annotations

import json
import struct
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from cloudburst_worker.runner import series, values


class Colour(Enum):
    RED = "red"


class Dtype:
    def __init__(self, kind: str) -> None:
        self.kind = kind


class Array:
    """As much of a numpy array as is looked at."""

    def __init__(self, kind: str, items: list[Any]) -> None:
        self.dtype, self._items, self.ndim = Dtype(kind), items, 1

    def tolist(self) -> list[Any]:
        return self._items


@pytest.mark.parametrize(
    ("value", "result"),
    [
        (None, {"value": None}),
        (3, {"value": 3}),
        ("text", {"value": "text"}),
        ([1, (2, 3)], {"value": [1, [2, 3]]}),
        ({}, {}),
        ({"a": {"b": [True]}}, {"a": {"b": [True]}}),
        ({"time": 1, "value": 2}, {"time": 1, "value": 2}),
        ({"when": datetime(2018, 5, 28), "day": date(2018, 5, 28)}, {"when": "2018-05-28T00:00:00", "day": "2018-05-28"}),  # noqa: DTZ001
        ({"took": timedelta(minutes=1), "cost": Decimal("1.5"), "of": Colour.RED}, {"took": 60.0, "cost": 1.5, "of": "red"}),
        ({"heads": Array("f", [1.0, 2.0])}, {"heads": [1.0, 2.0]}),
    ],
)  # fmt: skip
def test_what_stays_in_the_row(value: Any, result: dict[str, Any]) -> None:
    returned = values.take_apart(value)
    assert returned.result == result
    assert (returned.series, returned.files) == ([], {})


def test_series_and_files_leave_the_row() -> None:
    returned = values.take_apart({"a": {"time": [1], "value": [2]}, "plot": Path("p.png"), "n": 1})
    assert returned.result == {"n": 1}
    assert [one.name for one in returned.series] == ["a"]
    assert returned.files == {"plot": Path("p.png")}


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ({"foo": [1, 2, object()]}, "`result.foo[2]` is an object, which cannot be stored"),
        ({"flows": {1: 2}}, "`result.flows` has the key 1 (int), and keys must be text"),
        ({1: 2}, "`result` has the key 1 (int)"),
        ({"x": {1, 2}}, "return sorted(…)"),
        ({"x": b"raw"}, "write it to a file"),
        ({"x": print}, "returned without being called"),
        ({"x": iter([])}, "return list(…)"),
        ({"x": [Path("p")]}, "not inside lists or inner dicts"),
        ({"x": Array("c", [])}, "real and imaginary part"),
        ({"time": [1, 2], "value": [1]}, "has 2 in `time` and 1 in `value`"),
        ({"s": {"time": [1], "value": 3}}, "`result.s` is a series that has `value` that is no sequence"),
        ({"time": [1, 2], "value": [1, "x"]}, "has int, str in `value`"),
        ({"time": [1], "value": [10**400]}, "too large for 64 bits"),
    ],
)
def test_what_cannot_be_stored_is_named_with_its_place(value: Any, sentence: str) -> None:
    with pytest.raises(values.Unstorable) as caught:
        values.take_apart(value)
    assert sentence in str(caught.value)


def test_something_that_contains_itself_is_refused() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(values.Unstorable, match="contains itself"):
        values.take_apart(endless)


@pytest.mark.parametrize(
    ("column", "kind", "format_", "numbers"),
    [
        ([1, 2, 3], "int64", "<3q", (1, 2, 3)),
        ([1, 2.5, None], "float64", "<3d", (1.0, 2.5, None)),
        ([1, 2, 2**70], "float64", "<3d", (1.0, 2.0, float(2**70))),
        ([True, False, True], "int64", "<3q", (1, 0, 1)),
        ([datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC), None, date(1970, 1, 2)], "datetime64[ns]", "<3q",
         (10**9, -(2**63), 86_400 * 10**9)),
        ([timedelta(seconds=1), timedelta(microseconds=-1), None], "timedelta64[ns]", "<3q", (10**9, -1000, -(2**63))),
    ],
)  # fmt: skip
def test_columns_as_bytes(column: list[Any], kind: str, format_: str, numbers: tuple[Any, ...]) -> None:
    encoded = series.encode([series.from_pair("s", {"time": [0, 1, 2], "value": column})])
    line, _, data = encoded.partition(b"\n")
    (header,) = json.loads(line)["series"]
    assert header["columns"] == [{"name": "value", "kind": kind}]
    assert struct.unpack("<3q", data[:24]) == (0, 1, 2)
    found = struct.unpack(format_, data[24:])
    assert tuple(None if one != one else one for one in found) == numbers


def test_texts_stand_in_the_header() -> None:
    encoded = series.encode([series.from_pair("s", {"time": ["a", "b"], "value": ["x", None]})])
    line, _, data = encoded.partition(b"\n")
    (header,) = json.loads(line)["series"]
    assert header["index"] == {"name": "time", "kind": "text", "values": ["a", "b"]}
    assert header["columns"][0]["values"] == ["x", None]
    assert data == b""
