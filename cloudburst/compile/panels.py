"""The panels of a study's dashboard as Grafana's JSON, each with its width `w` and height `h` in the grid.

What they ask is said in `influxql.py`, where they stand in `dashboard.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .influxql import MOST_DOTS, MOST_ROWS, MOST_SERIES
from .measurements import STUDY

Json = dict[str, Any]

UID = "study"
"""Of the dashboard."""
DATABASE = {"type": "influxdb", "uid": "${database}"}
"""The datasource of every panel and variable: the one that is chosen."""

WIDTH = 24
"""Grafana's grid has so many columns."""
HALF, THIRD = WIDTH // 2, WIDTH // 3


def make_row(title: str, *, repeat: str = "") -> Json:
    repeated = {"repeat": repeat} if repeat else {}
    return {"type": "row", "title": title, "collapsed": False, "panels": [], **repeated, "w": WIDTH, "h": 1}


_NO_NUMBERS = "No numbers: `Output` above may be a text."
_NO_COLUMN = "Nothing in this range of time, or this series has no such `Column`."


def make_number(title: str, description: str, query: str, *, unit: str = "none") -> Json:
    options = {
        "reduceOptions": {"values": False, "calcs": ["lastNotNull"], "fields": ""},
        "orientation": "auto",
        "colorMode": "none",
        "graphMode": "none",
        "justifyMode": "auto",
        "textMode": "value",
        "wideLayout": True,
        "showPercentChange": False,
        "percentChangeColorMode": "standard",
    }
    targets = [_target("A", query, "table")]
    return {
        **_panel("stat", title, description, targets, THIRD, 4),
        "fieldConfig": {"defaults": {"unit": unit, "noValue": "0"}, "overrides": []},
        "options": options,
    }


def make_histogram(query: str) -> Json:
    description = f"Of {MOST_DOTS} jobs at most."
    return {
        **_panel("histogram", "${output}", description, [_target("A", query, "table")], HALF, 8),
        "fieldConfig": {"defaults": {"custom": {"fillOpacity": 60}, "noValue": _NO_NUMBERS}, "overrides": []},
        "options": {"combine": False, "legend": _legend(shown=False), "tooltip": _TOOLTIP},
        "transformations": [_organized(excludes=_TIME)],
    }


def make_dots(query: str) -> Json:
    title, description = "${output} against ${against}", f"Of {MOST_DOTS} jobs at most."
    return {
        **_panel("xychart", title, description, [_target("A", query, "table")], HALF, 8),
        "fieldConfig": {
            "defaults": {"custom": {"show": "points", "pointSize": {"fixed": 4}}, "noValue": _NO_NUMBERS},
            "overrides": [],
        },
        "options": {"mapping": "auto", "series": [], "legend": _legend(shown=False), "tooltip": _TOOLTIP},
        "transformations": [_organized(excludes=_TIME)],
    }


def make_by_parameter(name: str, query: str) -> Json:
    table = _table(f"${{output}} by {name}", "Percentiles over the jobs with each value.", query, HALF, 8)
    table["fieldConfig"]["defaults"]["noValue"] = _NO_NUMBERS
    return {**table, "transformations": [_organized(excludes=_TIME)]}


def make_jobs(query: str) -> Json:
    table = _table("Table of jobs", f"Outputs and parameters, of {MOST_ROWS} jobs at most.", query, WIDTH, 10)
    return {**table, "transformations": [_organized(excludes=(*_TIME, STUDY))]}


def make_moments(first: str, last: str) -> Json:
    """One line for each series: what it is called, its first moment and its last."""
    table = _table("When", "Click on a moment to show its series from beginning to end.", first, HALF, 8)
    grouped = {
        "Metric": {"operation": "groupby", "aggregations": []},
        "Time": {"operation": "aggregate", "aggregations": ["min", "max"]},
    }
    table["fieldConfig"]["overrides"] = [
        _override("byRegexp", "/^(First|Last)$/", ("unit", "dateTimeAsIso"), ("links", [_whole_series()]))
    ]
    return {
        **table,
        "targets": [_target("A", first, alias="$m"), _target("B", last, alias="$m")],
        "transformations": [
            {"id": "seriesToRows", "options": {}},
            {"id": "groupBy", "options": {"fields": grouped}},
            _organized(renames={"Metric": "Series", "Time (min)": "First", "Time (max)": "Last"}),
        ],
    }


