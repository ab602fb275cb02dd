"""Where parameter values come from, as small classes over one protocol: the algebra of a block.

A source has `count` parts, each a map of names to values, indexed from 0 and never held in a list.
`Together` walks columns side by side (an axis, a zip, a sample, the replicates), `Rows` are rows as
written (cases, a table), `OneAtATime` moves one name at a time, `Product` multiplies, `Uneven`
multiplies by a source that hangs on the point, `Sifted` keeps some, `Shuffled` and `Taken` choose an
order and a stretch. What a block makes of them is `space`'s.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import accumulate, chain, compress, islice
from math import prod
from typing import Protocol

from ..spec.ensemble import Value
from ..spec.progressions import Column
from .keyed import KEY_BYTES, Permutation, start_of

Part = Mapping[str, Value]

HELD = 1 << 14
_HELD_VALUES = 1 << 18
"""Neighbouring factors of at most so many parts together are computed once and held, if these are not too wide."""

_WIDE = 64
"""A source with so many values in a part is computed part by part, when one is asked for."""

_STRIDE = 256
"""Every so many candidates a `Sifted` remembers how many it had kept. A multiple of 8."""

_MOST_MARKS = 1 << 16
"""An `Uneven` remembers where the parts of so many of its candidates begin."""


class Source(Protocol):
    """One part is its caller's; those of a walk belong to the source: to change one, copy it."""

    @property
    def names(self) -> frozenset[str]: ...

    @property
    def count(self) -> int: ...

    def part(self, position: int) -> dict[str, Value]: ...

    def walk(self, start: int, stop: int) -> Iterator[Part]:
        """The parts from start up to and without stop, in order."""

    def way(self, position: int) -> Iterator[Step]:
        """Where a part comes from: its position here, then those of the parts it is made of, down to what is written.

        Of an `Uneven` it is the position among those that it made for the candidate.
        """


Step = tuple[Source, int]
"""A source and a position in it."""


# ── as written ───────────────────────────────────────────────────────────────────────────────
class Together:
    """Columns of one length, walked side by side."""

    def __init__(self, columns: Mapping[str, Column], count: int) -> None:
        self.names = frozenset(columns)
        self.count = count
        self.width = sum(getattr(column, "width", 1) for column in columns.values())
        self._columns = tuple(columns.items())

    def part(self, position: int) -> dict[str, Value]:
        return {name: column[position] for name, column in self._columns}

    def walk(self, start: int, stop: int) -> Iterator[Part]:
        columns = self._columns
        for position in range(start, stop):
            yield {name: column[position] for name, column in columns}

    def way(self, position: int) -> Iterator[Step]:
        yield self, position


class Rows:
    """Parts as they were written; a row may lack a name another one has."""

    def __init__(self, rows: Sequence[Part]) -> None:
        self.names = frozenset(name for row in rows for name in row)
        self.count = len(rows)
        self._rows = rows

    def part(self, position: int) -> dict[str, Value]:
        return dict(self._rows[position])

    def walk(self, start: int, stop: int) -> Iterator[Part]:
        return islice(self._rows, start, stop)

    def way(self, position: int) -> Iterator[Step]:
        yield self, position


class Move:
    """The values a name takes away from the centre, by position; one of the column's may be left out."""

    def __init__(self, name: str, column: Column, count: int, without: int | None = None) -> None:
        self.name = name
        self.count = count - (without is not None)
        self._column, self._without = column, count if without is None else without

    def __getitem__(self, position: int) -> Value:
        return self._column[position + (position >= self._without)]


class OneAtATime:
    """The centre (when it is included), then each move's points, all else at the centre."""

    def __init__(self, centre: Part, moves: Sequence[Move], include_centre: bool) -> None:
        self.names = frozenset(centre)
        self._centre, self._moves = centre, moves
        self._starts = tuple(accumulate((move.count for move in moves), initial=int(include_centre)))
        self.count = self._starts[-1]

    def part(self, position: int) -> dict[str, Value]:
        found = self.move(position)
        if found is None:
            return dict(self._centre)
        move, place = found
        return {**self._centre, move.name: move[place]}

    def move(self, position: int) -> tuple[Move, int] | None:
        """What has moved there, and which of its values it has; None at the centre."""
        place = bisect_right(self._starts, position) - 1
        return None if place < 0 else (self._moves[place], position - self._starts[place])

    def walk(self, start: int, stop: int) -> Iterator[Part]:
        return map(self.part, range(start, stop))

    def way(self, position: int) -> Iterator[Step]:
        yield self, position


