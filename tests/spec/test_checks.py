"""Rules a schema cannot say: text in, (line, column, code) out. HEAD is three lines, so text begins on line 4."""

from __future__ import annotations

from typing import Any

import pytest

from cloudburst.spec.checks import CHECKS, FUNCTIONS


# ── names ────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    "name",
    [
        "row",
        "replicate",
        "inputs",
        "job_id",
        "lambda",
        "class",
        "sqrt",
        "pi",
        "str",
        "self",
        "none",
        '"true"',
        "a-b",
    ]
    + ["2x", "a.b", '"a b"', '""', "ﬁx"],
)
def test_names_that_mean_something_else_or_are_no_identifiers(marks: Any, name: str) -> None:
    assert marks(f"parameters:\n  fixed:\n    {name}: 1\n") == [(6, 5, "parameter-name")]


@pytest.mark.parametrize("name", ["demand", "größe", "_x", "Row", "rows", "id", "x1", "seed"])
def test_names_that_are_fine(marks: Any, name: str) -> None:
    assert marks(f"parameters: {{fixed: {{{name}: 1}}}}") == []


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("parameters: {grid: {row: [1]}}", (4, 21, "parameter-name")),
        ("parameters: {zip: [{row: [1]}]}", (4, 21, "parameter-name")),
        ("parameters: {cases: [{a: 1}, {row: 1}]}", (4, 31, "parameter-name")),
        (
            "parameters: {sample: {method: lhs, n: 1, of: {row: {uniform: [0, 1]}}}}",
            (4, 47, "parameter-name"),
        ),
        ("parameters: {replicates: {n: 1, as: row}}", (4, 33, "parameter-name")),
        ("parameters: {derive: {row: 1}}", (4, 23, "parameter-name")),
        ("parameters: {table: {file: cases.csv}}", (4, 14, "parameter-name")),
    ],
)
def test_every_source_of_names_is_looked_at(marks: Any, text: str, mark: tuple[int, int, str]) -> None:
    assert marks(text, cases="row\n1\n") == [mark]


def test_expressions_and_reserved_names_agree(read: Any) -> None:
    """The next room's functions are the ones no parameter may be called."""
    from cloudburst.compile import expressions

    assert set(expressions.FUNCTIONS) == FUNCTIONS


@pytest.mark.parametrize(
    ("text", "mark", "first"),
    [
        ("parameters:\n  fixed: {a: 1}\n  grid: {a: [1, 2]}\n", (6, 10, "given-twice"), (5, 11)),
        ("parameters:\n  grid: {a: [1]}\n  zip: [{b: [1], a: [1]}]\n", (6, 18, "given-twice"), (5, 10)),
        ("parameters:\n  zip:\n  - {a: [1]}\n  - {a: [1]}\n", (7, 6, "given-twice"), (6, 6)),
        ("parameters:\n  grid: {a: [1]}\n  cases: [{b: 1}, {a: 1}]\n", (6, 20, "given-twice"), (5, 10)),
        ("parameters:\n  fixed: {seed: 1}\n  replicates: 3\n", (6, 3, "given-twice"), (5, 11)),
        ("parameters:\n  fixed: {s: 1}\n  replicates: {n: 3, as: s}\n", (6, 22, "given-twice"), (5, 11)),
        ("parameters:\n  grid: {a: [1]}\n  derive: {a: 2}\n", (6, 12, "given-twice"), (5, 10)),
        ("parameters:\n  grid: {a: [1]}\n  table: {file: cases.csv}\n", (6, 3, "given-twice"), (5, 10)),
        (
            "parameters:\n  grid: {a: [1]}\n  sample: {method: lhs, n: 1, of: {a: {uniform: [0, 1]}}}\n",
            (6, 36, "given-twice"),
            (5, 10),
        ),
    ],
)
def test_a_name_has_one_source_in_a_block(
    read: Any, text: str, mark: tuple[int, int, str], first: tuple[int, int]
) -> None:
    (diagnostic,) = read(text, cases="a\n1\n").diagnostics

    assert (diagnostic.span.line, diagnostic.span.column, diagnostic.code) == mark
    assert [(r.span.line, r.span.column) for r in diagnostic.related] == [first]


def test_two_blocks_may_give_the_same_name(marks: Any) -> None:
    assert marks("parameters: [{fixed: {a: 1}}, {fixed: {a: 2}}]") == []


