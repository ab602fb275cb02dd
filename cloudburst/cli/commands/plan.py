"""`cloudburst plan`: what apply would compute. Touches nothing."""

from __future__ import annotations

from pathlib import Path

import click

from ..arguments import json_option, local_option, pass_screen, rows_option, study_argument, within
from ..views.screen import Screen

SOMETHING_TO_DO = 3


@click.command()
@study_argument
@rows_option
@click.option(
    "--jobs",
    type=click.Path(path_type=Path, allow_dash=True),
    help="Stream the job descriptions there instead, one JSON line a row; - is the screen.",
)
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 3 when there is something to do.")
@click.option("--offline", is_flag=True, help="Do not look at rented machines: no network at all.")
@local_option
@json_option
@pass_screen
def command(
    screen: Screen,
    file: Path,
    rows: tuple[int, int | None] | None,
    jobs: Path | None,
    detailed_exitcode: bool,
    offline: bool,
    local: bool,
) -> int:
    """Show what apply would compute: how the rows come about, some of them, and what is done already.

    Of rented machines: which it would make, change or give back, and what that costs.
    Reads the file, the worker directory, the lock and the ledger, and for rented machines the account (not with
    --offline); writes nothing but --jobs. Exit code 2 when it is sure to cost more than max_cost.
    """
    from ...errors import Unreachable
    from ...run.observe import count_plan, outline_study
    from ..renting import refuse, show_new_warnings, with_machines
    from ..study import open_study
    from ..views import plan as view
    from ..views.counting import counting

    study = open_study(screen, file, local=local)
    selected = within(rows, study.jobs.count)
    if jobs is not None:
        from ..descriptions import stream

        stream(screen, study, selected, jobs)
        return 0
    outline = outline_study(study, selected)
    for line in view.head(outline.to_json(), width=screen.width, paint=screen.paint):
        screen.say(line)
    with counting(screen) as progress:
        plan = count_plan(study, outline, progress)
    if not offline:
        try:
            plan = with_machines(study, plan)
        except Unreachable as error:
            hints = (error.hint, "`cloudburst plan --offline` shows the rest without looking")
            raise Unreachable(error.message, "; ".join(filter(None, hints))) from error
    show_new_warnings(screen, study, plan)
    document = plan.to_json()
    screen.document(document)
    for line in view.tail(document, width=screen.width, paint=screen.paint):
        screen.say(line)
    refuse(study, plan.refusal)
    return SOMETHING_TO_DO if detailed_exitcode and plan.has_something_to_do else 0
