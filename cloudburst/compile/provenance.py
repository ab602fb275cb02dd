"""Where the values of one row come from: of each the rule that made it, in words, and its place in the file as a path.

Every value is made again from its rule and the row's way through the algebra (`space.Way`), not looked up in the
row: tests/properties/test_explain.py holds the two to each other. Numbers in rules count from 1, as people do.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ..diagnostics import Path
from ..spec import progressions
from ..spec.ensemble import (
    Axis,
    Bounded,
    Cases,
    Counted,
    Files,
    Known,
    Listed,
    Oat,
    Replicates,
    Sample,
    Table,
    Value,
    Zip,
)
from ..spec.ensemble import Source as Written
from ..words import listed
from .bounds import known_at, parts_of
from .drawn_from import drawn_from
from .draws import Draws
from .expressions import as_text, expression
from .filters import REPLICATE, Additions, axes, kept_numbers, visible
from .sources import OneAtATime, Part, Source, Uneven
from .space import BlockSpace, Row, Way

Kind = Literal["fixed", "grid", "zip", "cases", "table", "sample", "oat", "replicates", "derive"]


@dataclass(frozen=True)
class Element:
    """One draw of a vector: `name` is its key or its position, as text."""

    name: str
    value: Value
    rule: str


@dataclass(frozen=True)
class Data:
    """Content outside the ensemble file that a value is, or is read from. `line` is the row of a file without lines."""

    file: str
    sha256: str
    line: int | None = None


@dataclass(frozen=True)
class Origin:
    """How one value came about. The first of `paths` at which something stands is its place.

    `position` of `count` counts from 0 and says which of its source's values it is; None where that means nothing.
    """

    name: str
    value: Value
    kind: Kind
    rule: str
    paths: tuple[Path, ...]
    unit: str | None = None
    position: int | None = None
    count: int | None = None
    data: Data | None = None
    elements: tuple[Element, ...] = ()


@dataclass(frozen=True)
class Absent:
    """A parameter of the block that the row lacks, and why."""

    name: str
    rule: str
    paths: tuple[Path, ...]


@dataclass(frozen=True)
class Provenance:
    """All of one row, in the order of its values."""

    origins: tuple[Origin, ...]
    absent: tuple[Absent, ...]


def provenance(space: BlockSpace, row: Row, seed: int, draws: Draws, files: Mapping[str, str]) -> Provenance:
    """`row` is one of `space`; `seed` the study's; `files` the sha256 by path of those that are values."""
    way = space.way(row.index - space.start)
    tracing = _Tracing(space, way, seed, draws, files)
    found = {origin.name: origin for origin in tracing.given() if origin.name in row.values}
    found |= {origin.name: origin for origin in tracing.added(found, row.replicate)}
    missing = [name for name in space.names if name not in row.values]
    return Provenance(
        tuple(found[name] for name in space.names if name in found),
        tuple(tracing.absence(name) for name in missing),
    )


