"""What a study's points are called in InfluxDB: measurements, tags and fields.

The sink writes them and the dashboard asks for them; both take the names from here. Escaping is the
sink's business alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..spec.ensemble import Axis, Cases, Ensemble, InfluxSink, Oat, Source, Value, Zip
from .space import names_in

OUTPUTS = "outputs"
"""The measurement of what jobs returned beside their series: one point a job."""

STUDY, ID, BLOCK, REPLICATE = "study", "id", "block", "replicate"
TAGS = (STUDY, ID, BLOCK, REPLICATE)
"""On every point, before the chosen parameters; `replicate` only where the row has one."""

ATTEMPTS = "attempts"
"""A field that the point of every job has."""

ABOUT_JOB = (ATTEMPTS, "started", "seconds", "worker", "payload")
"""Fields of `outputs` beside what the job returned, as in the table."""

TIME = "time"
"""InfluxDB keeps this name for itself."""

SHARDS = "52w"
"""Simulated time spans years where monitored time spans weeks; a shard costs a server memory and files."""

_PREFIX = "series."
_COMMENT = "#"


@dataclass(frozen=True)
class Names:
    """The names of one study in one sink. `tags` maps each chosen parameter to its tag, `fields` each other
    parameter to its field in `outputs`."""

    study: str
    tags: Mapping[str, str]
    fields: Mapping[str, str]

    def of_outputs(self, outputs: Iterable[str]) -> dict[str, str]:
        """Output -> field in `outputs`; `out.<name>` where the name is taken."""
        return _free(outputs, "out.", {*self._on_every_point, *ABOUT_JOB, *self.fields.values()})

    def of_columns(self, columns: Iterable[str]) -> dict[str, str]:
        """Column of a series -> field in its measurement; `out.<name>` where a tag has the name."""
        return _free(columns, "out.", set(self._on_every_point))

    @property
    def _on_every_point(self) -> tuple[str, ...]:
        return (*TAGS, TIME, *self.tags.values())


def make_names(ensemble: Ensemble, sink: InfluxSink) -> Names:
    """A parameter whose name is taken is `in.<name>`."""
    parameters = dict.fromkeys(name for block in ensemble.blocks for name in names_in(block))
    chosen = set(sink.tags if sink.tags is not None else few_valued(ensemble))
    tags = _free((name for name in parameters if name in chosen), "in.", {*TAGS, TIME})
    rest = (name for name in parameters if name not in chosen)
    return Names(ensemble.name, tags, _free(rest, "in.", {*TAGS, TIME, *tags.values(), *ABOUT_JOB}))


def few_valued(ensemble: Ensemble) -> tuple[str, ...]:
    """The parameters that are tags when the file does not say: those of `grid`, `zip`, `cases` and `oat`."""
    names = (name for block in ensemble.blocks for source in block.sources for name in _listed(source))
    return tuple(dict.fromkeys(names))


def _listed(source: Source) -> Iterable[str]:
    if isinstance(source, Axis):
        return (source.name,)
    if isinstance(source, Zip):
        return (axis.name for axis in source.axes)
    if isinstance(source, Oat):
        return tuple(source.centre)
    if isinstance(source, Cases):
        return dict.fromkeys(name for row in source.rows for name in row)
    return ()


def measurement_of(series: str) -> str:
    """A series keeps its name, unless that is taken (`outputs`) or InfluxDB cannot have it."""
    bare = series
    while bare.startswith(_PREFIX):
        bare = bare.removeprefix(_PREFIX)
    taken = bare == OUTPUTS or not series or series.startswith(_COMMENT)
    return _PREFIX + series if taken else series


def tag_text(value: Value) -> str:
    """A parameter's value as a tag; empty for null. Numbers that are equal are one text: 1 and 1.0 are `1`."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _free(names: Iterable[str], prefix: str, taken: set[str]) -> dict[str, str]:
    """Each name, with the prefix as often as it takes to be free."""
    named = {}
    for name in names:
        free = name
        while not free or free in taken:
            free = prefix + free
        taken.add(free)
        named[name] = free
    return named
