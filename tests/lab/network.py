"""The lab's two networks, as a rented region has them: public addresses, and a private network.

The addresses exist on this machine only. Several labs can stand side by side: each claims a slot by
making its first bridge, which the kernel lets only one of them do.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .commands import LabError, run, succeeds

SLOTS = range(8)


@dataclass(frozen=True)
class Network:
    """Two bridges, and the way out: `slot` tells one lab's networks from another's."""

    slot: int

    @property
    def public(self) -> ipaddress.IPv4Network:
        return ipaddress.IPv4Network((f"198.18.{77 + self.slot}.0", 24))

    @property
    def private(self) -> ipaddress.IPv4Network:
        return ipaddress.IPv4Network((f"10.116.{16 * self.slot}.0", 20))

    @property
    def public_bridge(self) -> str:
        return f"cblab{self.slot}p"

    @property
    def private_bridge(self) -> str:
        return f"cblab{self.slot}v"

    @property
    def table(self) -> str:
        """The name of this lab's nftables table."""
        return f"cloudburst_lab_{self.slot}"

    # ── up and down ──────────────────────────────────────────────────────────────────────────
    def up(self) -> None:
        """Gives the bridges their addresses, and lets out what the hosts send to other places."""
        run("ip", "link", "add", self.private_bridge, "type", "bridge")
        for bridge, network in ((self.public_bridge, self.public), (self.private_bridge, self.private)):
            run("ip", "address", "add", f"{network[1]}/{network.prefixlen}", "dev", bridge)
            run("ip", "link", "set", bridge, "up")
        run("nft", "-f", "-", stdin=self._rules())
        _forwarding(self.public_bridge).write_text("1")

    def down(self) -> None:
        """Removes what `claim` and `up` made; what is not there is no error."""
        for table in (self.table, f"{self.table}_walls"):
            succeeds("nft", "delete", "table", "inet", table)
        for bridge in (self.private_bridge, self.public_bridge):
            succeeds("ip", "link", "delete", bridge)

    def _rules(self) -> str:
        bridges = f'{{ "{self.public_bridge}", "{self.private_bridge}" }}'
        return f"""
table inet {self.table} {{
  set cut_off {{ type ipv4_addr; }}
  chain forward {{
    type filter hook forward priority -10;
    ip saddr @cut_off oifname != {bridges} drop
    ip saddr {self.public} oifname != {bridges} tcp flags syn tcp option maxseg size set rt mtu
  }}
  chain leave {{
    type nat hook postrouting priority srcnat;
    ip saddr {self.public} oifname != {{ "lo", "{self.public_bridge}", "{self.private_bridge}" }} masquerade
  }}
}}
"""

    def sign(self, directory: Path) -> None:
        """Notes on the claimed bridge which run has it."""
        run("ip", "link", "set", self.public_bridge, "alias", str(directory))

    def signature(self) -> str:
        """The directory of the run that has this slot; empty when none has."""
        place = Path(f"/sys/class/net/{self.public_bridge}/ifalias")
        return place.read_text().strip() if place.exists() else ""

    # ── one host's links ─────────────────────────────────────────────────────────────────────
    def netns(self, name: str) -> str:
        """The name of a host's network namespace."""
        return f"cblab{self.slot}-{name}"

    def links(self, number: int) -> tuple[str, str]:
        """This machine's ends of a host's two cables: public, private."""
        return f"{self.public_bridge}{number}", f"{self.private_bridge}{number}"

    def plug_in(self, name: str, number: int) -> None:
        """A network namespace with eth0 in the public and eth1 in the private network."""
        netns = self.netns(name)
        run("ip", "netns", "add", netns)
        run("ip", "-n", netns, "link", "set", "lo", "up")
        ends = zip(
            self.links(number),
            (self.public_bridge, self.private_bridge),
            (self.public, self.private),
            strict=True,
        )
        for index, (outer, bridge, network) in enumerate(ends):
            inner = f"eth{index}"
            run("ip", "link", "add", outer, "type", "veth", "peer", "name", inner, "netns", netns)
            run("ip", "link", "set", outer, "master", bridge, "up")
            run("ip", "-n", netns, "address", "add", f"{network[number]}/{network.prefixlen}", "dev", inner)
            run("ip", "-n", netns, "link", "set", inner, "up")
        run("ip", "-n", netns, "route", "add", "default", "via", str(self.public[1]))

    def unplug(self, name: str, number: int) -> None:
        """Removes a host's namespace and cables; what is not there is no error."""
        succeeds("ip", "netns", "delete", self.netns(name))
        bridges = (self.public_bridge, self.private_bridge)
        for link, bridge, network in zip(
            self.links(number), bridges, (self.public, self.private), strict=True
        ):
            succeeds("ip", "link", "delete", link)
            # Another host may have the address next, with another card.
            succeeds("ip", "neighbor", "delete", str(network[number]), "dev", bridge)

    # ── walls between hosts ──────────────────────────────────────────────────────────────────
    def route_everything(self) -> None:
        """Hosts that are `set_apart` reach each other by way of this machine, which forwards and can filter."""
        for bridge in (self.public_bridge, self.private_bridge):
            _forwarding(bridge).write_text("1")
            settings = Path("/proc/sys/net/ipv4")
            # The machine answers for every address on the bridge, at once, and sends nobody elsewhere.
            (settings / f"conf/{bridge}/proxy_arp_pvlan").write_text("1")
            (settings / f"neigh/{bridge}/proxy_delay").write_text("0")
            (settings / f"conf/{bridge}/send_redirects").write_text("0")

    def set_apart(self, number: int) -> None:
        """No frame of this host gets to another host directly."""
        for link in self.links(number):
            Path(f"/sys/class/net/{link}/brport/isolated").write_text("1")

    def build_walls(self, rules: str) -> None:
        """Puts the chains `inbound` and `outbound`, and those they jump to, in the place of the ones before.

        `inbound` sees what would begin a conversation with a host, `outbound` what a host would begin;
        answers pass. Raises LabError when nft does not take the rules, and then the old ones stay.
        """
        table = f"inet {self.table}_walls"
        base = """
  chain forward {
    type filter hook forward priority -5
    ct state established,related accept
    jump outbound
    jump inbound
  }
  chain output {
    type filter hook output priority -5
    ct state established,related accept
    jump inbound
  }
  chain input {
    type filter hook input priority -5
    ct state established,related accept
    jump outbound
  }
"""
        text = f"add table {table}\ndelete table {table}\ntable {table} {{\n{rules}{base}}}\n"
        run("nft", "-f", "-", stdin=text)

    # ── faults ───────────────────────────────────────────────────────────────────────────────
    def switch(self, number: int, state: str) -> None:
        """Takes a host's cables `down`, or `up` again."""
        for link in self.links(number):
            run("ip", "link", "set", link, state)

    def cut_off(self, number: int, *, cut: bool) -> None:
        """Closes, or opens, a host's way out of the lab; its way to the other hosts stays."""
        change = ("element", "inet", self.table, "cut_off", f"{{ {self.public[number]} }}")
        # To add what is there is no error, to delete what is not there is one.
        run("nft", "add", *change)
        if not cut:
            run("nft", "delete", *change)


