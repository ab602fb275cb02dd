"""Jobs: what one row asks a worker to compute. Descriptions, arguments and ids, row by row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..spec.ensemble import Ensemble, Value
from .expressions import ExpressionError, Scope, as_text
from .files import References, reference
from .filters import REPLICATE, RowError, describe
from .former import leave_out
from .identity import Identity, NotJson, canonical
from .lazy import Lazy
from .space import Row, Space
from .templates import Template, texts

INPUTS = "inputs"
JOB_ID = "job_id"
ITS_OWN_ID = "{{ job_id }}"
"""Stands for the id of a job in what its id is made from."""

LARGEST_DESCRIPTION = 1 << 20
"""In bytes of canonical JSON."""

_FEW = 16
"""Texts in a template that may each name what is large."""

JOB_PATH = ("job",)
COMMAND_PATH = ("worker", "command")


@dataclass(frozen=True, slots=True)
class Job:
    """One row's job. `description` is what the function receives, `argv` what a command is called
    with; rows with equal `id` are one job. Parts of a description may be shared between jobs."""

    row: Row
    id: str
    description: Mapping[str, Value]
    argv: tuple[str, ...] | None


class Jobs(Lazy[Job]):
    """The jobs of a space, row by row. Walking raises `RowError` where a row has no job."""

    def __init__(
        self,
        ensemble: Ensemble,
        space: Space,
        inputs: Mapping[str, str],
        files: Mapping[str, str] | None = None,
    ) -> None:
        self.space = space
        worker = ensemble.worker
        self._references = {name: reference(digest) for name, digest in inputs.items()}
        self._files = References(ensemble, files)
        self._template = None if ensemble.job is None else Template(ensemble.job, JOB_PATH)
        self._command = None if worker.command is None else Template(worker.command, COMMAND_PATH)
        self._identity = Identity(worker.entrypoint or "")
        self._repeats = sum(1 for _ in texts(ensemble.job, JOB_PATH)) > _FEW
        self._asks_id = any(JOB_ID in word for word in worker.command or ())
        formers = {block.block.name: block.former for block in space.blocks}
        self._formers = {name: one for name, one in formers.items() if one.values}

    @property
    def count(self) -> int:
        return self.space.count

    def at(self, index: int) -> Job:
        return self._job(self.space.at(index))

    def walk(self, start: int, stop: int) -> Iterator[Job]:
        return map(self._job, self.space.walk(start, stop))

    def of(self, row: Row) -> Job:
        """The job of a row that was walked. Raises `RowError`."""
        return self._job(row)

    def values_of(self, row: Row) -> Mapping[str, Value]:
        """The values of a row as its job has them: of a file that is a value, its content instead of its path."""
        return self._files.within(row.block, row.values)

    def as_before(self, row: Row) -> tuple[str, ...]:
        """The parameters that the row's id leaves out: they have what every row had before they were parameters."""
        former = self._formers.get(row.block)
        return former.among(row.values) if former is not None else ()

    def _job(self, row: Row) -> Job:
        values = self.values_of(row)
        left_out = self.as_before(row) if self._formers else ()
        if left_out:
            return self._former_job(row, values, leave_out(values, left_out))
        if self._template is None and self._command is None:
            return Job(row, self._id(row, values), values, None)
        scope = self._scope(row, values)
        description = self._description(row, values, scope)
        if self._command is None:
            return Job(row, self._id(row, description), description, None)
        argv = _arguments(self._command, scope, row, ITS_OWN_ID)
        job_id = self._id(row, description, Identity(argv))
        if self._asks_id:
            argv = _arguments(self._command, scope, row, job_id)
        return Job(row, job_id, description, argv)

    def _former_job(self, row: Row, values: Mapping[str, Value], before: Mapping[str, Value]) -> Job:
        """What is sent is made of all `values`, the id of those there were `before`."""
        scope, scope_before = self._scope(row, values), self._scope(row, before)
        description = self._description(row, values, scope)
        description_before = self._description(row, before, scope_before)
        self._id(
            row, description
        )  # what is sent has to be JSON, and not too large, whatever the id is made of
        if self._command is None:
            return Job(row, self._id(row, description_before), description, None)
        argv_before = _arguments(self._command, scope_before, row, ITS_OWN_ID)
        job_id = self._id(row, description_before, Identity(argv_before))
        return Job(row, job_id, description, _arguments(self._command, scope, row, job_id))

    def _scope(self, row: Row, values: Mapping[str, Value]) -> Scope:
        scope = {**values, INPUTS: self._references}
        if row.replicate is not None:
            scope[REPLICATE] = row.replicate
        return scope

    def _description(self, row: Row, values: Mapping[str, Value], scope: Scope) -> Any:
        return values if self._template is None else _filled(self._template, scope, row)

    def _id(self, row: Row, description: Mapping[str, Value], identity: Identity | None = None) -> str:
        try:
            return (identity or self._identity).id(self._text(description), row.replicate)
        except NotJson as error:
            raise _row_error(
                row, JOB_PATH, ExpressionError(f"a value of the job {error}"), "not-json"
            ) from error
        except ExpressionError as error:
            raise _row_error(row, JOB_PATH, error, "job-too-large") from error

    def _text(self, description: Mapping[str, Value]) -> str:
        if self._repeats:
            _refuse_repeated(description)
        text = canonical(description)
        if len(text) > LARGEST_DESCRIPTION // 4:  # a character is at most four bytes
            _refuse_large(text)
        return text


def _filled(template: Template, scope: Scope, row: Row) -> Any:
    try:
        return template(scope)
    except ExpressionError as error:
        path, reason = template.failing(scope) or (JOB_PATH, error)
        raise _row_error(row, path, reason) from error


def _arguments(command: Template, scope: Scope, row: Row, job_id: str) -> tuple[str, ...]:
    return tuple(map(as_text, _filled(command, {**scope, JOB_ID: job_id}, row)))


def _refuse_large(text: str) -> None:
    size = len(text.encode(errors="replace"))
    if size > LARGEST_DESCRIPTION:
        raise _too_large(f"{size / 2**20:.1f} MiB")


def _refuse_repeated(description: object) -> None:
    """A template can name one large value so often that its text would fill the memory: it is not even made."""
    left, open_ones = LARGEST_DESCRIPTION, [description]
    while open_ones and left >= 0:
        value = open_ones.pop()
        left -= len(value) if isinstance(value, str | list | dict) else 1
        if isinstance(value, dict):
            open_ones += value.values()
        elif isinstance(value, list):
            open_ones += value
    if left < 0:
        raise _too_large("more than 1 MiB")


def _too_large(size: str) -> ExpressionError:
    return ExpressionError(
        f"the job's description is {size}; a queue carries at most 1 MiB",
        "put what is large into a file and name it under `inputs:`",
    )


def _row_error(
    row: Row, path: tuple[str | int, ...], error: ExpressionError, code: str = "expression-fails"
) -> RowError:
    return RowError(path, f"row {row.index}, where {describe(row.values, error)}", error, code)


def make_jobs(
    ensemble: Ensemble, space: Space, inputs: Mapping[str, str], files: Mapping[str, str] | None = None
) -> Jobs:
    """The jobs of a space. `inputs` are the sha256 of the content of each input, by name; `files` those of the
    files that are values, by path (None: not known yet, then ids mean nothing where there are any).

    Raises `ExpressionError` when a text of `job` or `command` cannot be read.
    """
    return Jobs(ensemble, space, inputs, files)
