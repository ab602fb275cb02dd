"""Making one swarm of several machines, keeping it as it is wanted, and taking it apart again.

Every act looks at what stands and does only what is missing, so that it may be broken off between any two
steps and done again, from another machine too. What a machine is and whether it may come in is decided in
membership.py.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager

from ..errors import ProviderError
from ..secret import Secret
from ..spec.ensemble import Ensemble
from .events import Doing, Note, OnEvent, StopSignal, Warned
from .machines import Machines
from .membership import (
    Member,
    Place,
    Seen,
    check_machines,
    check_members,
    check_pool,
    choose_pool,
    choose_subnet,
    departed,
    may_replace,
    old_selves,
    place_of_manager,
    place_of_worker,
    refuses_join,
)
from .networks import ask_networks
from .places import Places
from .swarm import LEAVING, MADE, MEMBER, PORT, Node, Standing, Swarm
from .words import count

__all__ = ["Formation", "Member"]

READY_WITHIN = 60.0
DRAINED_BEYOND = 30.0
"""Seconds beyond the worker's own grace."""
BRIDGE_FREE_WITHIN = 20.0
SETTLED_WITHIN = 15.0
LOOK_EVERY = 0.5
LEADERLESS = "does not have a leader"
"""What a manager says that has just come back."""


