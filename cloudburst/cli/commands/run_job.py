"""`cloudburst run-job JOB`: one job here, in the foreground, to see what it does."""

from __future__ import annotations

from pathlib import Path

import click

from ...errors import UsageError
from ..arguments import json_option, pass_screen, study_option
from ..views.screen import Screen


@click.command()
@click.argument("job")
@study_option
@click.option(
    "--results", type=click.Path(path_type=Path), help="Put returned series and files in this directory."
)
@json_option
@pass_screen
def command(screen: Screen, job: str, file: Path, results: Path | None) -> int:
    """Run one job here with the code and the environment it would have on a node.

    What it prints is shown as it prints it; what it returns, at the end. Nothing is recorded. JOB
    is row:17, or the first digits (4 or more) of an id. Exit code 4 when the job fails.
    """
    from ...run.run_one import run_one
    from ..computing import FINISHED_WITH_FAILURES
    from ..naming import find_job
    from ..study import open_study, recorded
    from ..views import outcome
    from ..views.telling import event_line

    study = open_study(screen, file)
    with recorded(study) as ledger:
        named = find_job(job, study.jobs, ledger)
    if named.job is None:
        raise UsageError(
            f"the study no longer has the job {named.id}", "`cloudburst logs` shows what became of it"
        )
    screen.note(f"job {named.id} (row {named.job.row.index})")
    ended = run_one(
        study,
        named.job,
        on_event=lambda event: screen.note(event_line(event, screen)),
        results=results,
        show=not screen.as_json,
    )
    screen.document({"id": named.id, "row": named.job.row.index, **ended})
    for line in outcome.ended(ended, screen.error_paint):
        screen.note(line)
    return 0 if ended["status"] == "done" else FINISHED_WITH_FAILURES
