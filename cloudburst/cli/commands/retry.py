"""`cloudburst retry`: compute failed jobs again."""

from __future__ import annotations

from pathlib import Path

import click

from ..arguments import (
    Asked,
    choice_options,
    json_option,
    local_option,
    pass_screen,
    study_option,
    yes_option,
)
from ..views.screen import Screen


@click.command()
@click.argument("jobs", nargs=-1, metavar="[JOB]...")
@choice_options
@study_option
@yes_option
@local_option
@json_option
@pass_screen
def command(screen: Screen, jobs: tuple[str, ...], asked: Asked, file: Path, yes: bool, local: bool) -> int:
    """Compute failed jobs again: those named, those that the options choose, or all; and what is still to do.

    With --rows nothing beyond these rows is computed. `cloudburst failures` with the same options lists what they choose.
    Where the study runs on a swarm, they are computed there. Before machines are rented for it, it asks (--yes).
    JOB is row:17, or the first digits (4 or more) of an id.
    """
    from ...errors import UsageError
    from ..arguments import within
    from ..computing import compute
    from ..failed import choice, chosen_failures, named_failures
    from ..reach import brought_home
    from ..study import open_study

    if jobs and asked.anything:
        raise UsageError(
            "jobs are named, or chosen by --rows --where --kind --error; not both", "leave one of them out"
        )
    study = open_study(screen, file, local=local)
    if not jobs and not asked.anything:
        return compute(screen, file, study, rows=None, retry="all", yes=yes)
    wanted = choice(study, asked)
    with brought_home(study, screen):
        if jobs:
            again = named_failures(study, jobs)
        else:
            again, failed = chosen_failures(study, wanted)
            screen.data({"event": "retry", "jobs": len(again), "failed": failed})
            screen.note(f"again: {len(again):,} of {failed:,} failed jobs")
    return compute(screen, file, study, rows=within(asked.rows, study.jobs.count), retry=again, yes=yes)
