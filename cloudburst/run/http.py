"""A little HTTP over a unix socket or TCP: the client side, and the base of the two services.

The services are small and private; what they share is here: bearer tokens, errors as JSON
sentences, limits on sizes and times, connections that stay open. What they do is elsewhere.
"""

from __future__ import annotations

import base64
import contextlib
import hmac
import http.client
import json
import logging
import os
import shutil
import socket
import socketserver
import stat
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from io import BufferedIOBase
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from ..errors import CloudBurstError
from ..secret import Secret
from .addresses import Address, UnixAddress, parse_address

log = logging.getLogger(__name__)

CHUNK = 1 << 20
"""Bytes moved at a time."""

USER = "cloudburst"
VIEWER = "view"
"""A browser has no way to send a token but as a password: this role may come as Basic too."""

LINGER = 10.0
"""Seconds a client that was refused may go on sending before it is cut off."""


# ── client ───────────────────────────────────────────────────────────────────────────────────
class Unanswered(Exception):
    """Nobody answers at the address, or not in time. The clients of the services translate it."""


@dataclass(frozen=True)
class Response:
    status: int
    body: bytes

    def json(self) -> Any:
        """The body as JSON; `{}` when it is empty or is none."""
        try:
            return json.loads(self.body) if self.body else {}
        except ValueError:
            return {}

    @property
    def error(self) -> str:
        """The sentence of a refusal."""
        said = self.json()
        text = said.get("error") if isinstance(said, dict) else None
        return str(text) if text else f"{self.status} {http.client.responses.get(self.status, '')}".strip()


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def request(
    address: str,
    method: str,
    path: str,
    *,
    token: Secret | None = None,
    body: bytes | BinaryIO | None = None,
    size: int | None = None,
    timeout: float = 30.0,
) -> Response:
    """One request and its whole answer. A body that is a file needs its `size` in bytes.

    `timeout` in seconds, for each step. Raises Unanswered.
    """
    with exchange(address, method, path, token=token, body=body, size=size, timeout=timeout) as answer:
        return Response(answer.status, answer.read())


@contextlib.contextmanager
def exchange(
    address: str,
    method: str,
    path: str,
    *,
    token: Secret | None = None,
    body: bytes | BinaryIO | None = None,
    size: int | None = None,
    timeout: float = 30.0,
) -> Iterator[http.client.HTTPResponse]:
    """As `request`, for an answer too large to hold: read from it inside the `with`."""
    connection = _connection(parse_address(address), timeout)
    headers = {"Content-Length": str(len(body) if isinstance(body, bytes) else size or 0)}
    if token is not None:
        headers["Authorization"] = f"Bearer {token.reveal()}"
    try:
        # A server that refuses early stops reading; its answer is there all the same.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.request(method, path, body=body, headers=headers)
        yield connection.getresponse()
    except (OSError, http.client.HTTPException) as error:
        raise Unanswered(f"nothing answers at {address}: {str(error) or type(error).__name__}") from error
    finally:
        connection.close()


def _connection(address: Address, timeout: float) -> http.client.HTTPConnection:
    if isinstance(address, UnixAddress):
        return _UnixConnection(address.path, timeout)
    return http.client.HTTPConnection(address.host, address.port, timeout=timeout)


# ── server ───────────────────────────────────────────────────────────────────────────────────
class Refused(Exception):
    """A request that is answered with a sentence; `more` stands beside it in the JSON."""

    def __init__(self, status: HTTPStatus, sentence: str, **more: Any) -> None:
        super().__init__(sentence)
        self.status = status
        self.body = {"error": sentence, **more}


@dataclass(frozen=True)
class Text:
    """A body that is neither JSON nor a file. `kind` as in Content-Type."""

    content: str
    kind: str


@dataclass(frozen=True)
class Reply:
    """What a service answers: JSON, or a file with its size in bytes, or a text, or nothing."""

    status: HTTPStatus = HTTPStatus.OK
    json: Any = None
    file: BinaryIO | None = None
    size: int = 0
    text: Text | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Request:
    """A request whose token is known already: `role` is the name of the token."""

    method: str
    path: str
    role: str
    length: int | None
    _body: BufferedIOBase = field(repr=False)
    unread: int = 0

    def chunks(self) -> Iterator[bytes]:
        """The body, piece by piece. Raises Refused (411) when its length is not said, and
        ConnectionError when the client goes away in the middle of it."""
        if self.length is None:
            raise Refused(HTTPStatus.LENGTH_REQUIRED, "a Content-Length is needed")
        while self.unread:
            piece = self._body.read(min(CHUNK, self.unread))
            if not piece:
                raise ConnectionAbortedError("the body ended early")
            self.unread -= len(piece)
            yield piece

    def body_as_json(self, limit: int) -> Any:
        """Raises Refused: 413 over `limit` bytes, 400 when it is no JSON."""
        if self.length is not None and self.length > limit:
            raise Refused(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body may have {limit} bytes", limit=limit
            )
        try:
            return json.loads(b"".join(self.chunks()))
        except ValueError as error:
            raise Refused(HTTPStatus.BAD_REQUEST, f"the body is not JSON: {error}") from error


