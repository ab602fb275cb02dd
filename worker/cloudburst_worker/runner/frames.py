"""Messages between runners, supervisor and RQ workers: four bytes of length, then JSON."""

from __future__ import annotations

import json
import socket
import struct
from typing import Any

LIMIT = 64 * 2**20
"""A longer message is a mistake of ours: what a job may receive or return is far below it."""

_LENGTH = struct.Struct(">I")
_encode = json.JSONEncoder(separators=(",", ":")).encode  # pure ASCII, so any text survives the way


class BadFrame(Exception):
    """The other side does not speak this protocol."""


def wrap(body: bytes) -> bytes:
    """A frame around bytes that are JSON already."""
    return _LENGTH.pack(len(body)) + body


def pack(message: Any) -> bytes:
    """The frame of a message."""
    return wrap(_encode(message).encode("ascii"))


class Cutter:
    """Cuts a byte stream into the bodies of its frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The bodies completed by `data`, in order. Raises BadFrame for a length over the limit."""
        buffer = self._buffer
        buffer += data
        bodies = []
        while len(buffer) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(buffer)
            if length > LIMIT:
                raise BadFrame(f"a message of {length} bytes")
            end = _LENGTH.size + length
            if len(buffer) < end:
                break
            bodies.append(bytes(buffer[_LENGTH.size : end]))
            del buffer[:end]
        return bodies


class Line:
    """A blocking end of a socket that carries frames."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._cutter = Cutter()
        self._bodies: list[bytes] = []

    def fileno(self) -> int:
        return self._socket.fileno()

    def send(self, message: Any) -> None:
        self._socket.sendall(pack(message))

    def send_body(self, body: bytes) -> None:
        """Sends bytes that are JSON already."""
        self._socket.sendall(wrap(body))

    def waiting(self) -> bool:
        """Whether a message is here already, so that `read` would not block."""
        return bool(self._bodies)

    def read(self) -> bytes | None:
        """The body of the next message; None when the other side has gone."""
        while not self._bodies:
            data = self._socket.recv(65536)
            if not data:
                return None
            self._bodies = self._cutter.feed(data)
        return self._bodies.pop(0)

    def close(self) -> None:
        self._socket.close()
