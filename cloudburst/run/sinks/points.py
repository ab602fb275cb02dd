"""What one job has to say in InfluxDB: its series and its outputs as points, their lines, and how many there are.

Pure: what is stored already, and how lines travel, is not known here.
"""

from __future__ import annotations

import hashlib
import json
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import isfinite, nan
from typing import Any

from ...compile.jobs import Job
from ...compile.measurements import (
    ATTEMPTS,
    BLOCK,
    ID,
    OUTPUTS,
    REPLICATE,
    STUDY,
    Names,
    measurement_of,
    tag_text,
)
from ..results import Outcome
from ..series import NO_TIME, Series, Values
from .line_protocol import cut, name, series_key, storable, text_value
from .moments import SECOND, job_start, times_of
from .table import PAYLOAD_DIGITS, flat

Expected = Mapping[tuple[str, str], int]
"""(measurement, field) -> how many values of it are stored when everything is."""

NOT_FINITE = "values that are NaN or infinite"
NO_MOMENT = "points without a time that InfluxDB can hold"
SAME_MOMENT = "points at the moment of another point of their series"
TEXT_INDEX = "points of series whose index is text"

_AT_ONCE = 1000
"""Points whose lines are made together."""

_TIME = 8  # bytes of one


@dataclass(frozen=True)
class Field:
    """One field of a measurement: a number (NaN where there is none) or a text (None) for each point."""

    name: str
    values: Sequence[float] | Sequence[str | None]
    is_text: bool = False

    @cached_property
    def present(self) -> Sequence[bool]:
        """Where there is something to store."""
        if self.is_text:
            return [value is not None for value in self.values]
        return list(map(isfinite, self.values))  # type: ignore[arg-type]

    @cached_property
    def is_whole(self) -> bool:
        if self.is_text:
            return None not in self.values
        return all(map(isfinite, self.values))  # type: ignore[arg-type]

    def written(self, start: int, stop: int) -> list[str | None]:
        """`name=value` for these points; None where there is nothing to store."""
        key = name(self.name)
        values: Sequence[Any] = self.values[start:stop]
        if self.is_text:
            return [None if value is None else f"{key}={text_value(value)}" for value in values]
        if self.is_whole:
            return [f"{key}={value!r}" for value in values]
        return [f"{key}={value!r}" if isfinite(value) else None for value in values]


@dataclass(frozen=True)
class Points:
    """Points of one measurement with the same tags. A point whose time is None cannot be stored."""

    measurement: str
    key: str
    times: Sequence[int | None]
    fields: tuple[Field, ...]

    def blocks(self, *, apart: bool = False) -> Iterator[list[str]]:
        """Lines, some at a time. With `apart` each value is a line: where one is refused the others of its
        point are not."""
        groups = tuple((one,) for one in self.fields) if apart else self._together
        for start in range(0, len(self.times), _AT_ONCE):
            times = self.times[start : start + _AT_ONCE]
            for fields in groups:
                yield self._block(fields, times, start)

    def _block(self, fields: Sequence[Field], times: Sequence[int | None], start: int) -> list[str]:
        key, one = self.key, fields[0]
        if len(fields) == 1 and one.is_whole and not one.is_text and self.is_timed:
            head = f"{key} {name(one.name)}="  # nearly every series is like this
            values = one.values[start : start + len(times)]
            return [f"{head}{value!r} {time}" for value, time in zip(values, times, strict=True)]
        rows = zip(*(one.written(start, start + len(times)) for one in fields), strict=True)
        joined = (",".join(filter(None, row)) for row in rows)
        pairs = zip(joined, times, strict=True)
        return [f"{key} {values} {time}" for values, time in pairs if values and time is not None]

    @property
    def _together(self) -> tuple[tuple[Field, ...], ...]:
        """Numbers and texts in lines of their own: InfluxDB makes one point of them, unless it refuses one."""
        kinds = (tuple(x for x in self.fields if x.is_text is kind) for kind in (False, True))
        return tuple(kind for kind in kinds if kind)

    def values_stored(self) -> Iterator[tuple[str, int]]:
        """Each field with how many values of it have a moment of their own."""
        for one in self.fields:
            count = len(self._moments) if one.is_whole else len(self._moments_of(one))
            if count:
                yield one.name, count

    @cached_property
    def is_timed(self) -> bool:
        return None not in self.times

    @cached_property
    def _moments(self) -> frozenset[int | None]:
        return frozenset(self.times) - {None}

    def _moments_of(self, one: Field) -> set[int]:
        pairs = zip(self.times, one.present, strict=True)
        return {time for time, is_there in pairs if is_there and time is not None}

    @property
    def count(self) -> int:
        """Points that are stored: those at one moment are one, those with nothing to store none."""
        if any(one.is_whole for one in self.fields):
            return len(self._moments)
        return len(set[int]().union(*map(self._moments_of, self.fields)))

    def left_out(self) -> Iterator[tuple[str, int]]:
        """(what, how many) of what is not stored, and cannot be."""
        timeless = self.times.count(None)
        yield NO_MOMENT, timeless
        yield SAME_MOMENT, len(self.times) - timeless - len(self._moments)
        yield NOT_FINITE, sum(len(x.present) - sum(x.present) for x in self._broken_numbers)

    @property
    def _broken_numbers(self) -> Iterator[Field]:
        return (one for one in self.fields if not one.is_text and not one.is_whole)

    def describe(self) -> Iterator[bytes]:
        """All but the values: two with the same description store over each other, value for value."""
        yield json.dumps([self.key, [one.name for one in self.fields]]).encode()
        times: Any = (
            self.times if self.is_timed else [NO_TIME if time is None else time for time in self.times]
        )
        yield array("q", times).tobytes()
        yield from (bytes(one.present) for one in self.fields if not one.is_whole)


