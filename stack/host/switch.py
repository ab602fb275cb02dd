#!/usr/bin/env python3
"""The switch of a rented machine: ends what is billed when its time or its money is over, whoever is asleep.

    switch.py            look every 20 seconds, for ever: the service
    switch.py --once     look once
    switch.py --state    print what it saw last, as JSON

Standard library only, for any Python from 3.8; needs neither Docker nor the controller. What it is told lies in
`switch.json`, the token it gives machines back with in `reaper-token`, what it saw in `switch-state.json`, all in
--home. `decide` says what is to be done; what stands around it looks and does. docs/cost.md is for its users.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import ipaddress
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from decimal import ROUND_CEILING, Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Callable, Iterator, Mapping, NamedTuple, Sequence

FORMAT = 1

ARMED = "armed"
REMOVING_WORKERS = "removing workers"
KEEPING = "keeping results"
REMOVING_MANAGER = "removing manager"
OFF = "powering off"
STAGES = (ARMED, REMOVING_WORKERS, KEEPING, REMOVING_MANAGER, OFF)
"""In this order; only an `apply` leads back to the first."""

HOUR = 3600
DAY = 86400.0

EVERY = 20.0
"""Seconds between two looks."""
STEADY = 600.0
"""Seconds for which a clock that jumped must stand still before it is believed."""
SAME = 60.0
"""Seconds by which a clock may be set without having jumped."""
AGREED = 3600.0
"""Seconds between an arming and its arrival, within which the clocks at both ends agree."""

HEAD_START = 120.0
"""Seconds that workers have to be gone before the money is, and to switch themselves off before the manager does."""
AWAKE = 900.0
"""Seconds for whoever switched the machine on again to say what for."""
REFUSED = 300.0
"""Seconds for which a token must be refused before that is final."""

FRESH = 60.0
"""Seconds within which a controller that is alive says so."""
QUIET = 900.0
"""Seconds a controller may say nothing; a manager, to its workers."""
UNHEARD = 3600.0
"""Seconds in which the controller, and for workers the manager, must have been heard once."""

WAIT, REMOVE_WORKERS, REMOVE_MANAGER, POWER_OFF = "wait", "remove workers", "remove manager", "power off"

BILLED = "a machine that is powered off is billed until it is destroyed"
NO_TOKEN = (
    "there is no token here to give machines back with: they are powered off when their time is over, and "
    + BILLED
)


class Trouble(Exception):
    """Something outside failed; the next look tries again, after `pause` seconds at least."""

    def __init__(self, sentence: str, pause: float = 0.0) -> None:
        super().__init__(sentence)
        self.pause = pause


class Refused(Trouble):
    """Trying again will hardly help: the token is not taken."""


class TooLong(Trouble):
    """No time is left for what else there was to ask."""


class Damaged(ValueError):
    """A file is not what it should be."""


# ── what it is told ──────────────────────────────────────────────────────────────────────────
class Rental(NamedTuple):
    """A machine's time: `hourly` in US dollars, `since` and `until` in seconds since the epoch (None: it stands)."""

    id: int
    name: str
    hourly: Decimal
    since: float
    until: float | None


class Config(NamedTuple):
    """`switch.json`. Moments in seconds since the epoch, durations in seconds, None: never, no limit, not known."""

    study: str = ""
    role: str = ""
    armed: float = 0.0
    deadline: float | None = None
    ttl: float | None = DAY
    max_cost: Decimal | None = None
    rentals: tuple[Rental, ...] = ()
    idle_stop: float | None = None
    keep_results: float = 3 * DAY
    api: str = ""
    tag: str = ""
    activity: str = ""
    manager: tuple[str, int] | None = None
    own: int | None = None


UNKNOWN = Config()
"""What holds where `switch.json` never could be read: a day, and then off."""


def read_config(text: str) -> Config:
    """Raises Damaged."""
    form = _object(text)
    role = form.get("role")
    if form.get("format") != FORMAT or role not in ("manager", "worker"):
        raise Damaged("it is of another format, or without a role")
    return Config(
        study=_text(form, "study"),
        role=str(role),
        armed=_number(form, "armed") or 0.0,
        deadline=_number(form, "deadline"),
        ttl=_number(form, "ttl"),
        max_cost=_money(form, "max_cost"),
        rentals=tuple(_rental(one) for one in _list(form, "rentals")),
        idle_stop=_number(form, "idle_stop"),
        keep_results=_number(form, "keep_results") or 0.0,
        api=_text(form, "api"),
        tag=_text(form, "tag"),
        activity=_text(form, "activity"),
        manager=_address(_text(form, "manager")),
        own=_whole(form, "own"),
    )


