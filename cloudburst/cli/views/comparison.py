"""A study against itself at a git revision, rendered from its JSON form (schemas/comparison.schema.json)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .paint import Paint
from .plan import actions
from .words import count

Form = Mapping[str, Any]
_FILES_NAMED = 4


def lines(form: Form, *, width: int, paint: Paint) -> Iterator[str]:
    before, after = form["rows"]
    grown = count(after, "row") if before == after else f"{before:,} → {count(after, 'row')}"
    yield f"{paint.bold(form['study'])} ({form['spec']}) against {form['against']} ({form['revision'][:12]}): {grown}"
    yield ""
    listed = [*_shares("+", "new", form["gained"]), *_shares("-", "gone", form["lost"])]
    if form["kept"]:
        listed.append(_line("=", "kept", form["kept"], "as they were"))
    yield from actions(listed, width)
    if form["code"]:
        named = ", ".join(form["code"][:_FILES_NAMED])
        more = len(form["code"]) - _FILES_NAMED
        yield f"~ worker code: {named}{f' and {more:,} more' if more > 0 else ''}: results so far become stale"
    if not (form["gained"] or form["lost"] or form["code"]):
        yield paint.green("Nothing differs.")


def _shares(mark: str, verb: str, shares: list[Form]) -> Iterator[Form]:
    for share in shares:
        reason = "; ".join(_cause(cause) for cause in share["causes"]) or "nothing in the file says why"
        yield _line(mark, verb, share["jobs"], reason)


def _cause(cause: Form) -> str:
    return f"{cause['text']} (line {cause['line']})" if cause["line"] else str(cause["text"])


def _line(mark: str, verb: str, jobs: int, reason: str) -> Form:
    return {"mark": mark, "verb": verb, "address": count(jobs, "job"), "reason": reason, "line": None}
