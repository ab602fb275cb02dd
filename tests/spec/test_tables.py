"""`table`: cells as values, and every fault of a CSV file with its line."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from cloudburst.spec.ensemble import Table

TABLE = "parameters:\n  table: {file: cases.csv%s}\n"


def table(block: Any, cases: str, more: str = "") -> Table:
    (source,) = block(TABLE % more, cases=cases).sources
    assert isinstance(source, Table)
    return source


def found(read: Any, cases: str, more: str = "") -> list[tuple[int, int, str, str]]:
    diagnostics = read(TABLE % more, cases=cases).diagnostics
    return [(d.span.line, d.span.column, d.code, d.message) for d in diagnostics]


def test_cells_read_as_yaml_reads_words(block: Any) -> None:
    read = table(block, "a,b,c,d,e\n1,1e-3,net3.inp,true,010\n")

    assert read.rows == ({"a": 1, "b": 0.001, "c": "net3.inp", "d": True, "e": "010"},)
    assert [type(value) for value in read.rows[0].values()] == [int, float, str, bool, str]


def test_a_blank_cell_is_absent_and_a_blank_line_is_no_row(block: Any) -> None:
    read = table(block, "a,b\n1,\n\n , \n,\n,2\n")

    assert read.rows == ({"a": 1}, {"b": 2})
    assert read.lines == (2, 6)


def test_lines_are_those_of_the_file_also_after_a_cell_of_two_lines(block: Any) -> None:
    read = table(block, 'a,b\r\n"x\r\ny",1\r\nz,2\r\n')

    assert read.rows == ({"a": "x\r\ny", "b": 1}, {"a": "z", "b": 2})
    assert read.lines == (2, 4)


def test_columns_are_taken_in_the_order_asked_for(block: Any) -> None:
    read = table(block, "a,b,c\n1,2,3\n", ", columns: [c, a]")

    assert read.columns == ("c", "a")
    assert read.rows == ({"c": 3, "a": 1},)


def test_types(block: Any) -> None:
    read = table(block, "a,b,c,d\n10,1,2.0,FALSE\n", ", types: {a: text, b: number, c: integer, d: boolean}")

    assert read.rows == ({"a": "10", "b": 1, "c": 2, "d": False},)
    assert isinstance(read.rows[0]["c"], int)


def test_what_is_kept_of_the_file(block: Any) -> None:
    text = "\ufeff a , b \n 1 , x\n"

    read = table(block, text, ", where: a > 0")

    assert read.columns == ("a", "b")
    assert read.rows == ({"a": 1, "b": "x"},)
    assert read.sha256 == hashlib.sha256(text.encode()).hexdigest()
    assert (read.file, read.where) == ("cases.csv", "a > 0")


@pytest.mark.parametrize(
    ("cases", "more", "code", "column", "words"),
    [
        ("", "", "empty", 17, "is empty"),
        ("a,b\n", "", "empty", 17, "no row below its header"),
        ("a,b\n1\n", "", "ragged-row", 17, "line 2: 1 cells under 2 columns"),
        ("a,b\n1,2\n1,2,3\n", "", "ragged-row", 17, "line 3: 3 cells under 2 columns"),
        ("a,a\n1,2\n", "", "duplicate-column", 17, '2 columns "a"'),
        ("a,\n1,2\n", "", "unnamed-column", 17, "column 2"),
        ("a;b\n1;2\n", "", "table-separator", 17, "one column"),
        ("a\tb\n1\t2\n", "", "table-separator", 17, "one column"),
        ('a,b\n"1,2\n', "", "table-syntax", 17, "as CSV"),
        ("a,b\n1,2\n", ", columns: [a, c]", "unknown-column", 41, '"c"'),
        ("a,b\n1,2\n", ", types: {c: text}", "unknown-column", 39, '"c"'),
        ("a\nx\n", ", types: {a: number}", "wrong-cell", 17, 'line 2, column "a": "x" is no number'),
        ("a\n1.5\n", ", types: {a: integer}", "wrong-cell", 17, "no whole number"),
        ("a\nyes\n", ", types: {a: boolean}", "wrong-cell", 17, "no true or false"),
        ("a\n1\n.nan\n", "", "wrong-cell", 17, "line 3"),
        ("a\n1e999\n", "", "wrong-cell", 17, "largest float"),
    ],
)
def test_faults(read: Any, cases: str, more: str, code: str, column: int, words: str) -> None:
    ((line, place, slug, message),) = found(read, cases, more)

    assert (line, place, slug) == (5, column, code)
    assert words in message


def test_a_missing_file_is_looked_for_among_its_neighbours(read: Any) -> None:
    (diagnostic,) = read("parameters: {table: {file: scnarios.csv}}", scenarios="a\n1\n").diagnostics

    assert diagnostic.code == "no-such-file"
    assert diagnostic.hint == 'did you mean "scenarios.csv"?'


def test_a_missing_directory(read: Any) -> None:
    (diagnostic,) = read("parameters: {table: {file: nowhere/a.csv}}").diagnostics

    assert diagnostic.code == "no-such-file"
    assert "nowhere" in diagnostic.hint


def test_a_column_of_numbers_and_text_is_a_warning_with_both_lines(read: Any) -> None:
    loaded = read(TABLE % "", cases="pipe,x\n10,1\n010,2\n")

    (diagnostic,) = loaded.diagnostics
    assert (diagnostic.code, diagnostic.severity) == ("mixed-column", "warning")
    assert "line 3" in diagnostic.message
    assert diagnostic.hint == "say what it is: `types: {pipe: text}`"
    assert loaded.ensemble is not None


def test_a_thousand_bad_cells_are_counted_not_listed(read: Any) -> None:
    cases = "a\n" + "x\n" * 1000

    diagnostics = read(TABLE % ", types: {a: number}", cases=cases).diagnostics

    assert len(diagnostics) == 21
    assert any("980 more" in d.message for d in diagnostics)


def test_a_table_that_is_not_utf_8(read: Any, tmp_path: Any) -> None:
    (tmp_path / "cases.csv").write_bytes("a\n1\nä\n".encode("latin-1"))

    (diagnostic,) = read(TABLE % "").diagnostics

    assert diagnostic.code == "not-utf-8"
    assert "line 3" in diagnostic.message
