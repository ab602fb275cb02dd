"""What happens, in sentences: the same on a terminal, in a log and in a notebook. From events and the status alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .events import Doing
from .results import first_line
from .words import duration, rate


def doing_line(event: Doing) -> str:
    return f"{event.address}: {event.detail}" if event.detail else event.address


def node_line(node: Mapping[str, Any]) -> str:
    """In one line; what a tool said besides comes when it is the end of the run."""
    return f"{node['node']}: {first_line(node['detail']) or node['state']}"


def progress_line(status: Mapping[str, Any]) -> str:
    over = status["done"] + status["failed"]
    line = f"{over:,} of {over + status['to_do']:,}: {counts_line(status)}"
    return f"{line} ({status['state']}: {first_line(status['reason'])})" if status["reason"] else line


def of_all_line(status: Mapping[str, Any]) -> str:
    """`13 of 200, 1 failed, 28.1 a second, 7 s left`: beside a bar that has no numbers."""
    over = status["done"] + status["failed"]
    return _with_pace(f"{over:,} of {over + status['to_do']:,}", status)


def counts_line(status: Mapping[str, Any]) -> str:
    """`12 done, 1 failed, 28.1 a second, 7 s left`."""
    return _with_pace(f"{status['done']:,} done", status)


def _with_pace(first: str, status: Mapping[str, Any]) -> str:
    parts = [first]
    if status["failed"]:
        parts.append(f"{status['failed']:,} failed")
    if status["rate"]:
        parts.append(rate(status["rate"]))
    if status["seconds_left"] is not None and status["to_do"]:
        parts.append(f"{duration(status['seconds_left'])} left")
    return ", ".join(parts)
