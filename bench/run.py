"""`make bench`: what is measured, beside the peers it is measured against. Tables go to standard output.

Absolute numbers belong to the machine and the hour; the ratios are what to compare. Every ratio is of
rounds that took turns.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

from commands import whole_processes
from expansion import a_million
from influxdb import ways_in
from measure import table
from planning import a_million_finished
from scale import at_scale
from spaces import rows_of_a_space
from swarm import lacking, on_a_swarm
from throughput import net3, nothing

MEASUREMENTS: dict[str, Callable[[argparse.Namespace], str]] = {
    "commands": lambda given: table(whole_processes(max(15, given.rounds))),
    "expansion": lambda given: table(a_million(given.rounds)),
    "planning": lambda given: table(a_million_finished(given.rounds)),
    "space": lambda given: table(rows_of_a_space(given.rounds)),
    "nothing": lambda given: table(nothing(given.rounds, jobs=20_000)),
    "net3": lambda given: table(net3(given.rounds, given.jobs)),
    "influxdb": lambda given: table(ways_in(given.rounds)),
    "scale": lambda given: at_scale(given.simulated),
    "swarm": lambda given: lacking() or table(on_a_swarm(given.rounds)),
}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    everything = ", ".join(MEASUREMENTS)
    parser.add_argument("what", nargs="*", metavar="WHAT", help=f"of {everything} (default: all)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds, which take turns (default: 5)")
    parser.add_argument(
        "--jobs", type=int, default=600, help="Net3 jobs a round, a multiple of 20 (default: 600)"
    )
    parser.add_argument(
        "--simulated", type=int, default=1_000_000, help="jobs of a scale simulation, at most a million"
    )
    given = parser.parse_args()
    for name in given.what:
        if name not in MEASUREMENTS:
            parser.error(f"{name} is not one of {everything}")
    given.what = given.what or list(MEASUREMENTS)
    return given


def main() -> None:
    given = arguments()
    beside_us = str(Path(sys.executable).parent)
    os.environ["PATH"] = beside_us + os.pathsep + os.environ["PATH"]  # uv
    os.environ["OMP_NUM_THREADS"] = "1"  # as the runners have it
    for name in given.what:
        print(f"\n{MEASUREMENTS[name](given)}", flush=True)


if __name__ == "__main__":
    main()
