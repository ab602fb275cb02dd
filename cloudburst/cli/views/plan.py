"""The plan for people, rendered from its JSON form (schemas/plan.schema.json) and from nothing else."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from . import effort, rental
from .failures import ID_DIGITS
from .grid import GAP_MARK, cut, grid
from .paint import Paint
from .words import bytes_in_words, count, short

Form = Mapping[str, Any]


# ── the first screen: nothing is counted yet ─────────────────────────────────────────────────
def head(plan: Form, *, width: int, paint: Paint, preview_too: bool = True) -> Iterator[str]:
    """The arithmetic and a preview: what an outline knows."""
    yield f"{paint.bold(plan['study'])} ({plan['spec']}): {count(plan['rows'], 'row')}{_selected(plan)}"
    yield ""
    for block in plan["arithmetic"]:
        yield from wrapped(arithmetic(block), width)
    for sample in plan["samples"]:
        yield from wrapped(sampled(sample), width)
    yield ""
    if plan["preview"] and preview_too:
        yield from preview(plan["preview"], plan["units"], width=width, paint=paint)
        yield ""


def _selected(plan: Form) -> str:
    if plan["selected"] is None:
        return ""
    start, stop = plan["selected"]
    return f", of which {start:,} up to {stop:,}"


def _factor(factor: Form) -> str:
    name = factor["name"]
    if factor["count"] == 1 and name in ("cases", "replicates", "paired replicates"):
        name = name.removesuffix("s")
    return f"{factor['count']:,} {heading(name, factor['unit'])}"


_TAKEN_AWAY = (
    ("merged", "that a `when` makes alike"),
    ("excluded", "excluded"),
    ("untaken", "not taken"),
)


def arithmetic(block: Form) -> str:
    """`block main: 2 network × 5 demand [l/s] × 3 replicates = 30 − 4 excluded = 26`."""
    factors = " × ".join(map(_factor, block["factors"]))
    text = f"block {block['block']}: {factors or '1 row'}"
    taken = [f"{block[key]:,} {word}" for key, word in _TAKEN_AWAY if block[key]]
    if len(block["factors"]) > 1 or taken:
        text += f" = {block['product']:,}"
    for part in taken:
        text += f" − {part}"
    if taken:
        text += f" = {block['count']:,}"
    return f"{text}, shuffled" if block["shuffled"] else text


def sampled(sample: Form) -> str:
    """`lhs sample of main: n doubled, once or more often, keeps these rows, …`, and what drew it where that was a library."""
    drawn_by = ", ".join(f"{name} {version}" for name, version in sample["drawn_by"].items())
    text = f"{sample['method']} sample of {sample['block']}: {sample['law']}"
    return f"{text}; drawn by {drawn_by}" if drawn_by else text


def heading(name: str, unit: str | None) -> str:
    """`demand [l/s]`, or the name alone."""
    return f"{name} [{unit}]" if unit else name


def preview(rows: Sequence[Form], units: Mapping[str, str], *, width: int, paint: Paint) -> list[str]:
    """Some rows as a table; `…` stands for those between."""
    header, lines = _as_table(rows, units)
    with_gaps: list[list[str]] = []
    last = None
    for row, line in zip(rows, lines, strict=True):
        if last is not None and row["row"] > last + 1:
            with_gaps.append([GAP_MARK, *[""] * (len(header) - 1)])
        last = row["row"]
        with_gaps.append(line)
    return grid(header, with_gaps, width=width, floors=(1, ID_DIGITS), paint=paint)


def _as_table(rows: Sequence[Form], units: Mapping[str, str]) -> tuple[list[str], list[list[str]]]:
    """The header, and a line a row: those with a `state` say it."""
    names = tuple(dict.fromkeys(name for row in rows for name in row["parameters"]))
    beside = ["block"] if len({row["block"] for row in rows}) > 1 else []
    beside = [*(["state"] if any("state" in row for row in rows) else []), *beside]
    lines: list[list[str]] = []
    for row in rows:
        parameters = row["parameters"]
        cells = [short(parameters[name]) if name in parameters else "" for name in names]
        told = [_in_words(row[key]) if key == "state" else row[key] for key in beside]
        lines.append([str(row["row"]), row["id"][:ID_DIGITS], *told, *cells])
    return ["row", "id", *beside, *(heading(name, units.get(name)) for name in names)], lines


# ── the rows that were asked for ─────────────────────────────────────────────────────────────
_AROUND = 4
"""Lines of a screen that are left for what stands around a table."""

_FEWEST = 20


def chosen(plan: Form, *, most: int, width: int, paint: Paint) -> Iterator[str]:
    """As many as a screen of `most` lines has room for, and how many more there are."""
    form = plan["chosen"]
    rows = form["rows"][: max(_FEWEST, most - _AROUND)]
    if rows:
        header, lines = _as_table(rows, plan["units"])
        yield from grid(header, lines, width=width, floors=(1, ID_DIGITS), paint=paint)
    more = form["count"] - len(rows)
    if more:
        listed = len(form["rows"])
        has = "has them" if listed == form["count"] else f"has the first {listed:,}, --jobs all of them"
        yield cut(f"… and {count(more, 'more row')}: --json {has}", width)
    if form["where"] is not None:
        yield from wrapped(_found(form, plan), width)
    yield ""


def _in_words(state: str) -> str:
    return state.replace("_", " ")


def _found(form: Form, plan: Form) -> str:
    """`12 of 40 rows where demand > 1: 4 done, 8 to do`."""
    start, stop = plan["selected"] or (0, plan["rows"])
    of = (
        count(form["looked"], "row")
        if form["looked"] == stop - start
        else f"the first {form['looked']:,} rows"
    )
    states = ", ".join(f"{number:,} {_in_words(state)}" for state, number in form["states"].items())
    return f"{form['count']:,} of {of} where {form['where']}{f': {states}' if states else ''}"


# ── what would be done ───────────────────────────────────────────────────────────────────────
def tail(plan: Form, *, width: int, paint: Paint) -> Iterator[str]:
    """Counts, dependencies, actions: what a counted plan knows on top."""
    if plan["counts"]:
        yield counts(plan["counts"])
        if plan["coincidences"]:
            yield cut("  equal rows are computed once and reported for each, such as", width)
        for found in plan["coincidences"]:
            yield from wrapped(coincidence(found), width)
    yield dependencies(plan["dependencies"])
    if plan["payload"]:
        yield payload(plan["payload"])
    for used in plan["inputs"]:
        yield cut(f"input {used['name']}: {used['pattern']}, {bytes_in_words(used['size'])}", width)
    for used in plan["files"]:
        files = f"{count(used['count'], 'file')}, {bytes_in_words(used['size'])}"
        yield cut(f"files {used['name']}: {used['pattern']}, {files}, {used['sha256'][:12]}", width)
    for table in plan["tables"]:
        yield cut(f"table {table['file']}: {count(table['rows'], 'row')}, {table['sha256'][:12]}", width)
    yield ""
    machines = [*rental.lines(plan, width=width, paint=paint)]
    if machines:
        yield from (*machines, "")
    left = [*effort.lines(plan, width=width, paint=paint)]
    if left:
        yield from (*left, "")
    if not plan["actions"]:
        yield paint.green("Nothing to do.")
        return
    yield from actions([action for action in plan["actions"] if action["size"] is None], width)
    if not any(action["mark"] != "=" for action in plan["actions"]):
        yield paint.green("Nothing to do.")


def counts(counted: Form) -> str:
    """`200 rows: 150 done, 50 to do`; where rows share jobs, `400 rows, 64 distinct jobs: …`."""
    rows = count(counted["rows"], "row")
    if counted["jobs"] is None:
        return f"{rows}: too many to look up which are computed"
    states = (
        ("done", "done"),
        ("failed", "failed"),
        ("stale", "stale"),
        ("kept", "kept"),
        ("to_do", "to do"),
    )
    said = ", ".join(f"{counted[key]:,} {word}" for key, word in states if counted[key])
    distinct = f", {counted['jobs']:,} distinct" if counted["jobs"] != counted["rows"] else ""
    return f"{rows}{distinct}: {said}" if said else rows


def wrapped(text: str, width: int) -> list[str]:
    """As many lines as it takes, since the end is what matters."""
    indent = " " * (len(text) - len(text.lstrip()) + 4)
    return textwrap.wrap(text, max(width, 24), subsequent_indent=indent)


def coincidence(found: Form) -> str:
    """`  rows 3 and 17 are one job: …`."""
    first, again = found["rows"]
    return f"  rows {first:,} and {again:,} are one job: {found['because']}"


def dependencies(form: Form) -> str:
    if form["state"] != "locked":
        return f"dependencies: {form['reason']}"
    packages = count(form["packages"], "package") if form["packages"] else "nothing to install"
    made_from = f" ({form['made_from']})" if form["made_from"] else ""
    return f"dependencies: locked, {packages}{made_from}, Python {form['python']}"


def payload(form: Form) -> str:
    digest = f", {form['digest'][:12]}" if form["digest"] else ""
    return (
        f"worker: {form['directory']}, {count(form['files'], 'file')}, {bytes_in_words(form['size'])}{digest}"
    )


def actions(listed: Sequence[Form], width: int) -> Iterator[str]:
    """A line an action; a long reason goes on below itself."""
    verbs = max((len(action["verb"]) for action in listed), default=0)
    addresses = max((len(action["address"]) for action in listed), default=0)
    for action in listed:
        start = f"{action['mark']} {action['verb']:<{verbs}}  {action['address']:<{addresses}}  "
        room = max(24, width - len(start))
        place = f" (line {action['line']})" if action["line"] else ""
        for line in textwrap.wrap(action["reason"] + place, room) or [""]:
            yield f"{start}{line}".rstrip()
            start = " " * len(start)
