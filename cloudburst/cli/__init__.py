"""`cloudburst`: reads the command line and speaks to people. Decides and does nothing itself."""

from __future__ import annotations

from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code. `argv` without the program's name, None for the process's own."""
    from .program import run

    return run(argv)
