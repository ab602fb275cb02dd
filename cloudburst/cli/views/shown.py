"""Plan files for people: one of them, and the history of those that were applied."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from . import plan as plan_view
from .grid import grid
from .paint import Paint
from .words import count

if TYPE_CHECKING:
    from ...compile.plan_archive import Contents
    from ...run.kept import Kept

Form = Mapping[str, Any]
DIGITS = 12


# ── one ──────────────────────────────────────────────────────────────────────────────────────
def contents_form(contents: Contents) -> dict[str, Any]:
    """The plan's own form, with where it came from and what it would install."""
    return {
        "plan": dict(contents.plan),
        "source": source_form(contents),
        "packages": list(contents.packages),
        "spec": {name: text.decode("utf-8", "replace") for name, text in contents.texts.items()},
    }


def source_form(contents: Contents) -> dict[str, Any] | None:
    return dict(vars(contents.source)) if contents.source else None


def contents(form: Form, *, width: int, paint: Paint) -> Iterator[str]:
    plan = form["plan"]
    yield from plan_view.head(plan, width=width, paint=paint)
    yield from plan_view.tail(plan, width=width, paint=paint)
    yield ""
    yield f"made by {plan['made_by']} {source(form['source'])}"
    if form["packages"]:
        yield "packages:"
        yield from (f"  {package}" for package in form["packages"])


def source(form: Form | None) -> str:
    if form is None:
        return "from files outside git"
    dirty = ", with changes that were not committed" if form["dirty"] else ""
    return f"from git revision {form['revision'][:DIGITS]}{dirty}"


# ── all ──────────────────────────────────────────────────────────────────────────────────────
def kept_form(kept: Kept) -> dict[str, Any]:
    """`at` in seconds since the epoch; `payload` the sha256 of the worker's code."""
    contents = kept.contents
    return {
        "plan": kept.sha256[:DIGITS],
        "file": str(kept.path),
        "at": kept.at,
        "rows": contents.plan["rows"],
        "to_do": (contents.plan["counts"] or {}).get("to_do"),
        "payload": contents.order["payload"],
        "made_by": contents.plan["made_by"],
        "source": source_form(contents),
    }


def history(forms: Sequence[Form], *, width: int, paint: Paint) -> Iterator[str]:
    if not forms:
        yield "nothing was applied yet"
        return
    lines = [
        [
            form["plan"],
            datetime.fromtimestamp(form["at"]).astimezone().strftime("%Y-%m-%d %H:%M"),
            f"{form['rows']:,}",
            form["payload"][:DIGITS],
            _revision(form["source"]),
        ]
        for form in forms
    ]
    yield from grid(
        ("plan", "applied", "rows", "worker code", "git revision"), lines, width=width, floors=(), paint=paint
    )
    yield ""
    plans = count(len(forms), "plan")
    yield f"{plans}; `cloudburst show --applied {forms[-1]['plan'][:6]}` shows one"


def _revision(form: Form | None) -> str:
    return "" if form is None else form["revision"][:DIGITS] + ("+changes" if form["dirty"] else "")
