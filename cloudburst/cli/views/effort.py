"""What is left to compute and how long it takes, from the JSON form of a plan and from nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .grid import grid
from .paint import Paint
from .words import count, filled, hours, usd

Form = Mapping[str, Any]


def lines(plan: Form, *, width: int, paint: Paint) -> Iterator[str]:
    """Nothing while no duration is known, and where nothing is left to do."""
    effort = plan.get("effort")
    if effort is None:
        return
    yield from filled(expected(effort), width)
    if len(effort["blocks"]) > 1:
        for part in effort["blocks"]:
            yield from filled(f"  {_part(part)}", width)
    if effort["workers"]:
        yield ""
        yield from workers(effort["workers"], width=width, paint=paint)
        yield from filled(f"{effort['advice']} (starting machines is not counted)", width)


_UNITS = (("CPU-hours", 1), ("CPU-minutes", 60), ("CPU-seconds", 3600))


def expected(effort: Form) -> str:
    """`work left: 0.72 CPU-hours (0.6 to 0.84), 22m with 2 jobs at a time (18m to 26m), by 5 jobs that ended; …`."""
    work = effort["cpu_hours"]
    unit, of_an_hour = next((unit, part) for unit, part in _UNITS if work[1] * part >= 1 or part == 3600)
    said = (
        f"work left: {work[1] * of_an_hour:.3g} {unit}{_range(work, lambda hour: f'{hour * of_an_hour:.3g}')}"
    )
    if effort["wall_hours"] is None:
        said += ", in a time that hangs on how many jobs run at once there"
    else:
        at_once = count(effort["slots"], "job")
        said += f", {_time(effort['wall_hours'][1])} with {at_once} at a time{_range(effort['wall_hours'], _time)}"
    said += f"; by {count(effort['from'], 'job')} that ended"
    if work[0] is None:
        return f"{said}, too few for a range"
    return f"{said}, ranges hold {effort['confidence']:.0%} of the time"


def _part(part: Form) -> str:
    what = f"block {part['block']}" if part["block"] else "tried anew"
    like = (
        f"by {part['from']:,} that ended"
        if part["from"]
        else "like the others, for none of them has ended yet"
    )
    return f"{what}: {count(part['jobs'], 'job')} × {hours(part['seconds'])}, {like}"


def workers(options: Sequence[Form], *, width: int, paint: Paint) -> list[str]:
    """A table: what other numbers of workers would take and cost; with the high ends where there are ranges."""
    ranged = all(one["cost"][2] is not None for one in options)
    up_to = ("up to",) if ranged else ()
    rows = [
        (
            f"{one['workers']:,}",
            f"{one['slots']:,}",
            f"{one['hourly']:.3f}",
            _time(one["wall_hours"][1]),
            *((_time(one["wall_hours"][2]),) if ranged else ()),
            _plain(one["cost"][1]),
            *((_plain(one["cost"][2]),) if ranged else ()),
            ", ".join(
                said
                for said, holds in (("as written", one["written"]), ("longer than ttl", one["outlasts_ttl"]))
                if holds
            ),
        )
        for one in options
    ]
    header = ("workers", "slots", "USD/h", "takes", *up_to, "USD", *up_to, "")
    return grid(header, rows, width=width, floors=(7, 5, *[6] * (len(header) - 2)), paint=paint)


def _plain(amount: float) -> str:
    return usd(amount).removesuffix(" USD")


def _time(hour: float) -> str:
    return hours(hour * 3600)


def _range(span: Sequence[float | None], say: Any) -> str:
    """` (18m to 26m)`; empty where there is none, or both ends read the same."""
    low, high = span[0], span[2]
    if low is None or high is None or say(low) == say(high):
        return ""
    return f" ({say(low)} to {say(high)})"
