"""How each parameter of a block gets its values, in words: a line a parameter, whatever the row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..diagnostics import Path
from ..spec import progressions
from ..spec.ensemble import (
    Axis,
    Block,
    Bounded,
    Cases,
    Draw,
    Files,
    Listed,
    Oat,
    Replicates,
    Sample,
    Source,
    Table,
    Values,
    Zip,
)
from .drawn_from import in_words
from .expressions import as_text
from .filters import kept_numbers
from .provenance import Kind, beside, derivation, span
from .space import names_in, names_of


@dataclass(frozen=True)
class Given:
    """One parameter of a block and the rule of its values; `path` is where that stands."""

    name: str
    kind: Kind
    rule: str
    path: Path
    unit: str | None = None


def parameters_of(block: Block, seed: int) -> Iterator[Given]:
    """In the order of a row's values. `seed` is the study's. Raises `RowError` where a table's `where` fails."""
    found = {one.name: Given(one.name, "fixed", as_text(one.value), one.path) for one in block.fixed}
    found |= {one.name: one for source in block.sources for one in _of(source, seed)}
    names = names_in(block)
    for one in block.derive:
        found[one.name] = Given(one.name, "derive", derivation(one.expression, names), one.path)
    yield from (found[name] for name in names)


def _of(source: Source, seed: int) -> Iterator[Given]:
    match source:
        case Axis():
            yield Given(source.name, "grid", _axis(source), source.path, source.unit)
        case Zip(axes):
            for axis in axes:
                yield Given(axis.name, "zip", f"{_axis(axis)}{beside(axis, axes)}", axis.path, axis.unit)
        case Cases():
            for name in names_of(source):
                has = sum(name in row for row in source.rows)
                rule = f"in {has:,} of {len(source.rows):,} cases"
                yield Given(name, "cases", rule, source.path)
        case Table():
            rule = f"column of {source.file}, {_rows(source)}"
            for name in source.columns:
                yield Given(name, "table", rule, (*source.path, "file"))
        case Sample():
            for draw in source.draws:
                yield Given(draw.name, "sample", _draw(source, draw, seed), draw.path, draw.unit)
        case Oat():
            for name in source.centre:
                yield Given(name, "oat", _of_oat(source, name), _oat_path(source, name))
        case Replicates():
            on = "their number alone (paired)" if source.paired else "the row's parameters and their number"
            rule = f"seeds of {_many(source.n, 'replicate')}, from the study's {seed} and {on}"
            yield Given(source.name, "replicates", rule, source.path)


def _axis(axis: Axis) -> str:
    rule = _values(axis.values)
    if axis.was is not None:
        rule = f"{rule}; was {as_text(axis.was.value)} before"
    return rule if axis.when is None else f"{rule}; absent unless {axis.when}"


def _values(values: Values) -> str:
    if isinstance(values, Bounded):
        count = "" if values.count is None else f"{values.count:,} values, "
        return f"{count}{span(values)}, for each point its own"
    number = progressions.count(values)
    if isinstance(values, Files):
        return f"{_many(number, 'file')}, {values.pattern}"
    return f"{_many(number, 'value')}{':' if isinstance(values, Listed) else ','} {span(values)}"


def _many(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _rows(table: Table) -> str:
    kept = len(kept_numbers(table))
    rows = _many(len(table.rows), "row")
    return rows if table.where is None else f"{rows}, of which {kept:,} where {table.where}"


def _draw(sample: Sample, draw: Draw, seed: int) -> str:
    size = f", {len(draw.components):,} draws at once" if draw.is_vector else ""
    own = seed if sample.seed is None else sample.seed
    correlated = any(draw.name == one or draw.name in others for one, others in sample.correlate.items())
    ranks = ", ranks correlated" if correlated else ""
    return (
        f"{sample.method} sample of {sample.count:,}, {in_words(draw.distribution)}{size}{ranks}; seed {own}"
    )


def _of_oat(oat: Oat, name: str) -> str:
    """`one at a time: centre 1.0, 4 steps of 0.1 to each side`."""
    opening = f"one at a time: centre {as_text(oat.centre[name])}"
    if name not in oat.steps:
        return f"{opening}, never moves"
    step = oat.steps[name]
    if isinstance(step, int | float):
        return f"{opening}, {_many(oat.each_side, 'step')} of {step} to each side"
    return f"{opening}, else {_values(step)}"


def _oat_path(oat: Oat, name: str) -> Path:
    return (*oat.path, "steps", name) if name in oat.steps else (*oat.path, "centre", name)
