"""`cloudburst show`: what a plan file says, and what was ever applied."""

from __future__ import annotations

from pathlib import Path

import click

from ..arguments import json_option, pass_screen, study_argument
from ..views.screen import Screen


@click.command()
@study_argument
@click.option(
    "--applied",
    "digits",
    metavar="PLAN",
    help="One of the plans that were applied, by the first digits of its name (4 or more).",
)
@json_option
@pass_screen
def command(screen: Screen, file: Path, digits: str | None) -> None:
    """Show what FILE.cbplan would run; of a study, which plans were applied to it, and when.

    Each tells the rows, the code, the locked packages, and which git revision its files were of.
    """
    from ...run.kept import applied, read_contents
    from ..planned import find_applied, is_plan
    from ..study import places_of
    from ..views import shown as view

    if is_plan(file):
        contents = read_contents(file)
    else:
        place = places_of(file)
        plans = applied(place)
        if digits is None:
            forms = [view.kept_form(kept) for kept in plans]
            screen.document({"study": place.study, "applied": forms})
            for line in view.history(forms, width=screen.width, paint=screen.paint):
                screen.say(line)
            return
        contents = find_applied(plans, digits).contents
    form = view.contents_form(contents)
    screen.document(form)
    for line in view.contents(form, width=screen.width, paint=screen.paint):
        screen.say(line)