@dataclass(frozen=True)
class JobPoints:
    """All points of one job. `problem` says why some cannot be made; `left_out` counts what cannot be stored."""

    id: str
    parts: tuple[Points, ...]
    left_out: Mapping[str, int] = field(default_factory=dict)
    problem: str = ""

    def blocks(self, *, apart: bool = False) -> Iterator[list[str]]:
        for part in self.parts:
            yield from part.blocks(apart=apart)

    def lines(self) -> Iterator[str]:
        return (line for block in self.blocks() for line in block)

    @cached_property
    def expected(self) -> Expected:
        return {(part.measurement, key): count for part in self.parts for key, count in part.values_stored()}

    @cached_property
    def count(self) -> int:
        return sum(part.count for part in self.parts)

    @cached_property
    def shape(self) -> str:
        """Where its points are, whatever their values: a job whose shape changed leaves old points behind."""
        found = hashlib.sha256()
        for part in self.parts:
            for piece in part.describe():
                found.update(len(piece).to_bytes(_TIME, "big") + piece)
        return found.hexdigest()[:20]


def make_points(
    job: Job, outcome: Outcome, series: Iterable[Series], names: Names, start: str | None
) -> JobPoints:
    """The points of a job that is done, deterministic in everything: writing them again overwrites them."""
    tags = tags_of(job, names)
    try:
        begins = job_start(start, job.row.values)
    except ValueError as error:
        return JobPoints(job.id, (), problem=f"job {job.id[:8]} has no points: {error}")
    parts = [part for one in series for part in _of_series(one, tags, names, begins)]
    left_out: Counter[str] = Counter()
    for one in series:
        if one.index.kind == "text":
            left_out[TEXT_INDEX] += len(one)
    parts.append(_of_outputs(job, outcome, tags, names, begins))
    for part in parts:
        left_out.update(dict(part.left_out()))
    return JobPoints(job.id, tuple(parts), {what: n for what, n in left_out.items() if n})


def tags_of(job: Job, names: Names) -> dict[str, str]:
    """What every point of a job is tagged with, as it can be written."""
    row = job.row
    tags = {STUDY: names.study, ID: job.id, BLOCK: row.block}
    if row.replicate is not None:
        tags[REPLICATE] = str(row.replicate)
    for parameter, tag in names.tags.items():
        tags[tag] = tag_text(row.values.get(parameter))
    return {storable(tag): storable(cut(value)) for tag, value in tags.items()}


def _of_series(series: Series, tags: Mapping[str, str], names: Names, start: int) -> Iterator[Points]:
    times = times_of(series.index, start)
    if times is None:
        return
    measurement = storable(measurement_of(series.name))
    fields = names.of_columns(column.name for column in series.columns)
    yield Points(
        measurement,
        series_key(measurement, tags),
        times,
        tuple(_field(storable(fields[column.name]), column) for column in series.columns),
    )


def _field(called: str, column: Values) -> Field:
    """Numbers as floats; durations and moments in seconds, the latter since 1970."""
    if column.kind == "text":
        return Field(called, column.stored, is_text=True)
    if column.kind == "float64":
        return Field(called, column.stored)
    if column.kind == "int64":
        return Field(called, array("d", column.stored))
    return Field(called, array("d", [nan if t == NO_TIME else t / SECOND for t in column.stored]))


def _of_outputs(job: Job, outcome: Outcome, tags: Mapping[str, str], names: Names, start: int) -> Points:
    """One point: what the job returned beside its series, the parameters that are no tags, and how it went."""
    fields: dict[str, Any] = {
        ATTEMPTS: outcome["attempt"],
        "started": outcome["started"],
        "seconds": outcome["seconds"],
        "worker": outcome["worker"],
        "payload": outcome["payload"][:PAYLOAD_DIGITS],
    }
    values = job.row.values
    fields |= {called: values[parameter] for parameter, called in names.fields.items() if parameter in values}
    returned = flat(outcome["result"] or {})
    called = names.of_outputs(returned)
    fields |= {called[output]: value for output, value in returned.items()}
    key = series_key(OUTPUTS, tags)
    made = (_scalar(storable(known_as), value) for known_as, value in fields.items() if value is not None)
    return Points(OUTPUTS, key, (start,), tuple(made))


def _scalar(called: str, value: Any) -> Field:
    """Numbers and booleans as floats; lists, maps and texts as text."""
    if isinstance(value, str):
        return Field(called, (value,), is_text=True)
    if isinstance(value, list | dict):
        return Field(called, (json.dumps(value, ensure_ascii=False),), is_text=True)
    try:
        return Field(called, (float(value),))
    except OverflowError:  # an integer beyond every float
        return Field(called, (nan,))


def bodies(blocks: Iterable[list[str]], enough_lines: int, enough_bytes: int) -> Iterator[bytes]:
    """The lines as bodies of requests, each sent as soon as it has enough of either."""
    waiting: list[str] = []
    size = 0
    for block in blocks:
        waiting += block
        size += sum(map(len, block))
        if len(waiting) >= enough_lines or size >= enough_bytes:
            yield "\n".join(waiting).encode()
            waiting, size = [], 0
    if waiting:
        yield "\n".join(waiting).encode()
