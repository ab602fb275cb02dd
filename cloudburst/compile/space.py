"""The parameter space: blocks one after another, each a product of its sources, minus what `when`
and `exclude` take away, plus seeds and derived values. Lazy and indexable; jobs are `jobs`'.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from math import prod

from ..diagnostics import Path
from ..spec import progressions
from ..spec.ensemble import Block, Cases, Ensemble, Replicates, Sample, Table, Value
from ..spec.ensemble import Source as Written
from . import samplers
from .draws import Draws
from .expressions import expression
from .filters import (
    REPLICATE,
    Additions,
    Derivation,
    ExcludeSift,
    WhenSift,
    axes,
    conditions,
    exclusion,
    kept_rows,
)
from .lazy import Lazy
from .sources import Rows, Sifted, Source, Together, product


@dataclass(frozen=True, slots=True)
class Row:
    """One row. `values` are the parameters it has: fixed, sources as written, seed, derived."""

    index: int
    block: str
    values: Mapping[str, Value]
    replicate: int | None


@dataclass(frozen=True)
class Factor:
    """One source of a block: what people call it, and how many parts it has."""

    name: str
    count: int


@dataclass(frozen=True)
class Arithmetic:
    """How the rows of a block come about: `count` = `product` of the factors - `merged` - `excluded`.

    `merged` points differ from a kept one only in a parameter that a `when` makes absent.
    """

    block: str
    factors: tuple[Factor, ...]
    product: int
    merged: int
    excluded: int
    count: int


# ── sources as written ───────────────────────────────────────────────────────────────────────
def names_of(source: Written) -> tuple[str, ...]:
    """The parameters a source gives, in order of appearance."""
    if isinstance(source, Sample):
        return tuple(draw.name for draw in source.draws)
    if isinstance(source, Table):
        return source.columns
    if isinstance(source, Cases):
        return tuple(dict.fromkeys(name for row in source.rows for name in row))
    if isinstance(source, Replicates):
        return (source.name,)
    return tuple(axis.name for axis in axes(source))


def names_in(block: Block) -> tuple[str, ...]:
    """Every parameter a row of the block may have, in the order of `Row.values`."""
    fixed = [one.name for one in block.fixed]
    given = [name for s in block.sources if not isinstance(s, Replicates) for name in names_of(s)]
    seeds = [s.name for s in block.sources if isinstance(s, Replicates)]
    return tuple(dict.fromkeys([*fixed, *given, *seeds, *(one.name for one in block.derive)]))


def label(source: Written) -> str:
    """What people call a source."""
    if isinstance(source, Sample):
        return f"{source.method} sample"
    if isinstance(source, Table):
        return source.file
    if isinstance(source, Cases):
        return "cases"
    if isinstance(source, Replicates):
        return "replicates"
    return "+".join(names_of(source))


def _made(source: Written, block: Block, seed: int, draws: Draws) -> Source:
    if isinstance(source, Sample):
        return Together(
            {
                draw.name: draws.column(block.name, draw.name) or samplers.column(source, draw, seed)
                for draw in source.draws
            },
            source.n,
        )
    if isinstance(source, Table):
        return Rows(kept_rows(source))
    if isinstance(source, Cases):
        return Rows(source.rows)
    if isinstance(source, Replicates):
        return Together({REPLICATE: range(source.n)}, source.n)
    written = axes(source)
    count = min(progressions.count(axis.values) for axis in written)
    return Together({axis.name: progressions.column(axis.values) for axis in written}, count)


# ── spaces ───────────────────────────────────────────────────────────────────────────────────
class BlockSpace(Lazy[Row]):
    """The rows of one block, indexed from 0.

    Raises `ExpressionError` when an expression cannot be read, and while walking `RowError` when
    one fails on a row.
    """

    def __init__(self, block: Block, seed: int, draws: Draws, start: Callable[[], int]) -> None:
        self.block = block
        self.names = names_in(block)
        self._start = start
        derivations = tuple(Derivation(d.name, expression(d.expression), d.path) for d in block.derive)
        seed_name = next((s.name for s in block.sources if isinstance(s, Replicates)), None)
        self._additions = Additions(seed, seed_name, derivations)
        made = [_made(source, block, seed, draws) for source in block.sources]
        self._factors = tuple(Factor(label(s), m.count) for s, m in zip(block.sources, made, strict=True))
        points = self._obey_when([Rows(({one.name: one.value for one in block.fixed},)), *made])
        self._points = product(points)
        kept = self._obey_exclude(points)
        self._kept = product(kept)
        # Only then do neighbours share a point, and with it the beginning of their seeds.
        self._replicates_fastest = kept[-1].names == {REPLICATE} and kept[-1] is points[-1]

    def _obey_when(self, factors: list[Source]) -> list[Source]:
        self.when_stage: Sifted | None = None
        self.whens = conditions(self.block)
        if not self.whens:
            return factors
        touched = frozenset(when.name for when in self.whens).union(*(w.expression.names for w in self.whens))
        head, tail = _split(factors, touched)
        self.when_stage = Sifted(product(head), WhenSift(self.whens, head))
        return [self.when_stage, *tail]

    def _obey_exclude(self, factors: list[Source]) -> list[Source]:
        self.exclude_stage: Sifted | None = None
        self.exclude = ExcludeSift([exclusion(entry) for entry in self.block.exclude], self._additions)
        if not self.exclude.exclusions:
            return factors
        head, tail = (factors, []) if self.exclude.needs_everything else _split(factors, self.exclude.names)
        self.exclude_stage = Sifted(product(head), self.exclude)
        return [self.exclude_stage, *tail]

    @property
    def start(self) -> int:
        """The number of the block's first row in the study."""
        return self._start()

    @property
    def stages(self) -> tuple[tuple[Sifted, Path], ...]:
        """What takes points away, with a place in the file each."""
        found = []
        if self.when_stage is not None:
            found.append((self.when_stage, self.whens[0].path))
        if self.exclude_stage is not None:
            found.append((self.exclude_stage, self.exclude.exclusions[0].path))
        return tuple(found)

    @property
    def size(self) -> int:
        """How many points there are before `when` and `exclude`."""
        return prod(factor.count for factor in self._factors)

    @cached_property
    def count(self) -> int:
        return self._kept.count

    @property
    def arithmetic(self) -> Arithmetic:
        """Exact. With `when` or `exclude`, asking takes a pass over the points these look at."""
        full, points = self.size, self._points.count
        return Arithmetic(
            self.block.name, self._factors, full, full - points, points - self.count, self.count
        )

    def at(self, index: int) -> Row:
        return next(self.walk(index, index + 1))

    def walk(self, start: int, stop: int) -> Iterator[Row]:
        if self._additions.seed_name is None:
            return self._walk_plain(start, stop)
        return self._walk_replicates(start, stop, self._additions.seed_name)

    def _walk_plain(self, start: int, stop: int) -> Iterator[Row]:
        name, derive = self.block.name, self._additions.derive
        for index, part in enumerate(self._kept.walk(start, stop), self.start + start):
            values = dict(part)
            derive(values, None, index)
            yield Row(index, name, values, None)

    def _walk_replicates(self, start: int, stop: int, seed_name: str) -> Iterator[Row]:
        name, derive = self.block.name, self._additions.derive
        seeds: Callable[[int], int] | None = None
        for index, part in enumerate(self._kept.walk(start, stop), self.start + start):
            values = dict(part)
            replicate = values.pop(REPLICATE)
            assert isinstance(replicate, int)  # noqa: S101  a column made from a range
            if seeds is None or replicate == 0 or not self._replicates_fastest:
                seeds = self._additions.seeds(values)
            values[seed_name] = seeds(replicate)
            derive(values, replicate, index)
            yield Row(index, name, values, replicate)