def _rental(form: Any) -> Rental:
    if not isinstance(form, dict):
        raise Damaged("a rental is no object")
    number, hourly, since = _whole(form, "id"), _money(form, "hourly"), _number(form, "since")
    if number is None or hourly is None or since is None:
        raise Damaged("a rental lacks its id, hourly or since")
    return Rental(number, _text(form, "name"), hourly, since, _number(form, "until"))


def _object(text: str) -> Mapping[str, Any]:
    try:
        form = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Damaged("it is no JSON") from error
    if not isinstance(form, dict):
        raise Damaged("it is no JSON object")
    return form


MOST = 10**12
"""Of anything that is counted here: what is beyond is nonsense, and arithmetic would fail on it."""


def _number(form: Mapping[str, Any], key: str) -> float | None:
    value = form.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not -MOST <= value <= MOST:
        raise Damaged(f"`{key}` is no number")
    return float(value)


def _whole(form: Mapping[str, Any], key: str) -> int | None:
    value = form.get(key)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
        raise Damaged(f"`{key}` is no whole number")
    return value


def _money(form: Mapping[str, Any], key: str) -> Decimal | None:
    """Written as text, to the last digit."""
    value = form.get(key)
    if value is None:
        return None
    try:
        amount = Decimal(str(value))
    except InvalidOperation as error:
        raise Damaged(f"`{key}` is no amount") from error
    if not amount.is_finite() or not 0 <= amount <= MOST:
        raise Damaged(f"`{key}` is no amount")
    return amount


def _text(form: Mapping[str, Any], key: str) -> str:
    value = form.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Damaged(f"`{key}` is no text")
    return value


def _list(form: Mapping[str, Any], key: str) -> Sequence[Any]:
    value = form.get(key)
    if value is None:
        return ()
    if not isinstance(value, list):
        raise Damaged(f"`{key}` is no list")
    return value


def _address(text: str) -> tuple[str, int] | None:
    host, _, port = text.rpartition(":")
    if not text:
        return None
    if not host or not port.isdigit():
        raise Damaged("`manager` is no address")
    return host, int(port)


# ── what the controller says ─────────────────────────────────────────────────────────────────
class Activity(NamedTuple):
    """`activity.json`: when it was written, when a job ran last, both by the controller's clock; the ledger's last
    line, and up to which line everything is in the user's hands."""

    at: float
    busy_at: float
    last: int
    fetched: int

    @property
    def is_safe(self) -> bool:
        """Whether nothing would be lost with this machine."""
        return self.fetched >= self.last


def read_activity(text: str) -> Activity:
    """Raises Damaged."""
    form = _object(text)
    at, busy_at = _number(form, "at"), _number(form, "busy_at")
    last, fetched = _whole(form, "last"), _whole(form, "fetched")
    if form.get("format") != FORMAT or at is None or busy_at is None or last is None or fetched is None:
        raise Damaged("it is of another format, or lacks something")
    return Activity(at, busy_at, last, fetched)


# ── what it costs: the arithmetic of cloudburst/compile/money.py ─────────────────────────────
LEAST_SECONDS = 60
LEAST_CHARGE = Decimal("0.01")
GRAIN = Decimal("0.000001")


def price(hourly: Decimal, seconds: float) -> Decimal:
    return (hourly * Decimal(seconds) / HOUR).quantize(GRAIN, rounding=ROUND_CEILING)


def cost(rentals: Sequence[Rental], now: float) -> Decimal:
    """US dollars until `now`: by the second, at least a minute and at least a cent for each machine."""
    total = Decimal(0)
    for one in rentals:
        until = now if one.until is None else min(one.until, now)
        total += max(LEAST_CHARGE, price(one.hourly, max(LEAST_SECONDS, until - one.since)))
    return total


def hourly(rentals: Sequence[Rental]) -> Decimal:
    """Of all that stand."""
    return sum((one.hourly for one in rentals if one.until is None), Decimal(0))


def when_spent(rentals: Sequence[Rental], limit: Decimal, now: float) -> float | None:
    """The moment they will have cost `limit`; `now` when they have, None when none of them stands."""
    if cost(rentals, now) >= limit:
        return now
    rate, began = float(hourly(rentals)), max((one.since for one in rentals), default=now)
    if rate <= 0:
        return None
    early, late = now, max(now, began) + HOUR * float(limit) / rate + 1
    while late - early > 0.5:
        middle = (early + late) / 2
        early, late = (early, middle) if cost(rentals, middle) >= limit else (middle, late)
    return late


