"""`cloudburst failures`: the failed jobs as a table with their parameters, and what they have in common."""

from __future__ import annotations

from pathlib import Path

import click

from ..arguments import Asked, choice_options, json_option, pass_screen, study_argument
from ..views.screen import Screen


@click.command()
@study_argument
@choice_options
@click.option(
    "--explain",
    is_flag=True,
    help="Which parameter values go with the failures, and with which error, more often than chance allows.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write their parameters to this file, .csv or .jsonl, for `table:` of another study.",
)
@click.option("--csv", "as_csv", is_flag=True, help="Print the columns of the results table as CSV.")
@json_option
@pass_screen
def command(screen: Screen, file: Path, asked: Asked, explain: bool, out: Path | None, as_csv: bool) -> None:
    """List the jobs that failed with today's code: which, with which parameters, and why.

    --rows --where --kind --error choose some of them, as they do for `cloudburst retry`.
    """
    from ...errors import UsageError
    from ..failing import ask_why, list_them, print_csv, write_out
    from ..reach import brought_home
    from ..study import open_study

    if as_csv + explain + (out is not None) + (screen.as_json and as_csv) > 1:
        raise UsageError(
            "--explain, --out and --csv are answers to different questions, and --csv has no JSON",
            "give one of them",
        )
    study = open_study(screen, file)
    with brought_home(study, screen):
        if explain:
            ask_why(screen, study, asked)
        elif out is not None:
            write_out(screen, study, asked, out)
        elif as_csv:
            print_csv(screen, study, asked)
        else:
            list_them(screen, study, asked, file)
