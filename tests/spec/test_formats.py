"""`table`: the same rows from every kind of file, and what each kind can have wrong, with its place."""

from __future__ import annotations

import datetime
import io
import json
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow
import pyarrow.parquet
import pytest

from cloudburst.spec import load, tables
from cloudburst.spec.ensemble import Table

HEAD = "cloudburst: 1\nname: study\nworker: {directory: code, entrypoint: model:run}\n"
Rows = list[dict[str, Any]]


def written(path: Path, columns: list[str], rows: Rows) -> bytes:
    """The table as the kind of file its name says."""
    return WRITERS[path.suffix](columns, rows)


def _separated(mark: str) -> Any:
    def write(columns: list[str], rows: Rows) -> bytes:
        def cell(value: Any) -> str:
            word = (
                {None: "", True: "true", False: "false"}.get(value, str(value))
                if value != 1 and value != 0
                else str(value).lower()
            )
            return '"' + word.replace('"', '""') + '"'

        lines = [columns, *([row.get(name) for name in columns] for row in rows)]
        return "".join(mark.join(map(cell, line)) + "\n" for line in lines).encode()

    return write


def _json_lines(columns: list[str], rows: Rows) -> bytes:
    return "".join(json.dumps({name: row.get(name) for name in columns}) + "\n" for row in rows).encode()


def _parquet(columns: list[str], rows: Rows) -> bytes:
    out = io.BytesIO()
    table = pyarrow.table({name: [row.get(name) for row in rows] for name in columns})
    pyarrow.parquet.write_table(table, out)
    return out.getvalue()


def _excel(columns: list[str], rows: Rows) -> bytes:
    book = openpyxl.Workbook()
    book.active.append(columns)
    for row in rows:
        book.active.append([row.get(name) for name in columns])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


WRITERS = {
    ".csv": _separated(","),
    ".tsv": _separated("\t"),
    ".jsonl": _json_lines,
    ".parquet": _parquet,
    ".xlsx": _excel,
}
KINDS = list(WRITERS)


@pytest.fixture
def study(tmp_path: Path) -> Any:
    """Loads a study with one table; its file from bytes."""

    def loaded(name: str, data: bytes | str | None, more: str = "") -> Any:
        if data is not None:
            (tmp_path / name).write_bytes(data.encode() if isinstance(data, str) else data)
        (tmp_path / "ensemble.yaml").write_text(f"{HEAD}parameters: {{table: {{file: {name}{more}}}}}\n")
        return load(tmp_path / "ensemble.yaml")

    return loaded


def read(study: Any, name: str, data: bytes | str, more: str = "") -> Table:
    loaded = study(name, data, more)
    assert loaded.ensemble is not None, loaded.diagnostics
    (source,) = loaded.ensemble.blocks[0].sources
    return source


def fault(study: Any, name: str, data: bytes | str | None, more: str = "") -> tuple[str, str, str]:
    (found,) = study(name, data, more).diagnostics
    assert found.span.line == 4
    return found.code, found.message, found.hint


ROWS: Rows = [
    {"pipe": "P1", "x": 1, "d": 0.5, "on": True},
    {"pipe": "P2", "x": None, "d": 1e-9, "on": False},
    {"pipe": None, "x": -3, "d": 2.5, "on": None},
]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_file_gives_the_same_rows(study: Any, kind: str) -> None:
    name = f"cases{kind}"
    table = read(study, name, written(Path(name), list(ROWS[0]), ROWS))

    assert table.columns == ("pipe", "x", "d", "on")
    assert list(table.rows) == [{k: v for k, v in row.items() if v is not None} for row in ROWS]
    assert [type(value) for value in table.rows[0].values()] == [str, int, float, bool]
    assert table.lines == ((1, 2, 3) if kind in (".jsonl", ".parquet") else (2, 3, 4))


@pytest.mark.parametrize("kind", KINDS)
def test_types_and_columns_mean_the_same_everywhere(study: Any, kind: str) -> None:
    data = written(Path(f"a{kind}"), ["id", "x"], [{"id": 7, "x": 2.0}, {"id": 10, "x": 3.0}])
    table = read(study, f"a{kind}", data, ", columns: [x, id], types: {id: text, x: integer}")

    assert table.rows == ({"x": 2, "id": "7"}, {"x": 3, "id": "10"})
    assert isinstance(table.rows[0]["x"], int)


