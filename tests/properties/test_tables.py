"""A law of tables: written as CSV, TSV, JSON lines, Parquet or Excel, the same table reads the same."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from spec.test_formats import KINDS, written

from cloudburst.spec.tables import read_table

texts = st.from_regex(r"[A-Za-zäß][A-Za-z0-9äß ,;\"'|-]{0,10}[a-zß]", fullmatch=True).filter(
    lambda word: word.lower() not in ("true", "false")
)
columns_of_one_kind = st.sampled_from(
    [
        texts,
        st.integers(-(2**53), 2**53),
        st.floats(-1e300, 1e300).map(lambda x: float(f"{x:.12g}")),  # a workbook keeps 16 digits
        st.booleans(),
    ]
)


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str], list[dict[str, Any]]]:
    """Columns of one kind each, some cells blank, no record without anything."""
    columns = draw(
        st.lists(st.from_regex(r"[a-z]{1,6}", fullmatch=True), min_size=1, max_size=4, unique=True)
    )
    cells = {name: draw(columns_of_one_kind) for name in columns}
    count = draw(st.integers(1, 6))
    rows = [{name: draw(st.none() | cells[name]) for name in columns} for _ in range(count)]
    for row in rows:
        if all(value is None for value in row.values()):
            row[columns[0]] = draw(cells[columns[0]])
    return columns, rows


@settings(max_examples=25, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(tables())
def test_the_kind_of_file_is_no_part_of_a_table(table: tuple[list[str], list[dict[str, Any]]]) -> None:
    columns, rows = table
    found = []
    with TemporaryDirectory() as directory:
        for kind in KINDS:
            name = f"table{kind}"
            (Path(directory) / name).write_bytes(written(Path(name), columns, rows))
            normal, problems = read_table({"file": name}, Path(directory), ("parameters", "table"))
            assert not problems, (kind, problems)
            found.append(normal)

    wanted = [[row[name] for name in columns] for row in rows]
    for kind, normal in zip(KINDS, found, strict=True):
        assert normal["columns"] == columns, kind
        assert normal["rows"] == wanted, kind
        assert [[type(v) is bool for v in row] for row in normal["rows"]] == [
            [type(v) is bool for v in row] for row in wanted
        ], kind
