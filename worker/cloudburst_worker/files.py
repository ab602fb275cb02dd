"""The file store as a worker node sees it: fetch payloads and inputs, store series and files."""

from __future__ import annotations

import hashlib
import http.client
import json
import selectors
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Protocol

from . import addresses

_CHUNK = 2**18
_SILENCE = 8.0
"""Seconds for one step of a transfer: a cut network swallows packets and says nothing. Less than a lease lasts."""
_ANSWER = 10.0
_DISK = 10e6
"""Seconds for an answer to what was sent whole, and bytes a second that the store's disk takes at least: it
answers when they are there."""
_PATIENCE = 600.0
_PASSING_STATUS = (408, 425, 429)
_LARGE = 4 * 2**20
"""Above this it is worth asking first whether the store has the object."""


_BREAKS = 3


class StoreAway(Exception):
    """The file store did not answer for as long as we hold on."""


class Refused(Exception):
    """The file store will not do it; the message is its sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class Source(Protocol):
    """Where payloads and inputs come from."""

    def fetch(self, digest: str, target: Path) -> None:
        """Writes the object to `target`. Raises Refused or StoreAway."""


class Directory:
    """The file store's own directory, when it lies on this machine (`root/payload/<sha256>`)."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def fetch(self, digest: str, target: Path) -> None:
        for place in (self._root / "payload" / digest, self._root / "payload" / digest[:2] / digest):
            if place.is_file():
                _copy(place, target)
                return
        raise Refused(404, f"there is no {digest} under {self._root / 'payload'}")


def _copy(source: Path, target: Path) -> None:
    with source.open("rb") as reader, target.open("wb") as writer:
        while chunk := reader.read(_CHUNK):
            writer.write(chunk)


