"""Ranges whose bounds are expressions: exact where it can be, and a sentence with the point where it cannot."""

from __future__ import annotations

from typing import Any

import pytest
from compile.nouns import Bounded, Counted, Stepped, axis, block, cases, ensemble, replicates, zipped

from cloudburst.compile.bounds import as_meant
from cloudburst.compile.checks import check
from cloudburst.compile.filters import RowError
from cloudburst.compile.space import Factor, make_space
from cloudburst.spec.ensemble import Axis, Block, Source


def values(*sources: Source, **more: Any) -> list[tuple[Any, ...]]:
    return [tuple(row.values.values()) for row in make_space(ensemble(block(*sources, **more)))]


def found(*sources: Source, **more: Any) -> list[tuple[str, str]]:
    return [(problem.code, problem.message) for problem in check(ensemble(block(*sources, **more)))]


def test_each_point_has_its_own_range() -> None:
    assert values(axis("a", 1, 2), axis("b", Bounded("a * 2", 4, step=1))) == [
        (1, 2),
        (1, 3),
        (1, 4),
        (2, 4),
    ]


def test_whole_numbers_stay_whole_and_decimals_are_exact() -> None:
    assert values(axis("x", Bounded("a * 3", 0.6, step="a")), fixed={"a": 0.1}) == [
        (0.1, 0.3),
        (0.1, 0.4),
        (0.1, 0.5),
        (0.1, 0.6),
    ]
    assert repr(values(axis("x", Bounded(1, "n", step=1)), fixed={"n": 2})) == "[(2, 1), (2, 2)]"


@pytest.mark.parametrize(
    ("computed", "meant"),
    [
        (0.1 * 3, 0.3),
        (1.1 * 1.1, 1.21),
        (1 / 3, 1 / 3),
        (2.0**0.5, 2.0**0.5),
        (0.0, 0.0),
        (7, 7),
        (1e-300, 1e-300),
    ],
)
def test_a_result_is_the_decimal_it_was_meant_to_be(computed: float, meant: float) -> None:
    assert as_meant(computed) == meant


def test_count_and_scale_take_expressions_too() -> None:
    rows = values(axis("x", Bounded("low", "low * 100", count=3, scale="log")), fixed={"low": 10})
    assert rows == [(10, 10), (10, 100), (10, 1000)]


def test_ranges_may_hang_on_each_other_and_what_stands_between_multiplies() -> None:
    sources = (
        axis("n", 1, 2),
        axis("c", "x", "y"),
        axis("m", Bounded(1, "n", step=1)),
        axis("k", Bounded("m", "n", step=1)),
    )
    expected = [(n, c, m, k) for n in (1, 2) for c in "xy" for m in range(1, n + 1) for k in range(m, n + 1)]
    assert values(*sources) == expected
    space = make_space(ensemble(block(*sources)))
    assert [tuple(space[i].values.values()) for i in range(-len(expected), 0)] == expected


def test_the_arithmetic_shows_it_as_one_factor_with_what_it_hangs_on() -> None:
    uneven = axis("m", Bounded(1, "n * 2", step=1), unit="m")
    (told,) = make_space(
        ensemble(block(axis("a", 1, 2, unit="s"), axis("n", 1, 2), uneven, replicates(5)))
    ).arithmetic
    assert told.factors == (
        Factor("a", 2, "s"),
        Factor("(n with m from 1 to n * 2)", 6),
        Factor("replicates", 5),
    )
    assert (told.product, told.count) == (60, 60)
    (alone,) = make_space(
        ensemble(block(axis("n", 1, 2), axis("m", Bounded(1, "h", step=1)), fixed={"h": 3}))
    ).arithmetic
    assert alone.factors == (Factor("n", 2), Factor("(m from 1 to h)", 3))


def test_a_zip_group_walks_together_at_every_point() -> None:
    group = zipped(axis("x", Bounded(0, "n", step=1)), axis("y", Bounded(0, 1, count=3)))
    assert values(axis("n", 2), group) == [(2, 0, 0), (2, 1, 0.5), (2, 2, 1)]
    with pytest.raises(RowError, match=r'where n=1: "y" has 3 values, and "x" beside it has 2') as raised:
        values(axis("n", 2, 1), group)
    assert raised.value.problem.code == "unequal-zip"


