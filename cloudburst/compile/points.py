"""Points that are asked for one by one, by an optimiser or a calibration, as rows of a study. Pure.

A point names the parameters of one job. It gets what the rows of its block have without being asked: `fixed`
values, the seed of a replicate, derived values. So its job is the same job, with the same id, as that of a row of
the study with the same values. What says which points a study has (`exclude`, `when`, `order`, `take`) is not
asked here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import UsageError
from ..spec.ensemble import Block, Cases, Ensemble, Replicates, Table, Value
from ..spec.schema import nearest
from ..words import count, listed
from .draws import Draws
from .files import names_of_files
from .filters import REPLICATE, axes
from .identity import NotJson, canonical, replicate_seeds
from .space import names_in

Point = Mapping[str, Value]
"""What was given: some parameters of one job, by name, as JSON."""

_NAMED = 8
"""Names in a hint."""


@dataclass(frozen=True)
class Names:
    """What a point of a block may say. `needed` has to be given; `fixed` is taken from the file where it is not;
    `seed` is the name of the replicates' seed, None where there are none."""

    block: str
    needed: tuple[str, ...]
    optional: tuple[str, ...]
    fixed: Mapping[str, Value]
    derived: tuple[str, ...]
    files: tuple[str, ...]
    seed: str | None = None
    order: tuple[str, ...] = field(default=())

    @property
    def given(self) -> tuple[str, ...]:
        """All that may be given, as the rows of the block have it."""
        return tuple(name for name in self.order if name not in self.derived)


def block_of(ensemble: Ensemble, name: str | None) -> Block:
    """The block that points are of. Raises UsageError when there is none of that name, or several and none named."""
    names = [block.name for block in ensemble.blocks]
    if name is None and len(names) > 1:
        raise UsageError(
            f"the study has the blocks {listed(names)}, and they differ in what they fix and derive",
            f"say which one the rows are of: block={names[0]!r}",
        )
    for block in ensemble.blocks:
        if name in (None, block.name):
            return block
    near = nearest(str(name), names)
    raise UsageError(
        f"the study has no block {name!r}",
        f"did you mean {near!r}?" if near else f"there are {listed(names)}",
    )


def names_of_points(block: Block) -> Names:
    """What a point of this block may and must say."""
    fixed = {one.name: one.value for one in block.fixed}
    seed = next((s.name for s in block.sources if isinstance(s, Replicates)), None)
    derived = tuple(one.name for one in block.derive)
    optional = tuple(dict.fromkeys(_optional(block)))
    order = names_in(block)
    known = {*fixed, *derived, *optional, seed}
    return Names(
        block=block.name,
        needed=tuple(name for name in order if name not in known),
        optional=optional,
        fixed=fixed,
        derived=derived,
        files=names_of_files(block),
        seed=seed,
        order=order,
    )


def _optional(block: Block) -> Iterator[str]:
    """Parameters that some rows of the block do not have."""
    for source in block.sources:
        yield from (axis.name for axis in axes(source) if axis.when is not None)
        if isinstance(source, Cases | Table):
            names = dict.fromkeys(name for row in source.rows for name in row)
            yield from (name for name in names if any(name not in row for row in source.rows))


# ── from what was given to rows ──────────────────────────────────────────────────────────────
def rows_of_points(
    ensemble: Ensemble,
    block: Block,
    points: Sequence[Point],
    *,
    replicates: int | None = None,
    files: Collection[str] = (),
) -> list[dict[str, Value]]:
    """Of each point its row, or with `replicates` so many rows, one after another; as `Points.rows` has them.

    `files` are the paths of the study's files. Raises UsageError for a name that is missing or that nobody knows,
    and for a value that no job can have.
    """
    names, seeds = names_of_points(block), _Seeds(ensemble, block)
    _check_replicates(names, points, replicates)
    rows = []
    for number, point in enumerate(points):
        _check(names, point, number, files)
        values = {
            name: point.get(name, names.fixed.get(name)) for name in names.order if _has(names, point, name)
        }
        rows += seeds.rows(values, replicates)
    return rows


def _has(names: Names, point: Point, name: str) -> bool:
    return name in point or name in names.fixed


