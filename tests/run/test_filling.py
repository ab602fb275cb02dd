"""Every point a study has is in a real InfluxDB, once, and what is not is said."""

from __future__ import annotations

from collections.abc import Callable
from math import inf, nan
from pathlib import Path

import pytest
from influxd import Database, Influxd

from cloudburst.run.file_store import RESULTS, Objects
from cloudburst.run.sinks.influxdb import Access, Influx, Unavailable
from cloudburst.secret import Secret

from .basin import LENGTH, SERIES, Basin, a_week

pytestmark = pytest.mark.slow

HOUR = 3600 * 10**9
START = 1_527_465_600 * 10**9
"""2018-05-28."""


@pytest.fixture
def basin(tmp_path: Path, influx: Database) -> Basin:
    """100 rows; nothing is recorded yet."""
    one = Basin(tmp_path, influx)
    one.write()
    return one


def small(**series: list[float]) -> dict[str, tuple[list[float], list[float]]]:
    return {name: ([60.0 * n for n in range(len(values))], values) for name, values in series.items()}


def test_a_hundred_weeks_of_three_tanks_are_201900_points(basin: Basin) -> None:
    basin.record(basin.outcome(job) for job in basin.jobs)
    basin.fill()
    assert basin.stored() == 100 * len(SERIES) * LENGTH == 201_900
    assert basin.standing.points == 201_900 + 100, "and one for each job's outputs"
    assert (basin.standing.waiting, basin.standing.problem, basin.standing.note) == (0, "", "")


