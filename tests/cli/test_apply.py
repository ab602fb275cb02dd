"""`apply`, `retry` and `run-job` as a user lives through them: real parts, real jobs."""

from __future__ import annotations

import csv
import json
import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from cloudburst.cli.computing import exit_code
from cloudburst.run import stopping
from cloudburst.run.events import Summary
from cloudburst.run.stopping import stoppable


def table(project: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(project.read("results/tanks.csv").splitlines()))


# ── how it ends, without running anything ────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("state", "failed", "code"),
    [
        ("finished", False, 0),
        ("nothing to do", False, 0),
        ("finished", True, 4),
        ("nothing to do", True, 4),
        ("paused", True, 4),
        ("paused", False, 1),
        ("stopped", True, 130),
    ],
)
def test_exit_codes(state: Any, failed: bool, code: int) -> None:
    ended = Summary(8, 8, 8, 0, 0, 0, 0, 1.0, (), state)
    assert exit_code(ended, failed) == code


def test_the_first_ctrl_c_is_gentle_the_second_is_not_the_third_is_pythons_own() -> None:
    said: list[str] = []
    before = signal.getsignal(signal.SIGINT)
    with stoppable(said.append) as stop:
        signal.raise_signal(signal.SIGINT)
        assert stop.level == 1
        signal.raise_signal(signal.SIGINT)
        assert stop.level == 2
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert said == [stopping.GENTLE, stopping.AT_ONCE]
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGHUP])
def test_a_request_to_end_stops_at_once_in_good_order(sign: signal.Signals) -> None:
    with stoppable(lambda _: None) as stop:
        signal.raise_signal(sign)
        assert stop.level == 2


def test_a_hangup_that_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stoppable(lambda _: None) as stop:
            signal.raise_signal(signal.SIGHUP)
            assert stop.level == 0
    finally:
        signal.signal(signal.SIGHUP, before)


def test_it_can_be_used_from_another_thread() -> None:
    levels: list[int] = []

    def use() -> None:
        with stoppable(lambda _: None) as stop:
            levels.append(stop.level)

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert levels == [0]


# ── for real ─────────────────────────────────────────────────────────────────────────────────
@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.mark.slow
@pytest.mark.usefixtures("own_cache")
def test_from_nothing_to_a_table_with_a_failure_mended(study: Any) -> None:
    ended = study.run("apply")
    assert ended.code == 4
    first, *_ = out = ended.out.splitlines()
    assert first.startswith("Finished: 7 done, 1 failed, in ")
    assert "ValueError: the tank overflows" in ended.out
    assert "table: results/tanks.csv" in out
    assert "`cloudburst retry` computes them again" in out[-1]
    assert "lock: " in ended.err
    assert ended.err.splitlines()[-1].startswith("8 of 8: 7 done, 1 failed")
    assert [row["status"] for row in table(study)] == ["done"] * 5 + ["failed"] + ["done"] * 2

    again = study.run("apply", "--json")
    assert again.code == 4
    summary = again.lines[-1]
    assert (summary["event"], summary["state"], summary["done"]) == ("summary", "nothing to do", 0)
    assert [failure["row"] for failure in summary["failures"]] == [5]
    assert study.run("plan", "--detailed-exitcode").code == 0

    retried = study.run("retry", "row:5")
    assert retried.code == 4
    assert table(study)[5]["attempts"] == "2"

    study.write({"model/tank.py": study.read("model/tank.py").replace("height == 1.5", "height == 99")})
    assert "8 stale" in study.run("plan").out
    mended = study.run("apply")
    assert mended.code == 0
    assert mended.out.startswith("Done: 8 jobs in ")
    assert {row["status"] for row in table(study)} == {"done"}
    assert study.run("apply").out.startswith("Nothing to do: 8 jobs done before.")


@pytest.mark.slow
@pytest.mark.usefixtures("own_cache")
def test_some_rows_only_and_the_table_still_has_them_all(study: Any) -> None:
    ended = study.run("apply", "--rows", "0:3")
    assert ended.code == 0
    assert ended.out.startswith("Done: 3 jobs in ")
    assert [row["status"] for row in table(study)] == ["done"] * 3 + ["to do"] * 5


@pytest.mark.slow
@pytest.mark.usefixtures("own_cache")
def test_events_are_json_lines(study: Any) -> None:
    lines = study.run("apply", "--json", "--rows", "0:2").lines
    assert {"doing", "progress", "summary"} >= {line["event"] for line in lines}
    assert lines[-1]["state"] == "finished"


