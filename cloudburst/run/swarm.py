"""A Docker Swarm as its manager tells of it: the only home of Docker's Python package.

Facts as frozen values and small acts; what to do with them is decided elsewhere. Every method may
raise Unreachable, when the manager's Docker does not answer now, and ProviderError, when it refuses.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

import docker
from docker.errors import APIError, DockerException, NotFound

from ..errors import ProviderError, Unreachable
from ..secret import Secret
from .link import Link

OUTDATED = "update out of sequence"
"""What Docker says to a change of something that has changed since it was read."""
TRIES = 10
"""How often such a change is made anew, each time from what is there now."""

STUDY = "cloudburst.study"
HOME = "cloudburst.home"
MADE = "cloudburst.made"
"""On a swarm, and on the bridges of its machines: the study they were made for."""
MEMBER = "cloudburst.member"
LEAVING = "cloudburst.leaving"
"""On a node: what its study calls the machine; that it is being emptied to leave."""
SERVICE_NAME = "com.docker.swarm.service.name"

OLDEST_API = (1, 41)
OLDEST_ENGINE = "20.10"
"""The first whose services can drop capabilities."""

ANSWER_WITHIN = 30
LOGS_WITHIN = 5
REGISTRY_WITHIN = 10
"""Seconds. Logs of a task come from its node, which may be the one that is gone; a registry may be far."""

BRIDGE = "docker_gwbridge"
_BRIDGE_OF_DOCKER = {
    "com.docker.network.bridge.enable_icc": "false",
    "com.docker.network.bridge.enable_ip_masquerade": "true",
    "com.docker.network.bridge.name": BRIDGE,
}
"""How Docker itself makes it when a machine comes into a swarm."""
_BINDING = "com.docker.network.bridge.host_binding_ipv4"
LOOPBACK = "127.0.0.1"

PORT = 2377
"""Where a manager listens for its nodes."""
SUBNET_BITS = 24
"""Of each network between the nodes."""

_T = TypeVar("_T")

Client = Any
"""docker.APIClient, which is not typed; everything it says is made into values here."""


@dataclass(frozen=True)
class Node:
    """`memory` in bytes, `cpus` in cores. `state` as Docker says it: `ready`, `down`, `unknown`, `disconnected`."""

    id: str
    name: str
    manager: bool
    state: str
    availability: str
    memory: int
    cpus: float
    labels: Mapping[str, str]

    @property
    def takes_tasks(self) -> bool:
        return self.state == "ready" and self.availability == "active"


@dataclass(frozen=True)
class Task:
    """One attempt at running a service on a node. `service` is Docker's id of it, `spec` a digest of what it
    was told to run. `error` is empty when there is none."""

    id: str
    service: str
    node: str
    state: str
    desired: str
    error: str
    spec: str
    at: datetime

    @property
    def is_over(self) -> bool:
        return self.state in {"complete", "shutdown", "failed", "rejected", "remove", "orphaned"}

    @property
    def went_wrong(self) -> bool:
        return self.state in {"failed", "rejected"}


@dataclass(frozen=True)
class Named:
    """A secret, config, volume or network: what Docker calls it, and our labels."""

    id: str
    name: str
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Service(Named):
    """`spec` is a digest of what its tasks are told to run: a task with another one is on its way out."""

    spec: str = ""


@dataclass(frozen=True)
class Standing:
    """What Docker says of itself on the machine we talk to. `swarm`: `active`, `inactive`, `locked`, `pending` …

    `address` is where it talks to its swarm, `managers` are the addresses (`10.0.0.1:2377`) of those it obeys.
    """

    node: str
    name: str
    swarm: str
    manages: bool
    engine: str
    api: tuple[int, ...]
    address: str = ""
    managers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Bridge:
    """The network by which containers of a swarm reach their own machine. `as_docker_makes_it`: nobody has
    set anything; `in_use`: containers are on it."""

    labels: Mapping[str, str]
    on_loopback: bool
    as_docker_makes_it: bool
    in_use: bool


class Swarm:
    """The manager's Docker behind a link. One thread at a time."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._docker: Client | None = None

    @property
    def link(self) -> Link:
        return self._link

    def close(self) -> None:
        if self._docker is not None:
            self._docker.close()
            self._docker = None

    def reopen(self) -> None:
        """After a break: through a link that is there again."""
        self.close()
        if not self._link.is_open():
            self._link.close()
        self._link.open()

    # ── observing ────────────────────────────────────────────────────────────────────────────
    def standing(self) -> Standing:
        info = self._ask(lambda client: client.info())
        version = self._ask(lambda client: client.version())
        swarm = info.get("Swarm") or {}
        return Standing(
            node=str(swarm.get("NodeID") or ""),
            name=str(info.get("Name", "")),
            swarm=str(swarm.get("LocalNodeState") or "inactive"),
            manages=bool(swarm.get("ControlAvailable")),
            engine=str(version.get("Version", "")),
            api=tuple(int(part) for part in str(version.get("ApiVersion", "0")).split(".")),
            address=str(swarm.get("NodeAddr") or ""),
            managers=tuple(str(one["Addr"]) for one in swarm.get("RemoteManagers") or ()),
        )

    def made_by(self) -> str:
        """The study this swarm was made for; empty when somebody else made it. Asked of a manager."""
        found = self._ask(lambda client: client.inspect_swarm())
        return str((found["Spec"].get("Labels") or {}).get(MADE, ""))

    def pool(self) -> tuple[str, ...]:
        """Where the networks between its nodes have their addresses, as CIDRs. Asked of a manager."""
        found = self._ask(lambda client: client.inspect_swarm())
        return tuple(found.get("DefaultAddrPool") or ())

    def bridge(self) -> Bridge | None:
        """Of the machine we talk to; None while there is none."""
        try:
            found = self._ask(lambda client: client.inspect_network(BRIDGE))
        except _Absent:
            return None
        options = dict(found.get("Options") or {})
        return Bridge(
            labels=found.get("Labels") or {},
            on_loopback=options.get(_BINDING) == LOOPBACK,
            as_docker_makes_it=options == _BRIDGE_OF_DOCKER,
            in_use=bool(found.get("Containers")),
        )

    def subnets(self) -> tuple[str, ...]:
        """The CIDRs of all networks that Docker has on this machine, in use or not."""
        networks = self._ask(lambda client: client.networks())
        configured = (one for net in networks for one in (net.get("IPAM") or {}).get("Config") or ())
        return tuple(str(one["Subnet"]) for one in configured if one.get("Subnet"))

    def nodes(self) -> tuple[Node, ...]:
        found = self._ask(lambda client: client.nodes())
        return tuple(sorted((_node(one) for one in found), key=lambda node: node.name))

    def studies(self) -> frozenset[str]:
        """The names of the studies that have a stack here."""
        found = self._ask(lambda client: client.services({"label": STUDY}))
        return frozenset(str(one["Spec"]["Labels"][STUDY]) for one in found)

    def services(self, study: str) -> tuple[Service, ...]:
        found = self._ask(lambda client: client.services({"label": f"{STUDY}={study}"}))
        return tuple(sorted((_service(one) for one in found), key=lambda service: service.name))

    def task_of(self, service: Service) -> dict[str, Any]:
        """What its tasks are told to run, as Docker's API has it."""
        found = self._ask(lambda client: client.inspect_service(service.id))
        return dict(found["Spec"].get("TaskTemplate") or {})

    def used_secrets(self, study: str) -> frozenset[str]:
        """The names of the secrets its services have now."""
        return frozenset(self._used(study, "Secrets", "SecretName"))

    def used_configs(self, study: str) -> frozenset[str]:
        return frozenset(self._used(study, "Configs", "ConfigName"))

    def _used(self, study: str, kind: str, key: str) -> Iterator[str]:
        for one in self._ask(lambda client: client.services({"label": f"{STUDY}={study}"})):
            container = one["Spec"].get("TaskTemplate", {}).get("ContainerSpec") or {}
            yield from (str(used[key]) for used in container.get(kind) or ())

    def secrets(self, study: str) -> tuple[Named, ...]:
        return self._named("secrets", {"label": f"{STUDY}={study}"})

    def configs(self, study: str) -> tuple[Named, ...]:
        return self._named("configs", {"label": f"{STUDY}={study}"})

    def networks(self, study: str) -> tuple[Named, ...]:
        found = self._ask(lambda client: client.networks(filters={"label": f"{STUDY}={study}"}))
        return tuple(Named(one["Id"], one["Name"], one.get("Labels") or {}) for one in found)

    def volumes(self, study: str) -> tuple[Named, ...]:
        """Those on the machine we talk to; without the cache that all studies share."""
        found = self._ask(lambda client: client.volumes({"label": f"{STUDY}={study}"}))
        return tuple(
            Named(one["Name"], one["Name"], one.get("Labels") or {}) for one in found.get("Volumes") or ()
        )

    def tasks(self, study: str) -> tuple[Task, ...]:
        """Of all its services, also of those that are being removed; the oldest first."""
        found = self._ask(lambda client: client.tasks({"label": f"{STUDY}={study}"}))
        return tuple(sorted((_task(one) for one in found), key=lambda task: task.at))

    def log_of(self, task: Task, lines: int = 12) -> str:
        """The end of what it printed; empty when that cannot be had quickly. Raises nothing."""

        def read(client: Client) -> bytes:
            before, client.timeout = client.timeout, LOGS_WITHIN
            try:
                return b"".join(client.service_logs(task.service, stdout=True, stderr=True, tail=lines))
            finally:
                client.timeout = before

        with contextlib.suppress(ProviderError):
            text: str = self._ask(read).decode("utf-8", "replace")
            return "\n".join(text.splitlines()[-lines:])
        return ""

    def container_address(self, service: str) -> str | None:
        """The address, on this machine's own bridge, of the running container of a service; None while it has none."""
        running = {"label": f"{SERVICE_NAME}={service}", "status": "running"}
        containers = self._ask(lambda client: client.containers(filters=running))
        bridge = self._ask(lambda client: client.inspect_network(BRIDGE)) if containers else {}
        attached = bridge.get("Containers") or {}
        for one in sorted(containers, key=lambda one: -int(one["Created"])):
            found = attached.get(one["Id"])
            if found and found.get("IPv4Address"):
                return str(found["IPv4Address"]).partition("/")[0]
        return None

    def execute(self, service: str, argv: Sequence[str]) -> bytes:
        """What a program prints that is run in the running container of a service on this machine.

        Raises ProviderError when there is no such container, or the program fails.
        """
        running = {"label": f"{SERVICE_NAME}={service}", "status": "running"}
        containers = self._ask(lambda client: client.containers(filters=running))
        if not containers:
            raise ProviderError(f"{service} does not run on {self._link.where}")

        def run(client: Client) -> tuple[bytes, int]:
            made = client.exec_create(containers[0]["Id"], list(argv))
            out: tuple[bytes | None, bytes | None] = client.exec_start(made["Id"], demux=True)
            ended = client.exec_inspect(made["Id"])
            return (out[0] or b"") if ended["ExitCode"] == 0 else (out[1] or b""), int(ended["ExitCode"] or 0)

        said, code = self._ask(run)
        if code != 0:
            raise ProviderError(
                f"{argv[0]} in {service} failed: {said.decode('utf-8', 'replace').strip()[-500:]}"
            )
        return said

    # ── acting ───────────────────────────────────────────────────────────────────────────────
    def label_node(self, node: str, key: str, value: str | None) -> None:
        """Set a label of a node, or take it away. What another command changes meanwhile stays."""
        self.set_node(node, {key: value})

    def set_node(
        self, node: str, labels: Mapping[str, str | None], *, availability: str | None = None
    ) -> None:
        """Set labels of a node, or take them away (None), and what it is available for, all at once.
        What another command changes meanwhile stays."""

        def update(client: Client) -> None:
            found = client.inspect_node(node)
            spec = found["Spec"]
            changed = {**(spec.get("Labels") or {}), **labels}
            kept = {key: value for key, value in changed.items() if value is not None}
            given = {} if availability is None else {"Availability": availability}
            client.update_node(node, found["Version"]["Index"], {**spec, "Labels": kept, **given})

        self._insist(update)

    def remove_node(self, node: str) -> None:
        """Also one that is not down, and does not know of it."""
        self._remove(lambda client: client.remove_node(node, force=True))

    def init(self, address: str, pool: str, made_for: str) -> None:
        """Make a swarm that this machine manages, on this address of it and no other."""

        def make(client: Client) -> None:
            client.init_swarm(
                advertise_addr=address,
                listen_addr=f"{address}:{PORT}",
                data_path_addr=address,
                default_addr_pool=[pool],
                subnet_size=SUBNET_BITS,
                swarm_spec={"Name": "default", "Labels": {MADE: made_for}},
            )

        self._ask(make)

    def worker_token(self) -> Secret:
        """What a machine must say to be let in as a worker."""
        return Secret(self._ask(lambda client: client.inspect_swarm())["JoinTokens"]["Worker"])

    def rotate_worker_token(self) -> None:
        """From now on nobody comes in with what was said before."""

        def rotate(client: Client) -> None:
            found = client.inspect_swarm()
            client.update_swarm(found["Version"]["Index"], found["Spec"], rotate_worker_token=True)

        self._insist(rotate)

    def join(self, manager: str, token: Secret, address: str) -> None:
        """Become a worker of the swarm whose manager is at that address, on this address of ours and no other."""

        def enter(client: Client) -> None:
            client.join_swarm(
                [f"{manager}:{PORT}"],
                token.reveal(),
                listen_addr=f"{address}:{PORT}",
                advertise_addr=address,
                data_path_addr=address,
            )

        self._ask(enter)

    def leave(self) -> None:
        """Be in no swarm; where a manager leaves, which is the only one, the swarm is no more."""
        self._ask(lambda client: client.leave_swarm(force=True))

    def create_bridge(self, subnet: str, made_for: str) -> None:
        """Before the machine is in a swarm: then Docker takes it, and binds to the loopback what it publishes."""
        ipam = docker.types.IPAMConfig(pool_configs=[docker.types.IPAMPool(subnet=subnet)])
        options = {**_BRIDGE_OF_DOCKER, _BINDING: LOOPBACK}
        self._ask(
            lambda client: client.create_network(
                BRIDGE, driver="bridge", options=options, ipam=ipam, labels={MADE: made_for}
            )
        )

    def remove_bridge(self) -> None:
        self._remove(lambda client: client.remove_network(BRIDGE))

    def create_secret(self, name: str, value: bytes, labels: Mapping[str, str]) -> None:
        self._ask(lambda client: client.create_secret(name, value, dict(labels)))

    def create_config(self, name: str, content: bytes, labels: Mapping[str, str]) -> None:
        self._ask(lambda client: client.create_config(name, content, dict(labels)))

    def create_service(
        self, name: str, task: Mapping[str, Any], mode: Mapping[str, Any], labels: Mapping[str, str]
    ) -> str:
        """`task` and `mode` as Docker's API has them; the id of the service."""
        body = {"Name": name, "TaskTemplate": dict(task), "Mode": dict(mode), "Labels": dict(labels)}

        def create(client: Client) -> str:
            answer = client._post_json(client._url("/services/create"), data=body)  # noqa: SLF001
            return str(client._result(answer, True)["ID"])  # noqa: SLF001

        return self._ask(create)

    def remove_service(self, service: Service) -> None:
        self._remove(lambda client: client.remove_service(service.id))

    def remove_secret(self, secret: Named) -> None:
        self._remove(lambda client: client.remove_secret(secret.id))

    def remove_config(self, config: Named) -> None:
        self._remove(lambda client: client.remove_config(config.id))

    def remove_network(self, network: Named) -> None:
        self._remove(lambda client: client.remove_network(network.id))

    def remove_volume(self, volume: Named) -> None:
        self._remove(lambda client: client.remove_volume(volume.name))

    def registry_answers(self, image: str) -> bool:
        """Whether the manager can ask a registry what is behind the name of an image."""

        def ask(client: Client) -> bool:
            before, client.timeout = client.timeout, REGISTRY_WITHIN
            try:
                return bool(client.inspect_distribution(image))
            finally:
                client.timeout = before

        try:
            return self._ask(ask)
        except ProviderError:
            return False

    def deploy(self, stack: str, text: str, *, pinned: bool, timeout: float) -> str:
        """`docker stack deploy` on the manager itself; what it wrote to its standard error.

        Docker's program over there knows how a stack file becomes services, and our Python need not.
        `pinned`: tags of images become digests, so that every node runs the same and asks nobody for
        what it has; a registry must answer for that.
        """
        command = ["docker", "-H", f"unix://{self._link.socket}", "stack", "deploy", "--prune"]
        command += [
            "--with-registry-auth",
            "--resolve-image",
            "changed" if pinned else "never",
            "-c",
            "-",
            stack,
        ]
        ended = self._link.run(command, stdin=text.encode(), timeout=timeout)
        if ended.code == 127 or "executable file not found" in ended.said:
            raise ProviderError(
                f"there is no docker program on {self._link.where}", "install Docker's command line there"
            )
        if ended.code != 0:
            raise ProviderError(f"the stack {stack} was refused: {ended.said}")
        return ended.err.decode("utf-8", "replace")

    # ── the door ─────────────────────────────────────────────────────────────────────────────
    def _named(self, kind: str, filters: Mapping[str, str]) -> tuple[Named, ...]:
        found = self._ask(lambda client: getattr(client, kind)(filters=dict(filters)))
        named = (Named(one["ID"], one["Spec"]["Name"], one["Spec"].get("Labels") or {}) for one in found)
        return tuple(sorted(named, key=lambda one: one.name))

    def _remove(self, act: Callable[[Client], object]) -> None:
        """What is gone already is removed."""
        with contextlib.suppress(_Absent):
            self._ask(act)

    def _insist(self, change: Callable[[Client], None]) -> None:
        """A change that reads what is there, made anew when that has changed before it arrived."""

        def make(client: Client) -> bool:
            try:
                change(client)
            except APIError as error:
                if OUTDATED not in str(error.explanation):
                    raise
                return False
            return True

        for _ in range(TRIES):
            if self._ask(make):
                return
        raise ProviderError(f"Docker on {self._link.where} does not keep still: {OUTDATED}", "try again")

    def _ask(self, question: Callable[[Client], _T]) -> _T:
        with self._translated():
            return question(self._client())

    def _client(self) -> Client:
        if self._docker is None:
            path = self._link.docker()
            with socket.socket(socket.AF_UNIX) as probe:  # a client that cannot connect leaks its own
                probe.settimeout(ANSWER_WITHIN)
                probe.connect(path)
            self._docker = docker.APIClient(base_url=f"unix://{path}", version="auto", timeout=ANSWER_WITHIN)
        return self._docker

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except NotFound as error:
            raise _Absent(str(error.explanation or error)) from error
        except APIError as error:
            said = str(error.explanation or error)
            raise ProviderError(f"Docker on {self._link.where} refused: {said}", _hint(said)) from error
        except (DockerException, OSError, http.client.HTTPException) as error:
            self.close()
            raise self._silent() from error

    def _silent(self) -> ProviderError:
        """Why nothing answers at the socket: asked of Docker's own program, which says it in words."""
        where = self._link.where
        if not self._link.is_open():
            return Unreachable(f"the connection to {where} broke", "try again")
        asked = self._link.run(
            ["docker", "-H", f"unix://{self._link.socket}", "version", "--format", "{{.Server.Version}}"],
            timeout=ANSWER_WITHIN,
        )
        if asked.code == 0:
            return Unreachable(
                f"Docker answers on {where}, but not through its forwarded socket",
                "sshd there needs `AllowStreamLocalForwarding yes`",
            )
        for sign, message, hint in _SILENCES:
            if sign in asked.said:
                return ProviderError(message.format(where=where), hint.format(socket=self._link.socket))
        return Unreachable(f"Docker does not answer on {where}: {asked.said or 'it said nothing'}")