def test_block_names_are_given_once(marks: Any) -> None:
    assert marks("parameters:\n- block: a\n- block: b\n- block: a\n") == [(7, 10, "duplicate-block")]
    assert marks("parameters:\n- fixed: {a: 1}\n- block: block-1\n") == [(6, 10, "duplicate-block")]


@pytest.mark.parametrize("name", ["a-b", "items", "class", "2a"])
def test_names_of_inputs(marks: Any, name: str) -> None:
    assert marks(f"parameters: {{}}\ninputs: {{{name}: file}}") == [(5, 10, "input-name")]


# ── values ───────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("grid: {a: {from: 0.8, to: 1.25, step: 0.1}}", (5, 29, "range-misses-end")),
        ("grid: {a: {values: {from: 0.8, to: 1.25, step: 0.1}, when: b}}", (5, 13, "range-misses-end")),
        ("grid: {a: {from: 1, to: 3, step: 0}}", (5, 36, "zero-step")),
        ("grid: {a: {from: 1, to: 3, step: -1}}", (5, 36, "wrong-way")),
        ("grid: {a: {from: 0, to: 3, count: 4, scale: log}}", (5, 20, "log-of-nothing")),
        ("grid: {a: {from: 1, to: 3, count: 1}}", (5, 37, "wrong-count")),
        ("zip: [{a: {from: 0, to: 1, step: 0.3}, b: [1, 2, 3, 4]}]", (5, 27, "range-misses-end")),
    ],
)
def test_ranges(marks: Any, text: str, mark: tuple[int, int, str]) -> None:
    assert marks(f"parameters:\n  {text}\n") == [mark]


def test_unequal_zip_lengths_show_both_lines(read: Any) -> None:
    text = "parameters:\n  zip:\n  - pump: [P1, P2, P3]\n    curve: [low, high]\n    hour: {from: 1, to: 3, step: 1}\n"

    (diagnostic,) = read(text).diagnostics

    assert (diagnostic.span.line, diagnostic.span.column, diagnostic.code) == (7, 12, "unequal-zip")
    assert [(r.span.line, r.span.column) for r in diagnostic.related] == [(6, 5)]
    assert diagnostic.message == '"curve" has 2 values, and "pump" beside it has 3'


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("grid: {a: [1, 2, 1.0]}", [(5, 20, "repeated-value")]),
        ("grid: {a: [[1], [1.0]]}", [(5, 19, "repeated-value")]),
        ("cases: [{a: 1, b: 2}, {b: 2, a: 1.0}]", [(5, 25, "repeated-value")]),
        ("grid: {a: [1, true, '1', null, [1]]}", []),
        ("zip: [{a: [1, 1], b: [1, 2]}]", []),
    ],
)
def test_what_is_listed_twice_is_a_warning(read: Any, text: str, found: list[tuple[int, int, str]]) -> None:
    loaded = read(f"parameters:\n  {text}\n")

    assert [(d.span.line, d.span.column, d.code) for d in loaded.diagnostics] == found
    assert all(d.severity == "warning" for d in loaded.diagnostics)
    assert loaded.ensemble is not None


# ── distributions ────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("distribution", "found"),
    [
        ("{uniform: [2, 1]}", [(5, 49, "empty-range")]),
        ("{uniform: [1, 1.0]}", [(5, 49, "empty-range")]),
        ("{loguniform: [2, 1]}", [(5, 52, "empty-range")]),
        ("{loguniform: [0, 1]}", [(5, 53, "log-of-nothing")]),
        ("{loguniform: [-6, -3]}", [(5, 53, "log-of-nothing")]),
        ("{integers: [3, 1]}", [(5, 50, "empty-range")]),
        ("{integers: [3, 3]}", []),
        ("{choice: [a, b], weights: [1]}", [(5, 65, "unequal-weights")]),
        ("{choice: [a, b], weights: [0, 0]}", [(5, 65, "no-weight")]),
        ("{choice: [a, b], weights: [1, 0]}", []),
    ],
)
def test_distributions(marks: Any, distribution: str, found: list[tuple[int, int, str]]) -> None:
    assert marks(f"parameters:\n  sample: {{method: lhs, n: 4, of: {{p: {distribution}}}}}\n") == found


# ── worker ───────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("more", "code"),
    [
        ("timeout: 0s", "out-of-range"),
        ("needs: {memory: 0 GB}", "out-of-range"),
        ('python: "3.8"', "old-python"),
        ('python: "3.9"', None),
        ("timeout: 1s", None),
        ("scratch: 0 B", "out-of-range"),
        ("stop_grace: 0.5s", "out-of-range"),
        ("stop_grace: 8d", "out-of-range"),
        ("stop_grace: 1s", None),
    ],
)
def test_worker(marks: Any, more: str, code: str | None) -> None:
    text = f"cloudburst: 1\nname: s\nworker: {{directory: d, entrypoint: a:b, {more}}}\nparameters: {{}}\n"
    text += "cluster: {provider: swarm}\n"

    assert [(line, found) for line, _, found in marks(text, head=False)] == ([(3, code)] if code else [])


