"""A ledger as text, for archives: its payloads in the first line, then every outcome and loss in the order of recording.

Text and not the database itself: the same records are the same bytes, whichever SQLite kept them, and reading what
somebody else wrote opens no database of theirs.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import IO, Any

from ..errors import LedgerError
from .ledger import Ledger, Loss, Outcome
from .objects import named
from .replica import is_loss
from .stream import is_outcome

FORMAT = 1


@dataclass(frozen=True)
class Written:
    """How many attempts, and the sha256 of every object they name, in the order of recording."""

    outcomes: int
    objects: tuple[str, ...]


def write_lines(ledger: Ledger, file: IO[str]) -> Written:
    """Everything as of one moment, whoever records meanwhile. Raises LedgerError, OSError."""
    count, objects = 0, dict[str, None]()
    with ledger.at_one_moment():
        head = {"format": FORMAT, "study": ledger.meta.study, "payloads": ledger.payloads()}
        _write(head, file)
        for record in ledger.records():
            if isinstance(record, Loss):
                _write(asdict(record), file)
                continue
            count += 1
            objects |= dict.fromkeys(named((record,)))
            _write(record, file)
    return Written(count, tuple(objects))


def _write(form: Mapping[str, Any], file: IO[str]) -> None:
    file.write(json.dumps(form, separators=(",", ":")) + "\n")


def read_lines(lines: Iterable[str], study: str) -> tuple[dict[str, float], Iterator[Outcome | Loss]]:
    """The payloads, and the records one by one. Raises LedgerError, the records too, for what `write_lines` does
    not write, or of another study."""
    lines = iter(lines)
    head = _form(next(lines, ""))
    match head:
        case {"format": 1, "study": str(owner), "payloads": dict(payloads)} if all(
            isinstance(moment, int | float) for moment in payloads.values()
        ):
            if owner != study:
                raise LedgerError(f"the records inside are of the study {owner!r}, not of {study!r}")
            return {str(digest): float(moment) for digest, moment in payloads.items()}, map(_record, lines)
    raise _strange()


def _record(line: str) -> Outcome | Loss:
    form = _form(line)
    if is_loss(form):
        return Loss(**form)
    if isinstance(form, dict) and is_outcome(form):
        return form
    raise _strange()


def _form(line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise _strange() from error


def _strange() -> LedgerError:
    return LedgerError(
        "these are not records as CloudBurst writes them",
        "let the study be exported again, with the same version at both ends",
    )
