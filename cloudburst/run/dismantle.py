"""Taking a study off a swarm: what stands there, removing it, and waiting until it is really gone.

What is computed must be home before; that is destroy.py's to see to. Everything can be done again:
what is gone already is no error, and what could not be removed is named.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from ..compile.stack import stack_name
from ..errors import ProviderError
from .events import Doing, OnEvent
from .swarm import HOME, STUDY, Named, Node, Service, Swarm, Task

WORKER = "worker"
FORGET = "forget"
CACHE = "cloudburst-cache"

WORKERS_WITHIN = 150.0
GONE_WITHIN = 120.0
FORGOTTEN_WITHIN = 60.0
"""Seconds."""
LOOK_EVERY = 0.5


@dataclass(frozen=True)
class Remains:
    """What of a study is on a swarm, by kind. Volumes are those of the home node; the cache that studies
    share is none of them. `swarms` is the swarm itself, where it was made for the study."""

    services: tuple[Service, ...] = ()
    networks: tuple[Named, ...] = ()
    volumes: tuple[Named, ...] = ()
    secrets: tuple[Named, ...] = ()
    configs: tuple[Named, ...] = ()
    swarms: tuple[Named, ...] = ()

    def __bool__(self) -> bool:
        return any(names for _, names in self.by_kind())

    @property
    def of_stack(self) -> bool:
        """Whether there is more than the swarm itself."""
        return bool(replace(self, swarms=()))

    def by_kind(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """`("service", ("cb-waves_queue", …))` and so on; kinds without any are left out."""
        for kind in ("service", "network", "volume", "secret", "config", "swarm"):
            found: tuple[Named, ...] = getattr(self, f"{kind}s")
            if found:
                yield kind, tuple(one.name for one in found)


@dataclass(frozen=True)
class Dismantled:
    """`removed` is what is gone; `kept` says, in sentences, what was left on purpose or by force of circumstances."""

    removed: Remains
    kept: tuple[str, ...]


def survey(swarm: Swarm, study: str) -> Remains:
    return Remains(
        services=swarm.services(study),
        networks=swarm.networks(study),
        volumes=swarm.volumes(study),
        secrets=swarm.secrets(study),
        configs=swarm.configs(study),
    )


def dismantle(swarm: Swarm, study: str, on_event: OnEvent) -> Dismantled:
    """Remove it all. Raises ProviderError, with the names, when something of the study is still there after that."""
    return _Dismantling(swarm, study, on_event).run()


class _Dismantling:
    """The steps, in order: who computes, what they left on their nodes, who serves, what is kept, what was known."""

    def __init__(self, swarm: Swarm, study: str, on_event: OnEvent) -> None:
        self._swarm = swarm
        self._study = study
        self._on_event = on_event
        self._nodes = {node.id: node for node in swarm.nodes()}
        self._kept: list[str] = []

    def run(self) -> Dismantled:
        before = survey(self._swarm, self._study)
        worker = next((one for one in before.services if one.name == self._named(WORKER)), None)
        if worker is not None:
            self._forget(worker)
        self._say("removing services")
        self._remove_services(before.services)
        self._await_tasks([service.id for service in before.services], GONE_WITHIN)
        self._say("removing volumes and networks")
        self._remove_patiently()
        self._release_home()
        left = survey(self._swarm, self._study)
        if left:
            raise ProviderError(
                f"something of {self._study} is left on {self._swarm.link.where}: {in_words(left)}",
                "`cloudburst destroy` again; `docker ps -a` on the nodes says who still uses it",
            )
        return Dismantled(before, (*self._away(), *self._kept))

    def _named(self, service: str) -> str:
        return f"{stack_name(self._study)}_{service}"

    def _say(self, text: str) -> None:
        self._on_event(Doing("swarm", text))

    # ── the nodes' caches ────────────────────────────────────────────────────────────────────
    def _forget(self, worker: Service) -> None:
        """Workers first: a cache that is in use cannot be emptied. Then once on each of their nodes.

        Not as a `global-job`: Docker removes the containers of a service with it, but not those of a job.
        """
        task = self._swarm.task_of(worker)
        self._say("stopping workers")
        self._swarm.remove_service(worker)
        self._await_tasks([worker.id], WORKERS_WITHIN)
        self._say("emptying the study's part of the nodes' caches")
        spec = _forgetting(task, self._study)
        if spec is None:
            self._kept.append(f"the study's part of the cache of every node (volume {CACHE})")
            return
        try:
            job = self._swarm.create_service(self._named(FORGET), spec, {"Global": {}}, {STUDY: self._study})
            self._await_forgotten(job, task)
        except ProviderError as error:
            self._kept.append(f"the study's part of the nodes' caches (volume {CACHE}): {error.message}")

    def _await_forgotten(self, job: str, worker: dict[str, object]) -> None:
        nodes = [node for node in self._nodes.values() if node.takes_tasks and _may_run(worker, node)]

        def all_over() -> bool:
            over = {task.node for task in self._tasks_of([job]) if task.is_over}
            return all(node.id in over for node in nodes)

        _until(all_over, FORGOTTEN_WITHIN)
        done = {task.node for task in self._tasks_of([job]) if task.state == "complete"}
        for node in nodes:
            if node.id not in done:
                self._kept.append(f"the study's part of the cache of {node.name} (volume {CACHE})")

    # ── services and what they used ──────────────────────────────────────────────────────────
    def _remove_services(self, services: Sequence[Service]) -> None:
        for service in {one.id: one for one in (*services, *self._swarm.services(self._study))}.values():
            self._swarm.remove_service(service)

    def _await_tasks(self, services: Sequence[str], seconds: float) -> None:
        """Until none of their containers is left on a node that can be reached."""
        _until(lambda: not any(self._is_there(task) for task in self._tasks_of(services)), seconds)

    def _tasks_of(self, services: Sequence[str]) -> list[Task]:
        wanted = frozenset(services)
        return [task for task in self._swarm.tasks(self._study) if task.service in wanted]

    def _is_there(self, task: Task) -> bool:
        node = self._nodes.get(task.node)
        return not task.is_over and node is not None and node.state == "ready"

    def _remove_patiently(self) -> None:
        """Networks and volumes are in use until the last container is gone, which Docker notices a little later."""

        removers: tuple[tuple[str, Callable[[Named], None]], ...] = (
            ("networks", self._swarm.remove_network),
            ("volumes", self._swarm.remove_volume),
            ("secrets", self._swarm.remove_secret),
            ("configs", self._swarm.remove_config),
        )

        def nothing_left() -> bool:
            left = survey(self._swarm, self._study)
            for kind, remove in removers:
                for one in getattr(left, kind):
                    with contextlib.suppress(ProviderError):
                        remove(one)
            return not left

        _until(nothing_left, GONE_WITHIN)

    def _release_home(self) -> None:
        """The label is for all studies: the last one takes it away."""
        if self._swarm.studies():
            return
        for node in self._nodes.values():
            if HOME in node.labels:
                self._swarm.label_node(node.id, HOME, None)

    def _away(self) -> Iterator[str]:
        """The cache is every study's, and a node that is away keeps what it has."""
        yield f"the cache that all studies share: the volume {CACHE} on each node"
        for node in self._nodes.values():
            if node.state != "ready":
                yield f"{node.name} is {node.state}: what runs there ends when it comes back, its cache keeps the study's part"


