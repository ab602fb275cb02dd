"""What a measurement is: numbers from interleaved rounds, and the table they are shown in."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median


@dataclass(frozen=True)
class Line:
    """One line of a table. `values` in `unit`, one a round; `ratios` to `beside`, empty for the peer itself.

    `target` is the ratio to reach, such as `>= 0.90`.
    """

    what: str
    unit: str
    values: tuple[float, ...]
    beside: str = ""
    ratios: tuple[float, ...] = ()
    target: str = ""


def spread(values: Sequence[float]) -> str:
    """`median (min – max)`, three digits each."""
    if not values:
        return ""
    return f"{digits(median(values))} ({digits(min(values))} – {digits(max(values))})"


def digits(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def table(lines: Iterable[Line]) -> str:
    """A Markdown table, ready for docs/performance.md."""
    rows = [
        ("what", "unit", "median (min – max)", "ratio", "beside", "target", "rounds"),
        ("---",) * 7,
        *(
            (x.what, x.unit, spread(x.values), spread(x.ratios), x.beside, x.target, str(len(x.values)))
            for x in lines
        ),
    ]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def completion_rate(finished: Iterable[float]) -> float:
    """Jobs a second between the 5th and the 95th percentile of the completions.

    `finished` are moments in seconds on one clock. Start-up and the last jobs' imbalance are left out.
    """
    moments = sorted(finished)
    first, last = round(0.05 * (len(moments) - 1)), round(0.95 * (len(moments) - 1))
    return (last - first) / (moments[last] - moments[first])


def beside_neighbours(own: Sequence[float], peer: Sequence[float]) -> tuple[float, ...]:
    """Each of n own values over the mean of the peer's before and after it (n + 1 of them)."""
    return tuple(
        2 * value / (before + after) for value, before, after in zip(own, peer, peer[1:], strict=False)
    )


@dataclass(frozen=True)
class Cost:
    """What one whole process took, its children included, in seconds."""

    wall: float
    cpu: float


def cost(command: Sequence[str], directory: Path) -> Cost:
    """Runs `command` to its end, output thrown away. An exit code other than 0 raises."""
    started = time.perf_counter()
    process = subprocess.Popen(command, cwd=directory, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Cost(wall, usage.ru_utime + usage.ru_stime)


def cloudburst(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "cloudburst", *arguments]


def run(command: Sequence[str], directory: Path) -> str:
    """Runs `command`, shows what it said if it fails, returns its standard output."""
    ended = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    if ended.returncode:
        sys.stderr.write(ended.stdout + ended.stderr)
        ended.check_returncode()
    return ended.stdout


def progress(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)
