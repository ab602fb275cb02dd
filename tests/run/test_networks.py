"""What a kernel's table of routes says, and where there is room beside it."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudburst.errors import ProviderError
from cloudburst.run.link import Here
from cloudburst.run.networks import BRIDGES, POOLS, Networks, ask_networks, choose, read_networks
from cloudburst.run.ssh import Finished

TABLE = """198.18.77.1 47204 198.18.77.10 22
Main:
  +-- 0.0.0.0/0 3 0 4
     +-- 0.0.0.0/4 2 0 2
        |-- 0.0.0.0
           /0 universe UNICAST
        +-- 10.116.0.0/20 2 0 2
           +-- 10.116.0.0/28 2 0 2
              |-- 10.116.0.0
                 /20 link UNICAST
              |-- 10.116.0.10
                 /32 host LOCAL
           |-- 10.116.15.255
              /32 link BROADCAST
        |-- 10.117.0.0
           /16 universe UNICAST
     +-- 127.0.0.0/8 2 0 2
        +-- 127.0.0.0/31 1 0 0
           |-- 127.0.0.0
              /8 host LOCAL
           |-- 127.0.0.1
              /32 host LOCAL
        |-- 127.255.255.255
           /32 link BROADCAST
     +-- 198.18.77.0/24 2 0 2
        +-- 198.18.77.0/28 2 0 2
           |-- 198.18.77.0
              /24 link UNICAST
           |-- 198.18.77.10
              /32 host LOCAL
        |-- 198.18.77.255
           /32 link BROADCAST
"""

networks = st.builds(
    lambda number, length: IPv4Network((number, length), strict=False),
    st.integers(0, 2**32 - 1),
    st.integers(1, 32),
)


def test_what_a_machine_says_of_its_networks() -> None:
    found = read_networks(TABLE)
    assert found.addresses == (IPv4Address("10.116.0.10"), IPv4Address("198.18.77.10"))
    assert found.linked == (IPv4Network("10.116.0.0/20"), IPv4Network("198.18.77.0/24"))
    assert found.routed == (IPv4Network("10.117.0.0/16"),)
    assert found.reached_at == "198.18.77.10"
    assert str(found) == "10.116.0.10 and 198.18.77.10"
    assert found.has("10.116.0.10")
    assert found.has("127.0.3.4")
    assert not found.has("10.116.0.11")


@pytest.mark.parametrize("connection", ["", "fe80::1%eth0 47204 2001:db8::7 22", "nothing"])
def test_where_ssh_got_in_is_said_only_where_it_is_of_ipv4(connection: str) -> None:
    assert read_networks(f"{connection}\n").reached_at == ""


def test_this_machine_tells_its_own() -> None:
    found = ask_networks(Here("/nowhere"))
    assert found.has("127.0.0.1")
    assert found.reached_at == "" or found.has(found.reached_at)


def test_a_machine_that_tells_nothing() -> None:
    class Mute(Here):
        def run(self, argv: object, *, stdin: bytes = b"", timeout: float) -> Finished:
            return Finished(1, b"", b"cat: /proc/net/fib_trie: No such file or directory")

    with pytest.raises(ProviderError, match="this machine does not tell its addresses: cat") as raised:
        ask_networks(Mute("/nowhere"))
    assert "Linux" in raised.value.hint


@given(st.lists(networks, max_size=6), st.lists(networks, max_size=6), st.sampled_from([BRIDGES, POOLS]))
def test_what_is_chosen_overlaps_nothing_that_is_taken(
    taken: list[IPv4Network], routed: list[IPv4Network], candidates: tuple[IPv4Network, ...]
) -> None:
    found = choose(candidates, taken, routed)
    free = [one for one in candidates if not any(one.overlaps(other) for other in taken)]
    assert (found is None) == (not free)
    if found is not None:
        assert found in free
        beside = [one for one in free if not any(one.overlaps(other) for other in routed)]
        assert found == (beside or free)[0]


def test_a_route_to_everything_private_is_no_reason_to_give_up() -> None:
    everything = [IPv4Network(one) for one in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")]
    assert choose(BRIDGES, [IPv4Network("172.18.5.0/24")], everything) == IPv4Network("172.19.0.0/16")
    assert choose(BRIDGES, everything) is None


def test_bridges_and_pools_never_meet_where_docker_chooses_first() -> None:
    own = Networks((), (IPv4Network("172.17.0.0/16"),))
    bridge, pool = choose(BRIDGES, own.linked), choose(POOLS, own.linked)
    assert bridge is not None
    assert pool is not None
    assert not bridge.overlaps(pool)
