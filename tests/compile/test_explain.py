"""A study explained: places in its files, its jobs key by key, the rows that are one job."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema

from cloudburst import assets
from cloudburst.compile import explain as room
from cloudburst.compile.draws import Draws
from cloudburst.compile.explain import Subject, explain
from cloudburst.compile.jobs import make_jobs
from cloudburst.compile.space import make_space
from cloudburst.spec import load

if TYPE_CHECKING:
    import pytest

HEAD = """\
cloudburst: 1
name: tanks
worker: {directory: model, entrypoint: "tank:fill"}
"""


def subject(directory: Path, text: str, **others: str) -> Subject:
    for name, content in {"ensemble": HEAD + text, **others}.items():
        (directory / name.replace("_", ".")).write_text(content, "utf-8")
    loaded = load(directory / "ensemble")
    assert loaded.ensemble is not None, loaded.diagnostics
    jobs = make_jobs(loaded.ensemble, make_space(loaded.ensemble), {})
    return Subject(loaded.ensemble, jobs, Draws(), loaded.document, {})


def explained(study: Subject, row: int | None = None) -> Any:
    form = explain(study, row)
    jsonschema.Draft7Validator(json.loads(assets.schema("explain").read_text("utf-8"))).validate(form)
    return json.loads(json.dumps(form))["row"] if row is not None else form


def places(row: Any) -> dict[str, tuple[str, int, int]]:
    """Path, line and column of every parameter."""
    return {
        one["name"]: (one["place"]["path"], one["place"]["span"]["line"], one["place"]["span"]["column"])
        for one in [*row["parameters"], *row["absent"]]
    }


def test_a_value_is_found_at_its_own_line_however_it_is_written(tmp_path: Path) -> None:
    text = """\
parameters:
  fixed: {hours: 168}
  grid:
    listed:
      - 1
      - 2
    with_key: {values: [a, b], when: "listed == 2"}
    literal: {value: [7]}
    range:
      from: 1
      to: 2
      step: 1
  cases:
    - {x: 1}
    - x: 2
"""
    row = explained(subject(tmp_path, text), 11)
    assert places(row) == {
        "hours": ("parameters.fixed.hours", 5, 18),
        "listed": ("parameters.grid.listed[1]", 9, 9),
        "with_key": ("parameters.grid.with_key.values[1]", 10, 28),
        "literal": ("parameters.grid.literal.value", 11, 15),
        "range": ("parameters.grid.range", 12, 5),
        "x": ("parameters.cases[1].x", 18, 10),
    }
    assert [one["value"] for one in row["parameters"]] == [168, 2, "b", [7], 2, 2]
    absent = explained(subject(tmp_path, text), 0)["absent"]
    assert absent[0]["rule"] == "its `when` listed == 2 is false"
    assert absent[0]["place"]["path"] == "parameters.grid.with_key.when"


def test_what_a_file_extends_is_named(tmp_path: Path) -> None:
    base = "parameters:\n  grid:\n    x: [1, 2]\n    y: [3, 4]\n"
    row = explained(
        subject(tmp_path, "extends: base.yaml\nparameters:\n  grid: {y: [5]}\n", base_yaml=base), 1
    )
    assert {one["name"]: Path(one["place"]["file"]).name for one in row["parameters"]} == {
        "x": "base.yaml",
        "y": "ensemble",
    }
    assert places(row)["x"] == ("parameters.grid.x[1]", 3, 12)


def test_a_job_is_told_key_by_key(tmp_path: Path) -> None:
    text = """\
parameters:
  grid: {x: [1, 2], y: {values: [3], when: "x == 2"}}
job:
  model: {x: "{{ x }}", y: "{{ y }}"}
  label:
    - "x is {{ x + 1 }}"
    - plain