def _split(factors: list[Source], touched: frozenset[str]) -> tuple[list[Source], list[Source]]:
    """Factors up to the last one with a touched name, and the rest, which goes on multiplying."""
    places = [place for place, factor in enumerate(factors) if not factor.names.isdisjoint(touched)]
    cut = max(places, default=0) + 1
    return factors[:cut], factors[cut:]


class Space(Lazy[Row]):
    """All rows of a study in plan order: its blocks one after another."""

    def __init__(self, ensemble: Ensemble, draws: Draws) -> None:
        self.blocks = tuple(
            BlockSpace(block, ensemble.seed, draws, lambda place=place: self._starts[place])  # type: ignore[misc]
            for place, block in enumerate(ensemble.blocks)
        )
        self.names = tuple(dict.fromkeys(name for block in self.blocks for name in block.names))

    @cached_property
    def _starts(self) -> tuple[int, ...]:
        """The number of each block's first row, and at the end how many rows there are."""
        return tuple(accumulate((block.count for block in self.blocks), initial=0))

    @property
    def count(self) -> int:
        return self._starts[-1]

    @property
    def arithmetic(self) -> tuple[Arithmetic, ...]:
        """How the rows come about, block by block."""
        return tuple(block.arithmetic for block in self.blocks)

    def at(self, index: int) -> Row:
        place = bisect_right(self._starts, index) - 1
        return self.blocks[place].at(index - self._starts[place])

    def walk(self, start: int, stop: int) -> Iterator[Row]:
        for block, first in zip(self.blocks, self._starts, strict=False):
            begin, end = max(start - first, 0), min(stop - first, block.count)
            if begin < end:
                yield from block.walk(begin, end)


def make_space(ensemble: Ensemble, draws: Draws | None = None) -> Space:
    """The space of an ensemble. Without `draws`, values that should travel are computed here.

    Raises `ExpressionError` when an expression cannot be read.
    """
    return Space(ensemble, draws or Draws())
