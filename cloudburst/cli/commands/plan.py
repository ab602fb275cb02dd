"""`cloudburst plan`: what apply would compute. Touches nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from ...errors import UsageError
from ..arguments import (
    SOMETHING_TO_DO,
    json_option,
    keep_stale_option,
    local_option,
    pass_screen,
    rows_option,
    study_argument,
    where_option,
    within,
)
from ..views.screen import Screen


@click.command()
@study_argument
@rows_option
@where_option
@click.option(
    "--jobs",
    type=click.Path(path_type=Path, allow_dash=True),
    help="Stream the job descriptions there instead, one JSON line a row; - is the screen.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.cbplan",
    help="Keep the plan there, with all it needs: `cloudburst apply FILE.cbplan` does exactly that.",
)
@click.option(
    "--against",
    metavar="REV",
    help="Compare with the study at a git revision instead: which rows are new, gone, kept, and why.",
)
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 3 when there is something to do.")
@click.option(
    "--offline",
    is_flag=True,
    help="Do not look at rented machines: no network at all; prices are those of a dated table.",
)
@keep_stale_option
@local_option
@json_option
@pass_screen
def command(
    screen: Screen,
    file: Path,
    rows: tuple[int, int | None] | None,
    where: str | None,
    jobs: Path | None,
    out: Path | None,
    against: str | None,
    detailed_exitcode: bool,
    offline: bool,
    keep_stale: bool,
    local: bool,
) -> int:
    """Show what apply would compute: how the rows come about, some of them, and what is done already.

    --rows and --where show the rows they choose, each with its state; with --rows only these count, with --where
    the plan stays that of all of them.

    Of rented machines: which it would make, change or give back, and what that costs.
    Reads the file, the worker directory, the lock and the ledger, and for rented machines the account (not with
    --offline); writes nothing but --jobs and --out, and for --out the lock, if there is none that fits. Exit code 2
    when it is sure to cost more than max_cost.
    """
    from ...errors import Unreachable
    from ...run.observe import outline_study
    from ...run.planning import choose_rows, count_plan, wanted_rows, with_list_prices, with_machines
    from ..comparing import compared
    from ..renting import refuse, show_new_warnings
    from ..study import open_study
    from ..views import plan as view
    from ..views.counting import counting

    _check_questions(rows=rows, where=where, jobs=jobs, out=out, against=against)
    study = open_study(screen, file, local=local)
    selected = within(rows, study.jobs.count)
    if against is not None:
        return compared(screen, study, against, detailed_exitcode=detailed_exitcode)
    wanted = wanted_rows(study, where) if where is not None else None
    if jobs is not None:
        from ..descriptions import stream

        stream(screen, study, selected, jobs, wanted.takes if wanted is not None else None)
        return 0
    if out is not None:
        from ..planned import locked

        study = locked(screen, study)
    outline = outline_study(study, selected)
    asks = wanted is not None or rows is not None
    for line in view.head(outline.to_json(), width=screen.width, paint=screen.paint, preview_too=not asks):
        screen.say(line)
    screen.flush()  # the count may take a while
    if asks:
        with counting(screen) as progress:
            found = choose_rows(study, outline, wanted, progress, keep_stale=keep_stale)
        outline = replace(outline, chosen=found)
        form = outline.to_json()
        for line in view.chosen(form, most=screen.height, width=screen.width, paint=screen.paint):
            screen.say(line)
    with counting(screen) as progress:
        plan = count_plan(study, outline, progress, keep_stale=keep_stale)
    if offline:
        plan = with_list_prices(study, plan)
    else:
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
    if out is not None:
        from ...run.plans import write_plan

        digest = write_plan(study, replace(plan, chosen=None), out)
        screen.note(
            f"wrote {out} ({digest[:12]}): `cloudburst apply {out}` does exactly this, or says what moved"
        )
    return SOMETHING_TO_DO if detailed_exitcode and plan.has_something_to_do else 0


def _check_questions(
    *,
    rows: tuple[int, int | None] | None,
    where: str | None,
    jobs: Path | None,
    out: Path | None,
    against: str | None,
) -> None:
    """Raises UsageError for options that do not go together."""
    from ...compile.plan_archive import SUFFIX

    if out is not None and out.suffix != SUFFIX:
        raise UsageError(
            f"{out} is no name of a plan", f"its name ends in {SUFFIX}: {out.with_suffix(SUFFIX)}"
        )
    answers = {"--jobs": jobs, "--out": out, "--against": against}
    given = [name for name, value in answers.items() if value is not None]
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)} are answers to different questions", "give one of them")
    if against is not None and rows is not None:
        raise UsageError("--against compares whole studies", "leave --rows out")
    if where is not None and (out is not None or against is not None):
        what = "--out keeps the plan of all rows" if out is not None else "--against compares whole studies"
        raise UsageError(f"{what}, and --where only shows some", "leave --where out")
