"""What is wrong, as a person, GitHub and a program see it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cloudburst.cli.views import diagnostics as view
from cloudburst.cli.views.paint import Paint
from cloudburst.diagnostics import Diagnostic, Related, Span


def form(**changes: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "code": "unknown-key",
        "severity": "error",
        "message": 'unknown key "regoin"',
        "file": "study.yaml",
        "hint": 'did you mean "region"?',
        "span": Span(7, 14, 7, 20),
        "snippet": "  provider: {regoin: nyc3}",
    }
    return Diagnostic(**(given | changes)).to_json()


def test_the_line_the_caret_and_the_hint() -> None:
    assert view.render(form()) == (
        'study.yaml:7:14: error[unknown-key]: unknown key "regoin"\n'
        "     7 |   provider: {regoin: nyc3}\n"
        "       |              ^^^^^^\n"
        '    = did you mean "region"?'
    )


def test_second_places_are_named() -> None:
    related = (Related("study.yaml", Span(3, 1, 3, 5), "the first time"),)

    assert "    - study.yaml:3:1: the first time" in view.render(form(related=related))


def test_what_has_no_place_has_no_picture() -> None:
    text = view.render(form(span=None, snippet="", hint=""))

    assert text == 'study.yaml: error[unknown-key]: unknown key "regoin"'


@pytest.mark.parametrize(
    ("snippet", "span", "caret"),
    [
        ("\ta: b", Span(1, 5, 1, 6), "       |        ^"),
        ("水: 量", Span(1, 4, 1, 5), "       |     ^^"),
        ("a: ", Span(1, 4, 1, 4), "       |    ^"),
        ("a: {b:", Span(1, 4, 3, 2), "       |    ^^^"),
        ("a: b", Span(1, 9, 1, 12), "       |     ^"),
    ],
)
def test_the_caret_stands_under_the_place(snippet: str, span: Span, caret: str) -> None:
    assert view.render(form(snippet=snippet, span=span)).splitlines()[2] == caret


@pytest.mark.parametrize("width", [40, 60, 80, 120])
@pytest.mark.parametrize("column", [1, 50, 150, 299])
def test_nothing_is_wider_than_asked_for(width: int, column: int) -> None:
    words = "a sentence of many short words that has to be broken somewhere " * 3
    diagnostic = form(
        message=words,
        hint=words,
        snippet="wide 水 " * 50,
        span=Span(123456, column, 123456, column + 200),
        file="s",
    )

    lines = view.render(diagnostic, width=width).splitlines()

    assert max(view.columns(line) for line in lines) <= width
    assert any("^" in line for line in lines)


def test_a_long_line_is_cut_around_its_mark() -> None:
    snippet = "x" * 100 + " HERE " + "y" * 100
    line, caret = view.render(form(snippet=snippet, span=Span(1, 102, 1, 106))).splitlines()[1:3]

    assert line[caret.index("^") : caret.rindex("^") + 1] == "HERE"
    assert line.count("…") == 2


def test_a_file_cannot_speak_to_the_terminal() -> None:
    text = view.render(
        form(snippet="a: \x1b[31m\u202e", message="\x1b]0;gone\x07", file="\x1bx", hint="\x9b2J")
    )

    assert "\x1b" not in text
    assert "\x9b" not in text
    assert "\u202e" not in text


def test_colour_is_only_where_it_is_asked_for() -> None:
    assert "\x1b[31merror[unknown-key]\x1b[0m" in view.render(form(), paint=Paint(on=True))
    assert "\x1b[33mwarning" in view.render(form(severity="warning"), paint=Paint(on=True))
    assert "\x1b" not in view.render(form())


def test_all_of_them_with_their_number() -> None:
    text = view.render_all([form(), form(severity="warning"), form(severity="warning")])

    assert text.count("study.yaml:7:14") == 3
    assert text.endswith("\n\n1 error, 2 warnings")
    assert view.render_all([]) == ""


def test_annotations_for_github() -> None:
    text = view.github(
        [form(file="a,b:c.yaml", message="50% is\nnot a count"), form(severity="note", span=None)]
    )

    assert text.splitlines() == [
        "::error file=a%2Cb%3Ac.yaml,title=unknown-key,line=7,endLine=7,col=14,endColumn=20"
        '::50%25 is%0Anot a count%0Adid you mean "region"?',
        '::notice file=study.yaml,title=unknown-key::unknown key "regoin"%0Adid you mean "region"?',
    ]


def test_annotations_over_several_lines_have_no_columns() -> None:
    assert "col=" not in view.github([form(span=Span(1, 2, 3, 4))])


def test_json_holds_the_same_forms() -> None:
    found = json.loads(view.as_json([form(severity="warning")]))

    assert found == {"format": 1, "valid": True, "diagnostics": [form(severity="warning")]}
    assert not json.loads(view.as_json([form()]))["valid"]
