"""Recording: a proxy in front of a real account (or another imitation) that writes down what is said, redacted.

One JSON file for each exchange, numbered. Never written: the token, and what is under the keys of `PERSONAL`. Public
addresses are replaced, each always by the same one of a range that is nobody's.
"""

from __future__ import annotations

import http.client
import ipaddress
import itertools
import json
import re
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from email.message import Message
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from .exchange import HIDDEN, Exchange
from .request import Request
from .wire import Reply, Sent, Wire

PERSONAL = frozenset({"email", "public_key", "user_data", "uuid", "status_message"})
OWNER = frozenset({"account", "team"})
ADDRESS = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w.])")
PASSED_ON = ("authorization", "content-type", "user-agent", "accept")
PASSED_BACK = ("content-type", "retry-after", "ratelimit-limit", "ratelimit-remaining", "ratelimit-reset")
PATIENCE = 120.0
"""Seconds the account behind has to answer."""


class Recorder:
    """Listens here, passes on to `behind` (`https://api.digitalocean.com`), writes into `directory`."""

    def __init__(self, behind: str, directory: Path, *, address: str = "127.0.0.1", port: int = 0) -> None:
        self._behind, self._directory = behind.rstrip("/"), directory
        self._numbers, self._redaction = itertools.count(1), Redaction()
        self._lock = threading.Lock()
        self._wire = Wire(address, port, self._serve)
        directory.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> Self:
        self._wire.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._wire.close()

    @property
    def end_point(self) -> str:
        """What goes into DIGITALOCEAN_END_POINT."""
        return f"{self._wire.url}/v2/"

    def _serve(self, sent: Sent) -> Reply:
        reply = self._pass_on(sent)
        request = Request(sent)
        with self._lock:
            exchange = self._redaction.exchange(request, reply)
            name = re.sub(r"\W+", "-", f"{request.method}{request.path}").strip("-")
            place = (
                self._directory / f"{next(self._numbers):04}-{self._redaction.text(name, request.token)}.json"
            )
            place.write_text(json.dumps(_form(exchange), indent=2, ensure_ascii=False) + "\n", "utf-8")
        return reply

    def _pass_on(self, sent: Sent) -> Reply:
        """The answer from behind; its links lead back here, so that the next page is recorded too."""
        headers = {name: sent.headers[name] for name in PASSED_ON if name in sent.headers}
        request = urllib.request.Request(
            f"{self._behind}{sent.target}", sent.body or None, headers, method=sent.method
        )
        try:
            with _OPENER.open(request, timeout=PATIENCE) as answer:
                return self._reply(answer.status, answer.headers, answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return self._reply(error.code, error.headers, error.read())
        except (OSError, http.client.HTTPException):
            return Reply(None, {}, b"")

    def _reply(self, status: int, headers: Message, body: bytes) -> Reply:
        kept = {name: headers[name] for name in PASSED_BACK if headers[name] is not None}
        return Reply(status, kept, body.replace(self._behind.encode(), self._wire.url.encode()))


class _Stay(urllib.request.HTTPRedirectHandler):
    """A redirect is an answer like others: the token goes nowhere else."""

    def redirect_request(self, *_: Any) -> None:
        return None


_OPENER = urllib.request.build_opener(_Stay)


class Redaction:
    """Takes out of an exchange what is nobody's business; the same address becomes the same placeholder."""

    def __init__(self) -> None:
        self._stand_ins: dict[str, str] = {}
        self._free = (str(one) for one in ipaddress.IPv4Network("203.0.113.0/24").hosts())

    def exchange(self, request: Request, reply: Reply) -> Exchange:
        token = request.token
        return Exchange(
            request.method,
            self.text(request.path, token),
            request.template,
            tuple((name, self.text(value, token)) for name, value in request.query),
            headers={name: request.headers[name] for name in ("content-type",) if name in request.headers}
            | ({"authorization": HIDDEN} if token else {}),
            sent=self._body(request.sent, token),
            status=reply.status,
            answer_headers=reply.headers,
            answer=self._body(reply.body, token),
            at=time.time(),
        )

    def text(self, said: str, token: str) -> str:
        said = said.replace(token, "***") if token else said
        return ADDRESS.sub(lambda found: self._stand_in(found[0]), said)

    def _stand_in(self, address: str) -> str:
        try:
            is_public = ipaddress.IPv4Address(address).is_global
        except ValueError:
            return address
        if not is_public:
            return address
        if address not in self._stand_ins:
            self._stand_ins[address] = next(self._free, "203.0.113.255")
        return self._stand_ins[address]

    def _body(self, body: bytes, token: str) -> bytes:
        try:
            read = json.loads(body)
        except ValueError:
            return self.text(body.decode("utf-8", "replace"), token).encode()
        return json.dumps(self._value(read, token)).encode()

    def _value(self, value: Any, token: str, owner: bool = False) -> Any:
        if isinstance(value, dict):
            return {
                name: self._hidden(inner)
                if name in PERSONAL or (owner and name == "name")
                else self._value(inner, token, name in OWNER)
                for name, inner in value.items()
            }
        if isinstance(value, list):
            return [self._value(one, token) for one in value]
        return self.text(value, token) if isinstance(value, str) else value

    def _hidden(self, value: Any) -> Any:
        return "***" if isinstance(value, str) and value else value


def _form(exchange: Exchange) -> dict[str, Any]:
    return {
        "at": round(exchange.at, 3),
        "method": exchange.method,
        "path": exchange.path,
        "query": [list(pair) for pair in exchange.query],
        "headers": exchange.headers,
        "sent": exchange.sent.decode(),
        "status": exchange.status,
        "answer_headers": exchange.answer_headers,
        "answer": exchange.answer.decode(),
    }


def read(directory: Path) -> Iterator[Exchange]:
    """What was recorded, in order."""
    from . import description

    for place in sorted(directory.glob("*.json")):
        said = json.loads(place.read_text("utf-8"))
        found = description.find(said["path"])
        yield Exchange(
            said["method"],
            said["path"],
            found.template if found else None,
            tuple((name, value) for name, value in said["query"]),
            headers=said["headers"],
            sent=said["sent"].encode(),
            status=said["status"],
            answer_headers=said["answer_headers"],
            answer=said["answer"].encode(),
            at=said["at"],
        )
