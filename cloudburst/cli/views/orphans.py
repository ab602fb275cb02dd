"""What studies have in an account, and what became of it. The JSON form first; the text is made of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from ...compile.money import monthly
from .grid import grid
from .paint import Paint
from .rental import short_name
from .words import count, duration, price, usd

if TYPE_CHECKING:
    from ...run.digitalocean.estate import Estate, Leftovers

Form = Mapping[str, Any]
FORMAT = 1


# ── for programs ─────────────────────────────────────────────────────────────────────────────
def document(found: Sequence[Estate], removed: Sequence[Leftovers] | None, at: float) -> dict[str, Any]:
    """`removed` None: nobody asked for it. `at` in seconds since the epoch; money in US dollars."""
    hourly = sum((estate.hourly for estate in found), Decimal(0))
    return {
        "format": FORMAT,
        "at": at,
        "studies": [estate_form(estate) for estate in found],
        "hourly": float(hourly),
        "monthly": float(monthly(hourly)),
        "removed": None if removed is None else [leftovers_form(one) for one in removed],
    }


def estate_form(estate: Estate) -> dict[str, Any]:
    form = estate.to_json()
    machines = [{**machine, "hourly": float(machine["hourly"])} for machine in form["droplets"]]
    hourly, month = float(estate.hourly), float(monthly(estate.hourly))
    return {**form, "hourly": hourly, "monthly": month, "droplets": machines}


def leftovers_form(leftovers: Leftovers) -> dict[str, Any]:
    return {**leftovers.to_json(), "left": estate_form(leftovers.left)}


# ── for people ───────────────────────────────────────────────────────────────────────────────
def lines(found: Form, *, width: int, paint: Paint) -> Iterator[str]:
    """Study by study, then all of it together; `found` is a document."""
    if not found["studies"]:
        yield paint.green("no study has anything in this account")
        return
    for study in found["studies"]:
        yield from of_study(study, found["at"], width=width, paint=paint)
        yield ""
    studies = count(len(found["studies"]), "study", "studies")
    yield f"{studies}: {price(found['hourly'])}, {usd(found['monthly'])} a month"


def of_study(study: Form, now: float, *, width: int, paint: Paint) -> Iterator[str]:
    """`tanks: 0.249 USD an hour, 167.33 USD a month`, its machines, and what costs nothing besides."""
    billed = f"{price(study['hourly'])}, {usd(study['monthly'])} a month"
    yield f"{paint.bold(study['study'])}: {billed if study['droplets'] else 'no machine'}"
    rows = [
        (
            short_name(one["name"], study["study"]),
            str(one["id"]),
            one["status"],
            one["size"],
            one["region"],
            f"{one['hourly']:.3f}",
            duration(max(0.0, now - one["created"])),
        )
        for one in study["droplets"]
    ]
    if rows:
        header = (f"cb-{study['study']}-", "id", "state", "size", "region", "USD/h", "age")
        floors = (9, 9, 6, 8, 6, 5, 6)
        yield from grid(header, rows, width=width, floors=floors, indent="  ", paint=paint)
    if besides := _besides(study):
        yield f"  besides: {', '.join(besides)}"
    if study["snapshots"]:
        named = ", ".join(f"{one['name']} (id {one['id']})" for one in study["snapshots"])
        yield paint.yellow(f"  {count(len(study['snapshots']), 'snapshot')}, billed by size: {named}")


def _besides(study: Form) -> list[str]:
    kinds = (("keys", "ssh key"), ("firewalls", "firewall"), ("vpcs", "VPC"), ("tags", "tag"))
    return [count(len(study[key]), kind) for key, kind in kinds if study[key]]


def removed_lines(removed: Sequence[Form], paint: Paint) -> Iterator[str]:
    """What became of each study; `removed` as the document has it."""
    for one in removed:
        study = one["left"]["study"]
        left = any(
            one["left"][kind] for kind in ("droplets", "keys", "firewalls", "vpcs", "tags", "snapshots")
        )
        yield from left_lines(one, paint) if left else (f"{study}: everything is gone",)
        yield from (f"kept: {kept}" for kept in one["kept"])


def left_lines(leftovers: Form, paint: Paint) -> Iterator[str]:
    """What is still there, machine by machine with its id and price, and why."""
    left = leftovers["left"]
    billed = (
        f", {price(left['hourly'])} are billed" if left["droplets"] else ", none of it is billed by the hour"
    )
    yield paint.red(f"{left['study']}: NOT EVERYTHING IS GONE{billed if not left['snapshots'] else ''}")
    for one in left["droplets"]:
        yield f"  machine {one['name']} (id {one['id']}), {price(one['hourly'])}"
    for key, kind in (
        ("snapshots", "snapshot"),
        ("keys", "ssh key"),
        ("firewalls", "firewall"),
        ("vpcs", "VPC"),
    ):
        yield from (f"  {kind} {one['name']} (id {one['id']})" for one in left[key])
    yield from (f"  tag {tag}" for tag in left["tags"])
    yield from (f"  why: {why}" for why in leftovers["why"])
