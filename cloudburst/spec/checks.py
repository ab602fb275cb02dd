"""Pass 5: rules a schema cannot say. A table of small functions over the Ensemble, each yielding problems.

Here are those about parameters and the worker; `machines`, `rented` and `sinks` have theirs.
What needs expressions (unknown names in them, excludes that match nothing) belongs to the next room.
"""

from __future__ import annotations

import json
import keyword
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, TypeVar

from ..diagnostics import Path, Problem
from . import ranges
from .ensemble import (
    Axis,
    Block,
    Cases,
    Ensemble,
    Listed,
    Oat,
    Replicates,
    Sample,
    Table,
    Worker,
    Zip,
)
from .machines import check_host, check_hosts, check_swarm_only
from .rented import (
    check_callers,
    check_ends,
    check_keys,
    check_limits,
    check_reaper,
    check_rented_only,
    check_tags,
)
from .samples import check_designs, check_distributions, check_drawn_names
from .scalars import invisible, shortened
from .schema import described, nearest
from .sinks import check_credentials, check_servers, check_sinks, check_start

FUNCTIONS: Final = frozenset(
    [
        "abs",
        "min",
        "max",
        "round",
        "floor",
        "ceil",
        "sqrt",
        "exp",
        "log",
        "log10",
        "sin",
        "cos",
        "tan",
        "pi",
        "int",
        "float",
        "str",
    ]
)
RESERVED: Final = frozenset({"row", "replicate", "inputs", "job_id"})
_WORDS_OF_EXPRESSIONS: Final = frozenset({"true", "false", "none", "self"})
OLDEST_PYTHON: Final = 9
"""The minor version of the oldest Python a job can run on."""

SHORTEST_GRACE, LONGEST_GRACE = 1.0, 7 * 86400.0
"""Seconds. A worker needs a moment to hand back what it holds, and nobody waits a week for a machine."""

ZIP_HINT: Final = "a zip group walks together: make them equally long, or let one multiply under `grid`"

_Kind = TypeVar("_Kind")


def check(ensemble: Ensemble) -> Iterator[Problem]:
    """Every problem of every rule."""
    for rule in CHECKS:
        yield from rule(ensemble)


# ── names ────────────────────────────────────────────────────────────────────────────────────
def check_names(ensemble: Ensemble) -> Iterator[Problem]:
    """A parameter is an identifier that means nothing else already; said once for each place."""
    for block in ensemble.blocks:
        for name, path in dict(_given(block)).items():
            if fault := _fault(name):
                message, hint = fault
                yield Problem("parameter-name", path, message, hint, at="key")


def _fault(name: str) -> tuple[str, str] | None:
    shown = f'"{shortened(name)}"'
    if unseen := invisible(name):
        hint = f"{unseen} stands in it, which looks like a blank or like nothing: type it anew"
        return f"{shown} cannot be the name of a parameter", hint
    if not name.isidentifier() or unicodedata.normalize("NFKC", name) != name:
        hint = f"letters, digits and _, such as {_as_identifier(name)}; in `job` any key may stand"
        return f"{shown} cannot be the name of a parameter", hint
    if name in RESERVED:
        return f"{shown} is reserved: it has a meaning in every row", f"call it {name}_ or the like"
    if name in FUNCTIONS:
        return f"{shown} is a function in expressions", f"call it {name}_ or the like"
    if keyword.iskeyword(name) or name in _WORDS_OF_EXPRESSIONS:
        return f"{shown} is a word of expressions and of Python", f"call it {name}_ or the like"
    return None


def _as_identifier(name: str) -> str:
    plain = (
        "".join(letter if letter.isalnum() and letter.isascii() else "_" for letter in name[:40]).strip("_")
        or "x"
    )
    return plain if plain.isidentifier() else f"p_{plain}"


def check_one_source(ensemble: Ensemble) -> Iterator[Problem]:
    """A name has one source in a block."""
    for block in ensemble.blocks:
        first: dict[str, Path] = {}
        for name, path in _given(block):
            if name in first:
                message = f'"{shortened(name)}" is given twice in block "{block.name}"'
                hint = "a name has one source in a block: drop one, rename one, or make a second block"
                related = ((first[name], "the first time"),)
                yield Problem("given-twice", path, message, hint, at="key", related=related)
            first.setdefault(name, path)


