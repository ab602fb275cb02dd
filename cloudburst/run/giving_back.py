"""Giving rented machines back: first what is computed comes home, then everything goes, until nothing is left.

What a study has is found in the account by its tags and names, so that a study that was only half made, or made
from another machine, is given back like any other.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ..compile import money
from ..compile.fleet import Machine
from ..compile.stack import stack_name
from ..errors import ControllerError, FileStoreError, ProviderError, Unreachable
from ..spec.ensemble import Ensemble
from ..words import count
from . import run_lock
from .digitalocean import estate
from .digitalocean.account import Account, open_account
from .digitalocean.approach import Approach, ask
from .digitalocean.estate import Estate, Leftovers
from .digitalocean.keys import Ring
from .digitalocean.machines import manager_of, standing_machines
from .digitalocean.rentals import forget_rentals, keep_rentals, observed, read_rentals, record
from .events import Doing, Note, OnEvent
from .observe import Study
from .places import Places
from .providers.digitalocean import way_to
from .providers.swarm import PATIENCE, reached
from .safekeeping import fetch_everything

WHERE = "DigitalOcean"
ON_WITHIN = 300.0
SERVES_WITHIN = 300.0
"""Seconds for a manager that was off to come up, and for its services after that."""
ANSWERS_WITHIN = 30.0
"""The same for one that is up: its controller may just be starting anew."""
LOOK_EVERY = 2.0
DISCARD = "`cloudburst destroy --discard` gives its results up"


class NotAllGivenBack(ProviderError):
    """Something that is billed, or might be in the way later, is still there: `leftovers` says what."""

    def __init__(self, study: str, leftovers: Leftovers) -> None:
        again = "`cloudburst destroy` again tries again; https://cloud.digitalocean.com shows what is there"
        super().__init__(
            f"not all of {study} could be given back: {leftovers.in_words()} "
            f"{'is' if len(tuple(leftovers.left.by_kind())) == 1 else 'are'} left",
            "; ".join((*leftovers.why, again)),
        )
        self.leftovers = leftovers


@dataclass(frozen=True)
class GivenBack:
    """`removed` is what was there; `kept` says, in sentences, what was left on purpose; `cost` is what all the
    machines have cost, in sentences too."""

    removed: Estate
    kept: tuple[str, ...]
    cost: str


@dataclass(frozen=True)
class RentedAfar:
    """What of a study is in the account. Good inside the `with` of `rented_afar`."""

    remains: Estate
    _ensemble: Ensemble
    _places: Places
    _account: Account
    where: str = WHERE

    def take_down(self, study: Study | None, on_event: OnEvent, *, snapshots: bool = False) -> GivenBack:
        """Remove it, once what is computed there is here: `study` None means that nobody wants it.

        Raises StudyBusy; ProviderError when results cannot be fetched (nothing is removed then); and
        NotAllGivenBack.
        """
        self._places.root.mkdir(parents=True, exist_ok=True)
        with run_lock.hold(self._places.lock, study=self._places.study):
            if study is not None:
                _bring_home(study, self._account, on_event)
            standing = standing_machines(self._account, self._ensemble.name)
            record(self._places, standing, time.time())
            left = estate.remove(
                self._account,
                self._ensemble.name,
                on_event=on_event,
                keep_vpc=self._ensemble.cluster.options["vpc"] is not None,
                snapshots=snapshots,
            )
            cost = self._settle(left)
        on_event(Note(cost))
        if left:
            raise NotAllGivenBack(self._ensemble.name, left)
        return GivenBack(self.remains, left.kept, cost)

    def _settle(self, left: Leftovers) -> str:
        """What it has cost; keys and prices are forgotten with the last machine."""
        now = time.time()
        standing = standing_machines(self._account, self._ensemble.name) if left else ()
        rentals = observed(read_rentals(self._places), standing, now)
        if left:
            keep_rentals(self._places, rentals)
        else:
            forget_rentals(self._places)
            shutil.rmtree(Ring(self._places).directory, ignore_errors=True)
        machines = count(len(rentals), "machine")
        return f"its machines have cost {money.usd(money.cost(rentals, now))} ({machines}, by this machine's clock)"


@contextmanager
def rented_afar(ensemble: Ensemble, places: Places) -> Iterator[RentedAfar | None]:
    """None when the account has nothing of the study. Raises ProviderError, Unreachable."""
    with open_account() as account:
        found = estate.observe(account, ensemble.name)
        yield RentedAfar(found, ensemble, places, account) if found else None


# ── results first ────────────────────────────────────────────────────────────────────────────
def _bring_home(study: Study, account: Account, on_event: OnEvent) -> None:
    """Everything that was ever recorded there. Raises ProviderError when there is something that cannot be had."""
    manager = manager_of(standing_machines(account, study.ensemble.name))
    approach = Approach(account, study.places)
    if manager is None or manager.status == "new" or approach.is_fresh(manager):
        on_event(Note(f"no machine of {study.ensemble.name} was ever set up: there are no results to fetch"))
        return
    try:
        within = ANSWERS_WITHIN
        if manager.status == "off":
            manager = _switched_on(manager, study.ensemble.name, account, on_event)
            within = SERVES_WITHIN
        _fetch(study, manager, account, approach, on_event, within)
    except (ControllerError, FileStoreError, ProviderError) as error:
        raise ProviderError(
            f"what {study.ensemble.name} has computed cannot be fetched from {manager.name} (id {manager.id}), "
            f"and nothing was removed: {error.message}",
            f"`cloudburst apply` mends it; {DISCARD}",
        ) from error


def _fetch(
    study: Study, manager: Machine, account: Account, approach: Approach, on_event: OnEvent, within: float
) -> None:
    on_event(Doing("results", f"connecting to {manager.name}"))
    deadline = account.now() + within
    while True:
        try:
            return _fetch_now(study, manager, account, approach, on_event)
        except (ControllerError, Unreachable) as error:
            if account.now() >= deadline:
                raise
            on_event(Doing("results", f"{error.message}; trying again"))
        account.pause(LOOK_EVERY, "waiting for the controller")


def _fetch_now(
    study: Study, manager: Machine, account: Account, approach: Approach, on_event: OnEvent
) -> None:
    docker = way_to(study.ensemble, account, approach, manager)
    if not _has_results(study.ensemble.name, manager, approach):
        on_event(Note(f"nothing was ever recorded on {manager.name}: there are no results to fetch"))
        return
    with reached(docker, study.places, patience=PATIENCE, made_for_study=True) as there:
        if there is None:
            raise ProviderError("its stack does not stand")
        fetch_everything(study, there, on_event)


def _has_results(study: str, manager: Machine, approach: Approach) -> bool:
    """Whether its controller ever had a home there, running or not, with or without a Docker that answers."""
    volume = f"/var/lib/docker/volumes/{stack_name(study)}_controller"
    with approach.entered(manager, patient=False) as link:
        return ask(link, f"if [ -d {volume} ]; then echo there; fi").strip() == "there"


def _switched_on(manager: Machine, study: str, account: Account, on_event: OnEvent) -> Machine:
    """It keeps what it has when it is off: switched on for as long as it takes to fetch that."""
    on_event(Doing("machines", f"switching {manager.name} on to fetch its results"))
    account.wait(account.power_on(manager.id))
    deadline = time.monotonic() + ON_WITHIN
    while True:
        found = manager_of(standing_machines(account, study))
        if found is not None and found.status == "active" and found.public:
            return found
        if time.monotonic() >= deadline:
            raise Unreachable(f"{manager.name} does not come up")
        account.pause(LOOK_EVERY, f"waiting for {manager.name}")
