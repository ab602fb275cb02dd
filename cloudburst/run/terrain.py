"""The machines a stack would stand on, judged: who is home, who works, and why it would not do.

Decides from what a manager tells (swarm.py) and touches nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import ProviderError
from .swarm import HOME, OLDEST_API, OLDEST_ENGINE, Node, Standing

SHARE_OF_MEMORY = 0.9
"""Of a node's memory a worker may have; the rest is for Docker and the machine."""


@dataclass(frozen=True)
class Terrain:
    """`home` carries the services that keep something, `workers` compute. `idle` do neither, and why:
    pairs of a node and a sentence. `claimed` are other nodes that are labelled as somebody's home."""

    home: Node
    workers: tuple[Node, ...]
    on_every_node: bool
    idle: tuple[tuple[Node, str], ...]
    claimed: tuple[Node, ...]

    @property
    def worker_memory(self) -> int | None:
        """Bytes that a worker may have on the smallest of its nodes; None when that is not known."""
        known = [node.memory for node in self.workers if node.memory]
        return int(min(known) * SHARE_OF_MEMORY) if known else None


def check_manager(standing: Standing, where: str) -> None:
    """Raises ProviderError when the Docker we talk to manages no swarm we can use."""
    if standing.swarm == "locked":
        raise ProviderError(
            f"the swarm of {where} is locked since its manager was started again",
            "over there: `docker swarm unlock`, with the key that `docker swarm unlock-key` once showed",
        )
    if standing.swarm in ("pending", "error"):
        raise ProviderError(
            f"Docker on {where} is not ready to be a swarm: its state is {standing.swarm}",
            "over there: `docker info` says more",
        )
    if standing.swarm != "active":
        raise ProviderError(
            f"Docker on {where} is in no swarm",
            "over there: `docker swarm init`; other nodes join with what it prints",
        )
    if not standing.manages:
        raise ProviderError(
            f"{where} is a worker of its swarm, and only a manager can be asked",
            "name a manager in `cluster.provider`: `docker node ls` on one lists them",
        )
    check_engine(standing, where)


def check_engine(standing: Standing, where: str) -> None:
    """Raises ProviderError when Docker there is too old."""
    if standing.api < OLDEST_API:
        raise ProviderError(
            f"Docker {standing.engine} on {where} is too old",
            f"Docker Engine {OLDEST_ENGINE} or newer is needed on every node",
        )


def judge(standing: Standing, nodes: Sequence[Node]) -> Terrain:
    """Raises ProviderError when no node could work, or two could not be told apart."""
    _check_names(nodes)
    home = next((node for node in nodes if node.id == standing.node), None)
    if home is None:
        raise ProviderError(f"{standing.name} does not list itself among the nodes of its swarm")
    if home.availability != "active":
        raise ProviderError(
            f"{home.name} is set to {home.availability}: it would not run the queue and the controller",
            f"`docker node update --availability active {home.name}`",
        )
    on_every_node = all(node.manager for node in nodes)
    meant = [node for node in nodes if on_every_node or not node.manager]
    workers = tuple(node for node in meant if node.takes_tasks)
    if not workers:
        raise ProviderError(
            "no node of the swarm can work: " + "; ".join(f"{node.name} {_why(node)}" for node in meant),
            "`docker node ls` on the manager says more",
        )
    return Terrain(
        home=home,
        workers=workers,
        on_every_node=on_every_node,
        idle=tuple((node, _why(node)) for node in meant if not node.takes_tasks),
        claimed=tuple(node for node in nodes if HOME in node.labels and node.id != home.id),
    )


def _check_names(nodes: Sequence[Node]) -> None:
    """Down nodes do not count: a machine that came back as a new node leaves its old self behind."""
    names = Counter(node.name for node in nodes if node.state == "ready")
    twins = sorted(name for name, count in names.items() if count > 1)
    if twins:
        raise ProviderError(
            f"several nodes of the swarm are called {twins[0]}: what they report could not be told apart",
            "give each its own host name (`hostnamectl set-hostname`), restart Docker there, and apply again",
        )


def _why(node: Node) -> str:
    if node.state != "ready":
        return f"is {node.state}"
    return {"drain": "is drained", "pause": "is paused"}.get(node.availability, f"is {node.availability}")
