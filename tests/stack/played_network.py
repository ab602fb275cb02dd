"""What surrounds the gateway on a swarm: Docker's name server, and services that tell what reached them."""

from __future__ import annotations

import json
import socket
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Names:
    """A name server on loopback: `addresses` may change at any time; who is not in it does not exist."""

    def __init__(self) -> None:
        self.addresses: dict[str, str] = {}
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                question, asker = self._socket.recvfrom(512)
                self._socket.sendto(self._answer(question), asker)
            except OSError:
                return

    def _answer(self, question: bytes) -> bytes:
        """RFC 1035 §4: the question again and, for a name we know, one A record."""
        labels, at = [], 12
        while question[at]:
            labels.append(question[at + 1 : at + 1 + question[at]].decode())
            at += 1 + question[at]
        asked = question[12 : at + 5]
        address = self.addresses.get(".".join(labels))
        if address is None:
            return question[:2] + struct.pack(">HHHHH", 0x8183, 1, 0, 0, 0) + asked
        record = struct.pack(">HHHIH", 0xC00C, 1, 1, 0, 4) + socket.inet_aton(address)
        return question[:2] + struct.pack(">HHHHH", 0x8180, 1, 1, 0, 0) + asked + record


class Service:
    """Answers every request with what it was, as JSON."""

    def __init__(self, name: str, address: str, port: int = 0) -> None:
        self.name = name
        self._server = ThreadingHTTPServer((address, port), _Telling)
        self._server.name = name  # type: ignore[attr-defined]
        self.address, self.port = str(self._server.server_address[0]), self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Telling(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _tell(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        seen: dict[str, Any] = {
            "service": self.server.name,  # type: ignore[attr-defined]
            "method": self.command,
            "path": self.path,
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "body": len(self.rfile.read(length)),
        }
        body = json.dumps(seen).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _tell  # noqa: N815

    def log_message(self, *_: Any) -> None:
        pass