class _Seeds:
    """Gives rows the seeds that the block's replicates would have there."""

    def __init__(self, ensemble: Ensemble, block: Block) -> None:
        self._study_seed = ensemble.seed
        self._replicates = next((s for s in block.sources if isinstance(s, Replicates)), None)

    def rows(self, values: dict[str, Value], replicates: int | None) -> list[dict[str, Value]]:
        """A seed that is given is the row's own; where the study gives it to a replicate of that point, the row is
        that replicate."""
        ours = self._replicates
        if ours is None:
            return [values]
        sources = {name: value for name, value in values.items() if name != ours.name}
        seed_of = replicate_seeds(self._study_seed, {} if ours.paired else sources)
        if ours.name not in values:
            numbers = range(replicates or 1)
            return [{**sources, ours.name: seed_of(number), REPLICATE: number} for number in numbers]
        found = next((number for number in range(ours.n) if seed_of(number) == values[ours.name]), None)
        return [values if found is None else {**values, REPLICATE: found}]


# ── what is wrong with them ──────────────────────────────────────────────────────────────────
def _check_replicates(names: Names, points: Sequence[Point], replicates: int | None) -> None:
    if replicates is None:
        return
    if names.seed is None:
        raise UsageError(
            f"block {names.block} has no replicates: without a seed they would all be one job",
            "`replicates: {n: 3, as: seed}` in the ensemble file gives each its own",
        )
    if replicates < 1:
        raise UsageError(f"replicates={replicates} is none at all", "one or more")
    for number, point in enumerate(points):
        if names.seed in point:
            raise UsageError(
                f"row {number} has its own `{names.seed}`, so that its replicates would be one job",
                f"leave `{names.seed}` out, or replicates=",
            )


def _check(names: Names, point: Point, number: int, files: Collection[str]) -> None:
    for name in point:
        if name in names.derived:
            raise UsageError(
                f"row {number} gives `{name}`, which the study derives from the others", "leave it out"
            )
        if name not in names.order:
            raise UsageError(
                f"row {number} gives `{name}`, which is no parameter of block {names.block}",
                _near(name, names),
            )
    for name in names.needed:
        if name not in point:
            raise UsageError(f"row {number} has no `{name}`", _needs(point, name, names))
    for name, value in point.items():
        try:
            canonical(value)
        except NotJson as error:
            raise UsageError(
                f"row {number}: the value of `{name}` {error}", "a job is sent as JSON"
            ) from error
    for name in names.files:
        if name in point and str(point[name]) not in files:
            near = nearest(str(point[name]), files)
            raise UsageError(
                f"row {number}: {point[name]!r} is no file of the study's `{name}`",
                f"did you mean {near!r}?" if near else f"it has {listed(map(repr, files), most=_NAMED)}",
            )


def _near(name: str, names: Names) -> str:
    near = nearest(str(name), names.given)
    if near:
        return f"did you mean `{near}`?"
    return (
        f"there are {listed((f'`{one}`' for one in names.given), most=_NAMED)}"
        if names.given
        else "it has none"
    )


def _needs(point: Point, name: str, names: Names) -> str:
    """The nearest of what was given instead cannot be: that would have been said first."""
    lacking = [one for one in names.needed if one not in point]
    more = f" and {count(len(lacking) - 1, 'more parameter')}" if len(lacking) > 1 else ""
    return f"a row of block {names.block} needs `{name}`{more}; only what is under `fixed` may be left out"


# ── as a study ───────────────────────────────────────────────────────────────────────────────
def normal_of_points(
    normal: Mapping[str, Any], block: Block, rows: Iterable[Mapping[str, Value]]
) -> dict[str, Any]:
    """The normal form of a study that is these rows and nothing else, and writes no results anywhere.

    `normal` is the study's; its limit on failures is not for points that somebody waits for.
    """
    written = next(one for one in normal["parameters"] if one["block"] == block.name)
    points = {"rows": [dict(row) for row in rows], "files": list(names_of_files(block))}
    parameters = {"block": block.name, "at": written["at"], "points": points}
    if "derive" in written:
        parameters["derive"] = written["derive"]
    return {
        **normal,
        "parameters": [parameters],
        "cluster": {**normal["cluster"], "max_failures": None},
        "results": [],
    }


def frozen_points(
    frozen: Mapping[str, Any], block: Block, rows: Iterable[Mapping[str, Value]]
) -> dict[str, Any]:
    """The same of a frozen study (`normal.freeze`)."""
    return {**frozen, "normal": normal_of_points(frozen["normal"], block, rows), "draws": Draws().to_json()}
