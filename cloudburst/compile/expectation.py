"""A number that is expected, with the range it is expected in."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Expectation:
    """What is expected, and the ends of its range; both None where there is none to tell."""

    mid: float
    low: float | None = None
    high: float | None = None

    def times(self, factor: float) -> Expectation:
        """`factor` is not negative."""
        low = None if self.low is None else self.low * factor
        high = None if self.high is None else self.high * factor
        return Expectation(self.mid * factor, low, high)

    def to_json(self) -> list[float | None]:
        """[low, mid, high], to six digits: more would pass for knowledge."""
        return [None if one is None else float(f"{one:.6g}") for one in (self.low, self.mid, self.high)]
