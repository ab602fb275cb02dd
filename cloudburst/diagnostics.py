"""What is wrong with the user's text, and where. No I/O, no colour.

A check yields a `Problem`: it knows the path of the value it is about and nothing of lines.
`Document.place` turns problems into `Diagnostic`s; nobody else knows lines and columns.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

Path = tuple[str | int, ...]
"""The way from the root of the document to a value: keys as text, list positions from 0."""

Severity = Literal["error", "warning", "note"]

_WEIGHT: dict[str, int] = {"error": 0, "warning": 1, "note": 2}

MOST_TOLD = 200
"""Mistakes of a file that one pass tells of. Nobody reads more at once, and telling takes time."""


@dataclass(frozen=True)
class Problem:
    """Something wrong at a path. `code` is a stable slug, one heading of docs/errors.md."""

    code: str
    path: Path
    message: str
    hint: str = ""
    severity: Severity = "error"
    at: Literal["key", "value"] = "value"
    related: tuple[tuple[Path, str], ...] = ()


@dataclass(frozen=True)
class Span:
    """From-to in the text; lines and columns count from 1, the end column is exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int

    def to_json(self) -> dict[str, int]:
        return {
            "line": self.line,
            "column": self.column,
            "end_line": self.end_line,
            "end_column": self.end_column,
        }


@dataclass(frozen=True)
class Related:
    """A second place that belongs to the same diagnostic, with what it has to do with it."""

    file: str
    span: Span
    message: str


@dataclass(frozen=True)
class Diagnostic:
    """A problem with its place. `snippet` is the line of the user's file, without its newline."""

    code: str
    severity: Severity
    message: str
    file: str
    hint: str = ""
    span: Span | None = None
    snippet: str = ""
    path: str = ""
    related: tuple[Related, ...] = field(default=())

    @property
    def line(self) -> str:
        """Where and what, in one line: `ensemble.yaml:3:7: error[unknown-key]: … (did you mean …)`."""
        place = f"{self.file}:{self.span.line}:{self.span.column}" if self.span else self.file
        hint = f" ({self.hint})" if self.hint else ""
        return f"{place}: {self.severity}[{self.code}]: {self.message}{hint}"

    def to_json(self) -> dict[str, Any]:
        """The machine form; the human text is rendered from this and from nothing else."""
        return {
            "code": self.code,
            "severity": self.severity,
            "message": self.message,
            "hint": self.hint,
            "file": self.file,
            "span": self.span.to_json() if self.span else None,
            "snippet": self.snippet,
            "path": self.path,
            "related": [
                {"file": r.file, "span": r.span.to_json(), "message": r.message} for r in self.related
            ],
        }


def too_many(path: Path) -> Problem:
    """Stands for all further mistakes; `path` is that of the first of them."""
    message = f"there are more than {MOST_TOLD} mistakes of this kind"
    return Problem("too-many-mistakes", path, message, "mend those that are shown, and look again")


def first_told(problems: Iterable[Problem]) -> Iterator[Problem]:
    """As many as are told of; then, in place of the rest, that there are more."""
    for number, problem in enumerate(problems):
        if number == MOST_TOLD:
            yield too_many(problem.path)
            return
        yield problem


def are_too_many(problems: Iterable[Problem]) -> bool:
    """Whether there are more mistakes than were told of."""
    return any(problem.code == too_many(()).code for problem in problems)


def in_order(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Sorted by file, line, column, then weight; exact repetitions once."""

    def key(d: Diagnostic) -> tuple[str, int, int, int, str, str]:
        line, column = (d.span.line, d.span.column) if d.span else (0, 0)
        return (d.file, line, column, _WEIGHT[d.severity], d.code, d.message)

    return tuple(sorted(dict.fromkeys(diagnostics), key=key))


def has_errors(diagnostics: Iterable[Diagnostic]) -> bool:
    return any(d.severity == "error" for d in diagnostics)


def dotted(path: Path) -> str:
    """`("parameters", 0, "grid")` as `parameters[0].grid`, for people and for the JSON form."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else (f".{part}" if text else part)
    return text
