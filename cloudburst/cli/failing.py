"""The answers of `cloudburst failures`: a list, CSV, a file that is a table, and what the failures have in common."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from ..compile.files import axes_of_files
from ..compile.filters import former
from ..compile.space import Row
from ..errors import UsageError
from ..run.observe import Study, rows_in_their_place
from ..run.results import Result
from ..run.sinks.as_table import write_as_table
from ..run.suspects import explain
from .arguments import Asked
from .failed import choice, count_failed, failed_results, none_of, takes
from .sheets import print_sheet
from .study import after_command, as_option, recorded
from .views import failures as view
from .views import suspects
from .views.counting import counting
from .views.screen import Screen
from .views.words import count

MOST_LISTED = 1000
"""Failures a person is shown; more are for a program to read."""


def list_them(screen: Screen, study: Study, asked: Asked, file: Path) -> None:
    wanted = choice(study, asked)
    with failed_results(study) as results:
        forms = (view.failure(result) for result in results if takes(wanted, result))
        found = list(forms if screen.as_json else islice(forms, MOST_LISTED))
        more = sum(1 for _ in forms)
    screen.document({"failures": found})
    if not found:
        _say_none(screen, study, asked)
        return
    for line in view.table(found, width=screen.width, paint=screen.paint):
        screen.say(line)
    if more:
        screen.say(f"… and {more:,} more: --csv and --json have them all")
    screen.note(f"\nnext: {' · '.join(_next(found, file))}")


def _next(found: Sequence[Mapping[str, Any]], file: Path) -> Iterator[str]:
    """Commands that make sense now."""
    option = as_option(file)
    yield f"`cloudburst logs {found[0]['id'][: view.ID_DIGITS]}{option}` shows one"
    yield f"`cloudburst retry{option}` computes them again"
    if len(found) > 1:
        yield f"`cloudburst failures{after_command(file)} --explain` says what goes with them"


def _say_none(screen: Screen, study: Study, asked: Asked) -> None:
    failed = count_failed(study) if asked.anything else 0
    screen.say(none_of(failed)[0] if failed else "no failed jobs")


def print_csv(screen: Screen, study: Study, asked: Asked) -> None:
    wanted = choice(study, asked)
    with failed_results(study) as results:
        print_sheet(screen, (result for result in results if takes(wanted, result)), "csv")


# ── a table ──────────────────────────────────────────────────────────────────────────────────
def write_out(screen: Screen, study: Study, asked: Asked, out: Path) -> None:
    """The parameters alone, so that `table:` of the same study asks for the same jobs."""
    wanted = choice(study, asked)
    replicated = False

    def rows(results: Iterator[Result]) -> Iterator[Row]:
        nonlocal replicated
        for result in results:
            if takes(wanted, result):
                replicated |= result.job.row.replicate is not None
                yield result.job.row

    with failed_results(study) as results:
        first = next(some := rows(results), None)
        if first is None:
            screen.document({"file": None, "rows": 0, "table": None})
            _say_none(screen, study, asked)
            return
        written = write_as_table(_again(first, some), out)
    entry = {"file": os.path.relpath(out, study.places.spec.parent), "types": dict(written.types)}
    if not written.types:
        del entry["types"]
    screen.document({"file": str(out), "rows": written.rows, "table": entry})
    screen.say(f"wrote the parameters of {count(written.rows, 'job')} to {out}")
    screen.note(f"\nas parameters of a study:\n  table: {_flow(entry)}")
    for why in _new_ids(study, replicated):
        screen.note(why)


def _again(first: Row, others: Iterator[Row]) -> Iterator[Row]:
    yield first
    yield from others


def _flow(entry: Mapping[str, object]) -> str:
    """YAML in one line: JSON is YAML."""
    return (
        "{"
        + ", ".join(f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in entry.items())
        + "}"
    )


def _new_ids(study: Study, replicated: bool) -> Iterator[str]:
    """Why a row of the table is another job than the one that failed."""
    if replicated:
        yield "they are replicates: in a table each has its seed, and an id of its own"
    joined = sorted({name for block in study.ensemble.blocks for name in former(block).values})
    if joined:
        yield f"{', '.join(joined)}: a table does not say what that `was`, and where it was that the id is another"
    names = sorted({axis.name for block in study.ensemble.blocks for axis in axes_of_files(block)})
    if names:
        yield f"{', '.join(names)}: a table has the path of a file, and does not send its content"


# ── what they have in common ─────────────────────────────────────────────────────────────────
def ask_why(screen: Screen, study: Study, asked: Asked) -> None:
    """Raises UsageError where failures are chosen by how they ended: errors are told apart anyway."""
    wanted = choice(study, asked)
    if wanted.asks_of_the_end:
        raise UsageError(
            "--explain tells errors apart by itself, and compares with the jobs that did not fail",
            "leave out --kind and --error; --rows and --where choose the jobs it looks at",
        )
    with recorded(study) as ledger, rows_in_their_place(study), counting(screen) as progress:
        if ledger is None or not ledger.counts(study.payload.digest).failed:
            explained = None
        else:
            explained = explain(study.jobs, ledger, study.payload.digest, wanted.takes_row, progress)
    if explained is None or not explained.failed:
        screen.document({"explained": None})
        _say_none(screen, study, asked)
        return
    document = suspects.to_json(explained)
    screen.document({"explained": document})
    for line in suspects.lines(document, width=screen.width, paint=screen.paint):
        screen.say(line)
