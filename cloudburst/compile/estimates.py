"""How long what is left will take: from the jobs that have ended, on as many slots as there are.

Pure. Durations are seconds. Nothing is guessed: what too little is known of is None.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from .expectation import Expectation
from .money import HOUR, spell

CONFIDENCE = 0.9
"""How often a range holds what it is a range of."""

FEWEST = 2
"""Jobs that must have ended in a block before anything can be said of how they differ."""

MOST_DEGREES = 1000
"""Of freedom: with more, the quantile is the same in three digits."""

ANYWHERE = ""
"""Stands for a block, of jobs that are in no row any more, and where nobody looked which block they are of."""


@dataclass(frozen=True)
class Durations:
    """What jobs took that ended, summed up: their number, mean and variance, and the longest."""

    jobs: int
    mean: float
    variance: float
    longest: float

    @classmethod
    def of(cls, seconds: Iterable[float]) -> Self:
        """`seconds` of each job, at least one."""
        found = sorted(seconds)
        mean = math.fsum(found) / len(found)
        squares = math.fsum((one - mean) ** 2 for one in found)
        return cls(len(found), mean, squares / (len(found) - 1) if len(found) > 1 else 0.0, found[-1])


@dataclass(frozen=True)
class Part:
    """`jobs` left of one block (`ANYWHERE`: of any), and what those took that are taken to be like them.

    `is_own` is False where none of the block has ended yet: then they are all that ended, of whichever block.
    """

    block: str
    jobs: int
    like: Durations
    is_own: bool

    @property
    def seconds(self) -> float:
        return self.jobs * self.like.mean

    @property
    def variance(self) -> float:
        """Of the sum of the jobs left about `seconds`: of the mean, and of the jobs themselves."""
        return self.like.variance * (self.jobs * self.jobs / self.like.jobs + self.jobs)


@dataclass(frozen=True)
class Effort:
    """What is left to compute. `seconds` is of all `jobs` one after another; `finished` jobs have ended, `longest`
    is what one of those took that the rest is taken to be like."""

    jobs: int
    finished: int
    seconds: Expectation
    longest: float
    parts: tuple[Part, ...]

    @property
    def mean(self) -> float:
        """Seconds a job."""
        return self.seconds.mid / self.jobs


@dataclass(frozen=True)
class Tally:
    """Jobs `left` to compute, and the seconds of those that `ended`, by block."""

    left: Mapping[str, int] = field(default_factory=dict)
    ended: Mapping[str, Sequence[float]] = field(default_factory=dict)


def expect(tally: Tally, *, again: int = 0) -> Effort | None:
    """What the jobs left will take; None when none is left or none has ended.

    `again` are jobs tried anew besides, taken to be like all that ended. Each block is estimated by its own jobs:
    blocks may be of very different length.
    """
    everything = [one for seconds in tally.ended.values() for one in seconds]
    jobs = sum(tally.left.values()) + again
    if not jobs or not everything:
        return None
    of_all = Durations.of(everything)
    parts = [
        _part(block, number, tally.ended.get(block), of_all) for block, number in tally.left.items() if number
    ]
    if again:
        parts.append(Part(ANYWHERE, again, of_all, is_own=True))
    return Effort(
        jobs=jobs,
        finished=len(everything),
        seconds=_sum(parts),
        longest=max(part.like.longest for part in parts),
        parts=tuple(parts),
    )


def _part(block: str, jobs: int, seconds: Sequence[float] | None, of_all: Durations) -> Part:
    return Part(block, jobs, Durations.of(seconds) if seconds else of_all, bool(seconds))


def _sum(parts: Sequence[Part]) -> Expectation:
    """Of all parts, with its prediction interval (stratified sampling: Cochran, Sampling Techniques, 3rd ed., §5.4;
    degrees of freedom by Satterthwaite, Biometrics Bulletin 2, 1946). For one part it is Student's own, exact when
    durations are normal."""
    mid = math.fsum(part.seconds for part in parts)
    if any(part.like.jobs < FEWEST or not part.is_own for part in parts):
        return Expectation(mid)
    variance = math.fsum(part.variance for part in parts)
    if variance == 0:
        return Expectation(mid, mid, mid)
    shares = math.fsum((part.variance / variance) ** 2 / (part.like.jobs - 1) for part in parts)
    margin = quantile(max(1, math.floor(1 / shares + 1e-9))) * math.sqrt(variance)
    return Expectation(mid, max(0.0, mid - margin), mid + margin)


# ── Student's t ──────────────────────────────────────────────────────────────────────────────
def quantile(degrees: int) -> float:
    """How many standard errors to either side hold `CONFIDENCE` of Student's t with so many degrees of freedom."""
    degrees = min(degrees, MOST_DEGREES)
    low, high = 0.0, math.pi / 2
    while high - low > 1e-12:
        angle = (low + high) / 2
        low, high = (angle, high) if _within(angle, degrees) < CONFIDENCE else (low, angle)
    return math.tan((low + high) / 2) * math.sqrt(degrees)


