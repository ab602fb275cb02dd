"""A sequence that computes its items when they are asked for, of any length.

`len` raises OverflowError beyond what Python's own `len` can say; `count` is exact.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Generic, TypeVar, overload

T_co = TypeVar("T_co", covariant=True)


class Lazy(ABC, Generic[T_co]):
    """What a subclass says: how many there are, one by its index, and a stretch of them in order."""

    @property
    @abstractmethod
    def count(self) -> int:
        """How many items there are."""

    @abstractmethod
    def at(self, index: int) -> T_co:
        """The item at 0 <= index < count."""

    @abstractmethod
    def walk(self, start: int, stop: int) -> Iterator[T_co]:
        """The items from start up to and without stop, in order; 0 <= start <= stop <= count."""

    def __len__(self) -> int:
        return self.count

    def __bool__(self) -> bool:
        return self.count > 0

    def __iter__(self) -> Iterator[T_co]:
        return self.walk(0, self.count)

    @overload
    def __getitem__(self, key: int) -> T_co: ...
    @overload
    def __getitem__(self, key: slice) -> Lazy[T_co]: ...
    def __getitem__(self, key: int | slice) -> T_co | Lazy[T_co]:
        """One item, or a view of some. Raises IndexError; negative indexes count from the end."""
        if isinstance(key, slice):
            return _View(self, range(self.count)[key])
        if 0 <= key < self.count:
            return self.at(key)
        if 0 <= key + self.count < self.count:
            return self.at(key + self.count)
        raise IndexError(f"there is no item {key} among {self.count}")


class _View(Lazy[T_co]):
    """Some items of another sequence, by their indexes there."""

    def __init__(self, whole: Lazy[T_co], indexes: range) -> None:
        self._whole, self._indexes = whole, indexes

    @property
    def count(self) -> int:
        first, step = self._indexes.start, self._indexes.step
        return max(0, -((first - self._indexes.stop) // step))

    def at(self, index: int) -> T_co:
        return self._whole.at(self._indexes[index])

    def walk(self, start: int, stop: int) -> Iterator[T_co]:
        indexes = self._indexes[start:stop]
        if indexes.step == 1 and indexes.start < indexes.stop:
            return self._whole.walk(indexes.start, indexes.stop)
        return (self._whole.at(index) for index in indexes)
