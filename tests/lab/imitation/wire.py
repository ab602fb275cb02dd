"""HTTP over connections that are kept alive: requests come in whole, replies go out whole, cut, late or not at all."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

LONGEST_BODY = 4 * 2**20


@dataclass(frozen=True)
class Sent:
    """A request. Names of headers are lower case; `caller` is the address it came from."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    caller: str


@dataclass(frozen=True)
class Reply:
    """`status` None: the connection breaks instead. `cut`: half of the body, then the connection breaks.
    `delay` in seconds; the end of the server cuts it short."""

    status: int | None
    headers: dict[str, str]
    body: bytes
    cut: bool = False
    delay: float = 0.0


Serve = Callable[[Sent], Reply]


class Wire:
    """A server in a thread of its own, each connection in another."""

    def __init__(self, address: str, port: int, serve: Serve) -> None:
        self.closing = threading.Event()
        self._server = _Server((address, port), serve, self.closing)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Listens no more, and ends every connection."""
        self.closing.set()
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()
        self._server.hang_up()

    @property
    def url(self) -> str:
        """Without a trailing slash."""
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}"


class _Server(ThreadingHTTPServer):
    """Remembers its connections, to end them."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], serve: Serve, closing: threading.Event) -> None:
        self.serve, self.closing = serve, closing
        self._open: set[socket.socket] = set()
        self._guard = threading.Lock()
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._guard:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._guard:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Only connections that break arrive here: what fails in answering is a reply."""

    def hang_up(self) -> None:
        with self._guard:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "imitation"
    sys_version = ""
    wbufsize = -1  # one reply, one packet: with several, every reply waits for an acknowledgement
    disable_nagle_algorithm = True
    server: _Server

    def _handle(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        if length > LONGEST_BODY:
            self.close_connection = True
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        body, caller = self.rfile.read(length), str(self.client_address[0])
        self._reply(self.server.serve(Sent(self.command, self.path, headers, body, caller)))

    do_GET = _handle  # noqa: N815
    do_POST = _handle  # noqa: N815
    do_PUT = _handle  # noqa: N815
    do_PATCH = _handle  # noqa: N815
    do_DELETE = _handle  # noqa: N815

    def _reply(self, reply: Reply) -> None:
        if reply.delay:
            self.server.closing.wait(reply.delay)
        self.close_connection |= reply.cut or reply.status is None
        if reply.status is None:
            return
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if reply.status != 204:
            self.send_header("content-length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body[: len(reply.body) // 2] if reply.cut else reply.body)
        self.wfile.flush()

    def log_message(self, *_: Any) -> None:
        """Nothing: whoever serves keeps what was said."""
