"""Grafana's dashboard of a study, made from the spec: the ensemble, and for each measurement its series and bands.

What jobs return is not known before they run, so measurements, fields and the values of parameters are
variables that Grafana fills from InfluxDB; which parameters there are to choose by is known from the spec.
What is asked stands in `influxql.py`, a panel's form in `panels.py`. The model is Grafana's classic one, as version 11.6 writes it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from math import prod
from typing import Any

from ..spec import ranges
from ..spec.ensemble import (
    Axis,
    Block,
    Cases,
    Ensemble,
    InfluxSink,
    Listed,
    Oat,
    Replicates,
    Sample,
    Source,
    Table,
    Value,
)
from ..spec.moments import is_moment, moment
from . import panels
from .draws import Draws
from .filters import axes
from .influxql import PERCENTILES, Queries, lots
from .measurements import ABOUT_JOB, OUTPUTS, make_names
from .panels import DATABASE, UID, WIDTH, Json
from .space import BlockSpace, make_oat, names_in

SCHEMA_VERSION = 41
"""Of Grafana's dashboard model, as Grafana 11.6 writes it."""

SPANS = {
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(days=7),
    "month": timedelta(days=31),
    "year": timedelta(days=366),
}
"""Of simulated time. How long a study simulates is not in its file: each is a link, the week is shown at first."""
SHOWN_AT_FIRST = "week"

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(2262, 1, 1, tzinfo=UTC)
"""Later moments InfluxDB cannot hold."""

ROOT = "../../../../"
"""From any page of Grafana to the gateway: a path from `/` Grafana would look for below its own."""


def bundled(ensemble: Ensemble) -> tuple[str, ...]:
    """The databases in the stack's own InfluxDB, in the order written, each once."""
    return tuple(dict.fromkeys(sink.database for sink in _sinks(ensemble)))


def datasource_uid(position: int) -> str:
    """How a dashboard names the datasource of the database at `position` in `bundled`."""
    return f"cloudburst-{position}"


def datasource_name(database: str) -> str:
    """How people find it in Grafana."""
    return f"InfluxDB {database}"


def make_dashboard(ensemble: Ensemble) -> Json:
    """The dashboard as JSON. `ensemble` has at least one sink in the stack's own InfluxDB."""
    sinks = _sinks(ensemble)
    names = [make_names(ensemble, sink) for sink in sinks]
    tags = _merged(one.tags for one in names)
    fields = _merged(one.fields for one in names)
    queries = Queries(ensemble.name, _variables_of(tags.values()), _has_replicates(ensemble))
    begin = _begin(ensemble, sinks)
    varied = [fields[name] for name in _varied(ensemble) if name in fields and name not in tags]
    return {
        "uid": UID,
        "title": ensemble.name,
        "description": "Made from the ensemble file. Times are simulated times.",
        "tags": ["cloudburst"],
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "timezone": "utc",
        "refresh": "1m",
        "time": {"from": _iso(begin), "to": _iso(_end(begin, SPANS[SHOWN_AT_FIRST]))},
        "links": [_status_link(), *(_span_link(name, begin, span) for name, span in SPANS.items())],
        "annotations": {"list": []},
        "templating": {
            "list": [
                _datasource_variable(bundled(ensemble)),
                *_about_series(queries, _most_jobs(ensemble)),
                *_about_outputs(queries, fields.values(), varied),
                *(_choice(queries.choices[tag], name, queries.values(tag)) for name, tag in tags.items()),
            ]
        },
        "panels": _placed(_sections(tags, varied, queries)),
    }


# ── what the file says ───────────────────────────────────────────────────────────────────────
def _sinks(ensemble: Ensemble) -> tuple[InfluxSink, ...]:
    return tuple(sink for sink in ensemble.results if isinstance(sink, InfluxSink) and sink.url is None)