# ── what time it is ──────────────────────────────────────────────────────────────────────────
class Clock(NamedTuple):
    """`at` is the time, as far as can be believed: `ahead` of the seconds since boot `boot` began. `other` is how far
    ahead the machine's clock claims to be, since the second `other_since`, where that is something else."""

    boot: str
    at: float
    ahead: float
    other: float | None = None
    other_since: float = 0.0


def tick(clock: Clock | None, wall: float, up: float, boot: str, armed: float, anew: bool) -> Clock:
    """What time it is, from the machine's clock `wall` and the seconds `up` since boot, which never jump.

    A clock that jumps, and that of a machine which just booted, is believed once it stood still for STEADY
    seconds; until then seconds are counted. One that is before the moment the switch was `armed` is wrong; one
    that agrees with that moment when the arming arrives, `anew`, has a witness.
    """
    if anew and abs(wall - armed) <= AGREED:
        return Clock(boot, wall, wall - up)
    if clock is None:
        clock = Clock(boot, wall, (armed or wall) - up)
    elif clock.boot != boot:
        clock = Clock(boot, clock.at, clock.at)
    claims = wall - up
    if wall < armed:
        clock = clock._replace(other=None)
    elif abs(claims - clock.ahead) <= SAME:
        clock = clock._replace(ahead=claims, other=None)
    elif clock.other is None or abs(claims - clock.other) > SAME:
        clock = clock._replace(other=claims, other_since=up)
    if clock.other is not None and up - clock.other_since >= STEADY:
        clock = clock._replace(ahead=clock.other, other=None)
    return clock._replace(at=clock.ahead + up)


# ── what it saw ──────────────────────────────────────────────────────────────────────────────
class State(NamedTuple):
    """What must outlive a restart. `since` is when the stage began, `stopped` when the switch began to act, for
    `reason`, and `armed` the arming this belongs to.

    `heard` is when the controller, or for a worker the manager, was alive last; `said_at` is what the controller
    wrote then, and `busy` when by that a job ran last. `gone` is when no worker was left, `refused` since when the
    token is refused, `off` the boot in which the machine was told to power off.
    """

    stage: str = ARMED
    since: float = 0.0
    reason: str = ""
    stopped: float | None = None
    armed: float = 0.0
    heard: float | None = None
    said_at: float | None = None
    busy: float | None = None
    gone: float | None = None
    refused: float | None = None
    off: str = ""


class Seen(NamedTuple):
    """What there is to see at one look: the controller's word (None: it cannot be read), whether there is a token,
    which boot of the machine this is, and for how many seconds it has been up."""

    activity: Activity | None = None
    has_token: bool = False
    boot: str = ""
    up: float = 0.0


class End(NamedTuple):
    """What ends the rental, when, and how that is said."""

    at: float
    why: str
    reason: str


class Act(NamedTuple):
    """What is to be done now, the stage that this belongs to, and the reason for being there."""

    do: str
    stage: str
    reason: str = ""


def decide(config: Config, state: State, seen: Seen, now: float) -> Act:
    """Pure. `state` knows what was seen until now; stages go forward only."""
    reason = state.reason
    if state.stage == ARMED:
        over = [end for end in ends(config, state, seen, now) if end.at <= now]
        if not over:
            return Act(WAIT, ARMED)
        reason = over[0].reason
    if not can_give_back(config, state, seen, now) or state.stage == OFF:
        return Act(POWER_OFF if now >= off_from(config, state, seen, now) else WAIT, OFF, reason)
    if state.gone is None:
        return Act(REMOVE_WORKERS, REMOVING_WORKERS, reason)
    if state.stage != REMOVING_MANAGER and not may_go(config, state, seen, now):
        return Act(WAIT, KEEPING, reason)
    return Act(REMOVE_MANAGER, REMOVING_MANAGER, reason)


def can_give_back(config: Config, state: State, seen: Seen, now: float) -> bool:
    """A manager that waits for its results to be fetched asks nothing of the token meanwhile."""
    if config.role != "manager":
        return False
    if state.stage == KEEPING and not may_go(config, state, seen, now):
        return True
    return seen.has_token and (state.refused is None or now < state.refused + REFUSED)


def may_go(config: Config, state: State, seen: Seen, now: float) -> bool:
    """Whether the manager needs to wait no longer for its results to be fetched."""
    return (seen.activity is not None and seen.activity.is_safe) or now >= kept_until(config, state, now)


def kept_until(config: Config, state: State, now: float) -> float:
    return (now if state.stopped is None else state.stopped) + config.keep_results


