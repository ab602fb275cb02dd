from __future__ import annotations

import math
import random
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudburst.compile.lazy import Lazy
from cloudburst.compile.space import Row
from cloudburst.run.ledger import Ended
from cloudburst.run.suspects import (
    FEW,
    LOOKED_AT,
    MOST_ERRORS,
    MOST_VALUES,
    Explained,
    Tally,
    Values,
    cuts,
    spread,
)

DONE = Ended("done", None, None)


def boom(error: str = "ValueError: no", kind: str = "error") -> Ended:
    return Ended("failed", kind, error)


def counted(jobs: Sequence[tuple[Mapping[str, Any], Ended]]) -> Explained:
    tally = Tally(cuts(values for values, _ in jobs))
    for values, ended in jobs:
        tally.note(values, ended)
    return tally.explained()


def named(explained: Explained, error: int = 0) -> list[Values]:
    return [suspect.values for suspect in explained.errors[error].suspects]


def grid(**axes: Iterable[Any]) -> list[dict[str, Any]]:
    points: list[dict[str, Any]] = [{}]
    for name, values in axes.items():
        points = [{**point, name: value} for point in points for value in values]
    return points


def test_the_example_of_the_issue() -> None:
    """12 of 40 with one solver, 1 of 160 elsewhere: exactly the tail that Fisher's test sums."""
    points = grid(solver=["ilu", "lu", "qr", "cg", "none"], n=range(40))
    jobs = [
        (p, boom() if (p["solver"] == "ilu" and p["n"] < 12) or (p["solver"], p["n"]) == ("lu", 20) else DONE)
        for p in points
    ]
    explained = counted([({"solver": p["solver"]}, ended) for p, ended in jobs])
    [failing] = explained.errors
    [suspect] = failing.suspects
    assert (suspect.values, suspect.jobs, suspect.failed) == (Values("solver", "ilu"), 40, 12)
    assert (suspect.elsewhere, suspect.failed_elsewhere) == (160, 1)
    tail = (math.comb(13, 12) * math.comb(187, 28) + math.comb(187, 27)) / math.comb(200, 40)
    assert explained.tried == 5
    assert suspect.chance == pytest.approx(5 * tail, rel=1e-9)


def test_what_fails_by_chance_is_not_explained() -> None:
    """Nowhere near the level: of 200 studies that fail at random, about one in twenty may name a value."""
    accused = 0
    for seed in range(200):
        dice = random.Random(seed)
        points = grid(a=range(5), b=["x", "y", "z"], c=[0.1 * n for n in range(8)])
        accused += bool(named(counted([(p, boom() if dice.random() < 0.1 else DONE) for p in points])))
    assert accused <= 20


def test_a_threshold_is_one_finding() -> None:
    jobs = [
        ({"demand": d, "n": n}, boom() if d >= 1.1 else DONE)
        for d in (0.8, 0.9, 1.0, 1.1, 1.2)
        for n in range(9)
    ]
    explained = counted(jobs)
    assert named(explained) == [Values("demand", least=1.1)]
    [suspect] = explained.errors[0].suspects
    assert (suspect.failed, suspect.jobs, suspect.failed_elsewhere) == (18, 18, 0)


def test_a_sample_falls_into_tenths_that_say_what_they_hold() -> None:
    dice = random.Random(7)
    leaks = [dice.uniform(0, 1) for _ in range(1000)]
    [found] = named(counted([({"leak": leak}, boom() if leak < 0.2 else DONE) for leak in leaks]))
    assert found.parameter == "leak"
    assert found.least is None
    assert found.greatest in leaks
    assert found.greatest == pytest.approx(0.2, abs=0.11)
    [middle] = named(counted([({"leak": leak}, boom() if 0.5 < leak < 0.58 else DONE) for leak in leaks]))
    assert middle.least is not None
    assert middle.greatest is not None
    assert middle.least < 0.55 < middle.greatest < 0.75


def test_each_error_has_its_values() -> None:
    jobs = []
    for p in grid(solver=["a", "b", "c"], mesh=["fine", "coarse"], n=range(20)):
        ended = DONE
        if p["solver"] == "b":
            ended = boom(f"singular matrix in step {p['n']}")
        elif p["mesh"] == "fine" and p["n"] < 12:
            ended = boom("", "memory")
        jobs.append((p, ended))
    explained = counted(jobs)
    everything, singular, memory = explained.errors
    assert (everything.kind, everything.failed) == (None, 64)
    assert (singular.kind, singular.line, singular.failed) == ("error", "singular matrix in step 0", 40)
    assert (memory.kind, memory.line, memory.failed) == ("memory", "no message", 24)
    assert Values("solver", "b") in [s.values for s in singular.suspects]
    assert Values("mesh", "fine") not in [s.values for s in singular.suspects]
    assert Values("mesh", "fine") in [s.values for s in memory.suspects]
    assert explained.more_errors == 0