def in_words(remains: Remains) -> str:
    """`5 services, the volume cb-waves_queue`."""
    parts = []
    for kind, names in remains.by_kind():
        parts.append(f"the {kind} {names[0]}" if len(names) == 1 else f"{len(names)} {kind}s")
    return ", ".join(parts)


def _forgetting(task: dict[str, object], study: str) -> dict[str, object] | None:
    """The worker's own task, told to forget: same program, same user, same cache. None when it is not as ours are."""
    container = task.get("ContainerSpec")
    arguments = container.get("Args") or () if isinstance(container, dict) else ()
    caches = [one for one in arguments if one.startswith("--cache=")]
    if not isinstance(container, dict) or "--" not in arguments or not caches:
        return None
    same = ("Image", "Command", "User", "ReadOnly", "CapabilityDrop", "Init", "Labels", "Configs", "Mounts")
    own = list(arguments[: list(arguments).index("--") + 1])
    forget = {
        **{key: container[key] for key in same if key in container},
        "Args": [*own, "forget", f"--study={study}", *caches],
    }
    return {
        "ContainerSpec": forget,
        "Placement": task.get("Placement") or {},
        "RestartPolicy": {"Condition": "none"},
    }


def _may_run(task: dict[str, object], node: Node) -> bool:
    """Whether the worker's placement lets it run there: our stacks know one constraint for workers."""
    placement = task.get("Placement")
    constraints = placement.get("Constraints") or () if isinstance(placement, dict) else ()
    return not (node.manager and any("node.role" in one and "manager" in one for one in constraints))


def _until(condition: Callable[[], bool], seconds: float) -> bool:
    """Docker tells of no end: looked at twice a second."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(LOOK_EVERY)
    return True