WAITING = """\
import time
def fill(inflow, height, area):
    if inflow != 1:
        time.sleep(60)
    return {"hours": 1}
"""


def lines_until(stream: Any, text: str) -> list[str]:
    lines = []
    for line in stream:
        lines.append(line)
        if text in line:
            return lines
    raise AssertionError(f"{text!r} was never said:\n{''.join(lines)}")


@pytest.mark.slow
@pytest.mark.usefixtures("own_cache")
def test_ctrl_c_twice_ends_it_and_what_is_done_stays_done(study: Any) -> None:
    study.write({"model/tank.py": WAITING})
    process = study.process("apply", env={**os.environ, "PYTHONUNBUFFERED": "1"})
    lines_until(process.stderr, " of 8: ")
    status = study.run("status", "--json").json
    assert status["run"]["state"] in ("starting", "running")
    assert "has worked on it since" in status["holder"]
    assert " busy, " in study.run("status").out
    assert "is busy" in study.run("apply").err
    process.send_signal(signal.SIGINT)
    lines_until(process.stderr, "Ctrl-C again stops now")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert process.returncode == 130, err
    assert out.startswith("Stopped: ")
    assert "`cloudburst apply` goes on" in out
    assert "Traceback" not in err
    status = study.run("status", "--json").json
    assert (status["run"], status["holder"]) == (None, None)
    counts = status["counts"]
    assert counts["to_do"] >= 5
    assert counts["done"] + counts["to_do"] == 8


@pytest.mark.slow
@pytest.mark.usefixtures("own_cache")
def test_one_job_in_the_foreground(study: Any) -> None:
    process = study.process("run-job", "row:1")
    _, err = process.communicate()
    assert process.returncode == 0, err
    assert "done in " in err
    assert '{"hours": 2.0}' in err
    ended = study.run("run-job", "row:5", "--json")
    assert ended.code == 4
    assert ended.json["error"].startswith("ValueError: the tank overflows")
    assert (study.run("status", "--json").json["counts"])["to_do"] == 8


@pytest.mark.slow
@pytest.mark.usefixtures("own_cache")
def test_what_a_job_prints_is_seen(study: Any) -> None:
    study.write(
        {"model/tank.py": "def fill(inflow, height, area):\n    print('filling', height)\n    return json\n"}
    )
    process = study.process("run-job", "row:0")
    out, err = process.communicate()
    assert out == "filling 0.5\n"
    assert "failed (error)" in err
    assert "NameError" in err
    assert json.loads(study.run("run-job", "row:0", "--json").out)["output"] == "filling 0.5\n"


@pytest.mark.slow
def test_a_file_that_is_a_value_reaches_its_job_and_a_new_one_is_all_that_is_computed(
    make_project: Any,
) -> None:
    spec = (
        "cloudburst: 1\nname: tanks\nworker: {directory: model, entrypoint: 'model:run'}\n"
        "parameters: {grid: {forcing: {glob: 'years/*.txt'}, half: [1, 2]}}\n"
    )
    code = "from pathlib import Path\ndef run(forcing, half):\n    return {'rain': float(Path(forcing).read_text()) / half}\n"
    project = make_project(
        {"ensemble.yaml": spec, "model/model.py": code, "years/dry.txt": "10", "years/wet.txt": "80"}
    )
    planned = project.run("plan").out
    assert "files forcing: years/*.txt, 2 files, 4 bytes" in planned

    assert project.run("apply").code == 0
    assert [(row["forcing"], row["half"], row["rain"]) for row in table(project)] == [
        ("years/dry.txt", "1", "10.0"),
        ("years/dry.txt", "2", "5.0"),
        ("years/wet.txt", "1", "80.0"),
        ("years/wet.txt", "2", "40.0"),
    ]
    project.write({"years/wet.txt": "90", "years/mean.txt": "10"})
    assert project.run("plan", "--json").json["counts"] == {
        "rows": 6, "jobs": 4, "done": 2, "failed": 0, "stale": 0, "kept": 0, "to_do": 2,
    }  # fmt: skip
    assert project.run("apply").code == 0
    assert [row["rain"] for row in table(project)] == ["10.0", "5.0", "10.0", "5.0", "90.0", "45.0"]

    alone = project.run("run-job", "row:4", "--json")
    assert alone.json["result"] == {"rain": 90.0}