@pytest.mark.parametrize("kind", KINDS)
def test_a_wrong_cell_is_told_with_its_row_of_the_file(study: Any, kind: str) -> None:
    data = written(
        Path(f"a{kind}"), ["x", "y"], [{"x": "1", "y": "a"}, {"x": None, "y": "b"}, {"x": "q", "y": "c"}]
    )
    code, message, _ = fault(study, f"a{kind}", data, ", types: {x: number}")

    unit, number = {".jsonl": ("line", 3), ".parquet": ("row", 3), ".xlsx": ("row", 4)}.get(kind, ("line", 4))
    assert code == "wrong-cell"
    assert message == f'a{kind}, {unit} {number}, column "x": "q" is no number'


@pytest.mark.parametrize("kind", [".csv", ".tsv", ".jsonl"])
def test_a_byte_order_mark_is_no_part_of_the_first_name(study: Any, kind: str) -> None:
    table = read(study, f"a{kind}", b"\xef\xbb\xbf" + written(Path(f"a{kind}"), ["x"], [{"x": 1}]))

    assert table.rows == ({"x": 1},)


# ── separator and decimal ────────────────────────────────────────────────────────────────────
def test_a_table_of_a_program_that_writes_decimal_commas(study: Any) -> None:
    table = read(study, "a.csv", "x;y;z\n1,5;-2e-3;a,b\n,5;7;28.05.2018\n", ', separator: ";", decimal: ","')

    assert table.rows == ({"x": 1.5, "y": -0.002, "z": "a,b"}, {"x": 0.5, "y": 7, "z": "28.05.2018"})


def test_a_number_with_a_point_among_decimal_commas_is_refused_not_guessed(study: Any) -> None:
    code, message, _ = fault(study, "a.csv", "x;y\n1.234;1\n", ', separator: ";", decimal: ","')

    assert code == "wrong-cell"
    assert "has a point where decimals have a comma" in message


def test_the_way_out_for_another_separator_is_what_to_write(study: Any) -> None:
    code, _, hint = fault(study, "a.csv", "x;y\n1;2\n")
    assert (code, hint) == ("table-separator", 'say what parts the columns: separator: ";"')

    assert read(study, "a.csv", "x;y\n1;2\n", ', separator: ";"').rows == ({"x": 1, "y": 2},)
    assert read(study, "a.csv", "x\ty\n1\t2\n", ', separator: "\\t"').rows == ({"x": 1, "y": 2},)


def test_a_mark_for_two_things(study: Any) -> None:
    assert fault(study, "a.csv", "x\n1\n", ', decimal: ","')[0] == "same-mark"
    assert read(study, "a.tsv", "x\ty\n1,5\t2\n", ', decimal: ","').rows == ({"x": 1.5, "y": 2},)


@pytest.mark.parametrize(
    ("name", "more"), [("a.jsonl", "separator: ;"), ("a.csv", "sheet: S"), ("a.xlsx", 'decimal: ","')]
)
def test_a_key_that_says_nothing_of_this_kind_of_file(study: Any, name: str, more: str) -> None:
    code, message, hint = fault(study, name, None, f", {more}")

    assert code == "no-such-option"
    assert message == f'"{more.partition(":")[0]}" says nothing of a {Path(name).suffix} file'
    assert "it is for" in hint


# ── JSON lines ───────────────────────────────────────────────────────────────────────────────
def test_json_lines_keep_what_is_text_and_what_is_a_list(study: Any) -> None:
    table = read(study, "a.jsonl", '{"pipe": "010", "at": [1, 2]}\n\n{"n": {"a": true}, "pipe": " "}\n{}\n')

    assert table.columns == ("pipe", "at", "n")
    assert table.rows == ({"pipe": "010", "at": [1, 2]}, {"n": {"a": True}})
    assert table.lines == (1, 3)


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ('{"a": 1}\n{"a": }\n', "table-syntax", "line 2"),
        ("[1]\n", "table-syntax", "no map in line 1"),
        ('{"a": 1, "a": 2}\n', "table-syntax", '"a" stands twice'),
        ("[" * 100_000, "table-syntax", "line 1"),
        ('{"a": 1e999}\n', "wrong-cell", "not a finite number"),
        ('{"a": "\\ud800"}\n', "wrong-cell", "half a character"),
        ('{"a": [null, Infinity]}\n', "wrong-cell", "not a finite number"),
        ("\n\n", "empty", "is empty"),
        ('{"a": "ä"}\n'.encode("latin-1"), "not-utf-8", "line 1"),
    ],
)
def test_faults_of_json_lines(study: Any, text: Any, code: str, words: str) -> None:
    found, message, _ = fault(study, "a.jsonl", text)

    assert found == code
    assert words in message