"""
    job = explained(subject(tmp_path, text), 0)["job"]
    told = [
        (k["key"], k["value"], k["template"], k["uses"], k["left_out"], k["place"]["span"]["line"])
        for k in job["keys"]
    ]
    assert told == [
        ("model.x", 1, "{{ x }}", ["x"], False, 7),
        ("model.y", None, "{{ y }}", ["y"], True, 7),
        ("label[0]", "x is 2", "x is {{ x + 1 }}", ["x"], False, 9),
        ("label[1]", "plain", None, [], False, 10),
    ]
    assert job["description"] == {"model": {"x": 1}, "label": ["x is 2", "plain"]}
    assert (job["argv"], job["words"]) == (None, [])


def test_a_command_is_told_word_by_word(tmp_path: Path) -> None:
    text = HEAD.replace('entrypoint: "tank:fill"', 'command: [./solve, "--x={{ x }}"]')
    (tmp_path / "other.yaml").write_text(text + "parameters: {grid: {x: [1, 2]}}\n")
    loaded = load(tmp_path / "other.yaml")
    assert loaded.ensemble is not None
    jobs = make_jobs(loaded.ensemble, make_space(loaded.ensemble), {})
    row = explained(Subject(loaded.ensemble, jobs, Draws(), loaded.document, {}), 1)
    assert [(one["key"], one["value"]) for one in row["job"]["words"]] == [
        ("[0]", "./solve"),
        ("[1]", "--x=2"),
    ]
    assert row["job"]["words"][1]["place"]["path"] == "worker.command[1]"
    assert row["id"]["callee"] == row["job"]["argv"] == ["./solve", "--x=2"]


SAME = """\
parameters:
  - {block: main, grid: {x: [1, 2], label: [a, b]}}
  - {block: corners, cases: [{x: 2, label: c}]}
job: {x: "{{ x }}"}
"""


def test_rows_that_are_one_job_and_why(tmp_path: Path) -> None:
    study = subject(tmp_path, SAME)
    assert explained(study, 3)["same_job"] == {
        "looked": True,
        "count": 2,
        "rows": [2, 4],
        "because": [
            "the job does not take `label`, and nothing else differs",
            "blocks main and corners both give it; the job does not take `label`, and nothing else differs",
        ],
    }


def test_an_id_that_leaves_a_parameter_out(tmp_path: Path) -> None:
    text = "parameters:\n  grid:\n    x: [1, 2]\n    y: {values: [0.5, 1], was: 0.5}\n  replicates: 2\n"
    study = subject(tmp_path, text)
    row = explained(study, 1)
    (left_out,) = row["id"]["as_before"]
    assert (left_out["name"], left_out["was"], left_out["place"]["span"]["line"]) == ("y", 0.5, 7)
    assert row["parameters"][-1]["rule"].endswith("that number and the 2 parameters above but y")
    assert explained(study, 2)["id"]["as_before"] == []


def test_among_too_many_rows_none_are_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = subject(tmp_path, SAME)
    monkeypatch.setattr(room, "MOST_COMPARED", 4)
    assert explained(study, 3)["same_job"] == {"looked": False, "count": None, "rows": [], "because": []}


def test_a_row_of_a_space_nobody_could_walk(tmp_path: Path) -> None:
    axes = "".join(f"    p{i}: {{from: 1, to: 1000000, count: 1000000}}\n" for i in range(4))
    text = f"parameters:\n  grid:\n{axes}  sample: {{method: lhs, n: 1000000, of: {{x: {{integers: [1, 6]}}}}}}\n"
    row = explained(subject(tmp_path, text), 10**30 - 1)
    assert [one["value"] for one in row["parameters"][:4]] == [1_000_000] * 4
    assert row["parameters"][4]["rule"].startswith("LHS stratum")


def test_the_place_of_a_row_in_its_block(tmp_path: Path) -> None:
    text = """\
parameters:
  - {block: first, grid: {x: [1, 2]}}
  - block: second
    grid: {y: [1, 2, 3, 4]}
    exclude: [{y: 2}]
    take: {skip: 1, n: 1}
"""
    position = explained(subject(tmp_path, text), 2)["position"]
    assert {key: position[key] for key in ("in_block", "of", "excluded_before", "written", "skipped")} == {
        "in_block": 0,
        "of": 1,
        "excluded_before": 1,
        "written": 1,
        "skipped": 1,
    }
    assert position["exclude"]["span"]["line"] == 8
    assert position["take"]["span"]["line"] == 9
    assert position["order"] is None


def test_a_whole_study_block_by_block(tmp_path: Path) -> None:
    text = """\
parameters:
  - {block: first, grid: {x: [1, 2]}}
  - block: second
    grid: {y: {from: 1, to: 4, step: 1, unit: m}}
    exclude: [{y: 2}, {where: y > 3}]
    order: {shuffle: 7}
"""
    first, second = explained(subject(tmp_path, text))["blocks"]
    assert (first["block"], first["start"], first["arithmetic"]["count"]) == ("first", 0, 2)
    assert (second["start"], second["arithmetic"]["excluded"], second["shuffle"]) == (2, 2, 7)
    (y,) = second["parameters"]
    assert (y["name"], y["unit"], y["kind"], y["rule"]) == ("y", "m", "grid", "4 values, 1 … 4 by 1")
    assert [(one["rule"], one["place"]["span"]["line"]) for one in second["exclude"]] == [
        ("y == 2", 8),
        ("y > 3", 8),
    ]
    assert second["order"]["span"]["line"] == 9
