from __future__ import annotations

from typing import Any

import pytest

from cloudburst.compile.expressions import FUNCTIONS, AbsentName, ExpressionError, expression, tokens

SCOPE: dict[str, Any] = {
    "a": 2,
    "half": 0.5,
    "network": "net3.inp",
    "pipe": {"length": 12, "keys": "mine"},
    "levels": [1, 2],
    "inputs": {"city": "cloudburst-input://00"},
}


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("a * 1000", 2000),
        ("a", 2),
        ("'low' if half < 1 else 'high'", "low"),
        ("half > 1.1 and a < 90", False),
        ("network[:-4] ~ '-' ~ a", "net3-2"),
        ("network == 'net3.inp'", True),
        ("pipe.length + pipe['length']", 24),
        ("pipe.keys", "mine"),
        ("inputs.city", "cloudburst-input://00"),
        ("levels[1]", 2),
        ("a in levels", True),
        ("(a, half)", [2, 0.5]),
        ("{'x': [a]}", {"x": [2]}),
        ("none", None),
        ("missing is defined", False),
        ("missing | default(3)", 3),
        ("half | round", 0),
        ("round(2 / 3, 2)", 0.67),
        ("floor(2.5) + ceil(2.5)", 5),
        ("sqrt(16) + log(exp(2)) + log10(1000)", 9.0),
        ("sin(0) + cos(0) + tan(0)", 1.0),
        ("min(a, 1) + max(levels) + abs(-1)", 4),
        ("int('12') + float('0.5')", 12.5),
        ("str(pipe)", '{"length": 12, "keys": "mine"}'),
        ("pi > 3.14", True),
        ("(-half) ** 2 - -(half ** 2)", 0.5),
        ("a ** -1 + -a", -1.5),
        ("2 ** 100", 2**100),
    ],
)
def test_expressions_are_jinjas(source: str, value: Any) -> None:
    result = expression(source)(SCOPE)
    assert result == value
    assert type(result) is type(value)


def test_there_are_the_functions_of_the_design_and_no_others() -> None:
    listed = "abs min max round floor ceil sqrt exp log log10 sin cos tan pi int float str"
    assert set(FUNCTIONS) == set(listed.split())
    for name in ("range", "dict", "lipsum", "cycler", "joiner", "namespace", "open"):
        with pytest.raises(AbsentName):
            expression(f"{name} or 1")({})


def test_a_parameter_may_have_the_name_of_a_function() -> None:
    assert expression("exp + 1")({"exp": 4}) == 5


