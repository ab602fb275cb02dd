"""A Docker Swarm as a cluster: the stack of one study, brought up, followed and let go of.

It goes on without us. Everything is done over one link to a manager: its Docker, and the stack's
gateway, which is all that a client needs once the stack stands.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping

from ...compile.stack import Site, compile_stack, gateway_secret, needed_secrets, queue_secret, stack_name
from ...errors import ProviderError, Unreachable
from ...secret import Secret
from ...spec.ensemble import Ensemble
from .. import credentials, rollout, secrets
from ..contexts import Docker
from ..controller_client import ControllerClient
from ..events import Doing, Note, OnEvent, StopSignal, Warned
from ..file_store import FileStore
from ..gateway import Gateway
from ..link import make_link
from ..observe import Study
from ..places import Places, socket_directory
from ..promised import promised_sinks, promised_variables
from ..swarm import Swarm
from ..terrain import Terrain
from ..words import count
from . import Connected, Endpoints

PATIENCE = 15.0
"""Seconds the manager has to answer a command that computes."""
LOOK_EVERY = 5.0
"""Seconds between two looks at nodes and tasks while following."""
WORKER = "worker"
GATEWAY = "gateway"
CONTROLLER = "controller"


def short_names(swarm: Swarm, study: str) -> tuple[str, ...]:
    """The services of the study's stack that stand, as the stack file calls them."""
    prefix = f"{stack_name(study)}_"
    found = (service.name for service in swarm.services(study))
    return tuple(name.removeprefix(prefix) for name in found if name.startswith(prefix))


def stack_stands(swarm: Swarm, study: str) -> bool:
    """Whether there is what a client needs of it."""
    return {GATEWAY, CONTROLLER} <= set(short_names(swarm, study))


# ── reaching ─────────────────────────────────────────────────────────────────────────────────
@contextlib.contextmanager
def unopened(docker: Docker, places: Places, *, patience: float) -> Iterator[Swarm]:
    """That Docker, before its link is open."""
    with socket_directory(places.root) as directory:
        swarm = Swarm(make_link(docker, directory, patience=patience))
        try:
            yield swarm
        finally:
            swarm.close()
            swarm.link.close()


@contextlib.contextmanager
def managed(docker: Docker, places: Places, *, patience: float) -> Iterator[Swarm]:
    """That Docker, open. Raises Unreachable, and ProviderError when it does not let us in."""
    with unopened(docker, places, patience=patience) as swarm:
        swarm.link.open()
        yield swarm


@contextlib.contextmanager
def reached(
    docker: Docker, places: Places, *, patience: float, made_for_study: bool = False
) -> Iterator[Connected | None]:
    """What clusters.connected gives, for a study whose stack stands on a swarm that this Docker manages.

    `made_for_study`: the swarm comes and goes with the study, so that there may be none.
    """
    with managed(docker, places, patience=patience) as swarm:
        if made_for_study and swarm.standing().swarm == "inactive":
            yield None
        else:
            yield connect(swarm, places.study, places)


def connect(swarm: Swarm, study: str, places: Places) -> Connected | None:
    """None when no stack stands that could be talked to. Good while the swarm's link is open."""
    rollout.check(swarm)
    services = short_names(swarm, study)
    if not {GATEWAY, CONTROLLER} <= set(services):
        return None
    rollout.check_home(swarm, study)
    values = credentials.known_values(swarm, study, places, credentials.standing_generations(swarm, study))
    gateway = Gateway(swarm, f"{stack_name(study)}_{GATEWAY}")
    return Connected(
        controller=ControllerClient(gateway, _credential(values, secrets.API_TOKEN, study)),
        files=FileStore(gateway, _credential(values, secrets.FILES_TOKEN, study)),
        gateway=gateway,
        view_token=_credential(values, secrets.VIEW_TOKEN, study),
        services=services,
        credentials={name: Secret(value) for name, value in values.items()},
        where=swarm.link.where,
    )


def _credential(values: Mapping[str, str], name: str, study: str) -> Secret:
    if name not in values:
        raise ProviderError(
            f"the credentials of {study} are not on this machine, and its controller does not run to tell them",
            "wait until it runs again, or `cloudburst apply`, which makes new ones",
        )
    return Secret(values[name])


