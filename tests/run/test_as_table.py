from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudburst.compile.space import Row
from cloudburst.errors import UsageError
from cloudburst.run.sinks.as_table import Written, write_as_table
from cloudburst.spec.tables import read_table


def rows(*values: dict[str, Any]) -> list[Row]:
    return [Row(index, "main", each, None) for index, each in enumerate(values)]


def read_back(file: Path, written: Written) -> list[dict[str, Any]]:
    table, problems = read_table({"file": file.name, "types": dict(written.types)}, file.parent, ())
    assert not [problem for problem in problems if problem.severity == "error"]
    assert all(problem.code == "mixed-column" for problem in problems)
    return [
        {name: value for name, value in zip(table["columns"], row, strict=True) if value is not None}
        for row in table["rows"]
    ]


TEXTS = st.text(max_size=6) | st.sampled_from(
    ["007", "1e3", "true", "0x10", " x", ".inf", "1,5", '"', "null", "a\r\nb"]
)
SCALARS = st.one_of(
    st.booleans(), st.integers(-(10**30), 10**30), st.floats(allow_nan=False, allow_infinity=False), TEXTS
)
VALUES = SCALARS | st.lists(SCALARS, max_size=3) | st.none()


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
@given(st.lists(st.dictionaries(st.sampled_from("abc"), VALUES, min_size=1), min_size=1, max_size=4))
def test_what_is_written_is_read_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, values: list[dict[str, Any]]
) -> None:
    """Or it is refused."""
    file = tmp_path_factory.mktemp("t") / f"failed{suffix}"
    try:
        written = write_as_table(rows(*values), file)
    except UsageError:
        assert not file.exists()
        return
    assert json.dumps([dict(sorted(row.items())) for row in read_back(file, written)]) == json.dumps(
        [dict(sorted(row.items())) for row in values]
    )


@pytest.mark.parametrize(
    "value", [1, 0.1, 1e-300, 1e22, -0.0, True, "x", "007", "true", "1e3", "a,b", 'say "a"']
)
@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_a_column_of_one_kind_is_never_refused(tmp_path: Path, suffix: str, value: Any) -> None:
    file = tmp_path / f"failed{suffix}"
    written = write_as_table(rows({"x": value}, {"x": value, "y": 2}), file)
    assert json.dumps(read_back(file, written)) == json.dumps([{"x": value}, {"x": value, "y": 2}])
    looks_otherwise = suffix == ".csv" and value in ("true", "1e3")  # 007 is a text anyway
    assert dict(written.types) == ({"x": "text"} if looks_otherwise else {})


@pytest.mark.parametrize(
    ("name", "values", "message", "hint"),
    [
        ("f.csv", ({"x": 1}, {"x": "2"}), "cannot hold the values of `x`", "f.jsonl"),
        ("f.csv", ({"x": [1]},), r"row 0: \[1\]", "f.jsonl"),
        ("f.jsonl", ({"x": None, "y": 1},), "row 0: null", "absent parameter"),
        ("f.jsonl", ({"x": " ", "y": 1},), "row 0", "absent parameter"),
        ("f.jsonl", ({},), "row 0 has no parameters", "without any"),
        ("f.xlsx", ({"x": 1},), "reads back exactly", ".csv or .jsonl"),
    ],
)
def test_what_a_table_cannot_hold_is_refused(
    tmp_path: Path, name: str, values: Any, message: str, hint: str
) -> None:
    with pytest.raises(UsageError, match=message) as refused:
        write_as_table(rows(*values), tmp_path / name)
    assert hint in (refused.value.hint or "")
    assert not (tmp_path / name).exists()
