"""The client of an InfluxDB: what it sends, and what becomes of every answer."""

from __future__ import annotations

import gzip
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, ClassVar

import pytest
from influxd import PASSWORD, USER, Database, Influxd

from cloudburst.run.sinks.influxdb import Access, Forbidden, Influx, Unavailable
from cloudburst.secret import Secret

LINES = "\n".join(f"m,study=s,id=a v={n} {n}" for n in range(10))


def sent(client: Influx, lines: str) -> list[str]:
    with closing(client):
        client.write(lines.encode())
        client.settle()
        return client.refusals()


# ── a real server ────────────────────────────────────────────────────────────────────────────
@pytest.mark.slow
def test_the_database_is_made_when_it_is_not_there(influx: Database) -> None:
    assert sent(influx.client(), LINES) == []
    assert influx.count("v", "m") == 10
    [policies] = influx.query("SHOW RETENTION POLICIES")
    kept = dict(zip(policies["columns"], policies["values"][0], strict=True))
    assert (kept["duration"], kept["shardGroupDuration"]) == ("0s", "8736h0m0s"), "for ever, in few shards"


@pytest.mark.slow
def test_a_user_who_may_not_make_it_says_what_to_do(influx: Database) -> None:
    influx.server.query("CREATE USER nobody WITH PASSWORD 'x'")
    client = Influx(Access(influx.server.url, "nobody", Secret("x")), influx.name)
    with pytest.raises(
        Forbidden, match=f"there is no database {influx.name} at .* may not be made"
    ) as raised:
        sent(client, LINES)
    assert raised.value.hint == f'make it there: CREATE DATABASE "{influx.name}"'


@pytest.mark.slow
def test_a_wrong_password_is_said_and_never_shown(influx: Database) -> None:
    client = Influx(Access(influx.server.url, USER, Secret("not it")), influx.name)
    with pytest.raises(Forbidden) as raised:
        sent(client, LINES)
    assert raised.value.message == f"{influx.server.url} refuses the user cloudburst: authorization failed"
    assert "not it" not in str(vars(raised.value))


@pytest.mark.slow
def test_lines_that_are_refused_are_told_and_the_others_stored(influx: Database) -> None:
    sent(influx.client(), "m v=1 1")
    [said] = sent(influx.client(), 'm v="x" 2\nm w=1 3')
    assert said.startswith("partial write: field type conflict")
    assert influx.count("w", "m") == 1


@pytest.mark.slow
def test_one_job_is_deleted_and_no_other(influx: Database) -> None:
    lines = "\n".join(
        f"m{m},study={s},id={i} v=1 {n}" for m in "ab" for s in "st" for i in "xy" for n in range(3)
    )
    sent(influx.client(), lines)
    with closing(influx.client()) as client:
        assert client.count("s", ["x", "y"], ["ma", "mb"]) == {
            "x": {("ma", "v"): 3, ("mb", "v"): 3},
            "y": {("ma", "v"): 3, ("mb", "v"): 3},
        }
        client.delete("s", ["x"])
        assert client.count("s", ["x", "y"], ["ma", "mb"]) == {"y": {("ma", "v"): 3, ("mb", "v"): 3}}
        assert client.count("t", ["x"], ["ma"]) == {"x": {("ma", "v"): 3}}


@pytest.mark.slow
def test_a_database_that_is_not_there_holds_nothing(influx: Database) -> None:
    with closing(influx.client()) as client:
        assert client.count("s", ["x"], ["m"]) == {}
        assert client.count_jobs("s") == 0
        client.delete("s", ["x"])


@pytest.mark.slow
def test_a_server_that_is_gone_is_unavailable_until_it_is_back(start_influxd: Callable[..., Influxd]) -> None:
    server = start_influxd()
    with closing(Influx(server.access, "one")) as client:
        client.write(LINES.encode())
        client.settle()
        server.kill()
        with pytest.raises(Unavailable, match="does not answer"):
            client.count_jobs("s")
        server.start()
        client.write(LINES.encode())
        client.settle()
    assert Database(server, "one").count("v", "m") == 10


