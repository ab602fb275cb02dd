"""Machines that end by themselves, seen from the account and from inside."""

from __future__ import annotations

import json
import shlex
from typing import Any

from cloudburst.compile.switch import STATE_COMMAND

from .commands import until
from .lives import Life, machines

REAPER = "REAPER_TOKEN"
"""The variable of the user's that has the machines' own token."""
GOES_WITHIN = 300.0
"""Seconds: the switch looks every 20, and looks twice."""


def token_of(life: Life) -> dict[str, Any]:
    """The variable with a token that has the scopes the documentation asks for, and no more."""
    return {REAPER: life.lab.imitation.grant("droplet:read", "droplet:delete")}


def all_gone(life: Life, seconds: float = GOES_WITHIN) -> list[str]:
    """Waits until no machine is billed; the names in the order in which they were given back."""
    until(lambda: not life.names(), "every machine has given itself back", seconds, pause=0.5)
    return [name for name, _ in given_back(life)]


def given_back(life: Life) -> list[tuple[str, float]]:
    """Names, and when each was given back (seconds since the epoch). Each once, by the first request that was taken."""
    imitation = life.lab.imitation
    found: dict[str, float] = {}
    for one in imitation.requests("DELETE", "/v2/droplets/{droplet_id}"):
        if one.status == 204:
            droplet = imitation.account.droplets[int(one.path.rpartition("/")[2])]
            found.setdefault(droplet.name, one.at)
    return list(found.items())


def state(life: Life, name: str = machines()[0]) -> dict[str, Any]:
    """How the switch of a machine stands, as it says itself."""
    said: dict[str, Any] = json.loads(life.lab.host(name).sh(shlex.join(STATE_COMMAND)))
    return said
