"""What `cancel` came to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .words import count


def lines(study: str, status: Mapping[str, Any] | None, *, file: str, billed: str = "") -> Iterator[str]:
    """`status` is the controller's after it, None when nobody computes the study; `file` as it stands after
    a command; `billed` says until when its machines are (empty: nobody is paid for them)."""
    if status is None or status["state"] == "idle":
        yield f"{study}: nothing runs"
        return
    if status["state"] == "finished":
        yield f"{study}: it was finished already"
        return
    left = f"{count(status['to_do'], 'job')} left to do"
    if status["state"] == "pausing":
        yield f"{study}: no job is started any more, those that run are finished; {left}"
    else:
        yield f"{study}: stopped, {left}"
    if billed:
        yield f"its machines stand, and are billed {billed}"
    yield f"`cloudburst apply{file}` goes on from there"
