"""Single decisions of `Dispatch` that chance seldom reaches; tests/properties/test_dispatch.py has the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from cloudburst.run.dispatch import Dispatch, Rules, Todo
from cloudburst.run.ledger import Last
from cloudburst.run.sizing import BATCH_BYTES


@dataclass(frozen=True)
class Job:
    id: str
    description: Mapping[str, Any]
    argv: None = None


def job(row: int) -> Job:
    return Job(f"{row:020x}", {})


def end(row: int, status: str = "done", attempt: int = 1, kind: str | None = None) -> dict[str, Any]:
    return {"id": job(row).id, "attempt": attempt, "status": status, "kind": kind}


def looked_at(rows: int, **rules: Any) -> Dispatch:
    dispatch = Dispatch(Rules(**rules), rows)
    for row in range(rows):
        dispatch.look_at(row, job(row).id, None)
    return dispatch


def test_a_job_that_a_dead_worker_recorded_after_all_is_not_sent() -> None:
    dispatch = looked_at(2)
    first, second = dispatch.fill(job, 2)
    assert dispatch.skip(first.todo, Last(1, "done", None, 7))
    dispatch.sent("b", [second])
    assert (dispatch.tally.done, dispatch.under_way, dispatch.tally.to_do) == (1, 1, 1)


def test_an_attempt_that_a_dead_worker_recorded_after_all_is_the_last_but_one() -> None:
    dispatch = looked_at(1, retries=1)
    (packed,) = dispatch.fill(job, 1)
    assert dispatch.skip(packed.todo, Last(1, "failed", "crash", 7))
    (packed,) = dispatch.fill(job, 1)
    assert packed.message["attempt"] == 2


def test_the_end_of_an_earlier_attempt_says_nothing_about_the_present_one() -> None:
    dispatch = looked_at(1, retries=1)
    dispatch.sent("b-1", dispatch.fill(job, 1))
    assert dispatch.ended("b-1", end(0, "failed", kind="crash")).counts
    dispatch.sent("b-2", dispatch.fill(job, 1))
    assert not dispatch.ended("b-0", end(0)).counts
    assert (dispatch.tally.done, dispatch.under_way) == (0, 1)


def test_a_job_that_ended_elsewhere_is_called_off() -> None:
    dispatch = looked_at(1)
    dispatch.sent("b-1", dispatch.fill(job, 1))
    dispatch.over("b-1")
    dispatch.sent("b-2", dispatch.fill(job, 1))
    assert dispatch.ended("b-1", end(0)).elsewhere == "b-2"
    assert dispatch.is_over


def test_a_large_description_travels_alone() -> None:
    large = Job(job(1).id, {"text": "x" * BATCH_BYTES})
    dispatch = looked_at(3)
    sent = []
    while packed := dispatch.fill(lambda row: large if row == 1 else job(row), 10):
        dispatch.sent(f"b-{len(sent)}", packed)
        sent.append([one.todo.row for one in packed])
    assert sent == [[0], [1], [2]]


def test_the_job_that_was_in_a_lost_workers_hands_goes_alone() -> None:
    dispatch = looked_at(3)
    dispatch.sent("b", dispatch.fill(job, 3))
    lost = dispatch.over("b", [job(1).id])
    assert [todo.row for todo in lost.blamed] == [1]
    sizes = []
    while packed := dispatch.fill(job, 3):
        dispatch.sent(f"b-{len(sizes)}", packed)
        sizes.append([one.todo.row for one in packed])
    assert sizes == [[0], [1], [2]]


@pytest.mark.parametrize(("on", "losses"), [({"lost"}, 5), ({"crash"}, 0)])
def test_losses_are_forgiven_five_times_when_lost_is_among_retries(on: set[str], losses: int) -> None:
    dispatch = looked_at(1, on=frozenset(on))
    for turn in range(losses):
        dispatch.sent(f"b-{turn}", dispatch.fill(job, 1))
        assert not dispatch.over(f"b-{turn}", [job(0).id]).given_up
    dispatch.sent("b", dispatch.fill(job, 1))
    assert len(dispatch.over("b", [job(0).id]).given_up) == 1
    assert not dispatch.fill(job, 1)


@pytest.mark.parametrize(
    ("kind", "attempt", "base", "again"),
    [
        ("crash", 1, 0, True),
        ("memory", 2, 0, True),
        ("crash", 3, 0, False),
        ("error", 1, 0, False),
        ("lost", 1, 0, False),
        ("error", 1, 1, True),
        ("error", 2, 1, False),
        ("crash", 4, 2, True),
        ("crash", 5, 2, False),
    ],
)
def test_attempts(kind: str, attempt: int, base: int, again: bool) -> None:
    assert Rules(2).goes_again(kind, attempt, base) is again


def test_no_rows_is_over_at_once() -> None:
    assert Dispatch(Rules(), 0).is_over


def test_what_was_lost_goes_first_and_among_its_like() -> None:
    dispatch = looked_at(6)
    dispatch.sent("a", dispatch.fill(job, 2))
    dispatch.sent("b", dispatch.fill(job, 2))
    dispatch.over("a")  # taken back: no hurry
    assert not dispatch.is_in_a_hurry
    dispatch.over("b", {job(2).id}, first=True)
    assert dispatch.is_in_a_hurry
    sent = [[one.todo.row for one in dispatch.fill(job, 10)] for _ in range(3)]
    assert sent == [[2], [3], [0, 1, 4, 5]]
    assert not dispatch.is_in_a_hurry


def test_an_attempt_found_in_the_queue_that_is_recorded_already_is_made_anew() -> None:
    """Its batch was revoked, its worker recorded it all the same, and the controller started anew."""
    dispatch = Dispatch(Rules(1), 1)
    dispatch.adopt("b", [Todo(job(0).id, 0)], 1)
    dispatch.look_at(0, job(0).id, Last(1, "failed", "crash", 1))
    (again,) = dispatch.fill(job, 1)
    assert again.todo.attempt == 2
    assert dispatch.ids_of("b") == frozenset()
