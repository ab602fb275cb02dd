"""Several machines' Docker daemons, played: what swarms, nodes and bridges do, each behind a socket of its own."""

from __future__ import annotations

import http.server
import json
import re
import socketserver
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cloudburst.run.contexts import HereDocker
from cloudburst.run.swarm import BRIDGE

VERSION = {"ApiVersion": "1.47", "MinAPIVersion": "1.24", "Version": "27.3.1"}


class Refused(Exception):
    """What the daemon says no to, and how."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Dropped(Exception):
    """No answer at all: whoever asked is gone."""


@dataclass
class Node:
    id: str
    host: str
    manager: bool
    labels: dict[str, str] = field(default_factory=dict)
    availability: str = "active"
    state: str = "ready"


@dataclass
class Swarm:
    """`nodes` by id. `rotated` counts how often the token for workers changed."""

    manager: str
    labels: dict[str, str]
    pool: list[str]
    nodes: dict[str, Node] = field(default_factory=dict)
    rotated: int = 0

    @property
    def token(self) -> str:
        return f"SWMTKN-{id(self)}-{self.rotated}"


@dataclass
class Docker:
    """One machine's. `inside` is the swarm it believes to be in; `tasks` of the study run on its node."""

    world: World
    name: str
    address: str
    inside: Swarm | None = None
    node: str = ""
    manages: bool = False
    bridge: dict[str, Any] | None = None
    state: str = ""
    api: str = "1.47"
    starting: int = 0
    """So many more looks find it on its way up: without a swarm, then without a leader."""

    # ── what it says ─────────────────────────────────────────────────────────────────────────
    def info(self) -> dict[str, Any]:
        self.starting = max(0, self.starting - 1)
        managers = [{"NodeID": "", "Addr": f"{self.inside.manager}:2377"}] if self.inside else None
        state = "pending" if self.starting > 1 else self.state or ("active" if self.inside else "inactive")
        address = self.address if self.inside else ""
        swarm = {"NodeID": self.node, "NodeAddr": address, "LocalNodeState": state}
        return {
            "Name": self.name,
            "Swarm": {**swarm, "ControlAvailable": self.manages, "RemoteManagers": managers},
        }

    def managed(self) -> Swarm:
        if self.inside is None or not self.manages:
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "This node is not a swarm manager.")
        if self.starting:
            said = "rpc error: code = Unknown desc = The swarm does not have a leader."
            raise Refused(HTTPStatus.INTERNAL_SERVER_ERROR, said)
        return self.inside

    def swarm(self) -> dict[str, Any]:
        one = self.managed()
        spec = {"Name": "default", "Labels": one.labels}
        tokens = {"Worker": one.token, "Manager": "-"}
        return {"Version": {"Index": 1}, "Spec": spec, "JoinTokens": tokens, "DefaultAddrPool": one.pool}

    def node_as_told(self, node: Node) -> dict[str, Any]:
        role = "manager" if node.manager else "worker"
        return {
            "ID": node.id,
            "Version": {"Index": 1},
            "Spec": {"Role": role, "Availability": node.availability, "Labels": dict(node.labels)},
            "Description": {"Hostname": node.host},
            "Status": {"State": node.state},
        }

    # ── what it does ─────────────────────────────────────────────────────────────────────────
    def init(self, body: dict[str, Any]) -> str:
        self.must_be_apart()
        assert body["AdvertiseAddr"] == body["DataPathAddr"] == self.address
        assert body["ListenAddr"] == f"{self.address}:2377"
        self.inside = Swarm(self.address, body["Spec"]["Labels"], body["DefaultAddrPool"])
        self.manages = True
        return self.enter(manager=True)

    def join(self, body: dict[str, Any]) -> None:
        self.must_be_apart()
        assert body["AdvertiseAddr"] == body["DataPathAddr"] == self.address
        (at,) = body["RemoteAddrs"]
        found = [one.inside for one in self.world.dockers if one.manages and f"{one.address}:2377" == at]
        if not found or found[0] is None or self.world.closed == self.address:
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "Timeout was reached before node joined.")
        if body["JoinToken"] != found[0].token:
            raise Refused(HTTPStatus.BAD_REQUEST, "invalid join token")
        self.inside = found[0]
        self.enter(manager=False)

    def enter(self, *, manager: bool) -> str:
        assert self.inside is not None
        self.node = f"node{next(self.world.numbers)}"
        self.inside.nodes[self.node] = Node(self.node, self.name, manager)
        if self.bridge is None:
            self.bridge = bridge({}, {})
        return self.node

    def leave(self) -> None:
        if self.inside is None:
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "This node is not part of a swarm")
        if self.node in self.inside.nodes:
            self.inside.nodes[self.node].state = "down"
        self.inside, self.node, self.manages, self.state = None, "", False, ""

    def must_be_apart(self) -> None:
        if self.inside is not None:
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "This node is already part of a swarm.")

    def update_node(self, found: str, body: dict[str, Any]) -> None:
        node = self.node_called(found)
        node.labels, node.availability = body["Labels"], body["Availability"]

    def node_called(self, found: str) -> Node:
        nodes = self.managed().nodes
        if found not in nodes:
            raise Refused(HTTPStatus.NOT_FOUND, f"node {found} not found")
        return nodes[found]

    def remove_node(self, found: str) -> None:
        del self.managed().nodes[self.node_called(found).id]

    def create_network(self, body: dict[str, Any]) -> None:
        assert body["Name"] == BRIDGE
        if self.bridge is not None:
            raise Refused(HTTPStatus.CONFLICT, f"network with name {BRIDGE} already exists")
        self.bridge = bridge(body["Options"], body["Labels"], body["IPAM"]["Config"][0]["Subnet"])

    def remove_network(self) -> None:
        if self.bridge is None:
            raise Refused(HTTPStatus.NOT_FOUND, "no such network")
        if self.inside is not None:
            raise Refused(HTTPStatus.FORBIDDEN, "network has active endpoints")
        self.bridge = None

    def gwbridge(self) -> dict[str, Any]:
        if self.bridge is None:
            raise Refused(HTTPStatus.NOT_FOUND, "no such network")
        return self.bridge

    def rotate(self) -> None:
        self.managed().rotated += 1

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: dict[str, Any]) -> Any:
        asked: dict[str, Callable[[], object]] = {
            "/version": lambda: {**VERSION, "ApiVersion": self.api},
            "/info": self.info,
            "/swarm": self.swarm,
            "/nodes": lambda: [self.node_as_told(node) for node in self.managed().nodes.values()],
            "/networks": lambda: [self.bridge] if self.bridge else [],
            f"/networks/{BRIDGE}": self.gwbridge,
            "/services": lambda: self.world.services,
            "/tasks": lambda: self.world.tasks(),
        }
        if method == "GET" and path in asked:
            return asked[path]()
        if method == "GET":
            return self.node_as_told(self.node_called(path.removeprefix("/nodes/")))
        acts: dict[str, Callable[[], object]] = {
            "POST /swarm/init": lambda: self.init(body),
            "POST /swarm/join": lambda: self.join(body),
            "POST /swarm/leave": self.leave,
            "POST /swarm/update": self.rotate,
            "POST /networks/create": lambda: self.create_network(body),
            f"DELETE /networks/{BRIDGE}": self.remove_network,
        }
        if found := re.fullmatch(r"/nodes/(\w+)(/update)?", path):
            node = found[1]
            acts[f"POST {path}"] = lambda: self.update_node(node, body)
            acts[f"DELETE {path}"] = lambda: self.remove_node(node)
        result = acts[f"{method} {path}"]()
        self.world.after_change(f"{method} {path}", body)
        return result if result is not None else {}


