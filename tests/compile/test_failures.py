"""What Jinja and Python say of an expression, in words about values, and a way out."""

from __future__ import annotations

import pytest

from cloudburst.compile.expressions import ExpressionError, expression, text

SCOPE = {"name": "low", "n": 2, "none": None, "flags": [1], "on": True, "map": {"a": 1}}


@pytest.mark.parametrize(
    ("source", "reason", "way_out"),
    [
        ("n &&  n", "'&' means nothing here", "`and`"),
        ("n AND n", "an operator is missing before 'AND'", "`and`"),
        ("n = 1", "an operator is missing before '='", "`==`"),
        ("n => 1", "an operator is missing before '='", "`>=`"),
        ("n ≤ 1", "'≤' means nothing here", "`<=`"),
        ("n – 1", "'–' means nothing here", "minus is -"),
        ("n × 2", "'×' means nothing here", "`*`"),
        ("name == “low”", "'“' means nothing here", "curly quotes"),
        ("n +", "it ends where something is missing", "an expression reads like"),
        ("(n + 1", "a bracket is left open", "an expression reads like"),
        ("max(n, 1", "a bracket is left open", "an expression reads like"),
        ("'low", "a quote is left open", "an expression reads like"),
        ("import os", "an operator is missing before 'os'", "one value"),
        ("name | length", "there is no function `length`", "the functions are"),
        ("{{ n }}", "stands where", "without {{ }}"),
    ],
)
def test_what_cannot_be_read(source: str, reason: str, way_out: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        expression(source)
    assert reason in caught.value.message
    assert way_out in caught.value.hint
    assert "token" not in caught.value.message
    assert "char " not in caught.value.message


@pytest.mark.parametrize("source", ["{{ n }", "{{ n", "a {{ n }} {{ b }"])
def test_braces_of_a_text_are_spoken_of_as_such(source: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        text(source)
    assert "without {{ }}" not in caught.value.hint


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("name + 1", "`+` stands between text and a number"),
        ("1 + name", "`+` stands between a number and text"),
        ("flags + n", "`+` stands between a list and a number"),
        ("name - 1", "`-` stands between text and a number"),
        ("n < none", "`<` stands between a number and null"),
        ("map >= n", "`>=` stands between a map and a number"),
        ("-name", "`-` of text"),
        ("abs(name)", "`abs` of text"),
        ("round(name)", "`round` of text"),
        ("sqrt(name)", "it needs a number, and gets text"),
        ("float(name)", "'low' is no number"),
        ("int('2.5')", "'2.5' is no whole number"),
        ("n / 0", "division by zero"),
        ("n // 0", "division by zero"),
        ("n % 0", "division by zero"),
        ("sqrt(0 - 1)", "there is no such value"),
        ("log(0)", "there is no such value"),
        ("exp(10000)", "too large for a number"),
        ("1 in n", "`in` looks into a number"),
        ("min(n)", "it needs several values, and gets a number"),
        ("sqrt()", "too few or too many values"),
        ("sqrt(1, 2)", "too few or too many values"),
    ],
)
def test_what_fails_on_a_row(source: str, reason: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        expression(source)(SCOPE)
    assert caught.value.message.endswith(f"fails: {reason}") or reason in caught.value.message
    for foreign in ("NoneType", "'str'", "'int'", "operand", "object"):
        assert foreign not in caught.value.message
