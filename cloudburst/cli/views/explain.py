"""Where values come from, for people: rendered from its JSON form (schemas/explain.schema.json) and from nothing else."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from .grid import GAP, cells, cut, one_line
from .paint import Paint
from .plan import arithmetic, heading, wrapped
from .words import count, exact

Form = Mapping[str, Any]
Entry = tuple[str, str, str]
"""A name, what it is, and where that comes from."""

WIDEST = 22
"""Of a name and of a value; what is longer is cut."""

MOST_ELEMENTS = 3
_REFERENCE = "cloudburst-input://"


def lines(document: Form, *, width: int, paint: Paint) -> Iterator[str]:
    """The whole study, or one row of it."""
    opening = f"{paint.bold(document['study'])} ({document['spec']}): "
    if document["row"] is None:
        yield f"{opening}{count(document['rows'], 'row')}"
        for block in document["blocks"]:
            yield ""
            yield from _block(block, width, paint)
        return
    row = document["row"]
    yield f"{opening}row {row['row']:,} of {document['rows']:,}, block {row['block']}"
    yield ""
    yield from _parameters(row, width)
    yield ""
    yield from _position(row["position"], row["block"], width)
    yield ""
    yield from _job(row["job"], width)
    yield from _id(row, width, paint)


# ── what both have ───────────────────────────────────────────────────────────────────────────
def _at(place: Form) -> str:
    """`ensemble.yaml:12`, as editors read it."""
    return f"{one_line(place['file'])}:{place['span']['line']}"


def _table(entries: Sequence[Entry], width: int) -> Iterator[str]:
    """Three columns; the last one goes on below itself, so that no rule is cut."""
    names = min(WIDEST, max((cells(name) for name, _, _ in entries), default=0))
    values = min(WIDEST, max((cells(value) for _, value, _ in entries), default=0))
    for name, value, rule in entries:
        start = f"  {_set(name, names)}{GAP}{_set(value, values)}{GAP if values else ''}"
        for line in _filled(rule, width - cells(start)):
            yield f"{start}{line}".rstrip()
            start = " " * cells(start)


def _filled(text: str, width: int) -> list[str]:
    """Lines of at most `width`, but never of less than is readable; a long path is broken where it must be."""
    return textwrap.wrap(one_line(text), max(24, width), break_on_hyphens=False) or [""]


def _set(text: str, width: int) -> str:
    text = cut(one_line(text), width)
    return text + " " * (width - cells(text))


# ── a row ────────────────────────────────────────────────────────────────────────────────────
def _parameters(row: Form, width: int) -> Iterator[str]:
    entries: list[Entry] = []
    for one in row["parameters"]:
        name = heading(one["name"], one["unit"])
        entries.append(
            (name, exact(one["value"]), f"{_at(one['place'])}: {one['rule']}{_content(one['data'])}")
        )
        entries += _elements(one)
    for one in row["absent"]:
        entries.append((one["name"], "absent", f"{_at(one['place'])}: {one['rule']}"))
    yield from _table(entries, width)


def _content(data: Form | None) -> str:
    return "" if data is None else f"; sha256 {data['sha256'][:12]}"


def _elements(one: Form) -> Iterator[Entry]:
    for element in one["elements"][:MOST_ELEMENTS]:
        yield f"  {element['name']}", exact(element["value"]), element["rule"]
    more = len(one["elements"]) - MOST_ELEMENTS
    if more > 0:
        yield "  …", "", f"{more:,} more, with --json"


def _position(position: Form, block: str, width: int) -> Iterator[str]:
    """How it came to its number, as one sentence."""
    said = [f"number {position['in_block']:,} of block {block}, which has {count(position['of'], 'row')}"]
    if position["take"]:
        said.append(f"`take` ({_at(position['take'])}) skips {position['skipped']:,} before")
    if position["order"]:
        order = f"`order` ({_at(position['order'])}) shuffles by {position['shuffle']}"
        said.append(f"{order}: as written it is number {position['written']:,}")
    if position["exclude"]:
        points = count(position["excluded_before"], "point")
        said.append(f"`exclude` ({_at(position['exclude'])}) takes away {points} before it, as written")
    yield from wrapped("place: " + "; ".join(said), width)


def _job(job: Form, width: int) -> Iterator[str]:
    if job["words"]:
        yield "called with:"
        yield from _table([_leaf(leaf) for leaf in job["words"]], width)
    if not job["keys"]:
        yield "job: its parameters, flat (there is no `job` in the file)"
        return
    yield "job:"
    yield from _table([_leaf(leaf) for leaf in job["keys"]], width)


def _leaf(leaf: Form) -> Entry:
    value, place = _shown(leaf["value"]), _at(leaf["place"])
    if leaf["left_out"]:
        return leaf["key"], "left out", f"{place}: {leaf['template']}, which is absent"
    return leaf["key"], value, f"{place}: {leaf['template'] or 'as written'}"


def _shown(value: Any) -> str:
    """What stands for content is told by its first digits."""
    text = exact(value)
    return f"content {text.removeprefix(_REFERENCE)[:12]}" if text.startswith(_REFERENCE) else text


def _id(row: Form, width: int, paint: Paint) -> Iterator[str]:
    made = row["id"]
    callee = made["callee"] if isinstance(made["callee"], str) else " ".join(made["callee"])
    parts = [one_line(callee), f"this job ({made['bytes']:,} bytes)"]
    if made["replicate"] is not None:
        parts.append(f"replicate {made['replicate']}")
    parts += [
        f"as before `{one['name']}` was a parameter (was: {exact(one['was'])}, {_at(one['place'])})"
        for one in made["as_before"]
    ]
    first, *rest = wrapped(f"id: {made['id']}, from {', '.join(parts)}", width)
    yield first.replace(made["id"], paint.bold(made["id"]))
    yield from rest
    yield from wrapped(_same(row["same_job"]), width)


def _same(same: Form) -> str:
    if not same["looked"]:
        return "rows with the same job: too many rows to look; `cloudburst plan` counts them"
    if not same["count"]:
        return "rows with the same job: none"
    told = ", ".join(f"{row:,}" for row in same["rows"])
    more = same["count"] - len(same["rows"])
    others = f"{told} and {more:,} more" if more else told
    return f"rows with the same job: {others}: {'; '.join(same['because'])}"


# ── the study ────────────────────────────────────────────────────────────────────────────────
def _block(block: Form, width: int, paint: Paint) -> Iterator[str]:
    first, *rest = wrapped(f"{arithmetic(block['arithmetic'])}  ({_at(block['place'])})", width)
    yield paint.bold(first)
    yield from rest
    if block["arithmetic"]["count"]:
        last = block["start"] + block["arithmetic"]["count"] - 1
        yield f"  rows {block['start']:,} to {last:,}"
    yield from _table([*_given(block["parameters"]), *_rules(block)], width)


def _given(parameters: Iterable[Form]) -> Iterator[Entry]:
    for one in parameters:
        yield heading(one["name"], one["unit"]), one["kind"], f"{_at(one['place'])}: {one['rule']}"


def _rules(block: Form) -> Iterator[Entry]:
    for entry in block["exclude"]:
        yield "", "exclude", f"{_at(entry['place'])}: {entry['rule']}"
    if block["order"]:
        yield "", "order", f"{_at(block['order'])}: shuffled by {block['shuffle']}"
    if block["take"]:
        yield (
            "",
            "take",
            f"{_at(block['take'])}: skips {block['skipped']:,}, then {count(block['arithmetic']['count'], 'row')}",
        )
