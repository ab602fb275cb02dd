"""`cloudburst explain`: where every value of a row comes from."""

from __future__ import annotations

from pathlib import Path

import click

from ..arguments import DEFAULT_FILE, json_option, pass_screen
from ..views.screen import Screen


@click.command()
@click.argument("file", default=DEFAULT_FILE, type=click.Path(path_type=Path))
@click.argument("row", required=False)
@json_option
@pass_screen
def command(screen: Screen, file: Path, row: str | None) -> None:
    """Show where values come from: each with its line and the rule that made it.

    ROW is a number from 0 (17 or row:17), or the first digits (4 or more) of an id. Without it: every block, its
    arithmetic, and how each parameter gets its values. Computes and writes nothing.
    """
    from ...compile.explain import Subject, explain
    from ...run.observe import rows_in_their_place
    from ..naming import find_row, reads_as_row
    from ..study import open_study
    from ..views import explain as view

    if row is None and not file.exists() and reads_as_row(str(file)):
        file, row = Path(DEFAULT_FILE), str(file)
    study = open_study(screen, file, need_payload=False)
    with rows_in_their_place(study):
        number = None if row is None else find_row(row, study.jobs)
        subject = Subject(study.ensemble, study.jobs, study.draws, study.loaded.document, study.files.digests)
        document = explain(subject, number)
    screen.document(document)
    for line in view.lines(document, width=screen.width, paint=screen.paint):
        screen.say(line)
