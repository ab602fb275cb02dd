"""The address this machine is seen at from outside: the one that a firewall has to let in."""

from __future__ import annotations

import http.client
import ipaddress
import os
import urllib.error
import urllib.request

from ...errors import Unreachable

VARIABLE = "CLOUDBURST_CALLER_FROM"
"""Overrides who is asked: an address, a network (`203.0.113.0/24`), or a service's URL that answers with one."""

SERVICES = (
    "https://api.ipify.org",
    "https://checkip.amazonaws.com",
    "https://ipv4.icanhazip.com",
)
"""Asked in this order until one answers. By IPv4, as droplets are reached by it; an answer is a line of text."""

WITHIN = 5.0
LONGEST = 200
"""Seconds for each, and bytes of an answer."""


def callers_network() -> str:
    """`203.0.113.7/32`: where connections of this machine come from.

    Raises Unreachable when nobody says so.
    """
    chosen = os.environ.get(VARIABLE, "").strip()
    if chosen and not _is_service(chosen):
        return _network(chosen, VARIABLE)
    silent = []
    for asked in _direct, _by_proxy:
        for service in (chosen,) if chosen else SERVICES:
            try:
                return _network(asked(service), service)
            except (OSError, ValueError, http.client.HTTPException, Unreachable) as error:
                silent.append(f"{service}: {_reason(error)}")
        if not urllib.request.getproxies():
            break
    raise Unreachable(
        "the address this machine has for others cannot be found out, and the firewall must let it in "
        f"({'; '.join(dict.fromkeys(silent))})",
        f"say it in the file, `ssh_from: [203.0.113.7/32]`, or set {VARIABLE} to it",
    )


def _is_service(text: str) -> bool:
    return text.startswith(("https://", "http://"))


def _direct(service: str) -> str:
    """As ssh goes: past every proxy."""
    return _asked(service, urllib.request.ProxyHandler({}))


def _by_proxy(service: str) -> str:
    """Where nothing else leads out, ssh goes that way too, by the user's own configuration."""
    return _asked(service, urllib.request.ProxyHandler())


def _asked(service: str, proxies: urllib.request.ProxyHandler) -> str:
    """No redirect is followed: the answer is to come from who was asked."""
    opener = urllib.request.build_opener(_NoRedirect, proxies)
    headers = {"User-Agent": "cloudburst", "Accept": "text/plain"}
    request = urllib.request.Request(service, headers=headers)  # noqa: S310 - http(s), see _is_service
    with opener.open(request, timeout=WITHIN) as answer:
        text: bytes = answer.read(LONGEST)
    return text.decode("ascii")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


def _network(text: str, source: str) -> str:
    try:
        return str(ipaddress.ip_network(text.strip(), strict=False))
    except ValueError:
        raise Unreachable(
            f"{source} says {text.strip()[:60]!r}, which is no address",
            f"set {VARIABLE} to an address such as 203.0.113.7",
        ) from None


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"answers {error.code}"
    if isinstance(error, urllib.error.URLError):
        return str(error.reason)
    return str(error)
