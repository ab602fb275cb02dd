"""A real InfluxDB 1.x on loopback for tests: the program `influxd`, with authentication, in a directory of its own."""

from __future__ import annotations

import base64
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from cloudburst.run.sinks.influxdb import Access, Influx
from cloudburst.secret import Secret

USER, PASSWORD = "cloudburst", "pass:word"

BASIC = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()

MISSING = "influxd is needed: apt-get install influxdb"

CONFIGURATION = """\
reporting-disabled = true
bind-address = "127.0.0.1:{inner}"
[meta]
dir = "{place}/meta"
[data]
dir = "{place}/data"
wal-dir = "{place}/wal"
index-version = "tsi1"
max-series-per-database = 0
max-values-per-tag = 0
query-log-enabled = false
[http]
bind-address = "127.0.0.1:{port}"
auth-enabled = true
log-enabled = false
max-body-size = {largest}
[monitor]
store-enabled = false
[logging]
level = "error"
suppress-logo = true
"""


@dataclass
class Influxd:
    """`largest` bytes of a body it takes; 0 for no limit. `start` and `kill` as often as one likes."""

    place: Path
    largest: int = 0
    port: int = field(default_factory=lambda: free_port())
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def access(self) -> Access:
        return Access(self.url, USER, Secret(PASSWORD))

    def start(self) -> None:
        text = CONFIGURATION.format(place=self.place, port=self.port, inner=free_port(), largest=self.largest)
        (self.place / "influxdb.conf").write_text(text)
        command = [program() or "influxd", "-config", str(self.place / "influxdb.conf")]
        with open(self.place / "influxd.log", "ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + 60
        while not self._answers():
            assert self.process.poll() is None, (self.place / "influxd.log").read_text()
            assert time.monotonic() < deadline, "influxd does not answer"
            time.sleep(0.02)
        self.query(f"CREATE USER {USER} WITH PASSWORD '{PASSWORD}' WITH ALL PRIVILEGES")

    def _answers(self) -> bool:
        try:
            return self._request("GET", "/ping", b"")[0] == 204
        except OSError:
            return False

    def kill(self) -> None:
        """As a power cut would end it."""
        assert self.process
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.kill()

    # ── asked without the code under test ────────────────────────────────────────────────────
    def query(self, text: str, database: str = "") -> list[dict[str, Any]]:
        """The series of the answer."""
        body = urlencode({"db": database, "epoch": "ns", "q": text}).encode()
        status, said = self._request("POST", "/query", body)
        assert status == 200, said
        result = json.loads(said)["results"][0]
        assert "error" not in result, result
        found: list[dict[str, Any]] = result.get("series", [])
        return found

    def write(self, lines: str, database: str) -> None:
        status, said = self._request("POST", f"/write?db={database}", lines.encode(), "text/plain")
        assert status == 204, said

    def _request(
        self, method: str, path: str, body: bytes, kind: str = "application/x-www-form-urlencoded"
    ) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, {"Content-Type": kind, "Authorization": BASIC})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


@dataclass(frozen=True)
class Database:
    """One database of a server."""

    server: Influxd
    name: str

    def client(self) -> Influx:
        return Influx(self.server.access, self.name)

    def query(self, text: str) -> list[dict[str, Any]]:
        return self.server.query(text, self.name)

    def count(self, field_: str, measurement: str) -> int:
        """How many values of a field are stored."""
        found = self.query(f'SELECT count("{field_}") FROM "{measurement}"')
        return int(found[0]["values"][0][1]) if found else 0

    def points(self, measurement: str) -> list[dict[str, Any]]:
        """Every point with its tags, fields and `time` in nanoseconds, by time."""
        found = self.query(f'SELECT * FROM "{measurement}"')
        return [dict(zip(s["columns"], values, strict=True)) for s in found for values in s["values"]]


def program() -> str | None:
    return shutil.which("influxd")


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def need_influxd() -> None:
    """Skips the test without the program, or fails it where every part is to be there."""
    if program() is None:
        if os.environ.get("CLOUDBURST_REQUIRE_PARTS"):
            pytest.fail(MISSING)
        pytest.skip(MISSING)


@pytest.fixture(scope="session")
def shared_influxd() -> Iterator[Influxd]:
    """One server for all tests that do it no harm; each takes a database of its own."""
    need_influxd()
    with tempfile.TemporaryDirectory(prefix="cb-influx-") as place:
        server = Influxd(Path(place))
        server.start()
        yield server
        server.stop()


_NUMBERS = count(1)


@pytest.fixture
def influx(shared_influxd: Influxd) -> Database:
    """A database that is not there yet, on the shared server."""
    return Database(shared_influxd, f"db{next(_NUMBERS)}")


@pytest.fixture
def start_influxd(tmp_path: Path) -> Iterator[Callable[..., Influxd]]:
    """Servers to be killed, or set up in another way."""
    need_influxd()
    started: list[Influxd] = []

    def start(**options: Any) -> Influxd:
        place = tmp_path / f"influxd-{len(started)}"
        place.mkdir()
        started.append(Influxd(place, **options))
        started[-1].start()
        return started[-1]

    yield start
    for server in started:
        server.stop()
