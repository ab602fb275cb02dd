"""Laws of explaining: what is told of a row is the row, and every place is one in the file that has the value."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import jsonschema
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from cloudburst import assets
from cloudburst.cli.views import explain as view
from cloudburst.cli.views.paint import PLAIN
from cloudburst.compile.draws import Draws
from cloudburst.compile.explain import Subject, explain
from cloudburst.compile.filters import RowError
from cloudburst.compile.identity import canonical
from cloudburst.compile.jobs import make_jobs
from cloudburst.compile.provenance import provenance
from cloudburst.compile.space import BlockSpace, make_space
from cloudburst.spec import load
from cloudburst.spec.ensemble import (
    Axis,
    Block,
    Bounded,
    Cases,
    Choice,
    Counted,
    Ensemble,
    Exclude,
    Listed,
    Oat,
    Replicates,
    Sample,
    Stepped,
    Table,
    Values,
    Zip,
)

from .strategies import ensembles

MOST_ROWS = 12


def some(count: int) -> list[int]:
    """A few of so many, the first and the last among them."""
    last = count - 1
    return sorted({last * step // MOST_ROWS for step in range(MOST_ROWS + 1)}) if count else []


def excluded_before(space: BlockSpace, written: int) -> int:
    """Points before a row that `exclude` takes away, found by looking at every one of them."""
    stage = space.exclude_stage
    if stage is None:
        return 0
    each = space.available // stage.count
    kept = left_out = 0
    for position, part in enumerate(stage.candidates.walk(0, stage.candidates.count)):
        if space.exclude(position, part) is None:
            left_out += 1
        elif kept == written // each:
            break
        else:
            kept += 1
    return left_out * each


@given(ensembles())
@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much], max_examples=60)
def test_every_value_follows_from_its_rule(study: Ensemble) -> None:
    try:
        space = make_space(study)
        for block in space.blocks:
            for index in some(block.count):
                row = space[block.start + index]
                found = provenance(block, row, study.seed, Draws(), {})
                told = {origin.name: origin.value for origin in found.origins}
                assert canonical(told) == canonical(row.values)
                assert {one.name for one in found.absent} == set(block.names) - told.keys()
                assert all(origin.rule for origin in found.origins)
                way = block.way(index)
                assert way.excluded == excluded_before(block, way.written)
    except RowError:
        assume(False)


# ── in a file ────────────────────────────────────────────────────────────────────────────────
def as_file(study: Ensemble) -> tuple[str, dict[str, str]]:
    """A study as it would be written, and the tables beside it."""
    tables: dict[str, str] = {}
    document = {
        "cloudburst": 1,
        "name": study.name,
        "seed": study.seed,
        "worker": {"directory": ".", "entrypoint": "model:run"},
        "parameters": [_block(block, tables) for block in study.blocks],
        **({} if study.job is None else {"job": study.job}),
    }
    return json.dumps(document, indent=1), tables


def _block(block: Block, tables: dict[str, str]) -> dict[str, Any]:
    """Of the kinds of sources that can stand apart only the order among themselves is kept."""
    found: dict[str, Any] = {"block": block.name, "fixed": {one.name: one.value for one in block.fixed}}
    for source in block.sources:
        if isinstance(source, Axis):
            found.setdefault("grid", {})[source.name] = _axis(source)
        elif isinstance(source, Zip):
            found.setdefault("zip", []).append({axis.name: _axis(axis) for axis in source.axes})
        elif isinstance(source, Cases):
            found["cases"] = list(source.rows)
        elif isinstance(source, Table):
            name = f"{block.name}.jsonl"
            tables[name] = "".join(json.dumps(row) + "\n" for row in source.rows)
            found["table"] = {"file": name, "columns": list(source.columns)}
        elif isinstance(source, Sample):
            draws = {draw.name: _distribution(draw.distribution) for draw in source.draws}
            found["sample"] = {"method": source.method, "n": source.n, "of": draws}
        elif isinstance(source, Oat):
            steps = {name: list(s.values) if isinstance(s, Listed) else s for name, s in source.steps.items()}
            beside = {"each_side": source.each_side, "include_centre": source.include_centre}
            found["oat"] = {"centre": source.centre, "steps": steps, **beside}
        elif isinstance(source, Replicates):
            found["replicates"] = {"n": source.n, "as": source.name, "paired": source.paired}
    found["derive"] = {one.name: one.expression for one in block.derive}
    found["exclude"] = [_exclude(entry) for entry in block.exclude]
    found |= {} if block.shuffle is None else {"order": {"shuffle": block.shuffle}}
    if block.take.n is not None:
        found["take"] = {"skip": block.take.skip, "n": block.take.n}
    return {key: value for key, value in found.items() if value}


def _axis(axis: Axis) -> Any:
    written = _values(axis.values)
    if axis.when is None:
        return written
    return {**(written if isinstance(written, dict) else {"values": written}), "when": axis.when}


def _values(values: Values) -> Any:
    match values:
        case Listed():
            return list(values.values)
        case Stepped():
            return {"from": values.start, "to": values.stop, "step": values.step}
        case Counted():
            return {"from": values.start, "to": values.stop, "count": values.count}
        case Bounded():
            last = {"step": values.step} if values.count is None else {"count": values.count}
            return {"from": values.start, "to": values.stop, **last}


def _distribution(distribution: Any) -> dict[str, Any]:
    if isinstance(distribution, Choice):
        weights = {} if distribution.weights is None else {"weights": list(distribution.weights)}
        return {"choice": list(distribution.values), **weights}
    names = {"low": "min", "high": "max"}
    given = {names.get(f.name, f.name): getattr(distribution, f.name) for f in fields(distribution)}
    return {type(distribution).__name__.lower(): {key: v for key, v in given.items() if v is not None}}


def _exclude(entry: Exclude) -> Mapping[str, Any]:
    return {"where": entry.where} if entry.where is not None else entry.match or {}


def at(text: str, span: Mapping[str, int]) -> str:
    lines = text.split("\n")
    assert 1 <= span["line"] <= span["end_line"] <= len(lines)
    assert 1 <= span["column"] <= len(lines[span["line"] - 1]) + 1
    assert 1 <= span["end_column"] <= len(lines[span["end_line"] - 1]) + 1
    covered = lines[span["line"] - 1 : span["end_line"]]
    covered[-1] = covered[-1][: span["end_column"] - 1]
    return "\n".join(covered)[span["column"] - 1 :]


SCHEMA = jsonschema.Draft7Validator(json.loads(assets.schema("explain").read_text("utf-8")))
AS_WRITTEN = ("fixed", "cases")


def check_places(form: Any, text: str) -> None:
    """All places of a form lie in the file."""
    if isinstance(form, dict):
        if form.keys() == {"file", "span", "path"}:
            assert at(text, form["span"]).strip()
        for inner in form.values():
            check_places(inner, text)
    elif isinstance(form, list):
        for inner in form:
            check_places(inner, text)


@given(ensembles(), st.data())
@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much], max_examples=60)
def test_every_place_is_in_the_file_and_has_the_value(study: Ensemble, data: st.DataObject) -> None:
    text, tables = as_file(study)
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "ensemble.yaml"
        for name, content in {file.name: text, **tables}.items():
            (Path(directory) / name).write_text(content, "utf-8")
        loaded = load(file)
    assume(loaded.ensemble is not None)
    assert loaded.ensemble is not None
    try:
        jobs = make_jobs(loaded.ensemble, make_space(loaded.ensemble), {})
        assume(jobs.count)
        index = data.draw(st.integers(0, jobs.count - 1))
        subject = Subject(loaded.ensemble, jobs, Draws(), loaded.document, {})
        whole, one = explain(subject), explain(subject, index)
        job = jobs[index]
    except RowError:
        assume(False)
    for form in (whole, one):
        SCHEMA.validate(form)
        check_places(form, text)
        lines = "\n".join(view.lines(form, width=80, paint=PLAIN)).split("\n")
        assert max(map(len, lines[1:])) <= 80
    row = one["row"]
    assert canonical({p["name"]: p["value"] for p in row["parameters"]}) == canonical(job.row.values)
    assert row["id"]["id"] == job.id
    for parameter in row["parameters"]:
        is_element = parameter["kind"] == "grid" and parameter["place"]["path"].endswith("]")
        if parameter["kind"] in AS_WRITTEN or is_element:
            written = at(text, parameter["place"]["span"])
            if not isinstance(parameter["value"], dict | list):
                assert canonical(json.loads(written)) == canonical(parameter["value"])
    same = [other.row.index for other in jobs if other.id == job.id and other.row.index != index]
    assert row["same_job"]["rows"] == same[:20]
    assert bool(same) == bool(row["same_job"]["because"])
