"""What is drawn once, at plan, and then travels: values that pass through the machine's logarithm.

A laptop and a manager may differ there in a last bit, and a job's id with it. Uniform, integers
and choice need none of this; see `samplers`.
"""

from __future__ import annotations

import base64
import sys
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import CloudBurstError
from ..spec.ensemble import Block, Draw, Ensemble, Sample
from ..spec.progressions import Column
from . import samplers

FORMAT = 1
MOST_ROWS = 10_000_000
"""How many rows of a drawn parameter a plan holds; 8 bytes each."""


@dataclass(frozen=True)
class Draws:
    """Drawn columns by block and parameter, float64."""

    columns: Mapping[str, Mapping[str, array[float]]] = field(default_factory=dict)

    def column(self, block: str, name: str) -> array[float] | None:
        return self.columns.get(block, {}).get(name)

    def to_json(self) -> dict[str, Any]:
        """Columns as base64 of little-endian float64."""
        return {
            "format": FORMAT,
            "columns": {
                block: {name: _to_text(column) for name, column in columns.items()}
                for block, columns in self.columns.items()
            },
        }

    @classmethod
    def from_json(cls, form: Mapping[str, Any]) -> Draws:
        """The inverse of `to_json`, bit for bit. Raises `CloudBurstError` for another format."""
        if form.get("format") != FORMAT:
            raise CloudBurstError(
                f"the drawn samples are of format {form.get('format')}; this version reads format {FORMAT}",
                "plan again with this version",
            )
        return cls(
            {
                block: {name: _from_text(text) for name, text in columns.items()}
                for block, columns in form["columns"].items()
            }
        )


def drawn(block: Block) -> Iterator[tuple[Sample, Draw]]:
    """The sampled parameters of a block that have to be drawn at plan."""
    for source in block.sources:
        if isinstance(source, Sample):
            for draw in source.draws:
                if samplers.needs_drawing(draw.distribution):
                    yield source, draw


def draw(ensemble: Ensemble) -> Draws:
    """Draw what has to travel. Takes about a microsecond or two a value."""
    columns: dict[str, dict[str, array[float]]] = {}
    for block in ensemble.blocks:
        for sample, one in drawn(block):
            values = samplers.column(sample, one, ensemble.seed)
            columns.setdefault(block.name, {})[one.name] = array("d", _floats(values, sample.n))
    return Draws(columns)


def _floats(column: Column, count: int) -> Iterator[float]:
    for number in range(count):
        value = column[number]
        assert isinstance(value, float)  # noqa: S101  what needs drawing is a float
        yield value


def _little(column: array[float]) -> array[float]:
    if sys.byteorder == "little":
        return column
    swapped = array("d", column)
    swapped.byteswap()
    return swapped


def _to_text(column: array[float]) -> str:
    return base64.b64encode(_little(column).tobytes()).decode("ascii")


def _from_text(text: str) -> array[float]:
    column = array("d")
    column.frombytes(base64.b64decode(text, validate=True))
    return _little(column)
