"""results, failures, logs, status: what is seen of a study that is computed."""

from __future__ import annotations

import csv
import json
import sqlite3
from typing import Any

import pytest


def failed_id(computed: Any) -> str:
    return str(computed.run("failures", "--json").json["failures"][0]["id"])


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text.splitlines()))


# ── results ──────────────────────────────────────────────────────────────────────────────────
def test_the_table_on_the_screen(computed: Any) -> None:
    ended = computed.run("results")
    assert (ended.code, ended.err) == (0, "")
    rows = table(ended.out)
    assert [(r["row"], r["inflow"], r["height"], r["hours"], r["status"]) for r in rows][:2] == [
        ("0", "1", "0.5", "1.0", "done"),
        ("1", "1", "1.0", "2.0", "done"),
    ]
    assert (rows[5]["status"], rows[5]["attempts"], rows[5]["error"]) == (
        "failed",
        "2",
        "ValueError: the tank overflows",
    )


def test_before_anything_is_computed_every_row_is_to_do(study: Any) -> None:
    assert {row["status"] for row in table(study.run("results").out)} == {"to do"}


def test_json_lines_and_chosen_columns(computed: Any) -> None:
    lines = computed.run("results", "--json", "--columns", "row,hours").lines
    assert lines[0] == {"row": 0, "hours": 1.0}
    assert lines[5] == {"row": 5}
    assert computed.run("results", "--format", "jsonl", "--columns", "row,hours").lines == lines
    assert computed.run("results", "--columns", "hours, row").out.splitlines()[:2] == ["hours,row", "1.0,0"]


def test_into_files(computed: Any) -> None:
    ended = computed.run("results", "--out", "new/place/t.sqlite")
    assert (ended.code, ended.out) == (0, "wrote 8 rows to new/place/t.sqlite\n")
    connection = sqlite3.connect(computed.directory / "new/place/t.sqlite")
    assert connection.execute("SELECT count(*), sum(hours) FROM results").fetchone()[0] == 8
    assert dict(connection.execute("SELECT * FROM study"))["study"] == "tanks"
    connection.close()
    assert computed.run("results", "--out", "t.jsonl", "--json").json == {"file": "t.jsonl", "rows": 8}
    computed.run("results", "--out", "t.txt", "--format", "csv")
    assert table(computed.read("t.txt")) == table(computed.run("results").out)


def test_what_cannot_be_asked_of_results(computed: Any) -> None:
    assert "give a file with --out" in computed.run("results", "--format", "sqlite").err
    assert "does not say its format" in computed.run("results", "--out", "t.parquet").err
    ended = computed.run("results", "--columns", "row,huors")
    assert (ended.code, ended.out) == (2, "")
    assert "no column huors\n  hint: did you mean hours?" in ended.err
    ended = computed.run("results", "--format", "cvs")
    assert ended.code == 2
    assert "csv" in ended.err


def test_a_series_as_one_long_table(computed: Any) -> None:
    lines = computed.run("results", "--series", "level").out.splitlines()
    assert lines[0] == "id,row,area,inflow,height,index,value"
    assert [line.split(",")[1:] for line in lines[1:3]] == [
        ["0", "2.0", "1", "0.5", "0.0", "0.0"],
        ["0", "2.0", "1", "0.5", "60.0", "0.5"],
    ]
    assert len(lines) == 1 + 2 * 7
    assert "did you mean level?" in computed.run("results", "--series", "levle").err


def test_results_of_other_code_are_marked(computed: Any) -> None:
    computed.write({"model/tank.py": computed.read("model/tank.py") + "\n# changed\n"})
    ended = computed.run("results")
    assert {row["status"] for row in table(ended.out)} == {"stale"}
    assert ended.err.startswith("8 rows of other code are marked `stale`")
    assert computed.run("failures").out == "no failed jobs\n"


# ── failures ─────────────────────────────────────────────────────────────────────────────────
def test_failures_on_80_columns(computed: Any) -> None:
    ended = computed.run("failures")
    digits = failed_id(computed)[:8]
    assert ended.out == (
        "row  id        kind   error                           area  inflow  height\n"
        f"  5  {digits}  error  ValueError: the tank overflows     2       2     1.5\n"
    )
    assert (
        ended.err
        == f"\nnext: `cloudburst logs {digits}` shows one · `cloudburst retry` computes them again\n"
    )
    assert ended.code == 0


