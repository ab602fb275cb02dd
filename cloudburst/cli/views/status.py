"""How far a study is: what runs now, and what the ledger holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...run.results import first_line
from ...run.sentences import progress_line
from . import rental
from .grid import grid
from .paint import PLAIN, Paint
from .words import count, duration

NODES = 20
"""Shown at most: those that need a look come first, and then the busiest do not matter."""

_LOOK_AT = ("broken", "preparing", "leaving", "waiting", "ready")


def lines(status: Mapping[str, Any], *, width: int, paint: Paint) -> Iterator[str]:
    """`status` is what `cloudburst status --json` prints."""
    counts, run = status["counts"], status["run"]
    yield f"{paint.bold(status['study'])}: {count(counts['rows'], 'row')}, {counts_in_words(counts)}"
    if status["holder"]:
        yield status["holder"]
    if run is None:
        yield _why_nothing(status)
        yield from rental.standing(status["rental"], status["study"], width=width, paint=paint)
        return
    where = f" on {status['where']}" if status["where"] else ""
    yield f"{run['state']}{where} ({duration(run['seconds'])}): {progress_line(run)}"
    yield slots_line(run)
    yield from nodes(run["nodes"], width=width, paint=paint)
    yield from sink_lines(run["sinks"], paint)
    yield from problem_lines(run["problems"], paint)
    yield from rental.standing(status["rental"], status["study"], width=width, paint=paint)


def _why_nothing(status: Mapping[str, Any]) -> str:
    if status["away"]:
        return "whether anything runs there cannot be said"
    return "its controller does not answer yet" if status["holder"] or status["where"] else "nothing runs now"


def counts_in_words(counts: Mapping[str, Any]) -> str:
    """`188 done, 12 failed, 3 stale, 7 to do`; what is nought is left out."""
    words = (("done", "done"), ("failed", "failed"), ("stale", "stale"), ("to_do", "to do"))
    parts = [f"{counts[key]:,} {word}" for key, word in words if counts[key]]
    return ", ".join(parts) or "nothing to do"


def slots_line(run: Mapping[str, Any]) -> str:
    """`5 of 6 slots busy, 24 jobs in the queue`."""
    slots = run["slots"]
    busy = f"{slots['busy']} of {count(slots['total'], 'slot')} busy"
    return f"{busy}, {count(run['queued'], 'job')} in the queue"


def nodes(
    found: Sequence[Mapping[str, Any]], *, width: int, paint: Paint = PLAIN, at_most: int = NODES
) -> list[str]:
    """A line a node: what it does, how many of its slots are busy, and why it is not well."""
    order = sorted(found, key=lambda node: (_LOOK_AT.index(node["state"]), node["node"]))
    rows = [
        (node["node"], node["state"], f"{node['busy']} of {node['slots']}", first_line(node["detail"]))
        for node in order[:at_most]
    ]
    if not rows:
        return []
    shown = grid(
        ("node", "state", "busy", ""), rows, width=width, floors=(12, 9, 8, 20), indent="  ", paint=paint
    )
    left = len(found) - len(rows)
    return [*shown, f"  and {count(left, 'node')} more"] if left else shown


def sink_lines(sinks: Sequence[Mapping[str, Any]], paint: Paint) -> Iterator[str]:
    """`influxdb cloudburst: 201,900 points stored`, and what keeps the rest."""
    for sink in sinks:
        waiting = f", {count(sink['waiting'], 'job')} not fed yet" if sink["waiting"] else ""
        yield f"{sink['sink']}: {count(sink['points'], 'point')} stored{waiting}"
        if sink["problem"]:
            yield from problem_lines([f"{sink['sink']}: {sink['problem']}"], paint)


def problem_lines(problems: Sequence[str], paint: Paint) -> Iterator[str]:
    for problem in problems:
        yield f"{paint.yellow('warning')}: {problem}"
