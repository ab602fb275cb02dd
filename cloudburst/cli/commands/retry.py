"""`cloudburst retry`: compute failed jobs again."""

from __future__ import annotations

from pathlib import Path

import click

from ..arguments import json_option, local_option, pass_screen, study_option, yes_option
from ..views.screen import Screen


@click.command()
@click.argument("jobs", nargs=-1, metavar="[JOB]...")
@study_option
@yes_option
@local_option
@json_option
@pass_screen
def command(screen: Screen, jobs: tuple[str, ...], file: Path, yes: bool, local: bool) -> int:
    """Compute failed jobs again: those named, or all of them; and what is still to do.

    Where the study runs on a swarm, they are computed there. Before machines are rented for it, it asks (--yes).
    JOB is row:17, or the first digits (4 or more) of an id.
    """
    from ..computing import compute
    from ..failed import named_failures
    from ..reach import brought_home
    from ..study import open_study

    study = open_study(screen, file, local=local)
    if not jobs:
        return compute(screen, file, study, rows=None, retry="all", yes=yes)
    with brought_home(study, screen):
        named = named_failures(study, jobs)
    return compute(screen, file, study, rows=None, retry=named, yes=yes)
