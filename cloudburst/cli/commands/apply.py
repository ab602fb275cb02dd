"""`cloudburst apply`: compute what is missing, or exactly what a plan file says. How it is done is run/apply.py's."""

from __future__ import annotations

from pathlib import Path

import click

from ...errors import UsageError
from ..arguments import (
    json_option,
    keep_stale_option,
    local_option,
    pass_screen,
    rows_option,
    study_argument,
    within,
    yes_option,
)
from ..views.screen import Screen


@click.command()
@study_argument
@click.option(
    "-f",
    "--spec",
    type=click.Path(path_type=Path),
    help="With a plan file: the ensemble file beside which its study lives.",
)
@rows_option
@yes_option
@keep_stale_option
@local_option
@json_option
@pass_screen
def command(
    screen: Screen,
    file: Path,
    spec: Path | None,
    rows: tuple[int, int | None] | None,
    yes: bool,
    keep_stale: bool,
    local: bool,
) -> int:
    """Compute what is not computed yet, and write the table.

    FILE is an ensemble file, or a plan that `cloudburst plan --out` wrote: then exactly that is done, or nothing
    when what it was made against has moved since.

    The first Ctrl-C starts no new job and lets running ones finish, the second stops now; apply
    again goes on where it stopped. Exit code 4 when jobs failed.

    Before machines are rented it shows what they cost and asks, unless --yes. Without anybody to ask nothing is
    rented (exit code 2).
    """
    from ..computing import compute
    from ..planned import is_plan, open_unmoved
    from ..study import open_study

    if is_plan(file):
        if rows is not None or local or keep_stale:
            raise UsageError(
                f"{file.name} says which rows are computed, and where",
                "without --rows, --keep-stale and --local; or apply the ensemble file",
            )
        planned, selected = open_unmoved(screen, file, spec)
        return compute(
            screen,
            planned.study.places.spec,
            planned.study,
            rows=selected,
            retry=None,
            yes=yes,
            keep_stale=bool(planned.contents.plan["keep_stale"]),
            planned=planned,
        )
    if spec is not None:
        raise UsageError("-f goes with a plan file", f"`cloudburst apply {spec}`")
    study = open_study(screen, file, local=local)
    selected = within(rows, study.jobs.count)
    return compute(screen, file, study, rows=selected, retry=None, yes=yes, keep_stale=keep_stale)
