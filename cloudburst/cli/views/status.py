"""How far a study is: what runs now, and what the ledger holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .paint import Paint
from .telling import node_line, progress_line
from .words import count, duration


def lines(status: Mapping[str, Any], paint: Paint) -> Iterator[str]:
    """`status` is what `cloudburst status --json` prints."""
    counts, run = status["counts"], status["run"]
    yield f"{paint.bold(status['study'])}: {count(counts['rows'], 'row')}, {counts_in_words(counts)}"
    if status["holder"]:
        yield status["holder"]
    if run is None:
        yield "nothing runs now" if not status["holder"] else "its controller does not answer yet"
        return
    yield f"{run['state']} ({duration(run['seconds'])}): {progress_line(run)}"
    slots = run["slots"]
    yield f"{slots['busy']} of {count(slots['total'], 'slot')} busy, {count(run['queued'], 'job')} in the queue"
    for node in run["nodes"]:
        yield f"  {node_line(node)}"
    for problem in run["problems"]:
        yield f"{paint.yellow('warning')}: {problem}"


def counts_in_words(counts: Mapping[str, Any]) -> str:
    """`188 done, 12 failed, 3 stale, 7 to do`; what is nought is left out."""
    words = (("done", "done"), ("failed", "failed"), ("stale", "stale"), ("to_do", "to do"))
    parts = [f"{counts[key]:,} {word}" for key, word in words if counts[key]]
    return ", ".join(parts) or "nothing to do"