def test_a_small_difference_is_not_named_however_certain() -> None:
    jobs = [
        ({"mesh": mesh}, boom() if n < bad else DONE)
        for mesh, bad in (("fine", 1400), ("coarse", 1000))
        for n in range(10_000)
    ]
    assert named(counted(jobs)) == []
    more = [({"mesh": "worse"}, boom() if n < 2400 else DONE) for n in range(10_000)]
    assert named(counted([*jobs, *more])) == [Values("mesh", "worse")]


def test_a_parameter_that_only_some_have_and_values_that_look_alike() -> None:
    jobs = [({"x": n}, boom()) for n in range(10)] + [({"x": n, "rule": "a"}, DONE) for n in range(10)]
    assert named(counted(jobs)) == [Values("rule", absent=True)]
    kinds: list[Any] = [True, 1, "1", "true", [1], None]
    for guilty in kinds:
        jobs = [({"k": kind}, boom() if kind is guilty else DONE) for kind in kinds for _ in range(9)]
        [found] = named(counted(jobs))
        assert found.value is guilty
        assert not found.absent


def test_what_all_have_and_what_each_has_alone_is_no_suspect() -> None:
    jobs = [({"fixed": 3, "label": f"job {n}"}, boom() if n % 2 else DONE) for n in range(MOST_VALUES + 9)]
    explained = counted(jobs)
    assert named(explained) == []
    assert explained.untested == ("label",)
    assert explained.tried == 0


def test_more_errors_than_are_told_apart_are_failures_all_the_same() -> None:
    jobs = [
        ({"x": n % 2}, boom("odd " + "x" * (n // 2)) if n % 2 else DONE) for n in range(2 * MOST_ERRORS + 60)
    ]
    explained = counted(jobs)
    everything, *others = explained.errors
    assert everything.failed == MOST_ERRORS + 30
    assert named(explained) == [Values("x", 1)]
    assert explained.more_errors == everything.failed - sum(error.failed for error in others)


def test_without_a_failure_there_is_nothing_to_explain() -> None:
    explained = counted([({"x": 1}, DONE), ({"x": 2}, DONE)])
    assert (explained.jobs, explained.failed, explained.errors) == (2, 0, ())


VALUES = st.one_of(
    st.integers(-3, 3), st.floats(-2, 2).map(lambda x: round(x, 1)), st.sampled_from(["a", "b", True, None])
)


@given(st.lists(st.tuples(st.dictionaries(st.sampled_from("xyz"), VALUES), st.booleans()), max_size=60))
def test_counts_are_those_of_the_rows(rows: list[tuple[dict[str, Any], bool]]) -> None:
    explained = counted([(values, boom() if bad else DONE) for values, bad in rows])
    for suspect in (s for error in explained.errors for s in error.suspects):
        having = [bad for values, bad in rows if holds(suspect.values, values)]
        assert (suspect.jobs, suspect.failed) == (len(having), sum(having))
        assert suspect.jobs + suspect.elsewhere == len(rows)
        assert suspect.failed + suspect.failed_elsewhere == sum(bad for _, bad in rows)


def holds(said: Values, values: Mapping[str, Any]) -> bool:
    if said.parameter not in values:
        return said.absent
    value = values[said.parameter]
    if said.is_range:
        low = -math.inf if said.least is None else said.least
        high = math.inf if said.greatest is None else said.greatest
        return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high
    return not said.absent and value == said.value and isinstance(value, bool) == isinstance(said.value, bool)


class Rows(Lazy[Row]):
    """Two axes, the second of 64 values."""

    def __init__(self, count: int) -> None:
        self._count = count

    @property
    def count(self) -> int:
        return self._count

    def at(self, index: int) -> Row:
        return Row(index, "main", {"slow": index // 64, "fast": index % 64}, None)

    def walk(self, start: int, stop: int) -> Any:
        return map(self.at, range(start, stop))


@pytest.mark.parametrize("count", [0, 10, LOOKED_AT, 64 * 1000, 64**3, 10**12])
def test_the_rows_looked_at_are_spread(count: int) -> None:
    rows = list(spread(Rows(count)))
    assert len({row.index for row in rows}) == min(count, LOOKED_AT)
    if count > LOOKED_AT:
        found = cuts(row.values for row in rows)
        assert [len(found[name]) for name in ("slow", "fast")] == [9, 9]
        assert found["fast"] == pytest.approx([6.4 * n for n in range(1, 10)], abs=1)
        assert found["slow"][4] == pytest.approx(count / 128, rel=0.05)


def test_few_numbers_have_a_cell_each() -> None:
    assert cuts([{"x": n % FEW, "y": n % (FEW + 1)} for n in range(1000)])["x"] == list(range(1, FEW))
    assert len(cuts([{"y": n % (FEW + 1)} for n in range(1000)])["y"]) == 9