def bridge(options: dict[str, str], labels: dict[str, str], subnet: str = "172.18.0.0/16") -> dict[str, Any]:
    """As Docker tells of it; without options it is as Docker makes it."""
    name = "com.docker.network.bridge"
    made = {f"{name}.enable_icc": "false", f"{name}.enable_ip_masquerade": "true", f"{name}.name": BRIDGE}
    config = {"Config": [{"Subnet": subnet}]}
    return {
        "Name": BRIDGE,
        "Id": "b",
        "Options": options or made,
        "Labels": labels,
        "Containers": {},
        "IPAM": config,
    }


class World:
    """Some machines. `dockers` are played; `changes` is what was done to them, in order."""

    def __init__(self, place: Path, *names: str) -> None:
        self.numbers = iter(range(1, 10_000))
        self.dockers = [Docker(self, name, f"127.0.0.{11 + n}") for n, name in enumerate(names)]
        self.place = place
        self.services: list[Any] = []
        self.running: list[Any] = []
        self.looks = 0
        self.changes: list[tuple[str, Any]] = []
        self.closed = ""
        self._lock = threading.Lock()
        self._left: int | None = None
        self._lost = False
        self._servers = [_serve(docker, self._lock) for docker in self.dockers]

    def docker(self, name: str) -> Docker:
        return next(docker for docker in self.dockers if docker.name == name)

    def at(self, name: str) -> HereDocker:
        return HereDocker(str(self.place / f"{name}.sock"))

    def tasks(self) -> list[Any]:
        """What runs, to the first who looks; then it has ended."""
        self.looks += 1
        found, self.running = self.running, []
        return found

    # ── whoever asks can die ─────────────────────────────────────────────────────────────────
    def die_after(self, changes: int, *, unheard: bool) -> None:
        """After so many changes nobody acts any more; with `unheard` one more is done and not answered."""
        self._left, self._lost = changes, unheard

    def live(self) -> None:
        self._left = None

    def before(self) -> None:
        if self._left == 0 and not self._lost:
            raise Dropped

    def after_change(self, what: str, body: Any) -> None:
        self.changes.append((what, body))
        if self._left is None:
            return
        if self._left == 0:
            self._lost = False
            raise Dropped
        self._left -= 1

    def close(self) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    docker: Docker
    lock: threading.Lock


class _Handler(http.server.BaseHTTPRequestHandler):
    server: _Server

    def _serve(self) -> None:
        url = urlsplit(self.path)
        path = re.sub(r"^/v[\d.]+", "", url.path)
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
        try:
            with self.server.lock:
                self.server.docker.world.before()
                said = self.server.docker.answer(self.command, path, parse_qs(url.query), body)
            status = HTTPStatus.OK
        except Dropped:
            self.close_connection = True
            return
        except Refused as error:
            said, status = {"message": error.message}, error.status
        text = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def log_message(self, *_: object) -> None:
        pass

    def address_string(self) -> str:
        return ""


def _serve(docker: Docker, lock: threading.Lock) -> _Server:
    server = _Server(str(docker.world.place / f"{docker.name}.sock"), _Handler)
    server.docker, server.lock = docker, lock
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    return server
