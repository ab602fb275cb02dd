"""What a study's rented machines are, cost and would become: looked at for `plan`, `apply` and `status`.

Looks at the account and, for the switch, at the manager. Rents and removes nothing.
"""

from __future__ import annotations

import os
import time

from ..compile.rental import Rented, rented
from ..compile.switch import STATE_COMMAND, SwitchState, read_switch_state
from ..diagnostics import Problem
from .digitalocean.account import open_account
from .digitalocean.approach import Approach
from .digitalocean.ground import admit_caller
from .digitalocean.host_keys import HostKeys
from .digitalocean.judge import judge
from .digitalocean.keys import Ring, own_keys
from .digitalocean.machines import manager_of, standing_machines
from .digitalocean.rentals import observed, read_rentals
from .observe import Study

STATE_WITHIN = 20.0
"""Seconds for the manager to say how its switch stands."""


def observe_rental(study: Study) -> Rented | None:
    """What stands, what has to happen to it, and what it has cost; None when nothing of the study is rented.

    Raises Unreachable when the account cannot be asked, ProviderError when it does not let us in.
    """
    if not study.ensemble.cluster.is_rented:
        return None
    with open_account() as account:
        judged = judge(study.ensemble, account)
        standing = standing_machines(account, study.ensemble.name)
    now = time.time()
    rentals = observed(read_rentals(study.places), standing, now)
    problems = (*judged.problems, *_own_problems(study))
    if judged.wanted is not None:
        standing = HostKeys(Ring(study.places)).given_up(standing)
    return rented(judged.wanted, standing, rentals, now, slots=judged.slots, problems=problems)


def switch_state(study: Study) -> SwitchState | None:
    """What the manager's switch says of itself; None when no manager stands, it is off, or has not looked yet.

    Raises Unreachable when it does not answer.
    """
    with open_account() as account:
        manager = manager_of(standing_machines(account, study.ensemble.name))
        approach = Approach(account, study.places)
        if manager is None or manager.status != "active" or not manager.public or approach.is_fresh(manager):
            return None
        admit_caller(account, study.ensemble)
        with approach.entered(manager, patient=False) as link:
            said = link.run(STATE_COMMAND, timeout=STATE_WITHIN)
    return read_switch_state(said.out.decode("utf-8", "replace")) if said.code == 0 else None


def _own_problems(study: Study) -> tuple[Problem, ...]:
    """Of what lies on this machine: keys that cannot be read, a variable that is not set."""
    cluster = study.ensemble.cluster
    found = own_keys(cluster.ssh_keys, study.places.spec.parent).problems
    name = cluster.reaper_token
    if name is None or os.environ.get(name, "").strip():
        return found
    missing = Problem(
        "reaper-token-missing",
        ("cluster", "reaper_token"),
        f"the variable {name} is not set",
        f"export {name}=… with a token of the scopes droplet:read and droplet:delete, or leave reaper_token out",
    )
    return (*found, missing)
