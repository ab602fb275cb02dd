"""What goes with the failures: values, counts, and how probable that is by chance."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...run.suspects import LEVEL, ODDS, Explained, Failing, Suspect, Values
from .grid import cut, one_line
from .paint import Paint
from .words import count, exact, short

SHOWN = 10
"""Values told of each error; `--json` has them all."""

NOTHING = "no parameter value stands out among them"


# ── the machine form ─────────────────────────────────────────────────────────────────────────
def to_json(explained: Explained) -> dict[str, Any]:
    return {
        "jobs": explained.jobs,
        "failed": explained.failed,
        "tried": explained.tried,
        "level": LEVEL,
        "odds": ODDS,
        "errors": [_failing(one) for one in explained.errors],
        "more_errors": explained.more_errors,
        "untested": list(explained.untested),
    }


def _failing(one: Failing) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "error": one.line,
        "failed": one.failed,
        "values": [_suspect(suspect) for suspect in one.suspects],
    }


def _suspect(one: Suspect) -> dict[str, Any]:
    return {
        "parameter": one.values.parameter,
        **_values(one.values),
        "jobs": one.jobs,
        "failed": one.failed,
        "elsewhere": one.elsewhere,
        "failed_elsewhere": one.failed_elsewhere,
        "p": one.chance,
        "log10_p": one.log_chance / math.log(10),
    }


def _values(values: Values) -> dict[str, Any]:
    if values.absent:
        return {"absent": True}
    if values.is_range:
        return {"from": values.least, "to": values.greatest}
    return {"value": values.value}


# ── for people ───────────────────────────────────────────────────────────────────────────────
def lines(document: Mapping[str, Any], *, width: int, paint: Paint) -> Iterator[str]:
    everything, *apart = document["errors"]
    yield cut(_head(document, everything), width)
    yield ""
    yield from _told(everything, paint, "")
    for one in apart:
        yield ""
        yield cut(f"{one['failed']:,} × {one['kind']}: {one_line(one['error'])}", width)
        yield from _told(one, paint, "  ")
    if document["more_errors"]:
        yield ""
        yield f"{document['more_errors']:,} failed in other errors"
    yield ""
    for name in document["untested"]:
        yield paint.dim(f"{name} has too many values to be tested")
    yield paint.dim(
        f"p: Fisher's exact test, corrected for {count(document['tried'], 'question')} asked; "
        f"named at {document['level']} or less, and {document['odds']} times the odds."
    )


def _head(document: Mapping[str, Any], everything: Mapping[str, Any]) -> str:
    head = f"{document['failed']:,} of {count(document['jobs'], 'job')} failed"
    if everything["kind"] is None:
        return head
    return f"{head}, all alike: {everything['kind']}: {one_line(everything['error'])}"


def _told(one: Mapping[str, Any], paint: Paint, indent: str) -> Iterator[str]:
    values: Sequence[Mapping[str, Any]] = one["values"]
    if not values:
        yield indent + NOTHING
    for suspect in values[:SHOWN]:
        yield (
            f"{indent}{paint.bold(said(suspect))}: {suspect['failed']:,} of {suspect['jobs']:,} failed, "
            f"elsewhere {suspect['failed_elsewhere']:,} of {suspect['elsewhere']:,}; "
            f"by chance p = {chance(suspect['log10_p'])}"
        )
    if len(values) > SHOWN:
        yield f"{indent}… and {len(values) - SHOWN} more"


def said(suspect: Mapping[str, Any]) -> str:
    """`solver = ilu`, `demand ≥ 1.1`, `leak 0.2 to 0.3`, `rule is absent`."""
    name = suspect["parameter"]
    if suspect.get("absent"):
        return f"{name} is absent"
    if "value" in suspect:
        return f"{name} = {cut(one_line(exact(suspect['value'])), 40)}"
    least, greatest = suspect["from"], suspect["to"]
    if least is None:
        return f"{name} ≤ {short(greatest)}"
    return f"{name} ≥ {short(least)}" if greatest is None else f"{name} {short(least)} to {short(greatest)}"


def chance(log10: float) -> str:
    """`0.02`, `3e-9`, `4e-1200`: a probability by its logarithm."""
    if log10 > -3:
        return f"{10**log10:.2g}"
    exponent = math.floor(log10)
    digit = round(10 ** (log10 - exponent))
    return f"{digit}e{exponent}" if digit < 10 else f"1e{exponent + 1}"
