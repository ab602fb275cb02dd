"""What is said of a Docker that does not answer, or refuses; how Docker answers for real is tests/lab's to see."""

from __future__ import annotations

import http.server
import json
import socketserver
import threading
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

from cloudburst.errors import ProviderError, Unreachable
from cloudburst.run.ssh import Finished
from cloudburst.run.swarm import Swarm


class Link:
    """Leads to a socket of this machine; `says` is what Docker's own program over there says."""

    where = "ssh://lab"
    socket = "/var/run/docker.sock"

    def __init__(self, path: Path, code: int = 1, says: str = "") -> None:
        self._path = path
        self._answer = Finished(code, b"", says.encode())
        self.asked: list[tuple[str, ...]] = []
        self.opened = True

    def open(self) -> None:
        self.opened = True

    def is_open(self) -> bool:
        return self.opened

    def docker(self) -> str:
        return str(self._path)

    def reach(self, host: str, port: int) -> str:
        return f"tcp:{host}:{port}"

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout: float) -> Finished:
        self.asked.append(tuple(argv))
        return self._answer

    def close(self) -> None:
        self.opened = False


class Docker(socketserver.ThreadingUnixStreamServer):
    """Answers each path with the JSON it was given, anything else with 503 and Docker's own sentence."""

    daemon_threads = True
    answers: dict[str, Any]
    refusal = "This node is not a swarm manager."
    outdated = 0
    """So many changes are refused, as if somebody else had been faster."""
    changes: list[Any]


class Answer(http.server.BaseHTTPRequestHandler):
    server: Docker

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        path = "/" + path.split("/", 2)[2] if path.startswith("/v1.") else path
        found = self.server.answers.get(path)
        status = HTTPStatus.OK if found is not None else HTTPStatus.SERVICE_UNAVAILABLE
        body = json.dumps(found if found is not None else {"message": self.server.refusal}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.changes.append((self.path.partition("version=")[2], body))
        late = len(self.server.changes) <= self.server.outdated
        said = {"message": "rpc error: code = Unknown desc = update out of sequence"} if late else {}
        answer = json.dumps(said).encode()
        self.send_response(HTTPStatus.INTERNAL_SERVER_ERROR if late else HTTPStatus.OK)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        pass

    def address_string(self) -> str:
        return ""


VERSION = {"ApiVersion": "1.47", "MinAPIVersion": "1.24", "Version": "27.3.1"}


@pytest.fixture
def docker(short: Path) -> Iterator[Docker]:
    server = Docker(str(short / "docker.sock"), Answer)
    server.answers = {"/version": VERSION}
    server.changes = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("code", "says", "sentence", "way_out"),
    [
        (127, "sh: docker: not found", "there is no Docker on ssh://lab", "install Docker Engine"),
        (
            1,
            "permission denied while trying to connect to the Docker daemon socket",
            "Docker on ssh://lab does not let this user in",
            "usermod -aG docker",
        ),
        (
            1,
            "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
            "Docker does not run on ssh://lab",
            "systemctl start docker",
        ),
        (0, "", "not through its forwarded socket", "AllowStreamLocalForwarding"),
        (1, "out of memory", "Docker does not answer on ssh://lab: out of memory", ""),
    ],
)
def test_why_nothing_answers(short: Path, code: int, says: str, sentence: str, way_out: str) -> None:
    swarm = Swarm(Link(short / "nothing.sock", code, says))
    with pytest.raises(ProviderError, match=sentence) as raised:
        swarm.standing()
    assert way_out in raised.value.hint


def test_a_link_that_broke_is_said_as_that(short: Path) -> None:
    link = Link(short / "nothing.sock")
    link.opened = False
    with pytest.raises(Unreachable, match="the connection to ssh://lab broke"):
        Swarm(link).nodes()
    assert link.asked == []


def test_a_docker_that_manages_nothing(docker: Docker, short: Path) -> None:
    swarm = Swarm(Link(short / "docker.sock"))
    with pytest.raises(ProviderError, match="refused: This node is not a swarm manager") as raised:
        swarm.nodes()
    assert "docker swarm init" in raised.value.hint
    swarm.close()


