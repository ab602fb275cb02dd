"""`python -m tests.fuzz SECONDS`: hostile files for the reader, guided by what of its code they reach.

What is known is replayed first, at its true pace; then new files are made for so many seconds.

One process begins another for twenty minutes at a time (`target`), so that a crash of the interpreter, or memory that is
lost, ends minutes and not the run. What breaks is kept in build/fuzz/found, one input for each way to break.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.docs.snippets import ROOT
from tests.fuzz import studies

WORK = ROOT / "build" / "fuzz"
SLICE = 1200
"""Seconds of one process. The next one begins by trying again what the last one kept."""


def main() -> int:
    arguments = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    arguments.add_argument("seconds", type=float)
    arguments.add_argument(
        "--work", type=Path, default=WORK, help="inputs that reach something, and what was found"
    )
    given = arguments.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the process at work ends, too
    return run(given.seconds, given.work.resolve())


def run(seconds: float, work: Path) -> int:
    """1 when something was found."""
    for name in ("inputs", "found"):
        (work / name).mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(studies.seeds()):
        (work / "inputs" / f"seed-{number:04}").write_bytes(seed)
    subprocess.run([sys.executable, "-m", "tests.fuzz.replay", str(work / "found")], cwd=ROOT, check=False)
    began, tried = time.monotonic(), 0
    while (left := seconds - (time.monotonic() - began)) > 0:
        ended = _slice(work, min(SLICE, left))
        tried += ended
        passed = time.monotonic() - began
        print(
            f"{passed / 60:5.1f} min  {tried:9,} inputs  {_count(work / 'inputs'):6,} kept  {_found(work)} found",
            flush=True,
        )
    for file in sorted((work / "found").glob("*.txt")):
        print(f"\n{file.with_suffix('')}\n{file.read_text('utf-8')}")
    return 1 if _found(work) else 0


def _slice(work: Path, seconds: float) -> int:
    """How many inputs it tried."""
    counter = work / "tried"
    counter.write_text("0", "ascii")
    command = [sys.executable, "-m", "tests.fuzz.target", str(work), str(max(1, round(seconds)))]
    with (work / "libfuzzer.log").open("ab") as log:
        subprocess.run(command, cwd=ROOT, stdout=log, stderr=log, check=False)
    return int(counter.read_text("ascii") or 0)


def _count(directory: Path) -> int:
    return sum(1 for _ in directory.iterdir())


def _found(work: Path) -> int:
    """Ways to break, and inputs that ended the process: crash-…, timeout-…, oom-…."""
    return sum(1 for file in (work / "found").iterdir() if file.suffix != ".txt")


if __name__ == "__main__":
    sys.exit(main())
