"""From what stands to what the file wants: machines rented, started, entered, told what they need, or given back.

Only what is missing is done. Everything is found by its tag or its name from the first request on, so that
it may be interrupted anywhere, and gone on with from another machine.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue
from typing import Protocol

from ...compile.fleet import Change, Machine, Role, Wanted, decide
from ...compile.money import Rental, refused
from ...compile.rental import estimate_of, rented
from ...errors import CloudBurstError, ProviderError, SpecError
from ...secret import Secret
from ...words import listed
from ..events import Doing, Note, OnEvent, StopSignal, Warned
from ..link import Link
from ..observe import Study
from ..words import count, duration
from .account import A_REQUEST, Account
from .approach import Approach, NeverReady, OpenLink, Patience, Say, authorize, console, open_link
from .caller import callers_network
from .errors import ApiRefused
from .ground import own_firewall, own_key, own_vpc
from .handover import arm, bring_token, first_words, reaper_token, told_rentals
from .keys import PublicKey, own_keys, read_public_key
from .machines import (
    Fleet,
    machine_of,
    manager_of,
    standing_machines,
    what_stands,
)
from .names import HOST_TAG, SHARED_TAG, own_name, role_tag, study_tag, study_tags
from .rentals import keep_rentals, observed, read_rentals, record

THREADS = 16
"""Machines entered at the same time."""


class Joining(Protocol):
    """The swarm of these machines (formation.py): made of them, and left by those that go."""

    def form(self) -> None: ...
    def drain(self, names: Sequence[str]) -> None: ...
    def forget(self, names: Sequence[str]) -> None: ...


MakeSwarm = Callable[[Fleet, Approach], Joining]


class Provision:
    """The machines of one study. Everything may raise ProviderError, whose hint says what stands and what it
    costs, and KeyboardInterrupt when the user wants to stop."""

    def __init__(
        self,
        study: Study,
        account: Account,
        make_swarm: MakeSwarm,
        on_event: OnEvent,
        stop: StopSignal,
        *,
        patience: Patience | None = None,
        open_link: OpenLink = open_link,
    ) -> None:
        """`open_link` and `patience` are other ones in tests."""
        self._study = study
        self._ensemble = study.ensemble
        self._name = study.ensemble.name
        self._account = account
        self._make_swarm = make_swarm
        self._on_event = on_event
        self._stop = stop
        self._patience = patience or Patience()
        self._ended = threading.Event()
        self._said = ""
        self._made: dict[int, Machine] = {}
        self._sayings: SimpleQueue[str] = SimpleQueue()
        self.approach = Approach(
            account, study.places, patience=self._patience, open_link=open_link, ended=self._ended
        )

    def converge(self, wanted: Wanted) -> Fleet:
        """The fleet, standing, in one swarm. Raises SpecError for what the file cannot have where it stands."""
        token = reaper_token(self._ensemble)
        deployment = self.approach.ring.deployment()
        standing = self._look()
        changes = decide(wanted, standing)
        self._refuse_what_costs_too_much(wanted, standing)
        with self._saying_what_stands():
            vpc, keys = self._prepare_ground(deployment)
            self._arm_again(standing)
            self._let_go(changes, standing)
            self._restart(changes)
            self._create(wanted, changes, standing, vpc, deployment, keys)
            fleet = self._await_active(wanted, changes, standing)
            self._enter(fleet, keys, token)
            self._drop_host_tags(self.approach.keys.planted_tags())
            self.approach.keys.forget_planted()
            self._say("making them one swarm")
            self._make_swarm(fleet, self.approach).form()
        return fleet

    # ── before the machines ──────────────────────────────────────────────────────────────────
    def _look(self) -> tuple[Machine, ...]:
        """One that came up badly under this machine's eyes counts as archived: another takes its place."""
        return self.approach.keys.given_up(standing_machines(self._account, self._name))

    def _refuse_what_costs_too_much(self, wanted: Wanted, standing: Sequence[Machine]) -> None:
        """Lists are late: a plan may have seen machines that had given themselves back because the money was spent."""
        now = time.time()
        known = observed(read_rentals(self._study.places), standing, now)
        rental = rented(wanted, standing, known, now, slots=None)
        cluster = self._ensemble.cluster
        estimated = estimate_of(rental, cluster, to_do=0, effort=None)
        problem = refused(estimated, cluster.max_cost) if rental.is_dearer_after else None
        if problem is not None:
            raise SpecError(self._study.loaded.document.place([problem]))

    def _prepare_ground(self, deployment: PublicKey) -> tuple[str, tuple[PublicKey, ...]]:
        """The id of the VPC, and the keys that open new machines: this machine's, the user's, and those of
        other machines that computed the study."""
        self._say("preparing network, key and firewall")
        vpc = own_vpc(self._account, self._ensemble)
        for tag in study_tags(self._name):
            self._account.create_tag(tag)
        own_key(self._account, self._name, deployment)
        given = self._ensemble.cluster.options.get("ssh_from")
        own_firewall(self._account, self._ensemble, None if given is not None else callers_network())
        own = own_keys(self._ensemble.cluster.ssh_keys, self._study.places.spec.parent)
        if own.problems:
            raise SpecError(self._study.loaded.document.place(own.problems))
        in_account = self._account.keys()
        named = (one.public for one in in_account if one.name == own_name(self._name))
        theirs = (key for line in named if (key := read_public_key(line)) is not None)
        return vpc.id, tuple({str(key): key for key in (deployment, *own.keys, *theirs)}.values())

    def _arm_again(self, standing: Sequence[Machine]) -> None:
        """First of all: nobody shall be switched off while others are being made. Who cannot be told now is
        told when it is entered, or is in trouble that will be said then."""
        now = time.time()
        manager = manager_of(standing)
        up = [one for one in standing if one.status == "active" and one.public and not self._is_new(one)]
        rentals = observed(read_rentals(self._study.places), standing, now)

        def tell(machine: Machine, _say: Say) -> None:
            known = rentals
            with suppress(ProviderError), self.approach.entered(machine, patient=False) as link:
                if machine.role == "manager":
                    known = observed((*rentals, *told_rentals(link)), standing, now)
                    keep_rentals(self._study.places, known)
                arm(
                    link,
                    self._ensemble,
                    machine,
                    known,
                    now=now,
                    manager=manager.private if manager else None,
                )

        if up:
            self._say("setting the switch of what stands anew")
            self._at_once(up, tell)

    def _is_new(self, machine: Machine) -> bool:
        return self.approach.is_fresh(machine)

    # ── those that go ────────────────────────────────────────────────────────────────────────
    def _let_go(self, changes: Sequence[Change], standing: Sequence[Machine]) -> None:
        """Drained, given back, and gone before others take their names."""
        leaving = [one.machine for one in changes if one.verb in ("remove", "replace") and one.machine]
        if not leaving:
            return
        names = listed([one.name for one in leaving])
        self._drain(leaving, standing)
        self._say(f"giving back {names}")
        for machine in leaving:
            self._delete(machine)
        self._until(
            lambda: self._are_gone(leaving),
            self._patience.gone,
            f"{names} {'is' if len(leaving) == 1 else 'are'} still listed after being given back",
        )
        for machine in leaving:
            self._made.pop(machine.id, None)
            self.approach.keys.forget(machine)
            self._drop_host_tags(machine.tags)
        self._record()
        self._forget_nodes(leaving, standing)

    def _are_gone(self, leaving: Sequence[Machine]) -> bool:
        """Whoever is listed is told again: it may have been too young to go."""
        still = {one.id for one in standing_machines(self._account, self._name)}
        staying = [one for one in leaving if one.id in still]
        for machine in staying:
            self._delete(machine)
        return not staying

    def _delete(self, machine: Machine) -> None:
        """One that is still being made refuses to go, and one that is going already may refuse, too."""
        try:
            self._account.delete_droplet(machine.id)
        except ApiRefused as error:
            if error.lasting:
                raise

    def _drain(self, leaving: Sequence[Machine], standing: Sequence[Machine]) -> None:
        """Running jobs end first; where there is no swarm to ask, nothing runs that could be waited for."""
        names = [one.name for one in leaving if one.role == "worker" and one.status == "active"]
        staying = self._staying(leaving, standing)
        if staying is None or not names:
            return
        self._say(f"draining {listed(names)}")
        try:
            self._make_swarm(staying, self.approach).drain(names)
        except ProviderError as error:
            lost = f"{listed(names)} could not be drained: jobs that run there run again elsewhere"
            self._on_event(Warned(f"{lost} ({error.message})"))

    def _drop_host_tags(self, tags: Iterable[str]) -> None:
        """Those of keys that no machine shows any more; a tag that is in use stays."""
        standing = standing_machines(self._account, self._name)
        used = {tag for one in standing for tag in one.tags}
        for tag in sorted(tag for tag in tags if tag.startswith(HOST_TAG) and tag not in used):
            self._account.delete_tag(tag)

    def _forget_nodes(self, gone: Sequence[Machine], standing: Sequence[Machine]) -> None:
        """Before others come by their names. A node that stays known is noticed when the swarm is formed."""
        staying = self._staying(gone, standing)
        if staying is not None:
            with suppress(ProviderError):
                self._make_swarm(staying, self.approach).forget([one.name for one in gone])

    def _staying(self, leaving: Sequence[Machine], standing: Sequence[Machine]) -> Fleet | None:
        """Those that stay and could be asked now; None without a manager among them that was entered before."""
        going = {one.id for one in leaving}
        staying = [one for one in standing if one.id not in going and one.status == "active" and one.private]
        manager = manager_of(staying)
        if manager is None or self._is_new(manager):
            return None
        try:
            with self.approach.entered(manager, patient=False):
                return Fleet(manager, tuple(one for one in staying if one.role == "worker"))
        except ProviderError:
            return None

    # ── those that stand ─────────────────────────────────────────────────────────────────────
    def _restart(self, changes: Sequence[Change]) -> None:
        """Switched on, with another size where that is wanted: off, changed, on. It keeps its disk."""
        for change in changes:
            if change.machine is None:
                continue
            if change.verb == "resize":
                self._resize(change.machine, change.size)
            if change.verb in ("resize", "power on"):
                self._say(f"switching {change.name} on")
                self._done(self._account.power_on(change.machine.id))

    def _resize(self, machine: Machine, size: str) -> None:
        if machine.status != "off":
            self._say(f"shutting {machine.name} down")
            self._done(self._account.shutdown(machine.id))
            try:
                self._until(
                    lambda: self._status(machine) == "off", 60.0, f"{machine.name} does not shut down"
                )
            except ProviderError:
                self._done(self._account.power_off(machine.id))
        self._say(f"making {machine.name} a {size}")
        self._done(self._account.resize(machine.id, size))

    def _status(self, machine: Machine) -> str:
        found = self._account.droplet(machine.id)
        return found.status if found is not None else "gone"

    def _done(self, action: int) -> None:
        self._account.wait(action, self._patience.action)

    # ── new ones ─────────────────────────────────────────────────────────────────────────────
    def _create(
        self,
        wanted: Wanted,
        changes: Sequence[Change],
        standing: Sequence[Machine],
        vpc: str,
        deployment: PublicKey,
        keys: Sequence[PublicKey],
    ) -> None:
        """Manager and workers at the same time, as many in a request as it takes. What one request is refused
        does not keep the others from being made: it is raised after them."""
        new = [one for one in changes if one.verb in ("create", "replace")]
        if not new:
            return
        self._say(f"renting {count(len(new), 'machine')} in {wanted.region}")
        now = time.time()
        rentals = observed(read_rentals(self._study.places), standing, now)
        rentals += tuple(Rental(-n, one.name, one.hourly, now, None) for n, one in enumerate(new, 1))
        asked_before = self._was_cut_off(standing)
        planted = self.approach.keys.plant()

        def ask_for(role: Role, names: Sequence[str]) -> None:
            made = self._account.created_or_found(
                names,
                study_tag(self._name),
                asked_before=asked_before,
                settle=self._patience.settle,
                region=wanted.region,
                size=wanted.manager if role == "manager" else wanted.worker,
                image=wanted.image,
                keys=[deployment.md5],
                tags=self._tags(role, planted.tag),
                user_data=first_words(self._ensemble, role, planted, keys, rentals, now),
                vpc=vpc,
            )
            self._made.update((one.id, machine_of(self._name, one)) for one in made)

        requests = list(_requests(new))
        with ThreadPoolExecutor(len(requests)) as pool:
            asked = [pool.submit(ask_for, role, names) for role, names in requests]
        self._raise_first(asked)
        self._record()

    def _was_cut_off(self, standing: Sequence[Machine]) -> bool:
        """A key that was planted from here and that nobody has: an `apply` before this one asked for machines, and
        they may be in no list yet."""
        return not set(self.approach.keys.planted_tags()) <= {tag for one in standing for tag in one.tags}

    def _tags(self, role: Role, host: str) -> list[str]:
        own = self._ensemble.cluster.options.get("tags")
        extra = [str(one) for one in own] if isinstance(own, list) else []
        return list(
            dict.fromkeys((SHARED_TAG, study_tag(self._name), role_tag(self._name, role), host, *extra))
        )

    def _await_active(self, wanted: Wanted, changes: Sequence[Change], standing: Sequence[Machine]) -> Fleet:
        """Until every machine is up and has its addresses, and nothing is there twice."""
        gone = {one.machine.id for one in changes if one.machine and one.verb in ("remove", "replace")}
        names = {one.name for one in changes if one.verb != "remove"}
        names |= {one.name for one in standing if one.id not in gone}
        deadline = time.monotonic() + self._patience.active
        while True:
            there = [one for one in self._look() if one.id not in gone]
            up = {one.name for one in there if one.status == "active" and one.public and one.private}
            waiting = sorted(names - up)
            if not waiting:
                break
            self._say(f"{len(names) - len(waiting)} of {count(len(names), 'machine')} are up")
            if time.monotonic() >= deadline:
                raise self._never_up(waiting, there)
            self._pause()
        left_over = [one.machine.id for one in decide(wanted, there) if one.verb == "remove" and one.machine]
        for twin in left_over:
            self._account.delete_droplet(twin)
            self._made.pop(twin, None)
        fleet = [one for one in there if one.id not in left_over]
        manager = manager_of(fleet)
        assert manager is not None  # noqa: S101 - every fleet that is decided has one
        self._record()
        return Fleet(manager, tuple(one for one in fleet if one.id != manager.id))

    def _never_up(self, waiting: Sequence[str], there: Sequence[Machine]) -> ProviderError:
        said = []
        for name in waiting:
            one = next((machine for machine in there if machine.name == name), None)
            if one is None:
                said.append(f"{name} is not listed")
                continue
            self._give_up(one)
            lacks = f"is {one.status}" if one.status != "active" else "has no address"
            said.append(f"{name} (id {one.id}) {lacks} ({console(one)} shows its screen)")
        return ProviderError(
            f"after {duration(self._patience.active)} of waiting {'; '.join(said)}",
            "`cloudburst apply` again takes another one in its place",
        )

    def _give_up(self, machine: Machine) -> None:
        """Only one that was made from here and held nothing yet: the next `apply` replaces it."""
        if self._is_new(machine):
            self.approach.keys.give_up(machine)

    # ── into each ────────────────────────────────────────────────────────────────────────────
    def _enter(self, fleet: Fleet, keys: Sequence[PublicKey], token: Secret | None) -> None:
        """Wait for each, replace its host key, and tell it what it needs."""
        now = time.time()
        rentals = observed(read_rentals(self._study.places), fleet.all, now)
        entered: set[int] = set()
        shut: list[Machine] = []

        def settle(machine: Machine, say: Say) -> None:
            try:
                with self.approach.entered(machine, say) as link:
                    entered.add(machine.id)
                    self.approach.await_ready(machine, link, say)
                    self._tell(machine, link, keys)
                    known = rentals
                    if machine.role == "manager":
                        known = observed((*rentals, *told_rentals(link)), fleet.all, now)
                    arm(link, self._ensemble, machine, known, now=now, manager=fleet.manager.private)
                    bring_token(link, machine, token)
            except NeverReady:
                self._give_up(machine)
                raise
            except ProviderError:
                if machine.id not in entered:
                    shut.append(machine)
                raise

        try:
            self._at_once(fleet.all, settle)
        finally:
            # Where no machine lets us in, it is us who are shut out, and not each of them that is broken.
            for machine in shut if entered and not self._stop.level else ():
                self._give_up(machine)

    def _tell(self, machine: Machine, link: Link, keys: Sequence[PublicKey]) -> None:
        self.approach.replace_host_key(machine, link)
        authorize(link, keys)
        self.approach.keys.let_in(machine)

    # ── together ─────────────────────────────────────────────────────────────────────────────
    def _at_once(self, machines: Sequence[Machine], act: Callable[[Machine, Say], None]) -> None:
        """On all of them at the same time. The first thing that went wrong is raised when all have ended."""
        with ThreadPoolExecutor(min(THREADS, len(machines))) as pool:
            acts = [pool.submit(act, one, self._saying(one)) for one in machines]
            pending: set[Future[None]] = set(acts)
            while pending:
                _, pending = wait(pending, timeout=0.2, return_when=FIRST_COMPLETED)
                self._tell_sayings()
                if self._stop.level:
                    self._ended.set()
        if self._stop.level:
            raise KeyboardInterrupt
        self._raise_first(acts)

    def _raise_first(self, acts: Iterable[Future[None]]) -> None:
        errors = [error for act in acts if (error := act.exception()) is not None]
        ours = [error for error in errors if isinstance(error, CloudBurstError)]
        for error in errors:
            if not isinstance(error, CloudBurstError):
                raise error
        for other in {error.message: error for error in ours[1:]}.values():
            if other.message != ours[0].message:
                self._on_event(Warned(other.message))
        if ours:
            raise ours[0]

    def _saying(self, machine: Machine) -> Say:
        """Events are told by the thread that was asked, one at a time, and what is new only."""
        last = ""

        def say(text: str) -> None:
            nonlocal last
            if text != last:
                last = text
                self._sayings.put(f"{machine.name}: {text}")

        return say

    def _tell_sayings(self) -> None:
        with suppress(Empty):
            while True:
                self._say(self._sayings.get_nowait())

    # ── small things ─────────────────────────────────────────────────────────────────────────
    def _say(self, text: str) -> None:
        if text != self._said:
            self._said = text
            self._on_event(Doing("machines", text))

    def _pause(self) -> None:
        if self._stop.wait(self._patience.look_every):
            raise KeyboardInterrupt

    def _until(self, condition: Callable[[], bool], seconds: float, otherwise: str) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() >= deadline:
                raise ProviderError(f"{otherwise} ({duration(seconds)})", "the same command again looks anew")
            self._pause()

    def _all_that_stands(self) -> tuple[Machine, ...]:
        """Those just made among them: they are in no list for a moment, and billed all the same."""
        found = standing_machines(self._account, self._name)
        seen = {one.id for one in found}
        return (*found, *(one for one in self._made.values() if one.id not in seen))

    def _record(self) -> tuple[Machine, ...]:
        """What stands now."""
        standing = self._all_that_stands()
        record(self._study.places, standing, time.time())
        return standing

    @contextmanager
    def _saying_what_stands(self) -> Iterator[None]:
        """Whatever goes wrong, nothing that is billed stays unsaid."""
        try:
            yield
        except KeyboardInterrupt:
            self._note_what_stands()
            raise
        except ProviderError as error:
            stands = self._what_stands()
            error.hint = f"{error.hint + '; ' if error.hint else ''}{stands}" if stands else error.hint
            raise

    def _note_what_stands(self) -> None:
        if stands := self._what_stands():
            self._on_event(Note(stands))

    def _what_stands(self) -> str:
        try:
            standing = self._record()
        except ProviderError:
            return (
                "what stands now is not known: `cloudburst status` says it, `cloudburst destroy` removes it"
            )
        if not standing:
            return ""
        return (
            f"{what_stands(standing)}: `cloudburst apply` again goes on, `cloudburst destroy` gives all back"
        )


def _requests(new: Sequence[Change]) -> Iterator[tuple[Role, list[str]]]:
    """Machines of one role are alike, and up to ten of them are one request."""
    for role in ("manager", "worker"):
        names = [one.name for one in new if one.role == role]
        for at in range(0, len(names), A_REQUEST):
            yield role, names[at : at + A_REQUEST]