# ── the cluster ──────────────────────────────────────────────────────────────────────────────
class SwarmCluster:
    """The study's stack. Everything may raise ProviderError, and KeyboardInterrupt when the user wants to stop."""

    def __init__(self, study: Study, docker: Docker, on_event: OnEvent, stop: StopSignal) -> None:
        """`docker` is a manager's."""
        self._study = study
        self._docker = docker
        self._on_event = on_event
        self._stop = stop
        self._open = contextlib.ExitStack()
        self._swarm: Swarm | None = None
        self._watch: Watch | None = None

    @property
    def outlives_us(self) -> bool:
        return True

    def stands(self) -> bool:
        return stack_stands(self._reached(), self._name)

    def start(self) -> Endpoints:
        swarm = self._reached()
        terrain = rollout.observe(swarm)
        self._say_terrain(terrain)
        rollout.claim_home(swarm, terrain)
        services = self._brought_up(swarm, terrain)
        gateway = Gateway(swarm, f"{stack_name(self._name)}_{GATEWAY}")
        place = credentials.directory(self._study.places)
        controller = ControllerClient(gateway, secrets.read(place, secrets.API_TOKEN), timeout=PATIENCE)
        arrival = rollout.Arrival(swarm, self._name, self._on_event, self._stop)
        arrival.wait([name for name in services if name != WORKER], controller.status)
        self._watch = Watch(swarm, self._name, self._on_event)
        return Endpoints(gateway, gateway, place)

    def watch(self) -> None:
        if self._watch is not None:
            self._watch.look()

    @property
    def is_cut_off(self) -> bool:
        """Whether the last look found no way there."""
        return self._watch is not None and self._watch.is_cut_off

    def stop(self, *, now: bool) -> None:  # noqa: ARG002 - the stack goes on either way
        self._open.close()
        self._swarm = self._watch = None

    # ── steps ────────────────────────────────────────────────────────────────────────────────
    @property
    def _name(self) -> str:
        return self._study.ensemble.name

    def _reached(self) -> Swarm:
        if self._swarm is None:
            self._on_event(Doing("swarm", f"connecting to {self._docker}"))
            self._swarm = self._open.enter_context(
                managed(self._docker, self._study.places, patience=PATIENCE)
            )
            rollout.check(self._swarm)
        return self._swarm

    def _say_terrain(self, terrain: Terrain) -> None:
        text = f"{terrain.home.name} and {count(len(terrain.workers), 'worker')}"
        self._on_event(
            Doing("swarm", f"{terrain.home.name} alone" if terrain.workers == (terrain.home,) else text)
        )
        for node, why in terrain.idle:
            self._on_event(Warned(f"{node.name} {why}: it gets no jobs"))

    def _brought_up(self, swarm: Swarm, terrain: Terrain) -> tuple[str, ...]:
        """Deployed, unless this very stack stands; the short names of its services."""
        ensemble, places = self._study.ensemble, self._study.places
        standing = credentials.standing_generations(swarm, self._name)
        known = credentials.known_values(swarm, self._name, places, standing)
        values = _values(ensemble, known)
        generations = secrets.generations(values, {**_formed(known), **known}, standing)
        site = Site(
            python=self._study.python,
            single_node=terrain.on_every_node,
            worker_memory=terrain.worker_memory,
            generations=generations,
        )
        stack = compile_stack(ensemble, site)
        secrets.keep(credentials.directory(places), values, generations)
        if not rollout.stands(swarm, self._name, stack):
            rollout.deploy(swarm, self._name, stack, values, generations, self._on_event)
        return stack.services


def _values(ensemble: Ensemble, known: Mapping[str, str]) -> dict[str, str]:
    """What every secret of the stack shall be: the caller's, what stands, or new."""
    needed = needed_secrets(ensemble)
    own = secrets.complete((name for name in needed if name in secrets.GENERATED), known)
    sinks = promised_sinks(ensemble, bundled_password=own.get(secrets.INFLUXDB_PASSWORD))
    given = {
        secrets.ENVIRONMENT: secrets.as_json(promised_variables(ensemble)),
        secrets.SINKS: secrets.as_json(sinks),
    }
    values = {**own, **given, **_formed(own)}
    return {name: values[name] for name in needed}


def _formed(values: Mapping[str, str]) -> dict[str, str]:
    """The secrets that are made of others, as far as those are known."""
    known = {name: Secret(value) for name, value in values.items()}
    if not set(secrets.NAMES) <= known.keys():
        return {}
    return {
        secrets.QUEUE_CONF: queue_secret(known[secrets.QUEUE_PASSWORD]),
        secrets.GATEWAY_CONF: gateway_secret(known),
    }


class Watch:
    """Looks now and then at nodes and tasks, and tells what changed for the worse or the better."""

    def __init__(self, swarm: Swarm, study: str, on_event: OnEvent) -> None:
        self._swarm = swarm
        self._study = study
        self._on_event = on_event
        self._next = time.monotonic() + LOOK_EVERY
        self._nodes: dict[str, str] | None = None
        self._old = {task.id for task in swarm.tasks(study) if task.is_over}
        self._told: set[tuple[str, str, str]] = set()
        self.is_cut_off = False

    def look(self) -> None:
        """At most every LOOK_EVERY seconds. Raises ProviderError when the stack is gone."""
        if time.monotonic() < self._next:
            return
        try:
            self._look()
        except Unreachable as error:
            self._cut_off(error)
        else:
            self.is_cut_off = False
        self._next = time.monotonic() + LOOK_EVERY

    def _cut_off(self, error: Unreachable) -> None:
        """The gateway opens the link again when it is asked for; the study goes on all the while."""
        if not self.is_cut_off:
            self._on_event(Warned(f"{error.message}; the study goes on, trying to come back"))
        self.is_cut_off = True

    def _look(self) -> None:
        services = {one.id: one.name.partition("_")[2] for one in self._swarm.services(self._study)}
        if CONTROLLER not in services.values():
            raise ProviderError(
                f"the stack of {self._study} is gone: somebody removed it",
                "`cloudburst apply` brings it up again",
            )
        self._look_at_nodes()
        self._look_at_tasks(services)

    def _look_at_nodes(self) -> None:
        found = {node.name: node.state for node in self._swarm.nodes()}
        before, self._nodes = self._nodes, found
        for name, state in found.items() if before is not None else ():
            was = (before or {}).get(name)
            if was is None:
                self._on_event(Note(f"{name} joined the swarm"))
            elif was != state:
                self._on_event(Note(f"{name} is back") if state == "ready" else Warned(f"{name} is {state}"))

    def _look_at_tasks(self, services: Mapping[str, str]) -> None:
        names: dict[str, str] = {}
        for task in self._swarm.tasks(self._study):
            service = services.get(task.service)
            known = (task.service, task.node, task.error)
            if service is None or task.id in self._old or not task.went_wrong or known in self._told:
                continue
            self._told.add(known)
            names = names or {node.id: node.name for node in self._swarm.nodes()}
            self._on_event(
                Warned(f"{service} on {names.get(task.node, 'a node')}: {task.error}; started again")
            )
