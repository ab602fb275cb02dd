"""What the nodes say of themselves, taken together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_GONE = {"broken", "leaving"}

CLOCK_OFF = 20.0
"""Seconds a node's clock may differ from the queue's; beyond that it takes no jobs until it does not."""


@dataclass(frozen=True)
class Nodes:
    """The states of all nodes that report, as docs/contracts.md says."""

    states: Sequence[Mapping[str, Any]] = ()

    @property
    def slots(self) -> int:
        """Of the nodes that work or will."""
        return sum(_whole(x.get("slots")) for x in self.states if x.get("state") not in _GONE)

    @property
    def busy(self) -> int:
        return sum(_whole(x.get("busy")) for x in self.states)

    @property
    def any_ready(self) -> bool:
        return any(x.get("state") == "ready" for x in self.states)

    def broken_for(self, order: str) -> str:
        """Why no node can work on this order: what the first one says. Empty when one can, or may yet."""
        if not self.states or any(not _is_broken(x, order) or _is_off(x) for x in self.states):
            return ""
        return str(self.states[0].get("detail") or "every node is broken and none says why")

    def problems_for(self, order: str) -> list[str]:
        """A sentence for each node that takes no jobs, while others do or may yet."""
        if self.broken_for(order):
            return []
        return [
            f"the node {x.get('node')} takes no jobs: {_why(x)}" for x in self.states if _is_broken(x, order)
        ]


def _why(node: Mapping[str, Any]) -> str:
    return str(node.get("detail") or "it is broken and does not say why").partition("\n")[0]


def _is_off(node: Mapping[str, Any]) -> bool:
    """A clock is set right sooner or later, and then the node goes on."""
    clock = node.get("clock")
    return isinstance(clock, int | float) and abs(clock) > CLOCK_OFF


def _is_broken(node: Mapping[str, Any], order: str) -> bool:
    """What broke a node for another order says nothing about this one."""
    return node.get("state") == "broken" and node.get("order") in (None, order)


def _whole(value: Any) -> int:
    return value if isinstance(value, int) and value > 0 else 0
