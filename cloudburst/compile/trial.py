"""Tries a study's expressions on its own points, within bounds: what is never or always true, what
fails on a row. Makes jobs of the first rows and throws them away.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from ..diagnostics import Path, Problem
from ..spec.ensemble import Ensemble, InfluxSink, Table
from ..spec.moments import is_moment
from .draws import Draws
from .filters import RowError, kept_rows, visible
from .jobs import make_jobs
from .space import BlockSpace, Row, Space, make_space

MOST_POINTS = 200_000
"""Conditions are tried where they look at no more points than this."""

MOST_ROWS = 1_000
"""Jobs are made of so many rows of each block."""

MOST_CANDIDATES = 10**8
"""More points than this are not looked at one by one, ever: it would take minutes."""


def run(ensemble: Ensemble, draws: Draws, inputs: Mapping[str, str] | None) -> Iterator[Problem]:
    """Everything the trial finds; it ends at the first row that fails.

    `inputs` as for `make_jobs`; None when their content is not known yet.
    """
    try:
        yield from try_tables(ensemble)
        space = make_space(ensemble, draws)
        too_many = [problem for block in space.blocks for problem in try_size(block)]
        yield from too_many
        if not too_many:
            for block in space.blocks:
                yield from try_conditions(block)
                yield from try_take(block)
            yield from try_rows(ensemble, space, inputs)
    except RowError as error:
        yield error.problem


def try_tables(ensemble: Ensemble) -> Iterator[Problem]:
    """Each table's `where`, on every row of the table."""
    for block in ensemble.blocks:
        for source in block.sources:
            if isinstance(source, Table) and source.where is not None:
                path = (*source.path, "where")
                yield from _judge("where", path, len(kept_rows(source)), len(source.rows), "row of the table")


def try_size(block: BlockSpace) -> Iterator[Problem]:
    """Conditions that would have to look at more points than anyone will wait for."""
    for stage, path in block.stages:
        count = stage.candidates.count
        if count > MOST_CANDIDATES:
            message = f"this has to look at {count:,} points one by one"
            hint = "say what belongs together with `zip`, `cases` or blocks of their own"
            yield Problem("too-many-points", path, message, hint)
        if count > MOST_POINTS:
            return  # how many the next stage would look at takes a pass over these


def _can_be_tried(block: BlockSpace) -> bool:
    return all(stage.candidates.count <= MOST_POINTS for stage, _ in block.stages)


def try_conditions(block: BlockSpace) -> Iterator[Problem]:
    """Each `when` and each `exclude`, on every point it looks at."""
    if _can_be_tried(block):
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
    if block.exclude_stage is None:
        return
    matched: Counter[Path] = Counter()
    candidates = block.exclude_stage.candidates
    for position, part in enumerate(candidates.walk(0, candidates.count)):
        scope = block.exclude.scope(position, part)
        matched.update(one.path for one in block.exclude.exclusions if one.matches(scope))
    for one in block.exclude.exclusions:
        yield from _judge("exclude", one.path, matched[one.path], candidates.count, "point")


def try_take(block: BlockSpace) -> Iterator[Problem]:
    """A `take` that begins behind the last row."""
    if _can_be_tried(block) and block.available and not block.count:
        rows = f"{block.available:,} row{'' if block.available == 1 else 's'}"
        message = f"this skips all {rows} of block `{block.block.name}`: nothing is left of it"
        hint = f"skip fewer than {block.available:,}, or take the block out"
        yield Problem("take-nothing", (*block.block.path, "take"), message, hint, "warning")


_NEVER = {
    "when": "this `when` is never true: the parameter is always absent",
    "where": "this `where` keeps nothing",
    "exclude": "this matches nothing",
}
_ALWAYS = {
    "when": "this `when` is true for every {what}: it can be left out",
    "where": "this `where` keeps every {what}: it can be left out",
    "exclude": "this matches every {what}: nothing is left of the block",
}


def _judge(kind: str, path: Path, matched: int, count: int, what: str) -> Iterator[Problem]:
    if count == 0:
        return
    if matched == 0:
        yield Problem(f"{kind}-never", path, _NEVER[kind], severity="warning")
    elif matched == count:
        yield Problem(f"{kind}-always", path, _ALWAYS[kind].format(what=what), severity="warning")


def try_rows(ensemble: Ensemble, space: Space, inputs: Mapping[str, str] | None) -> Iterator[Problem]:
    """Jobs of the first rows of every block. Raises `RowError` where one fails."""
    if not all(map(_can_be_tried, space.blocks)):
        return  # counting them is the plan's work
    if space.count == 0:
        hint = "look at what `exclude`, `where` and `when` leave"
        yield Problem("no-rows", ("parameters",), "there is nothing to compute: no rows are left", hint)
    jobs = make_jobs(ensemble, space, inputs or {one.name: "0" * 64 for one in ensemble.inputs})
    starts = _named_starts(ensemble)
    for block in space.blocks:
        for job in jobs.walk(block.start, block.start + min(MOST_ROWS, block.count)):
            for path in [path for path, name in starts.items() if not is_moment(job.row.values.get(name))]:
                yield _no_beginning(job.row, starts.pop(path), path)


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