def test_failures_as_json_and_csv(computed: Any) -> None:
    [failure] = computed.run("failures", "--json").json["failures"]
    assert (failure["row"], failure["kind"], failure["attempts"]) == (5, "error", 2)
    assert failure["parameters"] == {"area": 2.0, "inflow": 2, "height": 1.5}
    [row] = table(computed.run("failures", "--csv").out)
    assert (row["row"], row["inflow"], row["status"]) == ("5", "2", "failed")
    assert computed.run("failures", "--csv", "--json").code == 2


def test_no_failures(study: Any) -> None:
    ended = study.run("failures")
    assert (ended.code, ended.out, ended.err) == (0, "no failed jobs\n", "")
    assert study.run("failures", "--json").json == {"failures": []}


# ── logs ─────────────────────────────────────────────────────────────────────────────────────
def test_the_log_of_a_failed_job_tells_every_attempt(computed: Any) -> None:
    ended = computed.run("logs", "row:5")
    assert ended.code == 0
    for text in (
        "(row 5, block main)",
        "inflow = 2",
        "attempt 1: failed (crash)",
        "ended by SIGSEGV",
        "attempt 2: failed (error)",
    ):
        assert text in ended.out
    assert "  filling 1.5 m\n" in ended.out
    assert "  ValueError: the tank overflows\n  Traceback" in ended.out
    assert computed.run("logs", failed_id(computed)[:6]).out == ended.out
    assert [a["attempt"] for a in computed.run("logs", "row:5", "--json").json["attempts"]] == [1, 2]


def test_the_log_of_a_done_job_and_of_one_to_do(computed: Any, study: Any) -> None:
    out = computed.run("logs", "row:0").out
    assert 'it returned:\n  {"hours": 1.0}' in out
    assert "series: level" in out
    study.write(
        {
            "ensemble.yaml": study.read("ensemble.yaml")
            .replace("seed: 3", "seed: 3")
            .replace("[1, 2, 3]", "[1, 2, 3, 4]")
        }
    )
    assert "not computed yet" in study.run("logs", "row:8").out


def test_what_a_job_printed_cannot_move_the_cursor(computed: Any) -> None:
    from cloudburst.run.ledger import Ledger

    path = computed.directory / ".cloudburst" / "tanks" / "ledger.sqlite"
    with Ledger.open(path, "tanks", create=True) as ledger:
        outcome = dict(ledger.attempts(failed_id(computed))[-1])
        ledger.record([{**outcome, "attempt": 3, "output": "\x1b[2Jgone\rback"}])
    assert "\x1b" not in computed.run("logs", "row:5").out


@pytest.mark.parametrize(
    ("job", "message", "hint"),
    [
        ("row:8", "row 8 is not in the study", "its rows are 0 to 7"),
        ("row:x", "row:x names no job", "write row:17"),
        ("hello", "hello names no job", "write row:17"),
        ("abc", "abc is too short for an id", "at least 4 digits"),
        ("5", "5 is too short for an id", "row:5"),
        ("0123456789abcdef0123", "no job of this study has an id", "`cloudburst failures`"),
    ],
)
def test_what_names_no_job(computed: Any, job: str, message: str, hint: str) -> None:
    ended = computed.run("logs", job)
    assert (ended.code, ended.out) == (2, "")
    assert message in ended.err
    assert hint in ended.err


def test_a_job_that_is_not_computed_yet_is_found_by_its_id(study: Any) -> None:
    job_id = study.run("plan", "--jobs", "-").lines[3]["id"]
    assert "(row 3, block main)" in study.run("logs", job_id[:5]).out


def test_a_job_the_study_no_longer_has_keeps_its_log(computed: Any) -> None:
    digits = failed_id(computed)[:8]
    computed.write({"ensemble.yaml": computed.read("ensemble.yaml").replace("[1, 2, 3]", "[1, 3]")})
    assert "(no longer in the study)" in computed.run("logs", digits).out
    assert computed.run("failures").out == "no failed jobs\n"


