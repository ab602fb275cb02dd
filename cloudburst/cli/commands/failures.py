"""`cloudburst failures`: the failed jobs as a table with their parameters."""

from __future__ import annotations

from pathlib import Path

import click

from ...errors import UsageError
from ..arguments import json_option, pass_screen, study_argument
from ..views.screen import Screen


@click.command()
@study_argument
@click.option("--csv", "as_csv", is_flag=True, help="Print the columns of the results table as CSV.")
@json_option
@pass_screen
def command(screen: Screen, file: Path, as_csv: bool) -> None:
    """List the jobs that failed with today's code: which, with which parameters, and why."""
    from ..failed import failed_results
    from ..reach import brought_home
    from ..sheets import print_sheet
    from ..study import as_option, open_study
    from ..views import failures

    if as_csv and screen.as_json:
        raise UsageError("--csv and --json are two answers to one question", "give one of them")
    study = open_study(screen, file)
    with brought_home(study, screen):
        results = failed_results(study)
    if as_csv:
        print_sheet(screen, results, "csv")
        return
    found = [failures.failure(result) for result in results]
    screen.document({"failures": found})
    if not found:
        screen.say("no failed jobs")
        return
    for line in failures.table(found, width=screen.width, paint=screen.paint):
        screen.say(line)
    option, shown = as_option(file), found[0]["id"][: failures.ID_DIGITS]
    screen.note(
        f"\nnext: `cloudburst logs {shown}{option}` shows one · `cloudburst retry{option}` computes them again"
    )
