from __future__ import annotations

from cloudburst.compile.sources import Product, Rows, Sifted, Together, product


def test_a_long_factor_is_walked_and_not_held() -> None:
    long = Together({"i": range(50_000)}, 50_000)
    both = Product([Rows(({"a": 1}, {"a": 2})), long])
    assert list(both.walk(49_999, 50_001)) == [{"a": 1, "i": 49_999}, {"a": 2, "i": 0}]
    assert both.part(99_999) == {"a": 2, "i": 49_999}


def test_a_product_with_nothing_is_nothing() -> None:
    for empty in (
        Product([Rows(()), Together({"i": range(3)}, 3)]),
        Product([Together({"i": range(3)}, 3), Rows(())]),
    ):
        assert empty.count == 0
        assert list(empty.walk(0, 0)) == []


def test_what_is_sifted_is_found_by_its_index() -> None:
    sifted = Sifted(
        Together({"i": range(10_000)}, 10_000), lambda position, part: part if position % 7 == 3 else None
    )
    expected = [{"i": i} for i in range(3, 10_000, 7)]
    assert sifted.count == len(expected)
    assert [sifted.part(i) for i in range(0, len(expected), 97)] == expected[::97]
    assert list(sifted.walk(1000, 1010)) == expected[1000:1010]


def test_what_is_sifted_may_be_rare_or_nothing() -> None:
    source = Together({"i": range(5000)}, 5000)
    last = Sifted(source, lambda position, part: part if position == 4999 else None)
    assert (last.count, last.part(0)) == (1, {"i": 4999})
    nothing = Sifted(source, lambda _position, _part: None)
    assert nothing.count == 0
    assert list(nothing.walk(0, 0)) == []


def test_the_first_sifted_parts_need_no_pass() -> None:
    looked_at = []

    def sift(position: int, part: object) -> object:
        looked_at.append(position)
        return part

    endless = Sifted(Together({"i": range(10**15)}, 10**15), sift)  # type: ignore[arg-type]
    assert list(endless.walk(0, 2)) == [{"i": 0}, {"i": 1}]
    assert len(looked_at) == 2


def test_sifted_parts_multiply() -> None:
    odd = Sifted(Together({"i": range(5)}, 5), lambda position, part: part if position % 2 else None)
    assert [tuple(part.values()) for part in product([odd, Rows(({"a": 1}, {"a": 2}))]).walk(1, 4)] == [
        (1, 2),
        (3, 1),
        (3, 2),
    ]
