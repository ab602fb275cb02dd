"""A server that says what it is told to, in order: for answers that no API gives, and proxies do."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Line:
    """One answer. `body` is sent as it is."""

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Scripted:
    """`end_point` as python-digitalocean wants it; `asked` what came in: method, target, headers."""

    end_point: str
    asked: list[tuple[str, str, dict[str, str]]]


@contextmanager
def scripted(lines: Sequence[Line]) -> Iterator[Scripted]:
    """The last line is said for ever."""
    asked: list[tuple[str, str, dict[str, str]]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            pass

        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            line = lines[min(len(asked), len(lines) - 1)]
            asked.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}))
            self.send_response(line.status)
            for name, value in line.headers.items():
                self.send_header(name, value)
            if line.status != 204:
                self.send_header("Content-Length", str(len(line.body)))
            self.end_headers()
            if line.status != 204:
                self.wfile.write(line.body)

        do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815 - the library's names

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield Scripted(f"http://127.0.0.1:{server.server_address[1]}/v2/", asked)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
