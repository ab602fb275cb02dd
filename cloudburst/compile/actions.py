"""What `apply` would do, one thing at a time; here too are the actions that concern no rows: results, the worker's code."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ..diagnostics import Path, dotted
from ..spec.ensemble import InfluxSink, Sink, TableSink

Mark = Literal["+", "~", "-", "="]

LineOf = Callable[[Path], int | None]
"""Finds the line of a path in the ensemble file."""

WORKER_PATH: Path = ("worker", "directory")

_OWN_SERVER = "the swarm's own server"


@dataclass(frozen=True)
class Action:
    """One thing `apply` would do. Marks: + new, ~ changed, - removed, = left as it is.

    Of rows: `jobs` is how many it is about. Of a machine: `size` is what it is or shall be, `hourly` its price in
    US dollars afterwards. `path` is what in the file it comes from, on `line`.
    """

    mark: Mark
    verb: str
    address: str
    reason: str
    size: str | None = None
    hourly: float | None = None
    path: str | None = None
    line: int | None = None
    jobs: int | None = None

    def at(self, path: Path, line_of: LineOf) -> Action:
        """With its place."""
        return replace(self, path=dotted(path), line=line_of(path))


# ── results ──────────────────────────────────────────────────────────────────────────────────
def writing(
    sinks: Sequence[Sink], before: Sequence[Sink] | None, moved: str | None, *, anew: bool, line_of: LineOf
) -> Iterator[Action]:
    """What happens to each place of results. `before` are those of what was applied last (None: not known), `moved`
    says why tables are other tables though no result is; with `anew` all of them are written."""
    stood = {_address(sink): _said(sink) for sink in before or ()}
    for sink in sinks:
        address = _address(sink)
        written = Action("~", *address, _what(sink))
        if before is not None and address not in stood:
            yield replace(written, mark="+", reason="new since it was applied last").at(sink.path, line_of)
        elif before is not None and stood[address] != _said(sink):
            yield replace(written, reason="otherwise than it was applied last").at(sink.path, line_of)
        elif anew:
            yield written
        elif moved and isinstance(sink, TableSink):
            yield replace(written, reason=moved)
    asked_for = set(map(_address, sinks))
    for gone in sorted(stood.keys() - asked_for):
        reason = "not asked for any more; what is there stays as it is"
        yield Action("-", "leave", gone[1], reason).at(("results",), line_of)


def _address(sink: Sink) -> tuple[str, str]:
    """Verb and address of its action: by these it is the same place."""
    if isinstance(sink, InfluxSink):
        return "feed", f"influxdb {sink.database}"
    return "write", sink.written


def _what(sink: Sink) -> str:
    if isinstance(sink, InfluxSink):
        return f"points, at {sink.url or _OWN_SERVER}"
    return f"the {'table' if isinstance(sink, TableSink) else 'files'} of results"


def _said(sink: Sink) -> Sink:
    """All of it but where it stands in the file."""
    return replace(sink, path=())


# ── the worker's code ────────────────────────────────────────────────────────────────────────
def uploading(payload: str | None, sent: str | None, line_of: LineOf) -> Action:
    """Code for machines that have not got it: `payload` is its sha256 (None: not known before the lock is made),
    `sent` that of what was applied last."""
    digest = f", {payload[:12]}" if payload else ", once it is locked"
    reason = f"the worker's code{'' if sent is None else ' has changed'}{digest}"
    return Action("+", "upload", "worker.zip", reason).at(WORKER_PATH, line_of)
