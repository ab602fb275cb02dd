"""Which rows a probe tries; that it does is tested where a user sees it (tests/cli/test_probe.py)."""

from __future__ import annotations

from compile import nouns
from hypothesis import given
from hypothesis import strategies as st

from cloudburst.compile.space import Space, make_space
from cloudburst.run.probe import runs_of, spread


def space(*counts: int) -> Space:
    blocks = [
        nouns.block(nouns.axis("a", *range(count)), name=f"b{number}") for number, count in enumerate(counts)
    ]
    return make_space(nouns.ensemble(*blocks))


def test_first_last_and_evenly_between() -> None:
    assert spread(space(100), 5) == (0, 24, 49, 74, 99)
    assert spread(space(100), 2) == (0, 99)
    assert spread(space(100), 1) == (49,)
    assert spread(space(3), 9) == (0, 1, 2)


def test_two_of_each_block_before_a_third_of_any() -> None:
    assert spread(space(100, 4, 1), 5) == (0, 99, 100, 103, 104)
    assert spread(space(100, 4, 1), 7) == (0, 33, 66, 99, 100, 103, 104), (
        "then where there are most rows for each"
    )


def test_of_fewer_rows_than_blocks_some_blocks() -> None:
    assert spread(space(3, 3, 3, 3), 2) == (1, 10)


def test_as_many_as_it_takes_are_two_of_each_block() -> None:
    assert len(spread(space(100), None)) == 5
    assert len(spread(space(*[50] * 6), None)) == 12
    assert len(spread(space(50, 1, 1, 1, 1), None)) == 6


def test_runs_are_rows_beside_each_other() -> None:
    assert runs_of((0, 1, 2, 7, 9, 10)) == ((0, 3), (7, 8), (9, 11))
    assert runs_of(()) == ()


@given(st.lists(st.integers(1, 60), min_size=1, max_size=8), st.none() | st.integers(1, 80))
def test_they_are_rows_in_order_as_many_as_asked_for(counts: list[int], number: int | None) -> None:
    whole = space(*counts)
    rows = spread(whole, number)
    assert list(rows) == sorted(set(rows))
    assert all(0 <= row < whole.count for row in rows)
    if number is not None:
        assert len(rows) == min(number, whole.count)
    assert rows == spread(whole, number)
