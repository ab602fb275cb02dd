"""What takes points away: an axis' `when`, a table's `where`, a block's `exclude`; and `derive`,
which an `exclude` may name. Expressions over one point's values, with their places in the file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from graphlib import CycleError, TopologicalSorter

from ..diagnostics import Path, Problem
from ..spec.ensemble import Axis, Block, Exclude, Source, Table, Value, Zip
from .expressions import Expression, ExpressionError, Scope, as_text, expression
from .former import Former
from .identity import canonical, replicate_seeds
from .sources import Part

REPLICATE = "replicate"
"""The reserved name under which expressions see the number of the replicate."""

ROW = "row"
"""The reserved name under which a `where` sees the position of what it judges, from 0."""


MARK = "#"
"""Begins what is no parameter's name: under it a part keeps its position in a source."""


class RowError(ExpressionError):
    """An expression that fails on one row; `problem` has the place in the file."""

    def __init__(self, path: Path, row: str, error: ExpressionError, code: str = "expression-fails") -> None:
        super().__init__(f"{row}: {error.message}", error.hint)
        self.problem = Problem(code, path, self.message, self.hint)


def describe(values: Scope, error: ExpressionError) -> str:
    """A row's values for a sentence: `network=net3.inp, demand=1.1`. Those that the failing expression looks at,
    or, where it looks at none, the first six."""
    told = {name: value for name, value in values.items() if name in error.names} or values
    shown = [f"{name}={as_text(value)[:40]}" for name, value in list(told.items())[:6]]
    return ", ".join(shown) + (", …" if len(told) > 6 else "")


def _holds(condition: Expression, scope: Scope, path: Path, place: str | None = None) -> bool:
    try:
        return condition.holds(scope)
    except ExpressionError as error:
        raise RowError(path, place or f"where {describe(scope, error)}", error) from error


# ── table ────────────────────────────────────────────────────────────────────────────────────
def kept_rows(table: Table) -> tuple[Mapping[str, Value], ...]:
    """The rows of a table its `where` keeps; `row` counts the table's rows from 0."""
    return table.rows if table.where is None else tuple(table.rows[number] for number in kept_numbers(table))


def kept_numbers(table: Table) -> Sequence[int]:
    """Which rows of a table these are, from 0."""
    if table.where is None:
        return range(len(table.rows))
    condition, path = expression(table.where), (*table.path, "where")
    return tuple(
        number
        for number, row in enumerate(table.rows)
        if _holds(condition, {**row, ROW: number}, path, table.place(number))
    )


# ── when ─────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class Condition:
    """A `when`: where it is false, the parameter is absent."""

    name: str
    expression: Expression
    path: Path

    def holds(self, scope: Scope) -> bool:
        return _holds(self.expression, scope, self.path)


def axes(source: Source) -> tuple[Axis, ...]:
    """The axes of a source that has any."""
    if isinstance(source, Axis):
        return (source,)
    return source.axes if isinstance(source, Zip) else ()


def former(block: Block) -> Former:
    """The `was` of the block's axes."""
    return Former.of(axis for source in block.sources for axis in axes(source))


def conditions(block: Block) -> tuple[Condition, ...]:
    """The block's `when`s, each after those whose parameters it names.

    Raises `ExpressionError` when some wait for each other.
    """
    found = {
        axis.name: Condition(axis.name, expression(axis.when), (*axis.path, "when"))
        for source in block.sources
        for axis in axes(source)
        if axis.when is not None
    }
    needs = {name: condition.expression.names & found.keys() for name, condition in found.items()}
    try:
        return tuple(found[name] for name in TopologicalSorter(needs).static_order())
    except CycleError as error:
        names = ", ".join(f"`{name}`" for name in dict.fromkeys(error.args[1]))
        raise ExpressionError(f"the `when` of {names} cannot be answered: each needs the other") from error


class WhenSift:
    """Takes absent parameters out of a point.

    Points that then differ in nothing are one: it is kept where the absent source stands at its
    first part. `marks` are the names under which parts have their position in a source, with the
    names of those sources that may be absent as a whole.
    """

    def __init__(self, whens: Sequence[Condition], marks: Mapping[str, frozenset[str]]) -> None:
        self.whens = whens
        self._marks = tuple(marks.items())

    def __call__(self, _position: int, part: Part) -> Part | None:
        values = dict(part)
        repeating = [names for mark, names in self._marks if values.pop(mark)]
        for when in self.whens:
            if not when.holds(values):
                del values[when.name]
        return None if any(map(values.keys().isdisjoint, repeating)) else values


