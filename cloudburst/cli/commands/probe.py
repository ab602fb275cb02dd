"""`cloudburst probe`: a few rows here, to know what the rest will take."""

from __future__ import annotations

from pathlib import Path

import click

from ..arguments import json_option, pass_screen, study_argument
from ..views.screen import Screen


@click.command()
@study_argument
@click.option(
    "-n",
    "--number",
    type=click.IntRange(min=1),
    help="How many rows.  [default: 5, and at least 2 of each block]",
)
@json_option
@pass_screen
def command(screen: Screen, file: Path, number: int | None) -> int:
    """Compute a few rows, spread over the study, and say what the rest will take.

    The first and the last row of each block and others evenly between, always the same ones, on this machine
    whatever machines the file names. They are recorded like any others: `apply` does not compute them again. From
    then on `plan` shows how long the study takes and what it costs. Exit code 4 when jobs failed.
    """
    from ..probing import probed
    from ..study import open_study

    return probed(screen, file, open_study(screen, file, local=True), number)
