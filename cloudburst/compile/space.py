"""The parameter space: blocks one after another, each a product of its sources, minus what `when`
and `exclude` take away, plus seeds and derived values. Lazy and indexable; jobs are `jobs`'.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from math import prod
from typing import NamedTuple

from ..diagnostics import Path
from ..spec import progressions
from ..spec.ensemble import (
    Axis,
    Block,
    Bounded,
    Cases,
    Ensemble,
    Oat,
    Points,
    Replicates,
    Sample,
    Table,
    Take,
    Value,
)
from ..spec.ensemble import Source as Written
from . import samplers
from .bounds import Dependent, as_written, names_in_bounds
from .draws import Draws
from .expressions import expression
from .filters import (
    MARK,
    REPLICATE,
    Additions,
    Derivation,
    ExcludeSift,
    WhenSift,
    axes,
    conditions,
    exclusion,
    former,
    kept_rows,
)
from .lazy import Lazy
from .sources import (
    Move,
    Numbered,
    OneAtATime,
    Part,
    Rows,
    Shuffled,
    Sifted,
    Source,
    Taken,
    Together,
    Uneven,
    product,
)


class Row(NamedTuple):
    """One row. `values` are the parameters it has: fixed, sources as written, seed, derived.

    A tuple: a frozen dataclass takes longer to make than all its values together.
    """

    index: int  # type: ignore[assignment]  # tuples have a method of that name, for which rows have no use
    block: str
    values: Mapping[str, Value]
    replicate: int | None


@dataclass(frozen=True)
class Factor:
    """One source of a block: what people call it, and how many parts it has.

    A range with bounds that are expressions is one factor with the sources they hang on. `unit` is
    that of a single parameter.
    """

    name: str
    count: int
    unit: str | None = None


@dataclass(frozen=True)
class Way:
    """Where a row comes from: `steps` are positions in all that it was made from, by source.

    `written` is its position among the rows that `exclude` leaves, as they stand in the file, before `order` and
    `take`; `excluded` are the points before it that `exclude` takes away.
    """

    steps: Mapping[Source, int]
    written: int
    excluded: int


@dataclass(frozen=True)
class Arithmetic:
    """How the rows of a block come about: `count` = `product` of the factors - `merged` - `excluded` - `untaken`.

    `merged` points differ from a kept one only in a parameter that a `when` makes absent; `untaken`
    are those that `take` leaves out.
    """

    block: str
    factors: tuple[Factor, ...]
    product: int
    merged: int
    excluded: int
    count: int
    untaken: int = 0
    shuffled: bool = False


# ── sources as written ───────────────────────────────────────────────────────────────────────
def names_of(source: Written) -> tuple[str, ...]:
    """The parameters a source gives, in order of appearance."""
    if isinstance(source, Sample):
        return tuple(draw.name for draw in source.draws)
    if isinstance(source, Table):
        return source.columns
    if isinstance(source, Cases):
        return tuple(dict.fromkeys(name for row in source.rows for name in row))
    if isinstance(source, Points):
        return tuple(dict.fromkeys(name for row in source.rows for name in row if name != REPLICATE))
    if isinstance(source, Replicates):
        return (source.name,)
    if isinstance(source, Oat):
        return tuple(source.centre)
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
    if isinstance(source, Points):
        return "points"
    if isinstance(source, Replicates):
        return "paired replicates" if source.paired else "replicates"
    if isinstance(source, Oat):
        return "one at a time"
    return "+".join(
        as_written(axis.name, axis.values) if isinstance(axis.values, Bounded) else axis.name
        for axis in axes(source)
    )


def units_in(block: Block) -> dict[str, str]:
    """The units of the parameters that have one."""
    listed = {axis.name: axis.unit for source in block.sources for axis in axes(source)}
    drawn = {draw.name: draw.unit for sample in block.samples for draw in sample.draws}
    return {name: unit for name, unit in {**listed, **drawn}.items() if unit is not None}


def _unit(source: Written) -> str | None:
    return source.unit if isinstance(source, Axis) else None


def _made(source: Written, block: Block, seed: int, draws: Draws) -> Source:
    if isinstance(source, Sample):
        return Together(samplers.columns(source, seed, draws.of(block.name)), source.count)
    if isinstance(source, Table):
        return Rows(kept_rows(source))
    if isinstance(source, Cases | Points):
        return Rows(source.rows)
    if isinstance(source, Replicates):
        return Together({REPLICATE: range(source.n)}, source.n)
    if isinstance(source, Oat):
        return make_oat(source)
    written = {axis.name: axis.values for axis in axes(source) if not isinstance(axis.values, Bounded)}
    count = min(map(progressions.count, written.values()))
    return Together({name: progressions.column(values) for name, values in written.items()}, count)


def make_oat(oat: Oat) -> Source:
    """The points of a design that moves one parameter at a time."""
    moves = []
    for name, step in oat.steps.items():
        centre = oat.centre[name]
        if not isinstance(step, int | float):
            moves.append(Move(name, progressions.column(step), progressions.count(step)))
        elif isinstance(centre, int | float):
            column = progressions.around(centre, step, oat.each_side)
            moves.append(Move(name, column, 2 * oat.each_side + 1, without=oat.each_side))
    return OneAtATime(oat.centre, moves, oat.include_centre)


class _Factors:
    """The sources of a block as they multiply. One that hangs on others takes them into itself."""

    def __init__(self, block: Block, make: Callable[[Written], Source]) -> None:
        self.sources: list[Source] = []
        self.uneven: list[tuple[Uneven, Path]] = []
        self.marks: dict[str, frozenset[str]] = {}
        self.made: list[tuple[Written, Source]] = []
        self._labels: list[str] = []
        self._units: list[str | None] = []
        self._fixed = {one.name: one.value for one in block.fixed}
        self._conditional = {a.name for source in block.sources for a in axes(source) if a.when is not None}
        self._make = make
        for source in block.sources:
            self._add(source)

    @property
    def factors(self) -> tuple[Factor, ...]:
        named = zip(self._labels, self.sources, self._units, strict=True)
        return tuple(
            Factor(f"({name})" if isinstance(source, Uneven) else name, source.count, unit)
            for name, source, unit in named
        )

    def _add(self, source: Written) -> None:
        written = axes(source)
        if any(isinstance(axis.values, Bounded) for axis in written):
            self._add_uneven(source, written)
            return
        made, marked = self._make(source), self._marking(frozenset(names_of(source)))
        self.made.append((source, made))
        self.sources.append(marked(made))
        self._labels.append(label(source))
        self._units.append(_unit(source))

    def _add_uneven(self, source: Written, written: tuple[Axis, ...]) -> None:
        names, looked_at = frozenset(names_of(source)), names_in_bounds(written)
        values, marked = Dependent(written, self._fixed), self._marking(names)
        touched = [place for place, one in enumerate(self.sources) if not one.names.isdisjoint(looked_at)]
        first = min(touched, default=len(self.sources))
        candidates = product(self.sources[first:] or [Rows(({},))])
        made = Uneven(candidates, names, lambda point: marked(values(point)))
        self.made.append((source, made))
        self.uneven.append((made, written[0].path))
        self.sources[first:] = [made]
        self._labels[first:] = [" with ".join([*self._labels[first:], label(source)])]
        self._units[first:] = [None if touched else _unit(source)]

    def _marking(self, names: frozenset[str]) -> Callable[[Source], Source]:
        """Gives a source's parts their positions, where all of it may be absent and points then be alike."""
        if not names or not names <= self._conditional:
            return lambda source: source
        mark = MARK + min(names)
        self.marks[mark] = names
        return lambda source: Numbered(source, mark)


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
        replicated = next((s for s in block.sources if isinstance(s, Replicates)), None)
        seed_name, paired = (replicated.name, replicated.paired) if replicated else (None, False)
        self.former = former(block)
        self._additions = Additions(seed, seed_name, derivations, paired, self.former)
        self._is_numbered = any(isinstance(source, Points) for source in block.sources)
        self._is_plain = not (replicated or derivations or self._is_numbered)
        self._name = block.name
        self._factors = _Factors(block, lambda source: _made(source, block, seed, draws))
        fixed = Rows(({one.name: one.value for one in block.fixed},))
        points = self._obey_when([fixed, *self._factors.sources])
        self._points = product(points)
        kept = self._obey_exclude(points)
        self._kept = product(kept)
        self._rows = self._obey_order(self._kept)
        # Only then do neighbours share a point, and with it the beginning of their seeds.
        self._replicates_fastest = (
            block.shuffle is None and kept[-1].names == {REPLICATE} and kept[-1] is points[-1]
        )

    def _obey_when(self, factors: list[Source]) -> list[Source]:
        self.when_stage: Sifted | None = None
        self.whens = conditions(self.block)
        if not self.whens:
            return factors
        touched = frozenset(when.name for when in self.whens).union(*(w.expression.names for w in self.whens))
        head, tail = _split(factors, touched)
        self.when_sift = WhenSift(self.whens, self._factors.marks)
        self.when_stage = Sifted(product(head), self.when_sift, reshapes=True)
        return [self.when_stage, *tail]

    def _obey_exclude(self, factors: list[Source]) -> list[Source]:
        self.exclude_stage: Sifted | None = None
        self.exclude = ExcludeSift([exclusion(entry) for entry in self.block.exclude], self._additions)
        if not self.exclude.exclusions:
            return factors
        head, tail = (factors, []) if self.exclude.needs_everything else _split(factors, self.exclude.names)
        self.exclude_stage = Sifted(product(head), self.exclude)
        return [self.exclude_stage, *tail]

    def _obey_order(self, kept: Source) -> Source:
        take = self.block.take
        ordered = kept if self.block.shuffle is None else Shuffled(kept, self.block.shuffle)
        return ordered if take == Take() else Taken(ordered, take.skip, take.n)

    @cached_property
    def start(self) -> int:
        """The number of the block's first row in the study."""
        return self._start()

    @property
    def stages(self) -> tuple[tuple[Sifted | Uneven, Path], ...]:
        """What has to look at points one by one, with a place in the file each."""
        found: list[tuple[Sifted | Uneven, Path]] = [*self._factors.uneven]
        if self.when_stage is not None:
            found.append((self.when_stage, self.whens[0].path))
        if self.exclude_stage is not None:
            found.append((self.exclude_stage, self.exclude.exclusions[0].path))
        return tuple(found)

    @property
    def size(self) -> int:
        """How many points there are before `when` and `exclude`."""
        return prod(factor.count for factor in self._factors.factors)

    @cached_property
    def count(self) -> int:
        return self._rows.count

    @property
    def available(self) -> int:
        """How many rows there are before `take`."""
        return self._kept.count

    @property
    def made(self) -> tuple[tuple[Written, Source], ...]:
        """The block's sources as written, each with what was made of it."""
        return tuple(self._factors.made)

    def way(self, index: int) -> Way:
        """Where the row at 0 <= index < count comes from. Found by arithmetic, after the pass that counting takes."""
        steps, stage = dict(self._rows.way(index)), self.exclude_stage
        excluded = 0
        if stage is not None:
            each = self._kept.count // stage.count
            excluded = (steps[stage.candidates] - steps[stage]) * each
        return Way(steps, steps[self._kept], excluded)

    @property
    def arithmetic(self) -> Arithmetic:
        """Exact. With `when`, `exclude` or an expression for a bound, asking takes a pass over the points these look at."""
        full, points, kept = self.size, self._points.count, self._kept.count
        return Arithmetic(
            block=self.block.name,
            factors=self._factors.factors,
            product=full,
            merged=full - points,
            excluded=points - kept,
            count=self.count,
            untaken=kept - self.count,
            shuffled=self.block.shuffle is not None,
        )

    def at(self, index: int) -> Row:
        part = self._rows.part(index)
        if self._is_plain:
            return Row(self.start + index, self._name, part, None)
        return next(self._told([part], index))

    def walk(self, start: int, stop: int) -> Iterator[Row]:
        return self._told(self._rows.walk(start, stop), start)

    def _told(self, parts: Iterable[Part], start: int) -> Iterator[Row]:
        """The rows of these parts, the first of which has the position `start` in the block."""
        if self._is_numbered:
            return self._numbered(parts, self.start + start)
        if self._additions.seed_name is None:
            return self._plain(parts, self.start + start)
        return self._replicated(parts, self.start + start, self._additions.seed_name)

    def _plain(self, parts: Iterable[Part], first: int) -> Iterator[Row]:
        name, derive = self.block.name, self._additions.derive
        for index, part in enumerate(parts, first):
            values = dict(part)
            derive(values, None, index)
            yield Row(index, name, values, None)

    def _numbered(self, parts: Iterable[Part], first: int) -> Iterator[Row]:
        """Points that were asked for: each says itself which replicate it is, if any, and has its seed."""
        name, derive = self.block.name, self._additions.derive
        for index, part in enumerate(parts, first):
            values = dict(part)
            number = values.pop(REPLICATE, None)
            replicate = number if isinstance(number, int) else None
            derive(values, replicate, index)
            yield Row(index, name, values, replicate)

    def _replicated(self, parts: Iterable[Part], first: int, seed_name: str) -> Iterator[Row]:
        name, derive = self.block.name, self._additions.derive
        seeds: Callable[[int], int] | None = None
        for index, part in enumerate(parts, first):
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

    @cached_property
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
