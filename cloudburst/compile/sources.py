"""Where parameter values come from, as small classes over one protocol: the algebra of a block.

A source has `count` parts, each a map of names to values, indexed from 0 and never held in a list.
`Together` walks columns side by side (an axis, a zip, a sample, the replicates), `Rows` are rows as
written (cases, a table), `Product` multiplies, `Sifted` keeps some. What a block makes of them is
`space`'s.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import reduce
from itertools import islice
from typing import Protocol

from ..spec.ensemble import Value
from ..spec.progressions import Column

Part = Mapping[str, Value]

_HELD = 4096
"""A factor of at most so many parts is computed once and held; a longer one is walked again."""

_STRIDE = 256
"""Every so many candidates a `Sifted` remembers how many it had kept."""


class Source(Protocol):
    """Parts belong to the source: whoever wants to change one copies it."""

    @property
    def names(self) -> frozenset[str]: ...

    @property
    def count(self) -> int: ...

    def part(self, position: int) -> Part: ...

    def walk(self, start: int, stop: int) -> Iterator[Part]:
        """The parts from start up to and without stop, in order."""


class Together:
    """Columns of one length, walked side by side."""

    def __init__(self, columns: Mapping[str, Column], count: int) -> None:
        self.names = frozenset(columns)
        self.count = count
        self._columns = tuple(columns.items())

    def part(self, position: int) -> Part:
        return {name: column[position] for name, column in self._columns}

    def walk(self, start: int, stop: int) -> Iterator[Part]:
        columns = self._columns
        for position in range(start, stop):
            yield {name: column[position] for name, column in columns}


class Rows:
    """Parts as they were written; a row may lack a name another one has."""

    def __init__(self, rows: Sequence[Part]) -> None:
        self.names = frozenset(name for row in rows for name in row)
        self.count = len(rows)
        self._rows = rows

    def part(self, position: int) -> Part:
        return self._rows[position]

    def walk(self, start: int, stop: int) -> Iterator[Part]:
        return islice(self._rows, start, stop)


class Product:
    """Every part of `slow` with every part of `fast`; they share no name."""

    def __init__(self, slow: Source, fast: Source) -> None:
        self.names = slow.names | fast.names
        self._slow, self._fast = slow, fast
        self._held: tuple[Part, ...] | None = None

    @property
    def count(self) -> int:
        return self._slow.count * self._fast.count

    def part(self, position: int) -> Part:
        slow, fast = divmod(position, self._fast.count)
        return {**self._slow.part(slow), **self._fast.part(fast)}

    def walk(self, start: int, stop: int) -> Iterator[Part]:
        if start >= stop:
            return
        width = self._fast.count
        first, last = start // width, (stop - 1) // width
        for row, slow in enumerate(self._slow.walk(first, last + 1), first):
            begin = start - row * width if row == first else 0
            end = stop - row * width if row == last else width
            for fast in self._stretch(begin, end):
                yield {**slow, **fast}

    def _stretch(self, start: int, stop: int) -> Iterator[Part]:
        if self._fast.count > _HELD:
            return self._fast.walk(start, stop)
        if self._held is None:
            self._held = tuple(self._fast.walk(0, self._fast.count))
        return islice(self._held, start, stop)


def product(sources: Sequence[Source]) -> Source:
    """All of them multiplied; the first is the slowest. There is at least one."""
    return reduce(Product, sources)


Sift = Callable[[int, Part], Part | None]
"""(position among the candidates, candidate) -> what is kept of it, or None."""


class Sifted:
    """The parts of `candidates` that `sift` keeps, as it gives them.

    Counting and indexing take one pass over the candidates; after it a part is found by looking
    at no more than `_STRIDE` of them. Walking from the start needs no such pass.
    """

    def __init__(self, candidates: Source, sift: Sift) -> None:
        self.names = candidates.names
        self.candidates = candidates
        self._sift = sift
        self._kept: int | None = None
        self._marks = array("q")

    @property
    def count(self) -> int:
        if self._kept is None:
            self._kept = self._survey()
        return self._kept

    def part(self, position: int) -> Part:
        return next(self.walk(position, position + 1))

    def walk(self, start: int, stop: int) -> Iterator[Part]:
        candidate, kept = self._mark_before(start)
        return islice(self._from(candidate), start - kept, max(stop - kept, start - kept))

    def _mark_before(self, position: int) -> tuple[int, int]:
        """A candidate not after the wanted one, and how many are kept before it."""
        if position == 0 or self.count == 0:
            return 0, 0
        mark = bisect_right(self._marks, position) - 1
        return mark * _STRIDE, self._marks[mark]

    def _from(self, candidate: int) -> Iterator[Part]:
        sift = self._sift
        for position, part in enumerate(self.candidates.walk(candidate, self.candidates.count), candidate):
            kept = sift(position, part)
            if kept is not None:
                yield kept

    def _survey(self) -> int:
        marks, kept, sift = array("q"), 0, self._sift
        for position, part in enumerate(self.candidates.walk(0, self.candidates.count)):
            if position % _STRIDE == 0:
                marks.append(kept)
            if sift(position, part) is not None:
                kept += 1
        self._marks = marks
        return kept
