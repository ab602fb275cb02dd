from __future__ import annotations

from collections.abc import Iterator

import pytest

from cloudburst.compile.lazy import Lazy


class Squares(Lazy[int]):
    def __init__(self, count: int) -> None:
        self._count = count

    @property
    def count(self) -> int:
        return self._count

    def at(self, index: int) -> int:
        return index * index

    def walk(self, start: int, stop: int) -> Iterator[int]:
        return (i * i for i in range(start, stop))


def test_it_indexes_and_slices_like_a_list() -> None:
    lazy, squares = Squares(10), [i * i for i in range(10)]
    assert list(lazy) == squares
    assert lazy[-1] == 81
    for part in (
        slice(2, 5),
        slice(None, None, -1),
        slice(-3, None),
        slice(1, 9, 3),
        slice(5, 2),
        slice(0, 99),
    ):
        assert list(lazy[part]) == squares[part]
        assert len(lazy[part]) == len(squares[part])
    assert list(lazy[2:8][1:4]) == squares[2:8][1:4]
    assert lazy[2:8][-1] == 49
    assert lazy
    assert not lazy[5:5]


def test_an_index_outside_is_an_index_error() -> None:
    with pytest.raises(IndexError):
        Squares(10)[10]


def test_it_counts_beyond_what_len_can_say() -> None:
    lazy = Squares(10**30)
    assert lazy.count == 10**30
    assert lazy[10**29] == 10**58
    assert lazy[10**29 :][1] == (10**29 + 1) ** 2
    assert lazy[10**29 :].count == 9 * 10**29
    with pytest.raises(OverflowError):
        len(lazy)