class Service(Protocol):
    """What is behind a server."""

    @property
    def tokens(self) -> Mapping[str, Secret]:
        """Role -> its token."""
        ...

    def answer(self, request: Request) -> Reply:
        """Called from many threads. May raise Refused."""
        ...


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60.0
    """Seconds a connection may be silent."""
    wbufsize = 1 << 16
    """Head and body leave together: apart, TCP may hold the second back."""

    server: Server

    def parse_request(self) -> bool:
        """Every method goes one way; which exist is the service's to say."""
        if not super().parse_request():
            return False
        self._serve()
        return False

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except ConnectionError:
            self.close_connection = True

    def _serve(self) -> None:
        wanted = Request(self.command, self.path, "", self._length(), self.rfile)
        wanted.unread = sys.maxsize if self.headers.get("Transfer-Encoding") else wanted.length or 0
        try:
            wanted.role = self._role()
            reply = self.server.service.answer(wanted)
        except Refused as refusal:
            reply = Reply(refusal.status, refusal.body)
        except (ConnectionError, TimeoutError):
            self.close_connection = True
            return
        except Exception:
            log.exception("%s %s", self.command, self.path)
            reply = Reply(
                HTTPStatus.INTERNAL_SERVER_ERROR, {"error": "an error in the service; its log says more"}
            )
        self._send(reply, keep=not wanted.unread)
        self._discard(wanted.unread)

    def _length(self) -> int | None:
        """None when the length is not said; a body sent in chunks is not read."""
        text = self.headers.get("Content-Length", "")
        if self.headers.get("Transfer-Encoding"):
            return None
        if text.isascii() and text.isdigit():
            return int(text)
        return None if self.command in {"PUT", "POST"} else 0

    def _role(self) -> str:
        kind, _, given = self.headers.get("Authorization", "").partition(" ")
        given = given.strip()
        for role, token in self.server.service.tokens.items():
            if kind == "Bearer" and _is_same(given, token.reveal()):
                return role
            if kind == "Basic" and role == VIEWER and _is_same(given, basic(token)):
                return role
        raise Refused(HTTPStatus.UNAUTHORIZED, "a valid token is needed: Authorization: Bearer TOKEN")

    def _send(self, reply: Reply, *, keep: bool) -> None:
        body = _body(reply)
        self.send_response(reply.status)
        self.send_header("Content-Length", str(reply.size if reply.file or not body else len(body)))
        self.send_header("Content-Type", _kind(reply))
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if reply.status == HTTPStatus.UNAUTHORIZED:
            self.send_header("WWW-Authenticate", "Bearer")
            if VIEWER in self.server.service.tokens:  # a browser asks its user then
                self.send_header("WWW-Authenticate", f'Basic realm="{USER}", charset="UTF-8"')
        if not keep:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        if reply.file:
            with reply.file:
                if self.command != "HEAD":
                    shutil.copyfileobj(reply.file, self.wfile, CHUNK)
        self.wfile.flush()

    def _discard(self, unread: int) -> None:
        """Read what a refused client still sends, within reason: closing at once can lose the answer."""
        if not unread:
            return
        self.close_connection = True
        deadline = time.monotonic() + LINGER
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            self.connection.settimeout(2.0)
            while time.monotonic() < deadline and self.rfile.read1(CHUNK):
                pass

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        log.debug(format, *args)

    def address_string(self) -> str:
        return str(self.server.address)


def _body(reply: Reply) -> bytes:
    if reply.text:
        return reply.text.content.encode()
    return b"" if reply.json is None else json.dumps(reply.json).encode()


def _kind(reply: Reply) -> str:
    if reply.text:
        return reply.text.kind
    return "application/octet-stream" if reply.file else "application/json"


def _is_same(given: str, known: str) -> bool:
    """In a time that does not tell how much of it was right."""
    return hmac.compare_digest(given.encode(), known.encode())


def basic(token: Secret) -> str:
    """What a browser sends after `Basic ` when its user gives USER and the token."""
    return base64.b64encode(f"{USER}:{token.reveal()}".encode()).decode()


class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """Listens as soon as it exists; `serve_forever` in whatever thread the caller likes.

    On a unix socket only this user can connect. A socket left by a killed server is replaced; one
    that answers is not. Raises CloudBurstError when the address cannot be had.
    """

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, address: str, service: Service) -> None:
        self.service = service
        self.address = parse_address(address)
        place: Any
        if isinstance(self.address, UnixAddress):
            self.address_family = socket.AF_UNIX
            place = self.address.path
            _remove_leftover(self.address)
        else:
            self.address_family = socket.AF_INET6 if ":" in self.address.host else socket.AF_INET
            place = (self.address.host, self.address.port)
        try:
            super().__init__(place, _Handler)
        except OSError as error:
            raise CloudBurstError(f"cannot listen at {address}: {error.strerror or error}") from error
        if isinstance(self.address, UnixAddress):
            os.chmod(self.address.path, 0o600)
            self._inode = os.stat(self.address.path).st_ino

    def server_close(self) -> None:
        super().server_close()
        if isinstance(self.address, UnixAddress):
            with contextlib.suppress(OSError):
                if os.stat(self.address.path).st_ino == self._inode:
                    os.unlink(self.address.path)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - the base class's
        if not isinstance(sys.exception(), OSError):
            log.exception("a connection ended in an error")


def _remove_leftover(address: UnixAddress) -> None:
    try:
        if not stat.S_ISSOCK(os.lstat(address.path).st_mode):
            raise CloudBurstError(f"{address.path} is in the way: it is not a socket")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(address.path)
        except OSError:
            Path(address.path).unlink(missing_ok=True)
            return
    raise CloudBurstError(f"another process listens at {address} already")
