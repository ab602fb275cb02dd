"""The series of a job, as workers store them (docs/contracts.md, "A series object"), and the long table.

Standard library only: no numpy here, so numbers live in `array`s.
"""

from __future__ import annotations

import json
import sys
import tempfile
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from ..errors import CloudBurstError, UsageError
from .results import Result
from .sinks.formats import ABSENT, Cell, Column, Sheet, kind_of, wider
from .sinks.formats import Kind as CellKind
from .sinks.table import free_name

Kind = Literal["float64", "int64", "datetime64[ns]", "timedelta64[ns]", "text"]

CODES: Mapping[str, str] = {"float64": "d", "int64": "q", "datetime64[ns]": "q", "timedelta64[ns]": "q"}
_WIDTH = 8
NO_TIME = -(2**63)
"""What numpy writes for a moment or a duration that is not one (NaT)."""


@dataclass(frozen=True)
class Values:
    """The index or one column of a series: numbers as stored (times in int64 nanoseconds), or texts."""

    name: str
    kind: Kind
    stored: Sequence[Any]

    def __len__(self) -> int:
        return len(self.stored)

    def __getitem__(self, at: int) -> Cell:
        """As a table shows it: moments as ISO 8601 text, durations in seconds; not a time is absent."""
        value = self.stored[at]
        if self.kind not in ("datetime64[ns]", "timedelta64[ns]"):
            return value
        if value == NO_TIME:
            return ABSENT
        return moment(value) if self.kind == "datetime64[ns]" else value / 1e9


@dataclass(frozen=True)
class Series:
    """`columns` all have the length of `index`."""

    name: str
    index: Values
    columns: tuple[Values, ...]

    def __len__(self) -> int:
        return len(self.index)


def moment(nanoseconds: int) -> str:
    """ISO 8601, with as many decimals as there are: `2018-05-28T00:00:00`, `2018-05-28T00:00:00.25`."""
    seconds, rest = divmod(nanoseconds, 10**9)
    text = (datetime(1970, 1, 1) + timedelta(seconds=seconds)).isoformat(timespec="seconds")  # noqa: DTZ001 - as numpy, without a zone
    return text + (f".{rest:09d}".rstrip("0") if rest else "")


def decode(data: bytes) -> tuple[Series, ...]:
    """The series in an object of the file store. Raises CloudBurstError for bytes that are not one."""
    head, newline, numbers = data.partition(b"\n")
    try:
        header = json.loads(head)
        if not newline or header["format"] != 1:
            raise _not_a_series(f"its format is {header['format']}, this version reads 1")
        take = _taker(numbers)
        series = tuple(_one(entry, take) for entry in header["series"])
    except (ValueError, KeyError, TypeError) as error:
        raise _not_a_series("its header does not say what is in it") from error
    if take(len(numbers), "rest"):
        raise _not_a_series("there is more in it than its header says")
    return series


Take = Callable[[int, str], bytes]


def _taker(numbers: bytes) -> Take:
    """Gives the next so many bytes, in order; `rest` whatever is left."""
    at = 0

    def take(count: int, what: str) -> bytes:
        nonlocal at
        part = numbers[at : at + count]
        at += len(part)
        if len(part) < count and what != "rest":
            raise _not_a_series(f"it ends inside {what}")
        return part

    return take


def _one(entry: Mapping[str, Any], take: Take) -> Series:
    length = int(entry["length"])
    index = _values(entry["index"], length, take)
    return Series(entry["name"], index, tuple(_values(column, length, take) for column in entry["columns"]))


def _values(entry: Mapping[str, Any], length: int, take: Take) -> Values:
    name, kind = entry["name"], entry["kind"]
    if kind == "text":
        texts = entry["values"]
        if len(texts) != length:
            raise _not_a_series(f"{name} has {len(texts)} texts, not {length}")
        return Values(name, kind, texts)
    numbers = array(CODES[kind])
    numbers.frombytes(take(length * _WIDTH, name))
    if sys.byteorder == "big":
        numbers.byteswap()
    return Values(name, kind, numbers)


def _not_a_series(why: str) -> CloudBurstError:
    return CloudBurstError(
        f"a stored series cannot be read: {why}", "`cloudburst retry` with the job's id computes it again"
    )