class Formation:
    """The swarm of a study on these machines.

    Everything may raise Unreachable and ProviderError, and KeyboardInterrupt when the user wants to stop.
    """

    def __init__(
        self,
        ensemble: Ensemble,
        manager: Member,
        workers: Sequence[Member],
        places: Places,
        on_event: OnEvent,
        stop: StopSignal,
        *,
        machines: Machines | None = None,
    ) -> None:
        """`machines` are reached already, and whoever gives them closes them; else each act reaches its own."""
        self._study = ensemble.name
        self._grace = ensemble.worker.stop_grace
        self._manager = manager
        self._members = (manager, *workers)
        self._places = places
        self._on_event = on_event
        self._stop = stop
        self._given = machines

    # ── the acts ─────────────────────────────────────────────────────────────────────────────
    def form(self) -> None:
        """Every member is in the swarm and Ready, and nodes that were members and are down are out of it.

        A worker that cannot be reached and is in already is only warned of.
        """
        check_members(self._members)
        with self._reached() as machines:
            away = self._reach_members(machines)
            seen = machines.each(self._there(away), lambda name: self._look(machines, name))
            check_machines(list(seen.values()))
            swarm = machines[self._manager.name]
            self._excuse(away, swarm.nodes() if seen[self._manager.name].made_by == self._study else ())
            self._make(machines, seen)
            joined = self._take_in(machines, seen)
            ids = {name: one.standing.node for name, one in seen.items()}
            ids |= {self._manager.name: swarm.standing().node, **joined}
            self._retire_token(swarm, ids)
            self._name_nodes(swarm, ids)
            self._await_ready(swarm, ids)

    def departed(self) -> tuple[Node, ...]:
        """The nodes that were members and are none any more; none where there is no swarm of ours."""
        with self._reached() as machines:
            swarm = self._managed(machines)
            return departed(swarm.nodes(), self._members) if swarm else ()

    def drain(self, names: Collection[str]) -> None:
        """No job begins there any more, and those that run have ended, or had the worker's grace for it."""
        with self._reached() as machines:
            swarm = self._managed(machines)
            nodes = _called(swarm.nodes(), names) if swarm else ()
            if swarm is None or not nodes:
                return
            self._say(f"emptying {', '.join(node.name for node in nodes)}")
            for node in nodes:
                swarm.set_node(node.id, {LEAVING: self._study}, availability="drain")
            ids = {node.id for node in nodes if node.state == "ready"}

            def is_empty() -> bool:
                return not any(one.node in ids and not one.is_over for one in swarm.tasks(self._study))

            self._until(is_empty, self._grace + DRAINED_BEYOND)

    def forget(self, names: Collection[str]) -> None:
        """The manager knows them no more, whatever they believe: for machines that are gone."""
        with self._reached() as machines:
            swarm = self._managed(machines)
            if swarm is not None:
                for node in _called(swarm.nodes(), names):
                    swarm.remove_node(node.id)

    def release(self, leavers: Sequence[Member]) -> tuple[str, ...]:
        """Empty them, take them out, and take away what we made there; who could not be told, in sentences."""
        names = [member.name for member in leavers]
        if not names:
            return ()
        self.drain(names)
        with self._reached() as machines:
            away = machines.reach({member.name: member.docker for member in leavers})
            self._part(machines, [name for name in names if name not in away])
            self.forget(names)
        return tuple(_believes(name, error) for name, error in away.items())

    def dissolve(self) -> tuple[str, ...]:
        """There is no swarm of ours and nothing of it on any machine; what was left, and why, in sentences.

        A swarm we did not make, or on which other studies stand, is left as it is.
        """
        with self._reached() as machines:
            away = self._reach_members(machines)
            swarm = machines[self._manager.name]
            if kept := self._keeps(swarm):
                return kept
            self._say("taking the swarm apart")
            self._part(machines, [name for name in self._there(away) if name != self._manager.name])
            if swarm.standing().swarm != "inactive":
                swarm.leave()
            self._remove_bridge(swarm)
        return tuple(_believes(name, error) for name, error in away.items())

    def stands(self) -> bool:
        """Whether `dissolve` would take something away from a machine that can be reached."""
        with self._reached() as machines:
            away = self._reach_members(machines)
            swarm = machines[self._manager.name]
            if swarm.standing().swarm != "inactive":
                return not self._keeps(swarm)
            return any(machines.each(self._there(away), lambda name: self._has_ours(machines[name])).values())

    # ── looking ──────────────────────────────────────────────────────────────────────────────
    @contextmanager
    def _reached(self) -> Iterator[Machines]:
        if self._given is not None:
            yield self._given
            return
        with Machines(self._places, self._stop) as machines:
            yield machines

    def _reach_members(self, machines: Machines) -> dict[str, ProviderError]:
        """Why some cannot be reached; raised for the manager, without whom nothing can be done."""
        away = machines.reach({member.name: member.docker for member in self._members})
        if self._manager.name in away:
            raise away[self._manager.name]
        return away

    def _there(self, away: Mapping[str, object]) -> list[str]:
        return [member.name for member in self._members if member.name not in away]

    def _look(self, machines: Machines, name: str) -> Seen:
        swarm = machines[name]
        member = next(one for one in self._members if one.name == name)
        return Seen(member, *self._settled(swarm), ask_networks(swarm.link))

    def _settled(self, swarm: Swarm) -> tuple[Standing, str]:
        """How it stands, and for whom its swarm was made. Docker that has just been started looks for its
        swarm, or for who leads it, for a moment."""
        deadline = time.monotonic() + SETTLED_WITHIN
        while True:
            is_late = time.monotonic() >= deadline
            standing = swarm.standing()
            try:
                made_by = swarm.made_by() if standing.manages else ""
                if standing.swarm != "pending" or is_late:
                    return standing, made_by
            except ProviderError as error:
                if LEADERLESS not in error.message or is_late:
                    raise
            self._pause()

    def _managed(self, machines: Machines) -> Swarm | None:
        """The manager's Docker, while it manages a swarm of ours."""
        for error in machines.reach({self._manager.name: self._manager.docker}).values():
            raise error
        swarm = machines[self._manager.name]
        return swarm if swarm.standing().manages and swarm.made_by() == self._study else None

    def _excuse(self, away: Mapping[str, ProviderError], nodes: Sequence[Node]) -> None:
        """Raises why a machine cannot be reached, unless the swarm knows it."""
        known = {node.labels.get(MEMBER) for node in nodes}
        for name, error in away.items():
            if name not in known:
                raise error
            self._on_event(Warned(f"{error.message}: it is left as it is"))

    # ── the swarm ────────────────────────────────────────────────────────────────────────────
    def _make(self, machines: Machines, seen: Mapping[str, Seen]) -> None:
        manager = seen[self._manager.name]
        if place_of_manager(manager, list(seen.values()), self._study) == "inside":
            return
        for one in seen.values():
            if one is not manager:
                place_of_worker(one, self._manager, (), self._study)
        self._say(f"making a swarm on {manager.name}")
        pool = choose_pool(list(seen.values()))
        self._tell(self._bridge(machines[manager.name], manager, [str(pool)]))
        machines.each(
            [manager.name],
            lambda name: machines[name].init(self._manager.address, str(pool), self._study),
        )

    def _take_in(self, machines: Machines, seen: Mapping[str, Seen]) -> dict[str, str]:
        """The ids of the nodes that came in, by their members' names."""
        swarm = machines[self._manager.name]
        nodes = swarm.nodes()
        workers = {name: one for name, one in seen.items() if name != self._manager.name}
        places: dict[str, Place] = {
            name: place_of_worker(one, self._manager, nodes, self._study) for name, one in workers.items()
        }
        coming = [name for name, place in places.items() if place != "inside"]
        pool = swarm.pool()
        for name in coming:
            check_pool(pool, seen[name])
        gone = [node for name, one in workers.items() for node in old_selves(nodes, one, places[name])]
        gone += [node for node in departed(nodes, self._members) if node.state == "down"]
        for node in {node.id: node for node in gone}.values():
            self._on_event(Note(f"the node {node.name} is no more: it is taken out of the swarm"))
            swarm.remove_node(node.id)
        if not coming:
            return {}
        self._say(f"taking in {', '.join(coming)}")
        token = swarm.worker_token()
        done = machines.each(
            coming, lambda name: self._join(machines[name], seen[name], places[name], pool, token)
        )
        for _, note in done.values():
            self._tell(note)
        return {name: node for name, (node, _) in done.items()}

    def _join(
        self, swarm: Swarm, machine: Seen, place: Place, pool: Sequence[str], token: Secret
    ) -> tuple[str, str]:
        """The id of the node that it is now, and what there is to say. What failed half is undone: Docker
        would go on trying by itself."""
        if place == "stray":
            swarm.leave()
        note = self._bridge(swarm, machine, pool)
        try:
            swarm.join(self._manager.address, token, machine.member.address)
        except ProviderError as error:
            if swarm.link.is_open() and swarm.standing().swarm != "inactive":
                swarm.leave()
            raise refuses_join(machine.member, self._manager, error.message) from error
        return swarm.standing().node, note

    def _retire_token(self, swarm: Swarm, ids: Mapping[str, str]) -> None:
        """Nobody comes in any more with the token that somebody came in with. Who came in has no name yet, also when
        another command let it in and was broken off: so the token goes before names are given."""
        workers = {node_id for name, node_id in ids.items() if name != self._manager.name}
        if any(node.id in workers and MEMBER not in node.labels for node in swarm.nodes()):
            swarm.rotate_worker_token()

    def _name_nodes(self, swarm: Swarm, ids: Mapping[str, str]) -> None:
        """Each node carries its member's name. Those that were on their way out and are wanted again work again."""
        nodes = {node.id: node for node in swarm.nodes()}
        for name, node_id in ids.items():
            node = nodes.get(node_id)
            leaving = node is not None and LEAVING in node.labels
            if node is None or leaving or node.labels.get(MEMBER) != name:
                labels = {MEMBER: name, LEAVING: None}
                swarm.set_node(node_id, labels, availability="active" if leaving else None)

    def _await_ready(self, swarm: Swarm, ids: Mapping[str, str]) -> None:
        said = ""
        lacking: list[str] = []

        def is_ready() -> bool:
            nonlocal said, lacking
            ready = {node.id for node in swarm.nodes() if node.state == "ready"}
            lacking = [name for name, node in ids.items() if node not in ready]
            text = f"{len(ids) - len(lacking)} of {count(len(ids), 'machine')} ready"
            if lacking and text != said:
                self._say(text)
                said = text
            return not lacking

        if not self._until(is_ready, READY_WITHIN):
            raise ProviderError(
                f"{', '.join(lacking)} did not become ready within {READY_WITHIN:.0f} s",
                "`docker node ls` on the manager and `docker info` there say more",
            )

    # ── the machines ─────────────────────────────────────────────────────────────────────────
    def _bridge(self, swarm: Swarm, machine: Seen, pool: Sequence[str]) -> str:
        """Its bridge binds to the loopback whatever a service might publish; what there is to say."""
        found = swarm.bridge()
        ours = found is not None and MADE in found.labels
        if found is not None and found.on_loopback and found.labels.get(MADE, self._study) == self._study:
            return ""
        if found is not None and not may_replace(found, ours):
            return f"docker_gwbridge on {machine.name} is somebody's own: it stays as it is"
        if found is not None:
            swarm.remove_bridge()
        subnet = choose_subnet(machine, (*swarm.subnets(), *pool), self._members)
        swarm.create_bridge(str(subnet), self._study)
        return ""

    def _part(self, machines: Machines, names: Sequence[str]) -> None:
        """These workers leave, and what we made on them goes."""
        swarm = self._managed(machines)
        ids = {node.id for node in swarm.nodes()} if swarm else set()

        def leave(name: str) -> None:
            standing = machines[name].standing()
            if standing.node in ids or self._is_stray(standing):
                machines[name].leave()
            self._remove_bridge(machines[name])

        machines.each(names, leave)

    def _is_stray(self, standing: Standing) -> bool:
        return not standing.manages and f"{self._manager.address}:{PORT}" in standing.managers

    def _has_ours(self, swarm: Swarm) -> bool:
        standing, bridge = swarm.standing(), swarm.bridge()
        ours = bridge is not None and bridge.labels.get(MADE) == self._study
        return self._is_stray(standing) or (ours and standing.swarm == "inactive")

    def _keeps(self, swarm: Swarm) -> tuple[str, ...]:
        """Why the swarm of that manager is not ours to take apart, in sentences; none when it is, or is no more."""
        standing = swarm.standing()
        if standing.swarm == "inactive":
            return ()
        if not standing.manages or swarm.made_by() != self._study:
            return (
                f"the swarm of {self._manager.name}: CloudBurst did not make it for {self._study} "
                "(`provider: {swarm: …}` is for swarms that stand already)",
            )
        others = sorted(swarm.studies() - {self._study})
        if others:
            return (f"the swarm of {self._manager.name}: {' and '.join(others)} stand on it",)
        return ()

    def _remove_bridge(self, swarm: Swarm) -> None:
        """Ours, once the machine is in no swarm; Docker lets go of it a moment after it left."""

        def is_gone() -> bool:
            found = swarm.bridge()
            if found is None or found.labels.get(MADE) != self._study or swarm.standing().swarm != "inactive":
                return True
            try:
                swarm.remove_bridge()
            except ProviderError:
                return False
            return True

        self._until(is_gone, BRIDGE_FREE_WITHIN)

    # ── telling and waiting ──────────────────────────────────────────────────────────────────
    def _say(self, text: str) -> None:
        self._on_event(Doing("swarm", text))

    def _tell(self, note: str) -> None:
        if note:
            self._on_event(Note(note))

    def _until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Docker tells of none of this: looked at twice a second."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() >= deadline:
                return False
            self._pause()
        return True

    def _pause(self) -> None:
        if self._stop.wait(LOOK_EVERY):
            raise KeyboardInterrupt


def _called(nodes: Sequence[Node], names: Collection[str]) -> tuple[Node, ...]:
    """By what the study calls its machines; before they are labelled so, by their host names."""
    return tuple(node for node in nodes if not node.manager and node.labels.get(MEMBER, node.name) in names)


def _believes(name: str, error: ProviderError) -> str:
    return f"{name} ({error.message}): it takes itself for a member still, until `docker swarm leave` there"