class FileStore:
    """A client that keeps its connection, and holds on (`patience` in seconds) when the store is away."""

    def __init__(self, address: str, token: str, patience: float = _PATIENCE) -> None:
        self._place = addresses.parse(address)
        self._token = token
        self._patience = patience
        self._while_waiting: Callable[[], None] = _nothing
        self._broken_off = 0
        self._connection: http.client.HTTPConnection | None = None

    def fetch(self, digest: str, target: Path) -> None:
        """Writes the payload or input to `target`. Raises Refused or StoreAway."""
        self._persist(lambda: self._get(f"/files/payload/{digest}", target))

    def store(self, file: Path, while_waiting: Callable[[], None] | None = None) -> tuple[str, int]:
        """Stores a result; its sha256 and its size in bytes. Raises Refused or StoreAway.

        `while_waiting` is called often when that takes long; what it raises comes out.
        """
        self._while_waiting, self._broken_off = while_waiting or _nothing, 0
        digest, size = _digest(file, self._while_waiting)
        self._persist(lambda: self._put(f"/files/results/{digest}", file, size))
        return digest, size

    # ── one request ──────────────────────────────────────────────────────────────────────────
    def _get(self, path: str, target: Path) -> None:
        connection = self._connect()
        connection.request("GET", path, headers=self._headers())
        response = self._answer(connection)
        if response.status != 200:
            raise _refusal(response.status, response.read())
        with target.open("wb") as file:
            while chunk := response.read(_CHUNK):
                file.write(chunk)
                self._while_waiting()
        if response.length:
            raise _Passing("the file store broke off")

    def _put(self, path: str, file: Path, size: int) -> None:
        connection = self._connect()
        if size > _LARGE and self._has(connection, path):
            return
        connection.putrequest("PUT", path, skip_accept_encoding=True)
        for name, value in {**self._headers(), "Content-Length": str(size)}.items():
            connection.putheader(name, value)
        with file.open("rb") as body:
            connection.endheaders(body.read(_CHUNK) if size <= _CHUNK else None)
            whole = self._send_rest(connection, body)
        try:
            response = self._answer(connection, size)
        except ConnectionError as error:
            raise self._judge_break(size, whole) from error
        answer = response.read()
        if response.status not in (200, 201):
            raise _refusal(response.status, answer)

    def _send_rest(self, connection: http.client.HTTPConnection, body: BinaryIO) -> bool:
        """Sends what is left of the body; False when the store does not want to hear it, and says why."""
        while chunk := body.read(_CHUNK):
            try:
                connection.send(chunk)
            except (BrokenPipeError, ConnectionResetError):
                return False
            self._while_waiting()
        return True

    def _judge_break(self, size: int, whole: bool) -> Exception:
        """A store that breaks off again and again refuses; its reason was lost on the way."""
        self._broken_off += 0 if whole else 1
        if self._broken_off >= _BREAKS:
            return Refused(0, f"the file store broke off a transfer of {size} bytes {_BREAKS} times")
        return _Passing("the file store broke off")

    def _has(self, connection: http.client.HTTPConnection, path: str) -> bool:
        connection.request("HEAD", path, headers=self._headers())
        response = self._answer(connection)
        response.read()
        return response.status == 200

    def _answer(self, connection: http.client.HTTPConnection, size: int = 0) -> http.client.HTTPResponse:
        """Waits for an answer, and lets who waits for us do what it must meanwhile. `size`: bytes it got."""
        patience = _ANSWER + size / _DISK
        deadline = time.monotonic() + patience
        with selectors.DefaultSelector() as selector:
            selector.register(connection.sock, selectors.EVENT_READ)
            while not selector.select(1.0):
                self._while_waiting()
                if time.monotonic() > deadline:
                    raise TimeoutError(f"it did not answer within {patience:.0f} s")
        return connection.getresponse()

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}"}

    # ── holding on ───────────────────────────────────────────────────────────────────────────
    def _persist(self, attempt: Callable[[], None]) -> None:
        deadline, pause = time.monotonic() + self._patience, 0.05
        while True:
            try:
                return attempt()
            except (OSError, http.client.HTTPException, _Passing) as error:
                self.hang_up()
                if time.monotonic() + pause > deadline:
                    raise StoreAway(_gave_up(error, self._patience)) from error
            except Refused:
                self.hang_up()
                raise
            self._while_waiting()
            time.sleep(pause)
            pause = min(2 * pause, 2.0)

    def _connect(self) -> http.client.HTTPConnection:
        if self._connection is None:
            place = self._place
            if isinstance(place, addresses.Unix):
                self._connection = _UnixConnection(place.path)
            else:
                self._connection = _TcpConnection(place.host, place.port, timeout=_SILENCE)
        return self._connection

    def hang_up(self) -> None:
        """Closes the connection; the next request makes another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _gave_up(error: Exception, patience: float) -> str:
    tried = f"tried for {patience / 60:.0f} min" if patience >= 60 else f"tried for {patience:.0f} s"
    if isinstance(error, _Passing):
        return f"the file store says: {error} ({tried})"
    return f"the file store does not answer: {str(error) or type(error).__name__} ({tried})"


def _nothing() -> None:
    """Nobody waits."""


class _Passing(Exception):
    """An answer that a later attempt may not get: the store is overloaded or has no space right now."""


def _refusal(status: int, body: bytes) -> Exception:
    try:
        sentence = str(json.loads(body)["error"])
    except (ValueError, KeyError, TypeError):
        sentence = f"the file store answered {status}"
    return _Passing(sentence) if status >= 500 or status in _PASSING_STATUS else Refused(status, sentence)


def _digest(file: Path, while_waiting: Callable[[], None]) -> tuple[str, int]:
    sha, size = hashlib.sha256(), 0
    with file.open("rb") as body:
        while chunk := body.read(_CHUNK):
            sha.update(chunk)
            size += len(chunk)
            while_waiting()
    return sha.hexdigest(), size


class _TcpConnection(http.client.HTTPConnection):
    """HTTP over TCP that notices when the other side has vanished."""

    def connect(self) -> None:
        super().connect()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in addresses.watchful(_SILENCE).items():
            self.sock.setsockopt(socket.IPPROTO_TCP, option, value)


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=_SILENCE)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(_SILENCE)
        self.sock.connect(self._path)
