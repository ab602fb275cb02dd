"""The stack's InfluxDB: a real influxd, started by the stack's own script."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from stack.parts import free_port, listens, program, until

SCRIPT = Path(__file__).parents[2] / "stack" / "influxdb.sh"

pytestmark = pytest.mark.slow


class Server:
    """The script with a place of its own instead of a container's."""

    def __init__(self, place: Path) -> None:
        program("influxd", "influxdb")
        program("curl", "curl")
        self.place, self.port = place, free_port()
        text = (
            SCRIPT.read_text("utf-8")
            .replace("/run/secrets/", f"{place}/")
            .replace("/cloudburst/", f"{place}/")
        )
        (place / "influxdb.sh").write_text(text.replace("127.0.0.1:8087", f"127.0.0.1:{free_port()}"))

    def give(self, password: str, *databases: str) -> None:
        (self.place / "influxdb-password").write_text(password)
        (self.place / "influxdb.iql").write_text(
            "".join(f'CREATE DATABASE "{name}";\n' for name in databases)
        )

    @contextlib.contextmanager
    def running(self) -> Iterator[subprocess.Popen[bytes]]:
        directories = {
            f"INFLUXDB_{name}_DIR": f"{self.place}/{name.lower()}" for name in ("DATA", "DATA_WAL")
        }
        settings = {
            "INFLUXDB_META_DIR": f"{self.place}/meta",
            "INFLUXDB_HTTP_AUTH_ENABLED": "true",
            "INFLUXDB_HTTP_BIND_ADDRESS": f"127.0.0.1:{self.port}",
            "INFLUXDB_BIND_ADDRESS": f"127.0.0.1:{free_port()}",
            "INFLUXDB_REPORTING_DISABLED": "true",
            "HOME": str(self.place),
        }
        with (self.place / "log").open("ab") as log:
            process = subprocess.Popen(
                ["sh", str(self.place / "influxdb.sh")],
                env={**os.environ, **directories, **settings}, stdout=log, stderr=log,
            )  # fmt: skip
            until(lambda: listens(self.port) or process.poll() is not None)
            assert process.poll() is None, (self.place / "log").read_text()
            yield process
            process.terminate()
            process.wait()

    def ask(self, query: str, password: str | None = None) -> tuple[int, dict[str, object]]:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if password is not None:
            known = base64.b64encode(f"cloudburst:{password}".encode()).decode()
            headers["Authorization"] = f"Basic {known}"
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            connection.request("POST", "/query", urlencode({"q": query}), headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())

    def databases(self, password: str) -> list[str]:
        status, said = self.ask("SHOW DATABASES", password)
        assert status == 200, said
        (result,) = said["results"]  # type: ignore[misc]
        return [name for (name,) in result["series"][0]["values"]]


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path)


def test_it_has_its_user_and_databases_and_asks_for_the_password(server: Server) -> None:
    server.give("first", "cloudburst", "more")
    with server.running() as process:
        assert server.databases("first") == ["cloudburst", "more"]
        assert server.ask("SHOW DATABASES")[0] == 401
        assert server.ask("SHOW DATABASES", "wrong")[0] == 401
        assert server.ask("CREATE USER other WITH PASSWORD 'x' WITH ALL PRIVILEGES")[0] != 200
        assert b"influxd" in Path(f"/proc/{process.pid}/cmdline").read_bytes(), (
            "signals reach the server itself"
        )
    assert "first" not in (server.place / "log").read_text()


def test_started_again_it_keeps_all_and_takes_a_new_password_and_database(server: Server) -> None:
    server.give("first", "cloudburst")
    with server.running() as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
    with server.running():
        assert server.databases("first") == ["cloudburst"]
    server.give("second", "cloudburst", "more")
    with server.running():
        assert server.databases("second") == ["cloudburst", "more"]
        assert server.ask("SHOW DATABASES", "first")[0] == 401
    assert (server.place / "log").read_text().count("InfluxDB starting") == 5, (
        "alone first, when something is new"
    )
