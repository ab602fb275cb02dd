"""How much work it is to look at points and to make rows: about microseconds, known before anything is looked at.

Estimates, from counts and lengths alone and so the same everywhere. They decide how far a trial goes, so that checking
a file takes no longer than a person waits, however large the study and however long its expressions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from itertools import chain

from ..spec.ensemble import Axis, Block, Bounded, Cases, Draw, Ensemble, Method, Sample, Scipy, Value
from .bounds import expressions_of
from .distributions import needs_library
from .draws import Draws
from .expressions import tokens
from .filters import axes
from .sources import HELD
from .space import BlockSpace, Space
from .templates import texts

MOST_DRAWN = 30_000
"""Values that are drawn together, all at once, just to look at some of them."""

_PASSES = 2
"""Over the points of a stage: to judge each condition, and to count what is left."""

_A_POINT, _A_NAME, _A_ROW = 1.0, 0.1, 30.0
_A_CONDITION, _A_TOKEN, _A_LITERAL = 1.0, 0.15, 4.0
_A_RANGE = 30.0
_A_SEED = 5.0
_A_DRAW: Mapping[Method, float] = {
    "random": 4.0,
    "lhs": 10.0,  # and as much for each doubling of its rows
    "sobol": 8.0,
    "halton": 15.0,
    "saltelli": 8.0,
    "morris": 12.0,
}
A_LARGE_VALUE = 50
"""Values in a list, or a hundredth of the characters of a text, with which computing takes twice as long."""


class Effort:
    """What it takes to look at one block."""

    def __init__(self, block: BlockSpace) -> None:
        self._block = block

    def of_conditions(self, most: float) -> float | None:
        """Of judging all of them, and of counting the rows; None where it is more than `most`.

        How many points a stage looks at may only be known after the one before it: nothing is begun that is too much.
        """
        spent = 0.0
        for stage, path in self._block.stages:
            names = stage.candidates.names
            spent += _PASSES * stage.candidates.count * self._of_a_point(path, names)
            if spent > most:
                return None
        return spent

    @property
    def to_begin(self) -> float:
        """Of having the first row: a short product is computed as a whole."""
        return min(self._block.size, HELD) * (_A_POINT + len(self._block.names) * _A_NAME)

    def of_a_row(self, templates: float) -> float:
        """Of one row and its job; `templates` is what the study's templates take."""
        names = frozenset(self._block.names)
        return (
            _A_ROW + 10 * len(names) * _A_NAME + self._drawn(names) + self._derived + self._scale * templates
        )

    def _of_a_point(self, path: tuple[str | int, ...], names: frozenset[str]) -> float:
        return _A_POINT + len(names) * _A_NAME + self._drawn(names) + self._judging[_kind(path)]

    @cached_property
    def _judging(self) -> Mapping[str, float]:
        block = self._block.block
        written = [axis for source in block.sources for axis in axes(source)]
        ranges = [bound for axis in written for bound in expressions_of(axis).values()]
        literals = sum(len(one.match or ()) for one in block.exclude)
        wheres = [one.where for one in block.exclude if one.where is not None]
        return {
            "range": _A_RANGE * sum(isinstance(axis.values, Bounded) for axis in written) + self._of(ranges),
            "when": self._of(axis.when for axis in written if axis.when is not None),
            "exclude": self._of(wheres) + literals * _A_LITERAL + self._derived + _A_SEED,
        }

    @cached_property
    def _derived(self) -> float:
        return self._of(one.expression for one in self._block.block.derive)

    def _of(self, expressions: Iterable[str]) -> float:
        return self._scale * sum(of_text(one) for one in expressions)

    @cached_property
    def _scale(self) -> float:
        """Computing with a list of a thousand values takes longer than with a number."""
        return 1 + _largest(self._block.block) / A_LARGE_VALUE

    def _drawn(self, names: frozenset[str]) -> float:
        block = self._block.block
        return sum(
            draw.width * _of_a_draw(sample)
            for sample in block.samples
            for draw in sample.draws
            if draw.name in names
        )


def _of_a_draw(sample: Sample) -> float:
    doublings = sample.n.bit_length() if sample.method == "lhs" else 1
    return doublings * _A_DRAW[sample.method]


def _kind(path: tuple[str | int, ...]) -> str:
    if "exclude" in path:
        return "exclude"
    return "when" if path[-1] == "when" else "range"


def of_text(source: str) -> float:
    """Of computing an expression, or all those in a text."""
    return _A_CONDITION + tokens(source) * _A_TOKEN


def of_templates(ensemble: Ensemble) -> float:
    """Of filling in `job` and `command` once."""
    job, command = ensemble.job, ensemble.worker.command
    found = chain(
        texts(job, ()) if job is not None else (), texts(command, ()) if command is not None else ()
    )
    return _count(job) * _A_NAME + sum(of_text(source) for _, source in found)


def is_quickly_counted(ensemble: Ensemble, space: Space, draws: Draws, rows: int, most: float) -> bool:
    """Whether all rows of a study can be counted, and so many of each block be looked at, with so much work."""
    templates = of_templates(ensemble)
    for block in space.blocks:
        effort = Effort(block).of_conditions(most) if is_drawn(block.block, draws) else None
        if effort is None:
            return False
        most -= effort + Effort(block).to_begin + rows * Effort(block).of_a_row(templates)
    return most >= 0


def is_drawn(block: Block, draws: Draws) -> bool:
    """Whether its values can be had one by one, or are few: some can only be drawn all at once."""
    known = draws.of(block.name)
    needed = (
        _AT_ONCE.get(type(draw.distribution), 1) * sample.count * draw.width
        for sample, draw in _at_once(block)
        if draw.components[0] not in known.values and draw.components[0] not in known.orders
    )
    return sum(needed) <= MOST_DRAWN


_AT_ONCE: Mapping[type, int] = {Scipy: MOST_DRAWN + 1}
"""One value of some distributions of the library takes minutes, and gigabytes: just to look, none is drawn."""


def _at_once(block: Block) -> Iterator[tuple[Sample, Draw]]:
    for sample in block.samples:
        correlated = {name for first, others in sample.correlate.items() for name in (first, *others)}
        for draw in sample.draws:
            if needs_library(draw.distribution) or draw.name in correlated:
                yield sample, draw


# ── values ───────────────────────────────────────────────────────────────────────────────────
def _largest(block: Block) -> int:
    """The size of the largest value as it is written; those of tables are small by nature."""
    values: list[Value] = [one.value for one in block.fixed]
    for source in block.sources:
        if isinstance(source, Cases):
            values += [value for row in source.rows for value in row.values()]
        for axis in axes(source):
            values += _written(axis)
    return max(map(_size, values), default=0)


def _written(axis: Axis) -> list[Value]:
    return list(getattr(axis.values, "values", ()))


def _size(value: object) -> int:
    return len(value) // 100 if isinstance(value, str) else _count(value)


def _count(value: object) -> int:
    """How many values there are in a value."""
    if isinstance(value, dict):
        return len(value) + sum(map(_count, value.values()))
    if isinstance(value, list):
        return len(value) + sum(map(_count, value))
    return 0
