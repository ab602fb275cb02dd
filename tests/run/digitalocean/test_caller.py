"""The caller's address, asked of a real server on the loopback."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from cloudburst.errors import Unreachable
from cloudburst.run.digitalocean import caller
from cloudburst.run.digitalocean.caller import VARIABLE, callers_network

PROXIES = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")


@dataclass
class Service:
    url: str = ""
    status: int = 200
    body: bytes = b"203.0.113.7\n"
    asked: int = 0


@pytest.fixture
def service() -> Iterator[Service]:
    one = Service()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            one.asked += 1
            self.send_response(one.status)
            self.send_header("location", f"{one.url}/elsewhere")
            self.send_header("content-length", str(len(one.body)))
            self.end_headers()
            self.wfile.write(one.body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    one.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield one
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize(
    ("given", "network"),
    [
        ("203.0.113.7", "203.0.113.7/32"),
        ("203.0.113.7/24", "203.0.113.0/24"),
        ("2001:db8::7", "2001:db8::7/128"),
    ],
)
def test_an_address_in_the_environment_is_taken_at_its_word(
    given: str, network: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, given)
    assert callers_network() == network


def test_a_service_in_the_environment_is_asked(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, service.url)
    assert callers_network() == "203.0.113.7/32"


def test_the_next_service_is_asked_when_one_answers_nonsense(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(caller, "SERVICES", ("http://127.0.0.1:1", service.url))
    assert callers_network() == "203.0.113.7/32"


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (200, b"<html>sign in</html>", "no address"),
        (200, "é".encode(), "ascii"),
        (503, b"later", "answers 503"),
        (302, b"", "answers 302"),
    ],
)
def test_who_does_not_say_an_address_is_named_and_another_way_shown(
    status: int, body: bytes, reason: str, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, service.url)
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
    service.status, service.body = status, body
    with pytest.raises(Unreachable) as caught:
        callers_network()
    assert service.url in caught.value.message
    assert reason in caught.value.message
    assert "ssh_from" in caught.value.hint
    assert service.asked == 1, "a redirect is not followed"


def test_ssh_goes_past_a_proxy_and_so_does_the_question(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, service.url)
    for name in PROXIES:
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert callers_network() == "203.0.113.7/32"


def test_where_only_a_proxy_leads_out_it_is_asked_that_way(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "http://nobody.invalid/")
    for name in PROXIES:
        monkeypatch.setenv(name, service.url)
    assert callers_network() == "203.0.113.7/32"


def test_the_services_asked_by_default_are_asked_by_https() -> None:
    assert all(service.startswith("https://") for service in caller.SERVICES)
