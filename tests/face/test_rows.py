"""What people have in their hands becomes the values of parameters, and tables keep their types."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy
import pandas
import pytest

from cloudburst.errors import UsageError
from cloudburst.face.rows import Rows, plain, points, table
from cloudburst.run.sinks.formats import ABSENT, Column, Sheet

SHEET = (
    Column("row", "integer"),
    Column("replicate", "integer"),
    Column("x", "number"),
    Column("on", "boolean"),
    Column("name", "text"),
    Column("levels", "json"),
    Column("any", "mixed"),
    Column("nothing", "text"),
    Column("started", "text"),
)


def sheet() -> Sheet:
    rows: list[list[Any]] = [
        [0, ABSENT, 0.5, True, "a", [1, 2], 1, ABSENT, "2018-05-28T00:00:00.250Z"],
        [1, 3, ABSENT, None, ABSENT, ABSENT, "b", ABSENT, ABSENT],
    ]
    return Sheet(SHEET, iter(rows), {"study": "tanks"})


def test_a_frame_has_the_types_of_its_columns() -> None:
    made = table(sheet())
    assert isinstance(made, pandas.DataFrame)
    kinds = {name: str(kind) for name, kind in made.dtypes.items()}
    assert kinds | {"name": "", "started": ""} == {
        "row": "int64",
        "replicate": "Int64",
        "x": "float64",
        "on": "boolean",
        "name": "",
        "levels": "object",
        "any": "object",
        "nothing": "object",
        "started": "",
    }
    assert made["started"].iloc[0] == pandas.Timestamp("2018-05-28T00:00:00.250Z")
    assert list(made["name"].isna()) == [False, True]
    assert made["levels"].iloc[0] == [1, 2]
    assert made.attrs == {"study": "tanks"}


@pytest.mark.usefixtures("without_pandas")
def test_rows_have_every_column_and_none_where_a_cell_is_missing() -> None:
    made = table(sheet())
    assert isinstance(made, Rows)
    assert made[0]["started"] == datetime(2018, 5, 28, 0, 0, 0, 250000, UTC)
    assert made[1] == dict.fromkeys(made.columns) | {"row": 1, "replicate": 3, "any": "b"}


def test_an_empty_table_keeps_its_columns() -> None:
    made = table(Sheet(SHEET, iter([]), {}))
    assert list(made.columns) == [column.name for column in SHEET]
    assert len(made) == 0


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        (numpy.float64(0.5), 0.5),
        (numpy.int64(3), 3),
        (numpy.bool_(True), True),
        (numpy.str_("a"), "a"),
        (numpy.array([1.5, 2.5]), [1.5, 2.5]),
        ((1, numpy.int32(2)), [1, 2]),
        ({"J1": numpy.float32(0.5)}, {"J1": 0.5}),
        (None, None),
        ("text", "text"),
    ],
)
def test_what_numpy_holds_is_what_python_holds(value: Any, meant: Any) -> None:
    found = plain(value)
    assert found == meant
    assert type(found) is type(meant)


def test_an_empty_cell_of_a_frame_is_not_given() -> None:
    given = pandas.DataFrame({"x": [1, 2], "y": [0.5, None], "z": [None, "a"], "v": [[1, 2], None]})
    assert points(given) == [{"x": 1, "y": 0.5, "v": [1, 2]}, {"x": 2, "z": "a"}]


def test_a_null_in_a_dict_is_a_value() -> None:
    assert points([{"x": None}]) == [{"x": None}]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"x": 1}, "this is a dict"),
        ("x", "this is a str"),
        (3, "this is a int"),
        ([[1, 2]], "row 0 is a list"),
        ([{1: 2}], "row 0 has the name 1"),
        (pandas.DataFrame([[1, 2]], columns=["x", "x"]), "two columns are called 'x'"),
    ],
)
def test_what_is_no_table_is_a_sentence(given: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        points(given)
