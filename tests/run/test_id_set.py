from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudburst.run.id_set import IdSet

IDS = st.one_of(st.integers(0, 2**80 - 1), st.integers(0, 5), st.integers(0, 5).map(lambda n: n << 16))


@given(st.lists(IDS.map(lambda n: f"{n:020x}"), max_size=2000))
def test_it_is_a_set(ids: list[str]) -> None:
    mine, plain = IdSet(), set()
    for one in ids:
        assert mine.add(one) is (one not in plain)
        plain.add(one)
    assert len(mine) == len(plain)


def test_it_is_small() -> None:
    tracemalloc.start()
    mine = IdSet()
    for n in range(100_000):
        mine.add(f"{n * 0x9E3779B97F4A7C15F39C % 2**80:020x}")
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(mine) == 100_000
    assert size < 34 * 100_000


def test_what_is_no_id_is_refused() -> None:
    with pytest.raises(ValueError, match="not an id"):
        IdSet().add("f" * 21)
