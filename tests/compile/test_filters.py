from __future__ import annotations

import pytest
from compile.nouns import axis, block, table

from cloudburst.compile.expressions import ExpressionError, expression
from cloudburst.compile.filters import Additions, Derivation, RowError, conditions, describe, kept_rows
from cloudburst.compile.identity import replicate_seeds


def derivation(name: str, text: str) -> Derivation:
    return Derivation(name, expression(text), ("parameters", "derive", name))


def test_a_row_is_described_shortly() -> None:
    unknown = ExpressionError("")
    assert describe({"network": "net3.inp", "demand": 1.1}, unknown) == "network=net3.inp, demand=1.1"
    assert describe({f"p{i}": i for i in range(9)}, unknown).endswith("p5=5, …")
    assert len(describe({"a": "x" * 1000}, unknown)) < 50


def test_of_a_wide_row_what_fails_shows_the_values_it_looks_at() -> None:
    values = {f"p{i}": i for i in range(9)}
    with pytest.raises(ExpressionError) as caught:
        expression("p8 / p0")(values)
    assert describe(values, caught.value) == "p0=0, p8=8"


def test_conditions_come_after_those_they_name() -> None:
    chain = block(axis("c", 1, when="b == 1"), axis("b", 1, when="a == 1"), axis("a", 1))
    assert [one.name for one in conditions(chain)] == ["b", "c"]


def test_a_tables_where_fails_on_a_line_of_its_file() -> None:
    with pytest.raises(RowError, match=r"scenarios\.csv, line 3: ") as caught:
        kept_rows(table({"d": 1}, {"d": "wide"}, where="d > 0"))
    assert caught.value.problem.path == ("parameters", "table", "where")


def test_only_what_is_asked_for_is_derived() -> None:
    every = Additions(
        7, "seed", (derivation("x", "a * 2"), derivation("y", "x + seed"), derivation("z", "1 / 0"))
    )
    names, few = every.looking_at(frozenset({"x"}))
    assert names == {"x", "a"}
    assert ([one.name for one in few.derivations], few.seed_name) == (["x"], None)
    names, more = every.looking_at(frozenset({"y"}))
    assert names == {"x", "y", "a", "seed"}
    assert more.seed_name == "seed"


def test_a_derived_value_sees_the_replicate_but_it_does_not_stay() -> None:
    additions = Additions(7, "seed", (derivation("x", "replicate + a"),))
    values: dict[str, object] = {"a": 1}
    additions.derive(values, 4)  # type: ignore[arg-type]
    assert values == {"a": 1, "x": 5}
    assert additions.seeds({"a": 1})(4) == replicate_seeds(7, {"a": 1})(4)
