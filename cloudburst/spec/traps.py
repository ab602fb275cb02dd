"""What looks like a number, a truth value, a list or a template, and YAML reads as something else: said aloud, once
for each list it stands in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from ..diagnostics import Path, Problem
from .document import Document
from .scalars import invisible, shortened

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
    (re.compile(r"[-+]?[0-9.]+([eE][-+]?[0-9]+)?#.*"), "a blank comes before the # of a comment"),
    (re.compile(r"[-+]?[0-9.]+( +[-+]?[0-9.]+)+"), "values are parted by commas"),
    (re.compile(r"[-+]?(inf|infinity|nan)", re.IGNORECASE), "there are no infinities here, and no NaN"),
)
"""What a word looks like -> what to do if that was meant. Quotes say that the text is meant."""

_CURLY = re.compile("[“„‘‚].*|.*[”’]", re.DOTALL)
_DASHES = re.compile(r"-\S+( -\S+)+")
_SECTIONS = ("fixed", "grid", "zip", "cases", "exclude")
_WORDS = ("when", "where", "scale")


def check_words(document: Document) -> Iterator[Problem]:
    """Warnings for values; quoted text is never one of them."""
    found: dict[tuple[Path, str], list[Path]] = {}
    texts: dict[Path, str] = {}
    for path, word in document.words():
        if way_out := _way_out(document, path, word):
            around = path[:-1] if path and isinstance(path[-1], int) else path
            found.setdefault((around, way_out), []).append(path)
            texts[path] = word
    for (_, way_out), paths in found.items():
        yield _problem(paths, texts[paths[0]], way_out)
    for path in document.lone_keys():
        is_free = _is_value(path) and len(_inside(path)) != _KEYS_OF_AN_AXIS.get(str(_inside(path)[0]))
        if is_free or path[:1] == ("job",) or path[:2] == ("worker", "command"):
            yield _lone_key(path)


def _way_out(document: Document, path: Path, word: str) -> str | None:
    if _CURLY.fullmatch(word):
        return "curly quotes are letters of the text: write straight ones"
    if unseen := invisible(word):
        return f"{unseen} in it looks like a blank or like nothing: type it anew"
    if not _is_value(path):
        return None
    if _DASHES.fullmatch(word) and _stands_on_lines(document, path):
        return "a list has a blank after each dash"
    if _is_cut_off(document, path, word):
        return "the comma before it parts two values: a number has no marks between its thousands"
    return _looks_like(word)


def _stands_on_lines(document: Document, path: Path) -> bool:
    span = document.span(path)
    return span.end_line > span.line


def _is_cut_off(document: Document, path: Path, word: str) -> bool:
    """The 000 of `[1,000, 2,000]`, which stands right behind a comma and a number."""
    if not (path and isinstance(path[-1], int) and path[-1] and re.fullmatch("[0-9]{3}", word)):
        return False
    before, here = document.span((*path[:-1], path[-1] - 1)), document.span(path)
    return (before.end_line, before.end_column + 1) == (here.line, here.column)


def _lone_key(path: Path) -> Problem:
    key = shortened(str(path[-1]))
    message = f"{{{key}}} reads as a map whose key {key} has no value"
    hint = f'a template has two braces and quotes: "{{{{ {key} }}}}"; for the map, write {{{key}: null}}'
    name, colon, value = key.partition(":")
    if colon:
        hint = f'a blank is missing after the ":": write "{name}: {value}"'
    return Problem("reads-as-map", path, message, hint, "warning", "key")


def _problem(paths: list[Path], word: str, way_out: str) -> Problem:
    others = f" (and {len(paths) - 1} more beside it)" if len(paths) > 1 else ""
    word = shortened(word)
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
    inside = _inside(path)
    return inside[:1] in {(name,) for name in _SECTIONS} or inside[:2] == ("sample", "of")


def _inside(path: Path) -> Path:
    """Of a path under `parameters`, the part within its block."""
    inside = path[1:]
    return inside[1:] if inside and isinstance(inside[0], int) else inside


_KEYS_OF_AN_AXIS: Final = {"grid": 3, "zip": 4, "sample": 4}
"""How deep in a block the keys of a range or a distribution stand; the schema knows them, and speaks of others."""
