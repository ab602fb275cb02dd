"""What a study's file says, explained: all of it block by block, or one row value by value. Pure.

Both are JSON forms (schemas/explain.schema.json), from which people's text is rendered. The rules of a row are
`provenance`'s; here they get their places in the file, and the row's job, its id and the rows it shares them with.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..diagnostics import Path, dotted
from ..spec.document import Document
from ..spec.ensemble import Ensemble, Exclude, Take, Value
from .draws import Draws
from .expressions import FUNCTIONS, Expression, as_text, text
from .filters import axes
from .identity import canonical
from .jobs import COMMAND_PATH, JOB_PATH, Job, Jobs
from .overview import parameters_of
from .plan import arithmetic_form
from .provenance import Absent, Origin, provenance
from .repeats import coincidences
from .space import BlockSpace

FORMAT_VERSION = "1.1"

MOST_COMPARED = 100_000
"""Rows of a study among which those with the same job are looked for; `plan` looks further."""

MOST_TOLD = 20
"""Of the rows with the same job."""

Form = dict[str, Any]


@dataclass(frozen=True)
class Subject:
    """A study to be explained. `files` are the sha256 by path of those that are values."""

    ensemble: Ensemble
    jobs: Jobs
    draws: Draws
    document: Document
    files: Mapping[str, str]


def explain(subject: Subject, row: int | None = None) -> Form:
    """The whole study, or one of its rows. Raises RowError where a row has no job.

    With `when`, `exclude` or an expression for a bound the rows are counted first, as for every plan. Above
    `MOST_COMPARED` rows no other row is looked at.
    """
    return {
        "format_version": FORMAT_VERSION,
        "study": subject.ensemble.name,
        "spec": str(subject.document.file),
        "rows": subject.jobs.count,
        "blocks": None
        if row is not None
        else [_block_form(subject, one) for one in subject.jobs.space.blocks],
        "row": None if row is None else _row_form(subject, subject.jobs[row]),
    }


# ── places ───────────────────────────────────────────────────────────────────────────────────
def _place(subject: Subject, *paths: Path) -> Form:
    """Of the first path at which something stands, else of what is nearest above the last. A map or a list that has a
    key is found at it."""
    value = subject.document.value
    path = next((path for path in paths if _stands(value, path)), paths[-1])
    is_scalar = not isinstance(_at(value, path), dict | list)
    source, place = subject.document.where(path, "value" if is_scalar else "key")
    return {"file": str(source.file), "span": place.to_json(), "path": dotted(path)}


_NOTHING = object()


def _stands(value: Any, path: Path) -> bool:
    return _at(value, path) is not _NOTHING


def _at(value: Any, path: Path) -> Any:
    for part in path:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return _NOTHING
    return value


# ── one row ──────────────────────────────────────────────────────────────────────────────────
def _row_form(subject: Subject, job: Job) -> Form:
    row = job.row
    space = next(one for one in subject.jobs.space.blocks if one.block.name == row.block)
    found = provenance(space, row, subject.ensemble.seed, subject.draws, subject.files)
    return {
        "row": row.index,
        "block": row.block,
        "replicate": row.replicate,
        "position": _position_form(subject, space, row.index - space.start),
        "parameters": [_origin_form(subject, origin) for origin in found.origins],
        "absent": [_absent_form(subject, absent) for absent in found.absent],
        "job": _job_form(subject, job),
        "id": _id_form(subject, job),
        "same_job": _same_job_form(subject, job),
    }


def _position_form(subject: Subject, space: BlockSpace, index: int) -> Form:
    """How the row came to stand where it stands: what was taken away before it, and in which order the rest is."""
    block, way = space.block, space.way(index)
    return {
        "in_block": index,
        "of": space.count,
        "excluded_before": way.excluded,
        "exclude": _place(subject, (*block.path, "exclude")) if block.exclude else None,
        "written": way.written,
        "shuffle": block.shuffle,
        "order": _place(subject, (*block.path, "order")) if block.shuffle is not None else None,
        "skipped": block.take.skip,
        "take": _place(subject, (*block.path, "take")) if block.take != Take() else None,
    }


def _origin_form(subject: Subject, origin: Origin) -> Form:
    return {
        "name": origin.name,
        "value": origin.value,
        "unit": origin.unit,
        "kind": origin.kind,
        "rule": origin.rule,
        "place": _place(subject, *origin.paths),
        "position": origin.position,
        "count": origin.count,
        "data": dict(vars(origin.data)) if origin.data else None,
        "elements": [dict(vars(element)) for element in origin.elements],
    }


def _absent_form(subject: Subject, absent: Absent) -> Form:
    return {"name": absent.name, "rule": absent.rule, "place": _place(subject, *absent.paths)}


# ── the job of a row ─────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class _Leaf:
    """A text of a template that is filled in, or a value without any; `value` is None where it is `left_out`."""

    path: Path
    written: Value
    value: Value
    left_out: bool = False


def _leaves(written: Any, made: Any, path: Path) -> Iterator[_Leaf]:
    """Template and what came of it, side by side. A key is missing where its whole value is an absent parameter."""
    if isinstance(written, Mapping) and written:
        for key, inner in written.items():
            if key in made:
                yield from _leaves(inner, made[key], (*path, key))
            else:
                yield _Leaf((*path, key), inner, None, left_out=True)
    elif isinstance(written, list | tuple) and written:
        for index, (inner, one) in enumerate(zip(written, made, strict=True)):
            yield from _leaves(inner, one, (*path, index))
    else:
        yield _Leaf(path, written, made)


def _job_form(subject: Subject, job: Job) -> Form:
    """`keys` are those of the template; without one the job is the parameters, and there are none."""
    template, command = subject.ensemble.job, subject.ensemble.worker.command
    described = () if template is None else _leaves(template, job.description, JOB_PATH)
    argv = () if command is None else _leaves(command, job.argv, COMMAND_PATH)
    return {
        "description": job.description,
        "keys": [_leaf_form(subject, leaf) for leaf in described],
        "argv": None if job.argv is None else list(job.argv),
        "words": [_leaf_form(subject, leaf) for leaf in argv],
    }


def _leaf_form(subject: Subject, leaf: _Leaf) -> Form:
    top = COMMAND_PATH if leaf.path[: len(COMMAND_PATH)] == COMMAND_PATH else JOB_PATH
    return {
        "key": dotted(leaf.path[len(top) :]),
        "value": leaf.value,
        "template": leaf.written if _names(leaf.written) is not None else None,
        "uses": _names(leaf.written) or [],
        "left_out": leaf.left_out,
        "place": _place(subject, leaf.path),
    }


def _names(written: Value) -> list[str] | None:
    """The names a text with {{ }} looks at; None for anything else."""
    if not isinstance(written, str) or "{{" not in written:
        return None
    parts = [part for part in text(written) if isinstance(part, Expression)]
    return sorted({name for part in parts for name in part.names - FUNCTIONS.keys()})


def _id_form(subject: Subject, job: Job) -> Form:
    worker = subject.ensemble.worker
    return {
        "id": job.id,
        "callee": worker.entrypoint if worker.entrypoint is not None else list(job.argv or ()),
        "bytes": len(canonical(job.description).encode()),
        "replicate": job.row.replicate,
        "as_before": [_was_form(subject, job, name) for name in subject.jobs.as_before(job.row)],
    }


def _was_form(subject: Subject, job: Job, name: str) -> Form:
    """A parameter that the id leaves out."""
    block = next(one for one in subject.ensemble.blocks if one.name == job.row.block)
    axis = next(axis for source in block.sources for axis in axes(source) if axis.name == name)
    return {"name": name, "was": job.row.values[name], "place": _place(subject, (*axis.path, "was"))}


def _same_job_form(subject: Subject, job: Job) -> Form:
    """The other rows that are this job, and why. `looked` is False in a study of too many rows to look at each."""
    if subject.jobs.count > MOST_COMPARED:
        return {"looked": False, "count": None, "rows": [], "because": []}
    own = job.row.index
    rows = [other.row.index for other in subject.jobs if other.id == job.id and other.row.index != own]
    pairs = [(min(own, row), max(own, row)) for row in rows]
    reasons = coincidences(subject.ensemble, subject.jobs, pairs)
    return {
        "looked": True,
        "count": len(rows),
        "rows": rows[:MOST_TOLD],
        "because": list(dict.fromkeys(reason.because for reason in reasons)),
    }


# ── all blocks ───────────────────────────────────────────────────────────────────────────────
def _block_form(subject: Subject, space: BlockSpace) -> Form:
    block = space.block
    return {
        "block": block.name,
        "place": _place(subject, block.path),
        "start": space.start,
        "arithmetic": arithmetic_form(space.arithmetic),
        "parameters": [
            {
                "name": one.name,
                "unit": one.unit,
                "kind": one.kind,
                "rule": one.rule,
                "place": _place(subject, one.path),
            }
            for one in parameters_of(block, subject.ensemble.seed)
        ],
        "exclude": [_exclude_form(subject, entry) for entry in block.exclude],
        "shuffle": block.shuffle,
        "order": _place(subject, (*block.path, "order")) if block.shuffle is not None else None,
        "skipped": block.take.skip,
        "take": _place(subject, (*block.path, "take")) if block.take != Take() else None,
    }


def _exclude_form(subject: Subject, entry: Exclude) -> Form:
    """`rule` is an expression, or as one would be: `network == net6.inp and pump == P3`."""
    literal = (f"{name} == {as_text(value)}" for name, value in (entry.match or {}).items())
    rule = entry.where if entry.where is not None else " and ".join(literal)
    return {"rule": rule, "place": _place(subject, entry.path)}
