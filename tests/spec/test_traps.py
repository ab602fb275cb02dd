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


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("grid:\n    a:\n      -1\n      -2", [(7, 7, "a blank after each dash")]),
        ("grid:\n    a:\n      -x\n      -y", [(7, 7, "a blank after each dash")]),
        ("fixed: {flags: -x -y}", []),
        ("grid: {a: [1 2 3]}", [(5, 14, "parted by commas")]),
        ("fixed: {a: 5#c}", [(5, 14, "the # of a comment")]),
        ("grid: {a: [1,000, 2,000]}", [(5, 16, "the comma before it parts two values")]),
        ("grid: {a: [1, 000]}", [(5, 17, "no leading zeros")]),
        ("fixed: {a: “b”}", [(5, 14, "curly quotes")]),
        ("fixed: {a: it’s}", []),
        ("derive: {a: “b”}", [(5, 15, "curly quotes")]),
    ],
)
def test_what_reads_as_text_by_a_slip_of_the_hand(
    read: Any, text: str, found: list[tuple[int, int, str]]
) -> None:
    traps = [d for d in read(f"parameters:\n  {text}\n").diagnostics if d.code == "reads-as-text"]

    assert [(d.span.line, d.span.column) for d in traps] == [(line, column) for line, column, _ in found]
    assert all(says in d.hint for d, (_, _, says) in zip(traps, found, strict=True))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("job: {t: {x}}", [(6, 11)]),
        ("job: {t: {x, y: 1}}", [(6, 11)]),
        ("job: {t: [{x}]}", [(6, 12)]),
        ("job: {t: {x: }}", []),
        ("job:\n  t:\n    x:", []),
        ("worker: {directory: model, entrypoint: model:run}", []),
    ],
)
def test_braces_around_a_name_are_a_map(read: Any, text: str, found: list[tuple[int, int]]) -> None:
    loaded = read(
        f"parameters: {{grid: {{x: [1]}}}}\nseed: 1\n{text}\n" if "worker" not in text else "seed: 1\n"
    )
    maps = [d for d in loaded.diagnostics if d.code == "reads-as-map"]

    assert [(d.span.line, d.span.column) for d in maps] == found
    assert all('"{{ x }}"' in d.hint for d in maps)