# ── servers that a test plays ────────────────────────────────────────────────────────────────
class Played(BaseHTTPRequestHandler):
    """Answers with the next status; keeps what it was asked."""

    protocol_version = "HTTP/1.1"
    answers: ClassVar[list[tuple[int, str]]] = []
    asked: ClassVar[list[tuple[str, dict[str, str], bytes]]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.asked.append((self.path, dict(self.headers), body))
        status, said = self.answers.pop(0) if self.answers else (204, "")
        self.send_response(status)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said.encode())

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def played() -> Iterator[str]:
    """Its address."""
    Played.answers, Played.asked = [], []
    server = HTTPServer(("127.0.0.1", 0), Played)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_credentials_are_in_a_header_and_the_path_of_the_url_is_kept(played: str) -> None:
    sent(Influx(Access(f"{played}/influx/", USER, Secret(PASSWORD)), "a b"), LINES)
    sent(Influx(Access(played, token=Secret("t0ken")), "db"), LINES)
    sent(Influx(Access(played), "db"), LINES)
    (path, first, body), (_, second, _), (_, third, _) = Played.asked
    assert path == "/influx/write?db=a%20b&precision=ns"
    assert body.decode() == LINES
    assert first["Authorization"] == "Basic Y2xvdWRidXJzdDpwYXNzOndvcmQ="
    assert second["Authorization"] == "Token t0ken"
    assert "Authorization" not in third


def test_what_goes_far_is_compressed(played: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cloudburst.run.sinks.influxdb._HERE", frozenset())
    sent(Influx(Access(played), "db"), LINES)
    [(_, headers, body)] = Played.asked
    assert headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(body).decode() == LINES


@pytest.mark.parametrize(
    ("status", "said", "sentence"),
    [
        (503, '{"error": "timeout"}', r"cannot take points now \(503\): timeout"),
        (429, "", r"cannot take points now \(429\): Too Many Requests"),
        (404, "<html>no such page</html>", "answers 404, as no InfluxDB does: <html>no such page</html>"),
        (302, "", "answers 302, as no InfluxDB does"),
    ],
)
def test_other_answers_are_sentences(played: str, status: int, said: str, sentence: str) -> None:
    Played.answers = [(status, said)]
    with pytest.raises(Unavailable, match=sentence):
        sent(Influx(Access(played), "db"), LINES)


def test_a_database_that_cannot_be_made_is_not_made_for_ever(played: str) -> None:
    missing = (404, '{"error": "database not found: \\"db\\""}')
    Played.answers = [missing, (200, '{"results": [{}]}'), missing, missing]
    with pytest.raises(Unavailable, match="404"):
        sent(Influx(Access(played), "db"), LINES)
    assert len(Played.asked) == 3


def test_something_else_that_answers_is_said(played: str) -> None:
    Played.answers = [(200, "<html>")]
    with closing(Influx(Access(played), "db")) as client, pytest.raises(Unavailable, match="is no InfluxDB"):
        client.count_jobs("s")


def test_too_large_is_sent_in_halves(played: str) -> None:
    Played.answers = [(413, ""), (204, ""), (413, "")]
    assert sent(Influx(Access(played), "db"), LINES) == []
    whole, *parts = (body for _, _, body in Played.asked)
    assert [len(part.splitlines()) for part in parts] == [5, 5, 2, 3] or len(parts) == 4
    assert sorted(set("\n".join(p.decode() for p in parts).splitlines())) == LINES.splitlines()
    assert whole.decode() == LINES


def test_a_single_line_that_is_too_large_is_told(played: str) -> None:
    Played.answers = [(413, "too large")]
    assert sent(Influx(Access(played), "db"), "m v=1 1") == [
        "a line of 7 bytes is too large for it: too large"
    ]


def test_a_body_whose_connection_is_cut_is_sent_in_parts() -> None:
    """Some servers cut off a body that is too large, and their answer is lost on the way."""
    lines = "\n".join(f"m v={n} {n}" for n in range(200_000))
    received: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=_cut_off_what_is_large, args=(listening, 1_000_000, received))
        thread.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        sent(Influx(Access(url), "db"), lines)
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()
    assert b"\n".join(received).decode() == lines


def _cut_off_what_is_large(listening: socket.socket, limit: int, received: list[bytes]) -> None:
    while True:
        try:
            connection, _ = listening.accept()
        except OSError:
            return
        with connection, connection.makefile("rb") as reading:
            while head := _head(reading):
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                if length > limit:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    break
                received.append(reading.read(length))
                connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")


def _head(reading: Any) -> bytes:
    """Of a request; empty when there is none any more."""
    lines = [reading.readline()]
    while lines[-1].strip():
        lines.append(reading.readline())
    return b"".join(lines)


def test_nobody_there() -> None:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{one.getsockname()[1]}"
        with pytest.raises(Unavailable, match=f"{url} does not answer: Connection refused"):
            sent(Influx(Access(url), "db"), LINES)
