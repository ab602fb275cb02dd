"""What the YAML parser stops at is said in words about the text."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloudburst.diagnostics import Diagnostic
from cloudburst.spec.document import parse


def complaint(text: str) -> Diagnostic:
    _, (diagnostic,) = parse(text.encode(), Path("study.yaml"))
    return diagnostic


@pytest.mark.parametrize(
    ("text", "says", "way_out"),
    [
        ("a: b: c", '": "', "quotes"),
        ("a: 'b", "never closed", "close it"),
        ("a: [1, 2\nb: 3", '"["', '"]"'),
        ("a: {b: 1\nc: [", '"{"', '"}"'),
        ('a: "\\d+"', "backslash", "single quotes"),
        ("files: *.out", "cannot begin with *", "quotes"),
        ("a: @b", 'begin with "@"', "quotes"),
        ("a:\n\t- b", "a tab", "spaces"),
        ("a:\n  b: 1\n c: 2", "does not continue", "indent"),
        ("- a\nb: 1", '"- "', "dash"),
        ("a: - b", "list", "own line"),
        ("a: {{ x }}/b", "without quotes", '"{{ name }}"'),
        ("a: 1\nb: {{ x }} and {{ y }}", "without quotes", '"{{ name }}"'),
        (": a", "a key is missing", "key: value"),
        ("a\nb: 1", 'no ": "', "key: value"),
        ("a:[1, 2]\nb: 1", "a blank is missing", 'write "a: [1, 2]"'),
        ("b: 1\na:2", "a blank is missing", 'write "a: 2"'),
        ("a: [b, {c: 1]", '"]" stands here, and "{" is still open', '"}"'),
        ("a: {b: 1}}", '"}" closes nothing', "take it out"),
        ("a: {b: c: d}", 'a second ": "', "quotes"),
        ("a: {b: “c: d”}", 'a second ": "', "curly quotes"),
        ("a: ['it's', b]", "ends before this", "is a ' missing"),
        ("a: {b: ${x}}", '"${"', '"{{ name }}"'),
        ("a: “{{ x }}”\nb: {c: “{{ x }}”}", "without quotes", "curly quotes"),
        ("a:\n  b: [1]\n   c: 2", "indented by 3", "indent it by 2 or 0"),
        ("%YAML 3.0\n---\na: 1", "another YAML", "delete"),
    ],
)
def test_a_sentence_and_a_way_out(text: str, says: str, way_out: str) -> None:
    diagnostic = complaint(text)

    assert says in diagnostic.message
    assert way_out in diagnostic.hint


@pytest.mark.parametrize(
    "text", ["a: [b]]", "a: 1\n}", "a: &", "a: |x\n b", "? a\n? b\n- c", "a: ,", "--- a: b", "a: 'x' y"]
)
def test_whatever_stops_the_parser_has_a_line_and_words_of_ours(text: str) -> None:
    diagnostic = complaint(text)

    assert diagnostic.span is not None
    assert diagnostic.hint
    assert "expected <" not in diagnostic.message
    assert "token" not in diagnostic.message
