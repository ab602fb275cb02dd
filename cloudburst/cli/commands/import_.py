"""`cloudburst import`: a study that somebody exported, here."""

from __future__ import annotations

from pathlib import Path

import click

from ..arguments import json_option, pass_screen
from ..views.screen import Screen

SOMETHING_DIFFERS = 1


@click.command()
@click.argument("archive", type=click.Path(path_type=Path), metavar="IN.cbstudy")
@click.argument("directory", required=False, type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Replace files that are here and differ.")
@json_option
@pass_screen
def command(screen: Screen, archive: Path, directory: Path | None, force: bool) -> int:
    """Bring in the study of IN.cbstudy, into DIRECTORY (default: one named after it).

    Where the study is already, what was recorded there and here is united, and nothing is overwritten: files that
    differ are named, and the exit code is 1, unless --force replaces them. Nothing of the file is run.
    """
    from ...run.importing import import_study
    from ..views import sharing as view

    imported = import_study(archive, directory, replace=force)
    form = view.imported_form(imported)
    screen.document(form)
    for line in view.imported(form, screen.paint):
        screen.say(line)
    return SOMETHING_DIFFERS if imported.differing and not force else 0
