"""The table of a study: a view of the ledger in plan order, one line a row of the space.

Columns: `row id block replicate`, the parameters, the outputs (nested keys dotted), `status attempts
started seconds worker payload error`. Parameters and outputs stand in the order they are first seen.
A parameter named like one of the fixed columns is `in.<name>`; an output named like a fixed column
or a parameter is `out.<name>`.

The rows are read once and put aside in a temporary file; the columns are known when all have been
seen. So the memory needed does not grow with the rows, and a ledger that grows meanwhile harms nothing.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from ..results import Outcome, Result, first_line
from .formats import ABSENT, Cell, Column, Kind, Sheet, kind_of, wider, write_file

LEADING = (
    Column("row", "integer"),
    Column("id", "text"),
    Column("block", "text"),
    Column("replicate", "integer"),
)
TRAILING = (
    Column("status", "text"),
    Column("attempts", "integer"),
    Column("started", "text"),
    Column("seconds", "number"),
    Column("worker", "text"),
    Column("payload", "text"),
    Column("error", "text"),
)
PAYLOAD_DIGITS = 12
"""As many digits of the payload's sha256 as `plan` shows."""


def write_table(path: Path, results: Iterable[Result], *, about: Mapping[str, str]) -> None:
    """Replace the table at `path` (.csv .jsonl .sqlite by suffix) whole.

    `about` says where the numbers come from; SQLite keeps it in the table `study`.
    Raises CloudBurstError where the file cannot be written.
    """
    with open_sheet(results, about=about) as sheet:
        write_file(sheet, path)


@contextmanager
def open_sheet(results: Iterable[Result], *, about: Mapping[str, str]) -> Iterator[Sheet]:
    """The table as a sheet, readable once while the context lasts."""
    with tempfile.TemporaryFile("w+", encoding="utf-8", prefix="cloudburst-") as aside:
        parameters, outputs = _put_aside(results, aside)
        aside.seek(0)
        inputs_named, outputs_named = column_names(parameters, outputs)
        columns = (
            *LEADING,
            *(Column(inputs_named[name], kind or "text") for name, kind in parameters.items()),
            *(Column(outputs_named[name], kind or "text") for name, kind in outputs.items()),
            *TRAILING,
        )
        yield Sheet(columns, _read_back(aside, tuple(parameters), tuple(outputs)), about)


Kinds = dict[str, Kind | None]


def _put_aside(results: Iterable[Result], aside: IO[str]) -> tuple[Kinds, Kinds]:
    """Write each row down as it comes; the names that occurred, in first-seen order, with their kinds."""
    parameters: Kinds = {}
    outputs: Kinds = {}
    for result in results:
        inputs = dict(result.job.row.values)
        returned = flat(result.outcome.get("result") or {}) if result.outcome else {}
        _widen(parameters, inputs)
        _widen(outputs, returned)
        json.dump([leading(result), inputs, returned, _trailing(result)], aside)
        aside.write("\n")
    return parameters, outputs


def _widen(kinds: Kinds, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        kinds[name] = wider(kinds.get(name), kind_of(value))


def _read_back(aside: IO[str], parameters: Sequence[str], outputs: Sequence[str]) -> Iterator[list[Cell]]:
    for line in aside:
        lead, inputs, returned, trail = json.loads(line)
        yield [
            *_present(lead),
            *(inputs.get(name, ABSENT) for name in parameters),
            *(returned.get(name, ABSENT) for name in outputs),
            *_present(trail),
        ]


def _present(values: Iterable[Cell]) -> Iterator[Cell]:
    """In the fixed columns nothing is null: what is not known is absent."""
    return (ABSENT if value is None else value for value in values)


def leading(result: Result) -> list[Any]:
    row = result.job.row
    return [row.index, result.job.id, row.block, row.replicate]


def _trailing(result: Result) -> list[Any]:
    outcome = result.outcome
    if outcome is None:
        return [result.status, None, None, None, None, None, None]
    return [
        result.status,
        outcome["attempt"],
        moment(outcome["started"]),
        outcome["seconds"],
        outcome["worker"],
        outcome["payload"][:PAYLOAD_DIGITS],
        first_line(outcome.get("error")) or None,
    ]


def moment(seconds: float | None) -> str | None:
    """Seconds since the epoch as UTC in ISO 8601, to the millisecond."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def flat(result: Outcome) -> dict[str, Any]:
    """Nested maps as dotted names: `{"tank": {"level": 3}}` gives `tank.level`. An empty map is a value.

    A name written out and one that comes of nesting can be the same; the later is `out.<name>`.
    """
    named: dict[str, Any] = {}
    for name, value in _leaves(result, ""):
        while name in named:
            name = f"out.{name}"
        named[name] = value
    return named


def _leaves(values: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def column_names(parameters: Iterable[str], outputs: Iterable[str]) -> tuple[dict[str, str], dict[str, str]]:
    """What the parameters and the outputs are called in the table, so that no two columns share a name."""
    taken = {column.name for column in (*LEADING, *TRAILING)}
    return (
        {name: free_name(name, "in.", taken) for name in parameters},
        {name: free_name(name, "out.", taken) for name in outputs},
    )


def free_name(name: str, prefix: str, taken: set[str]) -> str:
    """`name`, with the prefix as often as it takes to be free; `taken` has it from now on."""
    while not name or name in taken:
        name = prefix + name
    taken.add(name)
    return name
