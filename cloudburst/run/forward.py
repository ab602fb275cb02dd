"""A port of this machine that leads to a service elsewhere: browsers speak TCP, and only to the loopback.

Bytes go both ways as they are. The service's address is asked for anew for each connection, so a
gateway that was started again is found. Whoever connects needs the service's own credential.
"""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
from collections.abc import Iterator

from ..errors import CloudBurstError
from .addresses import UnixAddress, Where, address_now, parse_address
from .http import Unanswered

CONNECT = 10.0
"""Seconds a service has to accept a connection."""
CHUNK = 1 << 16


class Forwarder(socketserver.ThreadingTCPServer):
    """Listens on 127.0.0.1 as soon as it exists, at a free port or at the one asked for.

    Raises CloudBurstError when that port is taken.
    """

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True

    def __init__(self, where: Where, port: int = 0) -> None:
        self._where = where
        self._asking = threading.Lock()
        try:
            super().__init__(("127.0.0.1", port), _Connection)
        except OSError as error:
            raise CloudBurstError(
                f"port {port} of this machine cannot be had: {error.strerror or error}",
                "without --port a free one is taken",
            ) from error

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def connect(self) -> socket.socket:
        """To the service where it is now. Raises OSError or Unanswered."""
        with self._asking:
            address = parse_address(address_now(self._where))
        if not isinstance(address, UnixAddress):
            return socket.create_connection((address.host, address.port), CONNECT)
        there = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        there.settimeout(CONNECT)
        try:
            there.connect(address.path)
        except OSError:
            there.close()
            raise
        return there


@contextlib.contextmanager
def forwarding(where: Where, port: int = 0) -> Iterator[int]:
    """A Forwarder at work; its port."""
    forwarder = Forwarder(where, port)
    thread = threading.Thread(target=forwarder.serve_forever, args=(0.1,), daemon=True)
    thread.start()
    try:
        yield forwarder.port
    finally:
        forwarder.shutdown()
        forwarder.server_close()
        thread.join()


class _Connection(socketserver.BaseRequestHandler):
    server: Forwarder
    request: socket.socket

    def handle(self) -> None:
        try:
            there = self.server.connect()
        except (OSError, Unanswered, CloudBurstError) as error:
            self._apologise(str(error))
            return
        with there:
            there.settimeout(None)
            back = threading.Thread(target=_pour, args=(there, self.request), daemon=True)
            back.start()
            _pour(self.request, there)
            back.join()

    def _apologise(self, why: str) -> None:
        """Who connects is a browser; a connection that only ends would tell its user nothing."""
        text = f"The study's gateway does not answer now: {why}\nLoad this page again in a moment.\n".encode()
        head = (
            f"HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/plain; charset=utf-8\r\n"
            f"Content-Length: {len(text)}\r\nConnection: close\r\n\r\n"
        )
        with contextlib.suppress(OSError):
            self.request.settimeout(CONNECT)
            self.request.recv(CHUNK)  # an answer before the question is not read
            self.request.sendall(head.encode() + text)


def _pour(source: socket.socket, into: socket.socket) -> None:
    """Until `source` ends; then `into` is told so. When either breaks, both end."""
    try:
        while data := source.recv(CHUNK):
            into.sendall(data)
        into.shutdown(socket.SHUT_WR)
    except OSError:
        for one in (source, into):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
