"""Tries a study's expressions on its own points, within bounds: what is never or always true, what
fails on a row. Makes jobs of the first rows and throws them away.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from ..diagnostics import Path, Problem
from ..spec.ensemble import Block, Ensemble, InfluxSink, Table, Value
from ..spec.moments import is_moment
from ..spec.schema import as_yaml
from ..words import count
from .draws import Draws
from .effort import A_LARGE_VALUE, Effort, is_drawn
from .effort import of_templates as effort_of_templates
from .filters import Exclusion, RowError, kept_rows, visible
from .identity import canonical
from .jobs import Job, Jobs, make_jobs
from .space import BlockSpace, Row, Space, make_space

MOST_EFFORT = 300_000
"""Conditions are tried where all of a study's together take no more work than this, and rows made with as much."""

MOST_ROWS = 1_000
"""Jobs are made of so many rows of each block, and of fewer where a row is much work. The plan, which walks all rows,
finds the rest."""

MOST_FAILURES = 100
"""So many rows of a block may fail before the trial gives up on it."""

MOST_CANDIDATES = 10**8
"""More points than this are not looked at one by one, ever: it would take minutes."""


def run(
    ensemble: Ensemble,
    draws: Draws,
    inputs: Mapping[str, str] | None,
    wrong: Collection[Path] = (),
) -> Iterator[Problem]:
    """Everything the trial finds, of each expression its first failure.

    `inputs` as for `make_jobs`; None when their content is not known yet. `wrong` is where errors are known
    already: the conditions of blocks without one are tried all the same, and rows when there is none at all.
    """
    found = [problem for block in ensemble.blocks if _is_sound(block, wrong) for problem in try_tables(block)]
    yield from found
    wrong = [*wrong, *(problem.path for problem in found if problem.severity == "error")]
    sound = tuple(block for block in ensemble.blocks if _is_sound(block, wrong))
    known = tuple(block for block in sound if is_drawn(block, draws))
    space = make_space(replace(ensemble, blocks=known), draws)
    left, is_counted = float(MOST_EFFORT), len(known) == len(ensemble.blocks)
    for block in space.blocks:
        tried = try_block(block, left)
        yield from tried.problems
        wrong += [problem.path for problem in tried.problems if problem.severity == "error"]
        left, is_counted = left - (tried.effort or 0), is_counted and tried.effort is not None
    if is_counted and not wrong:
        yield from try_rows(ensemble, space, inputs)


def _is_sound(block: Block, wrong: Collection[Path]) -> bool:
    return not any(path[: len(block.path)] == block.path for path in wrong)


class Tried(NamedTuple):
    """What was found in a block, and the work it was: None where that would have been too much."""

    problems: Sequence[Problem]
    effort: float | None


def try_block(block: BlockSpace, most: float) -> Tried:
    """What can be said of one block without its rows' numbers, with at most so much work."""
    try:
        if too_many := list(try_size(block)):
            return Tried(too_many, None)
        effort = Effort(block).of_conditions(most)
        if effort is None:
            return Tried((), None)
        return Tried([*try_conditions(block), *try_take(block)], effort)
    except RowError as error:
        return Tried([error.problem], None)


def try_tables(block: Block) -> Iterator[Problem]:
    """Each table's `where`, on every row of the table."""
    for source in block.sources:
        if isinstance(source, Table) and source.where is not None:
            path = (*source.path, "where")
            try:
                kept = len(kept_rows(source))
            except RowError as error:
                yield error.problem
            else:
                yield from _judge("where", path, kept, len(source.rows), "row of the table")


def try_size(block: BlockSpace) -> Iterator[Problem]:
    """Conditions that would have to look at more points than anyone will wait for."""
    for stage, path in block.stages:
        count = stage.candidates.count
        if count > MOST_CANDIDATES:
            message = f"this has to look at {count:,} points one by one"
            hint = "say what belongs together with `zip`, `cases` or blocks of their own"
            yield Problem("too-many-points", path, message, hint)
        if count > MOST_EFFORT:
            return  # how many the next stage would look at takes a pass over these


def try_conditions(block: BlockSpace) -> Iterator[Problem]:
    """Each `when` and each `exclude`, on every point it looks at."""
    yield from _try_when(block)
    yield from _try_exclude(block)


def _try_when(block: BlockSpace) -> Iterator[Problem]:
    if block.when_stage is None:
        return
    held: Counter[Path] = Counter()
    candidates = block.when_stage.candidates
    for part in candidates.walk(0, candidates.count):
        values = visible(part)
        for when in block.whens:
            if when.holds(values):
                held[when.path] += 1
            else:
                del values[when.name]
    for when in block.whens:
        yield from _judge("when", when.path, held[when.path], candidates.count, "point")


def _try_exclude(block: BlockSpace) -> Iterator[Problem]:
    """Each entry by itself, whatever the others match; one that fails is not asked again."""
    if block.exclude_stage is None:
        return
    matched: Counter[Path] = Counter()
    failed: dict[Path, Problem] = {}
    candidates = block.exclude_stage.candidates
    for position, part in enumerate(candidates.walk(0, candidates.count)):
        scope = block.exclude.scope(position, part)
        for one in block.exclude.exclusions:
            if one.path not in failed:
                try:
                    matched[one.path] += one.matches(scope)
                except RowError as error:
                    failed[one.path] = error.problem
    yield from failed.values()
    for one in block.exclude.exclusions:
        if one.path not in failed:
            hint = "" if matched[one.path] else _why_never(block, one)
            yield from _judge("exclude", one.path, matched[one.path], candidates.count, "point", hint)