def test_a_point_says_which_job_it_is_of(basin: Basin) -> None:
    basin.more = ', start: "2018-05-28"'
    basin.write()
    job = basin.jobs[30]
    basin.record([basin.outcome(job)])
    basin.fill()
    tags = {
        "study": "basin",
        "id": job.id,
        "block": "main",
        "replicate": "5",
        "demand": "0.8",
        "pump": "P,2",
    }
    for number, name in enumerate(SERIES):
        points = basin.database.points(name)
        assert [p["time"] for p in points] == [START + n * HOUR // 4 for n in range(LENGTH)]
        assert points[0] == {"time": START, "value": 30 + number, **tags}
    [outputs] = basin.database.points("outputs")
    assert outputs == {
        "time": START,
        **tags,
        "lowest": 7.5,
        "count": 30,
        "ok": 1,
        "said": 'a "b"',
        "hours": 168,
        "seed": job.row.values["seed"],
        "attempts": 1,
        "started": 1527465600.25,
        "seconds": 0.5,
        "worker": "node-1/0",
        "payload": "abababababab",
    }


def test_whole_numbers_and_fractions_of_one_output_are_one_field(basin: Basin) -> None:
    jobs = basin.jobs[:3]
    values = [3, 2.5, 2**60]
    basin.record(
        basin.outcome(job, result={"n": value}, series=None) for job, value in zip(jobs, values, strict=True)
    )
    basin.fill()
    found = sorted(float(point["n"]) for point in basin.database.points("outputs"))
    assert found == [2.5, 3, 2**60]
    assert basin.standing.problem == ""


def test_done_twice_it_stores_nothing_twice(basin: Basin) -> None:
    """Killed before it could write down what it had fed, it feeds again."""
    basin.record(basin.outcome(job) for job in basin.jobs[:10])
    basin.fill()
    (basin.home / "sinks" / "influxdb.sqlite").unlink()
    basin.fill()
    assert basin.stored() == 10 * 3 * LENGTH
    assert basin.standing.points == 10 * (3 * LENGTH + 1)


def test_what_is_fed_is_not_sent_again(basin: Basin) -> None:
    basin.record(basin.outcome(job) for job in basin.jobs[:10])
    basin.fill()
    client = Counting(basin.database.server.access, basin.database.name)
    basin.record(basin.outcome(job) for job in basin.jobs[8:12])
    basin.fill(client)
    assert client.lines == 2 * (3 * LENGTH + 2), "numbers and texts of a point are a line each"
    assert basin.stored() == 12 * 3 * LENGTH


class Counting(Influx):
    lines = 0

    def write(self, body: bytes) -> None:
        self.lines += body.count(b"\n") + 1
        super().write(body)


def test_a_retried_job_replaces_its_points(basin: Basin) -> None:
    """Another attempt may return fewer points, and other series; nothing of the first may stay."""
    job, other = basin.jobs[:2]
    basin.record([basin.outcome(job), basin.outcome(other)])
    basin.fill()
    shorter = basin.store(small(tank_1=[1, 2, 3], level=[4, 5]))
    basin.record([basin.outcome(job, attempt=2, series=shorter, result={"other": 1})])
    basin.fill()
    assert basin.database.count("value", "tank_1") == LENGTH + 3
    assert basin.database.count("value", "level") == 2
    assert basin.database.count("value", SERIES[1]) == LENGTH
    assert basin.database.count("lowest", "outputs") == 1
    assert basin.standing.points == (3 * LENGTH + 1) + (3 + 2 + 1)
    assert basin.standing.problem == ""


def test_a_series_that_is_no_longer_returned_is_gone(basin: Basin) -> None:
    """Nothing of what the new attempt stores would be miscounted."""
    job = basin.jobs[0]
    basin.record([basin.outcome(job)])
    basin.fill()
    basin.record([basin.outcome(job, attempt=2, series=basin.store(small(level=[4, 5])))])
    basin.fill()
    assert basin.stored() == 0
    assert basin.standing.points == 3


def test_other_tags_replace_the_points_with_the_old_ones(basin: Basin) -> None:
    basin.record(basin.outcome(job) for job in basin.jobs[:5])
    basin.fill()
    basin.more = ", tags: [hours]"
    basin.write()
    basin.fill()
    assert basin.stored() == 5 * 3 * LENGTH
    [keys] = basin.database.query("SHOW TAG KEYS FROM tank_1")
    assert [line[0] for line in keys["values"]] == ["block", "hours", "id", "replicate", "study"]


def test_jobs_that_the_plan_no_longer_has_are_not_fed_until_it_has_them_again(basin: Basin) -> None:
    jobs = basin.jobs
    basin.replicates = 5
    basin.write()
    basin.record(basin.outcome(job) for job in jobs)
    basin.fill()
    assert basin.database.count("attempts", "outputs") == 20
    basin.replicates = 25
    basin.write()
    basin.fill()
    assert basin.database.count("attempts", "outputs") == 100
    assert basin.stored() == 201_900


def test_failed_and_stale_outcomes_are_not_fed(basin: Basin) -> None:
    done, failed, stale, failed_later = basin.jobs[:4]
    basin.record(
        [
            basin.outcome(done),
            basin.outcome(failed, status="failed", kind="error", error="dry", series=None, result=None),
            basin.outcome(stale, payload="cd" * 32),
            basin.outcome(failed_later),
            basin.outcome(failed_later, attempt=2, status="failed", kind="error", error="x", series=None),
        ]
    )
    basin.fill()
    assert [point["id"] for point in basin.database.points("outputs")] == [done.id]
    assert basin.standing.waiting == 0


def test_what_cannot_be_stored_is_counted(basin: Basin) -> None:
    series = basin.store(
        {
            "a": ([0, 60, 120, nan, 1e300], [1, nan, inf, 4, 5]),
            "b": ([0, 0, 60], [1, 2, 3]),
        }
    )
    basin.record([basin.outcome(basin.jobs[0], series=series, result={"n": nan, "none": None})])
    basin.fill()
    assert basin.database.count("value", "a") == 1
    assert [point["value"] for point in basin.database.points("b")] == [2, 3]
    assert basin.standing.points == 1 + 2 + 1
    assert basin.standing.problem == ""
    assert basin.standing.note == (
        "left out: 1 points at the moment of another point of their series,"
        " 2 points without a time that InfluxDB can hold, 3 values that are NaN or infinite"
    )


def test_a_field_of_two_kinds_is_a_problem_that_is_kept_and_says_where(basin: Basin) -> None:
    """InfluxDB drops the point whose field is text where it has a number, and stores the others."""
    basin.record(basin.outcome(job) for job in basin.jobs[:3])
    basin.database.query(f"CREATE DATABASE {basin.database.name}")
    basin.database.server.write('outputs lowest="text" 1\ntank_1,other=x value="text" 2', basin.database.name)
    basin.fill()
    assert "field type conflict" in basin.standing.problem
    assert "values are not stored, value of tank_1 among them" in basin.standing.problem
    assert "(and 2 more)" in basin.standing.problem
    assert basin.database.count("value", "tank 2") == 3 * LENGTH, "the rest is there"
    assert basin.database.count("count", "outputs") == 3, "even of the same point"
    with basin.filling() as again:
        assert "field type conflict" in again.standing().problem, "after a restart, too"
    basin.database.query("DROP MEASUREMENT outputs")
    basin.database.query("DROP MEASUREMENT tank_1")
    basin.fill()
    assert basin.standing.problem == "", "mended, it is stored"
    assert basin.stored() == 3 * 3 * LENGTH


def test_a_series_that_is_gone_is_said_and_the_outputs_are_there(basin: Basin) -> None:
    job, other = basin.jobs[:2]
    lost = basin.outcome(job)
    Objects(basin.home / "files").path(RESULTS, lost["series"]["object"]).unlink()
    basin.record([lost, basin.outcome(other)])
    basin.fill()
    assert basin.standing.problem == (
        f"job {job.id[:8]}: its series {lost['series']['object'][:12]} are not in the file store"
    )
    assert basin.stored() == 3 * LENGTH
    assert basin.database.count("attempts", "outputs") == 2
    basin.store(a_week(job.row.index))
    basin.fill()
    assert (basin.stored(), basin.standing.problem) == (2 * 3 * LENGTH, "")


def test_a_start_that_is_no_moment_is_said(basin: Basin) -> None:
    basin.more = ", start: pump"
    basin.write()
    basin.record([basin.outcome(basin.jobs[0])])
    basin.fill()
    assert basin.standing.problem.endswith(
        "has no points: the parameter pump is to be the start, and 'P 1' is not a moment such as 2018-05-28T00:00:00"
    )
    assert (basin.standing.waiting, basin.standing.points) == (0, 0)


def test_killed_in_the_middle_the_server_loses_nothing(
    tmp_path: Path, start_influxd: Callable[..., Influxd]
) -> None:
    server = start_influxd()
    basin = Basin(tmp_path, Database(server, "basin"))
    basin.write()
    basin.record(basin.outcome(job) for job in basin.jobs)
    kills = 0
    with basin.filling(Killing(server, "basin", at=(9, 30, 45))) as filling:
        while True:
            try:
                if not filling.step():
                    break
            except Unavailable:
                kills += 1
                server.start()
        standing = filling.standing()
    assert kills == 3
    assert basin.stored() == 201_900
    assert (standing.waiting, standing.problem, standing.points) == (0, "", 202_000)


class Killing(Influx):
    """Kills the server at some requests."""

    def __init__(self, server: Influxd, database: str, at: tuple[int, ...]) -> None:
        super().__init__(server.access, database)
        self._server, self._at, self._requests = server, at, 0

    def write(self, body: bytes) -> None:
        super().write(body)
        self._requests += 1
        if self._requests in self._at:
            self._server.kill()


def test_a_server_that_lost_its_database_is_filled_again(basin: Basin) -> None:
    basin.record(basin.outcome(job) for job in basin.jobs[:10])
    basin.fill()
    basin.database.query(f"DELETE WHERE id = '{basin.jobs[3].id}'")
    basin.fill()
    assert basin.stored() == 10 * 3 * LENGTH
    basin.database.query(f"DROP DATABASE {basin.database.name}")
    basin.fill()
    assert basin.stored() == 10 * 3 * LENGTH
    assert basin.standing.points == 10 * (3 * LENGTH + 1)


def test_a_user_who_may_only_write_is_told_that_nothing_is_counted(basin: Basin) -> None:
    basin.database.query(f"CREATE DATABASE {basin.database.name}")
    basin.database.query("CREATE USER writer WITH PASSWORD 'w'")
    basin.database.query(f"GRANT WRITE ON {basin.database.name} TO writer")
    basin.record(basin.outcome(job) for job in basin.jobs[:3])
    access = Access(basin.database.server.url, "writer", Secret("w"))
    basin.fill(Influx(access, basin.database.name))
    assert basin.standing.note == "the user may not read, so what is stored is not counted"
    assert basin.stored() == 3 * 3 * LENGTH


def test_a_body_too_large_for_the_server_is_sent_in_parts(
    tmp_path: Path, start_influxd: Callable[..., Influxd]
) -> None:
    server = start_influxd(largest=20_000)
    basin = Basin(tmp_path, Database(server, "basin"))
    basin.write()
    long = {"said": "x" * 30_000, "n": 1}
    basin.record([basin.outcome(basin.jobs[0]), basin.outcome(basin.jobs[1], result=long)])
    basin.fill()
    assert basin.stored() == 2 * 3 * LENGTH
    assert basin.database.count("n", "outputs") == 1
    assert "1 of " in basin.standing.problem
    assert "said of outputs among them: a line of 30" in basin.standing.problem
