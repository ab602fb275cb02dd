"""When jobs wait and nobody works on them: noticed from what is seen turn by turn. No I/O."""

from __future__ import annotations

from .nodes import Nodes
from .words import count, duration

PATIENCE = 30.0
"""Seconds in which nothing moves before it is said; a node reports every two."""


class Alarm:
    """Times are seconds of a clock that only goes forward."""

    def __init__(self, patience: float = PATIENCE) -> None:
        self._patience = patience
        self._still_since: float | None = None
        self._ended = -1
        self._waiting = 0
        self._nodes = Nodes()

    def note(self, now: float, waiting: int, ended: int, nodes: Nodes) -> None:
        """`waiting` messages are in the queue, `ended` jobs have ended so far."""
        moves = not waiting or nodes.busy or ended != self._ended or _prepares(nodes)
        if moves:
            self._still_since = None
        elif self._still_since is None:
            self._still_since = now
        self._waiting, self._ended, self._nodes = waiting, ended, nodes

    def sentence(self, now: float) -> str:
        """Empty while all is well."""
        if self._still_since is None or now - self._still_since < self._patience:
            return ""
        still = duration(now - self._still_since)
        return f"{count(self._waiting, 'batch', 'batches')} in the queue, and nobody works for {still}: {self._why()}"

    def _why(self) -> str:
        if not self._nodes.states:
            return "no node reports; are the workers running?"
        if not self._nodes.slots:
            return "every node is broken or leaving; its detail says why"
        free = count(self._nodes.slots, "slot is free", "slots are free")
        return f"{free}; the workers' log says more"


def _prepares(nodes: Nodes) -> bool:
    """A node that builds an environment takes its time."""
    return any(node.get("state") == "preparing" for node in nodes.states)
