"""Every mistake of a file in one run: no pass hides what a later one finds, where the two are independent."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloudburst.run.observe import diagnose

HEAD = "cloudburst: 1\nname: study\nworker: {directory: model, entrypoint: model:run}\n"

MISTAKES = """\
cloudburst: 1
name: Study
worker: {directory: model, entrypoint: model:rum, retires: 3}
inputs: {city: data/cty.inp}
parameters:
  - block: main
    fixed: {hours: "168", unit: 010}
    grid:
      demand: {from: 0, to: 1, step: 0.3}
      x: [1, 2]
      x: [3]
      network: {vlaues: [a, b]}
      y: {values: [1, 2], when: "netwrk == 'a'"}
    zip:
      - {a: [1, 2], b: [1]}
    derive: {z: "demnd + 1", w: "x = 1", v: "network"}
    exclude:
      - {q: 1}
  - block: corners
    grid: {x: [1], name-x: [1]}
job: {x: "{{ x }}", y: "{{ yy }}", t: "{{ inputs.cty }}", n: "{{ network }}"}
cluster: {provider: loca, ttl: 8}
results: [{table: {path: a.xls}}]
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.py").write_text("def run(job):\n    return job\n", "utf-8")
    (tmp_path / "model" / "net.inp").touch()
    (tmp_path / "data").mkdir()
    for name in ("city.inp", "town.inp"):
        (tmp_path / "data" / name).touch()
    return tmp_path


def marks(home: Path, text: str) -> list[tuple[int, int, str]]:
    (home / "ensemble.yaml").write_text(text, "utf-8")
    found = diagnose(home / "ensemble.yaml")
    return [(d.span.line, d.span.column, d.code) for d in found if d.span is not None]


def test_nineteen_mistakes_of_six_passes_in_the_order_of_their_lines(home: Path) -> None:
    assert marks(home, MISTAKES) == [
        (2, 7, "wrong-form"),
        (3, 40, "no-function"),
        (3, 51, "unknown-key"),
        (4, 16, "no-input"),
        (7, 33, "reads-as-text"),
        (9, 29, "range-misses-end"),
        (11, 7, "duplicate-key"),
        (12, 17, "unknown-key"),
        (13, 33, "unknown-name"),
        (15, 24, "unequal-zip"),
        (16, 17, "unknown-name"),
        (16, 33, "expression"),
        (18, 10, "unknown-name"),
        (20, 20, "parameter-name"),
        (21, 24, "unknown-name"),
        (21, 39, "unknown-input"),
        (22, 21, "unknown-value"),
        (22, 32, "wrong-type"),
        (23, 26, "wrong-form"),
    ]


@pytest.mark.parametrize(
    "broken",
    [
        "parameters: {gird: {x: [1]}, derive: {y: 'x + 1'}}",
        "parameters: {x: [1], derive: {y: 'x + 1'}}",
        "parameters: {grid: {x: {from: 0, to: 1}}, derive: {y: 'x + 1'}}",
        "parameters: {table: {file: none.csv}, derive: {y: 'x + 1'}}",
        "parameters: {sample: {methd: lhs, n: 2, of: {x: {uniform: [0, 1]}}}, derive: {y: 'x + 1'}}",
        "parameters: {grid: {a: [1]}, replicates: {n: 0, as: x}, derive: {y: 'x + 1'}}",
        "parameters: {cases: [{x: 1}, 2], derive: {y: 'x + 1'}}",
    ],
)
def test_a_name_that_may_have_been_given_where_something_is_wrong_is_not_unknown(
    home: Path, broken: str
) -> None:
    codes = [code for _, _, code in marks(home, HEAD + broken + '\njob: {y: "{{ y + x }}"}\n')]

    assert codes
    assert not {"unknown-name", "unused-parameter", "name-absent"} & set(codes)


def test_what_only_rented_machines_have_is_not_blamed_where_the_provider_is_misspelt(home: Path) -> None:
    text = HEAD + "parameters: {grid: {x: [1]}}\ncluster: {provider: digitalocaen, max_cost: 5}\n"

    assert [code for _, _, code in marks(home, text)] == ["unknown-value"]


def test_a_condition_is_tried_although_a_template_is_wrong(home: Path) -> None:
    text = HEAD + (
        "parameters:\n"
        "  - {block: a, grid: {x: [1]}, exclude: [{x: 3}]}\n"
        "  - {block: b, grid: {x: [1]}, derive: {y: z}}\n"
        'job: {x: "{{ xx }}"}\n'
    )

    assert (5, 42, "exclude-never") in marks(home, text)


@pytest.mark.parametrize(
    ("part", "found"),
    [
        ("fixed: {city: data/city.inp}", [(4, 28)]),
        ("grid: {city: [data/city.inp, data/town.inp]}", [(4, 28)]),
        ("cases: [{city: x}, {city: data/town.inp}]", [(4, 40)]),
        ("table: {file: cities.csv}", [(4, 28)]),
        ("cases: [{city: {file: data/town.inp}}]", [(4, 29)]),
        ("grid: {city: {glob: data/*.inp}}", []),
        ("grid: {city: [net.inp, none.inp]}", []),
    ],
)
def test_files_that_no_worker_will_find(home: Path, part: str, found: list[tuple[int, int]]) -> None:
    (home / "cities.csv").write_text("n,city\n1,data/city.inp\n2,data/town.inp\n", "utf-8")

    said = marks(home, f"{HEAD}parameters: {{{part}}}\n")

    assert [(line, column) for line, column, code in said if code == "file-not-sent"] == found


def test_a_path_that_an_input_brings_is_no_mistake(home: Path) -> None:
    text = HEAD + "inputs: {city: data/city.inp}\nparameters: {fixed: {city: data/city.inp}}\n"

    assert marks(home, text) == []
