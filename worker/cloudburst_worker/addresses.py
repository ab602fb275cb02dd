"""Where services are, and the credentials for them (docs/contracts.md, "Addresses and secrets")."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


class BadAddress(Exception):
    """An address that is neither `unix:PATH` nor `tcp:HOST:PORT`."""


@dataclass(frozen=True)
class Unix:
    path: str


@dataclass(frozen=True)
class Tcp:
    host: str
    port: int


Address = Unix | Tcp


def parse(text: str) -> Address:
    """`unix:/path` or `tcp:host:port`. Raises BadAddress."""
    scheme, _, rest = text.partition(":")
    if scheme == "unix" and rest:
        return Unix(rest)
    host, _, port = rest.rpartition(":")
    if scheme == "tcp" and host and port.isdigit():
        return Tcp(host.strip("[]"), int(port))
    raise BadAddress(f"{text!r} is no address: write unix:/path/to.sock or tcp:host:port")


def watchful(silence: float) -> dict[int, int]:
    """Options of a TCP socket: what the system does, where it can, about a peer that vanished without a word.

    It is noticed also while nobody waits for it. And what the peer did not confirm within `silence` seconds
    is not sent any more: else a network that was cut would, once it heals, deliver the outcome of a
    batch that was given away.
    """
    wanted = {
        "TCP_KEEPIDLE": 5,
        "TCP_KEEPINTVL": 2,
        "TCP_KEEPCNT": 3,
        "TCP_USER_TIMEOUT": int(silence * 1000),
    }
    return {getattr(socket, name): value for name, value in wanted.items() if hasattr(socket, name)}


@dataclass(frozen=True, repr=False)
class Secrets:
    """What a node may know. Nothing of it is printed."""

    queue_password: str | None
    worker_token: str
    environment: Mapping[str, str]


def read_secrets(directory: Path) -> Secrets:
    """The secrets of a node from `directory`; the queue of a redis:// address may have none."""
    return Secrets(
        queue_password=_text(directory / "queue-password"),
        worker_token=_text(directory / "worker-token") or "",
        environment=json.loads(_text(directory / "environment.json") or "{}"),
    )


def _text(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8").strip() or None
    except FileNotFoundError:
        return None