def off_from(config: Config, state: State, seen: Seen, now: float) -> float:
    """When it powers off: a manager after its workers, and whoever was switched on again after a while."""
    moment = now if state.stopped is None else state.stopped
    if config.role == "manager":
        moment += HEAD_START
    if state.off and state.off != seen.boot:
        moment = max(moment, now - seen.up + AWAKE)
    return moment


def ends(config: Config, state: State, seen: Seen, now: float) -> list[End]:
    """All that ends an armed rental, the first one first."""
    found = [find(config, state, seen, now) for find in (by_ttl, by_cost, by_idleness, by_silence)]
    return sorted(end for end in found if end is not None)


def by_ttl(config: Config, state: State, seen: Seen, now: float) -> End | None:
    """The moment it was told, but no later than its time after the arming arrived: the clock at the other end may
    be wrong. Who was never armed counts from its boot."""
    moments = [] if config.deadline is None else [config.deadline]
    if config.ttl is not None:
        moments.append((state.since if config.armed else now - seen.up) + config.ttl)
    return End(min(moments), "ttl", "its time is over") if moments else None


def by_cost(config: Config, state: State, seen: Seen, now: float) -> End | None:
    """Early enough for what comes after it: workers that take their time to go, and a manager that waits for its
    results to be fetched."""
    if config.max_cost is None or config.role != "manager":
        return None
    rentals = rentals_of(config, state)
    limit = config.max_cost - price(hourly(rentals), HEAD_START)
    if seen.has_token:
        managing = max((one.hourly for one in rentals if is_manager(config, one)), default=Decimal(0))
        limit -= price(managing, config.keep_results)
    moment = when_spent(rentals, limit, now)
    return (
        None if moment is None else End(moment, "max_cost", f"max_cost of {config.max_cost} USD is reached")
    )


def by_idleness(config: Config, state: State, _seen: Seen, now: float) -> End | None:
    """While the controller says nothing, nobody knows whether a job runs: then it takes longer."""
    if config.idle_stop is None or config.role != "manager":
        return None
    since, patience = state.since, max(config.idle_stop, UNHEARD)
    if state.heard is not None and state.busy is not None:
        alive = now - state.heard <= FRESH
        since = max(state.since, state.busy if alive else state.heard)
        patience = config.idle_stop if alive else max(config.idle_stop, QUIET)
    return End(since + patience, "idle_stop", f"no job ran for {spell(patience)}")


def by_silence(config: Config, state: State, seen: Seen, now: float) -> End | None:
    """A worker without its manager works for nobody."""
    if config.role != "worker":
        return None
    booted = max(state.since, now - seen.up)
    if state.heard is None:
        return End(booted + UNHEARD, "manager", "its manager was never reached")
    return End(
        max(booted, state.heard) + QUIET, "manager", f"its manager has not answered for {spell(QUIET)}"
    )


def spell(seconds: float) -> str:
    for unit, length in (("h", HOUR), ("m", 60)):
        if seconds >= length and seconds % length == 0:
            return f"{seconds // length:.0f}{unit}"
    return f"{seconds:.4g}s"


def rentals_of(config: Config, state: State) -> list[Rental]:
    """As they are after what the switch did itself."""
    if state.gone is None:
        return list(config.rentals)
    return [
        one if one.until is not None or is_manager(config, one) else one._replace(until=state.gone)
        for one in config.rentals
    ]


def is_manager(config: Config, rental: Rental) -> bool:
    return rental.id == config.own or rental.name == f"cb-{config.study}-manager"


def next_end(config: Config, state: State, seen: Seen, now: float) -> End | None:
    """What ends the stage it is in; None when nothing does, or it is ending."""
    if state.stage == ARMED:
        return min(ends(config, state, seen, now), default=None)
    if state.stage == KEEPING:
        return End(kept_until(config, state, now), "keep_results", "")
    return None


# ── how what it saw grows ────────────────────────────────────────────────────────────────────
def armed_anew(state: State, config: Config, now: float) -> State:
    """An `apply` starts it all again; an older file, brought back, does not."""
    if config.armed <= state.armed:
        return state
    return State(since=now, armed=config.armed, heard=state.heard, said_at=state.said_at, busy=state.busy)


def heard_from(state: State, activity: Activity | None, now: float) -> State:
    """The controller is alive whenever what it wrote is new. How long it was idle is reckoned by its own clock."""
    if activity is None or activity.at == state.said_at:
        return state
    idle = max(0.0, activity.at - activity.busy_at)
    return state._replace(heard=now, said_at=activity.at, busy=now - idle)