class Numbered:
    """The parts of a source, each with its position under `mark`, which is no parameter's name."""

    def __init__(self, source: Source, mark: str) -> None:
        self.names, self.count = source.names, source.count
        self._source, self._mark = source, mark

    def part(self, position: int) -> dict[str, Value]:
        return {**self._source.part(position), self._mark: position}

    def walk(self, start: int, stop: int) -> Iterator[Part]:
        mark = self._mark
        for position, part in enumerate(self._source.walk(start, stop), start):
            yield {**part, mark: position}

    def way(self, position: int) -> Iterator[Step]:
        yield self, position
        yield from self._source.way(position)


# ── multiplied ───────────────────────────────────────────────────────────────────────────────
class _Held:
    """A short product, computed once."""

    def __init__(self, factors: Sequence[Source]) -> None:
        self.names = frozenset[str]().union(*(factor.names for factor in factors))
        self.count = prod(factor.count for factor in factors)
        self._factors = factors

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        parts: list[dict[str, Value]] = [{}]
        for factor in self._factors:
            one = list(factor.walk(0, factor.count))
            if len(one) == 1:
                for part in parts:
                    part |= one[0]
            else:
                parts = [{**slow, **fast} for slow in parts for fast in one]
        return tuple(parts)

    def part(self, position: int) -> dict[str, Value]:
        return dict(self.parts[position])

    def walk(self, start: int, stop: int) -> Iterator[Part]:
        return islice(self.parts, start, stop)


class _Kept:
    """A short source of wide parts, each computed when it is asked for, and once."""

    def __init__(self, source: Source) -> None:
        self.names, self.count = source.names, source.count
        self._source = source
        self._known: list[Part | None] = [None] * source.count

    def __getitem__(self, position: int) -> Part:
        known = self._known[position]
        if known is None:
            known = self._known[position] = self._source.part(position)
        return known

    def part(self, position: int) -> dict[str, Value]:
        return dict(self[position])

    def walk(self, start: int, stop: int) -> Iterator[Part]:
        return map(self.__getitem__, range(start, stop))

    def way(self, position: int) -> Iterator[Step]:
        return self._source.way(position)


def _is_wide(source: Source) -> bool:
    return getattr(source, "width", 1) >= _WIDE


class Product:
    """Every part of each factor with every part of the others; the first is the slowest.

    They share no name, and there is at least one.
    """

    def __init__(self, factors: Sequence[Source]) -> None:
        self.names = frozenset[str]().union(*(factor.names for factor in factors))
        self._factors = tuple(factors)

    @cached_property
    def count(self) -> int:
        return prod(factor.count for factor in self._factors)

    @cached_property
    def _grouped(self) -> tuple[Source | _Held, ...]:
        """The factors, with short neighbours as one."""
        groups: list[list[Source]] = []
        count = names = 1
        for factor in reversed(self._factors):
            is_alone = _is_wide(factor) or (groups and _is_wide(groups[-1][0]))
            count, names = count * factor.count, names + len(factor.names)
            if groups and not is_alone and count <= HELD and count * names <= _HELD_VALUES:
                groups[-1].append(factor)
            else:
                groups.append([factor])
                count, names = factor.count, len(factor.names)
        return tuple(_as_one(group[::-1]) for group in reversed(groups))

    @cached_property
    def _digits(self) -> tuple[list[tuple[int, Callable[[int], Part]]], Callable[[int], Part]]:
        """How to find a part of each group: of the slower ones after how many points it changes, too."""
        found = [one.parts.__getitem__ if isinstance(one, _Held) else one.part for one in self._grouped]
        strides = [prod(one.count for one in self._grouped[place + 1 :]) for place in range(len(found) - 1)]
        return list(zip(strides, found[:-1], strict=True)), found[-1]

    def part(self, position: int) -> dict[str, Value]:
        values: dict[str, Value] = {}
        slower, fastest = self._digits
        for stride, part in slower:
            place = position // stride
            position -= place * stride
            values |= part(place)
        values |= fastest(position)
        return values

    def walk(self, start: int, stop: int) -> Iterator[Part]:
        return self._walk(len(self._grouped) - 1, start, stop)

    def _walk(self, last: int, start: int, stop: int) -> Iterator[Part]:
        """Of the product of the groups up to and with the last."""
        if last == 0:
            return self._grouped[0].walk(start, stop)
        return self._walk_pairs(last, start, stop)

    def _walk_pairs(self, last: int, start: int, stop: int) -> Iterator[Part]:
        if start >= stop:
            return
        faster = self._grouped[last]
        width = faster.count
        first, end = start // width, (stop - 1) // width
        for row, slow in enumerate(self._walk(last - 1, first, end + 1), first):
            begin = start - row * width if row == first else 0
            for fast in faster.walk(begin, stop - row * width if row == end else width):
                yield {**slow, **fast}

    def way(self, position: int) -> Iterator[Step]:
        yield self, position
        for factor in reversed(self._factors):
            position, digit = divmod(position, factor.count)
            yield from factor.way(digit)


