"""The gateway: a real nginx with the stack's configuration, the real file store behind it."""

from __future__ import annotations

import base64
import http.client
import io
import itertools
import json
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from stack.parts import free_port, listens, program, until
from stack.played_network import Names, Service

from cloudburst.compile.stack import BACKENDS, Gateway, gateway_configuration, gateway_secret
from cloudburst.errors import FileStoreError
from cloudburst.run.file_store import PAYLOAD, RESULTS, FileService, FileStore
from cloudburst.run.http import Response, Server, exchange
from cloudburst.secret import Secret

pytestmark = pytest.mark.slow

TOKENS = {
    name: Secret(f"{name}-Aa_0-{'x' * 24}")
    for name in (
        "files-token",
        "worker-token",
        "api-token",
        "view-token",
        "influxdb-password",
        "grafana-password",
    )
}
DIGEST = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"
LARGEST = 60_000_000


def bearer(name: str) -> str:
    return f"Bearer {TOKENS[name].reveal()}"


def basic(name: str) -> str:
    return "Basic " + base64.b64encode(f"cloudburst:{TOKENS[name].reveal()}".encode()).decode()


@dataclass
class World:
    """nginx at `port`; names and services behind it; what it logged."""

    port: int
    health_port: int
    names: Names
    services: dict[str, Service]
    store: Server
    objects: Path
    log: Path

    @property
    def address(self) -> str:
        return f"tcp:127.0.0.1:{self.port}"

    def ask(
        self, path: str, authorization: str | None = None, method: str = "GET", body: bytes = b""
    ) -> tuple[Response, dict[str, str]]:
        """The answer, and its headers in small letters."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        headers = {} if authorization is None else {"Authorization": authorization}
        connection.request(method, path, body=body or None, headers=headers)
        answer = connection.getresponse()
        found = Response(answer.status, answer.read()), {k.lower(): v for k, v in answer.getheaders()}
        connection.close()
        return found


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that nginx's own user may enter: the files must be readable for another user."""
    path = Path(tempfile.mkdtemp(prefix="cb-gateway-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def world(place: Path) -> Iterator[World]:
    nginx = program("nginx", "nginx-light")
    names = Names()
    others = [name for name in BACKENDS if name != "files"]
    services = {name: Service(name, "127.0.0.2") for name in others}
    secrets, objects = place / "secrets", place / "files"
    secrets.mkdir()
    for name in ("files-token", "worker-token"):
        (secrets / name).write_text(TOKENS[name].reveal())
    before = os.umask(0o022)
    ports = {name: service.port for name, service in services.items()} | {"files": free_port("127.0.0.3")}
    store = Server(f"tcp:127.0.0.3:{ports['files']}", FileService(objects, secrets, LARGEST))
    threading.Thread(target=store.serve_forever, daemon=True).start()
    names.addresses = dict.fromkeys(others, "127.0.0.2") | {"files": "127.0.0.3"}
    gateway = Gateway(
        listen=f"127.0.0.1:{free_port()}",
        health=f"127.0.0.1:{free_port()}",
        resolver=f"127.0.0.1:{names.port} valid=1s ipv6=off",
        secret=str(place / "gateway.conf"),
        files=str(objects),
        temporary=str(place),
        backends={name: f"{name}:{ports[name]}" for name in BACKENDS},
    )
    (place / "gateway.conf").write_text(gateway_secret(TOKENS))
    (place / "nginx.conf").write_bytes(gateway_configuration(tuple(BACKENDS), gateway))
    log = place / "log"
    command = [nginx, "-e", "stderr", "-c", str(place / "nginx.conf"), "-g", "daemon off;"]
    with log.open("wb") as said, subprocess.Popen(command, stdout=said, stderr=said) as process:
        port = int(gateway.listen.rpartition(":")[2])
        until(lambda: listens(port) or process.poll() is not None)
        assert process.poll() is None, log.read_text()
        health = int(gateway.health.rpartition(":")[2])
        yield World(port, health, names, services, store, objects, log)
        process.terminate()
    for service in services.values():
        service.close()
    store.shutdown()
    store.server_close()
    names.close()
    os.umask(before)


# ── who may come in ──────────────────────────────────────────────────────────────────────────
PATHS = (
    "/", "/api/status", "/api/", "/metrics", f"/files/payload/{DIGEST}", "/files/", "/grafana/", "/grafana",
    "/queue/", "/visualizer/", "/influxdb/ping", "/nothing/of/the/kind", "/x/..//", "/favicon.ico",
)  # fmt: skip


def test_no_path_is_open(world: World) -> None:
    for method, path in itertools.product(("GET", "HEAD", "PUT", "POST", "DELETE"), PATHS):
        answer, headers = world.ask(path, method=method)
        assert answer.status == 401, f"{method} {path}"
        assert headers["www-authenticate"].startswith("Basic "), "a browser asks for a password"
        assert method == "HEAD" or "a token is needed" in answer.error


def test_only_the_very_token_opens(world: World) -> None:
    almost = [
        "", "Bearer", "Bearer ", "Bearer nonsense", "Basic nonsense",
        bearer("view-token")[:-1], bearer("view-token") + "x", bearer("view-token").upper(),
        bearer("view-token").swapcase(), "Basic " + base64.b64encode(b"other:" + TOKENS["view-token"].reveal().encode()).decode(),
        basic("api-token"), basic("view-token").swapcase(), TOKENS["api-token"].reveal(), "Bearer .*",
    ]  # fmt: skip
    for said in almost:
        assert world.ask("/api/status", said)[0].status == 401, said


MAY = [
    # credential, method, path, passes
    (bearer("api-token"), "GET", "/api/rows?after=3", True),
    (bearer("api-token"), "PUT", "/api/study", True),
    (bearer("api-token"), "GET", "/", True),
    (bearer("files-token"), "GET", "/api/rows", True),
    (bearer("worker-token"), "GET", "/api/status", False),
    (bearer("worker-token"), "PUT", "/api/study", False),
    (bearer("worker-token"), "GET", "/", False),
    (bearer("worker-token"), "GET", "/grafana/", False),
    (bearer("worker-token"), "DELETE", f"/files/results/{DIGEST}", False),
    (basic("view-token"), "GET", "/", True),
    (basic("view-token"), "GET", "/metrics", True),
    (bearer("view-token"), "GET", "/api/status", True),
    (bearer("view-token"), "HEAD", "/api/status", True),
    (bearer("view-token"), "POST", "/api/status", False),
    (bearer("view-token"), "GET", "/api/rows", False),
    (bearer("view-token"), "GET", "//api/rows", False),
    (bearer("view-token"), "GET", "/x/../api/rows", False),
    (bearer("view-token"), "GET", "/%61pi/rows", False),
    (bearer("view-token"), "POST", "/api/cancel", False),
    (bearer("view-token"), "GET", f"/files/results/{DIGEST}", False),
    (bearer("view-token"), "POST", "/", False),
    (basic("view-token"), "POST", "/grafana/api/ds/query", True),
    (basic("view-token"), "GET", "/queue/0/view/queues", True),
    (basic("view-token"), "GET", "/queue/requeue/all", False),
    (basic("view-token"), "POST", "/queue/job/x/delete", False),
    (basic("view-token"), "GET", "/visualizer/", True),
    (basic("view-token"), "GET", "/influxdb/ping", False),
    (basic("influxdb-password"), "POST", "/influxdb/query", True),
    (basic("influxdb-password"), "GET", "/", False),
    (bearer("api-token"), "POST", "/influxdb/write?db=x", True),
]


def test_each_token_opens_what_it_is_for(world: World) -> None:
    for said, method, path, passes in MAY:
        answer, _ = world.ask(path, said, method)
        assert answer.status == (200 if passes else 403), f"{method} {path}: {answer}"
        assert passes or method == "HEAD" or answer.error == "this token may not do that"


def test_services_are_told_what_they_need_and_no_more(world: World) -> None:
    def told(path: str, said: str) -> dict[str, str]:
        seen = world.ask(path, said)[0].json()
        return {"service": seen["service"], "path": seen["path"], **seen["headers"]}

    page = told("/", basic("view-token"))
    assert (page["service"], page["authorization"]) == ("controller", bearer("view-token"))
    assert told("/api/rows?after=3", bearer("api-token"))["authorization"] == bearer("api-token")
    assert told("/api/rows?after=3", bearer("api-token"))["path"] == "/api/rows?after=3"
    graph = told("/grafana/d/study?x=1", basic("view-token"))
    assert (graph["service"], graph["path"]) == ("grafana", "/grafana/d/study?x=1")
    assert graph["authorization"] == basic("grafana-password"), "the gateway logs in"
    assert graph["host"] == f"127.0.0.1:{world.port}", "Grafana compares it with where its page came from"
    series = told("/influxdb/query?q=SHOW%20DATABASES", bearer("api-token"))
    assert (series["path"], series["authorization"]) == (
        "/query?q=SHOW%20DATABASES",
        basic("influxdb-password"),
    )
    for said in (basic("view-token"), bearer("api-token")):
        queue = told("/queue/", said)
        assert (queue["service"], queue["authorization"]) == ("dashboard", basic("view-token"))


def test_a_page_without_its_slash_is_led_there(world: World) -> None:
    answer, headers = world.ask("/grafana", basic("view-token"))
    assert (answer.status, headers["location"]) == (301, "/grafana/"), "whatever port it was reached by"


# ── files ────────────────────────────────────────────────────────────────────────────────────
def test_what_is_stored_comes_back_and_nginx_gives_it_out(world: World, tmp_path: Path) -> None:
    client = FileStore(world.address, TOKENS["files-token"])
    worker = FileStore(world.address, TOKENS["worker-token"])
    content = os.urandom(50_000_000)
    digest = client.put(PAYLOAD, content)
    world.store.shutdown()
    world.store.server_close()
    assert worker.has(PAYLOAD, digest), "the file store is gone, reading goes on"
    worker.get(PAYLOAD, digest, tmp_path / "object")
    assert (tmp_path / "object").read_bytes() == content
    answer, _ = world.ask(f"/files/results/{DIGEST}", bearer("worker-token"), "PUT", b"hello\n")
    assert (answer.status, answer.error) == (502, "the service behind the gateway does not answer now")


def test_workers_write_results_and_nothing_else(world: World) -> None:
    worker = FileStore(world.address, TOKENS["worker-token"])
    assert worker.put(RESULTS, b"hello\n") == DIGEST
    assert world.ask(f"/files/results/{DIGEST}", bearer("worker-token"))[0].body == b"hello\n"
    with pytest.raises(FileStoreError, match="may not write to payload"):
        worker.put(PAYLOAD, b"hello\n")


def test_what_is_not_there_is_said_as_json(world: World, tmp_path: Path) -> None:
    worker = FileStore(world.address, TOKENS["worker-token"])
    assert not worker.has(RESULTS, DIGEST)
    with pytest.raises(FileStoreError, match="there is nothing of that name here"):
        worker.get(RESULTS, DIGEST, tmp_path / "object")
    for path in (
        f"/files/results/{DIGEST}x",
        "/files/secrets/x",
        "/files/incoming/x",
        f"/files/incoming/{DIGEST}",
    ):
        assert world.ask(path, bearer("worker-token"))[0].status == 404


def test_what_is_too_large_is_refused_in_the_stores_words(world: World) -> None:
    headers = {"token": TOKENS["files-token"], "body": io.BytesIO(b"x"), "size": LARGEST + 1}
    with exchange(world.address, "PUT", f"/files/payload/{DIGEST}", **headers) as answer:  # type: ignore[arg-type]
        assert answer.status == 413
        assert json.loads(answer.read())["limit"] == LARGEST


# ── names, health, logs ──────────────────────────────────────────────────────────────────────
def test_a_service_that_moved_is_found_again(world: World) -> None:
    def answering() -> str | None:
        said = world.ask("/", bearer("api-token"))[0]
        return said.json().get("service") if said.status == 200 else None

    assert answering() == "controller"
    old = world.services.pop("controller")
    del world.names.addresses["controller"]
    old.close()
    until(lambda: world.ask("/", bearer("api-token"))[0].status == 502)
    world.services["moved"] = Service("moved", "127.0.0.4", old.port)
    world.names.addresses["controller"] = "127.0.0.4"
    until(lambda: answering() == "moved")


def test_health_is_asked_inside_and_needs_no_token(world: World) -> None:
    with exchange(f"tcp:127.0.0.1:{world.health_port}", "GET", "/") as answer:
        assert answer.status == 204


def test_the_log_names_refusals_and_no_token(world: World) -> None:
    world.ask("/api/study", bearer("worker-token"), "PUT")
    world.ask("/api/status?token=nothing", "Bearer nonsense")
    world.ask("/api/status", bearer("api-token"))
    until(lambda: '"/api/status" 401' in world.log.read_text())
    said = world.log.read_text()
    assert 'worker PUT "/api/study" 403' in said
    assert " 200 " not in said
    assert not [name for name, token in TOKENS.items() if token.reveal() in said]
    assert "nonsense" not in said
    assert "nothing" not in said


def test_a_token_that_is_more_than_a_word_is_refused() -> None:
    for text in ("", 'a" b', "a;b", "a\nb", "ü"):
        with pytest.raises(ValueError, match="letters, digits"):
            gateway_secret({**TOKENS, "api-token": Secret(text)})
