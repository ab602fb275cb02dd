"""Studies as a list, and what of them is billed. The JSON form first; the text is made of it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from ...compile.money import monthly
from .grid import grid
from .paint import Paint
from .words import count, duration, price, usd

if TYPE_CHECKING:
    from ...run.digitalocean.estate import Estate
    from ...run.listing import Listed
    from ..standing import AccountStanding

Form = Mapping[str, Any]
FORMAT = "1.0"


# ── for programs ─────────────────────────────────────────────────────────────────────────────
def document(studies: Sequence[Listed], account: AccountStanding | None) -> dict[str, Any]:
    """As schemas/list.schema.json says. `account` None: nobody was asked."""
    estates = account.estates if account and not account.away else None
    return {
        "format_version": FORMAT,
        "studies": [{**one.to_json(), "machines": _machines(one, estates)} for one in studies],
        "account": None if account is None else _account(account, {one.study for one in studies}),
    }


def _machines(study: Listed, estates: Mapping[str, Estate] | None) -> dict[str, Any] | None:
    if not study.is_rented or estates is None:
        return None
    estate = estates.get(study.study)
    if estate is None:
        return {"standing": 0, "hourly": 0.0}
    return {"standing": len(estate.droplets), "hourly": float(estate.hourly)}


def _account(account: AccountStanding, listed: set[str]) -> dict[str, Any]:
    if account.away:
        return {"away": account.away, "hourly": None, "monthly": None, "elsewhere": []}
    hourly = sum((estate.hourly for estate in account.estates.values()), Decimal(0))
    return {
        "away": None,
        "hourly": float(hourly),
        "monthly": float(monthly(hourly)),
        "elsewhere": sorted(account.estates.keys() - listed),
    }


# ── for people ───────────────────────────────────────────────────────────────────────────────
def lines(form: Form, *, width: int, paint: Paint) -> Iterator[str]:
    """A table, reasons where something is wrong, and what all of it costs an hour."""
    if not form["studies"]:
        yield "there is no study here or below; `cloudburst init` writes one"
        return
    known = [one for one in form["studies"] if one["where"] or one["done"] or one["failed"]]
    if known:
        header: tuple[str, ...] = (
            "study",
            "file",
            "rows",
            "done",
            "failed",
            "to do",
            "runs",
            "where",
            "USD/h",
        )
        now = time.time()
        shown = [_row(one, now) for one in known]
        if not any(row[-1] for row in shown):
            header, shown = header[:-1], [row[:-1] for row in shown]
        yield from grid(header, shown, width=width, floors=(8, 12, 4, 4, 6, 5, 7, 4), paint=paint)
    if wrong := [one for one in form["studies"] if one["problem"]]:
        yield ""
        yield from (f"{paint.yellow(one['spec'])}: {one['problem']}" for one in wrong)
    yield ""
    yield count(len(form["studies"]), "study", "studies") + _billed(form["account"])


def _row(one: Form, now: float) -> tuple[str, ...]:
    machines = one["machines"]
    return (
        one["study"],
        one["spec"],
        _number(one["rows"]),
        f"{one['done']:,}",
        f"{one['failed']:,}" if one["failed"] else "",
        "edited" if one["edited"] else _number(one["to_do"]),
        _runs(one["running"], machines, now),
        one["where"] or "",
        f"{machines['hourly']:.3f}" if machines and machines["standing"] else "",
    )


def _number(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def _runs(running: Form | None, machines: Form | None, now: float) -> str:
    if running:
        return f"pid {running['pid']}, {duration(max(0.0, now - running['since']))}"
    return count(machines["standing"], "machine") if machines and machines["standing"] else ""


def _billed(account: Form | None) -> str:
    if account is None:
        return ""
    if account["away"]:
        return f"; what is billed is not known: {account['away']}"
    billed = f"; {price(account['hourly'])}, {usd(account['monthly'])} a month are billed"
    if not account["elsewhere"]:
        return billed if account["hourly"] else "; no machine stands"
    names = ", ".join(account["elsewhere"])
    return f"{billed}, with what {names} {'has' if len(account['elsewhere']) == 1 else 'have'} there, of files not listed"