# ── Parquet ──────────────────────────────────────────────────────────────────────────────────
def test_moments_decimals_and_categories_of_parquet(study: Any) -> None:
    out = io.BytesIO()
    columns = {
        "day": pyarrow.array([datetime.date(2018, 5, 28)]),
        "moment": pyarrow.array([1527465600_000_000_001], pyarrow.timestamp("ns")),
        "amount": pyarrow.array([Decimal("2.50")]),
        "kind": pyarrow.array(["a"]).dictionary_encode(),
        "nothing": pyarrow.array([float("nan")]),
    }
    pyarrow.parquet.write_table(pyarrow.table(columns), out)

    (row,) = read(study, "a.parquet", out.getvalue()).rows
    assert row == {"day": "2018-05-28", "moment": "2018-05-28T00:00:00", "amount": 2.5, "kind": "a"}


def test_what_is_no_parquet_file(study: Any) -> None:
    code, message, _ = fault(study, "a.parquet", "no parquet")
    assert (code, message[:38]) == ("table-syntax", "a.parquet cannot be read as Parquet: P")


def test_bytes_are_no_value(study: Any) -> None:
    out = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table({"x": [b"1"]}), out)
    code, message, _ = fault(study, "a.parquet", out.getvalue())
    assert code == "wrong-cell"
    assert 'row 1, column "x": a value of the kind bytes' in message


# ── Excel ────────────────────────────────────────────────────────────────────────────────────
def book(**sheets: list[list[Any]]) -> bytes:
    made, out = openpyxl.Workbook(), io.BytesIO()
    made.remove(made.active)
    for name, rows in sheets.items():
        sheet = made.create_sheet(name)
        for row in rows:
            sheet.append(row)
    made.save(out)
    return out.getvalue()


def test_a_sheet_by_its_name_and_the_first_one_without(study: Any) -> None:
    data = book(
        First=[["x"], [1]],
        Second=[[], ["x", "y"], [], [2, datetime.datetime.fromisoformat("2018-05-28T10:30")]],
    )

    assert read(study, "a.xlsx", data).rows == ({"x": 1},)
    second = read(study, "a.xlsx", data, ", sheet: Second")
    assert second.rows == ({"x": 2, "y": "2018-05-28T10:30:00"},)
    assert second.lines == (4,)
    assert fault(study, "a.xlsx", data, ", sheet: Secnod")[0::2] == (
        "unknown-sheet",
        'did you mean "Second"?',
    )


def test_a_day_stays_a_day(study: Any) -> None:
    assert read(study, "a.xlsx", book(S=[["d"], [datetime.date(2018, 5, 28)]])).rows == ({"d": "2018-05-28"},)


@pytest.mark.parametrize(
    ("rows", "code", "words"),
    [
        ([["x"], ["=1+1"]], "wrong-cell", 'row 2, column "x": a formula here was never computed'),
        ([["x"], ["#DIV/0!"]], "wrong-cell", "the error of a formula"),
        ([["x"], [1, 2]], "ragged-row", "row 2: 2 cells under 1 columns"),
        ([["x", None, "y"], [1, 2, 3]], "unnamed-column", "column 2"),
        ([["x"]], "empty", "no row below its header"),
        ([], "empty", "is empty"),
    ],
)
def test_faults_of_a_workbook(study: Any, rows: list[list[Any]], code: str, words: str) -> None:
    found, message, _ = fault(study, "a.xlsx", book(S=rows))

    assert found == code
    assert words in message


def test_what_is_no_workbook(study: Any) -> None:
    assert fault(study, "a.xlsx", "no zip")[0] == "table-syntax"


# ── what is not there ────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(("name", "package"), [("a.parquet", "pyarrow"), ("a.xlsx", "openpyxl")])
def test_a_package_that_is_missing_is_one_sentence_with_the_way_out(
    study: Any, monkeypatch: pytest.MonkeyPatch, name: str, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    code, message, hint = fault(study, name, "anything")

    assert code == "missing-extra"
    assert f"{package} reads, and that is not installed" in message
    assert hint == "pip install 'cloudburst[tables]', or save the table as CSV"


def test_a_study_without_such_tables_loads_neither_package(
    study: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "openpyxl", None)

    assert study("a.csv", "x\n1\n").ensemble is not None


def test_a_table_beyond_all_limits(study: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "MAX_CELLS", 5)

    assert fault(study, "a.jsonl", '{"a": 1, "b": 2}\n' * 3)[0] == "too-many-values"
    assert study("a.jsonl", '{"a": 1, "b": 2}\n' * 3, ", columns: [a]").ensemble is not None
