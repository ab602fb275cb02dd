"""Rows asked for by themselves: which they are, and how far each of them is."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cloudburst.compile import chosen
from cloudburst.compile.chosen import Wanted, choose
from cloudburst.compile.jobs import Jobs
from cloudburst.compile.plan import Plan, outline
from cloudburst.compile.shown import MOST_LISTED

from .nouns import Counted, axis, block, ensemble
from .test_plan import AROUND, NET3, Ledger, check_form, jobs_of

if TYPE_CHECKING:
    import pytest

LARGE = ensemble(block(*(axis(f"a{i}", Counted(1, 10**4, 10**4)) for i in range(4))))


def made(jobs: Jobs, selected: Any = None) -> Plan:
    return outline(NET3, jobs, AROUND, selected)


def test_rows_where_something_holds_with_their_states() -> None:
    jobs = jobs_of(NET3)
    ledger = Ledger({jobs[0].id: "done", jobs[1].id: "failed", jobs[29].id: "stale"})
    wanted = Wanted("replicate < 2", lambda row: row.replicate < 2)  # type: ignore[operator]
    found = choose(made(jobs, (0, 12)), jobs, ledger, wanted)
    assert [(row.row, state) for row, state in found.rows] == [
        (0, "done"), (1, "failed"), (5, "to_do"), (6, "to_do"), (10, "to_do"), (11, "to_do"),
    ]  # fmt: skip
    assert (found.looked, found.count, found.states) == (12, 6, {"done": 1, "failed": 1, "to_do": 4})
    assert found.rows[0][0].seed == jobs[0].row.values["seed"]


def test_what_is_chosen_fits_the_schema() -> None:
    jobs = jobs_of(NET3)
    plan = made(jobs, (0, 2))
    form = check_form(replace(plan, chosen=choose(plan, jobs, None, None)))
    assert [row["state"] for row in form["chosen"]["rows"]] == ["to_do", "to_do"]
    assert form["chosen"]["states"] is None


def test_of_very_many_rows_the_first_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chosen, "MOST_COUNTED", 3000)
    jobs = jobs_of(LARGE)
    plan = outline(LARGE, jobs, AROUND)
    seen: list[tuple[int, int]] = []
    some = choose(plan, jobs, None, Wanted("true", lambda _row: True), lambda *at: seen.append(at))
    assert (some.looked, some.count, len(some.rows)) == (3000, 3000, MOST_LISTED)
    assert seen[-1] == (3000, 3000)

    every = choose(plan, jobs, None, None)
    assert (every.count, len(every.rows), every.states) == (10**16, MOST_LISTED, None)
