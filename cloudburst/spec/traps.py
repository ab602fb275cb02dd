"""Words that look like a number or a truth value and are text: said aloud, once for each list they stand in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from ..diagnostics import Path, Problem
from .document import Document

TRAPS: Final = (
    (re.compile("no|off", re.IGNORECASE), "write false if it is meant"),
    (re.compile("yes|on", re.IGNORECASE), "write true if it is meant"),
    (re.compile("none", re.IGNORECASE), "write null if it is meant"),
    (
        re.compile(r"[0-9]{1,2}(:[0-9]{2}){1,2}(\.[0-9]+)?"),
        "a time is text; write seconds or hours as a number if it is meant",
    ),
    (re.compile(r"[-+]?0[0-9]+(\.[0-9]*)?"), "a number has no leading zeros"),
    (re.compile(r"[-+]?[0-9]{1,3}([,_][0-9]{3})+(\.[0-9]*)?"), "a number has no marks between its thousands"),
    (re.compile(r"[-+]?[0-9]+,[0-9]+"), "a decimal point is a point"),
    (re.compile(r"[-+]?(inf|infinity|nan)", re.IGNORECASE), "there are no infinities here, and no NaN"),
)
"""What a word looks like -> what to do if that was meant. Quotes say that the text is meant."""

_SECTIONS = ("fixed", "grid", "zip", "cases", "exclude")
_WORDS = ("when", "where", "scale")


def check_words(document: Document) -> Iterator[Problem]:
    """Warnings for the values of parameters; quoted text is never one of them."""
    found: dict[tuple[Path, str], list[Path]] = {}
    texts: dict[Path, str] = {}
    for path, word in document.words():
        if _is_value(path) and (way_out := _looks_like(word)):
            around = path[:-1] if isinstance(path[-1], int) else path
            found.setdefault((around, way_out), []).append(path)
            texts[path] = word
    for (_, way_out), paths in found.items():
        yield _problem(paths, texts[paths[0]], way_out)


def _problem(paths: list[Path], word: str, way_out: str) -> Problem:
    others = f" (and {len(paths) - 1} more beside it)" if len(paths) > 1 else ""
    message = f"{word} reads as text{others}"
    return Problem(
        "reads-as-text",
        paths[0],
        message,
        f'{way_out}; "{word}" in quotes says that text is meant',
        "warning",
    )


def _looks_like(word: str) -> str | None:
    return next((way_out for pattern, way_out in TRAPS if pattern.fullmatch(word)), None)


def _is_value(path: Path) -> bool:
    """Whether a parameter's value stands at `path`: in a section of a block, or in a `choice`."""
    if path[:1] != ("parameters",) or path[-1] in _WORDS:
        return False
    inside = path[2:] if isinstance(path[1], int) else path[1:]
    return inside[:1] in {(name,) for name in _SECTIONS} or inside[:2] == ("sample", "of")
