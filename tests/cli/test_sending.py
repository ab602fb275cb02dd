"""`apply` and `results --to influxdb` on this machine, against a real InfluxDB."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from influxd import PASSWORD, USER, free_port

from .conftest import Project

if TYPE_CHECKING:
    from influxd import Database

pytestmark = pytest.mark.slow

WAVES = """\
import math

def work(height, seed):
    times = [60 * n for n in range(50)]
    return {"highest": height * 2, "level": {"time": times, "value": [height * math.sin(t) for t in times]}}
"""

SPEC = """\
cloudburst: 1
name: waves
worker: {{directory: code, entrypoint: "waves:work"}}
parameters:
  grid: {{height: [1, 2.5]}}
  replicates: {{n: 4, as: seed}}
results:
  - influxdb: {{database: {database}, url: "{url}", username: {user}, password: INFLUX_PASSWORD}}
"""


@pytest.fixture
def project(tmp_path: Path, influx: Database, monkeypatch: pytest.MonkeyPatch) -> Project:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "waves.py").write_text(WAVES)
    write_spec(tmp_path, influx.server.url, influx)
    monkeypatch.setenv("INFLUX_PASSWORD", PASSWORD)
    return Project(tmp_path)


def write_spec(home: Path, url: str, influx: Database) -> None:
    (home / "ensemble.yaml").write_text(SPEC.format(database=influx.name, url=url, user=USER))


def test_what_apply_computes_is_in_the_database_when_it_ends(project: Project, influx: Database) -> None:
    ended = project.run("apply")
    assert ended.code == 0, ended.err
    assert influx.count("value", "level") == 8 * 50
    assert sorted(point["highest"] for point in influx.points("outputs")) == [2] * 4 + [5] * 4
    assert {point["height"] for point in influx.points("outputs")} == {"1", "2.5"}


def test_what_a_server_missed_is_sent_later_and_nothing_is_computed_again(
    project: Project, influx: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloudburst.run.feeding.PATIENCE", 0.1)
    away = f"http://127.0.0.1:{free_port()}"
    write_spec(project.directory, away, influx)
    ended = project.run("apply")
    assert ended.code == 0, "the study is computed all the same"
    assert f"influxdb {influx.name} lacks 8 jobs: {away} does not answer: Connection refused" in ended.err
    ended = project.run("results", "--to", "influxdb")
    assert ended.code == 1
    assert f"influxdb {influx.name} lacks 8 jobs" in ended.err
    write_spec(project.directory, influx.server.url, influx)
    ended = project.run("results", "--to", "influxdb")
    assert (ended.code, ended.out) == (0, f"influxdb {influx.name}: 408 points stored\n")
    assert influx.count("value", "level") == 8 * 50
    sinks: Any = project.run("results", "--to", "influxdb", "--json").json["sinks"]
    assert [(sink["points"], sink["waiting"], sink["problem"]) for sink in sinks] == [(408, 0, "")]


def test_to_goes_with_nothing_else(project: Project) -> None:
    ended = project.run("results", "--to", "influxdb", "--out", "x.csv")
    assert (ended.code, "--to sends whole results" in ended.err) == (2, True)


def test_before_anything_is_computed_that_is_said(project: Project) -> None:
    ended = project.run("results", "--to", "influxdb")
    assert (ended.code, ended.err) == (0, "nothing was computed yet: `cloudburst apply`\n")


def test_a_file_without_such_a_sink_is_told_how_to_get_one(project: Project) -> None:
    text = (project.directory / "ensemble.yaml").read_text()
    (project.directory / "ensemble.yaml").write_text(text.partition("results:")[0])
    ended = project.run("results", "--to", "influxdb")
    assert (ended.code, "names no InfluxDB that can be reached from here" in ended.err) == (2, True)
