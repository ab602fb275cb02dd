from __future__ import annotations

import http.client
import io
import json
import socket
import threading
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from pathlib import Path

import pytest

from cloudburst.errors import CloudBurstError, UsageError
from cloudburst.run.addresses import TcpAddress, UnixAddress, parse_address
from cloudburst.run.http import Refused, Reply, Request, Server, Unanswered, request
from cloudburst.secret import Secret

TOKEN = Secret("grün")


class Echo:
    """Answers with what it was asked; `limit` bytes of JSON."""

    tokens: Mapping[str, Secret] = {"reader": Secret("other"), "writer": TOKEN}

    def answer(self, request: Request) -> Reply:
        if request.path == "/error":
            raise RuntimeError("a secret thing")
        if request.path == "/file":
            return Reply(file=io.BytesIO(b"x" * 3_000_000), size=3_000_000)
        if request.path == "/refused":
            raise Refused(HTTPStatus.FORBIDDEN, "no", limit=3)
        body = request.body_as_json(100) if request.length else None
        return Reply(HTTPStatus.ACCEPTED, {"method": request.method, "role": request.role, "body": body})


@pytest.fixture(params=["unix", "tcp"])
def address(request: pytest.FixtureRequest, short: Path) -> Iterator[str]:
    where = f"unix:{short}/echo.sock" if request.param == "unix" else f"tcp:127.0.0.1:{free_port()}"
    server = Server(where, Echo())
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield where
    server.shutdown()
    server.server_close()
    thread.join()
    assert not (short / "echo.sock").exists()


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def test_a_request_is_answered(address: str) -> None:
    answer = request(address, "PUT", "/x", token=TOKEN, body=b'{"a": 1}')
    assert answer.status == 202
    assert answer.json() == {"method": "PUT", "role": "writer", "body": {"a": 1}}


@pytest.mark.parametrize("token", [None, Secret("wrong"), Secret("")])
def test_without_a_valid_token_nothing_is_done(address: str, token: Secret | None) -> None:
    answer = request(address, "GET", "/error", token=token)
    assert (answer.status, answer.error) == (401, "a valid token is needed: Authorization: Bearer TOKEN")


def test_refusals_and_errors_are_sentences(address: str) -> None:
    answer = request(address, "GET", "/refused", token=TOKEN)
    assert (answer.status, answer.json()) == (403, {"error": "no", "limit": 3})
    answer = request(address, "GET", "/error", token=TOKEN)
    assert (answer.status, answer.error) == (500, "an error in the service; its log says more")
    answer = request(address, "POST", "/x", token=TOKEN, body=b"{]")
    assert (answer.status, answer.error.startswith("the body is not JSON")) == (400, True)


def test_a_body_that_is_too_large_is_refused_and_the_answer_arrives(address: str) -> None:
    answer = request(address, "PUT", "/x", token=TOKEN, body=b"1" * 20_000_000)
    assert (answer.status, answer.json()["limit"]) == (413, 100)


def test_a_large_file_arrives_whole(address: str) -> None:
    assert request(address, "GET", "/file", token=TOKEN).body == b"x" * 3_000_000
    assert request(address, "HEAD", "/file", token=TOKEN).body == b""


def test_a_connection_serves_many_requests(short: Path) -> None:
    server = Server(f"unix:{short}/echo.sock", Echo())
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    connection = http.client.HTTPConnection("localhost")
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(f"{short}/echo.sock")
    sock = connection.sock
    for method in ("GET", "HEAD", "PUT", "GET"):
        connection.request(
            method, "/x", body=b"{}" if method == "PUT" else None, headers={"Authorization": "Bearer other"}
        )
        answer = connection.getresponse()
        assert (answer.status, bool(answer.read())) == (202, method != "HEAD")
        assert connection.sock is sock
    connection.request(
        "PUT", "/x", body=iter([b"{}"]), headers={"Authorization": "Bearer other"}, encode_chunked=True
    )
    assert json.loads(connection.getresponse().read()) == {"method": "PUT", "role": "reader", "body": None}
    connection.close()
    server.shutdown()
    server.server_close()


def test_nobody_there_is_said(short: Path) -> None:
    with pytest.raises(Unanswered, match="nothing answers at unix:"):
        request(f"unix:{short}/none.sock", "GET", "/")


def test_a_leftover_socket_is_replaced_and_one_in_use_is_not(short: Path) -> None:
    where = f"unix:{short}/echo.sock"
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(f"{short}/echo.sock")
    server = Server(where, Echo())
    assert (short / "echo.sock").stat().st_mode & 0o777 == 0o600
    with pytest.raises(CloudBurstError, match="another process listens"):
        Server(where, Echo())
    server.server_close()
    (short / "echo.sock").write_text("mine")
    with pytest.raises(CloudBurstError, match="is not a socket"):
        Server(where, Echo())
    assert (short / "echo.sock").read_text() == "mine"


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("unix:/run/a b.sock", UnixAddress("/run/a b.sock")),
        ("tcp:127.0.0.1:8080", TcpAddress("127.0.0.1", 8080)),
        ("tcp:[::1]:80", TcpAddress("::1", 80)),
    ],
)
def test_addresses(text: str, address: object) -> None:
    assert parse_address(text) == address
    assert str(parse_address(text)) == text


@pytest.mark.parametrize(
    "text", ["", "unix:relative", "tcp:host", "tcp::80", "tcp:host:99999", "http://x", "/x"]
)
def test_what_is_no_address_is_said(text: str) -> None:
    with pytest.raises(UsageError, match="is not an address"):
        parse_address(text)
