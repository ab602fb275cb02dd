"""A network between a worker and a service on a unix socket, over real TCP, that can be cut and mended."""

from __future__ import annotations

import contextlib
import selectors
import socket
import struct
import threading
from pathlib import Path
from typing import Any

_RESET = struct.pack("ii", 1, 0)


class Proxy:
    """Listens on 127.0.0.1 and passes on what it hears.

    `swallow` is a cut network: connections stand, new ones are made, and nobody answers. Those stay
    dead and silent for the client when it mends, while the service has given them up.
    `refuse` is a service that is not there: nobody listens. `reset` ends every connection at once.
    """

    def __init__(self, target: Path) -> None:
        self._target = str(target)
        self._lock = threading.Lock()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._stale: list[socket.socket] = []
        self._swallowing = False
        self._listener: socket.socket | None = None
        self._port = 0
        self._tried = threading.Event()

    def __enter__(self) -> Proxy:
        self.listen()
        return self

    def __exit__(self, *_: Any) -> None:
        self.refuse()
        for near in self._stale:
            near.close()

    @property
    def address(self) -> str:
        return f"tcp:127.0.0.1:{self._port}"

    def listen(self) -> None:
        """Listens, always on the same port."""
        self._swallowing = False
        self._listener = socket.create_server(("127.0.0.1", self._port), backlog=200)
        self._port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def swallow(self) -> None:
        self._tried.clear()
        self._swallowing = True

    def wait_for_new_connection(self) -> None:
        """Returns when somebody has given up a connection that `swallow` cut, and made another."""
        assert self._tried.wait(60), "nobody noticed that the network is cut"

    def mend(self) -> None:
        """After `swallow` or `refuse`."""
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for near, far in pairs:
            self._stale.append(near)
            _hang_up(far)
        self._swallowing = False
        if self._listener is None:
            self.listen()

    def reset(self) -> None:
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            _end(pair)

    def refuse(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        self.reset()

    # ── inside ───────────────────────────────────────────────────────────────────────────────
    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            self._tried.set()
            far = socket.socket(socket.AF_UNIX)
            try:
                far.connect(self._target)
            except OSError:
                _end((near, far))
                continue
            with self._lock:
                self._pairs.append((near, far))
            threading.Thread(target=self._pass_on, args=(near, far), daemon=True).start()

    def _pass_on(self, near: socket.socket, far: socket.socket) -> None:
        """Until one side ends; what is heard while the network is cut goes nowhere."""
        with contextlib.suppress(OSError, ValueError), selectors.DefaultSelector() as selector:
            selector.register(near, selectors.EVENT_READ, far)
            selector.register(far, selectors.EVENT_READ, near)
            while True:
                for key, _ in selector.select():
                    data = key.fileobj.recv(65536)  # type: ignore[union-attr]
                    if not data:
                        raise ConnectionResetError
                    if not self._swallowing:
                        key.data.sendall(data)
        self._forget(near, far)

    def _forget(self, near: socket.socket, far: socket.socket) -> None:
        with self._lock:
            if (near, far) not in self._pairs:
                return
            self._pairs.remove((near, far))
        _end((near, far))


def _end(pair: tuple[socket.socket, socket.socket]) -> None:
    near, far = pair
    with contextlib.suppress(OSError):
        near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    _hang_up(near)
    _hang_up(far)


def _hang_up(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
    sock.close()