def visible(part: Part) -> dict[str, Value]:
    """The parameters of a part, for a change or a sentence."""
    return {name: value for name, value in part.items() if not name.startswith(MARK)}


# ── derive ───────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class Derivation:
    """One key of `derive`, compiled."""

    name: str
    expression: Expression
    path: Path


@dataclass(frozen=True)
class Additions:
    """What a point gains: its replicate's seed under `seed_name`, then derived values in order.

    A seed hangs on no parameter that has in the point what it `was` before there was the parameter.
    """

    study_seed: int
    seed_name: str | None
    derivations: tuple[Derivation, ...]
    paired: bool = False
    former: Former = field(default_factory=Former)

    def looking_at(self, names: frozenset[str]) -> tuple[frozenset[str], Additions]:
        """All that has to be known for `names` to be, and no more additions than that."""
        wanted = set(names)
        for derivation in reversed(self.derivations):
            if derivation.name in wanted:
                wanted |= derivation.expression.names
        needed = tuple(one for one in self.derivations if one.name in wanted)
        seed_name = self.seed_name if self.seed_name in wanted else None
        return frozenset(wanted), replace(self, seed_name=seed_name, derivations=needed)

    def seeds(self, values: Mapping[str, Value]) -> Callable[[int], int]:
        """The seeds of a point's replicates; paired ones hang on no value, and all points have the same."""
        return replicate_seeds(self.study_seed, {} if self.paired else self.former.without(values))

    def derive(self, values: dict[str, Value], replicate: int | None, row: int | None = None) -> None:
        """Add the derived values to `values`. Raises `RowError`."""
        if not self.derivations:
            return
        if replicate is not None:
            values[REPLICATE] = replicate
        for one in self.derivations:
            try:
                values[one.name] = one.expression(values)
            except ExpressionError as error:
                place = "" if row is None else f"row {row}, "
                raise RowError(one.path, f"{place}where {describe(values, error)}", error) from error
        values.pop(REPLICATE, None)


# ── exclude ──────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class Exclusion:
    """One entry of `exclude`, compiled; `names` are those it looks at."""

    names: frozenset[str]
    matches: Callable[[Scope], bool]
    path: Path


def exclusion(entry: Exclude) -> Exclusion:
    """Literal values match as they do for a job's identity: 1 is 1.0, true is not 1."""
    if entry.where is not None:
        condition, path = expression(entry.where), (*entry.path, "where")
        return Exclusion(condition.names, lambda scope: _holds(condition, scope, path), path)
    wanted = {name: canonical(value) for name, value in (entry.match or {}).items()}

    def matches(scope: Scope) -> bool:
        return all(name in scope and canonical(scope[name]) == text for name, text in wanted.items())

    return Exclusion(frozenset(wanted), matches, entry.path)


class ExcludeSift:
    """Drops the points any entry of `exclude` matches. `names` are all it has to know."""

    def __init__(self, exclusions: Sequence[Exclusion], additions: Additions) -> None:
        self.exclusions = exclusions
        looked_at = frozenset[str]().union(*(one.names for one in exclusions))
        self.names, self._additions = additions.looking_at(looked_at)
        self._sees_parts = (
            not self._additions.derivations and self._additions.seed_name is None and ROW not in self.names
        )

    @property
    def needs_everything(self) -> bool:
        """A seed hangs on every source, and so does a position."""
        return ROW in self.names or self._additions.seed_name is not None

    def __call__(self, position: int, part: Part) -> Part | None:
        scope = self.scope(position, part)
        for one in self.exclusions:
            if one.matches(scope):
                return None
        return part

    def scope(self, position: int, part: Part) -> Scope:
        """What the entries see of a point."""
        if self._sees_parts:
            return part
        values = dict(part)
        number = values.pop(REPLICATE, None)
        replicate = number if isinstance(number, int) else None
        if self._additions.seed_name is not None and replicate is not None:
            values[self._additions.seed_name] = self._additions.seeds(values)(replicate)
        self._additions.derive(values, replicate)
        if replicate is not None:
            values[REPLICATE] = replicate
        values[ROW] = position
        return values
