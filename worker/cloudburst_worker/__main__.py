"""`python -m cloudburst_worker supervise|take|run-one|forget`: the programs of a worker node."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path


def main(arguments: list[str] | None = None) -> int:
    """Runs one of the programs; its exit code."""
    parser = argparse.ArgumentParser(prog="cloudburst_worker", description=__doc__)
    programs = parser.add_subparsers(dest="program", required=True)
    _add_supervise(
        programs.add_parser("supervise", help="prepare a node and keep its runners and RQ workers")
    )
    _add_take(programs.add_parser("take", help="one RQ worker; started by supervise"))
    _add_run_one(programs.add_parser("run-one", help="run a single job in the foreground"))
    _add_forget(programs.add_parser("forget", help="empty a study's part of the node's cache"))
    given = vars(parser.parse_args(arguments))
    return _PROGRAMS[given.pop("program")](given)


def _add_supervise(parser: argparse.ArgumentParser) -> None:
    _add_whereabouts(parser)
    _add_places(parser)
    parser.add_argument("--slots", default="auto", type=_slots, help="jobs at a time: a number, or auto")
    parser.add_argument(
        "--grace", default=60.0, type=float, metavar="SECONDS", help="for jobs at hand after SIGTERM"
    )
    parser.add_argument("--lifeline", action="store_true", help="end when standard input ends")


def _add_take(parser: argparse.ArgumentParser) -> None:
    _add_whereabouts(parser)
    parser.add_argument("--cache", required=True, type=Path, metavar="DIR")
    parser.add_argument(
        "--desk", required=True, type=int, metavar="FD", help="an inherited socket of the supervisor"
    )
    parser.add_argument("--number", required=True, type=int)


def _add_run_one(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--order", required=True, type=Path, metavar="FILE", help="the order, as JSON")
    parser.add_argument(
        "--job", required=True, type=Path, metavar="FILE", help='{"job": …, "argv": …, "files": …}, as JSON'
    )
    parser.add_argument(
        "--files-root", required=True, metavar="DIR|ADDR", help="the file store or its directory"
    )
    parser.add_argument("--secrets", required=True, type=Path, metavar="DIR")
    parser.add_argument(
        "--end", type=Path, metavar="FILE", help="where the end of the job is written, as JSON"
    )
    parser.add_argument("--results", type=Path, metavar="DIR", help="where returned series and files are put")
    _add_places(parser)


def _add_forget(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--study", required=True, type=_study)
    parser.add_argument("--cache", required=True, type=Path, metavar="DIR")


def _add_whereabouts(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--study", required=True)
    parser.add_argument("--node", required=True)
    parser.add_argument("--queue", required=True, metavar="ADDR")
    parser.add_argument("--files", required=True, metavar="ADDR")
    parser.add_argument("--secrets", required=True, type=Path, metavar="DIR")


def _add_places(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cache", required=True, type=Path, metavar="DIR")
    parser.add_argument("--scratch", default="auto", type=_scratch, metavar="DIR|auto")


def _study(text: str) -> str:
    if not re.fullmatch("[a-z0-9-]+", text):
        raise argparse.ArgumentTypeError("a study's name has lower-case letters, digits and hyphens")
    return text


def _slots(text: str) -> int | None:
    if text == "auto":
        return None
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError("write auto or a number from 1")
    return int(text)


def _scratch(text: str) -> Path | None:
    return None if text == "auto" else Path(text)


def _supervise(given: dict[str, object]) -> int:
    from . import supervise

    return supervise.main(supervise.Options(**given))  # type: ignore[arg-type]


def _take(given: dict[str, object]) -> int:
    from . import take

    return take.main(take.Options(**given))  # type: ignore[arg-type]


def _run_one(given: dict[str, object]) -> int:
    from . import one

    return one.main(one.Options(**given))  # type: ignore[arg-type]


def _forget(given: dict[str, object]) -> int:
    from . import forget

    return forget.main(forget.Options(**given))  # type: ignore[arg-type]


_PROGRAMS = {"supervise": _supervise, "take": _take, "run-one": _run_one, "forget": _forget}

if __name__ == "__main__":
    sys.exit(main())
