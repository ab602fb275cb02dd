"""Where a service listens, as text: `unix:/path/to.sock` or `tcp:host:port`. Nothing is opened here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..errors import UsageError


@dataclass(frozen=True)
class UnixAddress:
    path: str

    def __str__(self) -> str:
        return f"unix:{self.path}"


@dataclass(frozen=True)
class TcpAddress:
    """`host` as it stands in a URL, without the brackets of an IPv6 address."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"tcp:[{self.host}]:{self.port}" if ":" in self.host else f"tcp:{self.host}:{self.port}"


Address = UnixAddress | TcpAddress

Where = str | Callable[[], str]
"""An address, or who is asked for it before each request: a gateway that is started again has another."""


def address_now(where: Where) -> str:
    """May raise what the one asked raises, http.Unanswered when there is no way there now."""
    return where if isinstance(where, str) else where()


def parse_address(text: str) -> Address:
    """Raises UsageError when `text` is neither form."""
    kind, _, rest = text.partition(":")
    if kind == "unix" and rest.startswith("/"):
        return UnixAddress(rest.replace("//", "/", 1) if rest.startswith("//") else rest)
    host, colon, port = rest.rpartition(":")
    if kind == "tcp" and colon and host and port.isascii() and port.isdigit() and int(port) < 65536:
        return TcpAddress(host.removeprefix("[").removesuffix("]"), int(port))
    raise UsageError(
        f"{text!r} is not an address",
        "an address is unix:/path/to.sock or tcp:host:port, such as tcp:127.0.0.1:8080",
    )