def _within(angle: float, degrees: int) -> float:
    """The probability of |t| < tan(angle) × sqrt(degrees), in closed form (Abramowitz and Stegun, 26.7.3 and 26.7.4)."""
    sine, cosine = math.sin(angle), math.cos(angle)
    if degrees == 1:
        return 2 * angle / math.pi
    odd = degrees % 2
    term = total = cosine if odd else 1.0
    for step in range(2 + odd, degrees - 1, 2):
        term *= cosine * cosine * (step - 1) / step
        total += term
    return 2 / math.pi * (angle + sine * total) if odd else sine * total


# ── on so many slots ─────────────────────────────────────────────────────────────────────────
def wall(effort: Effort, slots: int) -> Expectation:
    """Seconds until the last job has ended, with `slots` at a time, none of them idle while a job waits.

    Never less than the longest job. The high end is Graham's bound (SIAM J. Appl. Math. 17, 1969), which holds in
    whatever order the jobs come: the longest may be the last to begin.
    """
    at_once = at_a_time(effort, slots)
    work = effort.seconds
    longest = min(effort.longest, work.mid)
    mid = max(work.mid / at_once, longest)
    if work.low is None or work.high is None:
        return Expectation(mid)
    high = longest + (work.high - longest) / at_once
    return Expectation(mid, min(mid, work.low / at_once), max(mid, high))


def at_a_time(effort: Effort, slots: int) -> int:
    return max(1, min(slots, effort.jobs))


def pace(effort: Effort, slots: int) -> str:
    """The arithmetic of `wall` in words: `200 jobs × 1.3s / 12 at a time`."""
    jobs = f"{effort.jobs:,} job{'' if effort.jobs == 1 else 's'}"
    at_once = at_a_time(effort, slots)
    if effort.seconds.mid / at_once < min(effort.longest, effort.seconds.mid) * (1 - 1e-9):
        return f"{jobs}, {at_once:,} at a time, of which the longest takes {spell(effort.longest)}"
    return f"{jobs} × {spell(effort.mean)} / {at_once:,} at a time"


# ── the JSON form ────────────────────────────────────────────────────────────────────────────
def effort_form(effort: Effort, cpus: float, slots: int | None) -> dict[str, Any]:
    """As schemas/plan.schema.json has it under `effort`. `cpus` are those a job needs; `slots` None: not known."""
    return {
        "jobs": effort.jobs,
        "from": effort.finished,
        "cpu_hours": effort.seconds.times(cpus / HOUR).to_json(),
        "wall_hours": wall(effort, slots).times(1 / HOUR).to_json() if slots else None,
        "slots": slots,
        "longest": float(f"{effort.longest:.6g}"),
        "confidence": CONFIDENCE,
        "blocks": [_part_form(part) for part in effort.parts],
    }


def _part_form(part: Part) -> dict[str, Any]:
    return {
        "block": part.block or None,
        "jobs": part.jobs,
        "from": part.like.jobs if part.is_own else 0,
        "seconds": float(f"{part.like.mean:.6g}"),
    }