def followed(state: State, act: Act, seen: Seen, now: float) -> State:
    """After the decision, before it is done: what is killed in between does the same again."""
    if act.stage != state.stage:
        stopped = now if state.stopped is None else state.stopped
        state = state._replace(stage=act.stage, since=now, reason=act.reason, stopped=stopped)
    return state._replace(off=seen.boot) if act.do == POWER_OFF else state


# ── the provider's API ───────────────────────────────────────────────────────────────────────
TIMEOUT = 30.0
LONGEST = 120
"""Seconds for everything that is asked at one look."""
LARGEST = 16 << 20
MOST_PAGES = 200
PAGE = 200
KINDS = ("droplets", "gpus")

SECOND_LOOK = 120.0
"""Seconds before a machine that is being deleted is told so again."""
LONGEST_PAUSE = 600.0
LONGEST_ASKED = 3600.0

TRYING = ipaddress.ip_network("198.18.0.0/15")
"""Addresses set aside for trials (RFC 2544): there, and on the machine itself, the API may be without TLS."""


class Machine(NamedTuple):
    """`tags` in small letters: the API takes large and small ones for the same."""

    id: int
    tags: frozenset[str]


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """The token goes to nobody but whom we asked."""

    def redirect_request(self, *_: Any) -> None:
        return None


class Api:
    """Two calls. Both may raise Trouble, or Refused where the token is not taken."""

    def __init__(self, base: str, token: str) -> None:
        if not is_private(base):
            raise Refused(f"the API's address is neither https nor one for trials: {base[:80]}")
        self._base = base.rstrip("/") + "/"
        self._token = token
        self._open = urllib.request.build_opener(urllib.request.ProxyHandler({}), NoRedirect()).open

    def machines(self, tag: str) -> list[Machine]:
        """All that have the tag. Asked for is every machine of the account, since a list by tag is late and needs one
        more scope; those with a graphics processor are in a list of their own."""
        return [one for kind in KINDS for one in self._all(kind) if tag.lower() in one.tags]

    def _all(self, kind: str) -> list[Machine]:
        """Every page of them."""
        found: dict[int, Machine] = {}
        for number in range(1, MOST_PAGES):
            query = urllib.parse.urlencode({"type": kind, "page": number, "per_page": PAGE})
            page = _page(self._ask("GET", "droplets?" + query)[1])
            found.update((one.id, one) for one in page.machines)
            if page.is_last:
                if len(found) < page.total:
                    raise Trouble("the list of machines is shorter than it says")
                return list(found.values())
        raise Trouble("the list of machines does not end")

    def delete(self, number: int) -> bool:
        """False when there is no such machine."""
        return self._ask("DELETE", f"droplets/{number}")[0] != 404

    def _ask(self, method: str, path: str) -> tuple[int, bytes]:
        headers = {"Authorization": "Bearer " + self._token, "Accept": "application/json"}
        request = urllib.request.Request(self._base + path, method=method, headers=headers)  # noqa: S310 - is_private
        try:
            with self._open(request, timeout=TIMEOUT) as answer:
                return answer.status, answer.read(LARGEST)
        except urllib.error.HTTPError as error:
            with error:
                if error.code == 404 and method == "DELETE":
                    return 404, b""
                raise _refusal(error.code, error.headers.get("Retry-After")) from None
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise Trouble(f"the API does not answer: {_said(error)}") from None


class Page(NamedTuple):
    machines: list[Machine]
    total: int
    is_last: bool


def _page(body: bytes) -> Page:
    """Raises Trouble for anything but a page of a list, such as a page for people."""
    try:
        form = json.loads(body)
        machines = [
            Machine(int(one["id"]), frozenset(str(tag).lower() for tag in one["tags"]))
            for one in form["droplets"]
        ]
        pages = (form.get("links") or {}).get("pages") or {}
        return Page(machines, int((form.get("meta") or {}).get("total", 0)), "next" not in pages)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise Trouble("the API's answer is no list of machines") from None


def _refusal(code: int, asked: str | None) -> Trouble:
    if code in (401, 403):
        what = "the token is not valid" if code == 401 else "the token lacks a scope, droplet read or delete"
        return Refused(f"the API refuses the token in reaper-token ({code}): {what}")
    pause = float(asked) if asked is not None and asked.isdigit() else 0.0
    return Trouble(f"the API answers {code}", min(pause, LONGEST_ASKED))


def _said(error: Exception) -> str:
    """Never with a header in it: http.client quotes what it cannot send."""
    reason = getattr(error, "reason", None)
    return str(reason if isinstance(reason, OSError) else type(error).__name__)[:200]