def _merged(maps: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Of every sink: where one of them has no such tag, all of its points match."""
    return {name: known_as for one in maps for name, known_as in one.items()}


def _variables_of(tags: Iterable[str]) -> dict[str, str]:
    """Tag -> the variable of its chosen values. Grafana's variables are ASCII letters, digits and `_`."""
    named: dict[str, str] = {}
    for tag in tags:
        name = "of_" + re.sub(r"[^A-Za-z0-9_]", "_", tag)
        while name in named.values():
            name += "_"
        named[tag] = name
    return named


def _has_replicates(ensemble: Ensemble) -> bool:
    return any(isinstance(source, Replicates) for block in ensemble.blocks for source in block.sources)


def _varied(ensemble: Ensemble) -> list[str]:
    """Parameters that may differ from job to job, seeds apart: worth drawing an output against."""
    blocks = ensemble.blocks
    same = {one.name for block in blocks for one in block.fixed}
    seeds = {s.name for block in blocks for s in block.sources if isinstance(s, Replicates)}
    return [name for name in _parameters(blocks) if name not in same | seeds]


def _most_jobs(ensemble: Ensemble) -> int:
    """Before `when`, `exclude` and `where` take some away."""
    return sum(_most_rows(block, ensemble.seed) for block in ensemble.blocks)


def _most_rows(block: Block, seed: int) -> int:
    sizes = [_size(source) for source in block.sources]
    if None in sizes:
        return BlockSpace(block, seed, Draws(), lambda: 0).size
    return prod(size for size in sizes if size is not None)


def _size(source: Source) -> int | None:
    """None where it hangs on other sources."""
    if isinstance(source, Sample):
        return source.count
    if isinstance(source, Replicates):
        return source.n
    if isinstance(source, Cases | Table):
        return len(source.rows)
    if isinstance(source, Oat):
        return make_oat(source).count
    counts = [ranges.known_length(axis.values) for axis in axes(source)]
    return min((count for count in counts if count is not None), default=None)


def _parameters(blocks: Iterable[Block]) -> list[str]:
    return list(dict.fromkeys(name for block in blocks for name in names_in(block)))


def _begin(ensemble: Ensemble, sinks: Sequence[InfluxSink]) -> datetime:
    """The earliest moment a job of the study can start at, as far as the file tells; else 1970."""
    starts = [sink.start for sink in sinks if sink.start is not None]
    told = [value for start in starts for value in _told(ensemble, start)]
    return min((found for value in told if (found := _moment(value)) is not None), default=EPOCH)


def _told(ensemble: Ensemble, start: str) -> list[Value]:
    """The moment itself, or every value the file lists for the parameter with that name."""
    if start not in _parameters(ensemble.blocks):
        return [start]
    fixed = [one.value for block in ensemble.blocks for one in block.fixed if one.name == start]
    sources = (source for block in ensemble.blocks for source in block.sources)
    return [*fixed, *(value for source in sources for value in _listed(source, start))]


def _listed(source: Source, name: str) -> tuple[Value, ...]:
    if isinstance(source, Cases | Table):
        return tuple(row[name] for row in source.rows if name in row)
    if isinstance(source, Oat):
        oat = make_oat(source)
        return tuple(part[name] for part in oat.walk(0, oat.count) if name in part)
    return tuple(value for axis in axes(source) if axis.name == name for value in _values(axis))


def _values(axis: Axis) -> tuple[Value, ...]:
    """All of them, or the two ends of a range; an end that is an expression tells nothing here."""
    values = axis.values
    if isinstance(values, Listed):
        return values.values
    return tuple(end for end in (values.start, values.stop) if not isinstance(end, str))


def _moment(value: Value) -> datetime | None:
    if isinstance(value, str):
        return moment(value)
    if isinstance(value, int | float) and is_moment(value):
        return EPOCH + timedelta(seconds=value)
    return None


def _end(begin: datetime, span: timedelta) -> datetime:
    return min(begin + span, LATEST)


def _iso(when: datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%S.000Z")


# ── variables ────────────────────────────────────────────────────────────────────────────────
_ASKED_AT_LOAD = 1
_ASKED_AT_TIME_CHANGE = 2
_SHOWN, _HIDDEN = 0, 2
_BY_ALPHABET, _AS_PEOPLE_SORT = 1, 7

ALL = {"text": ["All"], "value": ["$__all"]}


def _about_series(queries: Queries, jobs: int) -> list[Json]:
    shares, fitting = lots(jobs)
    return [
        _asked("measurement", "Series", queries.measurements(), regex=_none_of([OUTPUTS]), **_MANY),
        # What a series without columns of its own is stored as; where there is none, Grafana takes the first.
        _asked("field", "Column", queries.fields(), current={"text": "value", "value": "value"}),
        _listed_choice("drawn", "Drawn", shares, fitting),
    ]


def _about_outputs(queries: Queries, fields: Iterable[str], varied: Sequence[str]) -> list[Json]:
    """`fields` are parameters stored beside the outputs, `varied` those to draw an output against."""
    regex = _none_of((*ABOUT_JOB, *fields))
    against = (
        [_listed_choice("against", "Against", {name: name for name in varied}, varied[0])] if varied else []
    )
    return [_asked("output", "Output", queries.outputs(), regex=regex), *against]


_MANY: Json = {"multi": True, "includeAll": True, "current": ALL}
"""Any number can be chosen, at first all."""


def _none_of(names: Iterable[str]) -> str:
    """A variable's `regex`, which keeps every other name."""
    return f"/^(?!(?:{'|'.join(map(re.escape, names))})$).*/"


def _choice(variable: str, label: str, query: str) -> Json:
    """`allValue`: who chose no value of a parameter gets the jobs that have none too."""
    return _asked(variable, label, query, sort=_AS_PEOPLE_SORT, allValue=".*", **_MANY)


def _asked(
    name: str, label: str, query: str, *, regex: str = "", sort: int = _BY_ALPHABET, **more: Any
) -> Json:
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": DATABASE,
        "query": query,
        "regex": regex,
        "refresh": _ASKED_AT_TIME_CHANGE,
        "sort": sort,
        "hide": _SHOWN,
        "multi": False,
        "includeAll": False,
        **more,
    }


def _datasource_variable(databases: Sequence[str]) -> Json:
    """Hidden where there is nothing to choose."""
    return {
        "name": "database",
        "label": "Database",
        "type": "datasource",
        "query": "influxdb",
        "regex": "",
        "current": {"text": datasource_name(databases[0]), "value": datasource_uid(0)},
        "hide": _SHOWN if len(databases) > 1 else _HIDDEN,
        "refresh": _ASKED_AT_LOAD,
        "multi": False,
        "includeAll": False,
    }


def _listed_choice(name: str, label: str, values: Mapping[str, str], chosen: str) -> Json:
    """One of what stands here: text -> value, neither with a comma in it."""
    return {
        "name": name,
        "label": label,
        "type": "custom",
        "query": ",".join(f"{text} : {value}" for text, value in values.items()),
        "current": {"text": chosen, "value": values[chosen]},
        "hide": _SHOWN,
        "multi": False,
        "includeAll": False,
    }


# ── panels ───────────────────────────────────────────────────────────────────────────────────
def _sections(tags: Mapping[str, str], varied: Sequence[str], queries: Queries) -> list[Json]:
    """All panels in order; each says how wide (w) and high (h) it is."""
    return [
        panels.make_row("The ensemble"),
        panels.make_number("Jobs", "That are done, of the chosen values.", queries.count_jobs()),
        panels.make_number("Repeated", "Jobs that needed more than one attempt.", queries.count_repeated()),
        panels.make_number("Computed for", "The jobs' own times, added up.", queries.seconds(), unit="s"),
        panels.make_histogram(queries.values_of_output()),
        panels.make_moments(queries.first_moment(), queries.last_moment()),
        *(panels.make_by_parameter(name, queries.by_parameter(tag)) for name, tag in tags.items()),
        *([panels.make_dots(queries.against())] if varied else []),
        panels.make_jobs(queries.jobs()),
        panels.make_row("${measurement}", repeat="measurement"),
        panels.make_bands([(share, queries.percentile(share)) for share in PERCENTILES]),
        panels.make_one_by_one(queries.one_by_one(), queries.alias),
    ]


def _placed(unplaced: Iterable[Json]) -> list[Json]:
    """From left to right, and down where a line is full."""
    placed = []
    x = y = height = 0
    for number, panel in enumerate(unplaced, start=1):
        width, own = panel.pop("w"), panel.pop("h")
        if x + width > WIDTH:
            x, y, height = 0, y + height, 0
        placed.append({"id": number, **panel, "gridPos": {"x": x, "y": y, "w": width, "h": own}})
        x, height = x + width, max(height, own)
    return placed


# ── links ────────────────────────────────────────────────────────────────────────────────────
def _status_link() -> Json:
    """In a tab of its own: Grafana keeps other links to itself."""
    return {**_link("Status of the study", ROOT), "icon": "info", "targetBlank": True}


def _span_link(name: str, begin: datetime, span: timedelta) -> Json:
    """The same page, with what was chosen, over the first hour, day … of the study."""
    url = f"/d/{UID}?from={_milliseconds(begin)}&to={_milliseconds(_end(begin, span))}"
    return {**_link(f"First {name}", url), "icon": "dashboard", "includeVars": True}


def _link(title: str, url: str) -> Json:
    return {
        "title": title,
        "url": url,
        "type": "link",
        "tooltip": "",
        "tags": [],
        "asDropdown": False,
        "includeVars": False,
        "keepTime": False,
        "targetBlank": False,
    }


def _milliseconds(when: datetime) -> int:
    return (when - EPOCH) // timedelta(milliseconds=1)
