"""`cloudburst apply`: compute what is missing. How it is done is run/apply.py's; here it is told."""

from __future__ import annotations

from pathlib import Path

import click

from ..arguments import (
    json_option,
    local_option,
    pass_screen,
    rows_option,
    study_argument,
    within,
    yes_option,
)
from ..views.screen import Screen


@click.command()
@study_argument
@rows_option
@yes_option
@local_option
@json_option
@pass_screen
def command(screen: Screen, file: Path, rows: tuple[int, int | None] | None, yes: bool, local: bool) -> int:
    """Compute what is not computed yet, and write the table.

    The first Ctrl-C starts no new job and lets running ones finish, the second stops now; apply
    again goes on where it stopped. Exit code 4 when jobs failed.

    Before machines are rented it shows what they cost and asks, unless --yes. Without anybody to ask nothing is
    rented (exit code 2).
    """
    from ..computing import compute
    from ..study import open_study

    study = open_study(screen, file, local=local)
    return compute(screen, file, study, rows=within(rows, study.jobs.count), retry=None, yes=yes)