def test_every_check_is_in_the_table() -> None:
    from cloudburst.spec import checks

    written = {value for name, value in vars(checks).items() if name.startswith("check_")}

    assert written == set(CHECKS)


# ── one at a time, units, bounds ─────────────────────────────────────────────────────────────
def test_what_moves_has_a_centre_that_is_a_number(marks: Any) -> None:
    assert marks("""\
        parameters:
          oat:
            centre: {speed: 1, pipe: steel, open: true}
            steps: {sped: 0.1, pipe: 1, open: 1, speed: 0.1}
        """) == [(7, 13, "no-centre"), (7, 30, "centre-no-number"), (7, 39, "centre-no-number")]


def test_steps_may_be_ranges_and_those_are_checked(marks: Any) -> None:
    assert marks("""\
        parameters:
          oat:
            centre: {a: 1, b: x}
            steps:
              a: {from: 2, to: 3, step: 0.3}
              b: [y, x, z]
        """) == [(8, 24, "range-misses-end"), (9, 14, "repeated-value")]


def test_a_name_of_the_centre_has_no_second_source(marks: Any) -> None:
    assert marks("parameters:\n  fixed: {a: 2}\n  oat: {centre: {a: 1}, steps: {a: 1}}\n") == [
        (6, 18, "given-twice")
    ]


def test_one_parameter_has_one_unit(marks: Any) -> None:
    assert marks("""\
        parameters:
          - block: a
            grid: {x: {values: [1, 2], unit: m}, y: [1]}
          - block: b
            zip: [{x: {values: [1, 2], unit: mm}}]
          - block: c
            sample: {method: random, n: 2, of: {x: {uniform: [0, 1], unit: m}}}
        """) == [(8, 38, "units-differ")]


def test_ranges_in_a_zip_have_a_length_only_where_it_is_known(marks: Any) -> None:
    assert marks("""\
        parameters:
          fixed: {n: 3}
          zip:
            - a: {from: 1, to: n, step: 1}
              b: {from: 0, to: n, count: 4}
              c: [1, 2, 3]
        """) == [(9, 10, "unequal-zip")]


def test_a_step_of_nothing_is_seen_without_a_point(marks: Any) -> None:
    assert marks("parameters: {fixed: {n: 3}, grid: {a: {from: 1, to: n, step: 0}}}") == [
        (4, 62, "zero-step")
    ]


@pytest.mark.parametrize(
    ("bound", "code"),
    [
        ('"1,000"', "wrong-type"),
        ('"3"', "wrong-type"),
        ('"10:30"', "wrong-type"),
        ("true", "wrong-type"),
        ('"n"', None),
    ],
)
def test_a_bound_is_a_number_or_an_expression(marks: Any, bound: str, code: str | None) -> None:
    text = f"parameters: {{fixed: {{n: 3}}, grid: {{a: {{from: 1, to: {bound}, step: 1}}}}}}"
    assert [found for _, _, found in marks(text)] == ([code] if code else [])


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("take: 0", "out-of-range"),
        ("take: {}", "empty"),
        ("take: {n: 0}", "out-of-range"),
        ("take: {skip: -1}", "out-of-range"),
        ("order: shuffle", "wrong-type"),
        ("order: {}", "missing-key"),
        ("order: {shufle: 1}", "unknown-key"),
        ("replicates: {n: 2, paired: 1}", "wrong-type"),
        ("oat: {centre: {a: 1}, steps: {a: 0}}", "out-of-range"),
        ("oat: {centre: {a: 1}, steps: {a: []}}", "empty"),
        ("oat: {centre: {a: 1}}", "missing-key"),
        ("oat: {centre: {a: 1}, steps: {a: 1}, each_side: 0}", "out-of-range"),
        ("grid: {a: {values: [1], unit: 3}}", "wrong-type"),
    ],
)
def test_what_a_block_can_do_with_its_rows_has_a_form(marks: Any, text: str, code: str) -> None:
    found = {found for _, _, found in marks(f"parameters:\n  {text}\n")}
    assert code in found
    assert found <= {code, "unknown-key", "missing-key"}