def _given(block: Block) -> Iterator[tuple[str, Path]]:
    """Every name a block gives, with its place, once for each source that gives it."""
    for fixed in block.fixed:
        yield fixed.name, fixed.path
    for source in block.sources:
        match source:
            case Axis(name=name, path=path):
                yield name, path
            case Zip(axes=axes):
                yield from ((axis.name, axis.path) for axis in axes)
            case Cases():
                yield from _names_of_cases(source)
            case Table(columns=columns, path=path):
                yield from ((name, path) for name in columns)
            case Sample(draws=draws):
                yield from ((draw.name, draw.path) for draw in draws)
            case Replicates(name=name, path=path):
                yield name, (*path, "as")
            case Oat(centre=centre, path=path):
                yield from ((name, (*path, "centre", name)) for name in centre)
    for derived in block.derive:
        yield derived.name, derived.path


def _names_of_cases(cases: Cases) -> Iterator[tuple[str, Path]]:
    first: dict[str, Path] = {}
    for index, row in enumerate(cases.rows):
        for name in row:
            first.setdefault(name, (*cases.path, index, name))
    yield from first.items()


def check_blocks(ensemble: Ensemble) -> Iterator[Problem]:
    first: dict[str, Path] = {}
    for block in ensemble.blocks:
        path = (*block.path, "block")
        if block.name in first:
            related = ((first[block.name], "the first one"),)
            yield Problem(
                "duplicate-block",
                path,
                f'two blocks are called "{block.name}"',
                "rename one",
                related=related,
            )
        first.setdefault(block.name, path)


def check_inputs(ensemble: Ensemble) -> Iterator[Problem]:
    """An input is spoken of as `inputs.name`, so what a map answers to by itself cannot be its name."""
    for entry in ensemble.inputs:
        if not entry.name.isidentifier() or keyword.iskeyword(entry.name) or hasattr(dict, entry.name):
            message = f'"{shortened(entry.name)}" cannot be the name of an input'
            hint = f"letters, digits and _, such as {_as_identifier(entry.name)}_file"
            yield Problem("input-name", entry.path, message, hint, at="key")


# ── values ───────────────────────────────────────────────────────────────────────────────────
def check_ranges(ensemble: Ensemble) -> Iterator[Problem]:
    for axis in _axes(ensemble):
        yield from ranges.check(axis.name, axis.values, axis.path)


def check_zips(ensemble: Ensemble) -> Iterator[Problem]:
    """The lists of a group are equally long; both lines are shown."""
    for group in _sources(ensemble, Zip):
        lengths = [
            (axis, length) for axis in group.axes if (length := ranges.known_length(axis.values)) is not None
        ]
        for axis, length in lengths[1:]:
            model, wanted = lengths[0]
            if length != wanted:
                message = f'"{axis.name}" has {_values(length)}, and "{model.name}" beside it has {wanted}'
                related = ((model.path, f"{_values(wanted)} here"),)
                yield Problem("unequal-zip", axis.path, message, ZIP_HINT, related=related)


def check_repetitions(ensemble: Ensemble) -> Iterator[Problem]:
    """The same value or row twice is computed once: legal, and rarely meant."""
    for axis in _axes(ensemble):
        if isinstance(axis.values, Listed) and axis.path[-2:-1] == ("grid",):
            for index, first in _repeated(axis.values.values):
                message = f'{described(axis.values.values[index])} stands twice in "{axis.name}"'
                yield _repetition(axis.path, index, first, message)
    for cases in _sources(ensemble, Cases):
        for index, first in _repeated(cases.rows):
            yield _repetition(cases.path, index, first, "this row stands twice in `cases`")

    for oat in _sources(ensemble, Oat):
        for name, step in oat.steps.items():
            for index, value in enumerate(step.values) if isinstance(step, Listed) else ():
                if name in oat.centre and _key(value) == _key(oat.centre[name]):
                    message = f'{described(value)} is where "{name}" stands at the centre'
                    hint = "the list holds its other values"
                    related = (((*oat.path, "centre", name), "the centre"),)
                    path = (*oat.path, "steps", name, index)
                    yield Problem("repeated-value", path, message, hint, "warning", related=related)


def check_oat(ensemble: Ensemble) -> Iterator[Problem]:
    """What moves has a centre to move from, and by a number only if that is one."""
    for oat in _sources(ensemble, Oat):
        for name, step in oat.steps.items():
            path = (*oat.path, "steps", name)
            if name not in oat.centre:
                message = f'"{shortened(name)}" has steps and no centre'
                near = nearest(name, oat.centre)
                hint = f'did you mean "{near}"?' if near else f"give it one: centre: {{{shortened(name)}: …}}"
                related = (((*oat.path, "centre"), "the centre"),)
                yield Problem("no-centre", path, message, hint, at="key", related=related)
            elif isinstance(step, int | float):
                if not _is_number(oat.centre[name]):
                    message = (
                        f'"{name}" moves by steps of {step}, and its centre is {described(oat.centre[name])}'
                    )
                    hint = f"list its other values: {name}: […]"
                    related = (((*oat.path, "centre", name), "the centre"),)
                    yield Problem("centre-no-number", path, message, hint, related=related)
            else:
                yield from ranges.check(name, step, path)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def check_units(ensemble: Ensemble) -> Iterator[Problem]:
    """One parameter is measured in one unit, in whatever block."""
    first: dict[str, tuple[str, Path]] = {}
    for name, unit, path in _units(ensemble):
        known, where = first.setdefault(name, (unit, path))
        if unit != known:
            message = f'"{name}" is in {shortened(unit)} here, and in {shortened(known)} before'
            hint = "nothing converts a unit: bring the values to one of them"
            yield Problem("units-differ", path, message, hint, "warning", related=((where, "the first one"),))


