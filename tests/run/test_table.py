"""The table as a user opens it: columns, values, formats, and what becomes of odd names and values."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import sqlite3
import tracemalloc
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudburst.compile.jobs import Job
from cloudburst.compile.space import Row
from cloudburst.errors import CloudBurstError, UsageError
from cloudburst.run.results import Result, join
from cloudburst.run.sinks.files import write_files
from cloudburst.run.sinks.formats import csv_cell, format_of, json_text, only
from cloudburst.run.sinks.table import open_sheet, write_table

PAYLOAD = "ab" * 32
FIXED_FIRST = ["row", "id", "block", "replicate"]
FIXED_LAST = ["status", "attempts", "started", "seconds", "worker", "payload", "error"]


def job(index: int, values: Mapping[str, Any], *, replicate: int | None = None, id: str | None = None) -> Job:
    return Job(Row(index, "main", values, replicate), id or f"{index:020x}", dict(values), None)


def outcome(job: Job, result: Any = None, **more: Any) -> dict[str, Any]:
    return {
        "format": 1,
        "id": job.id,
        "row": job.row.index,
        "attempt": 1,
        "payload": PAYLOAD,
        "status": "done",
        "kind": None,
        "error": None,
        "output": "",
        "result": result,
        "series": None,
        "files": {},
        "started": 1527465600.25,
        "seconds": 0.5,
        "worker": "node-1/0",
    } | more


def joined(
    jobs: Iterable[Job], *outcomes: Mapping[str, Any], payload: str | None = PAYLOAD
) -> Iterator[Result]:
    known = {o["id"]: o for o in outcomes}
    return join(jobs, lambda ids: {i: known[i] for i in ids if i in known}, payload)


def written(path: Path, results: Iterable[Result]) -> str:
    write_table(path, results, about={"study": "net3"})
    return path.read_text("utf-8")


def records(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text.splitlines(keepends=True)))


# ── columns ──────────────────────────────────────────────────────────────────────────────────
def test_a_line_a_row_with_its_parameters_what_came_out_and_how_it_went(tmp_path: Path) -> None:
    first, second = (
        job(0, {"demand": 0.8, "seed": 7}, replicate=0),
        job(1, {"demand": 1, "seed": 8}, replicate=1),
    )
    text = written(
        tmp_path / "t.csv",
        joined([first, second], outcome(first, {"low": 11.25, "tank": {"a": 3, "b": "x,y"}})),
    )
    assert text == (
        "row,id,block,replicate,demand,seed,low,tank.a,tank.b,status,attempts,started,seconds,worker,payload,error\n"
        '0,00000000000000000000,main,0,0.8,7,11.25,3,"x,y",done,1,2018-05-28T00:00:00.250Z,0.5,node-1/0,abababababab,\n'
        "1,00000000000000000001,main,1,1,8,,,,to do,,,,,,\n"
    )


def test_columns_are_the_union_over_rows_in_first_seen_order(tmp_path: Path) -> None:
    jobs = [job(0, {"b": 1}), job(1, {"a": 2}), job(2, {"b": 3, "a": 4})]
    text = written(
        tmp_path / "t.csv", joined(jobs, outcome(jobs[2], {"z": 1}), outcome(jobs[1], {"y": 2, "z": 3}))
    )
    assert text.splitlines()[0].split(",") == [*FIXED_FIRST, "b", "a", "y", "z", *FIXED_LAST]
    assert [(r["b"], r["a"], r["z"]) for r in records(text)] == [
        ("1", "", ""),
        ("", "2", "3"),
        ("3", "4", "1"),
    ]


def test_an_output_named_like_a_parameter_or_a_fixed_column_says_it_is_an_output(tmp_path: Path) -> None:
    one = job(0, {"demand": 1, "seconds": 30})
    [record] = records(
        written(
            tmp_path / "t.csv", joined([one], outcome(one, {"demand": 2, "error": 0.1, "out": {"demand": 3}}))
        )
    )
    assert record["demand"] == "1"
    assert record["in.seconds"] == "30"
    assert record["seconds"] == "0.5"
    assert record["out.error"] == "0.1"
    assert {record["out.demand"], record["out.out.demand"]} == {"2", "3"}


def test_a_name_written_out_and_one_from_nesting_lose_nothing(tmp_path: Path) -> None:
    one = job(0, {})
    [record] = records(
        written(tmp_path / "t.csv", joined([one], outcome(one, {"a": {"b": 1}, "a.b": 2, "": 3, "none": {}})))
    )
    assert (record["a.b"], record["out.a.b"], record["out."], record["none"]) == ("1", "2", "3", "{}")


def test_a_failure_is_a_line_with_the_first_line_of_its_error(tmp_path: Path) -> None:
    one = job(0, {"x": 1})
    failed = outcome(
        one, None, status="failed", kind="error", attempt=3, error="ValueError: too dry\nTraceback …\n  File"
    )
    [record] = records(written(tmp_path / "t.csv", joined([one], failed)))
    assert (record["status"], record["attempts"], record["error"]) == ("failed", "3", "ValueError: too dry")


def test_what_other_code_computed_is_there_and_called_stale(tmp_path: Path) -> None:
    one = job(0, {"x": 1})
    old = outcome(one, {"y": 2}, payload="cd" * 32)
    [record] = records(written(tmp_path / "t.csv", joined([one], old)))
    assert (record["status"], record["y"], record["payload"]) == ("stale", "2", "cdcdcdcdcdcd")
    [record] = records(written(tmp_path / "t.csv", joined([one], old, payload=None)))
    assert record["status"] == "done"


def test_one_job_of_two_rows_is_reported_for_each(tmp_path: Path) -> None:
    twins = [job(0, {"x": 1, "unused": 1}, id="a" * 20), job(1, {"x": 1, "unused": 2}, id="a" * 20)]
    lines = records(written(tmp_path / "t.csv", joined(twins, outcome(twins[0], {"y": 5}))))
    assert [(r["row"], r["unused"], r["y"], r["status"]) for r in lines] == [
        ("0", "1", "5", "done"),
        ("1", "2", "5", "done"),
    ]


def test_a_study_of_no_rows_is_a_header(tmp_path: Path) -> None:
    assert written(tmp_path / "t.csv", joined([])).split(",")[:4] == FIXED_FIRST


# ── values ───────────────────────────────────────────────────────────────────────────────────
@given(st.floats(allow_nan=False))
def test_a_float_in_csv_reads_back_bit_for_bit(value: float) -> None:
    back = float(csv_cell(value))
    assert back == value
    assert math.copysign(1, back) == math.copysign(1, value)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=2, max_size=5))
def test_any_text_in_csv_reads_back(texts: list[str]) -> None:
    line = ",".join(map(csv_cell, texts)) + "\n"
    assert list(csv.reader(io.StringIO(line, newline=""), strict=True)) == [texts]


ODD = {
    "nan": math.nan,
    "inf": -math.inf,
    "yes": True,
    "none": None,
    "list": [1, 2.5, "a,b", math.nan],
    "big": 2**70,
    "lines": 'two\n"lines"',
    "broken": "\ud800",
}


def test_odd_values_in_csv(tmp_path: Path) -> None:
    one = job(0, {"p": {"k": [1]}, "text": "Åré"})
    [record] = records(written(tmp_path / "t.csv", joined([one], outcome(one, ODD))))
    assert record["p"] == '{"k": [1]}'
    assert record["text"] == "Åré"
    assert (record["nan"], record["inf"], record["yes"], record["none"]) == ("nan", "-inf", "true", "")
    assert record["list"] == '[1, 2.5, "a,b", "NaN"]'
    assert (record["big"], record["lines"], record["broken"]) == (str(2**70), 'two\n"lines"', "\\ud800")


def test_json_lines_are_typed_strict_and_leave_out_what_is_absent(tmp_path: Path) -> None:
    one, two = job(0, {"p": {"k": [1]}}), job(1, {"q": 1})
    lines = written(tmp_path / "t.jsonl", joined([one, two], outcome(one, ODD))).splitlines()

    def refuse(text: str) -> None:
        raise AssertionError(f"{text} is not JSON")

    first, second = (json.loads(line, parse_constant=refuse) for line in lines)
    assert first["p"] == {"k": [1]}
    assert (first["nan"], first["inf"], first["yes"], first["none"]) == ("NaN", "-Infinity", True, None)
    assert first["list"] == [1, 2.5, "a,b", "NaN"]
    assert first["big"] == 2**70
    assert "replicate" not in first
    assert second == {"row": 1, "id": two.id, "block": "main", "q": 1, "status": "to do"}


def test_sqlite_has_typed_columns_and_says_where_the_numbers_are_from(tmp_path: Path) -> None:
    one, two = job(0, {"x": 1, "k": "a"}), job(1, {"x": 2.5, "k": 3})
    write_table(
        tmp_path / "t.sqlite", joined([one, two], outcome(one, {**ODD, "K": 1})), about={"study": "net3"}
    )
    with sqlite3.connect(tmp_path / "t.sqlite") as connection:
        declared = {name: kind for _, name, kind, *_ in connection.execute("PRAGMA table_info(results)")}
        assert (declared["row"], declared["x"], declared["status"], declared["yes"]) == (
            "INTEGER",
            "REAL",
            "TEXT",
            "BOOLEAN",
        )
        assert connection.execute("SELECT x, k, K_2 FROM results").fetchall() == [
            (1.0, "a", 1),
            (2.5, 3, None),
        ]
        values = connection.execute('SELECT nan, inf, yes, big, list, "lines" FROM results').fetchone()
        assert values == (None, -math.inf, 1, str(2**70), '[1, 2.5, "a,b", "NaN"]', 'two\n"lines"')
        assert connection.execute("SELECT * FROM study").fetchall() == [("study", "net3")]
    connection.close()


def test_more_columns_than_sqlite_has_is_a_sentence(tmp_path: Path) -> None:
    one = job(0, {})
    wide = outcome(one, {f"node_{i}": i for i in range(2001)})
    with pytest.raises(CloudBurstError, match="the table has 2012 columns; one of SQLite holds 2000"):
        write_table(tmp_path / "t.sqlite", joined([one], wide), about={})
    assert list(tmp_path.iterdir()) == []
    assert len(written(tmp_path / "t.csv", joined([one], wide)).splitlines()) == 2


def test_json_text_is_unchanged_when_there_is_nothing_to_name() -> None:
    assert json_text({"a": [1.0, "é"]}) == '{"a": [1.0, "é"]}'


# ── the file ─────────────────────────────────────────────────────────────────────────────────
def test_the_old_table_stays_whole_until_the_new_one_is(tmp_path: Path) -> None:
    path = tmp_path / "results" / "deep" / "t.csv"
    before = written(path, joined([job(0, {"x": 1})]))

    def breaks_off() -> Iterator[Result]:
        yield from joined([job(0, {"x": 2})])
        raise RuntimeError("the power is gone")

    with pytest.raises(RuntimeError):
        write_table(path, breaks_off(), about={})
    assert path.read_text() == before
    assert [p.name for p in path.parent.iterdir()] == ["t.csv"]


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "t.csv").symlink_to(tmp_path / "there" / "real.csv")
    written(tmp_path / "t.csv", joined([job(0, {})]))
    assert (tmp_path / "t.csv").is_symlink()
    assert (tmp_path / "there" / "real.csv").read_text().startswith("row,id")


def test_the_table_obeys_the_umask(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        written(tmp_path / "t.csv", joined([]))
        write_table(tmp_path / "t.sqlite", joined([]), about={})
    finally:
        os.umask(old)
    assert {(tmp_path / name).stat().st_mode & 0o777 for name in ("t.csv", "t.sqlite")} == {0o640}


def test_a_path_that_is_a_directory_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "t.csv").mkdir()
    with pytest.raises(CloudBurstError, match="is a directory"):
        write_table(tmp_path / "t.csv", joined([]), about={})


def test_a_place_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("a file where a directory should be")
    with pytest.raises(CloudBurstError, match=r"cannot write .*results/t.csv"):
        write_table(tmp_path / "results" / "t.csv", joined([]), about={})


@pytest.mark.parametrize(
    ("name", "form"), [("a.csv", "csv"), ("a.JSONL", "jsonl"), ("a.sqlite", "sqlite"), ("a.db", "sqlite")]
)
def test_the_suffix_chooses_the_format(name: str, form: str) -> None:
    assert format_of(Path(name)) == form


def test_a_suffix_that_says_nothing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"results\.parquet does not say its format"):
        write_table(tmp_path / "results.parquet", joined([]), about={})


def test_columns_can_be_chosen(tmp_path: Path) -> None:
    one = job(0, {"demand": 1.5})
    with open_sheet(joined([one], outcome(one, {"low": 2})), about={}) as sheet:
        chosen = only(sheet, ["low", "demand"])
        assert (chosen.names, list(chosen.rows)) == (("low", "demand"), [[2, 1.5]])
        with pytest.raises(UsageError) as caught:
            only(sheet, ["demnad"])
        assert caught.value.hint == "did you mean demand?"


def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    def peak(count: int) -> int:
        jobs = (job(i, {"x": i}) for i in range(count))
        tracemalloc.start()
        lookup = lambda ids: {i: {**outcome(job(0, {})), "id": i, "result": {"y": i * 3}} for i in ids}  # noqa: E731
        write_table(tmp_path / "t.csv", join(jobs, lookup, PAYLOAD), about={})
        _, highest = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return highest

    peak(10)
    assert peak(6000) < 2 * peak(1000)


# ── files jobs returned ──────────────────────────────────────────────────────────────────────
def store(directory: Path, **contents: str) -> dict[str, Path]:
    directory.mkdir()
    for name, text in contents.items():
        (directory / name).write_text(text)
    return {name: directory / name for name in contents}


def returned(**files: tuple[str, str]) -> dict[str, Any]:
    return {key: {"object": sha, "size": 3, "name": name} for key, (sha, name) in files.items()}


def test_files_are_a_directory_a_job_with_an_index_of_rows(tmp_path: Path) -> None:
    objects = store(tmp_path / "store", aaa="one", bbb="two")
    twins = [job(0, {}, id="0" * 20), job(1, {}, id="0" * 20), job(2, {})]
    done = outcome(twins[0], {}, files=returned(plot=("aaa", "p.png"), other=("bbb", "p.png")))
    out = tmp_path / "files"
    write_files(out, joined(twins, done), objects.__getitem__)
    assert (out / ("0" * 20) / "p.png").read_text() == "one"
    assert (out / ("0" * 20) / "other-p.png").read_text() == "two"
    with open(out / "index.csv") as file:
        index = list(csv.DictReader(file))
    assert [(r["row"], r["name"], r["file"]) for r in index] == [
        (row, name, f"{'0' * 20}/{file}")
        for row in "01"
        for name, file in (("plot", "p.png"), ("other", "other-p.png"))
    ]


def test_a_name_from_a_worker_never_leaves_its_directory(tmp_path: Path) -> None:
    objects = store(tmp_path / "store", aaa="one")
    one = job(0, {})
    for name in ("../../evil", "/etc/evil", "..", ""):
        write_files(
            tmp_path / "files",
            joined([one], outcome(one, files=returned(x=("aaa", name)))),
            objects.__getitem__,
        )
        assert not list(tmp_path.glob("evil"))
        assert [p.name for p in (tmp_path / "files" / one.id).iterdir()] == [
            "evil" if "evil" in name else "file"
        ]


def test_new_files_replace_old_ones_and_what_is_gone_from_the_study_goes(tmp_path: Path) -> None:
    objects = store(tmp_path / "store", aaa="one", bbb="two")
    out = tmp_path / "files"
    one, two = job(0, {}), job(1, {})
    write_files(
        out,
        joined([one, two], *(outcome(j, files=returned(x=("aaa", "x"))) for j in (one, two))),
        objects.__getitem__,
    )
    (out / "notes.txt").write_text("mine")
    write_files(out, joined([one], outcome(one, files=returned(x=("bbb", "y")))), objects.__getitem__)
    assert sorted(p.name for p in out.iterdir()) == [one.id, "index.csv", "notes.txt"]
    assert [(p.name, p.read_text()) for p in (out / one.id).iterdir()] == [("y", "two")]


def test_an_object_the_store_lacks_is_a_sentence(tmp_path: Path) -> None:
    one = job(0, {})
    with pytest.raises(CloudBurstError, match=r"the file x of job 0{20} is not in the store"):
        write_files(
            tmp_path / "f",
            joined([one], outcome(one, files=returned(x=("aaa", "x")))),
            lambda sha: tmp_path / sha,
        )