def claim() -> Network:
    """A network nobody has, its first bridge made. Raises LabError when all are taken."""
    taken = _routed()
    for network in map(Network, SLOTS):
        if any(route.overlaps(network.public) or route.overlaps(network.private) for route in taken):
            continue
        if succeeds("ip", "link", "add", network.public_bridge, "type", "bridge"):
            return network
    raise LabError(f"all {len(SLOTS)} places for a lab are taken: `make lab-clean` removes what was left")


def open_uplinks() -> tuple[str, ...]:
    """Lets this machine forward the answers that come back to a lab; the interfaces that did not before."""
    routes = json.loads(run("ip", "-json", "-4", "route", "show", "default"))
    links = {route["dev"] for route in routes}
    closed = tuple(link for link in sorted(links) if _forwarding(link).read_text().strip() == "0")
    for link in closed:
        _forwarding(link).write_text("1")
    return closed


def close_uplinks(links: Iterable[str]) -> None:
    """Takes back what `open_uplinks` changed."""
    for link in links:
        with contextlib.suppress(OSError):  # an interface that is gone
            _forwarding(link).write_text("0")


def _routed() -> list[ipaddress.IPv4Network]:
    found = []
    for route in json.loads(run("ip", "-json", "-4", "route", "show", "table", "all")):
        with contextlib.suppress(ValueError):  # `default` and its like
            found.append(ipaddress.IPv4Network(route["dst"]))
    return found


def _forwarding(link: str) -> Path:
    return Path(f"/proc/sys/net/ipv4/conf/{link}/forwarding")