@pytest.mark.parametrize(
    ("source", "hint"),
    [
        ("a > 1 && half < 1", "write `and`"),
        ("a > 1 || half < 1", "write `or`"),
        ("a = 1", "to compare, write `==`"),
        ("a ^ 2", "a power is written `**`"),
        ("!a", "write `not`"),
        ("a ? 1 : 2", "write `a if condition else b`"),
        ("1 if a", "write `a if condition else b`"),
        ("{{ a }}", "an expression stands without {{ }} here"),
        ("a }} {{ half", "an expression stands without {{ }} here"),
        ("a | upper", "the functions are: abs min"),
        ("a is upper", "the functions are: abs min"),
    ],
)
def test_what_cannot_be_read_says_how_it_is_written(source: str, hint: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        expression(source)
    assert caught.value.hint.startswith(hint)
    assert f"`{source}`" in caught.value.message


@pytest.mark.parametrize("source", ["-a ** 2", "2 * -a ** 2", "a ** a ** a", "-(a) ** 2", "a - +a ** 2"])
def test_powers_that_jinja_reads_unlike_mathematics_need_parentheses(source: str) -> None:
    with pytest.raises(ExpressionError, match="parentheses have to say which is meant"):
        expression(source)


def test_signs_inside_quotes_give_no_hint() -> None:
    with pytest.raises(ExpressionError) as caught:
        expression("'a && b = c' 1")
    assert caught.value.hint.startswith("an expression reads like")


@pytest.mark.parametrize(
    "source", ["", " ", "a b", "[1, 2", "(" * 5000 + "1" + ")" * 5000, "(" * 500, "1e999", "x" * 20_000]
)
def test_nonsense_is_a_sentence(source: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        expression(source)
    assert 0 < len(caught.value.message) < 300


@pytest.mark.parametrize(
    "source",
    [
        "network.upper()",
        "''.__class__",
        "a.__class__.__mro__",
        "pipe.__class__",
        "abs.__globals__",
        "self",
        "self.__init__",
        "pipe['__class__']",
        "network['__class__']",
        "'{0.__class__}'.format(a)",
        "levels.append(1)",
        "(1).real",
    ],
)
def test_nothing_leads_out_of_the_sandbox(source: str) -> None:
    with pytest.raises(ExpressionError):
        expression(source)(SCOPE)
    assert SCOPE["levels"] == [1, 2]


@pytest.mark.parametrize(
    "source",
    [
        "'a' * 10 ** 9",
        "10 ** 9 * 'a'",
        "[0] * 10 ** 9",
        "2 ** (10 ** 9)",
        "2 ** (0 - 10 ** 9)",
        "(2 ** 4000) * (2 ** 4000)",
        "'%1000000000d' % 1",
        "round(5, 0 - 10 ** 9)",
        "int('9' * 100000)",
        "network * 10 ** 9 ~ 'x'",
    ],
)
def test_nothing_fills_the_memory(source: str) -> None:
    with pytest.raises(ExpressionError, match="fails"):
        expression(source)(SCOPE)


def test_a_tower_of_doublings_is_stopped() -> None:
    double, scope = expression("[x, x]"), {"x": [1]}
    for _ in range(14):
        scope["x"] = double(scope)  # type: ignore[assignment]
    with pytest.raises(ExpressionError, match="more than 65,536 items"):
        double(scope)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("1 / 0", "division by zero"),
        ("network ** 2", "`**` stands between text and a number"),
        ("log(0)", "the logarithm of one that is not above it"),
        ("exp(1000)", "too large for a number"),
        ("network < 1", "`<` stands between text and a number"),
        ("float('nan')", "not a finite number"),
        ("[float('inf')]", "not a finite number"),
        ("(0 - 8) ** half", "no real power"),
        ("{1: 2}", "the keys of a map are texts"),
        ("max", "which JSON cannot hold"),
        ("max(1, key=abs)", "no named arguments"),
        ("a()", "only the functions can be called"),
        ("pipe.lenght", "there is no 'lenght' in it"),
        ("levels[7]", "there is no 7 in it"),
        ("[max]", "which JSON cannot hold"),
    ],
)
def test_what_fails_on_a_row_says_what_and_why(source: str, reason: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        expression(source)(SCOPE)
    assert caught.value.message.startswith(f"`{source}` fails: ")
    assert reason in caught.value.message


@pytest.mark.parametrize(
    "source",
    [
        "gone",
        "gone + 1",
        "abs(gone)",
        "gone | abs",
        "[gone]",
        "gone()",
        "not gone",
        "gone.x",
        "gone ** 2",
        "2 ** gone",
        "gone * 2",
        "-gone",
    ],
)
def test_a_missing_name_is_named(source: str) -> None:
    with pytest.raises(AbsentName) as caught:
        expression(source)(SCOPE)
    assert caught.value.name == "gone"
    assert "gone is defined" in caught.value.hint


def test_a_condition_that_needs_what_the_row_lacks_is_false() -> None:
    assert not expression("gone == 1").holds(SCOPE)
    assert not expression("not gone").holds(SCOPE)
    assert expression("a == 2 or gone == 1").holds(SCOPE)
    assert expression("gone is undefined").holds(SCOPE)


def test_an_expression_knows_its_names() -> None:
    found = expression("abs(a) + (b if b is defined else c | default(1)) ~ inputs.city ~ inputs['x']")
    assert found.names == {"abs", "a", "b", "c", "inputs"}
    assert found.asked == {"b", "c"}
    assert found.inputs == {"city", "x"}
    assert found.name is None
    assert expression(" a ").name == "a"


# ── what one expression may be, and make ─────────────────────────────────────────────────────
@pytest.mark.parametrize(
    "source",
    [
        " + ".join(["'a' * 9**4"] * 9),
        " ~ ".join(["'a' * 9**4"] * 9),
        " + ".join(["[1] * 9**4"] * 9),
        "[[1] * 999] * 999",
        "str([[1] * 99] * 99 + [2] * 9999)",
        "[1] * 9999 ~ [2] * 9999",
    ],
)
def test_no_operator_makes_more_than_ten_thousand_of_anything(source: str) -> None:
    with pytest.raises(ExpressionError, match="longer than 10,000"):
        expression(source)({})


def test_the_result_of_an_operator_is_what_it_was() -> None:
    assert expression("'a' ~ 1 ~ [1, {'b': none}]")({}) == 'a1[1, {"b": null}]'
    assert expression("[1] + [2, [3]] * 2")({}) == [1, 2, [3], 2, [3]]
    assert expression("x ~ ' m'")({"x": 1.5}) == "1.5 m"
    with pytest.raises(ExpressionError, match="there is no `y`"):
        expression("x ~ y")({"x": 1})


def test_an_expression_is_not_a_program() -> None:
    with pytest.raises(ExpressionError, match="too long to be computed: it has 1,199"):
        expression("+".join(["x"] * 600))
    assert tokens("a long text, of which only {{ x + 1 }} and {{ y }} count") == 4


def test_results_do_not_nest_without_end() -> None:
    value: object = 1
    for _ in range(70):
        value = [value]
    with pytest.raises(ExpressionError, match="more than 64 deep"):
        expression("[x]")({"x": value})