def _units(ensemble: Ensemble) -> Iterator[tuple[str, str, Path]]:
    for block in ensemble.blocks:
        for source in block.sources:
            if isinstance(source, Axis | Zip):
                axes = source.axes if isinstance(source, Zip) else (source,)
                yield from ((a.name, a.unit, (*a.path, "unit")) for a in axes if a.unit is not None)
            elif isinstance(source, Sample):
                yield from ((d.name, d.unit, (*d.path, "unit")) for d in source.draws if d.unit is not None)


def _repetition(path: Path, index: int, first: int, message: str) -> Problem:
    hint = "it is computed once; `replicates` repeats with independent seeds"
    related = (((*path, first), "the first time"),)
    return Problem("repeated-value", (*path, index), message, hint, "warning", related=related)


def _repeated(values: Iterable[Any]) -> Iterator[tuple[int, int]]:
    """(index, index of the first like it); 1 and 1.0 are alike, 1 and true are not."""
    first: dict[str, int] = {}
    for index, value in enumerate(values):
        key = _key(value)
        if first.setdefault(key, index) != index:
            yield index, first[key]


def _key(value: Any) -> str:
    return json.dumps(_without_form(value), sort_keys=True)


def _without_form(value: Any) -> Any:
    match value:
        case float() if value.is_integer():
            return int(value)
        case list():
            return [_without_form(item) for item in value]
        case dict():
            return {key: _without_form(item) for key, item in value.items()}
        case _:
            return value


def _axes(ensemble: Ensemble) -> Iterator[Axis]:
    for block in ensemble.blocks:
        for source in block.sources:
            if isinstance(source, Axis):
                yield source
            elif isinstance(source, Zip):
                yield from source.axes


def _sources(ensemble: Ensemble, kind: type[_Kind]) -> Iterator[_Kind]:
    for block in ensemble.blocks:
        yield from (source for source in block.sources if isinstance(source, kind))


def _values(count: int, what: str = "value") -> str:
    return f"{count} {what}{'s' if count != 1 else ''}"


# ── worker ───────────────────────────────────────────────────────────────────────────────────
def check_worker(ensemble: Ensemble) -> Iterator[Problem]:
    worker = ensemble.worker
    if worker.timeout is not None and worker.timeout <= 0:
        yield Problem(
            "out-of-range",
            ("worker", "timeout"),
            "no job ends in no time",
            "leave `timeout` out for no limit",
        )
    if worker.needs.memory is not None and worker.needs.memory <= 0:
        yield Problem(
            "out-of-range",
            ("worker", "needs", "memory"),
            "no job runs in no memory",
            "leave `memory` out for no limit",
        )
    if worker.scratch == 0:
        yield Problem(
            "out-of-range",
            ("worker", "scratch"),
            "no job works in no scratch",
            "`disk` keeps it out of the memory",
        )
    if not SHORTEST_GRACE <= worker.stop_grace <= LONGEST_GRACE:
        yield Problem(
            "out-of-range",
            ("worker", "stop_grace"),
            "the grace of a worker that stops is from 1s to 7d",
            f"leave `stop_grace` out for {Worker.stop_grace:g}s",
        )
    if worker.python is not None and int(worker.python.partition(".")[2]) < OLDEST_PYTHON:
        message = f"Python {worker.python} is older than what jobs run on"
        yield Problem("old-python", ("worker", "python"), message, f"3.{OLDEST_PYTHON} or newer")


CHECKS: tuple[Callable[[Ensemble], Iterator[Problem]], ...] = (
    check_names,
    check_one_source,
    check_blocks,
    check_inputs,
    check_ranges,
    check_zips,
    check_repetitions,
    check_oat,
    check_units,
    check_distributions,
    check_designs,
    check_drawn_names,
    check_worker,
    check_host,
    check_hosts,
    check_swarm_only,
    check_rented_only,
    check_limits,
    check_ends,
    check_reaper,
    check_keys,
    check_callers,
    check_tags,
    check_sinks,
    check_servers,
    check_credentials,
    check_start,
)