# ── one long table ───────────────────────────────────────────────────────────────────────────
Find = Callable[[str], Path]
"""sha256 -> the file in the local store that holds the object (it may be missing)."""

_CELLS: Mapping[Kind, CellKind] = {
    "float64": "number",
    "int64": "integer",
    "datetime64[ns]": "text",
    "timedelta64[ns]": "number",
    "text": "text",
}


@contextmanager
def open_long(results: Iterable[Result], name: str, find: Find, about: Mapping[str, str]) -> Iterator[Sheet]:
    """The series `name` of every row that is done, one line a point: `id row`, the parameters, `index`,
    and the values (`value`, or one column each where a job returned a table of several).

    Readable once while the context lasts. A parameter named like another column is `in.<name>`, a
    value `out.<name>`. Raises UsageError when no row has that series.
    """
    survey = _Survey(name)
    with tempfile.TemporaryFile("w+", encoding="utf-8", prefix="cloudburst-") as aside:
        for result in results:
            line = survey.see(result, find)
            if line is not None:
                aside.write(json.dumps(line) + "\n")
        survey.check_found()
        aside.seek(0)
        yield Sheet(survey.columns(), survey.read_back(aside, find), about)


class _Survey:
    """What is learnt on the way over the rows: which columns the long table has."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.found = False
        self.others: dict[str, None] = {}
        self.index: CellKind | None = None
        self.parameters: dict[str, CellKind | None] = {}
        self.values: dict[str, CellKind | None] = {}

    def see(self, result: Result, find: Find) -> list[Any] | None:
        """What to keep of a row; None when it has not this series."""
        stored = result.outcome.get("series") if result.outcome and result.status == "done" else None
        if not stored:
            return None
        if self.name not in stored["names"]:
            self.others.update(dict.fromkeys(stored["names"]))
            return None
        self.found = True
        entry = next(e for e in _header(find(stored["object"]))["series"] if e["name"] == self.name)
        self.index = wider(self.index, _CELLS[entry["index"]["kind"]])
        for column in entry["columns"]:
            self.values[column["name"]] = wider(self.values.get(column["name"]), _CELLS[column["kind"]])
        inputs = dict(result.job.row.values)
        for key, value in inputs.items():
            self.parameters[key] = wider(self.parameters.get(key), kind_of(value))
        return [result.job.id, result.job.row.index, inputs, stored["object"]]

    def check_found(self) -> None:
        if self.found:
            return
        near = get_close_matches(self.name, self.others, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(self.others)}"
        raise UsageError(
            f"no job that is done returned a series {self.name}",
            hint if self.others else "no job that is done returned any series",
        )

    def columns(self) -> tuple[Column, ...]:
        taken = {"id", "row", "index"}
        return (
            Column("id", "text"),
            Column("row", "integer"),
            *(Column(free_name(key, "in.", taken), kind or "text") for key, kind in self.parameters.items()),
            Column("index", self.index or "text"),
            *(Column(free_name(key, "out.", taken), kind or "text") for key, kind in self.values.items()),
        )

    def read_back(self, aside: Iterable[str], find: Find) -> Iterator[list[Cell]]:
        for line in aside:
            job_id, row, inputs, sha = json.loads(line)
            series = next(s for s in decode(_bytes(find(sha))) if s.name == self.name)
            lead = [job_id, row, *(inputs.get(key, ABSENT) for key in self.parameters)]
            have = {column.name: column for column in series.columns}
            columns = [have.get(key) for key in self.values]
            for at in range(len(series)):
                yield [*lead, series.index[at], *(ABSENT if c is None else c[at] for c in columns)]


def _header(path: Path) -> Mapping[str, Any]:
    try:
        with open(path, "rb") as file:
            header: Mapping[str, Any] = json.loads(file.readline())
            return header
    except FileNotFoundError as error:
        raise _gone(path) from error
    except ValueError as error:
        raise _not_a_series("its header is not JSON") from error


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise _gone(path) from error


def _gone(path: Path) -> CloudBurstError:
    return CloudBurstError(f"the stored series {path.name[:12]} is missing", f"it was in {path.parent}")