def _why_never(block: BlockSpace, entry: Exclusion) -> str:
    """For an exclude of literal values: a name that never has the one that is asked for, with those it has."""
    written = next(one for one in block.block.exclude if entry.path[: len(one.path)] == one.path)
    if block.exclude_stage is None or written.match is None:
        return ""
    candidates, seen = block.exclude_stage.candidates, {name: dict[str, Value]() for name in written.match}
    for position, part in enumerate(candidates.walk(0, candidates.count)):
        scope = block.exclude.scope(position, part)
        for name, values in seen.items():
            if name in scope:
                values.setdefault(canonical(scope[name]), scope[name])
    for name, values in seen.items():
        if canonical(written.match[name]) not in values:
            shown = [as_yaml(value) for value in list(values.values())[:3]]
            more = f" and {len(values) - len(shown):,} more" if len(values) > len(shown) else ""
            return f"`{name}` is never {as_yaml(written.match[name])}; it is {', '.join(shown)}{more}"
    return "each of its values is there, but never together"


def try_take(block: BlockSpace) -> Iterator[Problem]:
    """A `take` that begins behind the last row."""
    if block.available and not block.count:
        rows = count(block.available, "row")
        message = f"this skips all {rows} of block `{block.block.name}`: nothing is left of it"
        hint = f"skip fewer than {block.available:,}, or take the block out"
        yield Problem("take-nothing", (*block.block.path, "take"), message, hint, "warning")


_NEVER = {
    "when": (
        "this `when` is never true: the parameter is always absent",
        "correct it, or take the parameter out",
    ),
    "where": ("this `where` keeps nothing", "correct it, or take the table out"),
    "exclude": ("this matches nothing", "correct it, or take it out"),
}
_ALWAYS = {
    "when": ("this `when` is true for every {what}", "it can be left out"),
    "where": ("this `where` keeps every {what}", "it can be left out"),
    "exclude": (
        "this matches every {what}: nothing is left of the block",
        "correct it, or take the block out",
    ),
}


def _judge(kind: str, path: Path, matched: int, count: int, what: str, hint: str = "") -> Iterator[Problem]:
    if count == 0 or 0 < matched < count:
        return
    if matched == 0:
        message, way_out = _NEVER[kind]
        yield Problem(f"{kind}-never", path, message, hint or way_out, "warning")
    else:
        message, way_out = _ALWAYS[kind]
        yield Problem(f"{kind}-always", path, message.format(what=what), way_out, "warning")


def try_rows(ensemble: Ensemble, space: Space, inputs: Mapping[str, str] | None) -> Iterator[Problem]:
    """Jobs of the first rows of every block."""
    if space.count == 0:
        hint = "look at what `exclude`, `where` and `when` leave"
        yield Problem("no-rows", ("parameters",), "there is nothing to compute: no rows are left", hint)
    jobs = make_jobs(ensemble, space, inputs or {one.name: "0" * 64 for one in ensemble.inputs})
    starts = _named_starts(ensemble)
    failed: dict[Path, Problem] = {}
    of_templates = effort_of_templates(ensemble)
    left, share = float(MOST_EFFORT), MOST_EFFORT / max(1, len(space.blocks))
    for block in space.blocks:
        to_begin, of_a_row = Effort(block).to_begin, Effort(block).of_a_row(of_templates)
        most = min(MOST_ROWS, block.count, min(share, left - to_begin) // of_a_row)
        left -= to_begin + most * of_a_row if most > 0 else 0
        for job in _tried(jobs, block, most, failed):
            for path in [path for path, name in starts.items() if not is_moment(job.row.values.get(name))]:
                yield _no_beginning(job.row, starts.pop(path), path)
    yield from failed.values()


def _tried(jobs: Jobs, block: BlockSpace, most: float, failed: dict[Path, Problem]) -> Iterator[Job]:
    """Jobs of the block's first rows, at most so many; of large values fewer. `failed` gets the first failure at each
    place."""
    row, stop = block.start, block.start + block.count
    failures = 0
    walk = jobs.walk(row, stop)
    while row < stop and most >= 1 and failures < MOST_FAILURES:
        try:
            job = next(walk)
        except RowError as error:
            failed.setdefault(error.problem.path, error.problem)
            failures += 1
            walk = jobs.walk(row + 1, stop)  # one that has raised goes no further
        else:
            most -= sum(map(_width, job.row.values.values())) / A_LARGE_VALUE
            yield job
        most -= 1
        row += 1


def _width(value: Value) -> int:
    return len(value) if isinstance(value, list | dict) else 0


def _named_starts(ensemble: Ensemble) -> dict[Path, str]:
    """Where an influxdb sink names the parameter that holds the moment of a series' 0."""
    sinks = (sink for sink in ensemble.results if isinstance(sink, InfluxSink))
    return {
        (*sink.path, "influxdb", "start"): sink.start
        for sink in sinks
        if sink.start is not None and sink.start.isidentifier()
    }


def _no_beginning(row: Row, name: str, path: Path) -> Problem:
    has = "has no" if name not in row.values else "has no moment in"
    hint = "a moment is a text such as 2018-05-28T00:00:00, or a number of seconds since 1970"
    return Problem("start-moment", path, f"row {row.index} {has} `{name}`", hint)
