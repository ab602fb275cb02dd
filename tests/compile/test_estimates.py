"""How long what is left takes: by hand, where the numbers are known, and against the textbook."""

from __future__ import annotations

import pytest

from cloudburst.compile.estimates import (
    ANYWHERE,
    Durations,
    Effort,
    Tally,
    effort_form,
    expect,
    pace,
    quantile,
    wall,
)


def effort(left: dict[str, int], ended: dict[str, list[float]], again: int = 0) -> Effort:
    found = expect(Tally(left, ended), again=again)
    assert found is not None
    return found


def test_nothing_left_or_nothing_known_is_no_effort() -> None:
    assert expect(Tally({"main": 0}, {"main": [1.0]})) is None
    assert expect(Tally({"main": 5}, {})) is None


# Two-sided 90 %: any table of Student's t.
@pytest.mark.parametrize(
    ("degrees", "listed"),
    [(1, 6.314), (2, 2.920), (3, 2.353), (4, 2.132), (9, 1.833), (30, 1.697), (120, 1.658), (10**6, 1.645)],
)
def test_the_quantile_is_that_of_the_tables(degrees: int, listed: float) -> None:
    assert quantile(degrees) == pytest.approx(listed, abs=2e-3)


def test_one_block_has_students_prediction_interval() -> None:
    """Mean 3, variance 2.5, n 5: 100 ± 2.132 × sqrt(2.5 × (100² / 5 + 100)) about 300."""
    found = effort({"main": 100}, {"main": [1.0, 2.0, 3.0, 4.0, 5.0]})
    assert (found.finished, found.jobs, found.mean, found.longest) == (5, 100, 3.0, 5.0)
    margin = 2.13185 * (2.5 * (100**2 / 5 + 100)) ** 0.5
    assert found.seconds.low == pytest.approx(300 - margin, rel=1e-5)
    assert found.seconds.high == pytest.approx(300 + margin, rel=1e-5)


def test_one_job_that_ended_has_no_range() -> None:
    found = effort({"main": 10}, {"main": [2.0]})
    assert (found.seconds.low, found.seconds.mid, found.seconds.high) == (None, 20.0, None)


def test_blocks_are_estimated_by_their_own_jobs() -> None:
    """One has long jobs and few of them: the mean of all would be far off."""
    found = effort({"short": 1000, "long": 4}, {"short": [1.0, 1.2], "long": [100.0, 110.0]})
    assert found.seconds.mid == pytest.approx(1000 * 1.1 + 4 * 105.0)
    assert found.longest == 110.0
    assert [part.is_own for part in found.parts] == [True, True]


def test_a_block_of_which_none_ended_is_like_the_others_and_nothing_is_sure() -> None:
    found = effort({"main": 10, "corners": 5}, {"main": [1.0, 3.0]})
    assert found.seconds.mid == 30.0
    assert found.seconds.low is None
    form = effort_form(found, 1.0, 4)
    assert [(part["block"], part["from"]) for part in form["blocks"]] == [("main", 2), ("corners", 0)]


def test_jobs_of_rows_that_are_gone_count_where_nothing_better_is_known() -> None:
    assert effort({"main": 10}, {ANYWHERE: [2.0, 4.0]}).seconds.mid == 30.0
    assert effort({"main": 10}, {ANYWHERE: [2.0, 4.0], "main": [1.0, 1.0]}).seconds.mid == 10.0


def test_failed_jobs_that_are_tried_anew_are_like_all_that_ended() -> None:
    found = effort({"main": 0}, {"main": [1.0, 3.0]}, again=4)
    assert (found.jobs, found.seconds.mid) == (4, 8.0)
    assert effort_form(found, 2.0, None)["blocks"][0]["block"] is None


def test_cpu_hours_count_the_cpus_a_job_needs() -> None:
    form = effort_form(effort({"main": 3600}, {"main": [2.0, 2.0]}), 4.0, 8)
    assert form["cpu_hours"] == [8.0, 8.0, 8.0]
    assert form["wall_hours"] == [0.25, 0.25, pytest.approx(0.25 + 2 * 7 / 8 / 3600, rel=1e-5)]
    assert effort_form(effort({"main": 1}, {"main": [2.0]}), 1.0, None)["wall_hours"] is None


def test_the_longest_job_holds_everything_up() -> None:
    found = effort({"main": 10}, {"main": [1.0, 1.0, 1.0, 17.0]})
    assert found.seconds.mid == 50.0
    assert wall(found, 2).mid == 25.0
    assert wall(found, 10).mid == 17.0
    assert "10 jobs, 10 at a time, of which the longest takes 17s" in pace(found, 10)
    assert pace(found, 2) == "10 jobs × 5s / 2 at a time"


def test_more_slots_than_jobs_are_of_no_use() -> None:
    found = effort({"main": 3}, {"main": [4.0, 4.0]})
    assert wall(found, 3) == wall(found, 300)
    assert pace(found, 300) == "3 jobs × 4s / 3 at a time"


def test_durations_of_one_job_have_no_variance() -> None:
    assert Durations.of([3.0]) == Durations(1, 3.0, 0.0, 3.0)
