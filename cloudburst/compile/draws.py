"""What is drawn once, at plan, and then travels: values that pass through the machine's logarithm or through
a library, and the order of correlated columns.

A laptop and a manager may differ there in a last bit, and a job's id with it. Uniform, integers, choice,
triangular and poisson need none of this; see `distributions`.
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
from . import library, samplers
from .distributions import needs_drawing, needs_library
from .samplers import Drawn

FORMAT = 1
MOST_ROWS = 10_000_000
"""How many values of a drawn parameter a plan holds; 8 bytes each."""

Columns = Mapping[str, Mapping[str, "array[Any]"]]
"""By block and component."""


@dataclass(frozen=True)
class Draws:
    """Drawn columns: float64, or int64 where they are whole by nature. `orders` are those of correlated columns
    that are computed; `libraries` are the versions of what drew some of all this."""

    columns: Columns = field(default_factory=dict)
    orders: Columns = field(default_factory=dict)
    libraries: Mapping[str, str] = field(default_factory=dict)

    def of(self, block: str) -> Drawn:
        """What was drawn of the sample of a block."""
        return Drawn(self.columns.get(block, {}), self.orders.get(block, {}))

    def to_json(self) -> dict[str, Any]:
        """Columns as base64 of little-endian float64, or as such of int64 under that name."""
        form: dict[str, Any] = {"format": FORMAT, "columns": _each(self.columns, _to_form)}
        if self.orders:
            form["orders"] = _each(self.orders, _to_form)
        if self.libraries:
            form["libraries"] = dict(self.libraries)
        return form

    @classmethod
    def from_json(cls, form: Mapping[str, Any]) -> Draws:
        """The inverse of `to_json`, bit for bit. Raises `CloudBurstError` for another format."""
        if form.get("format") != FORMAT:
            raise CloudBurstError(
                f"the drawn samples are of format {form.get('format')}; this version reads format {FORMAT}",
                "plan again with this version",
            )
        orders, libraries = form.get("orders", {}), form.get("libraries", {})
        return cls(_each(form["columns"], _from_form), _each(orders, _from_form), libraries)


def drawn(block: Block) -> Iterator[tuple[Sample, Draw]]:
    """The sampled parameters of a block that have to be drawn at plan."""
    for sample in block.samples:
        correlated = {name for first, others in sample.correlate.items() for name in (first, *others)}
        for draw in sample.draws:
            if needs_drawing(draw.distribution) or draw.name in correlated:
                yield sample, draw


def draw(ensemble: Ensemble) -> Draws:
    """Draw what has to travel. Takes about a microsecond or two a value.

    Raises `library.LibraryMissing` and `library.Misfit`; `draw_checks` says them with a place.
    """
    found = {
        block.name: samplers.draw_sample(sample, ensemble.seed)
        for block in ensemble.blocks
        for sample in block.samples
    }
    return Draws(
        {block: one.values for block, one in found.items() if one.values},
        {block: one.orders for block, one in found.items() if one.orders},
        library.versions() if _needs_library(ensemble) else {},
    )


def _needs_library(ensemble: Ensemble) -> bool:
    return any(
        needs_library(draw.distribution)
        for block in ensemble.blocks
        for sample in block.samples
        for draw in sample.draws
    )


# ── the JSON form ────────────────────────────────────────────────────────────────────────────
def _each(columns: Mapping[str, Mapping[str, Any]], change: Any) -> dict[str, dict[str, Any]]:
    return {block: {key: change(one) for key, one in found.items()} for block, found in columns.items()}


def _to_form(column: array[Any]) -> str | dict[str, str]:
    text = base64.b64encode(_little(column).tobytes()).decode("ascii")
    return text if column.typecode == "d" else {"int64": text}


def _from_form(form: str | Mapping[str, str]) -> array[Any]:
    column: array[Any] = array("d") if isinstance(form, str) else array("q")
    text = form if isinstance(form, str) else form["int64"]
    column.frombytes(base64.b64decode(text, validate=True))
    return _little(column)


def _little(column: array[Any]) -> array[Any]:
    if sys.byteorder == "little":
        return column
    swapped = array(column.typecode, column)
    swapped.byteswap()
    return swapped
