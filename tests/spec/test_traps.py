"""Words that look like numbers or truth values and are text."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.mark.parametrize(
    "word", ["NO", "no", "off", "yes", "On", "None", "10:30", "10:30:00", "010", "-07", "1_000", "inf", "NaN"]
)
def test_a_word_that_looks_like_something_else(read: Any, word: str) -> None:
    loaded = read(f"parameters:\n  fixed:\n    a: {word}\n")

    (diagnostic,) = loaded.diagnostics
    assert (diagnostic.span.line, diagnostic.span.column, diagnostic.code) == (6, 8, "reads-as-text")
    assert diagnostic.severity == "warning"
    assert f'"{word}" in quotes' in diagnostic.hint
    assert loaded.ensemble is not None
    assert loaded.ensemble.blocks[0].fixed[0].value == word


@pytest.mark.parametrize(
    "word", ["'NO'", '"010"', "north", "2018-05-28", "2018-05-28T00:00:00", "1e-3", "net3.inp", "10"]
)
def test_quoted_words_and_plain_ones_are_left_alone(marks: Any, word: str) -> None:
    assert marks(f"parameters: {{fixed: {{a: {word}}}}}") == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("grid: {a: [1,000, 2]}", [(5, 16)]),
        ("grid: {a: 1,000}", []),
        ("grid:\n    a: 1,000", [(6, 8)]),
        ("grid:\n    a: 1,5", [(6, 8)]),
        ("zip: [{a: [on, off]}]", [(5, 14), (5, 18)]),
        ("cases: [{a: {b: NO}}]", [(5, 19)]),
        ("sample: {method: lhs, n: 1, of: {a: {choice: [yes, x]}}}", [(5, 49)]),
        ("exclude: [{a: 010}]\n  fixed: {a: 1}", [(5, 17)]),
        ("derive: {a: no}", []),
        ("grid: {a: {values: [1], when: on}}", []),
        ("exclude: [{where: no}]", []),
    ],
)
def test_only_values_of_parameters_are_looked_at(read: Any, text: str, found: list[tuple[int, int]]) -> None:
    traps = [d for d in read(f"parameters:\n  {text}\n").diagnostics if d.code == "reads-as-text"]

    assert [(d.span.line, d.span.column) for d in traps] == found


def test_a_list_of_them_is_one_warning(read: Any) -> None:
    (diagnostic,) = read("parameters: {grid: {pipe: [010, 011, 012, '013']}}").diagnostics

    assert diagnostic.message == "010 reads as text (and 2 more beside it)"