def is_private(base: str) -> bool:
    """Whether a token may be sent there."""
    try:
        found = urllib.parse.urlsplit(base)
        if found.scheme != "http":
            return found.scheme == "https" and bool(found.hostname)
        address = ipaddress.ip_address("127.0.0.1" if found.hostname == "localhost" else found.hostname or "")
    except ValueError:
        return False
    return address.is_loopback or address in TRYING


# ── doing it ─────────────────────────────────────────────────────────────────────────────────
def remove_workers(api: Api, config: Config, may: Callable[[], bool]) -> bool:
    """Whether there was none left. `may`: whether it is still to be done, asked before each one."""
    workers = [one.id for one in api.machines(config.tag + ":worker") if one.id != config.own]
    remove(api, workers, may)
    return not workers


def remove_manager(api: Api, config: Config, may: Callable[[], bool]) -> bool:
    """Whatever else is left of the study, then this machine. True when it has been told to go.

    Without its own id, or where that is wrong, it goes with all that are tagged as managers of the study: one of
    them is this one.
    """
    standing = api.machines(config.tag)
    managers = {one.id for one in standing if f"{config.tag}:manager".lower() in one.tags}
    own = {config.own} if config.own is not None else managers
    others = [one.id for one in standing if one.id not in own]
    if others:
        remove(api, others, may)
        return False
    if not remove(api, sorted(own), may) and may():
        raise Refused("the API knows no machine of this study: neither this one nor another")
    return True


def remove(api: Api, numbers: Sequence[int], may: Callable[[], bool]) -> int:
    """How many were there. One that cannot be deleted keeps no other one: the first trouble is raised at the end."""
    there, first = 0, None
    for number in numbers:
        if not may():
            break
        try:
            there += api.delete(number)
        except (Refused, TooLong):
            raise
        except Trouble as trouble:
            first = first or trouble
    if first:
        raise first
    return there


WAYS_OFF = (("systemctl", "poweroff"), ("poweroff",), ("shutdown", "-h", "now"))


def power_off() -> None:
    """By the first way there is. Raises Trouble when no way works."""
    for command in WAYS_OFF:
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            if subprocess.run(command, stdin=subprocess.DEVNULL, timeout=60, check=False).returncode == 0:
                return
    raise Trouble("this machine cannot be powered off: neither systemctl nor poweroff nor shutdown does it")


@contextlib.contextmanager
def no_longer_than(seconds: int) -> Iterator[None]:
    """Raises Trouble in its middle: a server that sends a byte now and then outlasts every timeout of a socket."""

    def cut(*_: Any) -> None:
        raise TooLong(f"the API takes longer than {seconds} s")

    before = signal.signal(signal.SIGALRM, cut)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


class Patience:
    """Whether to ask the API now: after each failure in a row it is left alone for twice as long."""

    def __init__(self, least: float = EVERY) -> None:
        self._least = least
        self._failures = 0
        self._until = 0.0

    def allows(self, up: float) -> bool:
        return up >= self._until

    def rest(self, up: float, seconds: float) -> None:
        self._failures, self._until = 0, up + seconds

    def suffer(self, up: float, least: float) -> None:
        self._failures += 1
        pause = min(self._least * 2 ** min(self._failures - 1, 10), LONGEST_PAUSE)
        self._until = up + max(least, pause)


# ── looking ──────────────────────────────────────────────────────────────────────────────────
CONFIG, TOKEN, STATE = "switch.json", "reaper-token", "switch-state.json"