class _Absent(ProviderError):
    """There is no such thing, or not any more."""


_SILENCES = (
    (
        "permission denied",
        "Docker on {where} does not let this user in",
        "over there: `sudo usermod -aG docker $USER`, then log in anew",
    ),
    (
        "Cannot connect to the Docker daemon",
        "Docker does not run on {where}",
        "over there: `sudo systemctl start docker`",
    ),
    (
        "not found",
        "there is no Docker on {where}",
        "install Docker Engine there: https://docs.docker.com/engine/install/",
    ),
    ("No such file", "there is no Docker at {{socket}} on {where}", "is Docker installed and running there?"),
)


def _hint(said: str) -> str:
    if "not a swarm manager" in said:
        return "over there: `docker swarm init`, or name a manager in `cluster.provider`"
    if "encrypted" in said or "locked" in said:
        return "over there: `docker swarm unlock`"
    return ""


def _node(found: Mapping[str, Any]) -> Node:
    spec, description = found["Spec"], found.get("Description") or {}
    resources = description.get("Resources") or {}
    return Node(
        id=found["ID"],
        name=str(description.get("Hostname") or found["ID"]),
        manager=spec.get("Role") == "manager",
        state=str((found.get("Status") or {}).get("State", "unknown")),
        availability=str(spec.get("Availability", "active")),
        memory=int(resources.get("MemoryBytes") or 0),
        cpus=int(resources.get("NanoCPUs") or 0) / 1e9,
        labels=spec.get("Labels") or {},
    )


def _task(found: Mapping[str, Any]) -> Task:
    status = found.get("Status") or {}
    return Task(
        id=found["ID"],
        service=str(found.get("ServiceID", "")),
        node=str(found.get("NodeID", "")),
        state=str(status.get("State", "new")),
        desired=str(found.get("DesiredState", "")),
        error=str(status.get("Err", "")),
        spec=_digest(found.get("Spec") or {}),
        at=_moment(str(found.get("CreatedAt", ""))),
    )


def _service(found: Mapping[str, Any]) -> Service:
    spec = found["Spec"]
    return Service(
        found["ID"], spec["Name"], spec.get("Labels") or {}, _digest(spec.get("TaskTemplate") or {})
    )


def _digest(task: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(task.get("ContainerSpec"), sort_keys=True).encode()).hexdigest()


def _moment(text: str) -> datetime:
    """Docker writes nanoseconds, as many digits as it needs; Python reads six of them."""
    head, _, rest = text.rstrip("Z").partition(".")
    return datetime.fromisoformat(f"{head}.{rest[:6]:0<6}+00:00")
