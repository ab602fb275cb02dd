"""What the language will have and this version has not. A table: where it stands -> what to do today.

An address is the path with "/" between its parts and list positions left out, for a value followed by
"=" and the value. Patterns are those of fnmatch: "*" passes over "/" too.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import Any

from ..diagnostics import Path, Problem
from .scalars import shortened

CODE = "not-in-this-version"

_OUTPUTS = "the program prints its result as JSON, or writes result.json"

_KEYS: tuple[tuple[str, str], ...] = (
    ("cluster/rescue", "results are written beside the study: leave it out"),
    ("worker/threads", "one thread per job for numeric libraries: leave it out"),
    ("*templates", "a program reads its case from its arguments: `{{ name }}` in `command`"),
    ("*outputs", _OUTPUTS),
    ("*/sample/paired", "every point of the grid gets the same draws"),
    ("*notify", "`cloudburst apply` ends when the study ends"),
)

_VALUES: tuple[tuple[str, str], ...] = (
    ("results/table/path=*.parquet", "this version writes .csv, .jsonl and .sqlite"),
)

_NUMBERS = re.compile(r"(.*/)?(from|to|step|uniform|loguniform|integers|normal/mean|normal/sd)")
_EXPRESSION = re.compile(r"(?<![\d.])[^\W\d_]|\{\{")


def later_key(path: Path) -> Problem | None:
    """The answer to a key nobody knows yet, or None."""
    for pattern, instead in _KEYS:
        if fnmatchcase(address(path), pattern):
            return _answer(path, str(path[-1]), instead, at_key=True)
    return None


def later_value(path: Path, value: Any) -> Problem | None:
    """The answer to a value of the right kind that means nothing yet, or None."""
    if not isinstance(value, str):
        return None
    for pattern, instead in _VALUES:
        if fnmatchcase(f"{address(path)}={value}", pattern):
            return _answer(path, value, instead)
    if _NUMBERS.fullmatch(address(path)) and _EXPRESSION.search(value):
        message = f'a bound that is an expression ("{shortened(value)}") is not in this version'
        return Problem(
            CODE, path, message, "give a number; what depends on other parameters is computed in `derive`"
        )
    return None


def address(path: Path) -> str:
    return "/".join(part for part in path if isinstance(part, str))


def _answer(path: Path, what: str, instead: str, *, at_key: bool = False) -> Problem:
    message = f'"{shortened(what)}" is not in this version'
    return Problem(CODE, path, message, instead, at="key" if at_key else "value")