def test_with_a_when_a_point_without_it_is_there_once() -> None:
    uneven = axis("m", Bounded(1, "n", step=1), when="n > 1")
    assert values(axis("n", 1, 3), uneven) == [(1,), (3, 1), (3, 2), (3, 3)]
    mixed = values(
        axis("n", 2, 3), axis("k", "x", "x", when="n == 2"), axis("m", Bounded(1, "n", step=1), when="n == 3")
    )
    assert mixed == [(2, "x"), (2, "x"), (3, 1), (3, 2), (3, 3)]


@pytest.mark.parametrize(
    ("bounded", "code", "words"),
    [
        (Bounded("a", 1, step=0.5), "range-misses-end", 'where a=0.3: "b" misses its end: from 0.3 by 0.5'),
        (Bounded("a", 0, step=0.1), "wrong-way", "goes away from its end"),
        (Bounded(0, 1, step="a - 0.3"), "zero-step", "by steps of 0"),
        (Bounded("a - 0.3", 1, count=3, scale="log"), "log-of-nothing", "logarithmic scale"),
        (Bounded("a", 0.3, count=3), "wrong-count", "cannot run from 0.3 to 0.3"),
        (Bounded("'x'", 1, step=1), "expression-fails", "`'x'` gives 'x', and a bound is a number"),
        (Bounded("a > 0", 1, step=1), "expression-fails", "gives True"),
        (Bounded("1 / (a - 0.3)", 1, step=1), "expression-fails", "where a=0.3: `1 / (a - 0.3)` fails"),
    ],
)
def test_a_point_for_which_it_cannot_be_meant_is_named(bounded: Bounded, code: str, words: str) -> None:
    ((found_code, message),) = found(axis("a", 0.3), axis("b", bounded))
    assert found_code == code
    assert words in message


def test_a_row_that_lacks_the_name_is_named() -> None:
    ((code, message),) = found(cases({"a": 1}, {"c": 2}), axis("b", Bounded(1, "a", step=1)))
    assert code == "expression-fails"
    assert message.startswith("where c=2: there is no `a` in this row")


@pytest.mark.parametrize(
    ("sources", "more", "words"),
    [
        ((axis("b", Bounded(0, "a", step=1)), axis("a", 1, 2)), {}, "`a` is given further down"),
        ((axis("b", Bounded(0, "b", step=1)),), {}, "`b` is the parameter this bound is about"),
        ((replicates(2), axis("b", Bounded(0, "seed", step=1))), {}, "`seed` is a seed"),
        ((axis("b", Bounded(0, "d", step=1)),), {"derive": {"d": "2"}}, "`d` is derived"),
        ((axis("b", Bounded(0, "row", step=1)),), {}, "`row` is known only in a `where`"),
        (
            (axis("k", 1, 2), axis("a", 1, when="k == 1"), axis("b", Bounded(0, "a", step=1))),
            {},
            "`a` may be absent: it has a `when`",
        ),
        (
            (zipped(axis("a", 1, 2), axis("b", Bounded(0, "a", count=2))),),
            {},
            "`a` is of the same source",
        ),
    ],
)
def test_a_bound_sees_what_stands_above_it(sources: tuple[Source, ...], more: Any, words: str) -> None:
    ((code, message),) = found(*sources, **more)
    assert code == "name-not-here"
    assert words in message


def test_what_is_wrong_with_the_text_of_a_bound_is_said() -> None:
    assert [code for code, _ in found(axis("b", Bounded("a +", 1, step=1)))] == ["expression"]
    ((code, message),) = found(axis("a", 1), axis("b", Bounded("aa", 1, step=1)))
    assert (code, message) == ("unknown-name", "there is no parameter `aa` here")


def test_a_parameter_that_only_a_bound_names_is_used() -> None:
    study = ensemble(block(axis("n", 1, 2), axis("m", Bounded(1, "n", step=1))), job={"m": "{{ m }}"})
    assert [problem.code for problem in check(study)] == []


def test_too_many_points_to_look_at_are_refused_at_once() -> None:
    wide: list[Axis] = [axis(name, Counted(1, 9999, 9999)) for name in "abc"]
    problems = found(*wide, axis("m", Bounded(1, "a", step=1)))
    assert [code for code, _ in problems] == ["too-many-points"]


def test_only_what_a_bound_names_is_looked_at() -> None:
    slow: list[Axis] = [axis(name, Stepped(1, 10**6, 1)) for name in "abc"]
    study: Block = block(*slow, axis("n", 1, 2), axis("m", Bounded(1, "n", step=1)))
    assert make_space(ensemble(study)).count == 3 * 10**18