class Switch:
    """Looks, decides, does, remembers. A damaged or missing file never stops it."""

    def __init__(self, home: Path, every: float = EVERY) -> None:
        self._home = home
        self._patience = Patience(every)
        self._refusal = ""
        self._empty = 0
        self._told: tuple[str, ...] = ()
        self._config = UNKNOWN
        self._memory = recalled(home / STATE)

    def look(self) -> None:
        """Once. Whatever is wrong is said, and tried again the next time."""
        troubles = self._read()
        seen = self._see()
        now = self._memory.now
        act = decide(self._config, self._memory.state, seen, now)
        self._memory = self._memory._replace(state=followed(self._memory.state, act, seen, now))
        troubles += warnings(self._config, seen, act)
        self._tell(act, troubles)  # whoever is powered off says nothing afterwards
        if act.do != WAIT:
            self._save(seen, troubles)
            troubles += self._do(act, seen)
        troubles += self._save(seen, troubles)
        self._told = self._tell(act, troubles)

    def _read(self) -> list[str]:
        """What it is told, or what it was told last."""
        try:
            text = contents(self._home / CONFIG)
            self._config = read_config(text)
            self._memory = self._memory._replace(config=text)
        except (OSError, Damaged) as error:
            with contextlib.suppress(Damaged):
                self._config = read_config(self._memory.config)
            return [f"{CONFIG} cannot be used, so what was known before holds: {error}"]
        return []

    def _see(self) -> Seen:
        config, boot, up = self._config, boot_of(), seconds_up()
        anew = config.armed > self._memory.state.armed
        clock = tick(self._memory.clock, time.time(), up, boot, config.armed, anew)
        state = armed_anew(self._memory.state, config, clock.at)
        activity = None
        if config.role == "manager":
            activity = activity_of(config)
            state = heard_from(state, activity, clock.at)
        elif config.manager and answers(config.manager):
            state = state._replace(heard=clock.at)
        self._memory = self._memory._replace(state=state, clock=clock)
        return Seen(activity, bool(self._token()), boot, up)

    def _token(self) -> str:
        try:
            return contents(self._home / TOKEN).strip()
        except OSError:
            return ""

    # ── doing ────────────────────────────────────────────────────────────────────────────────
    def _do(self, act: Act, seen: Seen) -> list[str]:
        """What went wrong."""
        try:
            if act.do == POWER_OFF:
                power_off()
            elif self._patience.allows(seen.up):
                self._refusal = ""
                self._give_back(act, seen)
        except Trouble as trouble:
            return [str(trouble)]
        return [self._refusal] if self._refusal else []

    def _give_back(self, act: Act, seen: Seen) -> None:
        """Raises Trouble."""
        state, now = self._memory.state, self._memory.now
        try:
            with no_longer_than(LONGEST):
                state = self._ask(Api(self._config.api, self._token()), act, seen)
        except Trouble as trouble:
            if isinstance(trouble, Refused):
                state = state._replace(refused=now if state.refused is None else state.refused)
            self._refusal = str(trouble)
            self._patience.suffer(seen.up, trouble.pause)
            raise
        finally:
            self._memory = self._memory._replace(state=state)

    def _ask(self, api: Api, act: Act, seen: Seen) -> State:
        """Lists are late: no worker is left when two looks in a row found none."""
        state = self._memory.state._replace(refused=None)
        pause = 0.0
        if act.do == REMOVE_WORKERS:
            self._empty = self._empty + 1 if remove_workers(api, self._config, self._may) else 0
            state = state._replace(gone=self._memory.now if self._empty >= 2 else None)
        elif remove_manager(api, self._config, self._may):
            pause = SECOND_LOOK
        self._patience.rest(seen.up, pause)
        return state

    def _may(self) -> bool:
        """Whether no `apply` has armed the switch anew since it was read."""
        try:
            return read_config(contents(self._home / CONFIG)).armed <= self._memory.state.armed
        except (OSError, Damaged):
            return True

    # ── remembering, telling ─────────────────────────────────────────────────────────────────
    def _save(self, seen: Seen, troubles: Sequence[str]) -> list[str]:
        """A full disk must not keep a machine: it goes on with what it has in mind."""
        form = state_form(self._config, self._memory, seen, troubles)
        try:
            replace(self._home / STATE, json.dumps(form, indent=1) + "\n")
        except OSError as error:
            return [f"{STATE} cannot be written: {error.strerror}"]
        return []

    def _tell(self, act: Act, troubles: Sequence[str]) -> tuple[str, ...]:
        """What is new since the last look, for the system's log; all of it."""
        stage = f"{act.stage}: {act.reason}" if act.reason else act.stage
        sentences = (stage, *troubles)
        for sentence in sentences:
            if sentence not in self._told:
                say(sentence)
        self._told = (*self._told, *sentences)
        return sentences


def warnings(config: Config, seen: Seen, act: Act) -> list[str]:
    if act.stage == OFF:
        return [BILLED]
    return [NO_TOKEN] if config.role == "manager" and not seen.has_token else []


def say(sentence: str) -> None:
    print(f"cloudburst-switch: {sentence}", file=sys.stderr, flush=True)  # noqa: T201 - the system's log


# ── its memory ───────────────────────────────────────────────────────────────────────────────
class Memory(NamedTuple):
    """`config` is the last text of `switch.json` that could be used."""

    state: State = State()
    clock: Clock | None = None
    config: str = ""

    @property
    def now(self) -> float:
        return self.clock.at if self.clock else 0.0


