"""The networks a machine has, as its kernel tells of them, and room beside them for containers.

Only IPv4: Docker gives containers of a swarm no other addresses.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv4Network

from ..errors import ProviderError
from .link import Link

WITHIN = 20.0
"""Seconds for a machine to say it."""

_ASK = 'echo "$SSH_CONNECTION"; cat /proc/net/fib_trie'
"""A shell and the kernel: no other program need be there."""

_LEAF = re.compile(r"\|-- (\d+\.\d+\.\d+\.\d+)\n((?:\s+/\d+ \w+ \w+[^\n]*\n?)+)")
_ROUTE = re.compile(r"/(\d+) (\w+) (\w+)")

BRIDGES = (
    *(IPv4Network(f"172.{number}.0.0/16") for number in range(18, 32)),
    *(IPv4Network(f"192.168.{number}.0/20") for number in range(0, 256, 16)),
    *(IPv4Network(f"10.{number}.0.0/16") for number in range(255, 191, -1)),
)
"""Where containers of one machine may have their addresses; Docker's own choices first."""

POOLS = (
    *(IPv4Network(f"10.{number}.0.0/16") for number in range(192)),
    *(IPv4Network(f"172.{number}.0.0/16") for number in range(31, 17, -1)),
    IPv4Network("192.168.0.0/16"),
)
"""Where the networks between machines may have theirs: 256 of them in each."""


@dataclass(frozen=True)
class Networks:
    """`local` is what is the machine itself: addresses, and all of 127.0.0.0/8; `linked` are the networks it
    is in, `routed` those it reaches by a gateway (without the default way). `reached_at` is the address at
    which ssh got there, empty when that is none of IPv4."""

    local: tuple[IPv4Network, ...]
    linked: tuple[IPv4Network, ...]
    routed: tuple[IPv4Network, ...] = ()
    reached_at: str = ""

    @property
    def addresses(self) -> tuple[IPv4Address, ...]:
        """Those at which others may reach it."""
        found = (one.network_address for one in self.local if one.prefixlen == one.max_prefixlen)
        return tuple(address for address in found if not address.is_loopback)

    def has(self, address: str) -> bool:
        return any(IPv4Address(address) in one for one in self.local)

    def __str__(self) -> str:
        """`10.0.0.5 and 198.18.0.5`."""
        return " and ".join(map(str, self.addresses)) or "none"


def ask_networks(link: Link) -> Networks:
    """Raises Unreachable, and ProviderError when the machine cannot tell."""
    ended = link.run(["sh", "-c", _ASK], timeout=WITHIN)
    if ended.code != 0:
        raise ProviderError(
            f"{link.where} does not tell its addresses: {ended.said or 'it said nothing'}",
            "it has to be Linux, and /proc/net/fib_trie readable there",
        )
    return read_networks(ended.out.decode("utf-8", "replace"))


def read_networks(text: str) -> Networks:
    """From the value of SSH_CONNECTION (`client port server port`), a line, and the kernel's table of routes."""
    connection, _, table = text.partition("\n")
    local: set[IPv4Network] = set()
    linked: set[IPv4Network] = set()
    routed: set[IPv4Network] = set()
    for leaf, routes in _LEAF.findall(table):
        for length, scope, kind in _ROUTE.findall(routes):
            if kind == "LOCAL":
                local.add(IPv4Network(f"{leaf}/{length}"))
            elif kind == "UNICAST" and length != "0":
                (linked if scope == "link" else routed).add(IPv4Network(f"{leaf}/{length}"))
    words = connection.split()
    return Networks(
        tuple(sorted(local)),
        tuple(sorted(linked)),
        tuple(sorted(routed)),
        words[2] if len(words) == 4 and is_address(words[2]) else "",
    )


def is_address(text: str) -> bool:
    try:
        IPv4Address(text)
    except AddressValueError:
        return False
    return True


def choose(
    candidates: Sequence[IPv4Network], taken: Iterable[IPv4Network], routed: Iterable[IPv4Network] = ()
) -> IPv4Network | None:
    """The first candidate beside all of `taken`; beside `routed` too, if there is one: a wide route to
    everything private leaves none, and is no harm to those who are in no such network. None when there is none."""
    taken, routed = tuple(taken), tuple(routed)
    free = [one for one in candidates if not any(one.overlaps(other) for other in taken)]
    better = [one for one in free if not any(one.overlaps(other) for other in routed)]
    return next(iter(better or free), None)
