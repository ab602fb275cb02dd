"""`cloudburst logs JOB`: what one job printed and how it ended, attempt by attempt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..arguments import json_option, pass_screen, study_option
from ..views.screen import Screen


@click.command()
@click.argument("job")
@study_option
@json_option
@pass_screen
def command(screen: Screen, job: str, file: Path) -> None:
    """Show what JOB was asked, what it printed and how it ended.

    JOB is row:17, or the first digits (4 or more) of an id.
    """
    from ..naming import Named, find_job
    from ..reach import brought_home
    from ..study import open_study, recorded
    from ..views import outcome

    study = open_study(screen, file, need_payload=False)
    with brought_home(study, screen), recorded(study) as ledger:
        named = find_job(job, study.jobs, ledger)
        attempts = ledger.attempts(named.id) if ledger else []

    def to_json(named: Named) -> dict[str, Any]:
        row = named.job.row if named.job else None
        return {
            "id": named.id,
            "row": row.index if row else None,
            "block": row.block if row else None,
            "parameters": dict(row.values) if row else None,
            "job": named.job.description if named.job else None,
            "attempts": attempts,
        }

    document = to_json(named)
    screen.document(document)
    for line in outcome.lines(document, screen.paint):
        screen.say(line)