# ── the sources of a block ───────────────────────────────────────────────────────────────────
class _Tracing:
    """One row's way through the sources of its block."""

    def __init__(
        self, space: BlockSpace, way: Way, seed: int, draws: Draws, files: Mapping[str, str]
    ) -> None:
        self._space, self._block, self._steps = space, space.block, way.steps
        self._seed, self._draws, self._files = seed, draws, files

    def given(self) -> Iterator[Origin]:
        """What the file gives, with what a `when` takes out of this row again."""
        for one in self._block.fixed:
            yield Origin(one.name, one.value, "fixed", "fixed", (one.path,))
        for written, made in self._space.made:
            yield from self._of(written, made, self._steps[made])

    def _of(self, written: Written, made: Source, position: int) -> Iterator[Origin]:
        match written:
            case Axis() | Zip():
                yield from self._of_axes(written, made, position)
            case Cases():
                yield from _of_cases(written, made.part(position), position)
            case Table():
                yield from _of_table(written, made.part(position), position)
            case Sample():
                yield from self._of_sample(written, made.part(position), position)
            case Oat():
                yield from _of_oat(written, made, position)

    # ── grid, zip ────────────────────────────────────────────────────────────────────────────
    def _of_axes(self, written: Axis | Zip, made: Source, position: int) -> Iterator[Origin]:
        """An `Uneven` is asked at its candidate: its bounds see what a `when` takes out of the row later."""
        scope: Part = {one.name: one.value for one in self._block.fixed}
        if isinstance(made, Uneven):
            scope = {**scope, **visible(made.candidates.part(self._steps[made.candidates]))}
        together = axes(written)
        for axis in together:
            known = known_at(axis, scope)
            value = progressions.column(known)[position]
            rule = _element(known, position) + _bounds(axis)
            if isinstance(written, Zip):
                rule = f"zip {rule}{beside(axis, together)}"
            yield Origin(
                axis.name,
                value,
                "zip" if isinstance(written, Zip) else "grid",
                rule,
                ((*axis.path, "values", position), (*axis.path, "value"), (*axis.path, position), axis.path),
                axis.unit,
                position,
                progressions.count(known),
                self._content(known, value),
            )

    def _content(self, known: Known, value: Value) -> Data | None:
        digest = self._files.get(str(value)) if isinstance(known, Files) else None
        return None if digest is None else Data(str(value), digest)

    # ── sample ───────────────────────────────────────────────────────────────────────────────
    def _of_sample(self, sample: Sample, part: Part, number: int) -> Iterator[Origin]:
        rules = drawn_from(sample, self._seed, self._draws.of(self._block.name), number)
        for draw in sample.draws:
            value, keys = part[draw.name], draw.components
            elements: tuple[Element, ...] = ()
            rule = rules[keys[0]]
            if draw.is_vector:
                names = draw.names or tuple(map(str, range(len(keys))))
                values = (
                    value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
                )
                elements = tuple(
                    Element(name, one, rules[key]) for name, one, key in zip(names, values, keys, strict=True)
                )
                rule = f"{len(keys):,} draws, each of its own: {sample.method}, {number + 1:,} of {sample.count:,}"
            yield Origin(
                draw.name,
                value,
                "sample",
                rule,
                (draw.path,),
                draw.unit,
                number,
                sample.count,
                elements=elements,
            )

    # ── replicates, derive ───────────────────────────────────────────────────────────────────
    def added(self, given: Mapping[str, Origin], replicate: int | None) -> Iterator[Origin]:
        """The replicate's seed and the derived values, made of the ones that were `given`."""
        values = {name: origin.value for name, origin in given.items()}
        replicates = next((one for one in self._block.sources if isinstance(one, Replicates)), None)
        if replicates is not None and replicate is not None:
            former = self._space.former
            additions = Additions(self._seed, replicates.name, (), replicates.paired, former)
            value = additions.seeds(values)(replicate)
            rule = _replicate(replicates, replicate, self._seed, len(values), former.among(values))
            values[replicates.name] = value
            yield Origin(
                replicates.name,
                value,
                "replicates",
                rule,
                (replicates.path,),
                position=replicate,
                count=replicates.n,
            )
        scope = values if replicate is None else {**values, REPLICATE: replicate}
        for one in self._block.derive:
            compiled = expression(one.expression)
            rule = derivation(one.expression, scope)
            scope = {**scope, one.name: compiled(scope)}
            yield Origin(one.name, scope[one.name], "derive", rule, (one.path,))

    # ── absent ───────────────────────────────────────────────────────────────────────────────
    def absence(self, name: str) -> Absent:
        for written, made in self._space.made:
            position = self._steps[made]
            for axis in axes(written):
                if axis.name == name and axis.when is not None:
                    return Absent(name, f"its `when` {axis.when} is false", ((*axis.path, "when"),))
            if isinstance(written, Cases) and any(name in row for row in written.rows):
                rule = f"case {position + 1:,} of {len(written.rows):,} has none"
                return Absent(name, rule, ((*written.path, position),))
            if isinstance(written, Table) and name in written.columns:
                number = kept_numbers(written)[position]
                return Absent(name, f"blank in {written.place(number)}", ((*written.path, "file"),))
        raise AssertionError(f"no rule makes {name} absent")


# ── rules in words ───────────────────────────────────────────────────────────────────────────
def _element(known: Known, position: int) -> str:
    place = f"{position + 1:,} of {progressions.count(known):,}"
    if isinstance(known, Files):
        return f"file {place} of {known.pattern}"
    if isinstance(known, Listed):
        return f"element {place}"
    return f"step {place}, {span(known)}"


