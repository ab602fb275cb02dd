"""The imitation in pytest: one for each test, and nothing it hears or says may go against the description."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .server import Imitation

OTHER_TOKENS = ("DIGITALOCEAN_ACCESS_TOKEN", "DOTOKEN")


@pytest.fixture
def imitation(monkeypatch: pytest.MonkeyPatch) -> Iterator[Imitation]:
    """An account as it looks when nobody has made anything in it; the environment leads there and nowhere else.

    Its manners, faults and contents can be changed (`imitation.account.manners = HARSH`). The test fails in the end when
    a request or an answer was not as the official description says.
    """
    for name in OTHER_TOKENS:
        monkeypatch.delenv(name, raising=False)
    with Imitation() as it:
        for name, value in it.environment.items():
            monkeypatch.setenv(name, value)
        yield it
        assert it.violations() == []
