"""How far looking goes is decided by counts and lengths: what is much is known without being begun."""

from __future__ import annotations

import pytest
from compile.nouns import Counted, Normal, Uniform, axis, block, ensemble, sample, vector

from cloudburst.compile.draws import Draws, draw
from cloudburst.compile.effort import Effort, is_drawn, is_quickly_counted, of_templates, of_text
from cloudburst.compile.space import BlockSpace, make_space
from cloudburst.compile.trial import MOST_EFFORT, run
from cloudburst.spec.ensemble import Block, Scipy


def space_of(one: Block) -> BlockSpace:
    return make_space(ensemble(one)).blocks[0]


def square(side: int, **more: object) -> Block:
    axes = (axis(name, Counted(1, side, side)) for name in "xy")
    return block(*axes, **more)  # type: ignore[arg-type]


def test_without_conditions_nothing_has_to_be_looked_at() -> None:
    assert Effort(space_of(square(10**9))).of_conditions(1) == 0


def test_conditions_are_more_work_on_more_points_and_the_longer_they_are() -> None:
    few, many = (Effort(space_of(square(side, exclude=["x == y"]))).of_conditions(1e12) for side in (10, 100))
    long = Effort(space_of(square(10, exclude=[" or ".join(["x == y"] * 50)]))).of_conditions(1e12)
    assert few is not None
    assert many == pytest.approx(100 * few)
    assert long is not None
    assert long > 4 * few


def test_what_is_too_much_is_not_begun() -> None:
    """Counting these would take hours."""
    far = space_of(square(10**6, exclude=["x == y"]))
    assert Effort(far).of_conditions(MOST_EFFORT) is None
    study = ensemble(square(10**4, exclude=["x == y"]))
    assert list(run(study, Draws(), None)) == []
    assert not is_quickly_counted(study, make_space(study), Draws(), 1, MOST_EFFORT)


def test_large_values_and_wide_draws_make_rows_heavier() -> None:
    plain, large = (
        Effort(space_of(block(axis("x", 1, 2), fixed={"f": value}, derive={"d": "f"}))).of_a_row(0)
        for value in (1, list(range(5000)))
    )
    wide = Effort(space_of(block(sample("lhs", 4, x=vector("x", Uniform(0, 1), size=1000))))).of_a_row(0)
    assert large > 2 * plain
    assert wide > 100 * plain


def test_a_text_is_as_much_work_as_the_expressions_in_it() -> None:
    assert of_text("plain words, many of them, {{ x }}") == of_text("x")
    assert of_templates(ensemble(block(axis("x", 1)), job={"a": "{{ x + 1 }}"})) > of_text("x + 1")


def test_what_is_drawn_at_once_is_not_drawn_just_to_look() -> None:
    correlated = block(sample("lhs", 10**6, x=Normal(0, 1), y=Uniform(0, 1), correlate={"x": {"y": 0.5}}))
    assert not is_drawn(correlated, Draws())
    slow = block(sample("lhs", 4, x=Scipy("gumbel_r", {})))
    assert not is_drawn(slow, Draws())
    assert is_drawn(slow, draw(ensemble(slow)))
    assert is_drawn(block(sample("lhs", 10**6, x=Normal(0, 1))), Draws())
