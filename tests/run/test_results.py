"""The join of rows and ledger, and the failures a study still has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from cloudburst.compile.jobs import Job
from cloudburst.compile.space import Row
from cloudburst.run.results import AT_ONCE, failures, first_line, join


def job(index: int, id: str) -> Job:
    return Job(Row(index, "main", {"x": index}, None), id, {"x": index}, None)


def recorded(ids: Sequence[str]) -> dict[str, Any]:
    assert len(ids) <= AT_ONCE
    return {i: {"id": i, "status": "failed", "payload": "p", "error": "boom"} for i in ids}


def test_rows_are_looked_up_some_at_a_time_and_come_in_order() -> None:
    asked: list[int] = []

    def lookup(ids: Sequence[str]) -> Mapping[str, Any]:
        asked.append(len(ids))
        return {i: {"status": "done", "payload": "p"} for i in ids if int(i) % 2}

    results = list(join((job(i, str(i)) for i in range(AT_ONCE + 3)), lookup, "p"))
    assert asked == [AT_ONCE, 3]
    assert [r.job.row.index for r in results] == list(range(AT_ONCE + 3))
    assert [r.status for r in results[:4]] == ["to do", "done", "to do", "done"]


def test_failures_come_in_plan_order_without_reading_the_whole_plan() -> None:
    class Huge(Sequence[Job]):
        def __len__(self) -> int:
            return 10**12

        def __getitem__(self, at: Any) -> Any:
            return job(at, f"id{at}")

        def __iter__(self) -> Any:
            raise AssertionError("a trillion rows were read for two failures")

    found = failures(Huge(), [("id900", 900), ("id7", 7)], recorded)
    assert [r.job.row.index for r in found] == [7, 900]


def test_a_failure_whose_row_moved_is_found_and_one_that_left_the_study_is_not() -> None:
    jobs = [job(0, "a"), job(1, "b"), job(2, "c")]
    found = failures(jobs, [("c", 0), ("gone", 1), ("b", 99), ("a", -1)], recorded)
    assert [(r.job.id, r.job.row.index) for r in found] == [("a", 0), ("b", 1), ("c", 2)]


@pytest.mark.parametrize(
    ("error", "line"),
    [(None, ""), ("", ""), ("\nValueError: x \nTraceback", "ValueError: x"), ("one", "one")],
)
def test_the_first_line_of_an_error(error: str | None, line: str) -> None:
    assert first_line(error) == line
