"""`cloudburst list`: the studies below some directories, and how each stands."""

from __future__ import annotations

from pathlib import Path

import click

from ..arguments import json_option, pass_screen
from ..views.screen import Screen


@click.command()
@click.argument("directories", nargs=-1, metavar="[DIRECTORY]...", type=click.Path(path_type=Path))
@click.option("--offline", is_flag=True, help="Do not ask which rented machines stand.")
@json_option
@pass_screen
def command(screen: Screen, directories: tuple[Path, ...], offline: bool) -> None:
    """List the studies below DIRECTORY (default: here): how far each is, what runs, and what is billed.

    What is counted is what this machine has recorded. Of studies on rented machines the account is asked, where its
    token is in the environment; swarms are not, `cloudburst status` does that.
    """
    from ...run.listing import list_studies
    from ..standing import account_standing
    from ..views import listing as view

    studies, cut_short = list_studies(directories or (Path(),))
    account = None if offline else account_standing([one for one in studies if one.is_rented])
    document = view.document(studies, account)
    screen.document(document)
    for line in view.lines(document, width=screen.width, paint=screen.paint):
        screen.say(line)
    for directory in cut_short:
        screen.note(f"{directory} is too large: not all below it was looked through; name directories in it")
