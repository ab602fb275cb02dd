"""`cloudburst cancel`: start no job any more, wherever the study runs."""

from __future__ import annotations

from pathlib import Path

import click

from ..arguments import json_option, pass_screen, study_argument
from ..views.screen import Screen


@click.command()
@study_argument
@click.option("--now", is_flag=True, help="End running jobs too; they are computed again later.")
@json_option
@pass_screen
def command(screen: Screen, file: Path, now: bool) -> int:
    """Start no job any more; running ones finish. What is computed stays, and `apply` goes on from there.

    It holds until the next `apply` or `retry`. A swarm's stack stays up, and rented machines are billed on:
    `destroy` takes them down.
    """
    from ...errors import ProviderError
    from ...run.stopping import billed_until
    from ..reach import reached
    from ..study import after_command, open_study
    from ..views import cancelled

    study = open_study(screen, file, need_payload=False)
    with reached(study) as way:
        if way.away:
            raise ProviderError(way.away, "nothing was cancelled: try again when there is a way to it")
        status = way.controller.cancel(now=now) if way.controller else None
    screen.document({"study": study.ensemble.name, "run": status})
    billed = billed_until(study.ensemble.cluster)
    for line in cancelled.lines(study.ensemble.name, status, file=after_command(file), billed=billed):
        screen.say(line)
    return 0