def span(known: Known | Bounded) -> str:
    """`0.8 … 1.2 by 0.1` of a range, `0 … 1 in equal steps` of one with a count."""
    if isinstance(known, Listed):
        return ", ".join(as_text(value) for value in known.values[:3]) + (
            ", …" if len(known.values) > 3 else ""
        )
    ends = f"{known.start} … {known.stop}"
    if isinstance(known, Counted) or (isinstance(known, Bounded) and known.step is None):
        return f"{ends} in equal {'ratios' if known.scale == 'log' else 'steps'}"
    return f"{ends} by {known.step}"


def _bounds(axis: Axis) -> str:
    """`; from is n, to is n * 2`: what the bounds of this row's range are made of."""
    if not isinstance(axis.values, Bounded):
        return ""
    written = [f"{key} is {bound}" for key, bound in parts_of(axis.values).items() if isinstance(bound, str)]
    return "; " + ", ".join(written)


def beside(axis: Axis, together: tuple[Axis, ...]) -> str:
    """`, walks with curve`: the others of a zip group."""
    others = [other.name for other in together if other is not axis]
    return f", walks with {', '.join(others)}" if others else ""


def _of_cases(cases: Cases, part: Part, position: int) -> Iterator[Origin]:
    for name, value in part.items():
        rule = f"case {position + 1:,} of {len(cases.rows):,}"
        path = (*cases.path, position, name)
        yield Origin(name, value, "cases", rule, (path,), None, position, len(cases.rows))


def _of_table(table: Table, part: Part, position: int) -> Iterator[Origin]:
    """The number is the row's in the file, whatever `where` leaves out before it."""
    kept = kept_numbers(table)
    number = kept[position]
    unit = table.place(number).rpartition(", ")[2]
    rule = f"row {number + 1:,} of {table.file} ({unit})"
    if len(kept) < len(table.rows):
        rule += f"; its `where` keeps {len(kept):,} of {len(table.rows):,} rows"
    for name, value in part.items():
        data = Data(table.file, table.sha256, table.lines[number])
        path = (*table.path, "file")
        yield Origin(name, value, "table", rule, (path,), None, position, len(kept), data)


def _of_oat(oat: Oat, made: Source, position: int) -> Iterator[Origin]:
    assert isinstance(made, OneAtATime)  # noqa: S101  what an oat is made into
    found = made.move(position)
    moving = None if found is None else found[0].name
    for name, value in made.part(position).items():
        paths: tuple[Path, ...] = ((*oat.path, "centre", name),)
        rule = "centre (oat)" if moving is None else f"centre, while {moving} moves (oat)"
        if found is not None and name == moving:
            rule, paths = _moved(oat, name, found[1])
        yield Origin(name, value, "oat", rule, paths, None, position, made.count)


def _moved(oat: Oat, name: str, place: int) -> tuple[str, tuple[Path, ...]]:
    """`+2 steps of demand (oat), 0.1 each from the centre 1.0`."""
    step, path = oat.steps[name], (*oat.path, "steps", name)
    if not isinstance(step, int | float):
        rule = f"{_element(step, place)}, in place of the centre's {as_text(oat.centre[name])} (oat)"
        return rule, ((*path, "values", place), (*path, place), path)
    steps = place - oat.each_side + (place >= oat.each_side)
    rule = f"{'+' if steps > 0 else '−'}{_many(abs(steps), 'step')} of {name} (oat), {step} each from the centre {as_text(oat.centre[name])}"
    return rule, (path,)


def _replicate(replicates: Replicates, number: int, seed: int, sources: int, left_out: Sequence[str]) -> str:
    """`left_out` are those of the sources that have what they had before they were parameters."""
    rule = f"replicate {number + 1:,} of {replicates.n:,}; seed from the study's {seed}"
    if replicates.paired:
        return f"{rule} and that number alone (paired)"
    but = f" but {listed(left_out)}" if left_out else ""
    return f"{rule}, that number and the {_many(sources, 'parameter')} above{but}"


def _many(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def derivation(source: str, known: Container[str]) -> str:
    """`derived from leak: leak * 1000`; told are the names that are `known`."""
    names = sorted(name for name in expression(source).names if name in known)
    return f"derived from {', '.join(names)}: {source}" if names else f"derived: {source}"
