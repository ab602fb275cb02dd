"""A set of job ids in little memory: ten million of them in some 200 MB, where a `set` takes a gigabyte."""

from __future__ import annotations

from array import array

_SMALLEST = 1 << 10


class IdSet:
    """Ids of 20 hex digits (80 bits), exactly: a hash table with open addressing in two arrays.

    An id is its own hash, being a piece of a sha256.
    """

    def __init__(self) -> None:
        self._count = 0
        self._has_zero = False  # all bits zero marks an empty place, so that one id is kept apart
        self._make(_SMALLEST)

    def __len__(self) -> int:
        return self._count

    def add(self, job_id: str) -> bool:
        """True when it was not there yet. Raises ValueError when it is not 20 hex digits."""
        number = int(job_id, 16)
        if number >> 80:
            raise ValueError(f"not an id: {id!r}")
        new = self._put(number >> 16, number & 0xFFFF)
        self._count += new
        if 5 * self._count > 3 * (self._mask + 1):
            self._grow()
        return new

    def _make(self, size: int) -> None:
        self._mask = size - 1
        self._high = array("Q", bytes(8 * size))
        self._low = array("H", bytes(2 * size))

    def _put(self, high: int, low: int) -> bool:
        if not high and not low:
            new, self._has_zero = not self._has_zero, True
            return new
        place = high & self._mask
        while (there := self._high[place]) or self._low[place]:
            if there == high and self._low[place] == low:
                return False
            place = (place + 1) & self._mask
        self._high[place] = high
        self._low[place] = low
        return True

    def _grow(self) -> None:
        old = zip(self._high, self._low, strict=True)
        self._make(2 * (self._mask + 1))
        for high, low in old:
            if high or low:
                self._put(high, low)