def test_what_docker_says_of_itself(docker: Docker, short: Path) -> None:
    docker.answers["/info"] = {
        "Name": "manager",
        "Swarm": {"NodeID": "m", "LocalNodeState": "active", "ControlAvailable": True},
    }
    swarm = Swarm(Link(short / "docker.sock"))
    standing = swarm.standing()
    assert (standing.node, standing.manages, standing.engine, standing.api) == ("m", True, "27.3.1", (1, 47))
    swarm.close()


def task(identity: str, created: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "ID": identity,
        "ServiceID": "s",
        "NodeID": "n",
        "CreatedAt": created,
        "DesiredState": "running",
        "Status": {"State": "failed", "Err": "no room"},
        "Spec": {"ContainerSpec": spec},
    }


def test_tasks_know_what_they_run_and_come_in_order(docker: Docker, short: Path) -> None:
    image = {"Image": "redis:7.2-alpine"}
    docker.answers["/tasks"] = [
        task("b", "2026-11-22T14:00:01.123456789Z", {"Image": "redis:6"}),
        task("a", "2026-11-22T14:00:00.9Z", image),
        task("c", "2026-11-22T14:00:02Z", image),
    ]
    spec = {"Name": "cb-waves_queue", "Labels": {}, "TaskTemplate": {"ContainerSpec": image}}
    docker.answers["/services"] = [{"ID": "s", "Spec": spec}]
    swarm = Swarm(Link(short / "docker.sock"))
    (service,) = swarm.services("waves")
    tasks = swarm.tasks("waves")
    assert [(one.id, one.spec == service.spec) for one in tasks] == [("a", True), ("b", False), ("c", True)]
    assert tasks[0].went_wrong
    assert tasks[0].error == "no room"
    swarm.close()


def test_a_gateway_is_where_the_bridge_says(docker: Docker, short: Path) -> None:
    docker.answers["/containers/json"] = [{"Id": "old", "Created": 1}, {"Id": "new", "Created": 2}]
    docker.answers["/networks/docker_gwbridge"] = {"Containers": {"new": {"IPv4Address": "172.18.0.7/16"}}}
    swarm = Swarm(Link(short / "docker.sock"))
    assert swarm.container_address("cb-waves_gateway") == "172.18.0.7"
    docker.answers["/containers/json"] = []
    assert swarm.container_address("cb-waves_gateway") is None
    swarm.close()


def test_the_stack_is_deployed_by_dockers_own_program(short: Path) -> None:
    link = Link(short / "docker.sock", 0)
    Swarm(link).deploy("cb-waves", "services: {}", pinned=True, timeout=5)
    (command,) = link.asked
    assert command[:5] == ("docker", "-H", "unix:///var/run/docker.sock", "stack", "deploy")
    assert command[-3:] == ("-c", "-", "cb-waves")
    assert command[command.index("--resolve-image") + 1] == "changed"


def test_a_stack_docker_refuses(short: Path) -> None:
    link = Link(short / "docker.sock", 1, "services.queue Additional property x is not allowed")
    with pytest.raises(ProviderError, match="the stack cb-waves was refused: services"):
        Swarm(link).deploy("cb-waves", "", pinned=False, timeout=5)


def test_no_command_line_over_there(short: Path) -> None:
    link = Link(short / "docker.sock", 127, "bash: docker: command not found")
    with pytest.raises(ProviderError, match="there is no docker program on ssh://lab"):
        Swarm(link).deploy("cb-waves", "", pinned=False, timeout=5)


NODE = {"ID": "m", "Version": {"Index": 7}, "Spec": {"Role": "manager", "Labels": {"rack": "3"}}}


def test_a_label_is_set_though_another_command_was_faster(docker: Docker, short: Path) -> None:
    docker.answers["/nodes/m"] = NODE
    docker.outdated = 2
    swarm = Swarm(Link(short / "docker.sock"))
    swarm.label_node("m", "cloudburst.home", "true")
    labels = {"rack": "3", "cloudburst.home": "true"}
    assert docker.changes == [("7", {"Role": "manager", "Labels": labels})] * 3
    swarm.close()


def test_a_label_that_never_can_be_set_is_said(docker: Docker, short: Path) -> None:
    docker.answers["/nodes/m"] = NODE
    docker.outdated = 1000
    swarm = Swarm(Link(short / "docker.sock"))
    with pytest.raises(ProviderError, match="does not keep still: update out of sequence"):
        swarm.label_node("m", "cloudburst.home", None)
    swarm.close()
