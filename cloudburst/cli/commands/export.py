"""`cloudburst export`: the whole study as one file, for a colleague or for the shelf."""

from __future__ import annotations

from pathlib import Path

import click

from ...errors import UsageError
from ..arguments import json_option, pass_screen, study_option
from ..views.screen import Screen


@click.command()
@click.argument("out", required=False, type=click.Path(path_type=Path), metavar="[OUT.cbstudy]")
@study_option
@click.option(
    "--no-inputs",
    is_flag=True,
    help="Leave out `inputs` and files that are values; import names those it lacks.",
)
@json_option
@pass_screen
def command(screen: Screen, out: Path | None, file: Path, no_inputs: bool) -> None:
    """Write the study into one file (default: its name, with .cbstudy).

    In it are the ensemble file and what it reads, the worker's code, the lock, everything ever recorded, series and
    files that jobs returned, tables, and the plans that were applied; no credential, and no log but what each job
    printed. It may be computed meanwhile. Whoever imports it has nothing left to compute.
    """
    from ...compile.study_archive import SUFFIX
    from ...run.exporting import export_study
    from ..reach import brought_home, fetched
    from ..study import open_study
    from ..views import sharing as view

    if out is not None and out.suffix in (".yaml", ".yml"):
        raise UsageError(f"{out} is a study, not where to export it", f"`cloudburst export -f {out}`")
    if out is not None and out.suffix != SUFFIX:
        raise UsageError(f"{out} is no name for a study", f"its name ends in {SUFFIX}: {out.stem}{SUFFIX}")
    study = open_study(screen, file)
    with brought_home(study, screen) as way:
        fetched(study, way, screen)
        exported = export_study(study, out or Path(f"{study.ensemble.name}{SUFFIX}"), inputs=not no_inputs)
    form = view.exported_form(exported)
    screen.document(form)
    for line in view.exported(form, screen.paint):
        screen.say(line)
