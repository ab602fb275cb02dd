"""Addresses as a file holds them: a host reached by SSH, a server reached by HTTP, a network. Judged by their text alone.

A sentence repeats no address as it was written, because a password may stand in it.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from .scalars import shortened

_HOST = r"[A-Za-z0-9_][A-Za-z0-9_.-]*|\[[0-9A-Fa-f:.]+\]"
_SSH = re.compile(
    rf"ssh://((?P<user>[A-Za-z0-9_][A-Za-z0-9_.+-]*)@)?(?P<host>{_HOST})(:(?P<port>[0-9]{{1,5}}))?"
)
_HTTP = re.compile(
    rf"(?P<scheme>https?)://(?P<host>{_HOST})(:(?P<port>[0-9]{{1,5}}))?(?P<path>(/[^\s/?#]+)*)/?",
    re.IGNORECASE,
)
_CREDENTIAL = re.compile(r"(\w+://)?[^/?#@]*:[^/?#]*@")
_ENDPOINT = re.compile(r"(?<=[^/])(/(api/v2/)?(write|query))*/?([?#].*)?$", re.DOTALL)
_NETWORK = re.compile(r"[0-9A-Fa-f.:]+(/[0-9]{1,3})?")
_LAST_PORT, _SSH_PORT = 65535, 22
_USUAL_PORT = {"http": 80, "https": 443}

_HOST_EXAMPLE = "for example ssh://root@10.0.0.1, or with a port ssh://root@10.0.0.1:2222"
_MACHINE_EXAMPLE = "for example root@10.0.0.1, or with a port root@10.0.0.1:2222"
_NETWORK_EXAMPLE = "for example 203.0.113.0/24, or the one address 203.0.113.7"
_SERVER_EXAMPLE = "for example http://localhost:8086, or https://influx.example.org"


@dataclass(frozen=True)
class Fault:
    """What is wrong with an address, and the way out."""

    code: str
    message: str
    hint: str


# ── ssh ──────────────────────────────────────────────────────────────────────────────────────
def judge_host(address: str) -> Fault | None:
    """What keeps it from being `ssh://user@host:port`; user and port may be left to SSH's own configuration."""
    scheme, separator, rest = address.partition("://")
    if _CREDENTIAL.match(address):
        return Fault(
            "secret-in-file", "a password stands in this address", "SSH logs in by key: ssh://user@host"
        )
    if not separator:
        return _not_a_host("this does not say how the host is reached", f"ssh://{address}")
    if scheme in ("tcp", "http", "https"):
        message = f"{scheme}:// is a Docker without encryption or without a credential: use SSH"
        return _not_a_host(message, f"ssh://user@{re.split('[:/]', rest)[0]}")
    if scheme != "ssh":
        hint = f"{_HOST_EXAMPLE}; this machine's own Docker is {{context: default}}"
        return Fault("swarm-host", "this is no address that SSH reaches", hint)
    if "/" in rest:
        return _not_a_host("this address has a path, and a host has none", f"ssh://{rest.partition('/')[0]}")
    return None if _is_host(address) else _not_a_host("this is no address of a host", "")


def _not_a_host(message: str, meant: str) -> Fault:
    return Fault("swarm-host", message, f"write {meant}" if _is_host(meant) else _HOST_EXAMPLE)


def _is_host(address: str) -> bool:
    found = _SSH.fullmatch(address)
    return found is not None and _is_port(found["port"])


def _is_port(port: str | None) -> bool:
    return port is None or 1 <= int(port) <= _LAST_PORT


def judge_machine(address: str) -> Fault | None:
    """What keeps it from being `user@host:port`, user and port being left to SSH's own configuration or not."""
    if _CREDENTIAL.match(address):
        return Fault("secret-in-file", "a password stands in this address", "SSH logs in by key: user@host")
    if "://" in address:
        return Fault("ssh-host", "a host is written without a scheme", _MACHINE_EXAMPLE)
    if not _is_host(f"ssh://{address}"):
        return Fault("ssh-host", "this is no address of a host", _MACHINE_EXAMPLE)
    return None


def machine(address: str) -> tuple[str, int]:
    """The host and the port of what `judge_machine` lets pass: equal ones are one machine, whoever logs in."""
    found = _SSH.fullmatch(f"ssh://{address}")
    return (found["host"], int(found["port"] or _SSH_PORT)) if found else (address, _SSH_PORT)


# ── networks ─────────────────────────────────────────────────────────────────────────────────
def judge_network(text: str) -> Fault | None:
    """What keeps it from being an address, or `address/bits` with nothing beyond those bits."""
    network = _network(text)
    if network is None:
        return Fault("network-address", f'"{shortened(text)}" is no network', _NETWORK_EXAMPLE)
    address, _, bits = text.partition("/")
    if bits and ipaddress.ip_address(address) != network.network_address:
        hint = f"write {network} for the whole network, or {address} for the one address"
        return Fault("network-address", f"{address} is one address of the network {network}", hint)
    return None


def is_everyone(text: str) -> bool:
    """Whether every address belongs to the network."""
    network = _network(text)
    return network is not None and network.prefixlen == 0


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    if not _NETWORK.fullmatch(text):
        return None
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


# ── http ─────────────────────────────────────────────────────────────────────────────────────
def judge_server(address: str) -> Fault | None:
    """What keeps it from being `http://host:port` or `https://…`; a proxy's path may stand behind it."""
    _, separator, rest = address.partition("://")
    if _CREDENTIAL.match(address) or "@" in re.split("[/?#]", rest)[0]:
        hint = "the name stands under `username`, and `password` names the environment variable that holds it"
        return Fault("secret-in-file", "a credential stands in this address", hint)
    if not separator and _is_server(f"http://{address}"):
        meant = _ENDPOINT.sub("", address, count=1)
        hint = f"write http://{meant}, or https://{meant}"
        return Fault("server-url", "this does not say how the server is reached", hint)
    bare = _ENDPOINT.sub("", address, count=1)
    if not _is_server(bare):
        return Fault("server-url", "this is no address of a server", _SERVER_EXAMPLE)
    if bare != address.removesuffix("/"):
        hint = f"write {bare}; `database`, `username` and `password` have keys of their own"
        return Fault("server-url", "this is more than the address of a server", hint)
    return None


def server(address: str) -> str:
    """One spelling for one server, so that two can be compared."""
    found = _HTTP.fullmatch(address)
    if found is None:
        return address
    scheme = found["scheme"].lower()
    return f"{scheme}://{found['host'].lower()}:{int(found['port'] or _USUAL_PORT[scheme])}{found['path']}"


def _is_server(address: str) -> bool:
    found = _HTTP.fullmatch(address)
    return found is not None and _is_port(found["port"])
