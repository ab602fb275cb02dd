"""Which parameter values go with failures more often than chance allows: counted row by row, then tested.

A parameter falls into cells. One of texts, truths and lists has a cell for each value; numbers have one for
each value where there are few, and tenths of equal size where there are many. What is tried of a parameter is
each cell, and of numbers each run of cells from the lowest up and from the highest down: a threshold. Where
the cells lie is found from the parameters alone, before any outcome is seen, so that every test is exact.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..compile.identity import canonical
from ..compile.jobs import Job, Jobs
from ..compile.lazy import Lazy
from ..compile.space import Row
from ..spec.ensemble import Value
from .brake import shape
from .chance import holm, log_tail
from .id_set import IdSet
from .ledger import Ended
from .results import first_line, in_chunks

LEVEL = 0.05
"""What is named has a corrected probability of at most this."""

ODDS = 2
"""And so many times the odds of failing that jobs have elsewhere: among a million, any difference is certain."""

FEW = 20
"""Numbers of so many different values at most have a cell for each."""
TENTHS = 10
LOOKED_AT = 2000
"""Rows, spread over the study, whose numbers say where the cells lie."""

MOST_VALUES = 1000
"""A parameter with more values than this is not tested: none of them is in enough jobs."""
MOST_ERRORS = 100
"""Errors told apart; the rest are failures all the same."""
TESTED_ERRORS = 5
"""Errors that are tested, the most frequent."""

BLOCK = "block"


# ── what comes out ───────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class Values:
    """Some values of a parameter: one of them, numbers from and to, or (`absent`) none at all.

    A bound that is None is open.
    """

    parameter: str
    value: Value = None
    least: float | None = None
    greatest: float | None = None
    absent: bool = False

    @property
    def is_range(self) -> bool:
        return self.least is not None or self.greatest is not None


@dataclass(frozen=True)
class Suspect:
    """`failed` of the `jobs` with these values failed so, `failed_elsewhere` of the others. `log_chance` is the
    natural logarithm of the corrected probability that chance alone brings as many together."""

    values: Values
    jobs: int
    failed: int
    elsewhere: int
    failed_elsewhere: int
    log_chance: float

    @property
    def is_clear(self) -> bool:
        """Whether it is worth being named."""
        well, well_elsewhere = self.jobs - self.failed, self.elsewhere - self.failed_elsewhere
        twice = self.failed * well_elsewhere >= ODDS * self.failed_elsewhere * well
        return twice and self.log_chance <= math.log(LEVEL)

    @property
    def chance(self) -> float:
        """0.0 where no float is as small."""
        return math.exp(self.log_chance)


@dataclass(frozen=True)
class Failing:
    """An error, by the line that stands for all that differ in numbers only, and what goes with it. `kind` is
    None for all failures together, `line` then empty."""

    kind: str | None
    line: str
    failed: int
    suspects: tuple[Suspect, ...]


@dataclass(frozen=True)
class Explained:
    """`jobs` ended, `failed` of them badly. `tried`: how many questions the probabilities are corrected for.

    `errors` are those that were tested, all failures together first where there is more than one error;
    `more_errors` how many failures ended in others. `untested` are parameters with too many values.
    """

    jobs: int
    failed: int
    tried: int
    errors: tuple[Failing, ...]
    more_errors: int
    untested: tuple[str, ...]


# ── cells ────────────────────────────────────────────────────────────────────────────────────
Cuts = Mapping[str, Sequence[float]]
"""Where the numbers of a parameter are parted: a cell begins at each cut."""


def cuts(rows: Iterable[Mapping[str, Value]]) -> Cuts:
    """From some rows: at each value where they are few, else at the tenths."""
    found: dict[str, list[float]] = {}
    for values in rows:
        for name, value in values.items():
            if _is_number(value):
                found.setdefault(name, []).append(value)  # type: ignore[arg-type]
    return {name: _parted(sorted(numbers)) for name, numbers in found.items()}


def _parted(numbers: Sequence[float]) -> list[float]:
    distinct = sorted(set(numbers))
    if len(distinct) > FEW:
        distinct = sorted({numbers[len(numbers) * part // TENTHS] for part in range(TENTHS)})
    return distinct[1:]


def spread(rows: Lazy[Row]) -> Iterator[Row]:
    """All rows of a small study; else some, in steps of the golden ratio, which no axis is in time with."""
    if rows.count <= LOOKED_AT:
        yield from rows
        return
    step = round(rows.count * (math.sqrt(5) - 1) / 2)
    while math.gcd(step, rows.count) > 1:
        step += 1
    for place in range(LOOKED_AT):
        yield rows.at(place * step % rows.count)


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


Key = int | str | tuple[str]
"""Of a cell: the place of a number, a text itself, or the JSON of anything else."""


@dataclass(slots=True)
class Cell:
    """`least` and `greatest` of the values that fell into it; of what are no numbers there is one. `failed` counts
    by error."""

    least: Any
    greatest: Any
    jobs: int = 0
    failed: Counter[int] = field(default_factory=Counter)


class Axis:
    """The cells of one parameter."""

    def __init__(self, cuts: Sequence[float]) -> None:
        self.cells: dict[Key, Cell] = {}
        self._cuts = cuts

    def note(self, value: Value, error: int | None) -> None:
        key = self._key(value)
        cell = self.cells.get(key)
        if cell is None:
            cell = self.cells[key] = Cell(value, value)
        cell.jobs += 1
        if error is not None:
            cell.failed[error] += 1
        if type(key) is int:
            cell.least, cell.greatest = min(cell.least, value), max(cell.greatest, value)

    def _key(self, value: Value) -> Key:
        if isinstance(value, str):
            return value
        return bisect_right(self._cuts, value) if _is_number(value) else (canonical(value),)  # type: ignore[type-var]


@dataclass(frozen=True)
class Group:
    """Cells of one parameter that are asked about together."""

    values: Values
    keys: frozenset[Key | None]
    jobs: int
    failed: Mapping[int, int]


def groups(name: str, axis: Axis, jobs: int, failed: Mapping[int, int]) -> Iterator[Group]:
    """All that is tried of one parameter, when `jobs` ended, `failed` of them so and so. What all jobs have is no group."""
    found = [_group(axis, [key], _one(name, cell)) for key, cell in axis.cells.items()]
    having = sum(group.jobs for group in found)
    if having < jobs:
        found.append(_absent(name, found, jobs - having, failed))
    numbers = sorted(key for key in axis.cells if isinstance(key, int))
    found += (_group(axis, keys, _range(name, axis, keys, numbers)) for keys in _runs(numbers))
    return (group for group in found if group.jobs < jobs)


def _runs(numbers: Sequence[int]) -> Iterator[Sequence[int]]:
    """Two cells or more, from either end, and never all: what lies beyond them is a run, too."""
    for place in range(2, len(numbers)):
        yield numbers[:place]
        yield numbers[-place:]


def _group(axis: Axis, keys: Sequence[Key], values: Values) -> Group:
    cells = [axis.cells[key] for key in keys]
    failed: Counter[int] = Counter()
    for cell in cells:
        failed.update(cell.failed)
    return Group(values, frozenset(keys), sum(cell.jobs for cell in cells), failed)


def _one(name: str, cell: Cell) -> Values:
    if cell.least == cell.greatest:
        return Values(name, cell.least)
    return Values(name, least=cell.least, greatest=cell.greatest)


def _range(name: str, axis: Axis, keys: Sequence[int], numbers: Sequence[int]) -> Values:
    if keys[0] == numbers[0]:
        return Values(name, greatest=axis.cells[keys[-1]].greatest)
    return Values(name, least=axis.cells[keys[0]].least)


def _absent(name: str, having: Sequence[Group], jobs: int, failed: Mapping[int, int]) -> Group:
    left = {
        error: count - sum(group.failed.get(error, 0) for group in having) for error, count in failed.items()
    }
    return Group(Values(name, absent=True), frozenset([None]), jobs, left)


# ── counting ─────────────────────────────────────────────────────────────────────────────────
class Tally:
    """Counts jobs by the cells of their parameters. What it holds does not grow with the jobs."""

    def __init__(self, cuts: Cuts) -> None:
        self._cuts = cuts
        self._axes: dict[str, Axis] = {}
        self._untested: set[str] = set()
        self._errors: dict[tuple[str, str], int] = {}
        self._lines: dict[int, tuple[str, str]] = {}
        self._jobs = 0
        self._failed: Counter[int] = Counter()

    def note(self, values: Mapping[str, Value], ended: Ended) -> None:
        """A job with these parameters ended so."""
        error = self._error(ended) if ended.status == "failed" else None
        self._jobs += 1
        if error is not None:
            self._failed[error] += 1
        for name, value in values.items():
            if name not in self._untested:
                self._note(name, value, error)

    def _note(self, name: str, value: Value, error: int | None) -> None:
        axis = self._axes.get(name)
        if axis is None:
            axis = self._axes[name] = Axis(self._cuts.get(name, ()))
        axis.note(value, error)
        if len(axis.cells) > MOST_VALUES:
            del self._axes[name]
            self._untested.add(name)

    def _error(self, ended: Ended) -> int:
        """The number of an error; -1 for those beyond the ones told apart."""
        line = first_line(ended.error) or "no message"
        key = (ended.kind or "error", shape(line))
        number = self._errors.get(key)
        if number is None:
            if len(self._errors) == MOST_ERRORS:
                return -1
            number = self._errors[key] = len(self._errors)
            self._lines[number] = (key[0], line)
        return number

    # ── judging ──────────────────────────────────────────────────────────────────────────────
    def explained(self) -> Explained:
        """What is over-represented among the failures counted so far."""
        found = [
            group
            for name, axis in self._axes.items()
            for group in groups(name, axis, self._jobs, self._failed)
        ]
        asked = self._asked()
        tried = len(found) * len(asked)
        errors = tuple(
            Failing(*self._named(one), _count(self._failed, one), _apart(of))
            for one, of in zip(asked, self._suspects(found, asked, tried), strict=True)
        )
        failed = self._failed.total()
        more = failed - sum(one.failed for one in errors[1:]) if len(errors) > 1 else 0
        return Explained(self._jobs, failed, tried, errors, more, tuple(sorted(self._untested)))

    def _asked(self) -> list[frozenset[int]]:
        """Sets of errors that are asked about: all of them, and where they are several each of the frequent ones."""
        if not self._failed:
            return []
        frequent = [error for error, _ in self._failed.most_common() if error >= 0][:TESTED_ERRORS]
        alone = len(self._failed) == 1
        return [frozenset(self._failed), *([] if alone else [frozenset([error]) for error in frequent])]

    def _suspects(
        self, found: Sequence[Group], asked: Sequence[frozenset[int]], tried: int
    ) -> list[list[tuple[Group, Suspect]]]:
        """Of each question those groups that are in more of the failures than chance allows."""
        clear: list[tuple[int, Group, int, int, float]] = []
        for place, errors in enumerate(asked):
            failed = _count(self._failed, errors)
            for group in found:
                here = _count(group.failed, errors)
                if here * self._jobs > failed * group.jobs:
                    clear.append((place, group, here, failed, log_tail(here, group.jobs, failed, self._jobs)))
        corrected = holm((log for *_, log in clear), tried) if tried else []
        suspects: list[list[tuple[Group, Suspect]]] = [[] for _ in asked]
        for (place, group, here, failed, _), log in zip(clear, corrected, strict=True):
            rest = self._jobs - group.jobs
            suspect = Suspect(group.values, group.jobs, here, rest, failed - here, log)
            if suspect.is_clear:
                suspects[place].append((group, suspect))
        return suspects

    def _named(self, errors: frozenset[int]) -> tuple[str | None, str]:
        if len(errors) > 1 or -1 in errors:
            return None, ""
        return self._lines[next(iter(errors))]


def _count(failed: Mapping[int, int], errors: Collection[int]) -> int:
    return sum(failed.get(error, 0) for error in errors)


def _apart(suspects: Iterable[tuple[Group, Suspect]]) -> tuple[Suspect, ...]:
    """The least probable first; of one parameter none that shares a value with one before it."""
    taken: dict[str, set[Key | None]] = {}
    kept = []
    for group, suspect in sorted(suspects, key=lambda x: (x[1].log_chance, len(x[0].keys))):
        keys = taken.setdefault(suspect.values.parameter, set())
        if keys.isdisjoint(group.keys):
            keys |= group.keys
            kept.append(suspect)
    return tuple(kept)


# ── a study ──────────────────────────────────────────────────────────────────────────────────
class Endings(Protocol):
    """All that is asked of a ledger."""

    def endings(self, ids: Sequence[str], payload: str, /) -> Mapping[str, Ended]: ...


def explain(
    jobs: Jobs,
    ledger: Endings,
    payload: str,
    takes: Callable[[Row], bool],
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Explained:
    """Of the rows that `takes` chooses, those whose job ended with this payload: each job once, streamed."""
    several = len(jobs.space.blocks) > 1
    tally = Tally(cuts(row.values for row in spread(jobs.space)))
    seen = IdSet()
    for chunk in in_chunks(jobs):
        asked = [job for job in chunk if takes(job.row) and seen.add(job.id)]
        ended = ledger.endings([job.id for job in asked], payload)
        for job in asked:
            if job.id in ended:
                tally.note(_parameters(job, several), ended[job.id])
        progress(chunk[-1].row.index + 1, jobs.count)
    return tally.explained()


def _parameters(job: Job, with_block: bool) -> Mapping[str, Value]:
    """The block is one of them, unless a parameter has its name."""
    return {BLOCK: job.row.block, **job.row.values} if with_block else job.row.values
