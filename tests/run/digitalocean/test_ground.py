"""The firewall, put right without shutting anybody out; the rest is in test_provision.py."""

from __future__ import annotations

import pytest

from cloudburst.run.digitalocean.account import Account, open_account
from cloudburst.run.digitalocean.ground import find_firewall, is_let_in, let_in, ssh_sources
from cloudburst.run.digitalocean.nouns import Firewall, Rule
from tests.lab.imitation import Imitation


@pytest.mark.parametrize(
    ("network", "sources", "is_in"),
    [
        ("203.0.113.7/32", ["203.0.113.7/32"], True),
        ("203.0.113.7/32", ["203.0.113.7"], True),
        ("203.0.113.7/32", ["203.0.113.0/24"], True),
        ("203.0.113.7/32", ["0.0.0.0/0", "::/0"], True),
        ("203.0.113.7/32", ["::/0"], False),
        ("203.0.113.7/32", ["198.51.100.0/24", "no address"], False),
        ("203.0.113.0/24", ["203.0.113.7/32"], False),
        ("2001:db8::7/128", ["2001:db8::/64"], True),
        ("203.0.113.7/32", [], False),
    ],
)
def test_an_address_is_let_in_by_a_network_that_holds_it(
    network: str, sources: list[str], is_in: bool
) -> None:
    assert is_let_in(network, sources) is is_in


def made(account: Account) -> Firewall:
    account.create_tag("cloudburst:waves")
    ssh = Rule("tcp", "22", addresses=("198.51.100.7/32",))
    return account.create_firewall("cb-waves", (ssh,), (), ("cloudburst:waves",))


def test_a_new_address_is_added_and_a_known_one_costs_no_request(imitation: Imitation) -> None:
    with open_account() as account:
        firewall = made(account)
        asked = len(imitation.exchanges)
        assert not let_in(account, firewall, "198.51.100.7/32")
        assert len(imitation.exchanges) == asked
        assert let_in(account, firewall, "192.0.2.9/32")
        found = find_firewall(account, "waves")
        assert found is not None
        assert set(ssh_sources(found)) == {"198.51.100.7/32", "192.0.2.9/32"}


def test_another_studys_firewall_is_not_ours(imitation: Imitation) -> None:
    with open_account() as account:
        made(account)
        assert find_firewall(account, "wave") is None
