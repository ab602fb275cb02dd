"""`explain`: a whole study and one of its rows, for people and as JSON, and all the ways to name a row."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from cloudburst import assets

WHOLE = """\
tanks (ensemble.yaml): 8 rows

block main: 3 inflow × 3 height = 9 − 1 excluded = 8  (ensemble.yaml:8)
  rows 0 to 7
  area    fixed    ensemble.yaml:9: 2.0
  inflow  grid     ensemble.yaml:11: 3 values: 1, 2, 3
  height  grid     ensemble.yaml:12: 3 values, 0.5 … 1.5 by 0.5
          exclude  ensemble.yaml:14: inflow == 3 and height == 0.5
"""

ROW = """\
tanks (ensemble.yaml): row 7 of 8, block main

  area    2.0  ensemble.yaml:9: fixed
  inflow  3    ensemble.yaml:11: element 3 of 3
  height  1.5  ensemble.yaml:12: step 3 of 3, 0.5 … 1.5 by 0.5

place: number 7 of block main, which has 8 rows; `exclude` (ensemble.yaml:13)
    takes away 1 point before it, as written

job: its parameters, flat (there is no `job` in the file)
id: ffffffffffffffffffff, from tank:fill, this job (34 bytes)
rows with the same job: none
"""


def id_of(study: Any, row: int) -> str:
    found: str = study.run("plan", "--jobs", "-", "--rows", str(row)).lines[0]["id"]
    return found


def test_on_80_columns_it_is_this(study: Any) -> None:
    ended = study.run("explain")
    assert (ended.code, ended.err, ended.out) == (0, "", WHOLE)
    ended = study.run("explain", "ensemble.yaml", "7")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == ROW.replace("f" * 20, id_of(study, 7))


def test_the_form_is_as_its_schema_says(study: Any) -> None:
    schema = json.loads(study.run("schema", "explain").out)
    assert schema == json.loads(assets.schema("explain").read_text("utf-8"))
    for arguments in ([], ["ensemble.yaml", "0"]):
        form = study.run("explain", *arguments, "--json").json
        jsonschema.validate(form, schema)
        assert (form["row"] is None) == (not arguments)


def test_a_row_has_many_names(study: Any) -> None:
    shown = study.run("explain", "ensemble.yaml", "5").out
    digits = id_of(study, 5)
    for name in ("row:5", "ROW:5", digits, digits[:8].upper()):
        assert study.run("explain", "ensemble.yaml", name).out == shown
    assert study.run("explain", "5").out == study.run("explain", "row:5").out == shown
    assert study.run("explain", digits[:8]).out == shown


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("8", "row 8 is not in the study\n  hint: its rows are 0 to 7"),
        ("5000", "row 5000 is not in the study\n  hint: its rows are 0 to 7"),
        ("row:99", "row 99 is not in the study"),
        ("beef", "no job of this study has an id that begins with beef"),
        ("abc", "abc is too short for an id"),
        ("x=3", "x=3 names no job"),
        ("9" * 25, f"row {'9' * 25} is not in the study"),
    ],
)
def test_rows_that_are_none(study: Any, row: str, message: str) -> None:
    ended = study.run("explain", "ensemble.yaml", row)
    assert (ended.code, ended.out) == (2, "")
    assert message in ended.err


def test_an_id_of_figures_alone_is_found_where_no_row_has_that_number(study: Any) -> None:
    axis = "    n: {from: 1, to: 400, step: 1}\n"
    text = study.read("ensemble.yaml").replace("  grid:\n", f"  grid:\n{axis}")
    study.write({"ensemble.yaml": text, "model/tank.py": "def fill(n, inflow, height, area): pass\n"})
    jobs = study.run("plan", "--jobs", "-").lines
    found = next(job for job in jobs if job["id"][:7].isdigit() and job["id"][0] != "0")
    form = study.run("explain", "ensemble.yaml", found["id"][:7], "--json").json
    assert form["row"]["id"]["id"] == found["id"]


def test_a_study_too_large_for_looking_at_rows(study: Any) -> None:
    axes = "".join(f"    p{i}: {{from: 1, to: 1000, count: 1000}}\n" for i in range(4))
    head = study.read("ensemble.yaml").partition("parameters:")[0].replace("tank:fill", "wide:run")
    study.write(
        {
            "wide.yaml": f"{head}parameters:\n  grid:\n{axes}",
            "model/wide.py": "def run(p0, p1, p2, p3): pass\n",
        }
    )
    out = study.run("explain", "wide.yaml", "999999999999").out
    assert out.count("step 1,000 of 1,000") == 4
    assert "too many rows to look" in out
    assert "too many to look for an id" in study.run("explain", "wide.yaml", "beef").err
    assert "row 1000000000000 is not in the study" in study.run("explain", "wide.yaml", "1000000000000").err


def test_a_file_that_is_missing_and_no_row(study: Any) -> None:
    ended = study.run("explain", "ensembel.yaml")
    assert (ended.code, ended.out) == (2, "")
    assert "did you mean ensemble.yaml?" in ended.err


def test_a_study_with_mistakes(study: Any) -> None:
    study.write({"ensemble.yaml": study.read("ensemble.yaml").replace("grid:", "gird:")})
    ended = study.run("explain", "--json")
    assert (ended.code, ended.out) == (2, "")
    assert ended.error["diagnostics"][0]["span"]["line"] == 10


def test_what_is_long_goes_on_below_itself(study: Any) -> None:
    study.write(
        {
            "ensemble.yaml": study.read("ensemble.yaml").replace(
                "area: 2.0", "area: 2.0, hint: x, nodes: [1, 2, 3]"
            )
            + "  sample:\n    method: lhs\n    n: 4\n    correlate: {a: {b: 0.5}}\n    of:\n"
            + "      a: {uniform: [0, 1]}\n      b: {uniform: [0, 1]}\n      many: {uniform: [0, 1], size: 9}\n"
            + 'job: {area: "{{ area }}", deep: {label: "{{ inflow }} of {{ height }} and {{ area }} and so on"}}\n',
            "model/tank.py": "def fill(job): pass\n",
        }
    )
    ended = study.run("explain", "ensemble.yaml", "3")
    assert ended.code == 0, ended.err
    assert max(map(len, ended.out.splitlines())) <= 80
    assert "rank rearranged" in " ".join(ended.out.split())
    assert "6 more, with --json" in ended.out
    assert "deep.label" in ended.out
    assert "\x1b" not in ended.out
    assert "\x1b[1mtanks\x1b[0m" in study.on_a_terminal("explain", "ensemble.yaml", "3").out