def test_another_file_is_named_with_an_option(computed: Any) -> None:
    (computed.directory / "ensemble.yaml").rename(computed.directory / "other.yaml")
    (computed.directory / "ensemble.lock").rename(computed.directory / "other.lock")
    assert computed.run("logs", "row:5", "-f", "other.yaml").code == 0
    assert "cloudburst retry -f other.yaml" in computed.run("failures", "other.yaml").err


# ── status ───────────────────────────────────────────────────────────────────────────────────
def test_status_when_nothing_runs(computed: Any, study: Any) -> None:
    ended = computed.run("status")
    assert (ended.code, ended.out) == (0, "tanks: 8 rows, 7 done, 1 failed\nnothing runs now\n")
    document = computed.run("status", "--json").json
    assert (document["run"], document["holder"], document["counts"]["done"]) == (None, None, 7)


def test_status_before_anything(study: Any) -> None:
    assert study.run("status").out == "tanks: 8 rows, 8 to do\nnothing runs now\n"
    assert study.names == ["ensemble.yaml", "model/tank.py"]


# ── plan and retry, with what is recorded ────────────────────────────────────────────────────
def test_the_plan_counts_what_is_recorded(computed: Any) -> None:
    out = computed.run("plan").out
    assert "8 rows: 7 done, 1 failed" in out
    assert "= leave  rows[0:8]  1 failed (cloudburst retry)" in out
    assert out.endswith("Nothing to do.\n")
    assert computed.run("plan", "--detailed-exitcode").code == 0


def test_only_failed_jobs_are_retried_by_name(computed: Any) -> None:
    ended = computed.run("retry", "row:0")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("error: row:0 did not fail: it is done")


# ── destroy ──────────────────────────────────────────────────────────────────────────────────
def test_destroy_asks_first(computed: Any) -> None:
    before = computed.names
    ended = computed.run("destroy")
    assert (ended.code, ended.err.splitlines()[-1]) == (2, "  hint: give --yes")
    assert computed.names == before


def test_destroy_keeps_what_is_computed(computed: Any) -> None:
    table_before = computed.run("results").out
    ended = computed.run("destroy", "--yes", "--json")
    assert ended.code == 0
    assert not any(removal["computed"] for removal in ended.json["removed"])
    assert not (computed.directory / ".cloudburst/tanks/secrets").exists()
    assert computed.run("results").out == table_before
    assert "what is computed is kept" in computed.run("destroy", "--yes").out


def test_discard_takes_the_results_and_purge_the_tables(computed: Any) -> None:
    computed.run("results", "--out", "results/tanks.csv")
    ended = computed.run("destroy", "--discard", "--yes", "--json")
    assert any(removal["computed"] for removal in ended.json["removed"])
    assert not (computed.directory / ".cloudburst" / "tanks").exists()
    assert "8 to do" in computed.run("status").out
    assert "results/tanks.csv" in computed.names
    computed.run("destroy", "--purge", "--yes")
    assert computed.names == [".cloudburst/.gitignore", "ensemble.lock", "ensemble.yaml", "model/tank.py"]
    assert computed.run("destroy", "--yes").out == "there is nothing to remove\n"


def test_destroy_refuses_while_somebody_works_on_the_study(computed: Any) -> None:
    from cloudburst.run import run_lock

    with run_lock.hold(computed.directory / ".cloudburst/tanks/run.lock", study="tanks"):
        ended = computed.run("destroy", "--yes")
        status = computed.run("status", "--json").json
    assert ended.code == 1
    assert "the study tanks is busy" in ended.err
    assert (status["run"], "has worked on it since" in status["holder"]) == (None, True)


# ── lock ─────────────────────────────────────────────────────────────────────────────────────
def test_lock_without_requirements(study: Any) -> None:
    ended = study.run("lock")
    assert ended.code == 0
    assert "wrote ensemble.lock: Python 3." in ended.out
    assert "no requirements found" in ended.out
    assert study.run("lock", "--json").json["packages"] == []
    assert "dependencies: locked, nothing to install" in study.run("plan").out


def test_json_of_the_failures_is_strict(computed: Any) -> None:
    json.loads(computed.run("failures", "--json").out, parse_constant=pytest.fail)