def _whole_series() -> Json:
    moments = "from=${__data.fields.First.numeric}&to=${__data.fields.Last.numeric}"
    return {
        "title": "Show from beginning to end",
        "url": f"/d/{UID}?{moments}&${{__all_variables}}",
        "targetBlank": False,
    }


def make_bands(shares: Sequence[tuple[int, str]]) -> Json:
    targets = [
        _target(chr(ord("A") + at), query, alias=f"{share} %") for at, (share, query) in enumerate(shares)
    ]
    low, lower, middle, upper, high = (f"{share} %" for share, _ in shares)
    return {
        **_over_time("Percentiles over the jobs", "Of the points of all jobs in an interval.", targets),
        "fieldConfig": {
            "defaults": {**_LINES, "custom": {**_LINES["custom"], "lineWidth": 0, "fillOpacity": 0}},
            "overrides": [
                _override("byName", high, ("custom.fillBelowTo", low), ("custom.fillOpacity", 15)),
                _override("byName", upper, ("custom.fillBelowTo", lower), ("custom.fillOpacity", 30)),
                _override("byName", middle, ("custom.lineWidth", 2)),
            ],
        },
    }


def make_one_by_one(query: str, alias: str) -> Json:
    description = (
        f"{MOST_SERIES} of those that are drawn, at most; `Drawn` above says which share of the jobs."
    )
    return {
        **_over_time("Job by job", description, [_target("A", query, alias=alias)], legend=False),
        "fieldConfig": {"defaults": _LINES, "overrides": []},
    }


# ── parts of panels ──────────────────────────────────────────────────────────────────────────
_TIME = ("Time",)
"""A job's point stands at its start and says nothing of when it ran."""
_LINES: Json = {"custom": {"lineWidth": 1, "showPoints": "never", "spanNulls": True}, "noValue": _NO_COLUMN}
_TOOLTIP = {"mode": "single", "sort": "none"}


def _legend(*, shown: bool) -> Json:
    return {"displayMode": "list", "placement": "bottom", "showLegend": shown, "calcs": []}


def _panel(kind: str, title: str, description: str, targets: Sequence[Json], width: int, height: int) -> Json:
    return {
        "type": kind,
        "title": title,
        "description": description,
        "datasource": DATABASE,
        "targets": list(targets),
        "w": width,
        "h": height,
    }


def _over_time(title: str, description: str, targets: Sequence[Json], *, legend: bool = True) -> Json:
    options = {"legend": _legend(shown=legend), "tooltip": _TOOLTIP}
    return {**_panel("timeseries", title, description, targets, HALF, 10), "options": options}


def _table(title: str, description: str, query: str, width: int, height: int) -> Json:
    cells = {"align": "auto", "cellOptions": {"type": "auto"}, "inspect": False, "filterable": True}
    return {
        **_panel("table", title, description, [_target("A", query, "table")], width, height),
        "fieldConfig": {"defaults": {"custom": cells}, "overrides": []},
        "options": {"showHeader": True, "cellHeight": "sm", "frameIndex": 0},
    }


def _organized(*, excludes: Iterable[str] = (), renames: Mapping[str, str] | None = None) -> Json:
    options = {
        "excludeByName": dict.fromkeys(excludes, True),
        "indexByName": {},
        "renameByName": dict(renames or {}),
    }
    return {"id": "organize", "options": options}


def _override(matcher: str, of: str, *properties: tuple[str, Any]) -> Json:
    written = [{"id": name, "value": value} for name, value in properties]
    return {"matcher": {"id": matcher, "options": of}, "properties": written}


def _target(ref: str, query: str, form: str = "time_series", *, alias: str = "") -> Json:
    aliased = {"alias": alias} if alias else {}
    return {
        "refId": ref,
        "datasource": DATABASE,
        "query": query,
        "rawQuery": True,
        "resultFormat": form,
        **aliased,
    }
