"""The dashboard fits the types that Grafana publishes; Grafana itself is not started."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from cloudburst.compile.dashboard import make_dashboard

from .schema import Schema, installed
from .studies import STUDIES, rich

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def schema() -> Schema:
    return installed()


def test_the_dashboard_fits_grafanas_published_schema(schema: Schema, tmp_path: Path) -> None:
    dashboards = {name: make_dashboard(study) for name, study in STUDIES.items()}
    assert schema.problems(dashboards, tmp_path) == {name: [] for name in dashboards}


def test_what_does_not_fit_is_found(schema: Schema, tmp_path: Path) -> None:
    """The types are not the kind that take anything, at any depth."""
    wrong = {name: changed(path, value) for name, (path, value) in WRONG.items()}
    found = schema.problems(wrong, tmp_path)
    assert [name for name, problems in found.items() if not problems] == []


def first(kind: str) -> int:
    return next(at for at, panel in enumerate(make_dashboard(rich())["panels"]) if panel["type"] == kind)


WRONG: dict[str, tuple[tuple[str | int, ...], Any]] = {
    "unknown_key": (("titel",), "waves"),
    "wrong_type": (("refresh",), 30),
    "tooltip_of_no_kind": (("graphTooltip",), 7),
    "link_of_no_kind": (("links", 0, "type"), "url"),
    "variable_of_no_kind": (("templating", "list", 1, "type"), "sql"),
    "variable_with_an_unknown_key": (("templating", "list", 1, "multiple"), True),
    "variable_half_chosen": (("templating", "list", 1, "current"), {"text": "All"}),
    "panel_of_no_kind": (("panels", first("stat"), "type"), "number"),
    "panel_without_a_place": (("panels", first("stat"), "gridPos"), {"x": 0, "y": 0, "w": 1}),
    "query_without_a_letter": (("panels", first("stat"), "targets", 0), {"query": "SELECT 1"}),
    "stat_option": (("panels", first("stat"), "options", "colorMode"), "blue"),
    "table_option": (("panels", first("table"), "options", "cellHeight"), "tiny"),
    "table_cells": (("panels", first("table"), "fieldConfig", "defaults", "custom", "wrap"), True),
    "line_option": (("panels", first("timeseries"), "options", "legend", "placement"), "left"),
    "line_style": (("panels", first("timeseries"), "fieldConfig", "defaults", "custom", "showPoints"), "no"),
    "dots": (("panels", first("xychart"), "options", "mapping"), "automatic"),
    "bins": (("panels", first("histogram"), "options", "buckets"), 20),
}


def changed(path: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    dashboard = deepcopy(make_dashboard(rich()))
    at: Any = dashboard
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    return dashboard
