"""A port of this machine that leads elsewhere: to a socket, to a place that changes, to nothing."""

from __future__ import annotations

import io
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from cloudburst.errors import CloudBurstError
from cloudburst.run.forward import forwarding
from cloudburst.run.http import Reply, Request, Server, Unanswered, request
from cloudburst.secret import Secret

TOKEN = Secret("a token")


class Named:
    """Says its name, and how many bytes came."""

    tokens: Mapping[str, Secret] = {"api": TOKEN}

    def __init__(self, name: str) -> None:
        self._name = name

    def answer(self, request: Request) -> Reply:
        if request.path == "/large":
            return Reply(file=io.BytesIO(b"x" * 8_000_000), size=8_000_000)
        return Reply(json={"name": self._name, "bytes": sum(map(len, request.chunks()))})


@contextmanager
def serving(address: str, name: str) -> Iterator[str]:
    server = Server(address, Named(name))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield address
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_what_goes_in_comes_out_unchanged(short: Path) -> None:
    with serving(f"unix:{short}/one.sock", "one") as address, forwarding(address) as port:
        here = f"tcp:127.0.0.1:{port}"
        body = bytes(range(256)) * 20_000
        assert request(here, "PUT", "/", token=TOKEN, body=body).json() == {"name": "one", "bytes": len(body)}
        assert request(here, "GET", "/large", token=TOKEN).body == b"x" * 8_000_000
        assert request(here, "GET", "/", token=Secret("none")).status == 401, "the service's own lock stays"


def test_the_place_is_asked_for_with_each_connection(short: Path) -> None:
    places = iter([f"unix:{short}/one.sock", f"unix:{short}/two.sock"])
    with (
        serving(f"unix:{short}/one.sock", "one"),
        serving(f"unix:{short}/two.sock", "two"),
        forwarding(lambda: next(places)) as port,
    ):
        names = [request(f"tcp:127.0.0.1:{port}", "GET", "/", token=TOKEN).json()["name"] for _ in range(2)]
    assert names == ["one", "two"]


def test_many_at_once(short: Path) -> None:
    with serving(f"unix:{short}/one.sock", "one") as address, forwarding(address) as port:
        found: list[int] = []

        def ask() -> None:
            found.append(len(request(f"tcp:127.0.0.1:{port}", "GET", "/large", token=TOKEN).body))

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == [8_000_000] * 8


def test_where_nothing_answers_a_browser_is_told(short: Path) -> None:
    def nowhere() -> str:
        raise Unanswered("the machine cannot be reached: no route to host")

    for where in (nowhere, f"unix:{short}/nobody.sock"):
        with forwarding(where) as port:
            answer = request(f"tcp:127.0.0.1:{port}", "GET", "/")
        assert answer.status == 502
        assert answer.body.decode().startswith("The study's gateway does not answer now: ")


def test_only_this_machine_gets_in(short: Path) -> None:
    with forwarding(f"unix:{short}/one.sock") as port, socket.socket() as other:
        other.bind(("127.0.0.2", port))  # free: the forwarder took one address, not every one


def test_a_port_that_is_taken_is_a_sentence(short: Path) -> None:
    with (
        forwarding(f"unix:{short}/one.sock") as port,
        pytest.raises(CloudBurstError, match=f"port {port} of this machine cannot be had"),
        forwarding(f"unix:{short}/one.sock", port),
    ):
        pass
