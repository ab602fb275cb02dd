"""Rented machines and their price, from the JSON forms of plan and status and from nothing else."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from .grid import grid
from .paint import Paint
from .words import count, duration, filled, hours, price, usd

Form = Mapping[str, Any]


# ── what apply would do to them ──────────────────────────────────────────────────────────────
def lines(plan: Form, *, width: int, paint: Paint) -> Iterator[str]:
    """The machines that change, what they cost, and what ends it. Nothing where nothing is rented."""
    rental = plan["cluster"]["rental"]
    if rental is None:
        if plan["cluster"].get("listed"):
            yield from by_list(plan["cluster"]["listed"], width=width, paint=paint)
        elif plan["cluster"]["rented"]:
            yield "machines: nobody looked which stand, and what they cost"
        return
    changes = [action for action in plan["actions"] if action["size"] is not None]
    if changes:
        yield from changing(changes, plan["study"], width=width, paint=paint)
        yield ""
    if rental["estimate"] or rental["machines"]:
        yield from filled(_price(rental), width)
    if rental["estimate"]:
        yield from filled(_expected(rental), width)
        yield from filled(ends(rental), width)
    yield from warnings(rental, width=width, paint=paint)


def by_list(listed: Form, *, width: int, paint: Paint) -> Iterator[str]:
    """The machines of the file by a dated table: what they would cost if all were rented now."""
    yield from filled(
        f"machines: nobody looked which stand; prices as of {listed['as_of']}, by the table in this version",
        width,
    )
    rows = [
        (
            f"{one['count']:,}",
            one["role"],
            one["size"],
            "unknown" if one["hourly"] is None else f"{one['hourly']:.3f}",
        )
        for one in listed["machines"]
    ]
    yield from grid(("", "", "size", "USD/h each"), rows, width=width, indent="  ", paint=paint)
    if listed["hourly"] is None:
        sizes = {one["size"] for one in listed["machines"] if one["hourly"] is None}
        yield from filled(
            f"{' and '.join(sorted(sizes))}: not in the table, so nothing is said of the cost;"
            " without --offline the provider is asked",
            width,
        )
        return
    yield from filled(f"{price(listed['hourly'])} together", width)
    if listed["estimate"]:
        yield from filled(_expected(listed), width)
        yield from filled(ends(listed), width)


def changing(changes: Sequence[Form], study: str, *, width: int, paint: Paint) -> list[str]:
    """A table: `+ create  worker-1  s-4vcpu-8gb  0.071  3 of 5 stand (line 14)`."""
    rows = [
        (
            f"{change['mark']} {change['verb']}",
            short_name(change["address"], study),
            change["size"],
            f"{change['hourly']:.3f}",
            change["reason"] + (f" (line {change['line']})" if change["line"] else ""),
        )
        for change in changes
    ]
    header = ("", f"cb-{study}-", "size", "USD/h", "")
    return grid(header, rows, width=width, floors=(8, 9, 8, 5, 16), paint=paint)


def short_name(name: str, study: str) -> str:
    """`worker-1` of `cb-waves-worker-1`: the rest is in the header."""
    return name.removeprefix(f"cb-{study}-")


def _price(rental: Form) -> str:
    now, after = rental["hourly"], rental["hourly_after"]
    before = f" ({price(now)} now)" if rental["machines"] and now != after else ""
    spent = f"; {usd(rental['spent'])} spent so far" if rental["spent"] else ""
    return f"{price(after)}{before}{spent}"


def _expected(rental: Form) -> str:
    estimate = rental["estimate"]
    if estimate["likely"] is None:
        return f"expected: {estimate['because']}; `cloudburst probe` tries a few rows, and then it is known"
    later = (
        f"; {usd(estimate['forgotten'])} if nobody destroys it or fetches its results"
        if estimate["forgotten"] is not None and estimate["forgotten"] > estimate["likely"]
        else ""
    )
    return f"expected {usd(estimate['likely'])}{_between(estimate)}: {estimate['because']}{later}"


def _between(estimate: Form) -> str:
    """` (1.20 to 1.80 USD)`; empty where there is no range, or none that shows."""
    low, high = estimate.get("low"), estimate.get("high")
    if low is None or high is None or usd(low) == usd(high):
        return ""
    return f" ({usd(low).removesuffix(' USD')} to {usd(high)})"


def ends(rental: Form) -> str:
    """`stops 8h after apply (ttl), at 25.00 USD (max_cost); at most 2.86 USD in all`."""
    limits = []
    if rental["ttl"] is not None:
        limits.append(f"{hours(rental['ttl'])} after apply (ttl)")
    if rental["idle_stop"] is not None:
        limits.append(f"{hours(rental['idle_stop'])} after the last job (idle_stop)")
    if rental["max_cost"] is not None:
        limits.append(f"at {usd(rental['max_cost'])} (max_cost)")
    if not limits:
        return "nothing stops it but `cloudburst destroy`: neither ttl nor idle_stop nor max_cost is set"
    said = f"stops {', '.join(limits)}"
    if not rental["gives_back"]:
        return f"{said}: by switching off, which ends no bill"
    estimate = rental["estimate"]
    if estimate["at_most"] is None:
        return said
    kept = f", {usd(estimate['reserve'])} of it for results to be fetched" if estimate["reserve"] else ""
    return f"{said}; at most {usd(estimate['at_most'])} in all{kept}"


def warnings(rental: Form, *, width: int, paint: Paint) -> Iterator[str]:
    """What is billed and computes nothing, loudly; and what stands otherwise than the file says."""
    for trouble in troubles(rental):
        yield from _warned(trouble, width, paint)
    if not rental["gives_back"] and rental.get("estimate"):
        yield from _warned(SWITCHED_OFF, width, paint)
    for note in rental["notes"]:
        yield from filled(f"note: {note}", width)


SWITCHED_OFF = (
    "without cluster.reaper_token machines that stop are switched off, not given back:"
    " they are billed until `cloudburst destroy`"
)


def troubles(rental: Form) -> list[str]:
    """Sentences about what costs money and should not, or cannot be known."""
    if rental.get("away"):
        return [f"what its machines cost cannot be said: {rental['away']}"]
    found = []
    off = [machine for machine in rental["machines"] if machine["status"] == "off"]
    if off:
        are = "machine is" if len(off) == 1 else "machines are"
        hourly = price(sum(machine["hourly"] for machine in off))
        found.append(
            f"{len(off)} {are} SWITCHED OFF AND BILLED all the same, {hourly}:"
            " `cloudburst apply` starts them, `cloudburst destroy` ends the bill"
        )
    switch = rental.get("switch")
    if switch and switch["trouble"]:
        found.append(f"the switch: {switch['trouble']}")
    return found


def question(plan: Form) -> str:
    """What is asked before anything is billed."""
    rental = plan["cluster"]["rental"]
    new = sum(action["verb"] == "create" for action in plan["actions"])
    what = f"Rent {count(new, 'machine')}" if new else "Change these machines"
    at_most = rental["estimate"]["at_most"]
    limit = f", at most {usd(at_most)} in all" if at_most is not None else ""
    return f"{what}, {price(rental['hourly_after'])} together{limit}?"


def event(plan: Form) -> dict[str, Any]:
    """For `apply --json`: the machines and what they will cost, before anything is billed."""
    return {
        "rental": plan["cluster"]["rental"],
        "actions": [action for action in plan["actions"] if action["size"] is not None],
    }


# ── how they stand ───────────────────────────────────────────────────────────────────────────
def standing(rental: Form | None, study: str, *, width: int, paint: Paint) -> Iterator[str]:
    """`rental` is of `status --json`; None where nothing is rented."""
    if rental is None:
        return
    if rental["away"]:
        yield from warnings(rental, width=width, paint=paint)
        return
    if rental["machines"]:
        yield from machines(rental["machines"], study, rental["at"], width=width, paint=paint)
    yield from filled(money_line(rental), width)
    yield from warnings(rental, width=width, paint=paint)


def machines(found: Sequence[Form], study: str, now: float, *, width: int, paint: Paint) -> list[str]:
    rows = [
        (
            short_name(one["name"], study),
            one["status"],
            one["size"],
            f"{one['hourly']:.3f}",
            duration(max(0.0, now - one["created"])),
        )
        for one in found
    ]
    header = (f"cb-{study}-", "state", "size", "USD/h", "age")
    return grid(header, rows, width=width, floors=(9, 7, 8, 5, 6), indent="  ", paint=paint)


def money_line(rental: Form) -> str:
    """`1.42 of 25.00 USD spent, 0.249 USD an hour; stops at 21:40 (ttl 8h)`."""
    limit = rental["max_cost"]
    spent = usd(rental["spent"])
    said = f"{spent.removesuffix(' USD')} of {usd(limit)} spent" if limit is not None else f"{spent} spent"
    if not rental["machines"]:
        return f"{said}; no machine stands, nothing is billed"
    return f"{said}, {price(rental['hourly'])}; {_switch(rental)}"


def _switch(rental: Form) -> str:
    switch = rental["switch"]
    if switch is None:
        return "when it stops by itself cannot be said: its manager does not answer"
    if switch["stage"] != "armed":
        then = f" until {clock(switch['stops_at'], rental['at'])}" if switch["stops_at"] is not None else ""
        return f"{switch['stage']} since {clock(switch['since'], rental['at'])}{then}: {switch['reason']}"
    if switch["stops_at"] is None:
        return "nothing stops it but `cloudburst destroy`"
    value = rental.get(switch["why"])
    why = (
        f"{switch['why']} {hours(value)}"
        if value is not None and switch["why"] != "max_cost"
        else switch["why"]
    )
    return f"stops at {clock(switch['stops_at'], rental['at'])} ({why})"


def clock(moment: float, now: float) -> str:
    """`21:40` today, else with the date, in the time of this machine."""
    then, today = (datetime.fromtimestamp(at, UTC).astimezone() for at in (moment, now))
    return f"{then:%H:%M}" if then.date() == today.date() else f"{then:%Y-%m-%d %H:%M}"


# ── in so many columns ───────────────────────────────────────────────────────────────────────
def _warned(text: str, width: int, paint: Paint) -> Iterator[str]:
    first, *others = textwrap.wrap(text, width - len("warning: "), break_on_hyphens=False)
    yield f"{paint.red('warning')}: {first}"
    yield from (f"         {other}" for other in others)
