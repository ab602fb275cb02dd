from __future__ import annotations

from typing import Any

import pytest
from compile.nouns import Counted, axis, block, cases, ensemble, replicates, table

from cloudburst.compile.checks import check
from cloudburst.diagnostics import dotted
from cloudburst.spec.ensemble import Block

A, B = axis("a", 1, 2), axis("b", "x", "y")


def found(*blocks: Block, **study: Any) -> list[tuple[str, str, str]]:
    return [(dotted(p.path), p.code, p.severity) for p in check(ensemble(*blocks, **study))]


@pytest.mark.parametrize(
    ("trial", "place", "code"),
    [
        (block(A, B, exclude=[{"a": 1}, {"a": 3}]), "parameters.exclude[1]", "exclude-never"),
        (block(A, B, exclude=["a > 2", {"a": 1}]), "parameters.exclude[0].where", "exclude-never"),
        (block(A, axis("c", 1, when="a > 2")), "parameters.grid.c.when", "when-never"),
        (block(A, axis("c", 1, when="a > 0")), "parameters.grid.c.when", "when-always"),
        (block(A, table({"p": 1}, {"p": 2}, where="p > 0")), "parameters.table.where", "where-always"),
    ],
)
def test_what_is_never_or_always_true_is_a_warning(trial: Block, place: str, code: str) -> None:
    assert found(trial) == [(place, code, "warning")]


def test_each_entry_of_an_exclude_is_tried_by_itself() -> None:
    assert found(block(A, B, exclude=["a == 1", {"a": 1, "b": "x"}])) == []


def test_no_rows_at_all_is_an_error() -> None:
    assert found(block(A, exclude=["a > 0"])) == [
        ("parameters.exclude[0].where", "exclude-always", "warning"),
        ("parameters", "no-rows", "error"),
    ]
    assert ("parameters", "no-rows", "error") in found(block(A, table({"p": 1}, where="p > 1")))


def test_a_row_that_fails_is_named_with_its_values() -> None:
    (problem,) = check(ensemble(block(A, axis("c", 1, 0), derive={"x": "a / c"})))
    assert (problem.code, problem.path) == ("expression-fails", ("parameters", "derive", "x"))
    assert problem.message == "row 1, where a=1, c=0: `a / c` fails: division by zero"


def test_a_template_and_a_command_are_tried_too() -> None:
    assert found(block(axis("a", 1, 0)), job={"x": ["{{ 1 / a }}"]}) == [
        ("job.x[0]", "expression-fails", "error")
    ]
    some = block(cases({"a": 1}, {"b": 2}))
    assert found(some, job={"x": "{{ a }}", "y": "{{ b }}"}) == []
    assert found(some, job={"x": "{{ a }}", "y": "b={{ b }}"}) == [("job.y", "expression-fails", "error")]
    assert found(block(A, replicates(2)), command=("s", "{{ seed / (a - 2) }}")) == [
        ("worker.command[1]", "expression-fails", "error")
    ]


def test_every_block_is_tried() -> None:
    second = block(axis("a", 0), derive={"x": "1 / a"}, name="second")
    assert found(block(axis("a", Counted(1, 5000, 5000))), second) == [
        ("parameters.derive.x", "expression-fails", "error")
    ]


def test_a_failing_condition_is_reported_once() -> None:
    assert found(block(A, B, exclude=["b > 1"])) == [
        ("parameters.exclude[0].where", "expression-fails", "error")
    ]


def test_the_trial_is_bounded() -> None:
    huge = [axis(f"p{i}", Counted(0, 99, 100)) for i in range(6)]
    assert found(block(*huge, axis("c", 1, when="p0 > 200"))) == [
        ("parameters.grid.c.when", "too-many-points", "error")
    ]
    assert found(block(*huge, exclude=["p5 > 50"])) == [
        ("parameters.exclude[0].where", "too-many-points", "error")
    ]
    assert found(block(*huge, exclude=["p0 > 50"])) == []
    assert found(block(*huge, exclude=["p0 > 500"])) == [
        ("parameters.exclude[0].where", "exclude-never", "warning")
    ]
    assert found(block(*huge)) == []
