"""An account that changes its mind in the middle: a sentence with the way out, what stands is said, and it can be repaired.

What is wrong before anything is rented is in test_judge.py and tests/cli; machines that come up badly in
test_provision.py, and as real ones in tests/lab/faults/test_rented_worlds.py.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cloudburst.errors import ProviderError
from tests.lab.imitation import Exchange

from .lives import NAMES, Life, living

pytestmark = pytest.mark.slow


def at_the_first_machine(life: Life, change: Callable[[], None]) -> None:
    """Does it once the first request for machines is granted: the next one meets another world."""

    def watch(exchange: Exchange) -> None:
        if (exchange.method, exchange.path, exchange.status) == ("POST", "/v2/droplets", 202):
            life.imitation.watchers.remove(watch)
            change()

    life.imitation.watchers.append(watch)


def refused(life: Life) -> str:
    """What is said when machines cannot be rented; whatever stands is named with its id and its price."""
    with pytest.raises(ProviderError) as caught:
        life.converge(workers=3)
    said = f"{caught.value.message}; {caught.value.hint}"
    standing = life.imitation.account.standing()
    assert standing, "something was rented before"
    for one in standing:
        assert f"{one.name} (id {one.id})" in said
    assert "USD an hour" in said
    assert "cloudburst destroy" in said
    return said


def test_a_droplet_limit_reached_in_the_middle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with living(tmp_path, monkeypatch) as life:
        account = life.imitation.account
        at_the_first_machine(life, lambda: setattr(account, "droplet_limit", len(account.standing())))
        said = refused(life)
        assert "droplet limit" in said
        account.droplet_limit = 25
        life.converge(workers=3)
        assert sorted(life.standing().elements()) == sorted(NAMES)
        assert life.made() == len(NAMES)


def test_a_size_sold_out_in_the_middle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with living(tmp_path, monkeypatch) as life:
        account = life.imitation.account
        both = {("nyc3", "s-2vcpu-2gb"), ("nyc3", "s-2vcpu-4gb")}
        at_the_first_machine(life, lambda: account.full.update(both))
        said = refused(life)
        assert "not available" in said
        account.full.clear()
        life.converge(workers=3)
        assert sorted(life.standing().elements()) == sorted(NAMES)


def test_an_account_locked_in_the_middle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with living(tmp_path, monkeypatch) as life:
        account = life.imitation.account
        before = account.left()
        at_the_first_machine(life, lambda: setattr(account, "status", "locked"))
        said = refused(life)
        assert "locked the account" in said
        left = life.remove()
        assert all(f"{one.name} (id {one.id})" in left for one in account.standing())
        account.status = "active"
        assert life.remove() == ""
        assert account.left() == before


def test_a_token_taken_back_in_the_middle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands cannot be asked for any more, which is said; another token gives it back."""
    with living(tmp_path, monkeypatch) as life:
        account = life.imitation.account
        before = account.left()
        at_the_first_machine(life, account.tokens.clear)
        with pytest.raises(ProviderError) as caught:
            life.converge(workers=3)
        said = f"{caught.value.message}; {caught.value.hint}"
        named = all(f"{one.name} (id {one.id})" in said for one in account.standing())
        assert named or "is not known" in said
        account.tokens[life.imitation.token] = None
        assert life.remove() == ""
        assert account.left() == before
