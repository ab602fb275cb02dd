"""Frames over a socket, inside the supervisor's event loop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any, cast

from .runner.frames import BadFrame, Cutter, pack, wrap


class Channel(asyncio.Protocol):
    """Calls `on_message` with the body of each frame, and `on_close` once when the other side is gone."""

    def __init__(self, on_message: Callable[[bytes], None], on_close: Callable[[], None]) -> None:
        self._on_message = on_message
        self._on_close = on_close
        self._cutter = Cutter()
        self._transport: asyncio.Transport | None = None

    async def open(self, sock: socket.socket) -> None:
        """Takes over a connected socket."""
        sock.setblocking(False)
        await asyncio.get_running_loop().create_connection(lambda: self, sock=sock)

    def send(self, message: Any) -> None:
        if self._transport is not None:
            self._transport.write(pack(message))

    def forward(self, body: bytes) -> None:
        """Sends bytes that are JSON already."""
        if self._transport is not None:
            self._transport.write(wrap(body))

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    # ── asyncio's side ───────────────────────────────────────────────────────────────────────
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        try:
            for body in self._cutter.feed(data):
                self._on_message(body)
        except BadFrame:
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._transport = None
        self._on_close()
