"""Diagnostics as text for people, as annotations for GitHub, as JSON. From their JSON form, and nothing else.

The first line is always `file:line:column: severity[code]: message`, so that editors can jump; what follows
is indented and never wider than asked for.
"""

from __future__ import annotations

import json
import textwrap
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Any

from .paint import PLAIN, Paint

FORMAT = 1
Form = Mapping[str, Any]
"""What `Diagnostic.to_json` gives."""


# ── for people ───────────────────────────────────────────────────────────────────────────────
def render_all(diagnostics: Sequence[Form], *, paint: Paint = PLAIN, width: int = 80) -> str:
    """All of them with a blank line between, and how many there are."""
    parts = [render(diagnostic, paint=paint, width=width) for diagnostic in diagnostics]
    return "\n\n".join([*parts, summary(diagnostics)]) if parts else ""


def render(diagnostic: Form, *, paint: Paint = PLAIN, width: int = 80) -> str:
    """One diagnostic: where and what, the line with a caret under the place, second places, a hint."""
    lines = _headline(diagnostic, paint, width)
    lines += _picture(diagnostic, paint, width)
    for other in diagnostic["related"]:
        where = f"{other['file']}:{other['span']['line']}:{other['span']['column']}"
        lines += _wrapped(f"{where}: {other['message']}", paint.cyan("-"), width)
    if diagnostic["hint"]:
        lines += _wrapped(diagnostic["hint"], paint.cyan("="), width)
    return "\n".join(lines)


def summary(diagnostics: Iterable[Form]) -> str:
    """`2 errors, 1 warning`; empty when there is nothing."""
    severities = [diagnostic["severity"] for diagnostic in diagnostics]
    counts = ((severities.count(kind), kind) for kind in ("error", "warning", "note"))
    return ", ".join(f"{count} {kind}{'s' if count != 1 else ''}" for count, kind in counts if count)


def _headline(diagnostic: Form, paint: Paint, width: int) -> list[str]:
    severity, code = diagnostic["severity"], diagnostic["code"]
    label = f"{severity}[{code}]"
    place = f"{_place(diagnostic)}: "
    taken = len(f"{place}{label}: ")
    message = _fill(diagnostic["message"], width, " " * taken, "    ")
    first, *rest = message or [" " * taken]
    return [f"{place}{_in_colour(severity, label, paint)}: {first[taken:]}", *rest]


def _fill(text: str, width: int, first: str, then: str) -> list[str]:
    return textwrap.wrap(
        visible(text),
        max(20, width),
        initial_indent=first,
        subsequent_indent=then,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _place(diagnostic: Form) -> str:
    span = diagnostic["span"]
    file = visible(diagnostic["file"])
    return f"{file}:{span['line']}:{span['column']}" if span else file


def _in_colour(severity: str, text: str, paint: Paint) -> str:
    return {"error": paint.red, "warning": paint.yellow}.get(severity, paint.cyan)(text)


def _wrapped(text: str, mark: str, width: int) -> list[str]:
    first, *rest = _fill(text, width, "      ", "      ") or ["      "]
    return [f"    {mark} {first[6:]}", *rest]


# ── the line and its caret ───────────────────────────────────────────────────────────────────
def _picture(diagnostic: Form, paint: Paint, width: int) -> list[str]:
    span, snippet = diagnostic["span"], diagnostic["snippet"]
    if not span or not snippet.strip():
        return []
    number = str(span["line"]).rjust(4)
    start = min(span["column"] - 1, len(snippet))
    end = span["end_column"] - 1 if span["end_line"] == span["line"] else len(snippet.rstrip())
    end = max(start, end)
    parts = (visible(snippet[:start]), visible(snippet[start:end]), visible(snippet[end:]))
    before, marked, after = _cut(*parts, max(20, width - len(f"  {number} | ")))
    caret = " " * columns(before) + "^" * max(1, columns(marked))
    return [
        f"  {paint.dim(number)} {paint.dim('|')} {before}{marked}{after}".rstrip(),
        f"  {' ' * len(number)} {paint.dim('|')} {_in_colour(diagnostic['severity'], caret, paint)}",
    ]


def _cut(before: str, marked: str, after: str, room: int) -> tuple[str, str, str]:
    """The part of a long line around its mark; what is left out is an ellipsis."""
    if columns(before) + max(1, columns(marked)) + columns(after) <= room:
        return before, marked, after
    marked = _shortened(marked, room * 2 // 3)
    left = room - max(1, columns(marked))
    before = _shortened(before[::-1], max(left // 2, left - columns(after)))[::-1]
    return before, marked, _shortened(after, left - columns(before))


def _shortened(text: str, room: int) -> str:
    if columns(text) <= room:
        return text
    widths = accumulate(columns(letter) for letter in text)
    kept = "".join(letter for letter, width in zip(text, widths, strict=True) if width < room)
    return kept + "…" if room > 0 else ""


def visible(text: str) -> str:
    """Without what a terminal would act on: a file can hold escape sequences. Tabs become four blanks."""
    return "".join(
        "    "
        if letter == "\t"
        else "\ufffd"
        if unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Zl", "Zp")
        else letter
        for letter in text
    )


def columns(text: str) -> int:
    """How wide a terminal shows it: two for wide letters, none for combining ones."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text
    )


# ── for programs ─────────────────────────────────────────────────────────────────────────────
def github(diagnostics: Iterable[Form]) -> str:
    """Workflow commands, one line each: GitHub shows them beside the lines of the file."""
    return "\n".join(_annotation(diagnostic) for diagnostic in diagnostics)


def _annotation(diagnostic: Form) -> str:
    kind = {"note": "notice"}.get(diagnostic["severity"], diagnostic["severity"])
    properties = {"file": diagnostic["file"], "title": diagnostic["code"]}
    if span := diagnostic["span"]:
        properties |= {"line": span["line"], "endLine": span["end_line"]}
        if span["line"] == span["end_line"]:  # columns are only understood within one line
            properties |= {"col": span["column"], "endColumn": span["end_column"]}
    text = "\n".join(filter(None, (diagnostic["message"], diagnostic["hint"])))
    listed = ",".join(f"{name}={_property(str(value))}" for name, value in properties.items())
    return f"::{kind} {listed}::{_data(text)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def valid(diagnostics: Iterable[Form], *, strict: bool = False) -> bool:
    """Whether nothing is wrong that stops a study: an error, and where it is `strict` a warning too."""
    fatal = ("error", "warning") if strict else ("error",)
    return not any(diagnostic["severity"] in fatal for diagnostic in diagnostics)


def document(diagnostics: Sequence[Form], *, strict: bool = False) -> dict[str, Any]:
    """The JSON document of `validate --json`: whether the study can be used, and why not."""
    return {
        "format": FORMAT,
        "valid": valid(diagnostics, strict=strict),
        "diagnostics": list(diagnostics),
    }


def as_json(diagnostics: Sequence[Form]) -> str:
    return json.dumps(document(diagnostics), ensure_ascii=False, indent=2)