def _as_one(group: Sequence[Source]) -> Source | _Held:
    """What is short is held, and what is long is one factor alone."""
    if prod(one.count for one in group) > HELD:
        return group[0]
    return _Kept(group[0]) if _is_wide(group[0]) else _Held(group)


def product(sources: Sequence[Source]) -> Source:
    """All of them multiplied; the first is the slowest. There is at least one."""
    return sources[0] if len(sources) == 1 else Product(sources)


class Uneven:
    """Every part of `candidates` with every part of the source that `make` gives for it.

    Counting and indexing take one pass over the candidates; after it a part is found by looking at
    one of `_MOST_MARKS` stretches of them. Walking from the start needs no such pass.
    """

    def __init__(self, candidates: Source, names: frozenset[str], make: Callable[[Part], Source]) -> None:
        self.names = candidates.names | names
        self.candidates = candidates
        self._make = make

    @cached_property
    def count(self) -> int:
        return self._survey[1]

    @cached_property
    def _stride(self) -> int:
        return -(-self.candidates.count // _MOST_MARKS) or 1

    @cached_property
    def _survey(self) -> tuple[list[int], int]:
        """Where the parts of every so many candidates begin, and how many there are in all."""
        marks, count = [], 0
        for position, candidate in enumerate(self.candidates.walk(0, self.candidates.count)):
            if position % self._stride == 0:
                marks.append(count)
            count += self._make(candidate).count
        return marks, count

    def part(self, position: int) -> dict[str, Value]:
        return dict(next(self.walk(position, position + 1)))

    def walk(self, start: int, stop: int) -> Iterator[Part]:
        if start >= stop:
            return
        mark = bisect_right(self._survey[0], start) - 1 if start else 0
        first, begin = mark * self._stride if start else 0, self._survey[0][mark] if start else 0
        for candidate in self.candidates.walk(first, self.candidates.count):
            made = self._make(candidate)
            low, high = max(start - begin, 0), min(stop - begin, made.count)
            for part in made.walk(low, high) if low < high else ():
                yield {**candidate, **part}
            begin += made.count
            if begin >= stop:
                return

    def way(self, position: int) -> Iterator[Step]:
        marks = self._survey[0]
        mark = bisect_right(marks, position) - 1
        first, begin = mark * self._stride, marks[mark]
        for number, candidate in enumerate(self.candidates.walk(first, self.candidates.count), first):
            count = self._make(candidate).count
            if position < begin + count:
                yield self, position - begin
                yield from self.candidates.way(number)
                return
            begin += count


# ── some of them ─────────────────────────────────────────────────────────────────────────────
Sift = Callable[[int, Part], Part | None]
"""(position among the candidates, candidate) -> what is kept of it, or None."""

_FLAGS = tuple(tuple(byte >> place & 1 for place in range(8)) for byte in range(256))
_PLACES = tuple(tuple(place for place in range(8) if byte >> place & 1) for byte in range(256))


class Sifted:
    """The parts of `candidates` that `sift` keeps, as it gives them.

    Counting and indexing take one pass over the candidates, which leaves a bit for each: afterwards
    no candidate is judged again. Walking from the start needs no such pass. Without `reshapes` what
    is kept is the candidate itself; with it, the sift must not look at positions.
    """

    def __init__(self, candidates: Source, sift: Sift, *, reshapes: bool = False) -> None:
        self.names = candidates.names
        self.candidates = candidates
        self._sift, self._reshapes = sift, reshapes
        self._kept: int | None = None
        self._marks = array("q")
        self._bits = bytearray()

    @property
    def count(self) -> int:
        if self._kept is None:
            self._kept = self._survey()
        return self._kept

    def part(self, position: int) -> dict[str, Value]:
        if position == 0 and self._kept is None:
            return dict(next(self._sifting()))
        part = self.candidates.part(self._candidate(position))
        return dict(self._sift(0, part) or ()) if self._reshapes else part

    def walk(self, start: int, stop: int) -> Iterator[Part]:
        if start == 0 and self._kept is None:
            return islice(self._sifting(), stop)
        return islice(self._from(self._candidate(start)), max(0, stop - start))

    def way(self, position: int) -> Iterator[Step]:
        yield self, position
        yield from self.candidates.way(self._candidate(position))

    def _sifting(self) -> Iterator[Part]:
        sift = self._sift
        for position, part in enumerate(self.candidates.walk(0, self.candidates.count)):
            kept = sift(position, part)
            if kept is not None:
                yield kept

    def _from(self, candidate: int) -> Iterator[Part]:
        flags = chain.from_iterable(map(_FLAGS.__getitem__, islice(self._bits, candidate // 8, None)))
        parts = self.candidates.walk(candidate, self.candidates.count)
        kept = compress(parts, islice(flags, candidate % 8, None))
        if not self._reshapes:
            return kept
        return (shaped for part in kept if (shaped := self._sift(0, part)) is not None)

    def _candidate(self, position: int) -> int:
        """The place of a kept part among the candidates; past all of them for one there is not."""
        if position >= self.count:
            return self.candidates.count
        mark = bisect_right(self._marks, position) - 1
        left = position - self._marks[mark]
        for place in range(mark * _STRIDE // 8, len(self._bits)):
            byte = self._bits[place]
            if left < byte.bit_count():
                return place * 8 + _PLACES[byte][left]
            left -= byte.bit_count()
        raise AssertionError("the marks and the bits of a survey tell of different parts")

    def _survey(self) -> int:
        marks, bits, kept, byte, sift = array("q"), bytearray(), 0, 0, self._sift
        for position, part in enumerate(self.candidates.walk(0, self.candidates.count)):
            if position % _STRIDE == 0:
                marks.append(kept)
            if sift(position, part) is not None:
                kept += 1
                byte |= 1 << (position & 7)
            if position & 7 == 7:
                bits.append(byte)
                byte = 0
        bits.append(byte)
        self._marks, self._bits = marks, bits
        return kept


class Shuffled:
    """The parts of a source in a random order, the same for the same seed and number of parts."""

    def __init__(self, source: Source, seed: int) -> None:
        self.names = source.names
        self._source = source
        self._key = start_of(KEY_BYTES, "order", seed).digest()

    @property
    def count(self) -> int:
        return self._source.count

    @cached_property
    def _place(self) -> Permutation:
        return Permutation(self.count, self._key)

    def part(self, position: int) -> dict[str, Value]:
        return self._source.part(self._place(position))

    def walk(self, start: int, stop: int) -> Iterator[Part]:
        return map(self.part, range(start, stop))

    def way(self, position: int) -> Iterator[Step]:
        yield self, position
        yield from self._source.way(self._place(position))


class Taken:
    """At most `n` parts of a source (None: all) after the first `skip`."""

    def __init__(self, source: Source, skip: int, n: int | None) -> None:
        self.names = source.names
        self._source, self._skip, self._n = source, skip, n

    @property
    def count(self) -> int:
        left = max(0, self._source.count - self._skip)
        return left if self._n is None else min(left, self._n)

    def part(self, position: int) -> dict[str, Value]:
        return self._source.part(self._skip + position)

    def walk(self, start: int, stop: int) -> Iterator[Part]:
        return self._source.walk(self._skip + start, self._skip + stop)

    def way(self, position: int) -> Iterator[Step]:
        yield self, position
        yield from self._source.way(self._skip + position)