def state_form(config: Config, memory: Memory, seen: Seen, troubles: Sequence[str]) -> Mapping[str, Any]:
    """`switch-state.json`: for people and `cloudburst status`, and under `memory` for itself."""
    state, now = memory.state, memory.now
    end = next_end(config, state, seen, now)
    return {
        "format": FORMAT,
        "stage": state.stage,
        "since": state.since,
        "reason": state.reason,
        "spent": str(cost(rentals_of(config, state), now)),
        "stops_at": end.at if end else None,
        "why": end.why if end else "",
        "trouble": "; ".join(troubles),
        "at": now,
        "memory": {
            "state": state._asdict(),
            "clock": memory.clock._asdict() if memory.clock else None,
            "config": memory.config,
        },
    }


def recalled(path: Path) -> Memory:
    """What is damaged or missing is forgotten: everything that ends a rental is found again."""
    try:
        form = _object(contents(path)).get("memory")
        return read_memory(form) if isinstance(form, dict) else Memory()
    except (OSError, Damaged):
        return Memory()


def read_memory(form: Mapping[str, Any]) -> Memory:
    """Raises Damaged."""
    state, clock = form.get("state"), form.get("clock")
    if not isinstance(state, dict) or state.get("stage") not in STAGES:
        raise Damaged("it has no stage")
    return Memory(
        State(
            stage=_text(state, "stage"),
            since=_number(state, "since") or 0.0,
            reason=_text(state, "reason"),
            stopped=_number(state, "stopped"),
            armed=_number(state, "armed") or 0.0,
            heard=_number(state, "heard"),
            said_at=_number(state, "said_at"),
            busy=_number(state, "busy"),
            gone=_number(state, "gone"),
            refused=_number(state, "refused"),
            off=_text(state, "off"),
        ),
        _clock(clock) if isinstance(clock, dict) else None,
        _text(form, "config"),
    )


def _clock(form: Mapping[str, Any]) -> Clock:
    at, ahead = _number(form, "at"), _number(form, "ahead")
    if at is None or ahead is None:
        raise Damaged("its clock stands still")
    other_since = _number(form, "other_since") or 0.0
    return Clock(_text(form, "boot"), at, ahead, _number(form, "other"), other_since)


def replace(path: Path, text: str) -> None:
    """Whole: after a power cut there is the old one or the new one. Raises OSError."""
    new = path.with_name("." + path.name + ".new")
    with open(new, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(new, path)


# ── the machine ──────────────────────────────────────────────────────────────────────────────
def contents(path: Path, most: int = 1 << 20) -> str:
    """Of a plain file: a link or a pipe that something else put there is not followed. Raises OSError."""
    number = os.open(str(path), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(number, "rb") as file:
        if not stat.S_ISREG(os.fstat(number).st_mode):
            raise OSError(f"{path.name} is no plain file")
        return file.read(most).decode("utf-8", "replace")


def activity_of(config: Config) -> Activity | None:
    try:
        return read_activity(contents(Path(config.activity))) if config.activity else None
    except (OSError, Damaged):
        return None


def answers(address: tuple[str, int]) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(address, timeout=5):
        return True
    return False


def boot_of() -> str:
    """New after every boot, also where several systems share a kernel, as containers do."""
    with contextlib.suppress(OSError):
        kernel = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{kernel}/{_began()}"
    return ""


def seconds_up() -> float:
    """Seconds since this system's first process began; the time a machine was suspended counts."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) - _began() / os.sysconf("SC_CLK_TCK")


def _began() -> int:
    """When the first process did, in ticks after the kernel did."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int(Path("/proc/1/stat").read_text().rpartition(")")[2].split()[19])
    return 0


# ── the command line ─────────────────────────────────────────────────────────────────────────
def watch(switch: Switch, every: float) -> None:
    """For ever. Should a look fail in a way nobody thought of, for a day, that must not be billed either."""
    failing: float | None = None
    while True:
        try:
            switch.look()
            failing = None
        except Exception as error:
            up = seconds_up()
            failing = up if failing is None else failing
            say(f"a mistake of the switch: {type(error).__name__}: {error}")
            if up - failing >= DAY:
                with contextlib.suppress(Trouble):
                    power_off()
        time.sleep(every)


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--home", type=Path, default=Path("/var/lib/cloudburst"), help="where its files are")
    parser.add_argument("--every", type=float, default=EVERY, help="seconds between two looks")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--once", action="store_true", help="look once")
    what.add_argument("--state", action="store_true", help="print what it saw last")
    return parser


def main(words: Sequence[str]) -> int:
    given = arguments().parse_args(words)
    if given.state:
        return show(given.home / STATE)
    os.umask(0o077)
    switch = Switch(given.home, given.every)
    if given.once:
        switch.look()
    else:
        watch(switch, given.every)
    return 0


def show(path: Path) -> int:
    try:
        sys.stdout.write(contents(path))
    except OSError as error:
        say(f"it has not looked yet: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
